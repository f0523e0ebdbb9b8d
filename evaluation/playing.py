"""A person in the place of an agent: the same life, and a value beside those of agents."""

import contextlib
import os
import sys
from typing import TextIO

import msgspec
import numpy as np

from aixi.environments import EnvironmentRow
from aixi.errors import InvalidValueError, StateFileError, at_least, require
from aixi.evaluation.kept import shipped_lives
from aixi.evaluation.person import SEE, Guide, Left, Person
from aixi.evaluation.records import CellResult, curve_points
from aixi.evaluation.runner import LifeFaultError, RunResult, run
from aixi.evaluation.suite import load_suite, suite_names
from aixi.evaluation.table import value
from aixi.evaluation.terminal import Terminal
from aixi.evaluation.world import find_row
from aixi.state import load_state

_CYCLES = 100


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """A level of performance to compare a life with.

    Attributes:
        name: an anchor, or an agent in text form.
        measured: average of what the environment measures; over lives, their mean.
        value: the same, 0 at the random anchor and 1 at the best; None without anchors.
        lives: number of lives behind it, all cut off at the cycles that the person lived; 0 for an anchor.
        least: the least of these lives; that of an anchor is its value.
        greatest: likewise.
    """

    name: str
    measured: float
    value: float | None
    lives: int
    least: float
    greatest: float


class PlayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a life that a person lived.

    Attributes:
        run: the life, in the same form as an agent's.
        see: the most that the person was ever shown in this life.
        value: of the life, 0 at the random anchor and 1 at the best; None without anchors, or before the first cycle.
        levels: anchors, and agents whose lives the package ships.
        remarks: what must be known to read the comparison.
    """

    run: RunResult
    see: str
    value: float | None
    levels: list[Level]
    remarks: list[str]


def play(
    environment: str | None = None,
    *,
    cycles: int | None = None,
    seed: int | None = None,
    relabel: bool | None = None,
    see: str | None = None,
    save: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    source: TextIO | None = None,
    out: TextIO | None = None,
) -> PlayResult:
    """Lets a person live in an environment, and compares the life with those of agents.

    Actions are keys: digits, then letters; numbers and Enter where there are more than 35. On a POSIX terminal one
    key is enough, elsewhere each takes a line. `q`, the end of `source` or Ctrl-C ends the life between two cycles.

    Args:
        environment: `id` or `module:id`; None for the one that was saved.
        cycles: length of the life in cycles; 100 if None, or what was planned for a resumed one.
        seed: seed of the life; 0 unless resumed.
        relabel: whether to permute discrete actions by the seed, as scores do; yes unless resumed.
        see: `numbers` for what an agent gets, `names` for what they mean as well, by the documentation, `world` for
            a picture as well, where the environment draws text: it may show what is hidden from agents. `names` if
            None, or what a resumed life was shown last.
        save: as for `run`.
        resume: as for `run`, of a life that a person began.
        source: where keys are read; standard input if None.
        out: where everything is shown; standard output if None.

    Raises:
        UnknownNameError: if there is no such environment.
        InvalidValueError: if an option is wrong.
        UnsupportedSpaceError: if its actions cannot be numbered.
        LifeFaultError: if the environment fails, after the state is saved.
        StateFileError: if a state cannot be read or written, or is another's.

    Example:
        >>> import io
        >>> result = play("aixi/CoinFlip-v0", cycles=3, source=io.StringIO("0\\n1\\n0\\n"), out=io.StringIO())
        >>> result.run.cycles, [level.name for level in result.levels[:3]]
        (3, ['uniformly random', 'best constant action', 'best known'])
    """
    require(see in (None, *SEE), f"see must be one of {', '.join(SEE)}, got {see!r}")
    if resume is not None:
        saved = load_state(resume)
        if saved.get("agent") != Person.__name__:
            raise StateFileError(f"{resume} is not the state of a life that a person lived; use aixi run --resume")
        environment = saved["environment"] if environment is None else environment
        seed = saved["seed"] if seed is None else seed
        relabel = saved["relabel"] if relabel is None else relabel
        if see is None and isinstance(saved.get("life"), dict):  # else it is damaged, as `run` says
            see = saved["life"].get("agent", {}).get("see")
    elif cycles is None:
        cycles = _CYCLES
    if environment is None:
        raise InvalidValueError("environment must be given, unless a saved life is resumed")
    seed, relabel = at_least("seed", seed or 0, 0), relabel is None or relabel
    row = find_row(environment)
    terminal = Terminal(sys.stdin if source is None else source, sys.stdout if out is None else out)
    with contextlib.closing(Guide(row, seed, relabel, see or "names")) as guide:
        person = Person(guide, terminal)
        try:
            result = run(
                person,
                environment,
                cycles=cycles,
                seed=seed,
                relabel=relabel,
                on_cycle=person.tell,
                save=save,
                resume=resume,
            )
        except LifeFaultError as error:
            if not isinstance(error.__cause__, Left):
                raise
            if str(error) != str(error.__cause__):
                raise StateFileError(str(error)) from error
            result = msgspec.structs.replace(error.result, interrupted=error.__cause__.interrupted)
    return _compare(result, row, person.seen)


def _compare(result: RunResult, row: EnvironmentRow, see: str) -> PlayResult:
    """Returns the life beside anchors and shipped lives."""
    scored = row.random is not None and row.best is not None

    def level(name: str, averages: list[float], lives: int) -> Level:
        mean = float(np.mean(averages))
        return Level(
            name=name,
            measured=mean,
            value=value(mean, row) if scored else None,
            lives=lives,
            least=min(averages),
            greatest=max(averages),
        )

    anchors = {"uniformly random": row.random, "best constant action": row.constant, "best known": row.best}
    levels = [level(name, [anchor.value], 0) for name, anchor in anchors.items() if anchor is not None]
    shipped = _shipped_lives(row, result) if result.cycles else {}
    begin = max((curve_points(life)[0, 0] for lives in shipped.values() for life in lives), default=0.0)
    early, shipped = begin > result.cycles, shipped if begin <= result.cycles else {}
    for agent, lives in shipped.items():
        levels.append(level(agent, [_average_at(life, row, result.cycles) for life in lives], len(lives)))
    remarks = ["one life is one seed: its value is no score, for chance alone moves it from seed to seed"]
    if row.measure == "return" and not result.episodes:
        remarks.append(
            "no episode has ended: what counts is the return so far, or what random play earns if that is less"
        )
    if not scored:
        remarks.append("no value: the environment has no random and best anchors")
    if early:
        remarks.append(f"no agents beside you: the curves of their lives begin at {begin:,.0f} cycles")
    if shipped:
        planned = sorted({life.cell.cycles for lives in shipped.values() for life in lives})
        remarks.append(
            f"lives of agents are {' or '.join(f'{cycles:,}' for cycles in planned)} cycles long, here cut off at "
            f"{result.cycles:,} (between points of their curves by interpolation); exploring early may pay later"
        )
    if see != "numbers":
        remarks.append("you were told what numbers mean, and agents are not (--see numbers)")
    if see == "world":
        remarks.append("you were shown the world itself, of which agents have observations alone (--see names)")
    worth = value(result.measured, row) if scored and result.cycles else None
    return PlayResult(run=result, see=see, value=worth, levels=levels, remarks=remarks)


def _shipped_lives(row: EnvironmentRow, result: RunResult) -> dict[str, list[CellResult]]:
    """Returns the lives that the package ships of this environment and are long enough, by agent.

    Of several suites the one with the shortest lives counts, whose agents plan for lives most like the person's.
    """
    found: dict[str, list[CellResult]] = {}
    suites = [suite for suite in map(load_suite, suite_names()) if suite.cycles.get(row.name, 0) >= result.cycles]
    for suite in sorted(suites, key=lambda suite: suite.cycles[row.name]):
        for life in shipped_lives(suite, result.relabel).values():
            if life.cell.environment == row.name and life.fault is None:
                found.setdefault(life.cell.agent, []).append(life)
        if found:
            break
    return found


def _average_at(life: CellResult, row: EnvironmentRow, cycles: int) -> float:
    """Returns what a life had earned on average when it was so many cycles long; between points by interpolation."""
    points = curve_points(life)
    if row.measure == "return":  # an average over episodes, whose ends lie anywhere
        return float(np.interp(cycles, points[:, 0], points[:, 1]))
    earned = np.interp(cycles, points[:, 0], points[:, 0] * points[:, 1])
    return float(earned) / cycles
