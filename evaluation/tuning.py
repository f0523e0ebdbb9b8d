"""The search for an agent's configuration, on environments that no score knows."""

import hashlib
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Unpack

import msgspec

from aixi.agents.registry import convert_options, parse_agent
from aixi.errors import InvalidValueError, at_least, require
from aixi.evaluation.cells import LiveOptions, score
from aixi.evaluation.complexity import description_hash
from aixi.evaluation.results import ScoreResult, Tuning
from aixi.evaluation.store import Store
from aixi.evaluation.suite import Suite, load_suite, suite_names
from aixi.evaluation.world import find_row, import_modules


class TuneResult(msgspec.Struct, kw_only=True):
    """What a search found.

    Attributes:
        agent: the best configuration of the last whole round, in text form; None before the first has ended.
        rounds: the table of each round.
        tuning: what was spent.
        interrupted: whether Ctrl-C ended the search early.
        kept: whether a store has a record of what was spent.
    """

    agent: str | None
    rounds: list[ScoreResult]
    tuning: Tuning
    interrupted: bool = False
    kept: bool = False


def tune(
    agent: str,
    options: Mapping[str, Sequence[str]],
    suite: str | Suite = "tuning",
    *,
    seeds: int | None = None,
    store: str | os.PathLike[str] | None = None,
    **live: Unpack[LiveOptions],
) -> TuneResult:
    """Searches the configurations of an agent by successive halving (Karnin, Koren and Somekh 2013).

    Every round scores the configurations that are left on twice as many seeds, and keeps the better half, until
    one is left or the seeds are spent; one that failed comes after all that did not. What it cost is recorded in the
    store, and shown beside the scores of every configuration that was tried.

    Args:
        agent: in text form; its own options are kept in every configuration.
        options: values to try, by option; all combinations are.
        suite: a held-out suite, its name, or the path of its TOML file.
        seeds: of the last round; the suite's own number if None.
        store: as for `score`.
        live: how and where lives are lived, see `LiveOptions`.

    Raises:
        InvalidValueError: if the suite is not held out, or an option is wrong.
    """
    import_modules(live.get("imports", ()))
    suite = load_suite(suite) if isinstance(suite, str) else suite
    _require_held_out(suite)
    tried = left = configurations(agent, options)
    count = at_least("seeds", suite.seeds if seeds is None else seeds, 1)
    best: str | None = None
    rounds: list[ScoreResult] = []
    lived: dict[tuple[str, str, int], float] = {}
    with Store(store) as kept:  # in memory without a path: no round lives again what an earlier one did
        while True:
            # The last round, when two are left, has all seeds.
            halvings = max(math.ceil(math.log2(len(left))), 1) - 1
            first = max(1, round(count / 2**halvings))
            table = score(left, suite, seeds=first, store=kept, reference=False, **live)
            live["retry_failed"] = False  # once is enough
            rounds.append(table)
            for text, found in table.agents.items():
                for name, environment in found.environments.items():
                    lived |= {(text, name, life.seed): life.seconds for life in environment.seeds}
            if table.interrupted:
                break
            able = [(found.failures > 0, text) for text, found in table.agents.items() if found.mean is not None]
            ranked = [text for failed in (False, True) for has, text in able if has is failed]
            require(bool(ranked), f"no configuration of {agent} can live in suite {suite.name}")
            best = ranked[0]
            left = ranked[: (len(ranked) + 1) // 2]
            if len(left) == 1:
                break
        tuning = Tuning(
            suite=f"{suite.name} v{suite.version}",
            configurations=len(tried),
            cells=len(lived),
            cycles=sum(suite.cycles[name] for _, name, _ in lived),
            seconds=math.fsum(lived.values()),
        )
        search = hashlib.sha256("\n".join(sorted(tried)).encode()).hexdigest()
        for text in tried:
            kept.add_tuning(text, tuning, search)
    return TuneResult(agent=best, rounds=rounds, tuning=tuning, interrupted=table.interrupted, kept=store is not None)


def configurations(agent: str, options: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns every combination of options, in text form.

    Example:
        >>> configurations("mc-aixi-ctw:horizon=4", {"depth": ["16", "32"]})
        ['mc-aixi-ctw:horizon=4,depth=16', 'mc-aixi-ctw:horizon=4,depth=32']
    """
    name, own = parse_agent(agent)
    require(bool(options), f"a search needs options of {name} to try, got none")
    for key, values in options.items():
        require(key not in own, f"option {key} of {agent} is fixed in its text, and cannot be searched")
        require(
            0 < len(values) == len(set(values)), f"option {key} needs values to try, each once, got {'|'.join(values)}"
        )
        for item in values:
            convert_options(name, {key: item})
    texts = []
    for combination in itertools.product(*options.values()):
        chosen = own | dict(zip(options, combination, strict=True))
        texts.append(f"{name}:{','.join(f'{key}={item}' for key, item in chosen.items())}")
    return texts


def _require_held_out(suite: Suite) -> None:
    """Refuses a suite whose environments are scored elsewhere, under whatever name."""
    require(
        suite.held_out,
        f"suite {suite.name} is not held out, so that a search on it would be a search for its score; use the "
        f"suite tuning, or one of your own with held_out = true",
    )
    scored: dict[str, str] = {}
    for name in suite_names():
        other = load_suite(name)
        if not other.held_out:
            scored |= {description_hash(find_row(environment)): name for environment in other.cycles}
    for environment in suite.cycles:
        digest = description_hash(find_row(environment))
        if digest in scored:
            raise InvalidValueError(
                f"suite {suite.name} is held out, but suite {scored[digest]} scores {environment} too; leave it out"
            )
