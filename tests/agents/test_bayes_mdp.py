"""Agents on Dirichlet counts: plans against exact fractions and linear equations, samples against the posterior."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from aixi.agents.base import RewardRange
from aixi.agents.bayes_mdp import AIXIMDP, PSRL, MDPAgent, RMax
from aixi.agents.registry import make_agent
from aixi.errors import InvalidValueError

STATES, ACTIONS, REWARDS = 5, 2, (0.0, 1.0)
Percept = tuple[int, int, int, float, bool]
"""State, action, next state, reward, whether the episode ended."""


def born(agent: MDPAgent, seed: int = 0, **spaces_given: Any) -> MDPAgent:
    agent.reset(
        spaces_given.get("observation_space", spaces.Discrete(STATES)),
        spaces.Discrete(ACTIONS),
        spaces_given.get("rewards", RewardRange.finite(*REWARDS)),
        np.random.SeedSequence(seed),
    )
    return agent


def taught(agent: MDPAgent, percepts: list[Percept]) -> MDPAgent:
    """Goes through percepts, wherever they begin, and plans."""
    for state, action, following, reward, ended in percepts:
        agent.begin(state, {})
        agent.observe(action, following, reward, ended, False)
    agent._plan()
    return agent


def chain(cycles: int, last: int = STATES) -> list[Percept]:
    """Random percepts among the first `last` of the states; one step in ten ends the episode."""
    rng, state, percepts = np.random.default_rng(2), 0, []
    for _ in range(cycles):
        action = int(rng.integers(ACTIONS))
        following = min(state + 1, last - 1) if action and rng.random() < 0.7 else max(state - 1, 0)
        ended = bool(rng.random() < 0.1)
        percepts.append((state, action, following, float(rng.random() < 0.2 * following), ended))
        state = 0 if ended else following
    return percepts


def values_of(agent: MDPAgent) -> dict[int, list[float]]:
    """Planned values by observation; those never seen have the first row."""
    known = {state[0]: number for state, number in agent._history._states.items()}
    return {state: agent._values[known[state] + 1 if state in known else 0].tolist() for state in range(STATES)}


@pytest.mark.parametrize("last", [3, STATES])
@pytest.mark.parametrize("cycles", [0, 1, 40])
def test_plan_is_expectimax_in_the_posterior_mean(cycles: int, last: int) -> None:
    percepts, horizon, prior = chain(cycles, last), 6, Fraction(3, 4)
    share = prior / (STATES * len(REWARDS))
    values = [[Fraction(0)] * ACTIONS for _ in range(STATES)]
    for _ in range(horizon):
        best = [max(row) for row in values]
        values = [[Fraction(0)] * ACTIONS for _ in range(STATES)]
        for state in range(STATES):
            for action in range(ACTIONS):
                seen = [percept[2:] for percept in percepts if percept[:2] == (state, action)]
                goods = [Fraction(reward) + (0 if ended else best[following]) for following, reward, ended in seen]
                novel = [Fraction(reward) + each for reward in REWARDS for each in best]
                values[state][action] = (sum(goods) + share * sum(novel)) / (len(seen) + prior)
    agent = taught(born(AIXIMDP(horizon=horizon, prior=float(prior))), percepts)
    for state, row in values_of(agent).items():
        np.testing.assert_allclose(row, [float(value) for value in values[state]], rtol=1e-12)


@pytest.mark.parametrize("known_visits", [1, 100, 10_000])
def test_r_max_solves_what_it_knows_and_hopes_for_the_rest(known_visits: int) -> None:
    percepts, discount = chain(3000), 0.9
    agent = taught(born(RMax(known_visits=known_visits, discount=discount)), percepts)
    values = values_of(agent)
    unknown = 0
    for state in range(STATES):
        for action in range(ACTIONS):
            seen = [percept[2:] for percept in percepts if percept[:2] == (state, action)]
            if len(seen) < known_visits:
                unknown += 1
                assert values[state][action] == pytest.approx(1 / (1 - discount))
                continue
            goods = [reward + (0 if ended else discount * max(values[after])) for after, reward, ended in seen]
            assert values[state][action] == pytest.approx(np.mean(goods), abs=2e-4)  # at rest within 1e-4
    assert (unknown == 0, unknown == STATES * ACTIONS) == (known_visits == 1, known_visits == 10_000)


def test_samples_are_of_the_posterior() -> None:
    percepts, prior, samples = chain(60), 0.8, 3000
    agent = born(PSRL(discount=0.0, prior=prior))
    taught(agent, percepts)
    drawn = []
    for _ in range(samples):
        agent._plan()
        drawn.append([row for row in values_of(agent).values()])
    for state in range(STATES):
        for action in range(ACTIONS):
            rewards = [percept[3] for percept in percepts if percept[:2] == (state, action)]
            # With no future a value is the chance of reward 1; a lump of prior mass falls on one of two rewards.
            mean = (sum(rewards) + prior / 2) / (len(rewards) + prior)
            sample = np.array(drawn)[:, state, action]
            assert abs(sample.mean() - mean) < 4.5 * sample.std() / np.sqrt(samples)
            within = mean * (1 - mean)
            assert sample.var() < within / (len(rewards) + prior) * 1.5 + 1e-12


def test_novel_states_are_drawn_evenly_from_all() -> None:
    # From the only state seen a prior lump leads back with chance 1/5; all else leads to the unseen one.
    agent = born(PSRL(discount=0.5, prior=1.0), rewards=RewardRange.finite(0.0))
    agent.begin(0, {})
    solved: list[Any] = []
    agent._solve = lambda process, discount, sweeps=None: solved.append(process)  # type: ignore[method-assign]  # a spy
    for _ in range(2000):
        agent._plan()
    following = np.array([process.following for process in solved])
    assert set(following.ravel()) == {0, 1}
    assert abs(following.mean() - 1 / STATES) < 4 * np.sqrt(0.16 / following.size)


def test_a_sample_lasts_a_cycle_longer_or_until_visits_double() -> None:
    agent = born(PSRL())
    plans: list[int] = []
    plan = agent._plan
    agent.begin(0, {})
    visits, at_plan, age, last_age, wanted = np.zeros(ACTIONS), np.zeros(ACTIONS), 0, 0, [0]

    def noted() -> None:
        plans.append(cycle)
        plan()

    agent._plan = noted  # type: ignore[method-assign]  # a spy
    for cycle in range(300):
        action = agent.act()
        agent.observe(action, 0, 0.0, False, False)
        visits[action] += 1
        age += 1
        if age > last_age or (visits > 2 * at_plan).any():
            wanted.append(cycle + 1)
            last_age, age, at_plan = age, 0, visits.copy()
    assert plans == wanted[: len(plans)]
    assert 20 < len(plans) < 60


@pytest.mark.parametrize("name", ["aixi-mdp", "psrl", "r-max"])
def test_the_far_end_of_a_chain_is_found(name: str) -> None:
    # Going left from the first state pays 0.1, going right in the last one pays 1; each action slips once in ten.
    agent = make_agent(name)
    assert isinstance(agent, MDPAgent)
    born(agent, rewards=RewardRange.finite(0.0, 0.1, 1.0))
    rng, state, late = np.random.default_rng(1), 0, 0.0
    agent.begin(0, {})
    for cycle in range(3000):
        right = agent.act() != (rng.random() < 0.1)
        reward = 1.0 if right and state == STATES - 1 else 0.1 if not right and state == 0 else 0.0
        action, state = int(right), min(state + 1, STATES - 1) if right else max(state - 1, 0)
        agent.observe(action, state, reward, False, False)
        late += reward if cycle >= 2000 else 0.0
    assert late / 1000 > 0.7


@pytest.mark.parametrize("name", ["aixi-mdp", "psrl", "r-max"])
def test_what_a_mask_forbade_is_not_hoped_for(name: str) -> None:
    # Both actions of state 0 are tried; in state 1 only the first is ever allowed, and it pays nothing.
    agent = make_agent(name)
    assert isinstance(agent, MDPAgent)
    born(agent, observation_space=spaces.Discrete(2))
    rng, stays, state = np.random.default_rng(1), 0, 0
    agent.begin(0, {})
    for cycle in range(1500):
        action = agent.act(np.array([True, state == 0]))
        assert state == 0 or action == 0
        reward = float(state == 0 and action == 0 and rng.random() < 0.5)
        stays += cycle >= 1000 and state == 0 and action == 0
        state = 1 if action == 1 else 0
        agent.observe(action, state, reward, False, False)
    assert stays > 450
    assert np.isfinite(agent._values).all()


def test_rewards_and_observations_without_bounds() -> None:
    for name in ("aixi-mdp", "psrl", "r-max"):
        agent = make_agent(name)
        assert isinstance(agent, MDPAgent)
        born(agent, observation_space=spaces.MultiBinary(2000), rewards=RewardRange(-np.inf, np.inf))
        rng = np.random.default_rng(0)
        agent.begin(rng.integers(0, 2, 2000, np.int8), {})
        for cycle in range(30):
            agent.observe(agent.act(), rng.integers(0, 2, 2000, np.int8), float(cycle - 10), False, False)
        assert np.isfinite(agent._values).all()


def test_rewards_of_a_range_are_averaged() -> None:
    agent = born(AIXIMDP(horizon=1, prior=0.5), rewards=RewardRange(-4.0, 2.0))
    rewards = np.random.default_rng(0).uniform(-4.0, 2.0, 50).tolist()
    taught(agent, [(0, 1, 0, reward, False) for reward in rewards])
    assert values_of(agent)[0][1] == pytest.approx((sum(rewards) + 0.5 * -1.0) / 50.5)
    assert len(agent._outcomes) == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("aixi-mdp", {"horizon": 0}, "horizon must be at least 1, got 0"),
        ("aixi-mdp", {"prior": 0.0}, "prior must be finite and above 0, got 0.0"),
        ("psrl", {"discount": 1.0}, "discount must be below 1, got 1.0"),
        ("r-max", {"known_visits": 0}, "known_visits must be at least 1, got 0"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make_agent(name, **options)
