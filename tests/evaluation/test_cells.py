import math
import subprocess
import sys
from concurrent.futures import Executor, Future
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from aixi.agents.registry import AGENTS
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation import cells, kept, records, schedule
from aixi.evaluation.cells import compare, load_result, rescore, score
from aixi.evaluation.store import Store
from aixi.evaluation.suite import Suite
from aixi.evaluation.world import find_row

SUITE = Suite("tests", 1, "", 500.0, 2, {"test/Walk-v0": 300, "test/Episodes-v0": 200, "aixi/Tiger-v0": 250})
TIMES = ("seconds", "workers", "ended")


def timeless(value):
    """Plain values without times."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def hashes(table, agent):
    return [life.percept_hash for found in table.agents[agent].environments.values() for life in found.seeds]


def test_number_of_workers_changes_no_bit():
    agents = ["random", "constant:action=1"]
    ended = []
    alone = score(
        agents, SUITE, imports=["evaluation_agents"], on_cell=lambda result, stored: ended.append(result.cell)
    )
    pair = score(agents, SUITE, workers=2, imports=["evaluation_agents"])
    assert timeless(msgspec.to_builtins(alone)) == timeless(msgspec.to_builtins(pair))
    assert pair.workers == 2
    assert len(ended) == 12
    assert len(set(hashes(alone, "random"))) == 6


def test_agents_share_the_relabelling_of_a_seed():
    own = {"seeds": [3], "imports": ["evaluation_agents"]}
    plain = score(["constant"], SUITE, relabel=False, **own)
    moved = score(["constant"], SUITE, relabel=True, **own)
    again = score(["constant:action=0"], SUITE, relabel=True, **own)
    assert hashes(plain, "constant") != hashes(moved, "constant") == hashes(again, "constant:action=0")
    assert (plain.relabel, moved.relabel) == (False, True)


def test_agent_that_fails_has_the_lower_of_zero_and_what_it_had():
    result = score(["clumsy", "random"], SUITE, seeds=1, imports=["evaluation_agents"])
    found = result.agents["clumsy"].environments["test/Walk-v0"].seeds[0]
    assert result.agents["clumsy"].failures == 3
    assert result.agents["clumsy"].mean <= 0.0
    assert found.error == "agent clumsy raised ZeroDivisionError: slipped (environment test/Walk-v0, cycle 10, seed 0)"
    assert found.value == min(0.0, found.average_reward)  # random is 0 and the best 1 there
    assert [failure.cycles for failure in result.failures] == [9, 9, 9]
    assert result.agents["random"].failures == 0


def test_environment_that_fails_is_left_out():
    suite = Suite("faulty", 1, "", 1.0, 1, {"test/Raise-v0": 100, "test/Walk-v0": 100})
    result = score(["random"], suite, workers=2, seeds=2, imports=["evaluation_agents"])
    assert "the wall is hot" in result.environments["test/Raise-v0"].excluded
    assert result.environments["test/Walk-v0"].weights["tempered"] == 1.0
    assert result.agents["random"].failures == 0
    assert result.agents["random"].mean == result.agents["random"].environments["test/Walk-v0"].mean
    assert [failure.fault for failure in result.failures] == ["environment"] * 2


def test_suite_of_nothing_but_failures_has_no_score():
    result = score(["random"], Suite("faulty", 1, "", 1.0, 1, {"test/Raise-v0": 100}), imports=["evaluation_agents"])
    assert result.agents["random"].mean is None


def test_suite_may_be_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name="m"\nversion=2\nsummary=""\ntemperature=1.0\nseeds=1\n[cycles]\n"test/Walk-v0"=50\n')
    result = score(["random"], str(path), imports=["evaluation_agents"])
    assert (result.suite_version, result.seeds) == (2, [0])
    assert result.agents["random"].scores["tempered"] == result.agents["random"].scores["uniform"]


def test_what_is_stored_is_not_lived_again(tmp_path):
    path = tmp_path / "lives.sqlite"
    lived = []

    def note(result, stored):
        if not stored:
            lived.append(result.cell)

    def call(agents, seeds, suite=SUITE):
        lived.clear()
        return score(agents, suite, seeds=seeds, imports=["evaluation_agents"], store=path, on_cell=note)

    first = call(["random"], 2)
    assert len(lived) == 6
    again = call(["random"], 2)
    assert (lived, again.stored) == ([], 6)
    ignored = ("stored", "seconds", "versions", "machines")
    assert {k: v for k, v in msgspec.to_builtins(first).items() if k not in ignored} == {
        k: v for k, v in msgspec.to_builtins(again).items() if k not in ignored
    }
    call(["random", "constant"], 3)
    assert (
        sorted((cell.agent, cell.seed) for cell in lived)
        == [("constant", s) for s in (0, 1, 2) for _ in "abc"] + [("random", 2)] * 3
    )
    call(["constant:action=0"], 3)  # the same configuration in other words
    assert lived == []
    longer = Suite("tests", 1, "", 500.0, 2, {"test/Walk-v0": 300, "test/Episodes-v0": 201})
    call(["random"], 1, longer)
    assert [cell.cycles for cell in lived] == [201]
    table = rescore(path, SUITE, imports=["evaluation_agents"])
    assert list(table.agents) == sorted(table.agents, key=lambda agent: -table.agents[agent].mean)
    assert set(table.agents) == {"random", "constant"}
    assert hashes(table, "random")[:2] == hashes(first, "random")[:2]
    pair = compare("random", "constant", SUITE, store=path, imports=["evaluation_agents"]).pairs[0]
    assert pair.difference.seeds == 3
    same = rescore(path, SUITE, agents=["constant:action=0"], imports=["evaluation_agents"])
    assert same.agents["constant:action=0"].environments == table.agents["constant"].environments
    with pytest.raises(UnknownNameError, match="did you mean random"):
        compare("constant", "randm", SUITE, store=path)


def test_lives_of_an_environment_that_has_changed_are_not_its_own(tmp_path, monkeypatch):
    path = tmp_path / "lives.sqlite"
    suite = Suite("tests", 1, "", 500.0, 1, {"test/Walk-v0": 50})
    score(["random"], suite, imports=["evaluation_agents"], store=path)
    assert rescore(path, suite).stored == 1
    score(["constant"], suite, imports=["evaluation_agents"], store=path)
    monkeypatch.setattr(kept, "cell_key", lambda cell: "another" if cell.agent == "random" else records.cell_key(cell))
    table = rescore(path, suite)
    assert (list(table.agents), table.left_out) == (["constant"], {"agent random has changed since": 1})
    monkeypatch.setattr(records, "description_hash", lambda row: "another")
    monkeypatch.setattr(kept, "description_hash", lambda row: "another")
    with pytest.raises(InvalidValueError, match="holds no life of suite tests v1"):
        rescore(path, suite)


def test_only_cells_without_a_valid_successor_are_left_out(tmp_path, monkeypatch):
    path = tmp_path / "lives.sqlite"
    suite = Suite("tests", 1, "", 500.0, 2, {"aixi/CoinFlip-v0": 50})
    score(["random", "constant"], suite, store=path, reference=False)
    with Store(path) as store:
        lives = [result for _, result in store.results()]
        for life in lives:
            store.put(f"{life.cell.agent} of old, seed {life.cell.seed}", life)
    assert rescore(path, suite).left_out == {}
    now = records.cell_key
    # Of random seed 1 is there in its present version, of constant none is.
    changed = [life.cell for life in lives if life.cell.agent == "constant" or life.cell.seed == 0]
    monkeypatch.setattr(kept, "cell_key", lambda cell: "another" if cell in changed else now(cell))
    why = "agent {} has changed since"
    assert rescore(path, suite, agents=["random"]).left_out == {why.format("random"): 1}
    assert rescore(path, suite).left_out == {why.format("random"): 1, why.format("constant"): 2}
    with pytest.raises(
        InvalidValueError, match=r"no life of constant in .*; 2 lives are left out, since agent constant"
    ):
        rescore(path, suite, agents=["constant"])
    with pytest.raises(
        InvalidValueError, match=r"no life of constant in .*; 1 lives? (is|are) left out, since agent random"
    ):
        compare("random", "constant", suite, store=path)


def test_agents_of_another_version_are_other_agents(monkeypatch):
    cell = records.Cell("random", "aixi/CoinFlip-v0", 0, 50)
    before = records.cell_key(cell)
    monkeypatch.setitem(AGENTS._entries, "random", replace(AGENTS["random"], version=99))
    records.configuration.cache_clear()
    try:
        assert records.cell_key(cell) != before
    finally:
        records.configuration.cache_clear()


def test_precision_adds_seeds_until_the_difference_is_known():
    suite = Suite("tests", 1, "", 500.0, 2, {"aixi/CoinFlip-v0": 50, "aixi/BiasedRockPaperScissors-v0": 50})
    table = score(["random", "constant"], suite, precision=0.25, reference=False)
    counts = {name: len(found.seeds) for name, found in table.agents["random"].environments.items()}
    assert table.precision <= 0.25
    assert (table.precision_asked, table.stopped) == (0.25, "precision reached")
    assert min(counts.values()) > 10
    assert table.pairs[0].difference.degrees <= 9  # as before the first look
    bounded = score(["random", "constant"], suite, precision=0.01, budget=1e-9, reference=False)
    assert {len(found.seeds) for found in bounded.agents["random"].environments.values()} == {10}
    assert bounded.stopped == "budget spent"


class MadeUp(Executor):
    """Lives in no time, with rewards that hang on agent and seed."""

    def submit(self, function, cell, /, **options):
        random = np.random.default_rng([cell.seed, len(cell.agent), len(cell.environment)])
        hashed = records.description_hash(find_row(cell.environment))
        future = Future()
        future.set_result(
            records.CellResult(
                cell=cell, cycles=cell.cycles, average_reward=random.normal(), seconds=1.0, description_hash=hashed
            )
        )
        return future


def test_stored_lives_of_a_precision_have_the_intervals_of_the_run(tmp_path):
    path = tmp_path / "lives.sqlite"
    suite = Suite("tests", 1, "", 500.0, 2, {"aixi/CoinFlip-v0": 50, "aixi/BiasedRockPaperScissors-v0": 50})
    run = score(["random", "constant"], suite, precision=2.0, store=path, reference=False, executor=MadeUp())
    assert run.stopped == "precision reached"
    again = rescore(path, suite, reference=False)
    assert again.pairs == run.pairs
    assert {name: row.score for name, row in again.agents.items()} == {n: row.score for n, row in run.agents.items()}
    pair = run.pairs[0]
    assert compare(pair.first, pair.second, suite, store=path).pairs[0] == pair
    other = score(["random", "constant"], suite, seeds=20, reference=False, executor=MadeUp())
    assert other.pairs[0].difference.degrees > pair.difference.degrees == 9  # nobody has looked there


def test_compare_writes_the_whole_table(tmp_path):
    path = tmp_path / "pair.json"
    command = ["compare", "mc-aixi-ctw", "random", "--json", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", "from aixi.evaluation.cli import main; main()", *command], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = load_result(path)
    assert set(written.agents) == {"mc-aixi-ctw", "random"}
    assert written.pairs == compare("mc-aixi-ctw", "random", "core").pairs


def test_a_lost_life_is_no_better_than_one_that_failed(monkeypatch):
    def lose(asked, store, **options):
        outcome = schedule.live_cells(asked, store, **options)
        outcome.lost = {outcome.results.pop().cell: "its worker was lost"}
        return outcome

    monkeypatch.setattr(cells, "live_cells", lose)
    suite = Suite("tests", 1, "", 500.0, 3, {"aixi/CoinFlip-v0": 50})
    table = score(["constant"], suite, reference=False)
    found = table.agents["constant"].environments["aixi/CoinFlip-v0"].seeds
    assert [(life.value, life.error) for life in found][-1] == (0.0, "its worker was lost")
    assert [(loss.seed, loss.reason) for loss in table.lost] == [(2, "its worker was lost")]
    assert (table.failures, table.missing) == ([], 0)


def test_precision_is_of_differences():
    with pytest.raises(InvalidValueError, match="a precision is that of differences between agents, got one agent"):
        score(["random"], SUITE, precision=0.1)
    with pytest.raises(InvalidValueError, match="a precision needs a number of seeds, not a list"):
        score(["random", "constant"], SUITE, precision=0.1, seeds=[4, 5])


def test_interrupted_table_can_be_written_and_read(tmp_path):
    table = score(["random"], SUITE, seeds=1, imports=["evaluation_agents"])
    path = tmp_path / "table.json"
    path.write_bytes(msgspec.json.encode(table))
    assert load_result(path) == table
    path.write_text("{}")
    with pytest.raises(InvalidValueError, match="is not a table that aixi score --json wrote"):
        load_result(path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"agents": []}, InvalidValueError, "a score needs at least one agent"),
        ({"agents": ["rando"]}, UnknownNameError, "did you mean random"),
        ({"agents": ["constant:action=-1"]}, InvalidValueError, "action must be at least 0, got -1"),
        ({"agents": ["mc-aixi-ctw:preset=true"]}, InvalidValueError, "presets are refused"),
        ({"suite": "slow"}, UnknownNameError, "unknown suite 'slow'"),
        ({"seeds": 0}, InvalidValueError, "seeds must be at least 1, got 0"),
        ({"workers": 0}, InvalidValueError, "workers must be at least 1, got 0"),
        ({"imports": ["no_such_module"]}, InvalidValueError, "cannot import 'no_such_module'"),
        ({"deadline": 0}, InvalidValueError, "deadline must be a finite number of seconds above 0, got 0"),
        ({"deadline": math.inf}, InvalidValueError, "deadline must be a finite number of seconds above 0, got inf"),
        ({"budget": math.nan}, InvalidValueError, "budget must be a finite number above 0, got nan"),
        (
            {"budget": 5.0},
            InvalidValueError,
            r"a budget ends the adding of seeds for a precision; .* budget of 5.0 s out",
        ),
        ({"weighting": "moral"}, UnknownNameError, "unknown weighting 'moral'"),
    ],
)
def test_wrong_arguments_are_refused_before_any_life(arguments, error, message):
    with pytest.raises(error, match=message):
        score(**({"agents": ["random"], "suite": SUITE, "on_cell": pytest.fail} | arguments))
