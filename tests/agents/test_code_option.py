"""The option `codes`: it wins for every Box, is refused at once where it is none, and all who keep tables have it."""

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.base import Hints, RewardRange
from aixi.agents.codes import chosen_codes, make_code, parts_of
from aixi.agents.percepts import ActionCodec
from aixi.agents.registry import AGENTS, agent_options, make_agent
from aixi.errors import InvalidValueError, UnknownNameError, UnsupportedSpaceError

UNBOUNDED = spaces.Box(-np.inf, np.inf, (2,))
NAMES = [spec.name for spec in AGENTS if "codes" in agent_options(spec.name)]
SEEN = spaces.Dict(
    image=spaces.Box(0, 255, (5, 5), np.uint8),
    speeds=spaces.Tuple([spaces.Box(0, 1, (2,)), spaces.Discrete(3)]),
    word=spaces.Text(4),
)


def test_agents_that_make_observations_finite_have_the_option() -> None:
    searching = ["mc-aixi-ctw", "mc-aixi-transformer", "mc-aixi-lstm", "mc-aixi-mix", "self-aixi", "aiqi"]
    assert [*searching, "aixi-mdp", "psrl", "r-max", "q-learning", "sarsa", "hlq"] == NAMES


def live(name: str, space: spaces.Space, hints: Hints | None = None, **options: str) -> str:
    """Lives a few cycles and returns how observations are written."""
    agent = make_agent(name, **options)
    rng = np.random.default_rng(0)
    agent.reset(space, spaces.Discrete(2), RewardRange(0.0, 1.0), np.random.SeedSequence(0), cycles=9, hints=hints)
    agent.begin(rng.normal(size=2).astype(np.float32), {})
    for _ in range(9):
        agent.observe(agent.act(), rng.normal(size=2).astype(np.float32), 0.5, False, False)
    return agent.coding()["observation"]


@pytest.mark.parametrize("name", NAMES)
def test_the_way_out_of_a_box_without_bounds_is_one(name: str) -> None:
    with pytest.raises(UnsupportedSpaceError, match=r"use the code 'quantiles' \(codes=quantiles of an agent\)"):
        live(name, UNBOUNDED)
    assert "2 numbers in 4 quantiles" in live(name, UNBOUNDED, codes="quantiles")


@pytest.mark.parametrize("name", NAMES)
def test_it_wins_over_what_the_environment_names(name: str) -> None:
    hints = Hints({"": "quantiles bins=7"})
    assert "in 7 quantiles" in live(name, UNBOUNDED, hints)
    assert "array hashed to 3 bits" in live(name, UNBOUNDED, hints, codes="hash bits=3")


def test_an_agent_without_states_lives_anywhere() -> None:
    live("freq", UNBOUNDED)
    live("q-learning", UNBOUNDED, memory="0")


def test_codes_of_other_parts_stay() -> None:
    hints = Hints({"image": "hash", "speeds.0": "ignore", "speeds.1": "ignore", "word": "ignore", "*": "uniform"})
    assert chosen_codes(SEEN, hints, None) == hints.codes
    chosen = chosen_codes(SEEN, hints, "uniform bins=2")
    assert chosen == {"speeds.1": "ignore", "word": "ignore", "*": "uniform bins=2"}
    assert make_code(SEEN, chosen).sizes == (2,) * 27
    assert chosen_codes(SEEN, None, None) == {}
    assert [path for path, _ in parts_of(SEEN)] == ["", "image", "speeds", "speeds.0", "speeds.1", "word"]
    assert [path for path, _ in parts_of(spaces.Sequence(UNBOUNDED))] == ["", "items"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("codes", "kind", "message"),
    [
        ("nope", UnknownNameError, "unknown code 'nope'"),
        ("uniform levels=3", InvalidValueError, "code 'uniform' takes bins=number ends=number, got levels=3"),
        ("uniform bins", InvalidValueError, "a code must be written name key=number"),
        ("bound length=3", InvalidValueError, "codes must be a code of every Box, got 'bound length=3'"),
        ("", InvalidValueError, "a code must be written"),
    ],
)
def test_it_is_refused_at_once_whether_used_or_not(name: str, codes: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make_agent(name, codes=codes)


def test_a_box_of_actions_without_bounds_has_another_way_out() -> None:
    message = r"must have finite bounds to be joint actions; give the action space bounds, .*wrappers\.RescaleAction$"
    with pytest.raises(UnsupportedSpaceError, match=message):
        ActionCodec(UNBOUNDED)
    with pytest.raises(UnsupportedSpaceError, match=r"^part '1' of action space Tuple"):
        ActionCodec(spaces.Tuple([spaces.Discrete(2), UNBOUNDED]))
    assert ActionCodec(UNBOUNDED, {"": "quantiles bins=2"}).count == 4
