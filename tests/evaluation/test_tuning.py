"""The search for configurations: on held-out environments alone, and with its cost on record."""

import os
import signal

import pytest

from aixi.errors import InvalidValueError
from aixi.evaluation import Store, Suite, load_suite, score, suite_names, tune, tuning
from aixi.evaluation.complexity import description_hash
from aixi.evaluation.results import AgentScore, ScoreResult
from aixi.evaluation.tuning import configurations

COIN = "aixi/HeldOutCoinFlip-v0"


def held_out(cycles, **settings):
    return Suite("mine", 1, "", 300.0, 4, cycles, held_out=True, **settings)


def test_the_better_half_is_kept_until_one_is_left(tmp_path):
    path = tmp_path / "lives.sqlite"
    suite = held_out({COIN: 200})
    result = tune(
        "mc-aixi-ctw:horizon=1,depth=4", {"simulations": ["4", "8"], "exploration": ["0.1", "0.9"]}, suite, store=path
    )
    assert [len(table.agents) for table in result.rounds] == [4, 2]
    assert [table.seeds for table in result.rounds] == [[0, 1], [0, 1, 2, 3]]
    assert result.agent == next(iter(result.rounds[-1].agents))
    spent = result.tuning
    # the second round goes on from the first: 4 x 2 lives, and 2 x 2 more
    assert (spent.configurations, spent.cells, spent.cycles) == (4, 12, 2400)
    assert (spent.suite, result.rounds[-1].stored) == ("mine v1", 4)
    with Store(path) as store:
        assert {record.agent for record in store.tunings()} == set(result.rounds[0].agents)
        assert [record.tuning for record in store.tunings()] == [spent] * 4
    quick = Suite("tests", 1, "", 300.0, 1, {"aixi/CoinFlip-v0": 20})
    assert score([result.agent], quick, store=path).agents[result.agent].tuning == spent


def test_an_interrupted_search_is_on_the_record_of_all_that_it_tried(tmp_path):
    path = tmp_path / "lives.sqlite"
    ended = []

    def end(result, stored):
        ended.append(result.cell)
        if len(ended) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    suite = held_out({COIN: 50})
    options = {"action": ["0", "1"]}
    broken = tune("constant", options, suite, store=path, on_cell=end)
    assert (broken.interrupted, broken.agent) == (True, None)
    with Store(path) as store:
        assert {record.agent for record in store.tunings()} == {"constant:action=0", "constant:action=1"}
    whole = tune("constant", options, suite, store=path)
    quick = Suite("tests", 1, "", 300.0, 1, {"aixi/CoinFlip-v0": 20})
    # the search that went on takes the place of the one that was broken off
    assert score([whole.agent], quick, store=path).agents[whole.agent].tuning == whole.tuning
    other = Suite("other", 1, "", 300.0, 4, {COIN: 60}, held_out=True)
    more = tune("constant", options, other, store=path)
    assert more.agent == whole.agent
    both = score([whole.agent], quick, store=path).agents[whole.agent].tuning
    assert both.cycles == whole.tuning.cycles + more.tuning.cycles


def scores(means):
    """A score in no time: each configuration's mean, and how many of its lives failed."""

    def score(agents, suite, **_):
        rows = {agent: AgentScore(mean=means[agent][0], failures=means[agent][1]) for agent in agents}
        ordered = dict(sorted(rows.items(), key=lambda item: -item[1].mean))
        return ScoreResult(suite=suite.name, suite_version=1, agents=ordered)

    return score


def test_configurations_that_failed_come_last(monkeypatch):
    """A life that fails counts as random at most: a configuration that acts worse than random must still win."""
    means = {"constant:action=0": (-0.5, 0), "constant:action=1": (0.0, 3), "constant:action=2": (-0.7, 0)}
    monkeypatch.setattr(tuning, "score", scores(means))
    result = tune("constant", {"action": ["0", "1", "2"]}, held_out({COIN: 50}))
    assert result.agent == "constant:action=0"
    assert list(result.rounds[1].agents) == ["constant:action=0", "constant:action=2"]


def test_different_searches_of_one_size_add_up(tmp_path, monkeypatch):
    path = tmp_path / "lives.sqlite"
    monkeypatch.setattr(tuning, "score", scores({f"constant:action={k}": (0.1 * k, 0) for k in range(3)}))
    for actions in (["0", "1"], ["0", "2"], ["2", "0"]):  # the last is the second one again
        tune("constant", {"action": actions}, held_out({COIN: 50}), store=path)
    quick = Suite("tests", 1, "", 300.0, 1, {"aixi/CoinFlip-v0": 20})
    agents = [f"constant:action={k}" for k in range(2)]
    table = score(agents, quick, store=path)
    assert [table.agents[agent].tuning.configurations for agent in agents] == [4, 2]


def test_scored_suites_are_refused():
    with pytest.raises(InvalidValueError, match="suite quick is not held out, so that a search on it"):
        tune("mc-aixi-ctw", {"depth": ["4"]}, "quick")
    with pytest.raises(InvalidValueError, match=r"suite mine is held out, but suite .* scores aixi/Tiger-v0 too"):
        tune("mc-aixi-ctw", {"depth": ["4"]}, held_out({"aixi/Tiger-v0": 10}))


def test_no_held_out_environment_is_scored():
    suites = [load_suite(name) for name in suite_names()]
    hashes = [
        {description_hash(environment) for suite in suites if suite.held_out is held for environment in suite.cycles}
        for held in (True, False)
    ]
    assert hashes[0]
    assert not hashes[0] & hashes[1]


def test_wrong_options_are_refused():
    with pytest.raises(InvalidValueError, match="has no option 'dept'; did you mean depth"):
        configurations("mc-aixi-ctw", {"dept": ["4"]})
    with pytest.raises(InvalidValueError, match="option depth of mc-aixi-ctw:depth=4 is fixed in its text"):
        configurations("mc-aixi-ctw:depth=4", {"depth": ["8"]})
    with pytest.raises(InvalidValueError, match=r"option depth needs values to try, each once, got 4\|4"):
        configurations("mc-aixi-ctw", {"depth": ["4", "4"]})
    with pytest.raises(InvalidValueError, match="a search needs options of mc-aixi-ctw to try, got none"):
        configurations("mc-aixi-ctw", {})
