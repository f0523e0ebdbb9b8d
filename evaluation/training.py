"""A training of a network, step by step, that can be left between any two of them and gone on with."""

import hashlib
import math
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from aixi.errors import InvalidValueError, StateFileError, TrainingFaultError, at_least, require
from aixi.evaluation.files import check_writable
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.training_data import PERCEPT_TOKENS, VOCABULARY, TrainingData
from aixi.predictors.neural.checkpoint import save_checkpoint
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import Network, make_network
from aixi.state import State, load_state, save_state

KINDS = ("transformer", "rnn", "lstm", "gru")
"""Networks that read one stream; encoder-decoders split theirs at the present moment and learn in their lives."""
_BETAS = (0.9, 0.95)
_ROWS = 64  # stretches scored at a time


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """How a network is trained: AdamW (Loshchilov & Hutter 2019), a linear warm-up, then half a cosine down to 0.

    Attributes:
        steps: of the optimiser.
        batch: stretches of a step.
        window: tokens that each stretch is read for.
        learning_rate: the greatest.
        warm_up: steps until it is reached.
        weight_decay: of AdamW, relative to the learning rate.
        clip: greatest norm of the gradient; a longer one is scaled down to it.
        seed: of the weights and of what is drawn.

    Raises:
        InvalidValueError: if a number is out of bounds.
    """

    steps: int = 5000
    batch: int = 32
    window: int = 128
    learning_rate: float = 3e-3
    warm_up: int = 100
    weight_decay: float = 0.0
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, lowest in (("steps", 1), ("batch", 1), ("window", 1), ("warm_up", 0), ("seed", 0)):
            at_least(name, getattr(self, name), lowest)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            require(0 < value < math.inf, f"{name} must be above 0 and finite, got {value}")
        require(
            0 <= self.weight_decay < math.inf, f"weight_decay must be at least 0 and finite, got {self.weight_decay}"
        )

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step, counted from 0.

        Example:
            >>> schedule = Schedule(steps=300, warm_up=100, learning_rate=1.0)
            >>> schedule.rate(0), schedule.rate(99), round(schedule.rate(200), 3)
            (0.01, 1.0, 0.5)
        """
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


class LossPoint(msgspec.Struct, frozen=True):
    """One point of a loss curve.

    Attributes:
        step: steps done.
        bits: average code length of a percept bit in what was learnt from since the previous point, each scored
            before its step; None before the first step.
        held_out_bits: the same of held-out data.
    """

    step: int
    bits: float | None
    held_out_bits: float


class PretrainResult(msgspec.Struct, kw_only=True):
    """What a training showed.

    Attributes:
        data: what was learnt from, in text form.
        digest: of it, see `aixi.evaluation.training_data`.
        tokens: style of the tokens, see `aixi.predictors.neural.tokens`.
        network: kind and sizes of the network.
        parameters: number of its weights.
        schedule: how it was trained.
        origin: SHA-256 of the checkpoint it began from; None for random weights.
        steps: done, of those in the schedule.
        curve: the loss, at the beginning, at every save and at the end.
        held_out_bits: the last of it.
        seconds: of training, over all parts of a resumed one.
        tokens_per_second: learnt from.
        interrupted: whether Ctrl-C ended it early.
        checkpoint: where the network is kept; None if nowhere.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    data: str
    digest: str
    tokens: str
    network: dict[str, Any]
    parameters: int
    schedule: Schedule
    origin: str | None
    steps: int
    curve: list[LossPoint]
    held_out_bits: float
    seconds: float
    tokens_per_second: float
    interrupted: bool
    checkpoint: str | None
    versions: dict[str, str]
    machine: dict[str, str | int]


def token_bits(network: Network, stretches: Tensor) -> Tensor:
    """Returns the code lengths of the percept bits of stretches in bits, float32[all of them], in order.

    Args:
        network: of one of `KINDS`, over shared tokens.
        stretches: int64[B, 1 + T]; each token but the first is predicted from those before, if it is of a percept.
    """
    features = network(stretches[:, :-1])
    if isinstance(features, tuple):  # a recurrent network gives its state as well
        features = features[0]
    following = stretches[:, 1:]
    predicted = following < PERCEPT_TOKENS
    logits = network.logits(features[predicted])[:, :PERCEPT_TOKENS]
    return functional.cross_entropy(logits, following[predicted], reduction="none") / math.log(2.0)


@torch.no_grad()
def score(network: Network, stretches: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the code lengths of the percept bits of many stretches in bits, float64[all of them], in order.

    Args:
        network: as for `token_bits`.
        stretches: int64[stretches, 1 + window].
    """
    device = next(network.parameters()).device
    parts = np.split(stretches, range(_ROWS, len(stretches), _ROWS))
    bits = [token_bits(network, torch.from_numpy(part).to(device)).double().cpu().numpy() for part in parts]
    return np.concatenate(bits)


class Paths:
    """The files of a training.

    Args:
        out: of the checkpoint, ends in `.safetensors`.

    Raises:
        InvalidValueError: if it ends otherwise, or cannot be written.

    Attributes:
        checkpoint: the weights.
        card: what they are.
        state: what going on needs.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self.checkpoint = Path(out)
        require(self.checkpoint.suffix == ".safetensors", f"out must end in .safetensors, got {os.fspath(out)!r}")
        check_writable(self.checkpoint)
        self.card = self.checkpoint.with_suffix(".json")
        self.state = self.checkpoint.with_suffix(".training")

    def require_free(self) -> None:
        """Refuses to train where something was trained before.

        Raises:
            InvalidValueError: if a file is there.
        """
        for path in (self.state, self.checkpoint, self.card):
            if path.exists():
                way = "resume that training" if path == self.state else "remove it"
                raise InvalidValueError(f"out must be new, and {path} is there already; {way}, or give another name")

    def load(self) -> State:
        """Returns the state of the training that was left.

        Raises:
            StateFileError: if there is none, or it cannot be read.
        """
        if self.checkpoint.exists() and not self.state.exists():
            raise StateFileError(f"there is nothing to resume: the training of {self.checkpoint} is finished")
        return load_state(self.state)


def settings_of(saved: State, path: str) -> State:
    """Returns what a training was told, from its state.

    Raises:
        StateFileError: if this is the state of something else.
    """
    settings = saved.get("settings")
    if not isinstance(settings, dict):
        raise StateFileError(f"{path} is not the state of a training")
    return settings


class Training:
    """A training between two steps."""

    def __init__(self, data: TrainingData, network: NetworkConfig | Network, schedule: Schedule, device: str) -> None:
        weights, batches = np.random.SeedSequence(schedule.seed).spawn(2)
        config = network.config if isinstance(network, Network) else network
        require(
            config.vocabulary == VOCABULARY,
            f"vocabulary must be {VOCABULARY}, that of shared tokens, got {config.vocabulary}",
        )
        if config.kind not in KINDS:
            raise InvalidValueError(f"kind must be one of {', '.join(KINDS)} to be pre-trained, got {config.kind!r}")
        self.network = make_network(config, int(weights.generate_state(1)[0]))
        self.origin: str | None = None
        if isinstance(network, Network):
            weights_given = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
            self.network.load_state_dict(weights_given)
            self.origin = hashlib.sha256(safetensors.torch.save(weights_given)).hexdigest()
        self.network = self.network.to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), schedule.learning_rate, _BETAS, weight_decay=schedule.weight_decay
        )
        self.data, self.schedule, self.device = data, schedule, device
        self.rng = np.random.default_rng(batches)
        self.step = 0
        self.curve: list[LossPoint] = []
        self.latest = LossPoint(0, None, math.nan)
        self._held_out = data.held_out(schedule.window)
        self.saved = 0  # steps done at the last save
        self._sum, self._count = 0.0, 0  # bits and percept bits learnt from since the last point
        self._began, self._seconds = time.perf_counter(), 0.0

    @property
    def settings(self) -> State:
        return {
            "data": self.data.text,
            "digest": self.data.digest,
            "network": self.network.config.to_dict(),
            "schedule": msgspec.to_builtins(self.schedule),
            "origin": self.origin,
        }

    @property
    def seconds(self) -> float:
        return self._seconds + time.perf_counter() - self._began

    def advance(self, paths: Paths | None) -> None:
        """Takes one step."""
        rate = self.schedule.rate(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        stretches = self.data.draw(self.rng, self.schedule.batch, self.schedule.window)
        bits = token_bits(self.network, torch.from_numpy(stretches).to(self.device))
        loss = bits.mean()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.clip)
        self._check("loss", loss.item(), paths)
        self._check("norm of the gradient", norm.item(), paths)
        self.optimiser.step()
        self._sum += float(bits.detach().double().sum())
        self._count += bits.numel()
        self.step += 1

    def measure(self, *, keep: bool) -> None:
        """Measures the held-out loss; a point that is kept belongs to the curve wherever the training was left."""
        mean = self._sum / self._count if self._count else None
        self.latest = LossPoint(self.step, mean, float(score(self.network, self._held_out).mean()))
        if keep:
            self.curve.append(self.latest)
            self._sum, self._count = 0.0, 0

    def save(self, paths: Paths | None) -> None:
        """Writes the checkpoint, and what going on needs unless all is done."""
        self._check("held-out loss", self.latest.held_out_bits, paths)
        if paths is None:
            return
        save_checkpoint(paths.checkpoint, self.network, msgspec.to_builtins(self.result(paths)))
        self.saved = self.step
        if self.step == self.schedule.steps:
            paths.state.unlink(missing_ok=True)
            return
        save_state(
            paths.state,
            {
                "settings": self.settings,
                "step": self.step,
                "curve": [[point.step, point.bits, point.held_out_bits] for point in self.curve],
                "learnt": [self._sum, self._count],
                "seconds": self.seconds,
                "rng": self.rng.bit_generator.state,
                "network": {name: value.cpu().numpy() for name, value in self.network.state_dict().items()},
                "optimiser": {
                    str(place): {name: value.cpu().numpy() for name, value in moments.items()}
                    for place, moments in self.optimiser.state_dict()["state"].items()
                },
            },
        )

    def load(self, saved: State, path: str) -> None:
        """Goes on from a saved training of the same settings."""
        settings = settings_of(saved, path)
        if self.origin is None:  # whatever it began from, its weights are in the state
            self.origin = settings.get("origin")
        for name, value in self.settings.items():
            if settings.get(name) != value:
                raise InvalidValueError(
                    f"{path} is of a training with {name} {settings.get(name)!r}, got {value!r}; leave {name} as it was"
                )
        try:
            self.network.load_state_dict({name: torch.from_numpy(value) for name, value in saved["network"].items()})
            moments = {
                int(place): {name: torch.from_numpy(value) for name, value in kept.items()}
                for place, kept in saved["optimiser"].items()
            }
            groups = self.optimiser.state_dict()["param_groups"]
            self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
            self.rng.bit_generator.state = saved["rng"]
            self.step = self.saved = saved["step"]
            self._seconds = saved["seconds"]
            self.curve = [LossPoint(*point) for point in saved["curve"]]
            self.latest = self.curve[-1]
            self._sum, self._count = saved["learnt"]
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise StateFileError(
                f"{path} is damaged, or was saved by another version ({type(error).__name__}: {error}); train anew"
            ) from error

    def result(self, paths: Paths | None) -> PretrainResult:
        """Returns what the training has shown."""
        schedule = self.schedule
        return PretrainResult(
            data=self.data.text,
            digest=self.data.digest,
            tokens="shared",
            network=self.network.config.to_dict(),
            parameters=self.network.parameter_count,
            schedule=schedule,
            origin=self.origin,
            steps=self.step,
            curve=[*self.curve, self.latest] if self.latest.step > self.curve[-1].step else list(self.curve),
            held_out_bits=self.latest.held_out_bits,
            seconds=self.seconds,
            tokens_per_second=self.step * schedule.batch * schedule.window / self.seconds,
            interrupted=self.step < schedule.steps,
            checkpoint=None if paths is None else str(paths.checkpoint),
            versions=versions(),
            machine=machine(),
        )

    def _check(self, what: str, value: float, paths: Paths | None) -> None:
        """Ends a training that has lost its way, before anything that is kept is touched."""
        if math.isfinite(value):
            return
        kept = "nothing was saved: begin again"
        if paths is not None and paths.checkpoint.exists():
            kept = f"{paths.checkpoint} keeps the last save, of step {self.saved}: go on from its weights"
        raise TrainingFaultError(
            f"{what} must be finite, got {value} at step {self.step}; {kept} with a learning rate below "
            f"{self.schedule.learning_rate:g}"
        )
