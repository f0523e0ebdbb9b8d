"""The table of environments and its ties to Gymnasium."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import aixi.environments
from aixi.environments import ENVIRONMENTS, Anchor, EnvironmentRow, make, register
from aixi.environments.jair.tiger import Tiger
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.registry import load_object

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "optima.json"
ROWS = [row for row in ENVIRONMENTS if row.entry_point.startswith("aixi.")]


@pytest.fixture
def lazy_tiger() -> Any:
    """A third party's row, taken out of both registries afterwards."""
    row = replace(ENVIRONMENTS["aixi/Tiger-v0"], name="test/LazyTiger-v0", kwargs={"listen_reward": 0.0})
    yield row
    ENVIRONMENTS._entries.pop(row.name, None)
    gymnasium.registry.pop(row.name, None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_gymnasium_knows_every_row(row: EnvironmentRow) -> None:
    assert isinstance(gymnasium.make(row.name).unwrapped, load_object(row.entry_point))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_registering_again_changes_nothing(row: EnvironmentRow) -> None:
    before = gymnasium.registry[row.name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register(row)
    assert gymnasium.registry[row.name] is before


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_anchors_are_those_computed(row: EnvironmentRow) -> None:
    computed = json.loads(RESULTS.read_text())["rows"][row.name]
    for name in ("random", "constant", "best"):
        assert getattr(row, name).value == pytest.approx(computed[name], abs=1e-9)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_spec_can_be_stored_as_text(row: EnvironmentRow) -> None:
    spec = make(row.name).spec
    assert spec is not None
    assert spec.kwargs == row.kwargs
    restored = gymnasium.envs.registration.EnvSpec.from_json(spec.to_json())
    assert (restored.id, restored.kwargs) == (row.name, row.kwargs)


def test_make_adds_no_wrapper_but_a_time_limit() -> None:
    assert type(make("aixi/Tiger-v0")) is Tiger
    lake = make("FrozenLake-v1")
    assert isinstance(lake, gymnasium.wrappers.TimeLimit)
    assert lake.env is lake.unwrapped


def test_make_passes_arguments() -> None:
    env = make("aixi/Tiger-v0", accuracy=0.6, render_mode="ansi").unwrapped
    assert isinstance(env, Tiger)
    assert (env.accuracy, env.render_mode) == (0.6, "ansi")


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown environment 'aixi/Tigre-v0'; did you mean aixi/Tiger-v0"):
        make("aixi/Tigre-v0")


def test_third_party_registers_and_makes_with_its_arguments(lazy_tiger: EnvironmentRow) -> None:
    register(lazy_tiger)
    env = aixi.environments.make(lazy_tiger.name)
    env.reset(seed=1)
    assert env.step(0)[1] == 0.0
    assert lazy_tiger.name in gymnasium.registry


def test_taking_a_name_that_is_taken_is_not_silent(lazy_tiger: EnvironmentRow) -> None:
    register(lazy_tiger)
    with pytest.warns(UserWarning, match="Overriding environment"):
        register(replace(lazy_tiger, kwargs={}))


def test_row_tells_its_reward_range() -> None:
    assert (ENVIRONMENTS["aixi/Pacman-v0"].low, ENVIRONMENTS["aixi/Pacman-v0"].high) == (-60.0, 109.0)


@pytest.mark.parametrize("rewards", [(), (1.0, 0.0), (0.0, 0.0)])
def test_rewards_must_ascend(rewards: tuple[float, ...]) -> None:
    with pytest.raises(InvalidValueError, match=r"rewards of aixi/Tiger-v0 must be ascending"):
        replace(ENVIRONMENTS["aixi/Tiger-v0"], rewards=rewards)


def test_best_must_be_above_random() -> None:
    with pytest.raises(InvalidValueError, match=r"best anchor of aixi/Tiger-v0 must be above the random one"):
        replace(ENVIRONMENTS["aixi/Tiger-v0"], best=Anchor(-50.0, "a slip"))


def test_anchor_must_be_finite() -> None:
    with pytest.raises(InvalidValueError, match="finite"):
        Anchor(float("nan"), "a slip")
