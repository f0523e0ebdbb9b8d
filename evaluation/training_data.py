"""What networks are pre-trained on: streams of shared tokens, from sources or from lives of random play.

Shared tokens (`aixi.predictors.neural.tokens`) write every percept bit as 0 or 1 and every bit of an action as 2 or 3,
so that one network fits all environments. A sequence of a source is written as one long percept that follows action 0.
"""

import itertools
import zlib
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aixi.agents.mc_aixi import MCAIXI
from aixi.agents.registry import parse_agent
from aixi.errors import InvalidValueError, at_least, require
from aixi.evaluation.life import Life
from aixi.evaluation.suite import load_suite
from aixi.evaluation.world import World
from aixi.predictors.model import EnvironmentModel
from aixi.predictors.neural.sources import Sources
from aixi.predictors.neural.tokens import Tokens
from aixi.state import State

VOCABULARY = 4
"""Shared tokens: two of percepts, 0 and 1, and two of actions, 2 and 3."""
PERCEPT_TOKENS = 2
"""Tokens below this are bits of percepts, which alone are predicted."""
_ACTION_0 = 2
_HELD_OUT_SOURCES = 512
_HELD_OUT_STREAM = 1_000_000  # trainings spawn few streams from their seeds, and never come as far
_HELD_OUT_WINDOWS = 32  # of each environment


class TrainingData(Protocol):
    """Streams of shared tokens to learn from.

    Attributes:
        text: what this is; see `make_data`.
        digest: CRC-32 of data that were recorded, in hexadecimal; empty where they are made as they are drawn.
    """

    text: str
    digest: str

    def draw(self, rng: np.random.Generator, count: int, window: int) -> NDArray[np.int64]:
        """Returns stretches to learn from, int64[count, window + 1]: a window, and the token after each of its."""

    def held_out(self, window: int) -> NDArray[np.int64]:
        """Returns stretches that `draw` never gives, int64[stretches, window + 1], always the same."""


class SourceData:
    """A fresh variable-order Markov source for every sequence, see `aixi.predictors.neural.sources`.

    Args:
        depth: greatest depth of the sources' trees.

    Example:
        >>> data = SourceData(depth=3)
        >>> data.text, data.draw(np.random.default_rng(0), count=2, window=5).tolist()
        ('sources:depth=3', [[2, 0, 1, 1, 1, 1], [2, 1, 1, 1, 1, 1]])
    """

    def __init__(self, depth: int = 3) -> None:
        self.depth = depth
        self.text, self.digest = f"sources:depth={depth}", ""
        Sources.draw(np.random.default_rng(0), 1, depth)  # refuses a wrong depth

    def draw(self, rng: np.random.Generator, count: int, window: int) -> NDArray[np.int64]:
        return source_tokens(Sources.draw(rng, count, self.depth).sample(rng, window)[0])

    def held_out(self, window: int) -> NDArray[np.int64]:
        # Sources are drawn from a continuum: another stream of randomness never gives the same one.
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(_HELD_OUT_STREAM,)))
        return self.draw(rng, _HELD_OUT_SOURCES, window)


def source_tokens(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns sequences of a source as a network reads them: after action 0, int64[sequences, 1 + length].

    Args:
        bits: int64[sequences, length].
    """
    return np.concatenate([np.full((len(bits), 1), _ACTION_0), bits], axis=1)


class LifeData:
    """Lives of random play in the percept code of MC-AIXI.

    Every environment has the same share of what is drawn, however long its percepts. A further life of each, with
    the next seed, is held out.

    Args:
        cycles: length of a life in cycles, by environment id.
        lives: lives of each environment to learn from.
        first_seed: of these lives.
        relabel: whether each life permutes discrete actions by its seed, as scores do.
        text: what this is; by default all of the above.

    Raises:
        UnsupportedSpaceError: if an environment has no percept code.
        EnvironmentFaultError: if one fails.
    """

    def __init__(
        self,
        cycles: Mapping[str, int],
        *,
        lives: int = 3,
        first_seed: int = 0,
        relabel: bool = True,
        text: str | None = None,
    ) -> None:
        lives = at_least("lives", lives, 1)
        require(bool(cycles), "lives need at least one environment, got none")
        self.environments = tuple(cycles)
        self._lives = [
            [random_life(environment, length, first_seed + seed, relabel=relabel) for seed in range(lives + 1)]
            for environment, length in cycles.items()
        ]
        digest = 0
        for tokens, _ in itertools.chain.from_iterable(self._lives):
            digest = zlib.crc32(tokens.tobytes(), digest)
        self.digest = f"{digest:08x}"
        named = ", ".join(f"{environment} {length}" for environment, length in cycles.items())
        labels = "relabelled" if relabel else "not relabelled"
        self.text = text or f"random play, {labels}, {lives} lives from seed {first_seed} of {named} cycles"

    def draw(self, rng: np.random.Generator, count: int, window: int) -> NDArray[np.int64]:
        chosen = []
        for place in rng.integers(len(self._lives), size=count).tolist():
            tokens, begins = self._lives[place][rng.integers(len(self._lives[place]) - 1)]
            usable = self._usable(place, tokens, begins, window)
            start = begins[rng.integers(usable)]
            chosen.append(tokens[start : start + window + 1])
        return np.array(chosen, np.int64)

    def held_out(self, window: int) -> NDArray[np.int64]:
        chosen = []
        for place, recorded in enumerate(self._lives):
            tokens, begins = recorded[-1]
            usable = self._usable(place, tokens, begins, window)
            for index in np.unique(np.linspace(0, usable - 1, _HELD_OUT_WINDOWS).astype(np.int64)):
                chosen.append(tokens[begins[index] : begins[index] + window + 1])
        return np.array(chosen, np.int64)

    def _usable(self, place: int, tokens: NDArray[np.uint8], begins: NDArray[np.int64], window: int) -> int:
        """Returns how many of a life's cycles begin a whole window."""
        name = self.environments[place]
        longest = int(np.diff(begins, append=len(tokens)).max())
        if window < longest:
            raise InvalidValueError(
                f"window must be at least {longest} tokens, which a cycle of {name} takes, got {window}; leave the "
                "environment out, or give a longer window"
            )
        usable = int(np.searchsorted(begins, len(tokens) - window))
        if usable == 0:
            raise InvalidValueError(
                f"window must be less than the {len(tokens)} tokens of a life of {name}, got {window}; give a shorter "
                "window or more cycles"
            )
        return usable


def make_data(text: str) -> TrainingData:
    """Returns training data from its text form.

    Args:
        text: `sources`, `sources:depth=D`, or `SUITE:lives=N,cycles=N,first_seed=N,relabel=0|1`: a suite's name, or
            the path of its TOML file, and numbers to be left out at will.

    Raises:
        UnknownNameError: if there is no such suite.
        InvalidValueError: if an option is wrong.

    Example:
        >>> make_data("sources:depth=5").text
        'sources:depth=5'
    """
    name, given = parse_agent(text)
    known = ("depth",) if name == "sources" else ("lives", "cycles", "first_seed", "relabel")
    for key in given:
        require(key in known, f"{name} takes {', '.join(known)}, got {key}")
    options = whole_numbers(given)
    if name == "sources":
        return SourceData(**options)
    cycles = load_suite(name).cycles
    if (length := options.pop("cycles", None)) is not None:
        cycles = dict.fromkeys(cycles, at_least("cycles", length, 1))
    relabel = bool(options.pop("relabel", 1))
    return LifeData(cycles, relabel=relabel, text=text, **options)


def whole_numbers(options: Mapping[str, str]) -> dict[str, int]:
    """Returns options that came as texts as whole numbers.

    Raises:
        InvalidValueError: if one is none.
    """
    numbers = {}
    for name, text in options.items():
        try:
            numbers[name] = int(text)
        except ValueError:
            raise InvalidValueError(f"{name} must be a whole number, got {text!r}") from None
    return numbers


def random_life(
    environment: str, cycles: int, seed: int, *, relabel: bool = True
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Lets random play live, and returns what it saw as shared tokens.

    Returns:
        The tokens, uint8[tokens], and where each cycle begins with the first token of its action, int64[cycles]; what
        lies before the first is the life's first observation.

    Example:
        >>> tokens, begins = random_life("aixi/CoinFlip-v0", 3, seed=0)
        >>> begins.tolist(), [tokens[begin:begin + 3].tolist() for begin in begins]
        ([2, 5, 8], [[2, 1, 1], [3, 1, 0], [3, 1, 0]])
    """
    player = _RandomPlay()
    world = World(environment, seed, relabel=relabel, record=False)
    try:
        Life(player, world, cycles, None, 0.0).live()
    finally:
        world.close()
    return np.array(player.record.tokens, np.uint8), np.array(player.record.begins, np.int64)


class _RandomPlay(MCAIXI):
    """Explores always, so that it never searches; its model writes down what a network's model would read."""

    record: "_Record"

    def __init__(self) -> None:
        super().__init__(horizon=1, simulations=1, exploration=1.0, exploration_decay=1.0)

    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        self.record = _Record(actions, layout)
        return self.record


class _Record(EnvironmentModel):
    """A model that predicts nothing and remembers everything."""

    def __init__(self, actions: int, layout: tuple[int, ...]) -> None:
        self.actions, self.percept_bits = actions, sum(layout)
        self.tokens: list[int] = []
        self.begins: list[int] = []
        self._code = Tokens.of(layout, actions, "shared")

    @property
    def compiled(self) -> Any:
        raise InvalidValueError("random play has no model to search in; use an agent that learns one")

    def condition(self, action: int) -> None:
        self.begins.append(len(self.tokens))
        self.tokens.extend(self._code.of_action(action).tolist())

    def update(self, words: NDArray[np.uint64]) -> float:
        self.tokens.extend(self._code.of_percept(words).tolist())
        return 0.0

    def reserve(self, percepts: int) -> None:
        pass

    def state_dict(self) -> State:
        return {"tokens": np.array(self.tokens, np.uint8), "begins": np.array(self.begins, np.int64)}

    def load_state_dict(self, state: State) -> None:
        self.tokens, self.begins = state["tokens"].tolist(), state["begins"].tolist()

    def copy(self) -> "_Record":
        twin = _Record(self.actions, (self.percept_bits,))
        twin.load_state_dict(self.state_dict())
        return twin
