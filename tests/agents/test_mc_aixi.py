"""MC-AIXI: its schedule, the paper's presets, its stream of percepts, its options, and that it learns."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.base import Boundary, RewardRange
from aixi.agents.mc_aixi import MCAIXI, MCAIXICTW
from aixi.agents.percepts import ActionCodec, PerceptCodec
from aixi.agents.registry import make_agent, preset_options
from aixi.environments import ENVIRONMENTS, make
from aixi.errors import EnvironmentFaultError, InvalidValueError
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.model import EnvironmentModel

# Veness et al. (2011), tables 1 to 3: bits of action, observation, reward; D, m, epsilon, decay, simulations.
TABLES = {
    "aixi/Maze1D-v0": (1, 1, 1, 32, 10, 0.9, 0.99, 500),
    "aixi/CheeseMaze-v0": (2, 4, 5, 96, 8, 0.999, 0.9999, 500),
    "aixi/Tiger-v0": (2, 2, 7, 96, 5, 0.99, 0.9999, 500),
    "aixi/ExtendedTiger-v0": (2, 3, 8, 96, 4, 0.99, 0.99999, 500),
    "aixi/Grid4x4-v0": (2, 1, 1, 96, 12, 0.9, 0.9999, 500),
    "aixi/TicTacToe-v0": (4, 18, 3, 64, 9, 0.9999, 0.999999, 500),
    "aixi/BiasedRockPaperScissors-v0": (2, 2, 2, 32, 4, 0.999, 0.99999, 500),
    "aixi/KuhnPoker-v0": (1, 4, 3, 42, 2, 0.99, 0.9999, 500),
    "aixi/Pacman-v0": (2, 16, 8, 96, 4, 0.9999, 0.99999, 500),
}


def begin(agent: MCAIXI, name: str, seed: int, cycles: int | None = None) -> Any:
    """Begins a life and returns its environment."""
    env, row = make(name), ENVIRONMENTS[name]
    rewards = RewardRange.finite(*row.rewards)
    agent.reset(env.observation_space, env.action_space, rewards, np.random.SeedSequence(seed), cycles=cycles)
    agent.begin(env.reset(seed=seed)[0], {})
    return env


def live(agent: MCAIXI, env: Any, cycles: int) -> float:
    """Lives on for so many cycles and returns their average reward."""
    total = 0.0
    for _ in range(cycles):
        action = agent.act()
        observation, reward, *_ = env.step(action)
        agent.observe(action, observation, float(reward), False, False)
        total += float(reward)
    return total / cycles


@pytest.mark.parametrize("name", TABLES)
def test_presets_are_the_papers_tables(name: str) -> None:
    options = preset_options("mc-aixi-ctw", name)
    env = make(name)
    codec = PerceptCodec(
        env.observation_space,
        RewardRange.finite(*ENVIRONMENTS[name].rewards),
        **{key: options[key] for key in ("observation_bits", "reward_bits", "reward_offset") if key in options},
    )
    action_bits = (ActionCodec(env.action_space).count - 1).bit_length()
    widths = (action_bits, codec.observation_bits, codec.reward_bits)
    settings = [options[key] for key in ("depth", "horizon", "exploration", "exploration_decay", "simulations")]
    assert (*widths, *settings) == TABLES[name]
    agent = MCAIXICTW(**options | {"simulations": 2, "exploration": 0.5})
    live(agent, begin(agent, name, 0), 10)
    totals = agent.diagnostics()
    assert totals["model_bits"] == totals["simulations"] * options["horizon"] * codec.percept_bits > 0


def test_other_environments_have_no_preset() -> None:
    with pytest.raises(InvalidValueError, match="no preset for aixi/CoinFlip-v0; there are aixi/Maze1D-v0, "):
        preset_options("mc-aixi-ctw", "aixi/CoinFlip-v0")


@pytest.mark.parametrize(
    ("options", "cycles", "wanted"),
    [
        ({"exploration": 0.9, "exploration_decay": 0.99}, 500, lambda cycle: 0.9 * 0.99**cycle),
        ({"exploration": 0.9, "exploration_decay": 0.99}, None, lambda cycle: 0.9 * 0.99**cycle),
        ({"exploration": 0.8}, 100, lambda cycle: 0.8 * 0.01 ** (cycle / 50)),
        ({"exploration": 0.8}, 400, lambda cycle: 0.8 * 0.01 ** (cycle / 200)),
        ({"exploration": 0.8}, None, lambda cycle: 0.8),
    ],
)
def test_schedule_of_exploration(options: dict[str, float], cycles: int | None, wanted: Any) -> None:
    agent = MCAIXICTW(depth=1, horizon=1, simulations=1, **options)
    env = begin(agent, "aixi/CoinFlip-v0", 0, cycles)
    for cycle in range(60):
        assert agent.exploration_rate == pytest.approx(wanted(cycle))
        live(agent, env, 1)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_cycles_explored_are_as_many_as_the_rate_says(rate: float) -> None:
    agent = MCAIXICTW(depth=1, horizon=1, simulations=1, exploration=rate, exploration_decay=1.0)
    live(agent, begin(agent, "aixi/CoinFlip-v0", 1), 1000)
    explored = 1000 - agent.diagnostics()["simulations"]
    assert explored == pytest.approx(1000 * rate, abs=4 * (1000 * rate * (1 - rate)) ** 0.5)


class Diary(FactoredContextTreeModel):
    """A model that keeps what it is told."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.heard: list[Any] = []

    def condition(self, action: int) -> None:
        self.heard.append(action)
        super().condition(action)

    def update(self, words: Any) -> float:
        self.heard.append(words.copy())
        return super().update(words)


class Diarist(MCAIXI):
    def make_model(self, actions: int, layout: tuple[int, ...], seed: np.random.SeedSequence) -> EnvironmentModel:
        self.diary = Diary(actions, sum(layout), depth=4)
        return self.diary


def test_a_life_of_episodes_is_one_stream_of_percepts() -> None:
    agent = Diarist(horizon=2, simulations=3)
    observations, rewards = spaces.Discrete(5), RewardRange.finite(-2, 1, 3)
    agent.reset(observations, spaces.Discrete(3, start=4), rewards, np.random.SeedSequence(0), episodic=True)
    agent.begin(3, {})
    agent.act()
    agent.observe(5, 1, 3.0, False, False)
    agent.act()
    agent.observe(6, 2, -2.0, True, False)
    assert len(agent.diary.heard) == 3  # what ended the episode is heard with what begins the next
    agent.begin(4, {})
    agent.act()
    agent.observe(4, 0, 1.0, False, True)
    agent.begin(0, {})
    codec = PerceptCodec(observations, rewards, episodic=True)
    heard = [one if isinstance(one, int) else codec.decode(one) for one in agent.diary.heard]
    assert heard == [
        (3, 1.0, Boundary.TERMINATED),  # the life's first observation, with the reward nearest 0
        1,
        (1, 3.0, Boundary.NONE),
        2,
        (4, -2.0, Boundary.TERMINATED),  # the next episode's first observation, and the last one's reward
        0,
        (0, 1.0, Boundary.TRUNCATED),
    ]
    assert agent.diagnostics()["percepts"] == 3  # the first one was not predicted from an action


def test_continuing_lives_have_no_end_bit() -> None:
    agent = Diarist(horizon=2, simulations=3)
    agent.reset(spaces.Discrete(4), spaces.Discrete(2), RewardRange.finite(0, 1), np.random.SeedSequence(0))
    assert agent.diary.percept_bits == 3
    agent.begin(3, {})
    assert [words.tolist() for words in agent.diary.heard] == [[0b011]]


def test_what_an_environment_never_declared_is_refused() -> None:
    agent = MCAIXICTW(depth=2, horizon=1, simulations=1)
    begin(agent, "aixi/Tiger-v0", 0)
    with pytest.raises(EnvironmentFaultError, match=r"gave reward 5\.0"):
        agent.observe(0, 0, 5.0, False, False)
    with pytest.raises(EnvironmentFaultError, match="gave observation 3"):
        agent.observe(0, 3, -1.0, False, False)


@pytest.mark.parametrize("exploration", [0.0, 1.0])
@pytest.mark.parametrize("mask", [[False] * 3, [True] * 2])
def test_bad_masks_are_refused(mask: list[bool], exploration: float) -> None:
    agent = MCAIXICTW(depth=2, horizon=1, simulations=1, exploration=exploration)
    begin(agent, "aixi/Tiger-v0", 0)
    with pytest.raises(InvalidValueError, match="mask must be one truth value for each of 3 actions"):
        agent.act(np.array(mask))
    assert agent.act(np.array([False, True, False])) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"estimator": "kpt"}, "estimator"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"simulations": 0}, "simulations must be at least 1, got 0"),
        ({"simulations": -1}, "simulations must be at least 1, got -1"),
        (
            {"simulations": 9, "milliseconds": 5.0},
            "either simulations or milliseconds, got simulations=9 and milliseconds=5.0",
        ),
        ({"milliseconds": -1.0}, "milliseconds must be finite and above 0, got -1.0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"exploration": 1.5}, r"exploration must be within \[0, 1\], got 1.5"),
        ({"exploration": float("nan")}, r"exploration must be within \[0, 1\], got nan"),
        ({"exploration_decay": 0.0}, r"exploration_decay must be within \(0, 1\], got 0.0"),
        ({"ucb_constant": -1.0}, "ucb_constant must be finite and at least 0, got -1.0"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make_agent("mc-aixi-ctw", **options)


def test_budget_by_the_clock_is_counted() -> None:
    agent = MCAIXICTW(depth=4, horizon=2, milliseconds=2.0, exploration=0.0)
    live(agent, begin(agent, "aixi/CoinFlip-v0", 0), 5)
    assert agent.last_search is not None
    assert agent.diagnostics()["simulations"] >= agent.last_search.simulations > 0


def test_threads_keep_models_of_one_history() -> None:
    agent = MCAIXICTW(depth=4, horizon=2, simulations=6, threads=2)
    env = begin(agent, "aixi/Tiger-v0", 0)
    live(agent, env, 20)
    np.testing.assert_equal(*(model.state_dict() for model in agent._models))
    alone = MCAIXICTW(depth=4, horizon=2, simulations=6)
    begin(alone, "aixi/Tiger-v0", 0)
    with pytest.raises(InvalidValueError, match="state is of 2 threads, this agent has 1"):
        alone.load_state_dict(agent.state_dict())


# Average reward that 1,000 greedy cycles must reach: 4 standard errors of an optimal life below its value, 0.8;
# and where little is luck, 0.8 of the way from random, 0.25, to the optimum, 0.5.
LEARNT = {
    "aixi/CoinFlip-v0": 0.8 - 4 * 0.4 / 1000**0.5,
    "aixi/Maze1D-v0": 0.45,
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", LEARNT)
def test_it_learns(name: str, seed: int) -> None:
    agent = MCAIXICTW(depth=8, horizon=5, simulations=60, exploration=0.9, exploration_decay=0.99)
    env = begin(agent, name, seed)
    live(agent, env, 1500)
    assert live(agent, env, 1000) >= LEARNT[name]
