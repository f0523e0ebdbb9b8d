"""Outcome against process reward models, with search: what a judge of unfinished thoughts is worth in Countdown.

Everyone may check complete answers, so many as the budget says. Outcome-only search (best-of-N of random plays, UCT)
learns nothing before an answer is right. Process-reward search (best-of-N from a judge, PUCT) is guided by a judge of
partial states, learnt from random completions alone. Between them: UCT that is told how near a miss was, and PUCT with
a judge that had as many labels, but of the outcomes of whole plays. "Tree of thoughts": Yao et al. 2023; process
against outcome supervision: Uesato et al. 2022, Lightman et al. 2024.

The suite's own Countdown bounds results by 31, so that random plays hit often and there is little left to search for.
The broad setting keeps its rules and widens the bound and the targets to those of the television game.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from aixi.agents.planning.reward_model import RewardModel, blank
from aixi.evaluation.experiments.countdown_plan import (
    HELD_OUT,
    METHODS,
    NARROW,
    OUTCOME_ONLY,
    PROCESS,
    SETTINGS,
    Method,
    Problems,
    Setting,
    distinct_problems,
    solve,
    solved_within,
)
from aixi.evaluation.experiments.reward_models import (
    SUPERVISIONS,
    Ranked,
    label_states,
    rankings,
    train_judge,
    truth,
)
from aixi.evaluation.files import check_writable, write_whole
from aixi.evaluation.provenance import machine, versions
from aixi.predictors.intrinsics import generator_state

BUDGETS = tuple(2**power for power in range(12))
"""Answers that may be checked."""
COMPARED_AT = 64
_VALIDATED_TO = 256
_MEASURED_BY = 64  # random plays that choose which states a judge is measured on: few late ones can be solved

Judges: TypeAlias = dict[str | None, RewardModel]
"""By the labels that they were trained on; None is the one without opinion."""


class Line(msgspec.Struct, kw_only=True):
    """What a method solves as its budget grows.

    Attributes:
        method: its name.
        judge: labels that its judge was trained on; None without one.
        exploration: C, chosen on validation problems.
        temperature: likewise.
        solved: share of the problems solved at each budget, mean over seeds.
        standard_errors: of it, over seeds, each with its own problems and judge.
        by_seed: the shares of each seed.
        microseconds: processor time of a simulation.
    """

    method: str
    judge: str | None
    exploration: float
    temperature: float
    solved: list[float]
    standard_errors: list[float]
    by_seed: list[list[float]]
    microseconds: float


class Ranking(msgspec.Struct, kw_only=True):
    """How well a judge tells states that can be solved from those that cannot, by exhaustive truth.

    Attributes:
        judge: labels that it was trained on.
        numbers: in the states.
        solvable: share of them that can be solved.
        area: under the ROC curve, mean over seeds; None where one has states of one kind only.
        standard_error: of it, over seeds.
    """

    judge: str
    numbers: int
    solvable: float
    area: float | None
    standard_error: float | None


class Tried(msgspec.Struct, kw_only=True):
    """Settings of a method on validation problems.

    Attributes:
        method: its name.
        exploration: C.
        temperature: of the judge's policy.
        solved: share solved, mean over the budgets up to 256: what is chosen by.
    """

    method: str
    exploration: float
    temperature: float
    solved: float


class SettingResult(msgspec.Struct, kw_only=True):
    """What came out in one setting.

    Attributes:
        setting: its problems.
        lines: of all methods, on problems like those trained on.
        held_out: on held-out targets, also with the narrow judge.
        ratio: problems that `PROCESS` solves with 64 simulations, over those of the better outcome-only search; None if
            that solves none.
        rankings: of the judges.
        labelled: states trained on, by judge, in the first seed.
        validation: what was tried.
        seconds: processor time.
    """

    setting: Setting
    lines: list[Line]
    held_out: list[Line]
    ratio: float | None
    rankings: list[Ranking]
    labelled: dict[str, int]
    validation: list[Tried]
    seconds: float


class CountdownResult(msgspec.Struct, kw_only=True):
    """What the experiment showed.

    Attributes:
        quick: whether it was run in a small way, to see that it runs.
        seed: of everything.
        seeds: trainings, each with its own training and test problems.
        validation: problems that settings are chosen on, with the judges of the first seed.
        test: problems of each seed, and as many of held-out targets. No two problems share their numbers.
        budgets: simulations.
        settings: what came out in each.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    quick: bool
    seed: int
    seeds: int
    validation: int
    test: int
    budgets: list[int]
    settings: list[SettingResult]
    versions: dict[str, str]
    machine: dict[str, str | int]


def countdown(
    *,
    quick: bool = False,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    on_step: Callable[[str, int, int], None] | None = None,
) -> CountdownResult:
    """Measures what process rewards bring to search.

    Args:
        quick: a small run within a minute, to see that it runs.
        seed: of everything.
        path: of a JSON file for the result.
        on_step: called after each training with its setting, those done in it, and those there are.

    Raises:
        InvalidValueError: if the file cannot be written.
    """
    if path is not None:
        check_writable(path)
    plan = _Plan(seeds=2, validation=20, test=40) if quick else _Plan(seeds=5, validation=300, test=300)
    budgets = BUDGETS[:7] if quick else BUDGETS
    results = []
    for setting, stream in zip(SETTINGS, np.random.SeedSequence(seed).spawn(len(SETTINGS)), strict=True):
        if quick:
            setting = msgspec.structs.replace(setting, training=300, plays=32)
        results.append(_run(setting, plan, budgets, stream, on_step))
    result = CountdownResult(
        quick=quick,
        seed=seed,
        seeds=plan.seeds,
        validation=plan.validation,
        test=plan.test,
        budgets=list(budgets),
        settings=results,
        versions=versions(),
        machine=machine(),
    )
    if path is not None:
        write_whole(path, msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return result


class _Plan(NamedTuple):
    seeds: int
    validation: int
    test: int


class _Found(NamedTuple):
    """What a method solved in one seed: shares by budget, and what it took."""

    solved: list[float]
    simulations: int
    seconds: float


def _run(
    setting: Setting,
    plan: _Plan,
    budgets: tuple[int, ...],
    stream: np.random.SeedSequence,
    on_step: Callable[[str, int, int], None] | None,
) -> SettingResult:
    """Trains, chooses settings, and searches, in one setting."""
    began = time.process_time()
    drawing, choosing, *streams = stream.spawn(2 + plan.seeds)
    rng, seen = generator_state(drawing), set[int]()
    validation = distinct_problems(setting, setting.targets, plan.validation, seen, rng)
    training = [distinct_problems(setting, setting.targets, setting.training, seen, rng) for _ in streams]
    test = [distinct_problems(setting, setting.targets, plan.test, seen, rng) for _ in streams]
    aside = [distinct_problems(setting, setting.held_out, plan.test, seen, rng) for _ in streams]

    tried: list[Tried] = []
    chosen: dict[str, Tried] = {}
    labelled: dict[str, int] = {}
    found: list[list[_Found]] = []
    found_aside: list[list[_Found]] = []
    ranked: list[list[Ranked]] = []
    for each, own in enumerate(streams):
        fitting, measuring, searching = own.spawn(3)
        judges, counts = _train(setting, training[each], fitting)
        labelled = labelled or counts
        if not chosen:
            tried = _try(setting, validation, budgets, judges, generator_state(choosing))
            chosen = _best(tried)
        states = label_states(*test[each], setting.greatest, _MEASURED_BY, generator_state(measuring))
        solved = truth(states)
        ranked.append([row for name in SUPERVISIONS for row in rankings(name, judges[name], states, solved)])
        rng = generator_state(searching)
        found.append([_search(setting, method, chosen, judges, test[each], budgets, rng) for method in METHODS])
        found_aside.append([_search(setting, method, chosen, judges, aside[each], budgets, rng) for method in HELD_OUT])
        if on_step:
            on_step(setting.name, each + 1, plan.seeds)
    lines = [_line(method, chosen, rows) for method, rows in zip(METHODS, zip(*found, strict=True), strict=True)]
    at = budgets.index(COMPARED_AT)
    solved_by = {line.method: line.solved[at] for line in lines}
    outcome_only = max(solved_by[name] for name in OUTCOME_ONLY)
    return SettingResult(
        setting=setting,
        lines=lines,
        held_out=[
            _line(method, chosen, rows) for method, rows in zip(HELD_OUT, zip(*found_aside, strict=True), strict=True)
        ],
        ratio=solved_by[PROCESS] / outcome_only if outcome_only else None,
        rankings=[_ranking(rows) for rows in zip(*ranked, strict=True)],
        labelled=labelled,
        validation=tried,
        seconds=time.process_time() - began,
    )


def _train(setting: Setting, problems: Problems, seed: np.random.SeedSequence) -> tuple[Judges, dict[str, int]]:
    """Returns a judge for each kind of labels, and the number of states that it learnt from."""
    labelling, *streams = seed.spawn(2 + len(SUPERVISIONS))
    data = label_states(*problems, setting.greatest, setting.plays, generator_state(labelling))
    sets = {name: (name, data) for name in SUPERVISIONS}
    sets[NARROW] = ("process", data.where(data.targets < setting.held_out[0]))
    judges: Judges = {None: blank()}
    for (name, (supervision, states)), stream in zip(sets.items(), streams, strict=True):
        judges[name] = train_judge(states, supervision, stream)
    return judges, {name: int(states.states.size) for name, (_, states) in sets.items()}


def _try(
    setting: Setting, problems: Problems, budgets: tuple[int, ...], judges: Judges, rng: NDArray[np.uint64]
) -> list[Tried]:
    """Searches validation problems with every setting of every method."""
    tried = []
    within = tuple(budget for budget in budgets if budget <= _VALIDATED_TO)
    for method in METHODS:
        for exploration in method.explorations:
            for temperature in method.temperatures:
                judge = judges[method.judge]
                found = solve(problems, setting, method, exploration, temperature, judge, within[-1], rng)
                solved = statistics.mean(solved_within(found, within))
                tried.append(Tried(method=method.name, exploration=exploration, temperature=temperature, solved=solved))
    return tried


def _best(tried: list[Tried]) -> dict[str, Tried]:
    """Returns the best of each method, the first of equals."""
    best: dict[str, Tried] = {}
    for each in tried:
        if each.method not in best or each.solved > best[each.method].solved:
            best[each.method] = each
    return best | {HELD_OUT[-1].name: best[PROCESS]}


def _search(
    setting: Setting,
    method: Method,
    chosen: dict[str, Tried],
    judges: Judges,
    problems: Problems,
    budgets: tuple[int, ...],
    rng: NDArray[np.uint64],
) -> _Found:
    """Searches test problems with the settings chosen."""
    settings = chosen[method.name]
    began = time.process_time()
    found = solve(
        problems,
        setting,
        method,
        settings.exploration,
        settings.temperature,
        judges[method.judge],
        budgets[-1],
        rng,
    )
    return _Found(solved_within(found, budgets), int(found.simulations.sum()), time.process_time() - began)


def _line(method: Method, chosen: dict[str, Tried], found: tuple[_Found, ...]) -> Line:
    """Joins what a method solved in each seed."""
    columns = list(zip(*(each.solved for each in found), strict=True))
    return Line(
        method=method.name,
        judge=method.judge,
        exploration=chosen[method.name].exploration,
        temperature=chosen[method.name].temperature,
        solved=[statistics.mean(column) for column in columns],
        standard_errors=[_standard_error(column) for column in columns],
        by_seed=[each.solved for each in found],
        microseconds=1e6 * sum(each.seconds for each in found) / sum(each.simulations for each in found),
    )


def _ranking(rows: tuple[Ranked, ...]) -> Ranking:
    """Joins how a judge ranked the states of so many numbers in each seed."""
    areas = [row.area for row in rows if row.area is not None]
    whole = len(areas) == len(rows)
    return Ranking(
        judge=rows[0].judge,
        numbers=rows[0].numbers,
        solvable=statistics.mean(row.solvable for row in rows),
        area=statistics.mean(areas) if whole else None,
        standard_error=_standard_error(areas) if whole else None,
    )


def _standard_error(values: Sequence[float]) -> float:
    """Returns the standard error of the mean of two values or more."""
    return statistics.stdev(values) / math.sqrt(len(values))
