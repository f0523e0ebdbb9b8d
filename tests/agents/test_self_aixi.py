"""Self-AIXI: its roll-outs against exact expectations, and the policy that it learns of itself."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

from aixi.agents.base import RewardRange
from aixi.agents.models.finite import FinitePOMDP
from aixi.agents.planning import MaskRule, RewardCode
from aixi.agents.registry import make_agent
from aixi.agents.self_aixi import PolicyRollOuts, SelfAIXI
from aixi.environments import ENVIRONMENTS, make
from aixi.errors import InvalidValueError
from aixi.predictors.factored import FactoredContextTreeModel
from aixi.predictors.intrinsics import next_word
from aixi.predictors.model import EnvironmentModel, condition, implements, mark, rewind, sample, source_tag, update
from aixi.state import State

# One bit of reward.
REWARD = RewardCode(np.array([0, 1]), np.array([0.0, 1.0]), np.ones(2, np.bool_))
RANGE = RewardRange.finite(0, 1)


class Dice(NamedTuple):
    """A policy that draws its actions uniformly, whatever was before."""

    bits: NDArray[np.int64]
    source: NDArray[Any] = source_tag(__file__)


@implements(condition, Dice)
def _condition(model, action):  # type: ignore[no-untyped-def]  # the contract's types
    pass


@implements(sample, Dice)
def _sample(model, rng, words):  # type: ignore[no-untyped-def]
    words[0] = next_word(rng) >> np.uint64(64 - model.bits[0])
    return 1.0 * model.bits[0]


@implements(update, Dice)
def _update(model, words):  # type: ignore[no-untyped-def]
    return 1.0 * model.bits[0]


@implements(mark, Dice)
def _mark(model):  # type: ignore[no-untyped-def]
    return 0


@implements(rewind, Dice)
def _rewind(model, mark):  # type: ignore[no-untyped-def]
    pass


class UniformPolicy(EnvironmentModel):
    """Owner of the dice."""

    def __init__(self, bits: int) -> None:
        self.actions, self.percept_bits = 2, bits

    @property
    def compiled(self) -> Dice:
        return Dice(np.array([self.percept_bits], np.int64))

    def reserve(self, percepts: int) -> None:
        pass

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        pass

    def copy(self) -> "UniformPolicy":
        return UniformPolicy(self.percept_bits)


def planner(policy: EnvironmentModel, actions: int, **options: Any) -> PolicyRollOuts:
    wanted = {"horizon": 3, "simulations": 3000} | options
    return PolicyRollOuts(actions, 1, REWARD, RANGE, np.random.SeedSequence(5), policy, **wanted)


def exact_value(model: FactoredContextTreeModel, action: int, actions: int, horizon: int) -> float:
    """Expected sum of rewards after an action, with uniform ones behind it, by enumeration."""
    total = 0.0
    for percept in (0, 1):
        twin = model.copy()
        twin.condition(action)
        chance = 2.0 ** -twin.update(np.array([percept], np.uint64))
        rest = 0.0
        if horizon > 1:
            rest = sum(exact_value(twin, later, actions, horizon - 1) for later in range(actions)) / actions
        total += chance * (percept + rest)
    return total


@pytest.mark.parametrize("actions", [2, 3])
def test_under_a_uniform_policy_it_is_flat_monte_carlo(actions: int) -> None:
    model, rng = FactoredContextTreeModel(actions, 1, depth=6), np.random.default_rng(0)
    for _ in range(80):
        action = int(rng.integers(actions))
        model.condition(action)
        model.update(np.array([rng.random() < (0.8 if action == 1 else 0.3)], np.uint64))
    before = model.state_dict()
    search = planner(UniformPolicy(actions.bit_length() if actions > 2 else 1), actions, simulations=12_000 * actions)
    found = search.search([model])
    assert found.visits.tolist() == [12_000] * actions
    for action in range(actions):
        wanted = exact_value(model, action, actions, 3) / 3
        # A mean of three rewards within [0, 1] has a standard deviation of at most 1/2.
        assert found.values[action] == pytest.approx(wanted, abs=5 * 0.5 / 12_000**0.5)
    assert found.action == found.values.argmax()
    np.testing.assert_equal(model.state_dict(), before)


def test_it_expects_of_itself_what_it_did() -> None:
    """In a world where action 1 pays, one that has always taken action 0 expects that it goes on so."""
    steps = [[[(1.0, 0, [0])], [(1.0, 0, [1])]]]
    model = FinitePOMDP(1, steps=steps, start=[(1.0, 0, [0])])
    model.update(np.array([0], np.uint64))
    for habit in (0, 1):
        search = planner(FactoredContextTreeModel(2, 1, depth=4), 2)
        for _ in range(200):
            search.advance(habit, np.array([habit], np.uint64))
        found = search.search([model])
        # What it would do after what it never did it does not know.
        assert found.values[habit] == pytest.approx(habit, abs=0.03)
        assert found.action == 1


def test_forbidden_actions_are_not_imagined() -> None:
    steps = [[[(1.0, 0, [0])], [(1.0, 0, [1])], [(1.0, 0, [1])]]]
    model = FinitePOMDP(1, steps=steps, start=[(1.0, 0, [0])])
    model.update(np.array([0], np.uint64))
    rule = MaskRule(np.zeros(2, np.int64), np.array([[True, False, False]]))
    for policy in (UniformPolicy(2), FactoredContextTreeModel(2, 2, depth=4)):
        search = planner(policy, 3, rule=rule)
        for _ in range(300):  # it has always done what is forbidden in the world that is imagined
            search.advance(2, np.array([1], np.uint64))
        found = search.search([model], np.array([True, True, False]))
        assert found.values[:2].tolist() == pytest.approx([0.0, 1 / 3])
        assert np.isnan(found.values[2])
        assert found.action == 1


@pytest.mark.parametrize("simulations", [1, 2, 7])
def test_few_simulations_are_shared_alike(simulations: int) -> None:
    model = FactoredContextTreeModel(3, 1, depth=2)
    search, shares = planner(UniformPolicy(2), 3, simulations=simulations), set()
    for _ in range(30):
        found = search.search([model])
        assert found.visits.sum() == simulations == found.simulations
        assert np.ptp(found.visits) <= 1
        shares.add(tuple(found.visits.tolist()))
    assert len(shares) == 3
    assert search.totals == {"simulations": 30 * simulations, "percepts": 90 * simulations, "invalid_rewards": 0}


def test_percepts_wider_than_a_word_are_context_of_the_policy() -> None:
    """The own action follows bit 66 of the percept before it, which 70 bits of context reach and 3 do not."""
    rng, bits = np.random.default_rng(0), {}
    for depth in (3, 70):
        search = PolicyRollOuts(
            2, 70, REWARD, RANGE, np.random.SeedSequence(0), FactoredContextTreeModel(2, 1, depth=depth),
            horizon=2, simulations=4,
        )  # fmt: skip
        told = 0
        for _ in range(200):
            search.advance(told, np.array([0, (told := int(rng.integers(2))) << 2], np.uint64))
        bits[depth] = search.learnt_bits
    assert bits[3] > 190 > 60 > bits[70]


def test_a_life_of_wide_percepts() -> None:
    agent = SelfAIXI(depth=8, policy_depth=8, horizon=2, simulations=4)
    space = spaces.MultiBinary(70)
    agent.reset(space, spaces.Discrete(3), RANGE, np.random.SeedSequence(0))
    space.seed(0)
    agent.begin(space.sample(), {})
    for _ in range(20):
        action = agent.act()
        agent.observe(action, space.sample(), float(action == 1), False, False)
    assert agent.diagnostics()["percepts"] == 20
    assert agent.diagnostics()["action_bits"] > 0


def test_it_learns_a_bandit_and_comes_to_know_itself() -> None:
    row = ENVIRONMENTS["aixi/Bandit-v0"]
    env, agent = make(row.name), SelfAIXI(depth=8, policy_depth=12, horizon=3, simulations=60)
    agent.reset(
        env.observation_space,
        env.action_space,
        RewardRange.finite(*row.rewards),
        np.random.SeedSequence(1),
        cycles=1500,
    )
    agent.begin(env.reset(seed=1)[0], {})
    bits, rewards = [0.0], []
    for _ in range(1500):
        action = agent.act()
        observation, reward, *_ = env.step(action)
        agent.observe(action, observation, float(reward), False, False)
        bits.append(agent.diagnostics()["action_bits"])
        rewards.append(float(reward))
    early, late = bits[300] - bits[0], bits[-1] - bits[-301]
    assert late < early / 4
    assert np.mean(rewards[-500:]) > np.mean(rewards[:300])


def test_actions_of_one_kind_are_lived_with() -> None:
    agent = SelfAIXI(depth=2, policy_depth=2, horizon=2, simulations=2)
    agent.reset(spaces.Discrete(2), spaces.Discrete(1), RANGE, np.random.SeedSequence(0))
    agent.begin(0, {})
    for observation in (0, 1, 1):
        assert agent.act() == 0
        agent.observe(0, observation, 0.0, False, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"policy_depth": 0}, "policy_depth must be at least 1, got 0"),
        ({"policy_depth": 1000}, "must be at most 900, got 1000"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"simulations": 9, "milliseconds": 5.0}, "either simulations or milliseconds"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make_agent("self-aixi", **options)
