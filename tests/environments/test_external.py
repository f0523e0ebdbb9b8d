"""Environments of other packages: an agent lives in each, rows tell the truth, and anchors can be had again."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from aixi.environments import ENVIRONMENTS, EnvironmentRow, make
from aixi.environments.external import ROWS
from aixi.errors import InvalidValueError
from aixi.evaluation import run
from aixi.evaluation.complexity import describe

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COMPUTED = json.loads((BENCHMARKS / "results" / "anchors.json").read_text())["rows"]
LIVED = 200  # cycles of the planner in each environment
SUITE = [row for row in ENVIRONMENTS if row.extra or row.entry_point.startswith(("aixi.", "gymnasium."))]
TABLES = ["FrozenLake-v1", "FrozenLake8x8-v1", "Taxi-v4", "CliffWalking-v1", "CliffWalkingSlippery-v1"]


def every(rows: Any) -> Any:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


def need(row: EnvironmentRow) -> EnvironmentRow:
    """Skips where an extra is not installed."""
    if row.package:
        pytest.importorskip(row.package, reason=f"{row.package} is not installed: pip install aixi[{row.extra}]")
    return row


@pytest.fixture(scope="module")
def anchors() -> Iterator[Any]:
    """The script that computes the anchors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("anchors")


@every(SUITE)
def test_the_planner_lives_everywhere(row: EnvironmentRow) -> None:
    result = run("mc-aixi-ctw:depth=8,simulations=4,horizon=2", need(row).name, cycles=LIVED, seed=1)
    assert result.cycles == LIVED
    assert result.coding.keys() == {"observation", "reward", "action"}
    assert all(result.coding.values())
    assert result.diagnostics["rewards_outside"] == 0
    assert result.diagnostics["percepts"] > 0


@every(ROWS)
def test_random_lives_keep_to_the_row_and_follow_their_seed(row: EnvironmentRow) -> None:
    first, again, other = (run("random", need(row).name, cycles=LIVED, seed=seed) for seed in (3, 3, 4))
    assert first.percept_hash == again.percept_hash != other.percept_hash
    result = run("random", row.name, cycles=500 if row.package else 3_000, seed=5)  # each reward is checked
    low, high = row.measured_range or (-np.inf, np.inf)
    measured = result.average_return if row.measure == "return" else result.average_reward
    assert measured is None or low <= measured <= high


@every(ROWS)
def test_rows_agree_with_gymnasium(row: EnvironmentRow) -> None:
    env = make(need(row))
    assert env.spec is not None
    assert env.spec.id == row.name
    if row.entry_point:
        assert (env.spec.entry_point, env.spec.kwargs) == (row.entry_point, row.kwargs)


@every(ROWS)
def test_anchors_are_those_computed(row: EnvironmentRow) -> None:
    found = COMPUTED[row.name]
    assert row.random is not None
    assert row.best is not None
    assert (row.constant is None) == ("constant" not in found)
    for name in found.keys() & {"random", "constant", "best"}:
        anchor = getattr(row, name)
        half = found.get(f"{name}_interval")
        assert anchor.value == pytest.approx(found[name], rel=1e-6, abs=1e-9)
        if half is not None and half > 1e-9:
            assert f"{half:.2g}" in anchor.source.split()


@every([row for row in ROWS if "toy-text" in row.tags])
def test_sources_say_what_makes_exact_anchors_true(row: EnvironmentRow) -> None:
    env = make(row)
    assert env.spec is not None
    assert row.best is not None
    masked = hasattr(env.unwrapped, "action_mask")
    assert ("may know the time" in row.best.source) == (env.spec.max_episode_steps is not None)
    for anchor in (row.random, row.constant, row.best):
        assert anchor is None or ("mask" in anchor.source) == masked


def policy_of(row: EnvironmentRow) -> tuple[float, list[NDArray[np.int64]]]:
    """Backward induction on an environment's own table, at the best anchor as the cost of a cycle.

    Returns:
        What an episode is worth, and the best action of each state for each number of cycles to come, ascending.
    """
    env = make(row)
    table: Any = env.unwrapped.P  # type: ignore[attr-defined]  # all of them have one
    assert env.spec is not None
    assert row.best is not None
    cost = row.best.value if row.measure == "reward" else 0.0
    states, actions = len(table), len(table[0])
    onward = np.zeros((states, actions, states))
    rewards = np.full((states, actions), -cost)
    for state, action in np.ndindex(states, actions):
        for probability, following, reward, ended in table[state][action]:
            rewards[state, action] += probability * reward
            onward[state, action, following] += probability * (not ended)
    values, policy = np.zeros(states), []
    for _ in range(env.spec.max_episode_steps or 2_000):
        decisions = rewards + onward @ values
        values = decisions.max(1)
        policy.append(decisions.argmax(1))
    return float(env.unwrapped.initial_state_distrib @ values), policy  # type: ignore[attr-defined]  # likewise


@pytest.mark.parametrize("name", TABLES)
def test_best_anchors_of_tables_are_optimal_and_reached(name: str) -> None:
    row = ENVIRONMENTS[name]
    assert row.best is not None
    worth, policy = policy_of(row)
    assert worth == pytest.approx(row.best.value if row.measure == "return" else 0.0, abs=1e-7)

    def act(state: Any, cycle: int) -> int:
        return int(policy[max(0, len(policy) - 1 - cycle)][state])

    assert agrees(row, row.best.value, play(row, act, 20_000))


@pytest.mark.parametrize("name", ["CliffWalking-v1", "CliffWalkingSlippery-v1"])
def test_random_returns_at_the_cliff_solve_its_equations(name: str) -> None:
    row, env = ENVIRONMENTS[name], make(name)
    table: Any = env.unwrapped.P  # type: ignore[attr-defined]  # it has one
    system, rewards = np.eye(len(table)), np.zeros(len(table))
    for state, actions in table.items():
        for outcomes in actions.values():
            for probability, following, reward, ended in outcomes:
                rewards[state] += probability * reward / 4
                system[state, following] -= probability * (not ended) / 4
    reached = [state for state in table if not 37 <= state <= 47]  # neither the cliff nor the goal, where none acts
    values = np.linalg.solve(system[np.ix_(reached, reached)], rewards[reached])
    assert row.random is not None
    assert row.random.value == pytest.approx(values[reached.index(36)], rel=1e-6)


def play(row: EnvironmentRow, act: Callable[[Any, int], Any], cycles: int) -> list[tuple[float, int]]:
    """Returns the return and the length of each episode that begins within so many cycles."""
    env = make(row)
    episodes, lived = [], 0
    while lived < cycles:
        observation, _ = env.reset(seed=None if lived else 8)
        total, cycle, over = 0.0, 0, False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(act(observation, cycle))
            total, cycle, over = total + float(reward), cycle + 1, terminated or truncated
        episodes.append((total, cycle))
        lived += cycle
    return episodes


def agrees(row: EnvironmentRow, value: float, episodes: list[tuple[float, int]]) -> bool:
    """Whether what was played is within 4 standard errors of a level of what the row measures."""
    returns, lengths = np.array(episodes, np.float64).T
    # Renewal reward: the average over cycles is the level at which episodes are worth nothing on average.
    surplus = returns - value * (lengths if row.measure == "reward" else 1.0)
    error = surplus.std(ddof=1) / np.sqrt(len(surplus))
    return bool(abs(surplus.mean()) <= 4 * error + 1e-9)


@every([row for row in ROWS if "toy-text" in row.tags and not row.name.startswith("Cliff")])
def test_random_anchors_of_tables_are_reached(row: EnvironmentRow) -> None:
    rng = np.random.default_rng(9)
    actions = int(make(row).action_space.n)  # type: ignore[attr-defined]  # all of them are Discrete
    assert row.random is not None
    # So rare are successes on the large lake that a short life may have none.
    cycles = 150_000 if row.name == "FrozenLake8x8-v1" else 15_000
    if row.name == "Taxi-v4":  # agents keep to its mask
        found = run("random", row.name, cycles=cycles, seed=9)
        blocks = [point.average_reward for point in found.curve]
        assert abs(found.average_reward - row.random.value) < 4 * np.std(blocks) / np.sqrt(len(blocks))
        return
    assert agrees(row, row.random.value, play(row, lambda *_: rng.integers(actions), cycles))


def test_best_anchor_of_blackjack_is_reached(anchors: Any) -> None:
    row = ENVIRONMENTS["Blackjack-v1"]
    assert row.best is not None
    assert row.constant is not None
    table, states = anchors.blackjack_table(make(row))
    assert table.start.sum() == pytest.approx(1.0, abs=1e-12)
    rewards, onward = table.rewards - row.best.value, table.onward.toarray().reshape(*table.rewards.shape, -1)
    values = np.zeros(len(states))
    for _ in range(30):  # no hand has more cards
        values = (rewards + onward @ values).max(1)
    assert table.start @ values == pytest.approx(0.0, abs=1e-9)
    policy = dict(zip(states, (rewards + onward @ values).argmax(1).tolist(), strict=True))

    def act(seen: Any, cycle: int) -> int:
        return int(policy[(*seen, cycle == 0 and seen[0] == 21)])

    assert agrees(row, row.best.value, play(row, act, 30_000))
    sticking = [reward for reward, _ in play(row, lambda *_: 0, 10_000)]
    assert abs(np.mean(sticking) - row.constant.value) < 4 * np.std(sticking) / 100


class Memory:
    """Perfect players of POPGym's card games, who see what any agent sees."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[Any] = []

    def __call__(self, observation: Any, cycle: int) -> int:
        if cycle == 0:
            self.seen = []
        self.seen.append(observation)
        match self.name:
            case "popgym-RepeatFirstEasy-v0":
                return int(self.seen[0])
            case "popgym-RepeatPreviousEasy-v0":
                return int(self.seen[max(0, len(self.seen) - 4)])
            case "popgym-AutoencodeEasy-v0":
                return int(self.seen[min(cycle, 102 - cycle)][1])
            case "popgym-CountRecallEasy-v0":
                return sum(int(value) == int(observation[1]) for value, _ in self.seen)
        left = [4 - self.seen.count(rank) for rank in range(13)]
        return int(sum(left[: int(observation)]) > sum(left[int(observation) + 1 :]))


@every([row for row in ROWS if "popgym" in row.tags])
def test_anchors_of_card_games_are_reached(row: EnvironmentRow) -> None:
    rng = np.random.default_rng(10)
    actions = int(make(need(row)).action_space.n)  # type: ignore[attr-defined]  # all of them are Discrete
    found = COMPUTED[row.name]
    assert agrees(row, found["random"], play(row, lambda *_: rng.integers(actions), 5_000))
    assert agrees(row, found["best"], play(row, Memory(row.name), 5_000))
    constants = [play(row, lambda *_, action=action: action, 2_000) for action in range(actions)]
    assert agrees(row, found["constant"], max(constants, key=lambda episodes: float(np.mean(episodes, 0)[0])))


def test_shortest_ways_of_a_grid(anchors: Any) -> None:
    game = make(need(ENVIRONMENTS["MiniGrid-Empty-5x5-v0"])).unwrapped
    game.reset(seed=1)
    assert anchors.shortest_way(game, 3) == 5  # forward twice, right, forward twice
    game = make("MiniGrid-DoorKey-5x5-v0").unwrapped
    game.reset(seed=1)
    assert anchors.shortest_way(game, 6) >= 5
    game.reset(seed=1)
    with pytest.raises(ValueError, match="no way leads to a reward"):
        anchors.shortest_way(game, 3)  # the door stays shut
    assert "image" in game.reset(seed=1)[0]


@every(ROWS)
def test_every_row_has_a_description_of_its_dynamics(row: EnvironmentRow) -> None:
    found = describe(need(row), charging="names")
    assert found.bits == sum(part.bits for part in found.parts)
    assert found.engines == (["ale_py"] if "atari" in row.tags else [])
    assert ("TimeLimit" in {part.name for part in found.parts}) == (
        gymnasium.spec(row.name).max_episode_steps is not None
    )
    for word in ("pygame", "render", "window"):
        assert word not in found.text
    data = [part.name for part in found.parts if part.kind == "data"]
    assert data == ([f"{gymnasium.spec(row.name).kwargs['game']}.bin"] if "atari" in row.tags else [])


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minigrid", None)
    for act in (make, describe):
        with pytest.raises(
            InvalidValueError, match=r"MiniGrid-FourRooms-v0 needs the package minigrid; install aixi\["
        ):
            act("MiniGrid-FourRooms-v0")


def test_who_builds_on_gymnasium_pays_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_cart.py").write_text(
        "from gymnasium.envs.classic_control import CartPoleEnv\n\n"
        "class HeavyCart(CartPoleEnv):\n"
        "    def __init__(self):\n        super().__init__()\n        self.masscart = 2.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found, plain = describe("heavy_cart:HeavyCart", charging="code"), describe("CartPole-v1", charging="code")
    assert {part.name for part in plain.parts} < {part.name for part in found.parts}
    assert plain.bits < found.bits < plain.bits + 1000
