"""A neural network as a planner's model of its environment."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aixi.errors import InvalidValueError, at_least, require
from aixi.predictors.model import EnvironmentModel
from aixi.predictors.neural.compiled import CompiledNetwork
from aixi.predictors.neural.config import ENCODING
from aixi.predictors.neural.learning import Training, slices
from aixi.predictors.neural.networks import make_network
from aixi.predictors.neural.online import OnlineNetwork, network_of
from aixi.predictors.neural.tokens import Tokens
from aixi.state import State


class NeuralModel(EnvironmentModel):
    """A network that learns from its life, online: a percept is scored before anything is learnt from it.

    Actions and percepts are tokens; see `Tokens`. After each `train_every` cycles, AdamW makes steps on windows of the
    life so far; then the weights, averaged, go into the compiled network that predicts and imagines.

    Args:
        actions: number of actions.
        layout: widths in bits of the percept's components, in order; see `Tokens.of`.
        kind: "transformer", "encoder-decoder", "rnn", "lstm", "gru" or "additive-lstm". Those with an encoder read
            the last `window` tokens anew each cycle.
        style: "components", one token a component; "bits"; or "shared", bits that share their tokens, with which one
            network fits every environment.
        width, layers, heads, groups, latent, rotary, hidden: sizes of the network; see `NetworkConfig`. None is the
            default, two heads, or what the checkpoint has.
        guided: whether the network has policy and value heads, trained from `guide`.
        window: most real tokens that a prediction looks back on, at least two cycles; by default 64, or eight cycles if
            those are more.
        horizon: cycles that are imagined ahead; windows learnt from are as much longer.
        train_every, train_steps, learning_rate, weight_decay, batch, warm_up, clip, memory: see `Training`; with
            `train_every` 0, the weights stay as they are.
        seed: of the weights and of what is drawn to learn from, at least 0 and below 2^63.
        checkpoint: of a saved network that it starts from; random weights by default.

    Raises:
        InvalidValueError: if a number is out of range, or the saved network is another than asked for.

    Example:
        >>> model = NeuralModel(actions=2, layout=(1, 1), width=16, window=16)
        >>> first, last = [], []
        >>> for cycle in range(100):
        ...     model.condition(cycle % 2)
        ...     bits = model.update(np.array([3 * (cycle % 2)], np.uint64))
        ...     (first if cycle < 10 else last).append(bits)
        >>> sum(first) > 15.0 and last[-1] < 0.2
        True
    """

    def __init__(
        self,
        actions: int,
        layout: tuple[int, ...],
        *,
        kind: str = "transformer",
        style: str = "components",
        width: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        groups: int | None = None,
        latent: int | None = None,
        rotary: int | None = None,
        hidden: int | None = None,
        guided: bool = False,
        window: int | None = None,
        horizon: int = 5,
        train_every: int = 10,
        train_steps: int = 20,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        batch: int = 8,
        warm_up: int = 50,
        clip: float = 1.0,
        memory: int = 9,
        seed: int = 0,
        checkpoint: str | None = None,
    ) -> None:
        at_least("horizon", horizon, 0)
        require(
            not guided or kind not in ENCODING,
            f"guided must be False for kind {kind!r}, got True: its decoder begins anew, with nothing to judge by",
        )
        training = Training(train_every, train_steps, learning_rate, weight_decay, batch, warm_up, clip, memory)
        tokens = Tokens.of(layout, actions, style)
        sizes = {"width": width, "layers": layers, "heads": heads, "groups": groups} | {
            "latent": latent,
            "rotary": rotary,
            "hidden": hidden,
        }
        network = network_of(kind, tokens.vocabulary, actions if guided else 0, checkpoint, seed, sizes)
        self.actions, self.percept_bits, self.tokens = actions, tokens.percept_bits, tokens
        window = max(64, 8 * tokens.cycle_tokens) if window is None else window
        self._options: dict[str, Any] = {"window": window, "ahead": (horizon + 1) * tokens.cycle_tokens, "seed": seed}
        self._online = OnlineNetwork(network, tokens, slices(tokens), training, **self._options)

    @property
    def version(self) -> int:  # type: ignore[override]  # read-only here
        """Grows whenever what was predicted of a future is stale: with each training, or each history encoded."""
        return self._online.version

    @property
    def compiled(self) -> CompiledNetwork:
        return self._online.compiled

    @property
    def network(self) -> Any:
        """The network of the weights that it predicts with; see `save_checkpoint`."""
        return self._online.network

    @property
    def steps(self) -> int:
        """Steps of training made."""
        return self._online.steps

    def history(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the real tokens that predictions look back on, int64[n], and those that an encoder reads, int64[m].

        The latter come before; there are none where there is no encoder.
        """
        return self._online.history()

    def reserve(self, percepts: int) -> None:
        self._online.reserve((1 + percepts) * self.tokens.cycle_tokens)

    def condition(self, action: int) -> None:
        self._online.read(self.tokens.of_action(action))

    def update(self, words: NDArray[np.uint64]) -> float:
        """Learns a real percept, uint64[words], and returns its code length in bits.

        Raises:
            InvalidValueError: if it is no percept, or comes in the middle of imagination.
            TrainingFaultError: if training after it went out of range; the percept is learnt, and what it cost is lost.
        """
        percept = self.tokens.of_percept(words)
        if self._online.imagining:
            raise InvalidValueError("update must come after rewind, got one in the middle of imagination")
        bits = super().update(words)
        self._online.learn(percept)
        return bits

    def guide(self, policy: NDArray[np.float64], value: float) -> None:
        """Keeps what a search found at the present moment, before an action: the heads learn from it.

        Args:
            policy: what the search would do, float64[actions], a distribution.
            value: mean reward per cycle, as a fraction of the reward range.

        Raises:
            InvalidValueError: if the network has no heads, or an argument is not as above.
        """
        require(self._online.config.actions > 0, "the network has no policy and value heads; make it with guided=True")
        require(
            policy.shape == (self.actions,) and bool((policy >= 0.0).all()) and abs(float(policy.sum()) - 1.0) < 1e-6,
            f"policy must be {self.actions} probabilities that sum to 1, got {policy}",
        )
        require(0.0 <= value <= 1.0, f"value must be from 0 to 1, a fraction of the reward range, got {value}")
        require(not self._online.pending, "guide must come before the action, got it after one")
        self._online.guide(policy, value)

    def state_dict(self) -> State:
        return self._online.state_dict()

    def load_state_dict(self, state: State) -> None:
        self._online.load_state_dict(state)

    def copy(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.actions, twin.percept_bits, twin.tokens = self.actions, self.percept_bits, self.tokens
        network, training = make_network(self._online.config, seed=0), self._online.training
        twin._options = self._options
        twin._online = OnlineNetwork(network, self.tokens, slices(self.tokens), training, **self._options)
        twin.load_state_dict(self.state_dict())
        return twin
