"""One life at the command line."""

from pathlib import Path
from typing import Annotated

import typer

from aixi.errors import InvalidValueError
from aixi.evaluation.commands.shared import INTERRUPTED, Imports, Json, write_json


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
    write_json(json, result)
    if plot is not None and result.curve:
        write_whole(plot, plot_curve(result, row))
    if fault is not None:
        raise fault
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
