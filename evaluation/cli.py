"""The command line: each verb calls one public function and prints its result."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from aixi.errors import AixiError, InvalidValueError, at_least

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
_WRONG = 2

app = typer.Typer(
    name="aixi",
    help="AIXI approximations, environments, and the universal-intelligence score that measures them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[Path | None, typer.Option("--json", metavar="PATH", help="Write what is shown as JSON.")]
Imports = Annotated[
    list[str] | None,
    typer.Option("--import", metavar="MODULE", help="Import a module with registrations; repeatable."),
]


def main() -> NoReturn:
    """Runs the command line; every error of the suite is one line on standard error."""
    sys.path.append(os.getcwd())  # so that --import finds a file beside the user, but never before an installed one
    try:
        app()
    except AixiError as error:
        print(f"aixi: {error}", file=sys.stderr)
        sys.exit(_WRONG)
    except KeyboardInterrupt:
        print("aixi: interrupted before anything was done", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(0)


@app.command("run")
def run_command(
    agent: Annotated[str | None, typer.Argument(help="Name, or name:key=value,key=value.", show_default=False)] = None,
    environment: Annotated[str | None, typer.Argument(help="Id, or module:id.", show_default=False)] = None,
    cycles: Annotated[
        int | None,
        typer.Option("--cycles", "-n", help="Length of the life.  [default: 10000]", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the life.  [default: 0]", show_default=False)] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="Option of the agent; repeatable."),
    ] = None,
    preset: Annotated[bool, typer.Option("--preset", help="Start from the published settings.")] = False,
    relabel: Annotated[
        bool | None, typer.Option(help="Permute discrete actions by the seed.", show_default=False)
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="SVG", help="Draw the learning curve.")] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="STATE", help="Save the life at its end or after Ctrl-C.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="STATE", help="Go on with a saved life.")] = None,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Let an agent live in an environment."""
    from aixi.agents.registry import parse_options
    from aixi.evaluation import screen
    from aixi.evaluation.files import check_writable, write_whole
    from aixi.evaluation.plot import plot_curve, require_matplotlib
    from aixi.evaluation.runner import LifeFaultError, run
    from aixi.evaluation.world import find_row, import_modules

    paths = [path for path in (json, plot, save) if path is not None]
    for path in paths:
        check_writable(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise InvalidValueError(f"json, plot and save must be different files, got {', '.join(map(str, paths))}")
    if plot is not None and plot.suffix != ".svg":
        raise InvalidValueError(f"plot must be a file that ends in .svg, got {plot}")
    if plot is not None:
        require_matplotlib()
    import_modules(modules or ())
    console = screen.console()
    fault: LifeFaultError | None = None
    with screen.LifeView(console) as view:
        try:
            result = run(
                agent,
                environment,
                cycles=cycles if cycles is not None or resume is not None else 10_000,
                seed=seed,
                options=parse_options(option or []),
                preset=preset,
                relabel=relabel,
                on_cycle=view.tell,
                save=save,
                resume=resume,
            )
        except LifeFaultError as error:
            fault, result = error, error.result
    row = find_row(result.environment)
    screen.show_run(console, result, row)
    _write_json(json, result)
    if plot is not None and result.curve:
        write_whole(plot, plot_curve(result, row))
    if fault is not None:
        raise fault
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


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
Relabel = Annotated[bool, typer.Option(help="Permute discrete actions by the seed.")]
Reference = Annotated[bool, typer.Option(help="Show the agents whose lives come with the package.")]
_DEFAULT_SUITE = "core"


@app.command("score")
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
    relabel: Relabel = True,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Score agents on a suite of environments."""
    from rich.markup import escape

    from aixi.evaluation import screen
    from aixi.evaluation.cells import plan, score
    from aixi.evaluation.files import check_writable

    if json is not None:
        check_writable(json)
    loaded = _suite(suite, quick)
    chosen = agents or ["random", "constant", "mc-aixi-ctw"]
    planned = plan(chosen, loaded, seeds=seeds, relabel=relabel, imports=modules or ())  # mistakes are told first
    console = screen.console()
    with _place(cluster, workers) as (executor, places):
        title = f"[bold]{escape(loaded.name)}[/] v{loaded.version}: {escape(loaded.summary)}; {places} lives at a time"
        with screen.ScoreView(console, planned, title) as view:
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
                on_cell=view.end,
                on_tick=view.tell,
            )
    result.command = _command()
    screen.show_score(console, result)
    _write_json(json, result)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    if result.failures or result.lost:
        raise typer.Exit(1)


@app.command("report")
def report_command(
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
    from aixi.evaluation.files import check_writable, write_whole
    from aixi.evaluation.report import FORMATS, export

    if format not in FORMATS:
        raise InvalidValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    target = output or Path(f"report.{format}")
    check_writable(target)
    result = _stored(store, suite, agents, weights, reference, relabel, modules)
    content = export(result, format)
    write_whole(target, content)
    agents_shown = screen.counted(len(result.agents), "agent")
    screen.console().print(f"{target}: {agents_shown}, {len(content) / 1000:,.0f} kB")


@app.command("compare")
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
    from aixi.evaluation.files import check_writable
    from aixi.evaluation.report import show_pair

    if json is not None:
        check_writable(json)
    result = compare(first, second, suite, store=store, weighting=weights, relabel=relabel, imports=modules or ())
    show_pair(screen.console(), result, result.pairs[0])
    _write_json(json, result.pairs[0])


@app.command("tune")
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
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Search the configurations of an agent on a held-out suite."""
    from aixi.agents.registry import parse_options
    from aixi.evaluation import screen
    from aixi.evaluation.files import check_writable
    from aixi.evaluation.tuning import tune

    if json is not None:
        check_writable(json)
    values = {key: text.split("|") for key, text in parse_options(options).items()}
    console = screen.console()
    with _place(cluster, workers) as (executor, places), screen.ScoreView(console) as view:
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
            on_cell=view.end,
            on_tick=view.tell,
        )
    screen.show_tuning(console, result)
    _write_json(json, result)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


@app.command("complexity")
def complexity_command(
    environment: Annotated[str, typer.Argument(help="Id, or module:id.")],
    source: Annotated[bool, typer.Option("--source", help="Show the canonical description itself.")] = False,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Tell how long an environment's description is, part by part."""
    from aixi.evaluation import screen
    from aixi.evaluation.complexity import describe, lengths
    from aixi.evaluation.files import check_writable
    from aixi.evaluation.world import find_row

    if json is not None:
        check_writable(json)
    _imports(modules)
    row = find_row(environment)
    description, every = describe(row), lengths(row)
    screen.show_description(screen.console(), description, every, source=source)
    _write_json(json, {"description": description, "lengths": every})


def _suite(name: str, quick: bool) -> Any:
    from aixi.evaluation.suite import load_suite

    if quick and name not in (_DEFAULT_SUITE, "quick"):
        raise InvalidValueError(f"--quick means the suite quick; leave out either it or --suite {name}")
    return load_suite("quick" if quick else name)


def _stored(
    store: Path,
    suite: str,
    agents: list[str] | None,
    weights: str,
    reference: bool,
    relabel: bool,
    modules: list[str] | None,
) -> Any:
    """Returns the table of a store, or the one that a JSON file holds."""
    from aixi.evaluation.cells import load_result, rescore

    if store.suffix == ".json":
        if agents:
            raise InvalidValueError(f"{store} is a finished table; agents can be chosen from a store alone")
        return load_result(store)
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
    return result


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
    return None if gigabytes is None else round(gigabytes * 1e9)


def _command() -> str:
    return shlex.join(["aixi", *sys.argv[1:]])


@app.command("agents")
def countcommand(
    name: Annotated[str | None, typer.Argument(help="List the options of one agent.", show_default=False)] = None,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """List the agents, or the options of one."""
    from aixi.agents.registry import AGENTS, agent_options

    if name is None:
        _list("agents", AGENTS, json, modules)
        return
    _imports(modules)
    options = agent_options(name)
    _show(json, {"name": name, "options": options}, [(key, str(value)) for key, value in options.items()])


@app.command("envs")
def envs_command(
    name: Annotated[
        str | None, typer.Argument(help="Tell what is known of one environment.", show_default=False)
    ] = None,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """List the environments, or what is known of one."""
    from aixi.environments import ENVIRONMENTS

    if name is None:
        _list("environments", ENVIRONMENTS, json, modules)
        return
    from aixi.evaluation.complexity import description_bits
    from aixi.evaluation.world import find_row

    _imports(modules)
    row = find_row(name)
    anchors = {"random": row.random, "constant": row.constant, "best": row.best}
    known: dict[str, Any] = {"name": row.name, "summary": row.summary, "rewards": row.rewards}
    known |= {"description_bits": description_bits(row), "episodic": row.episodic, "tags": row.tags}
    lines = [
        ("", row.summary),
        ("rewards", ", ".join(f"{reward:g}" for reward in row.rewards)),
        *((key, f"{anchor.value:.4g} a cycle: {anchor.source}") for key, anchor in anchors.items()),
        ("description", f"{known['description_bits']:,.1f} bits"),
        ("tags", ", ".join(row.tags)),
    ]
    document = known | {key: {"value": item.value, "source": item.source} for key, item in anchors.items()}
    _show(json, document, lines)


@app.command("predictors")
def predictors_command(json: Json = None, modules: Imports = None) -> None:
    """List the predictors."""
    from aixi.predictors.registry import PREDICTORS

    _list("predictors", PREDICTORS, json, modules)


def _imports(modules: list[str] | None) -> None:
    if modules:
        from aixi.evaluation.world import import_modules

        import_modules(modules)


def _list(noun: str, entries: Any, json: Path | None, modules: list[str] | None) -> None:
    _imports(modules)
    rows = [(entry.name, entry.summary) for entry in entries]
    _show(json, {noun: [{"name": name, "summary": summary} for name, summary in rows]}, rows)


def _show(json: Path | None, document: Any, rows: list[tuple[str, str]]) -> None:
    from aixi.evaluation import screen

    screen.show_list(screen.console(), rows)
    _write_json(json, document)


def _write_json(path: Path | None, document: Any) -> None:
    if path is None:
        return
    import msgspec

    from aixi.evaluation.files import write_whole

    write_whole(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
