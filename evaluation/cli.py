"""The command line: each verb calls one public function and prints its result."""

import os
import sys
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


@app.command("score")
def score_command(
    agents: Annotated[
        list[str] | None, typer.Argument(help="Names, or name:key=value,key=value.", show_default=False)
    ] = None,
    suite: Annotated[str, typer.Option(help="Name of a suite, or the path of its TOML file.")] = "quick",
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds.  [default: the suite's]", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of processes.  [default: the cores]", show_default=False)
    ] = None,
    relabel: Annotated[bool, typer.Option(help="Permute discrete actions by the seed.")] = True,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Score agents on a suite of environments."""
    from rich.markup import escape

    from aixi.evaluation import screen
    from aixi.evaluation.cells import plan, score
    from aixi.evaluation.files import check_writable
    from aixi.evaluation.provenance import cores
    from aixi.evaluation.suite import load_suite

    if json is not None:
        check_writable(json)
    chosen = agents or ["random", "constant", "mc-aixi-ctw"]
    loaded = load_suite(suite)
    seeds = loaded.seeds if seeds is None else seeds
    workers = at_least("workers", cores() if workers is None else workers, 1)
    plan(chosen, loaded, seeds=seeds, imports=modules or ())  # mistakes are told before anything is shown
    console = screen.console()
    console.print(
        f"[bold]{escape(loaded.name)}[/] v{loaded.version}: {escape(loaded.summary)}; {workers} lives at a time"
    )
    with screen.ScoreView(console, chosen, loaded.cycles, seeds) as view:
        result = score(
            chosen,
            loaded,
            seeds=seeds,
            workers=workers,
            relabel=relabel,
            imports=modules or (),
            on_cell=view.end,
            on_tick=view.tell,
        )
    screen.show_score(console, result)
    _write_json(json, result)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    if any(agent.failures for agent in result.agents.values()):
        raise typer.Exit(1)


@app.command("agents")
def agents_command(
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
        ("description", f"{known['description_bits']:,} bits"),
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
