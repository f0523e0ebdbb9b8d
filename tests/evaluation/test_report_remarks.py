"""What is said of a table beside its numbers."""

import pytest
from report_tables import AGENTS, BROKEN, NAMES, table

from aixi.evaluation.report.remarks import UNTRUSTED, doubts, precision_told, remarks, seed_count
from aixi.evaluation.results import Failure, Loss


def said(result):
    return [remark.text for remark in remarks(result)]


def test_whole_table_needs_no_words():
    assert said(table(broken=None, failures=[])) == []
    assert doubts(table()) == []


def test_reasons_of_like_lives_stand_in_one_line():
    failures = [Failure("constant", NAMES[1], seed, 5, "agent", "no\nsuch <move>") for seed in (7, 2, 0, 1)]
    failures.append(Failure("constant", NAMES[2], 0, 5, "agent", "no such <move>"))
    failures.append(Failure("random", BROKEN, 0, 5, "environment", "not its agent's"))
    (remark,) = remarks(table(broken=None, failures=failures))
    assert remark.text.startswith("5 lives failed through the agent's fault: each counts with the lower of 0")
    assert remark.reasons == [
        f"constant in {NAMES[1]}, seeds 0–2, 7: no such <move>",
        f"constant in {NAMES[2]}, seed 0: no such <move>",
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            "agent clumsy raised ZeroDivisionError: slipped (environment test/Walk-v0, cycle {}, seed {})",
            "agent clumsy raised ZeroDivisionError: slipped",
        ),
        (
            "agent a did not end within 1 s, its deadline (cycle {}, seed {})",
            "agent a did not end within 1 s, its deadline",
        ),
        (
            "agent a failed: it was killed by itself (SIGKILL; worlds.py, line 283, in end; cycle {}, seed {})",
            "agent a failed: it was killed by itself (SIGKILL; worlds.py, line 283, in end)",
        ),
        (
            "agent a failed: it was killed 3 times (SIGKILL; cycle {}, seed {}); where the machine is full, wait",
            "agent a failed: it was killed 3 times (SIGKILL); where the machine is full, wait",
        ),
    ],
)
def test_cycle_and_seed_do_not_part_what_belongs_together(error, reason):
    failures = [Failure("a", NAMES[1], seed, 5, "agent", error.format(10 * seed + 1, seed)) for seed in range(3)]
    (remark,) = remarks(table(broken=None, failures=failures))
    assert remark.reasons == [f"a in {NAMES[1]}, seeds 0–2: {reason}"]


def test_seed_alone_does_not_part_what_belongs_together():
    error = (
        "agent a cannot tell its totals: ValueError: model_bits must be a number (environment aixi/Maze1D-v0, seed {})"
    )
    failures = [Failure("a", NAMES[1], seed, 5, "agent", error.format(seed)) for seed in range(3)]
    (remark,) = remarks(table(broken=None, failures=failures))
    assert remark.reasons == [
        f"a in {NAMES[1]}, seeds 0–2: agent a cannot tell its totals: ValueError: model_bits must be a number"
    ]


@pytest.mark.parametrize(("failed", "told"), [(5, False), (6, True), (11, True)])
def test_agent_most_of_whose_lives_failed_has_intervals_that_tell_of_failing(failed, told):
    result = table(broken=None, failures=[])
    for name in NAMES:
        for life in result.agents["constant"].environments[name].seeds[: 10 * (NAMES.index(name) < failed)]:
            life.error = "slipped"
    said_of_it = f"{10 * failed} of 110 lives of constant failed: what its intervals are sure of is how failures count"
    assert [text for text in said(result) if text.startswith(said_of_it)] == said(result)
    assert bool(said(result)) is told


@pytest.mark.parametrize(
    ("kept", "way_out"),
    [(True, "; the same command goes on"), (False, "; with --store FILE the same command would go on")],
)
def test_missing_lives_come_with_a_way_out(kept, way_out):
    lost = [Loss("random", NAMES[0], 3, "worker lost 3 times")]
    result = table(broken=None, failures=[], kept=kept, lost=lost, missing=4)
    assert said(result) == [
        f"1 life is lost and not stored: each counts as 0{way_out} with it",
        f"4 lives are missing, since the run was interrupted{way_out}",
    ]
    assert remarks(result)[0].reasons == [f"random in {NAMES[0]}, seed 3: worker lost 3 times"]


def test_stored_lives_that_are_left_out_are_counted_by_reason():
    left_out = {"agent random has changed since": 1200, f"environment {NAMES[0]} has changed since": 3}
    (remark,) = remarks(table(broken=None, failures=[], left_out=left_out))
    assert remark.text == "1,203 stored lives are left out"
    assert remark.reasons == ["1,200: agent random has changed since", f"3: environment {NAMES[0]} has changed since"]


def test_intervals_that_cannot_be_trusted_are_told_apart_from_those_that_are_not_there():
    assert UNTRUSTED in doubts(table(seeds=3))
    whole = table()
    whole.agents[AGENTS[1]].wide = None
    for row in whole.agents.values():
        row.score = None
    assert doubts(whole) == [f"no interval for {', '.join(AGENTS)}: it takes at least two seeds in each environment"]
    whole.agents[AGENTS[0]].mean = None
    assert doubts(whole)[-1].startswith(f"no score for {AGENTS[0]}: ")


def test_seeds_are_counted_where_they_were_lived():
    result = table()
    assert seed_count(result) == "10 seeds"
    for row in result.agents.values():
        del row.environments[NAMES[2]].seeds[4:]
        del row.environments[BROKEN].seeds[1:]
    assert seed_count(result) == "4 to 10 seeds"
    assert seed_count(table(seeds=1)) == "1 seed"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"precision": None}, None),
        ({"precision": 0.07}, "differences known to ±0.070"),
        (
            {"precision": 0.0123, "precision_asked": 0.02, "stopped": "precision reached"},
            "differences known to ±0.012 (asked ±0.02): reached",
        ),
        (
            {"precision": 0.07, "precision_asked": 0.02, "stopped": "budget spent"},
            "differences known to ±0.070 (asked ±0.02): not reached: budget spent",
        ),
        (
            {"precision": None, "precision_asked": 0.02, "stopped": "no environment left"},
            "differences not known (asked ±0.02): not reached: no environment left",
        ),
    ],
)
def test_precision_is_told_with_what_was_asked(changes, told):
    assert precision_told(table(**changes)) == told
