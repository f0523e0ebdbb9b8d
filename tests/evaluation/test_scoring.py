"""Scores of hand-made lives equal exact values."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, Anchor, EnvironmentRow
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation import table as tables
from aixi.evaluation.complexity import Description, description_bits
from aixi.evaluation.curve import CurvePoint
from aixi.evaluation.records import Cell, CellResult, pack_curve
from aixi.evaluation.results import Tuning
from aixi.evaluation.scoring import cube, summarise
from aixi.evaluation.suite import Suite, load_suite, suite_names
from aixi.evaluation.table import value
from aixi.evaluation.weights import effective_number, tempered


def row(name, random=0.0, best=1.0, constant=0.0, tags=()):
    return EnvironmentRow(
        name=name,
        summary="",
        entry_point="nowhere:Nothing",
        rewards=(-1.0, 1.0),
        random=Anchor(random, ""),
        constant=Anchor(constant, ""),
        best=Anchor(best, ""),
        tags=tags,
    )


ROWS = {
    "a": row("a", 0.5, 0.8, 0.8, tags=("easy", "both")),
    "b": row("b", -30.0, 1.0, -1.0, tags=("both",)),
    "c": row("c"),
    "d": row("d"),
}
SUITE = Suite("two", 3, "", 100.0, 2, {"a": 10, "b": 20})
BITS = {"a": 1000.0, "b": 1100.0, "c": 1200.0, "d": 1300.0}  # at T = 100 of a and b: weights 2/3 and 1/3
TIGHT = {"rel": 1e-12, "abs": 1e-14}


@pytest.fixture(autouse=True)
def made_up_environments(monkeypatch):
    """Rows and lengths of environments that are nowhere."""

    def describe(found):
        return Description(
            environment=found.name,
            sha256=found.name * 8,
            bits=BITS[found.name],
            language="source",
            source_bits=BITS[found.name],
            tabular_bits=None,
            languages=2,
            parts=[],
            free=[],
            engines=[],
            text="",
        )

    monkeypatch.setattr(tables, "find_row", ROWS.get)
    monkeypatch.setattr(tables, "describe", describe)
    monkeypatch.setattr(
        tables, "lengths", lambda found: {"mixture/all": BITS[found.name], "other/all": -BITS[found.name]}
    )


def lives(agent, rewards):
    return [
        CellResult(cell=Cell(agent, environment, seed, 10), cycles=10, average_reward=reward, percept_hash=1)
        for (environment, seed), reward in rewards.items()
    ]


def failed(agent, environment, seed, reward, *, fault="agent", cycles=5):
    points = [CurvePoint(cycles, reward, reward, None)]
    return CellResult(
        cell=Cell(agent, environment, seed, 10),
        cycles=cycles,
        average_reward=reward,
        curve=pack_curve(points),
        fault=fault,
        error="it broke",
    )


def test_value_is_linear_between_the_anchors_and_is_not_clipped():
    assert [value(reward, ROWS["b"]) for reward in (-30.0, 1.0, -61.0, 32.0)] == [0.0, 1.0, -1.0, 2.0]


def test_score_is_the_weighted_sum_of_values():
    results = lives("x", {("a", 0): 0.8, ("b", 0): -30.0, ("a", 1): 0.5, ("b", 1): 1.0})
    table = summarise(SUITE, ["x"], results)
    found = table.agents["x"]
    # per seed 2/3 and 1/3: at distance 1/3, t(0.975, 1) = 12.7062, standard error 1/6
    assert found.score.mean == pytest.approx(0.5, **TIGHT)
    assert (found.score.low, found.score.high) == pytest.approx((0.5 - 12.7062047 / 6, 0.5 + 12.7062047 / 6), rel=1e-8)
    assert found.scores["tempered"] == pytest.approx(0.5, **TIGHT)
    assert found.scores["uniform"] == pytest.approx(0.5, **TIGHT)
    assert found.mean == found.score.mean
    assert found.environments["a"].contribution == pytest.approx(1 / 3, **TIGHT)
    assert found.environments["a"].range_value == pytest.approx((0.65 + 1) / 2, **TIGHT)
    assert table.environments["a"].weights["tempered"] == pytest.approx(2 / 3, **TIGHT)
    assert table.environments["a"].constant_value == 1.0
    assert table.environments["b"].constant_value == pytest.approx(29 / 31, **TIGHT)
    assert table.effective_numbers["tempered"] == pytest.approx(1.8, **TIGHT)
    assert found.tags == pytest.approx({"both": 0.5, "easy": 0.5}, **TIGHT)
    assert [point.value for point in found.environments["b"].seeds] == [0.0, 1.0]


def test_results_may_come_in_any_order():
    results = lives("x", {("a", 0): 0.7, ("b", 0): -3.0, ("a", 1): 0.6, ("b", 1): 0.9})
    results += lives("y", {("a", 0): 0.6, ("b", 0): -2.0, ("a", 1): 0.6, ("b", 1): 0.8})
    assert summarise(SUITE, ["x", "y"], results) == summarise(SUITE, ["x", "y"], results[::-1])


@pytest.mark.parametrize(
    ("reward", "counted"), [(0.8, 0.0), (0.5, 0.0), (0.2, -1.0)], ids=["well so far", "as random", "badly so far"]
)
def test_failed_life_has_the_lower_of_zero_and_what_it_had(reward, counted):
    table = summarise(SUITE, ["x"], [failed("x", "a", 0, reward), *lives("x", {("b", 0): 1.0})])
    found = table.agents["x"].environments["a"]
    assert found.seeds[0].value == pytest.approx(counted, abs=1e-12)
    # what it had earned stays beside the error; what counts is no more than the random anchor
    assert (found.seeds[0].average_reward, found.seeds[0].error) == (reward, "it broke")
    assert found.average_reward == pytest.approx(min(0.5, reward), **TIGHT)
    assert found.range_value == pytest.approx((min(0.5, reward) + 1) / 2, **TIGHT)
    assert table.agents["x"].scores["tempered"] == pytest.approx(2 / 3 * counted + 1 / 3, **TIGHT)
    assert table.agents["x"].failures == 1
    assert [(f.agent, f.environment, f.cycles, f.fault, f.error) for f in table.failures] == [
        ("x", "a", 5, "agent", "it broke")
    ]
    # until it failed, the life is worth what it earned
    assert dict(found.curve)[4] == pytest.approx((reward - 0.5) / 0.3, abs=1e-12)
    assert dict(found.curve)[7] == pytest.approx(counted, abs=1e-12)


def test_life_that_failed_before_its_first_cycle_counts_as_random():
    lost = CellResult(cell=Cell("x", "a", 0, 10), fault="agent", error="no such space")
    table = summarise(SUITE, ["x"], [lost, *lives("x", {("b", 0): 1.0})])
    found = table.agents["x"].environments["a"]
    assert (found.seeds[0].value, found.seeds[0].average_reward) == (0.0, None)
    assert (found.average_reward, found.range_value) == (0.5, 0.75)


def test_failed_life_counts_among_others():
    results = [failed("x", "a", 0, 0.7), *lives("x", {("a", 1): 0.8, ("b", 0): 1.0, ("b", 1): 1.0})]
    found = summarise(SUITE, ["x"], results).agents["x"].environments["a"]
    assert (found.mean, found.average_reward) == pytest.approx((0.5, 0.65), **TIGHT)
    assert found.range_value == pytest.approx(0.825, **TIGHT)


def test_environment_that_fails_is_left_out_for_all_agents():
    results = [failed("x", "b", 0, 0.9, fault="environment"), *lives("x", {("a", 0): 0.5})]
    results += lives("y", {("a", 0): 0.8, ("b", 0): 1.0})
    table = summarise(SUITE, ["x", "y"], results)
    assert table.environments["b"].excluded == "it broke"
    assert table.environments["b"].weights == dict.fromkeys(table.effective_numbers, 0.0)
    assert {name: agent.scores["tempered"] for name, agent in table.agents.items()} == {"y": 1.0, "x": 0.0}
    assert table.agents["x"].failures == 0
    assert table.failures[0].fault == "environment"


def test_missing_lives_leave_no_score_and_no_rank():
    table = summarise(SUITE, ["x", "y"], lives("x", {("a", 0): 0.8, ("a", 1): 0.8}))
    for agent in ("x", "y"):
        found = table.agents[agent]
        assert (found.score, found.scores["tempered"], found.rank) == (None, None, None)
    assert table.agents["x"].environments["a"].mean == 1.0
    assert table.precision is None


def test_score_is_told_as_a_function_of_experience():
    points = [CurvePoint(c, r, total / c, None) for c, r, total in ((4, 0.0, 0.0), (8, 1.0, 4.0), (16, 0.5, 8.0))]
    result = CellResult(cell=Cell("x", "c", 0, 16), cycles=16, average_reward=0.5, curve=pack_curve(points))
    table = summarise(Suite("one", 1, "", 100.0, 1, {"c": 16}), ["x"], [result])
    curve = dict(table.agents["x"].environments["c"].curve)
    between = 16 * 2**-1.5  # cycles, of which the last 1.66 earned 1 each
    expected = [0.0, (between - 4) / between, 0.5, 0.5]
    assert [curve[cycle] for cycle in (4, 6, 8, 16)] == pytest.approx(expected, **TIGHT)


def test_pairs_are_compared_seed_by_seed():
    noise = [0.0, 3.0, 9.0, -6.0, 4.0, 1.0]
    results = lives("x", {("c", seed): item for seed, item in enumerate(noise)})
    results += lives("y", {("c", seed): item + 0.5 for seed, item in enumerate(noise)})
    suite = Suite("one", 1, "", 100.0, 1, {"c": 10})
    (pair,) = summarise(suite, ["x", "y"], results).pairs
    assert (pair.first, pair.second, pair.dominates) == ("y", "x", True)
    assert (pair.difference.mean, pair.difference.half) == pytest.approx((0.5, 0.0), abs=1e-12)
    # a life of y earns more than one of x in 22 of the 36 couples, counted by hand
    assert pair.improvement == pytest.approx(sum(b + 0.5 > a for a in noise for b in noise) / 36, **TIGHT)
    assert pair.swap is None
    assert pair.dominates_surely is False  # one environment and six seeds


@pytest.mark.parametrize(
    ("seeds", "leads", "surely"),
    [(27, (0.5, 0.3), True), (26, (0.5, 0.3), False), (27, (0.5, -0.45), False)],
    ids=["clear lead", "few seeds", "interval reaches below 0"],
)
def test_agent_that_dominates_surely_is_ahead_in_every_interval(seeds, leads, surely):
    suite = Suite("two", 1, "", 100.0, 1, {"c": 10, "d": 10})
    results = lives("x", {("c", seed): leads[seed % 2] for seed in range(seeds)})
    results += lives("y", {("c", seed): 0.0 for seed in range(seeds)})
    # in the other environment the two are alike, seed by seed
    results += [life for agent in "xy" for life in lives(agent, {("d", seed): seed / 10 for seed in range(seeds)})]
    (pair,) = summarise(suite, ["x", "y"], results).pairs
    assert (pair.first, pair.dominates, pair.dominates_surely) == ("x", True, surely)


def test_scores_without_each_environment_keep_the_proportions_of_the_other_weights():
    suite = Suite("three", 1, "", 100.0, 1, {"a": 10, "c": 10, "d": 10})  # weights 4/7 : 1/7 : 1/14, or 8 : 2 : 1
    results = lives("x", {("a", 0): 0.77, ("c", 0): 0.5, ("d", 0): 0.1})
    results += lives("y", {("a", 0): 0.53, ("c", 0): 0.6, ("d", 0): 0.2})
    found = summarise(suite, ["y", "x"], results).sensitivity.without
    # the agent ahead with all of them comes first: values 0.9, 0.5, 0.1 and 0.1, 0.6, 0.2
    assert found["a"] == pytest.approx([(2 * 0.5 + 0.1) / 3, (2 * 0.6 + 0.2) / 3], **TIGHT)
    assert found["c"] == pytest.approx([(8 * 0.9 + 0.1) / 9, (8 * 0.1 + 0.2) / 9], **TIGHT)
    assert found["d"] == pytest.approx([(8 * 0.9 + 2 * 0.5) / 10, (8 * 0.1 + 2 * 0.6) / 10], **TIGHT)


def test_ranking_across_settings():
    suite = Suite("four", 1, "", 100.0, 1, dict.fromkeys(ROWS, 10))
    good, bad = {"a": 0.8, "b": 1.0, "c": 0.0, "d": 0.0}, {"a": 0.5, "b": -30.0, "c": 1.0, "d": 1.0}
    results = [life for seed in range(5) for life in lives("x", {(e, seed): r for e, r in good.items()})]
    results += [life for seed in range(5) for life in lives("y", {(e, seed): r for e, r in bad.items()})]
    found = summarise(suite, ["x", "y"], results).sensitivity
    # by one length a is shortest, by the other longest: the ranking turns
    settings = [found.settings.index(f"{name}/all 2") for name in ("mixture", "other")]
    assert found.tau[settings[0]][settings[1]] == -1.0
    assert found.tau[settings[0]][settings[0]] == 1.0
    assert found.without["a"][0] == pytest.approx(0.25 / (1 - 8 / 15) / 15 * 4 * 4, rel=1e-12)


def test_cube_has_a_gap_where_no_life_is():
    values, weights = cube(SUITE, ["x"], lives("x", {("a", 0): 0.8, ("b", 1): 1.0}))
    np.testing.assert_array_equal(values, [[[1.0, np.nan], [np.nan, 1.0]]])
    np.testing.assert_allclose(weights, [2 / 3, 1 / 3], rtol=1e-12)


def test_what_was_spent_stands_beside_the_score():
    tuning = Tuning(suite="held out v1", configurations=3, cells=6, cycles=60, seconds=1.5)
    results = [
        msgspec.structs.replace(life, seconds=2.0, model_bits=5.0)
        for life in lives("x", {("a", 0): 0.8, ("b", 0): 1.0})
    ]
    found = summarise(SUITE, ["x"], results, tunings={"x": tuning}).agents["x"]
    assert (found.cycles, found.seconds, found.model_bits, found.tuning) == (20, 4.0, 10.0, tuning)


def test_best_anchor_must_be_above_the_random_one():
    with pytest.raises(InvalidValueError, match="best anchor of a must be above the random one"):
        value(0.5, replace(ROWS["a"], best=Anchor(0.4, "")))


@pytest.mark.parametrize("name", suite_names())
def test_suites_that_come_with_the_package_are_sound(name):
    suite = load_suite(name)
    lengths = [description_bits(ENVIRONMENTS[environment]) for environment in suite.cycles]
    effective = effective_number(tempered(lengths, suite.temperature))
    # frozen for a version: half the environments count in effect
    assert effective == pytest.approx(len(lengths) / 2, rel=0.01)


def test_suite_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name="mine"\nversion=1\nsummary=""\ntemperature=1.0\nseeds=1\n[cycles]\n"aixi/Tiger-v0"=5\n')
    assert load_suite(str(path)).cycles == {"aixi/Tiger-v0": 5}
    path.write_text(path.read_text().replace("=5", "=0"))
    with pytest.raises(InvalidValueError, match="cycles of aixi/Tiger-v0 must be at least 1, got 0"):
        load_suite(str(path))


def test_unknown_suite_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown suite 'quik'; known: .*quick"):
        load_suite("quik")
