import pytest

from aixi.environments import ENVIRONMENTS, Anchor, EnvironmentRow
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.complexity import description_bits
from aixi.evaluation.scoring import Cell, CellResult, seed_scores, summarise, value
from aixi.evaluation.suite import Suite, load_suite, suite_names
from aixi.evaluation.weights import effective_number, tempered


def row(name, random=0.0, best=1.0, constant=0.0):
    return EnvironmentRow(
        name=name,
        summary="",
        entry_point="nowhere:Nothing",
        rewards=(-1.0, 1.0),
        random=Anchor(random, ""),
        constant=Anchor(constant, ""),
        best=Anchor(best, ""),
    )


ROWS = {"a": row("a", 0.5, 0.8, 0.8), "b": row("b", -30.0, 1.0, -1.0)}
SUITE = Suite("two", 3, "", 100.0, 2, {"a": 10, "b": 20})
BITS = {"a": 1000, "b": 1100}  # at T = 100: weights 2/3 and 1/3


def lives(agent, rewards):
    return [
        CellResult(cell=Cell(agent, environment, seed, 10), average_reward=reward, percept_hash=1)
        for (environment, seed), reward in rewards.items()
    ]


def test_value_is_linear_between_the_anchors_and_is_not_clipped():
    assert [value(reward, ROWS["b"]) for reward in (-30.0, 1.0, -61.0, 32.0)] == [0.0, 1.0, -1.0, 2.0]


def test_score_is_the_weighted_sum_of_values():
    results = lives("x", {("a", 0): 0.8, ("b", 0): -30.0, ("a", 1): 0.5, ("b", 1): 1.0})
    table = summarise(SUITE, ["x"], [0, 1], True, results, ROWS, BITS)
    found = table.agents["x"]
    assert found.seeds == pytest.approx([2 / 3, 1 / 3], rel=1e-14)
    assert found.score == pytest.approx(0.5, rel=1e-14)
    assert found.uniform == pytest.approx(0.5, rel=1e-14)
    # two values at distance 1/3: t(0.975, 1) = 12.7062, standard error 1/6
    assert found.interval == pytest.approx((0.5 - 12.7062047 / 6, 0.5 + 12.7062047 / 6), rel=1e-8)
    assert found.environments["a"].weight == pytest.approx(2 / 3, rel=1e-14)
    assert found.environments["a"].constant_value == 1.0
    assert found.environments["b"].constant_value == pytest.approx(29 / 31, rel=1e-14)
    assert table.effective_number == pytest.approx(1.8, rel=1e-14)


def test_results_may_come_in_any_order():
    results = lives("x", {("a", 0): 0.7, ("b", 0): -3.0, ("a", 1): 0.6, ("b", 1): 0.9})
    forward = summarise(SUITE, ["x"], [0, 1], True, results, ROWS, BITS)
    backward = summarise(SUITE, ["x"], [0, 1], True, results[::-1], ROWS, BITS)
    assert forward == backward


def test_failed_life_counts_as_random_and_is_shown():
    failed = CellResult(cell=Cell("x", "b", 0, 10), error="the wall is hot")
    table = summarise(SUITE, ["x"], [0], True, [*lives("x", {("a", 0): 0.8}), failed], ROWS, BITS)
    assert table.agents["x"].failures == 1
    assert table.agents["x"].score == pytest.approx(2 / 3, rel=1e-14)
    assert table.agents["x"].environments["b"].seeds[0].error == "the wall is hot"
    assert table.agents["x"].environments["b"].average_reward is None
    assert table.agents["x"].interval is None


def test_seed_without_all_its_lives_has_no_score():
    results = lives("x", {("a", 0): 0.8, ("b", 0): 1.0, ("a", 1): 0.8})
    found = summarise(SUITE, ["x", "y"], [0, 1], True, results, ROWS, BITS).agents
    assert found["x"].seeds == [1.0]
    assert found["y"].score is None
    assert found["y"].environments["a"].value is None


def test_seed_scores_need_every_environment():
    assert seed_scores({"a": {1: 1.0, 0: 0.0}, "b": {0: 0.5, 1: 0.5}}, {"a": 0.5, "b": 0.5}) == [0.25, 0.75]


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
