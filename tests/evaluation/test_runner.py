import dataclasses

import evaluation_worlds
import gymnasium
import numpy as np
import pytest
from evaluation_checks import same
from gymnasium import spaces

from aixi.agents.base import RewardRange
from aixi.agents.baselines import ConstantAgent, RandomAgent
from aixi.agents.percepts import ActionCodec
from aixi.agents.registry import make_agent
from aixi.environments import ENVIRONMENTS, Anchor
from aixi.errors import EnvironmentFaultError, InvalidValueError, UnknownNameError
from aixi.evaluation.cells import score
from aixi.evaluation.curve import Curve
from aixi.evaluation.runner import LifeFaultError, run
from aixi.evaluation.suite import Suite
from aixi.evaluation.world import STREAMS, World, joint_mask, relabelling, stream

FAULTS = {
    "Raise": "raised RuntimeError: the wall is hot",
    "NaN": "gave reward nan; its row declares -1, 0, 2",
    "Reward": "gave reward 7.5; its row declares -1, 0, 2",
    "Outside": "returned observation np.int64\\(5\\), outside Discrete\\(5\\)",
    "Ends": "ended an episode, and its row declares none",
    "Reset": "raised RuntimeError in reset: the floor is wet",
    "Exit": "raised SystemExit: 3",
    "Info": "returned info None, not a dictionary",
    "Flags": "returned array\\(\\[0., 0.\\]\\) for terminated or truncated, neither True nor False",
    "Mask": "gave action_mask \\[True, True, False\\]; it must hold a truth value for each of 2 actions",
    "Forbidden": "gave action_mask \\[False, False\\]; .* at least one of them True",
}


@pytest.mark.parametrize("environment", ["aixi/Tiger-v0", "FrozenLake-v1", "test/Episodes-v0", "test/Continuous-v0"])
def test_same_seed_same_life(environment):
    assert same(run("random", environment, cycles=500, seed=3), run("random", environment, cycles=500, seed=3))
    other = run("random", environment, cycles=500, seed=4)
    assert other.percept_hash != run("random", environment, cycles=500, seed=3).percept_hash


def test_average_and_curve_agree():
    result = run("random", "test/Walk-v0", cycles=3001, seed=1)
    assert result.curve[-1].cycle == 3001
    assert result.curve[-1].cumulative_average == result.average_reward
    before = [0, *(point.cycle for point in result.curve)]
    total = sum(p.average_reward * (p.cycle - b) for p, b in zip(result.curve, before, strict=False))
    assert total == pytest.approx(result.average_reward * 3001, rel=1e-12)
    assert 128 <= len(result.curve) <= 257


def test_curve_depends_on_the_cycles_lived_alone():
    short, long = Curve(), Curve()
    for cycle in range(1, 5001):
        for curve in (short, long):
            curve.add(cycle, float(cycle), cycle, 0.0, 0.0)
    for cycle in range(5001, 100_000):
        long.add(cycle, float(cycle), cycle, 0.0, 0.0)
    ends = {point.cycle for point in long.points()}
    assert ends & set(range(5001)) <= {point.cycle for point in short.points()}
    assert 128 <= len(ends) <= 256


def test_lives_can_be_measured_by_the_return_of_their_episodes():
    returns, ended, sums = [], [0], [0.0]

    def look(life):
        sums.append(life.reward)
        if life.episodes > len(returns):
            returns.append(life.reward - sums[ended[-1]])
            ended.append(life.cycle)

    result = run("random", "test/Returns-v0", cycles=400, on_cycle=look)
    assert len(returns) == result.episodes > 10
    assert result.measured == result.average_return == pytest.approx(sum(returns) / len(returns))
    assert result.average_reward == sums[-1] / 400
    first = next(point for point in result.curve if point.cycle >= ended[1])
    done = sum(end <= first.cycle for end in ended[1:])
    assert first.cumulative_average == pytest.approx(sum(returns[:done]) / done)
    table = score(["random"], Suite("tests", 1, "", 500.0, 1, {"test/Returns-v0": 400}), imports=["evaluation_worlds"])
    found = table.agents["random"].environments["test/Returns-v0"]
    plain = run("random", "test/Returns-v0", cycles=400, relabel=True)
    assert found.mean == pytest.approx(plain.measured / 4.0)
    assert found.range_value == pytest.approx((plain.measured + 20.0) / 60.0)


def test_what_stands_for_an_unended_episode_is_none_of_its_return():
    curve = Curve()
    for totals in (
        (1, -5000.0, 0, 0.0, 0.0),
        (2, -5000.0, 0, 0.0, 0.0),
        (3, -30.0, 2, 0.0, 0.0),
        (4, -40.0, 3, 0.0, 0.0),
    ):
        curve.add(*totals)
    told = [(point.average_reward, point.cumulative_average) for point in curve.points()]
    assert told == [(-5000.0, -5000.0), (-5000.0, -5000.0), (-15.0, -15.0), (-10.0, pytest.approx(-40 / 3))]


def test_not_to_come_to_an_end_does_not_pay():
    row = dataclasses.replace(
        evaluation_worlds.RETURNS, name="test/Endless-v0", kwargs={}, random=Anchor(-3.0, "made up")
    )
    ENVIRONMENTS.register(row)
    gymnasium.register(row.name, row.entry_point)
    result = run("random", row.name, cycles=20)
    assert result.episodes == 0
    assert result.measured == min(result.average_reward * 20, -3.0)


@pytest.mark.parametrize(
    ("space", "given", "joint"),
    [
        (spaces.MultiDiscrete([2, 3]), [1, 0, 1, 0, 1], [1, 0, 0, 0, 1, 0]),
        (spaces.MultiDiscrete([2, 2]), (np.array([1, 0]), np.array([0, 1])), [0, 0, 1, 0]),
        (spaces.MultiDiscrete([2, 3]), [1, 1, 0, 1, 1, 0], [1, 1, 0, 1, 1, 0]),
        (spaces.Discrete(3, start=5), [0, 1, 1], [0, 1, 1]),
    ],
)
def test_masks_of_several_components_are_joined(space, given, joint):
    assert joint_mask(ActionCodec(space), given).astype(int).tolist() == joint


def test_masks_that_could_mean_two_things_are_refused():
    with pytest.raises(ValueError, match="give a tuple of the mask of each component"):
        joint_mask(ActionCodec(spaces.MultiDiscrete([2, 2])), [1, 0, 0, 1])


class _Last(gymnasium.Env):
    """Two actions, both forbidden when an episode has ended after two cycles."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cycle = 0
        return np.int64(0), {"action_mask": np.array([0, 1])}

    def step(self, action):
        assert action == 1
        self.cycle += 1
        over = self.cycle == 2
        return np.int64(1), 0.0, over, False, {"action_mask": np.array([0, 0] if over else [0, 1])}


def test_nothing_need_be_allowed_when_an_episode_is_over(monkeypatch):
    gymnasium.register("test/Last-v0", _Last)
    assert run("random", "test/Last-v0", cycles=9).episodes == 4


def test_masks_of_wrappers_are_heard():
    class Masker(gymnasium.Wrapper):
        def action_masks(self):
            return np.array([False, True, False])

    gymnasium.register("test/Wrapped-v0", lambda: Masker(gymnasium.make("aixi/Tiger-v0")))
    seen = set()
    run("random", "test/Wrapped-v0", cycles=30, on_cycle=lambda life: seen.add(life.world.actions is None))
    world = World("test/Wrapped-v0", 0, relabel=False, record=False)
    assert world.begin()[2].tolist() == [False, True, False]


def test_an_agent_that_raises_an_environments_error_is_at_fault():
    class Liar(RandomAgent):
        def act(self, mask=None):
            raise EnvironmentFaultError("environment is bad")

    with pytest.raises(LifeFaultError, match="agent Liar raised EnvironmentFaultError: environment is bad") as caught:
        run(Liar(), "aixi/Tiger-v0", cycles=5)
    assert caught.value.fault == "agent"


def test_on_cycle_is_called_at_each_cycle():
    seen = []
    run("random", "test/Episodes-v0", cycles=300, on_cycle=lambda life: seen.append((life.cycle, life.reward)))
    assert [cycle for cycle, _ in seen] == list(range(1, 301))
    assert seen[-1][1] == run("random", "test/Episodes-v0", cycles=300).average_reward * 300


def test_relabelling_is_a_permutation_of_the_seed_alone():
    drawn = [relabelling(seed, 4) for seed in range(30)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in drawn)
    assert len({tuple(order) for order in drawn}) > 8
    assert drawn == [relabelling(seed, 4) for seed in range(30)]
    seed = next(seed for seed in range(30) if drawn[seed][0] != 0)
    action = drawn[seed][0]
    moved = run("constant", "aixi/CheeseMaze-v0", cycles=50, seed=seed, relabel=True)
    plain = run(f"constant:action={action}", "aixi/CheeseMaze-v0", cycles=50, seed=seed)
    assert moved.percept_hash == plain.percept_hash


def test_streams_are_unlike_and_fixed():
    drawn = {name: int(stream(5, name).generate_state(1)[0]) for name in STREAMS}
    assert len(set(drawn.values())) == len(STREAMS)
    assert drawn["environment"] == int(np.random.SeedSequence(5).spawn(1)[0].generate_state(1)[0])


@pytest.mark.parametrize("relabel", [False, True])
@pytest.mark.parametrize("agent", ["random", "constant:action=2"])
def test_masks_reach_the_agent_in_its_own_labels(agent, relabel):
    assert run(agent, "test/Masked-v0", cycles=200, seed=7, relabel=relabel).average_reward == 1.0


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_an_environment_leave_a_partial_result(name):
    with pytest.raises(LifeFaultError, match=FAULTS[name]) as caught:
        run("random", f"test/{name}-v0", cycles=500, seed=2)
    assert f"environment test/{name}-v0" in str(caught.value)
    lived = caught.value.result.cycles
    assert evaluation_worlds.LIVES_BEFORE_FAULT <= lived < 500
    assert caught.value.result.curve[-1].cycle == lived


def test_long_reward_sets_are_shown_by_their_range(monkeypatch):
    world = World("aixi/CoinFlip-v0", 0, relabel=False, record=False)
    object.__setattr__(world, "row", evaluation_worlds._row("Long", "Walk", tuple(map(float, range(20)))))
    monkeypatch.setattr(world, "_legal", lambda reward: False)
    world.begin()
    with pytest.raises(EnvironmentFaultError, match="declares 20 rewards from 0 to 19"):
        world.step(0)


def test_unknown_names_come_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean aixi/Tiger-v0"):
        run("random", "aixi/Tigger-v0", cycles=1)
    with pytest.raises(UnknownNameError, match="did you mean random"):
        run("randm", "aixi/Tiger-v0", cycles=1)


def test_environment_that_only_gymnasium_knows_is_lived_in_and_not_scored():
    result = run("mc-aixi-ctw:depth=4,horizon=1,simulations=1", "evaluation_worlds:test/Unlisted-v0", cycles=20)
    assert result.cycles == 20
    assert result.coding["reward"].startswith("undeclared: ")
    suite = Suite("tests", 1, "", 500.0, 1, {"test/Unlisted-v0": 10})
    with pytest.raises(InvalidValueError, match=r"test/Unlisted-v0 lacks anchors \(random, constant, best\)"):
        score(["random"], suite, imports=["evaluation_worlds"])


def test_modules_that_cannot_be_imported_are_told():
    with pytest.raises(InvalidValueError, match="cannot import 'no_such_module'"):
        run("random", "no_such_module:test/Walk-v0", cycles=1)


@pytest.mark.parametrize("cycles", [0, -3])
def test_cycles_must_be_positive(cycles):
    with pytest.raises(InvalidValueError, match=f"cycles must be at least 1, got {cycles}"):
        run("random", "aixi/Tiger-v0", cycles=cycles)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actoin": "1"}, r"constant has no option 'actoin'; did you mean action\? \(its options: action\)"),
        ({"action": "left"}, "option action of constant must be a whole number, got 'left'"),
        ({"action": "-1"}, "action must be at least 0, got -1"),
        ({"action": "3"}, "action must be less than 3 here, got 3"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        run("constant", "aixi/Tiger-v0", cycles=1, options=options)


def test_agent_may_be_an_object():
    result = run(ConstantAgent(1), "aixi/Tiger-v0", cycles=50, seed=1)
    assert result.agent == "ConstantAgent"
    assert same(result, run("constant:action=1", "aixi/Tiger-v0", cycles=50, seed=1))


def test_random_agent_takes_every_action_of_any_space():
    space = spaces.Tuple((spaces.Discrete(2, start=5), spaces.MultiBinary(1)))
    agent = RandomAgent()
    agent.reset(spaces.Discrete(1), space, RewardRange.finite(0, 1), np.random.SeedSequence(1))
    drawn = [agent.act() for _ in range(100)]
    assert all(action in space for action in drawn)
    assert {(int(a), int(b[0])) for a, b in drawn} == {(5, 0), (5, 1), (6, 0), (6, 1)}


def test_random_agent_goes_on_from_its_state():
    one, other = RandomAgent(), RandomAgent()
    for agent in (one, other):
        agent.reset(spaces.Discrete(1), spaces.Discrete(7), RewardRange.finite(0, 1), np.random.SeedSequence(1))
    for _ in range(1500):
        one.act()
    other.load_state_dict(one.state_dict())
    assert [one.act() for _ in range(2000)] == [other.act() for _ in range(2000)]


def test_a_box_of_actions_has_constant_ones_too():
    assert run("constant", "test/Continuous-v0", cycles=9).average_reward == 0.0  # the lower bounds
    assert run("constant:action=24", "test/Continuous-v0", cycles=9).average_reward == 1.0  # the upper ones
    with pytest.raises(InvalidValueError, match="action must be less than 25 here, got 25"):
        run("constant:action=25", "test/Continuous-v0", cycles=9)


def test_options_in_text_take_the_annotated_type():
    made = make_agent("mc-aixi-ctw", depth="16", exploration="0.5", milliseconds="none", observation_bits="1+2")
    assert made.exploration == 0.5
