"""A network that lives: compiled to predict, trained on its life, saved and gone on with."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aixi.errors import at_least, require
from aixi.predictors.intrinsics import Integer, kernel
from aixi.predictors.model import call
from aixi.predictors.neural.checkpoint import load_checkpoint
from aixi.predictors.neural.compiled import CompiledNetwork, compile_network, load_weights, reserve, set_memory
from aixi.predictors.neural.config import ENCODING, UNUSED, NetworkConfig
from aixi.predictors.neural.learning import Learner, Training
from aixi.predictors.neural.networks import Network, make_network
from aixi.predictors.neural.replay import Replay
from aixi.predictors.neural.sequence import LEARNT, LENGTH, TOKENS, push, restart, settle
from aixi.predictors.neural.threads import torch_threads
from aixi.predictors.neural.tokens import Tokens
from aixi.state import State

_HEADS = 2  # few and wide: small attention heads cost time and no bits
_MEMO = 4096  # imagined tokens whose predictions are kept
_MANY = 1 << 16  # cycles taken in at once where no training is due


@kernel
def _read(model: Any, tokens: NDArray[np.int64], real: Integer) -> None:
    """Reads tokens, of which the first `real` have been learnt from."""
    for place in range(tokens.size):
        push(model, tokens[place])
        if place + 1 == real:
            settle(model)


def network_of(
    kind: str, vocabulary: int, actions: int, checkpoint: str | None, seed: int, sizes: dict[str, int | None]
) -> Network:
    """Returns a network of random weights, or a saved one.

    Args:
        kind: see `NetworkConfig`.
        vocabulary: number of tokens.
        actions: of the policy and value heads; 0 for none.
        checkpoint: of a saved network; None for random weights.
        seed: of the random weights.
        sizes: fields of `NetworkConfig`; None is its default, or what the saved network has.

    Raises:
        InvalidValueError: if the saved network is of another kind, vocabulary, heads or size than asked for.
    """
    given = {name: size for name, size in sizes.items() if size is not None}
    if checkpoint is None:
        if "heads" not in UNUSED.get(kind, ()):
            given.setdefault("heads", _HEADS)
        return make_network(NetworkConfig(kind, vocabulary, actions=actions, **given), seed)
    network, _ = load_checkpoint(checkpoint)
    config = network.config
    if config.kind == kind:
        wanted = NetworkConfig.from_dict({**config.to_dict(), "vocabulary": vocabulary, "actions": actions, **given})
    else:
        wanted = NetworkConfig(kind, vocabulary, actions=actions, **given)
    if wanted != config:
        load_checkpoint(checkpoint, wanted)  # refuses, and says what differs
    return network


class OnlineNetwork:
    """A network in its life: what it has read, what it predicts with, and what it learns from.

    Args:
        network: its raw weights are moved.
        tokens: the code of percepts and actions.
        slices: see `aixi.predictors.neural.learning.slices`.
        training: how it learns.
        window: most real tokens that a prediction looks back on.
        ahead: tokens imagined beyond them, for which it is trained too.
        seed: of the windows drawn to learn from.

    Attributes:
        compiled: the compiled network; valid until the next `reserve`.
        replay: the life's tokens.
        pending: real tokens read since, which are not predicted.
        cycles: learnt so far.
        version: grows whenever what was predicted of a future is stale: with each training, and with each history that
            an encoder reads.
    """

    def __init__(
        self,
        network: Network,
        tokens: Tokens,
        slices: NDArray[np.int64],
        training: Training,
        *,
        window: int,
        ahead: int,
        seed: int,
    ) -> None:
        at_least("window", window, 2 * tokens.cycle_tokens)
        self.training, self.window = training, window
        self._learner = Learner(network, slices, training, window + ahead)
        self._encodes = network.config.kind in ENCODING
        self._rng = np.random.default_rng(seed)
        self.replay = Replay(network.config.actions)
        self.compiled: CompiledNetwork = compile_network(
            self._learner.average, tokens, window=window, room=tokens.cycle_tokens + ahead, memo=_MEMO
        )
        self.pending: list[int] = []
        self.cycles = self.version = 0
        self.configuration: State = {
            "network": network.config.to_dict(),
            "training": asdict(training),
            "widths": list(tokens.widths),
            "actions": tokens.actions,
            "shared": tokens.shared,
            "window": window,
            "ahead": ahead,
        }

    @property
    def config(self) -> NetworkConfig:
        """Kind and sizes."""
        return self._learner.network.config

    @property
    def network(self) -> Network:
        """The averaged weights that it predicts with."""
        return self._learner.average

    @property
    def steps(self) -> int:
        """Steps of training made."""
        return self._learner.steps

    @property
    def held(self) -> int:
        """Number of tokens that the compiled network has read, imagined ones too."""
        return int(self.compiled.sequence.state[LENGTH])

    @property
    def learnt(self) -> int:
        """Number of tokens that it holds and has learnt from."""
        return int(self.compiled.sequence.state[LEARNT])

    @property
    def imagining(self) -> bool:
        """Whether it has read tokens that are not real."""
        return self.held != self.learnt + len(self.pending)

    def reserve(self, tokens: int) -> None:
        """Makes room for so many tokens more."""
        self.compiled = reserve(self.compiled, tokens)

    def read(self, tokens: NDArray[np.int64]) -> None:
        """Reads real tokens that are not predicted, int64[n]."""
        self.reserve(len(tokens))
        call(_read, self.compiled, tokens, 0)
        self.pending.extend(tokens.tolist())

    def learn(self, tokens: NDArray[np.int64], cycles: int = 1) -> None:
        """Learns from predicted tokens that the compiled network has read already.

        Args:
            tokens: int64[n], equally many in each cycle; what was read and not predicted goes before them.
            cycles: how many, at most `until_due`.

        Raises:
            TrainingFaultError: if a loss or a gradient is not finite: the tokens are learnt, no training is done with
                them or after, and predictions go on with the last good weights.
        """
        self.replay.take(np.concatenate((np.array(self.pending, np.int64), tokens)), cycles, len(self.pending))
        self.pending.clear()
        self.cycles += cycles
        steps = self.training.due(self.cycles)
        try:
            if steps and not self._learner.fault and self.replay.size > 1:
                self._learner.train(self.replay, self._rng, steps)
                load_weights(self.compiled, self._learner.average)
                self.version += 1
        finally:
            self._encode()
            self.version += self._encodes

    def _encode(self) -> None:
        if self._encodes:
            with torch_threads(1):
                set_memory(self.compiled, self._learner.average, self.replay.last(self.window))

    def history(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the real tokens that predictions look back on, int64[n], and an encoder's history, int64[m]."""
        behind = self.replay.tokens[self.replay.size - self.learnt :]
        read = np.concatenate((behind, np.array(self.pending, np.int64)))
        encoded = self.replay.last(self.window) if self._encodes else np.zeros(0, np.int64)
        return read.astype(np.int64), encoded.astype(np.int64)

    def guide(self, policy: NDArray[np.float64], value: float) -> None:
        """Keeps what a search found after the last token; before the first, the network says nothing to learn."""
        if self.replay.size:
            self.replay.guide(policy, value)

    def until_due(self) -> int:
        """Returns the number of cycles up to the next training, at least 1."""
        every = self.training.train_every or _MANY
        return every - self.cycles % every

    def state_dict(self) -> State:
        """Returns everything needed to go on exactly, from the middle of imagination too; arrays are copies."""
        return {
            **self.configuration,
            "cycles": self.cycles,
            "version": self.version,
            "learnt": self.learnt,
            "behind": self.compiled.sequence.history[TOKENS, self.learnt : self.held].copy(),
            "pending": len(self.pending),
            "rng": self._rng.bit_generator.state,
            "replay": self.replay.state_dict(),
            "learner": self._learner.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state.

        Raises:
            InvalidValueError: if it is of another configuration; nothing is changed.
        """
        for name, value in self.configuration.items():
            require(name in state, f"the state is not of a neural network: it has no {name}; use one that is")
            require(state[name] == value, f"{name} must be {value} as configured, got {state[name]}")
        self.cycles, self.version = state["cycles"], state["version"]
        self._rng.bit_generator.state = state["rng"]
        self.replay.load_state_dict(state["replay"])
        self._learner.load_state_dict(state["learner"])
        behind = np.asarray(state["behind"], np.int64)
        self.pending = behind[: state["pending"]].tolist()
        load_weights(self.compiled, self._learner.average)
        call(restart, self.compiled)
        self._encode()
        held = self.replay.tokens[self.replay.size - state["learnt"] :].astype(np.int64)
        read = np.concatenate((held, behind))
        self.reserve(len(read))
        call(_read, self.compiled, read, state["learnt"])
