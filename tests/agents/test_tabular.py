"""Tabular learners against their equations written out in full, and what masks, ends and schedules do."""

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.base import RewardRange
from aixi.agents.history import History
from aixi.agents.registry import make_agent
from aixi.agents.tabular import HLQ, Freq, QLearning, Sarsa, TabularAgent
from aixi.errors import InvalidValueError

STATES, ACTIONS = 4, 3


def born(agent: TabularAgent, seed: int = 0, cycles: int | None = None) -> TabularAgent:
    rewards = RewardRange(-10.0, 10.0)
    agent.reset(spaces.Discrete(STATES), spaces.Discrete(ACTIONS), rewards, np.random.SeedSequence(seed), cycles=cycles)
    return agent


def lived(agent: TabularAgent, cycles: int = 400) -> list[tuple[int, float, int | None, int | None]]:
    """Lives among random percepts and ends, and returns the transitions that were learnt, states as they were met."""
    rng = np.random.default_rng(3)
    steps: list[tuple[int, float, int | None, int | None]] = []
    learn = agent._learn

    def note(pair: int, reward: float, chosen: int | None, best: int | None) -> None:
        steps.append((pair, reward, chosen, best))
        learn(pair, reward, chosen, best)

    agent._learn = note  # type: ignore[method-assign]
    agent.begin(0, {})
    for _ in range(cycles):
        action = agent.act()
        end, cut = bool(rng.random() < 0.05), bool(rng.random() < 0.05)
        agent.observe(action, int(rng.integers(STATES)), float(rng.normal()), end, cut)
        if end or cut:
            steps.append((-1, 0.0, None, None))
            agent.begin(int(rng.integers(STATES)), {})
    return steps


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("kind", [QLearning, Sarsa])
def test_traces_are_those_of_the_textbook(kind: type[QLearning], decay: float) -> None:
    agent = born(kind(trace_decay=decay, exploration=0.5, last_exploration=0.5, learning_rate=0.3, discount=0.8))
    steps = lived(agent)
    values, traces = np.zeros(STATES * ACTIONS), np.zeros(STATES * ACTIONS)
    for pair, reward, chosen, best in steps:
        if pair < 0:
            traces[:] = 0
            continue
        target = best if kind is QLearning else chosen
        error = reward + (0.8 * values[target] if target is not None else 0.0) - values[pair]
        traces[pair] = 1.0
        values += 0.3 * error * traces
        traces *= 0.8 * decay
        if kind is QLearning and chosen != best:
            traces[:] = 0
    # Traces below 1e-4 are over: what they would still have moved is less than that.
    np.testing.assert_allclose(agent._values, values, atol=2e-4 if decay else 1e-12)
    assert any(chosen != best for _, _, chosen, best in steps)


@pytest.mark.parametrize("decay", [0.0, 0.9, 1.0])
def test_learning_rates_are_those_of_hutter_and_legg(decay: float) -> None:
    agent = born(HLQ(trace_decay=decay, exploration=0.3, last_exploration=0.3, discount=0.6))
    steps = lived(agent)
    values, traces, visits = np.zeros(STATES * ACTIONS), np.zeros(STATES * ACTIONS), np.ones(STATES * ACTIONS)
    for pair, reward, chosen, best in steps:
        if pair < 0:
            traces[:] = 0
            continue
        traces[pair] += 1
        visits[pair] += 1
        error, share = reward - values[pair], 1.0
        if best is not None:
            error += 0.6 * values[best]
            share = visits[best] / (visits[best] - 0.6 * traces[best]) if traces[best] else 1.0
        values += np.divide(traces, visits, out=np.zeros_like(visits), where=traces > 0) * share * error
        traces *= 0.6 * decay if chosen == best else 0.0
        visits *= decay
    np.testing.assert_allclose(agent._values, values, atol=2e-4)


def test_hlq_averages_what_does_not_change() -> None:
    agent = born(HLQ(trace_decay=1.0, exploration=1.0, last_exploration=1.0, discount=0.0))
    rewards: dict[int, list[float]] = {action: [0.0] for action in range(ACTIONS)}  # a visit of reward 0 to begin with
    rng = np.random.default_rng(1)
    agent.begin(0, {})
    for _ in range(200):
        action = agent.act()
        rewards[action].append(float(rng.normal()))
        agent.observe(action, 0, rewards[action][-1], True, False)
        agent.begin(0, {})
    np.testing.assert_allclose(agent._values[:ACTIONS], [np.mean(rewards[action]) for action in range(ACTIONS)])


def test_freq_takes_the_best_average_whatever_it_sees() -> None:
    agent = born(Freq(exploration=0.2), seed=4)
    agent.begin(0, {})
    sums, counts, best = np.zeros(ACTIONS), np.ones(ACTIONS), 0
    rng = np.random.default_rng(5)
    for cycle in range(600):
        action = agent.act()
        if cycle:
            best += sums[action] / counts[action] == (sums / counts).max()
        sums[action] += (reward := float(rng.normal(action)))
        counts[action] += 1
        agent.observe(action, cycle % STATES, reward, False, False)
    # It explores a fifth of its cycles, and a third of those are the best all the same.
    assert abs(best / 599 - (0.8 + 0.2 / 3)) < 4 * np.sqrt(0.87 * 0.13 / 599)


def test_an_end_is_worth_nothing_and_a_cut_what_its_state_is() -> None:
    for terminated, value in ((True, 1.0), (False, 1.0 + 0.5 * 8.0)):
        agent = born(QLearning(learning_rate=1.0, discount=0.5, exploration=0.0, last_exploration=0.0))
        agent.begin(1, {})
        for action in range(ACTIONS):
            agent.observe(action, 2, 8.0, True, False)
            agent.begin(1, {})
        agent.begin(0, {})
        agent.observe(0, 1, 1.0, terminated, not terminated)
        assert agent._values[agent._history.begin(0) * ACTIONS] == value


def test_forbidden_actions_are_no_part_of_the_next_value() -> None:
    agent = born(QLearning(learning_rate=1.0, discount=1.0, exploration=0.0, last_exploration=0.0))
    agent.begin(0, {})
    for action, reward in enumerate((5.0, 7.0, 9.0)):
        agent.observe(action, 1, reward, True, False)
        agent.begin(0, {})
    agent.begin(1, {})
    agent.observe(0, 0, 1.0, False, False)
    assert agent.act(np.array([True, True, False])) == 1
    assert agent._values[agent._history.begin(1) * ACTIONS] == 1.0 + 7.0


def test_exploration_is_tied_to_the_life() -> None:
    agent = born(QLearning(exploration=0.9, last_exploration=0.1), cycles=100)
    agent.begin(0, {})
    rates = []
    for _ in range(100):
        rates.append(agent.exploration_rate)
        agent.observe(agent.act(), 0, 0.0, False, False)
    np.testing.assert_allclose(rates, np.maximum(0.9 - 0.8 * np.arange(100) / 50, 0.1))
    assert born(QLearning(exploration=0.9, last_exploration=0.1)).exploration_rate == 0.1


def test_memory_tells_apart_what_one_observation_does_not() -> None:
    # The reward follows the observation before the last.
    averages = []
    for memory in (1, 2):
        agent = born(QLearning(memory=memory, discount=0.0, last_exploration=0.0), cycles=4000)
        rng, seen, won = np.random.default_rng(0), [0, 0], 0.0
        agent.begin(0, {})
        for cycle in range(4000):
            action = agent.act()
            reward = float(action == seen[-2])
            seen.append(int(rng.integers(ACTIONS)))
            won += reward if cycle >= 2000 else 0.0
            agent.observe(action, seen[-1], reward, False, False)
        averages.append(won / 2000)
    assert averages[0] < 0.45
    assert averages[1] > 0.95


def test_states_of_a_history() -> None:
    space = spaces.Dict(door=spaces.Discrete(2, start=1), keys=spaces.MultiBinary(2))
    history, none = History(space, 2), History(space, 0)
    one, two = ({"door": door, "keys": np.array([0, 1], np.int8)} for door in (1, 2))
    assert [history.begin(one), history.follow(0, one), history.follow(1, one), history.follow(1, two)] == [0, 1, 2, 3]
    assert history.begin(one) == 0
    assert [history.follow(0, one), len(history), history.possible] == [1, 4, 8.0]
    assert [none.begin(one), none.follow(3, two), len(none)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("q-learning", {"memory": -1}, "memory must be at least 0, got -1"),
        ("sarsa", {"trace_decay": 1.5}, r"trace_decay must be within \[0, 1\], got 1.5"),
        ("q-learning", {"learning_rate": -0.1}, r"learning_rate must be within \[0, 1\], got -0.1"),
        ("q-learning", {"initial_value": float("nan")}, "initial_value must be finite, got nan"),
        ("sarsa", {"initial_value": float("inf")}, "initial_value must be finite, got inf"),
        ("hlq", {"initial_value": float("-inf")}, "initial_value must be finite, got -inf"),
        ("hlq", {"discount": 1.0}, "discount must be below 1, got 1.0"),
        ("freq", {"exploration": 2.0}, r"exploration must be within \[0, 1\], got 2.0"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make_agent(name, **options)
