"""The search for configurations: on held-out environments alone, and with its cost on record."""

import os
import signal

import pytest

from aixi.errors import InvalidValueError
from aixi.evaluation import Store, Suite, load_suite, score, suite_names, tune
from aixi.evaluation.complexity import description_hash
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
    tuning = result.tuning
    # the second round goes on from the first: 4 x 2 lives, and 2 x 2 more
    assert (tuning.configurations, tuning.cells, tuning.cycles) == (4, 12, 2400)
    assert (tuning.suite, result.rounds[-1].stored) == ("mine v1", 4)
    with Store(path) as store:
        assert [(record.agent, record.tuning) for record in store.tunings()] == [(result.agent, tuning)]
    quick = Suite("tests", 1, "", 300.0, 1, {"aixi/CoinFlip-v0": 20})
    assert score([result.agent], quick, store=path).agents[result.agent].tuning == tuning


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
