"""Self-supervised learning over a life: next-token steps of AdamW, averaged weights, targets of searches.

**Loss.** Of each percept's token given that it is one of its component: the softmax runs over that slice of the
vocabulary only, so that the loss is the code length which the compiled network reports. Actions carry none. Where a
search was made, the policy's cross-entropy to its visits and the value's squared error are added.

**Averaged weights.** Steps move the raw weights; predictions come from their running average, which gives the latest
steps most and reaches back in proportion to the steps made (polynomial-decay averaging, Shamir and Zhang 2013, section
4). It removes the noise of steps that a constant learning rate leaves, without a schedule that must know the life's
length.

**Faults.** Training is all or nothing: where a loss, a gradient or what the new weights say is not finite, everything
is as it was before, and learning stays off.
"""

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from aixi.errors import TrainingFaultError, at_least, require
from aixi.predictors.neural.encoder_decoder import EncoderDecoder
from aixi.predictors.neural.networks import Network
from aixi.predictors.neural.recurrent import AdditiveLSTM, Recurrent
from aixi.predictors.neural.replay import Replay
from aixi.predictors.neural.threads import torch_threads
from aixi.predictors.neural.tokens import Tokens
from aixi.state import State


@dataclass(frozen=True)
class Training:
    """How a network learns.

    After n cycles `train_steps` * sqrt(n) steps have been made: what is seen early is new, and what comes late has been
    seen alike, so that steps are worth most at the beginning.

    Args:
        train_every: cycles from one training to the next; 0 never trains.
        train_steps: steps after n cycles, over sqrt(n).
        learning_rate: of AdamW (Loshchilov and Hutter 2019).
        weight_decay: of matrices; gains and biases have none.
        batch: windows in a step.
        warm_up: steps over which the learning rate rises from 0.
        clip: greatest norm of the gradient.
        memory: c of the average: after step k it moves by (c + 1) / (k + c) of the way to the raw weights, so that it
            reaches back over about k / c steps.

    Raises:
        InvalidValueError: if a number is out of range.
    """

    train_every: int = 10
    train_steps: int = 20
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch: int = 8
    warm_up: int = 50
    clip: float = 1.0
    memory: int = 9

    def __post_init__(self) -> None:
        for name, lowest in (("train_every", 0), ("train_steps", 1), ("batch", 1), ("warm_up", 0), ("memory", 0)):
            at_least(name, getattr(self, name), lowest)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            require(0.0 < value < math.inf, f"{name} must be above 0 and finite, got {value}")
        require(
            0.0 <= self.weight_decay < math.inf, f"weight_decay must be at least 0 and finite, got {self.weight_decay}"
        )

    def due(self, cycles: int) -> int:
        """Returns how many steps are to be made after so many cycles.

        Example:
            >>> training = Training(train_every=10, train_steps=20)
            >>> [training.due(cycles) for cycles in (9, 10, 20, 1000)]
            [0, 63, 26, 3]
        """
        if self.train_every == 0 or cycles % self.train_every:
            return 0
        made = (math.isqrt(self.train_steps**2 * time) for time in (cycles, cycles - self.train_every))
        return next(made) - next(made)


def slices(tokens: Tokens) -> NDArray[np.int64]:
    """Returns of each token the tokens that it is told apart from: int64[vocabulary, 2], first and number.

    Tokens of actions are not predicted: their number is 0.

    Example:
        >>> slices(Tokens((1, 2), actions=2)).tolist()
        [[0, 2], [0, 2], [2, 4], [2, 4], [2, 4], [2, 4], [0, 0], [0, 0]]
    """
    table = np.zeros((tokens.vocabulary, 2), np.int64)
    for first, width in zip(tokens.offsets, tokens.widths, strict=True):
        table[first : first + 2**width] = first, 2**width
    return table


class Learner:
    """A network that learns from a replay.

    Args:
        network: what learns; its weights are moved.
        slices: see `slices`.
        training: how.
        length: tokens that a window reads, at least 1.

    Attributes:
        network: the raw weights.
        average: a network of the averaged weights, those to predict with.
        steps: made so far.
        fault: why learning is off; empty while it is on.

    Example:
        >>> from aixi.predictors.neural.config import NetworkConfig
        >>> from aixi.predictors.neural.networks import make_network
        >>> tokens = Tokens((1,), actions=1)
        >>> network = make_network(NetworkConfig("lstm", tokens.vocabulary, width=8), seed=0)
        >>> learner = Learner(network, slices(tokens), Training(learning_rate=0.01), length=8)
        >>> replay = Replay()
        >>> for value in (0, 1) * 20:
        ...     replay.take([2, value])
        >>> rng = np.random.default_rng(0)
        >>> first = learner.train(replay, rng, 1)
        >>> mean = learner.train(replay, rng, 60)
        >>> learner.train(replay, rng, 1) < first / 2
        True
    """

    def __init__(self, network: Network, slices: NDArray[np.int64], training: Training, length: int) -> None:
        self.network, self.average, self.training = network, deepcopy(network), training
        self.steps, self.fault = 0, ""
        self._length = at_least("length", length, 1)
        tokens = np.arange(len(slices))
        first, count = slices[:, :1], slices[:, 1:]
        outside = (tokens < first) | (tokens >= first + count)
        self._outside = torch.from_numpy(np.where(outside, -np.inf, 0.0).astype(np.float32))  # [target, vocabulary]
        self._predicted = slices[:, 1] > 0
        self._parameters = list(network.parameters())
        self._averaged = list(self.average.parameters())
        for parameter in self._averaged:
            parameter.requires_grad_(False)
        groups = [
            {"params": [x for x in self._parameters if x.dim() > 1], "weight_decay": training.weight_decay},
            {"params": [x for x in self._parameters if x.dim() == 1], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)
        for parameter in self._parameters:  # what the first step would make, so that a state always has it
            self._optimizer.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def train(self, replay: Replay, rng: np.random.Generator, steps: int) -> float:
        """Makes steps on windows drawn from a replay.

        Args:
            replay: a life of at least 2 tokens.
            rng: draws the windows.
            steps: how many, at least 1.

        Returns:
            Mean loss a predicted token, in nats.

        Raises:
            TrainingFaultError: if a loss or a gradient is not finite: the weights are those before this call, and
                learning is off.
        """
        before = [tensor.clone() for tensor in self._tensors()]
        made = self.steps
        losses = []
        with torch_threads(1):
            try:
                for _ in range(steps):
                    windows = self._draw(replay, rng)
                    losses.append(self._step(replay, *windows))
                with torch.no_grad():  # a step that throws the weights away would show only at the next one
                    self._check("loss of the averaged weights", self._loss(self.average, replay, *windows).item())
            except TrainingFaultError as error:
                for tensor, old in zip(self._tensors(), before, strict=True):
                    tensor.copy_(old)
                self.steps, self.fault = made, str(error)
                raise
        return sum(losses) / len(losses)

    def _draw(self, replay: Replay, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Returns windows, int64[B, T], and where each one's history ends if an encoder reads it, int64[B]."""
        windows = replay.windows(rng, self.training.batch, self._length)
        if not isinstance(self.network, EncoderDecoder | AdditiveLSTM):
            return windows, None
        starts = replay.starts
        first = np.searchsorted(starts, windows[:, 0])
        after = np.searchsorted(starts, windows[:, -1])  # a future holds at least one prediction's input
        chosen = first + (rng.random(len(windows)) * (after - first)).astype(np.int64)
        return windows, starts[chosen] - windows[:, 0]

    def _step(self, replay: Replay, windows: NDArray[np.int64], ends: NDArray[np.int64] | None) -> float:
        self.steps += 1
        loss = self._loss(self.network, replay, windows, ends)
        value = self._check("loss", loss.item())
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch types it not
        for parameter in self._parameters:
            if parameter.grad is None:  # heads without a target in this batch
                parameter.grad = torch.zeros_like(parameter)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.training.clip)
        self._check("norm of the gradient", norm.item())
        rate = self.training.learning_rate * min(1.0, self.steps / max(self.training.warm_up, 1))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        share = (self.training.memory + 1) / (self.steps + self.training.memory)
        with torch.no_grad():
            for averaged, raw in zip(self._averaged, self._parameters, strict=True):
                averaged.lerp_(raw, share)
        return value

    def _check(self, what: str, value: float) -> float:
        if not math.isfinite(value):
            raise TrainingFaultError(
                f"training stopped at step {self.steps}: the {what} is {value}; the last good weights are kept; "
                f"lower learning_rate, which is {self.training.learning_rate}"
            )
        return value

    def _loss(
        self, network: Network, replay: Replay, windows: NDArray[np.int64], ends: NDArray[np.int64] | None
    ) -> Tensor:
        """Returns the mean loss a predicted token, in nats, plus the mean losses of policies and values."""
        features, places = read_windows(network, replay.tokens, windows, ends)  # [N, width], int64[N]
        tokens = replay.tokens
        followed = places + 1 < len(tokens)
        following = tokens[np.minimum(places + 1, len(tokens) - 1)]
        scored = followed & self._predicted[following]
        targets = torch.from_numpy(following[scored].astype(np.int64))
        logits = network.logits(features[torch.from_numpy(scored)]) + self._outside[targets]
        # Of nothing, the mean is no number: a life may begin with actions only.
        loss = functional.cross_entropy(logits, targets, reduction="sum") / max(len(targets), 1)
        if replay.guided:
            known, policies, values = replay.found(places)
            if known.any():
                policy, value = network.heads(features[torch.from_numpy(known)])
                loss = loss + functional.cross_entropy(policy, torch.from_numpy(policies))
                loss = loss + functional.mse_loss(value, torch.from_numpy(values))
        return loss

    def _tensors(self) -> list[Tensor]:
        moments = [x for parameter in self._parameters for x in self._optimizer.state[parameter].values()]
        return [*(x.detach() for x in self._parameters), *self._averaged, *moments]

    def state_dict(self) -> State:
        """Returns weights, averages and moments, float32 arrays, and the steps made; arrays are copies."""
        names = [name for name, _ in self.network.named_parameters()]
        moments: dict[str, list[Any]] = {"exp_avg": [], "exp_avg_sq": []}
        for parameter in self._parameters:
            for name, values in moments.items():
                values.append(self._optimizer.state[parameter][name])
        kinds = {"weights": self._parameters, "average": self._averaged} | moments
        return {
            "steps": self.steps,
            "fault": self.fault,
            "tensors": {
                kind: {name: x.detach().numpy().copy() for name, x in zip(names, values, strict=True)}
                for kind, values in kinds.items()
            },
        }

    @torch.no_grad()
    def load_state_dict(self, state: State) -> None:
        """Goes on from a state of the same configuration."""
        self.steps, self.fault = state["steps"], state["fault"]
        tensors = state["tensors"]
        for (name, raw), averaged in zip(self.network.named_parameters(), self._averaged, strict=True):
            moments = self._optimizer.state[raw]
            moments["step"].fill_(self.steps)
            for kind, tensor in (("weights", raw), ("average", averaged), *moments.items()):
                if kind != "step":
                    tensor.copy_(torch.from_numpy(np.asarray(tensors[kind][name])))


def read_windows(
    network: Network, tokens: NDArray[np.int32], windows: NDArray[np.int64], ends: NDArray[np.int64] | None
) -> tuple[Tensor, NDArray[np.int64]]:
    """Returns the features of what a network reads of windows, float32[N, width], and the places, int64[N].

    Args:
        network: of any kind.
        tokens: of the life.
        windows: places, int64[B, T].
        ends: where an encoder's history ends and the decoder begins, int64[B], from 0 to T - 1; None where there is no
            encoder.
    """
    if ends is None:
        inputs = torch.from_numpy(tokens[windows].astype(np.int64))
        features = network(inputs)
        if isinstance(network, Recurrent):
            features = features[0]
        return features.flatten(0, 1), windows.ravel()
    length = windows.shape[1]
    longest, most = int(ends.max()), length - int(ends.min())
    history = torch.from_numpy(tokens[windows[:, :longest]].astype(np.int64))
    history_padding = np.arange(longest) >= ends[:, None]
    columns = ends[:, None] + np.arange(most)  # [B, F]
    real = columns < length
    places = np.take_along_axis(windows, np.minimum(columns, length - 1), axis=1)
    future = torch.from_numpy(tokens[places].astype(np.int64))
    seen, padding = torch.from_numpy(history_padding), torch.from_numpy(~real)
    memory = network.encode(history, seen)  # type: ignore[operator]  # such networks have it
    features = network(future, memory, padding, seen)
    if isinstance(network, AdditiveLSTM):
        features = features[0]
    return features[torch.from_numpy(real)], places[real]
