"""Scores at the command line, and what is made of stored lives."""

import contextlib
import math
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from aixi.errors import InvalidValueError, at_least, require
from aixi.evaluation.commands.shared import INTERRUPTED, Imports, Json, check_json, write_json

Suite = Annotated[str, typer.Option(help="Name of a suite, or the path of its TOML file.")]
Workers = Annotated[
    int | None,
    typer.Option(help="Lives at a time.  [default: the cores; of a cluster, its threads]", show_default=False),
]
Deadline = Annotated[float, typer.Option(metavar="SECONDS", help="After which a life fails.")]
Memory = Annotated[float | None, typer.Option(metavar="GB", help="That a life may take; one that wants more fails.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler, as tcp://host:8786, whose workers live the lives."),
]
StoreFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep each life as it ends; the same command then goes on where it was."),
]
Weighting = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="NAME",
        help="tempered, literal, strata, uniform, or the name or path of a value weighting.",
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Live stored lives that failed again, with a longer --deadline, say.")
]
Relabel = Annotated[bool, typer.Option(help="Permute discrete actions by the seed.")]
Reference = Annotated[bool, typer.Option(help="Show the agents whose lives come with the package.")]
_DEFAULT_SUITE = "core"
_OF_A_STORE = {  # what `report` can choose from a store alone, as the user wrote it
    "agents": "the agents",
    "suite": "--suite",
    "weights": "--weights",
    "reference": "--reference or --no-reference",
    "relabel": "--relabel or --no-relabel",
    "modules": "--import",
}


def score_command(
    agents: Annotated[
        list[str] | None, typer.Argument(help="Names, or name:key=value,key=value.", show_default=False)
    ] = None,
    suite: Suite = _DEFAULT_SUITE,
    quick: Annotated[bool, typer.Option("--quick", help="Try out: the suite quick, marked as such.")] = False,
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds.  [default: the suite's]", show_default=False)
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(metavar="HALF", help="Add seeds until differences between agents are known to +-HALF."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="After which --precision adds no more seeds.")
    ] = None,
    weights: Weighting = "tempered",
    store: StoreFile = None,
    reference: Reference = True,
    workers: Workers = None,
    deadline: Deadline = 86_400,
    memory: Memory = None,
    cluster: Cluster = None,
    retry_failed: RetryFailed = False,
    relabel: Relabel = True,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Score agents on a suite of environments."""
    from rich.markup import escape

    from aixi.evaluation import score_screen, screen
    from aixi.evaluation.cells import plan, score

    check_json(json)
    loaded = _suite(suite, quick)
    chosen = agents or ["random", "constant", "mc-aixi-ctw"]
    planned = plan(chosen, loaded, seeds=seeds, relabel=relabel, imports=modules or ())  # mistakes are told first
    console = screen.console()
    with _place(cluster, workers) as (executor, places):
        title = f"[bold]{escape(loaded.name)}[/] v{loaded.version}: {escape(loaded.summary)}; {places} lives at a time"
        with score_screen.ScoreView(console, planned, title) as view:
            result = score(
                chosen,
                loaded,
                seeds=seeds,
                workers=places,
                relabel=relabel,
                imports=modules or (),
                weighting=weights,
                store=store,
                reference=reference,
                precision=precision,
                budget=budget,
                deadline=deadline,
                memory=_bytes(memory),
                executor=executor,
                retry_failed=retry_failed,
                on_cell=view.end,
                on_tick=view.tell,
            )
    result.command = _command()
    score_screen.show_score(console, result)
    write_json(json, result)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    if result.failures or result.lost:
        raise typer.Exit(1)


def report_command(
    context: typer.Context,
    store: Annotated[Path, typer.Argument(help="Store of a score, or the file that its --json wrote.")],
    agents: Annotated[
        list[str] | None, typer.Argument(help="In text form.  [default: all of the store]", show_default=False)
    ] = None,
    suite: Suite = _DEFAULT_SUITE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="[default: report.html, and so on]", show_default=False),
    ] = None,
    format: Annotated[str, typer.Option(help="html, csv, json, md or parquet.")] = "html",
    weights: Weighting = "tempered",
    reference: Reference = True,
    relabel: Relabel = True,
    modules: Imports = None,
) -> None:
    """Write what stored lives show; nothing is lived again."""
    from aixi.evaluation import screen
    from aixi.evaluation.cells import load_result, rescore
    from aixi.evaluation.files import check_writable, write_whole
    from aixi.evaluation.report import FORMATS, export

    if format not in FORMATS:
        raise InvalidValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    target = output or Path(f"report.{format}")
    check_writable(target)
    if store.suffix == ".json":
        result = load_result(store)
        sources = {name: context.get_parameter_source(name) for name in _OF_A_STORE}
        chosen = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
        if chosen:
            names = ", ".join(_OF_A_STORE[name] for name in chosen)
            raise InvalidValueError(f"{store} is a finished table, nothing in it can be chosen; leave out {names}")
    else:
        result = rescore(
            store,
            suite,
            agents=agents,
            weighting=weights,
            reference=reference,
            relabel=relabel,
            imports=modules or (),
        )
        result.command = _command()
    content = export(result, format)
    write_whole(target, content)
    agents_shown = screen.counted(len(result.agents), "agent")
    screen.console().print(f"{target}: {agents_shown}, {len(content) / 1000:,.0f} kB")


def compare_command(
    first: Annotated[str, typer.Argument(help="An agent in text form.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    store: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Store of a score.  [default: the reference]", show_default=False),
    ] = None,
    suite: Suite = _DEFAULT_SUITE,
    weights: Weighting = "tempered",
    relabel: Relabel = True,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Tell which of two agents is better where, from stored lives."""
    from aixi.evaluation import screen
    from aixi.evaluation.cells import compare
    from aixi.evaluation.report import show_pair

    check_json(json)
    result = compare(first, second, suite, store=store, weighting=weights, relabel=relabel, imports=modules or ())
    show_pair(screen.console(), result, result.pairs[0])
    write_json(json, result)


def tune_command(
    agent: Annotated[str, typer.Argument(help="Name, or name:key=value,key=value.")],
    options: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE|VALUE...", help="Values to try, all combinations.")
    ],
    suite: Suite = "tuning",
    seeds: Annotated[
        int | None, typer.Option(help="Of the last round.  [default: the suite's]", show_default=False)
    ] = None,
    store: StoreFile = None,
    workers: Workers = None,
    deadline: Deadline = 86_400,
    memory: Memory = None,
    cluster: Cluster = None,
    retry_failed: RetryFailed = False,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Search the configurations of an agent on a held-out suite."""
    from aixi.agents.registry import parse_options
    from aixi.evaluation import score_screen, screen
    from aixi.evaluation.tuning import tune

    check_json(json)
    values = {key: text.split("|") for key, text in parse_options(options).items()}
    console = screen.console()
    with _place(cluster, workers) as (executor, places), score_screen.ScoreView(console) as view:
        result = tune(
            agent,
            values,
            suite,
            seeds=seeds,
            workers=places,
            imports=modules or (),
            store=store,
            deadline=deadline,
            memory=_bytes(memory),
            executor=executor,
            retry_failed=retry_failed,
            on_cell=view.end,
            on_tick=view.tell,
        )
    score_screen.show_tuning(console, result)
    write_json(json, result)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


def _suite(name: str, quick: bool) -> Any:
    from aixi.evaluation.suite import load_suite

    if quick and name not in (_DEFAULT_SUITE, "quick"):
        raise InvalidValueError(f"--quick means the suite quick; leave out either it or --suite {name}")
    return load_suite("quick" if quick else name)


@contextlib.contextmanager
def _place(cluster: str | None, workers: int | None) -> Iterator[tuple[Any, int]]:
    """Yields where lives are lived, an executor or None for processes here, and how many at a time."""
    from aixi.evaluation.provenance import cores

    if cluster is None:
        yield None, at_least("workers", cores() if workers is None else workers, 1)
        return
    from aixi.evaluation.schedule import cluster_executor

    with cluster_executor(cluster) as executor:
        yield executor, at_least("workers", executor.slots if workers is None else workers, 1)


def _bytes(gigabytes: float | None) -> int | None:
    if gigabytes is None:
        return None
    require(1e-9 <= gigabytes < math.inf, f"memory must be a finite number of GB, one byte at least, got {gigabytes}")
    return round(gigabytes * 1e9)


def _command() -> str:
    return shlex.join(["aixi", *sys.argv[1:]])
