"""A person's life at the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aixi.errors import InvalidValueError
from aixi.evaluation.commands.shared import INTERRUPTED, Imports, Json, import_all, write_json

if TYPE_CHECKING:
    from aixi.evaluation.playing import PlayResult


def play_command(
    environment: Annotated[str | None, typer.Argument(help="Id, or module:id.", show_default=False)] = None,
    cycles: Annotated[
        int | None, typer.Option("--cycles", "-n", help="Length of the life.  [default: 100]", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the life.  [default: 0]", show_default=False)] = None,
    relabel: Annotated[
        bool | None,
        typer.Option(help="Permute discrete actions by the seed, as scores do.  [default: yes]", show_default=False),
    ] = None,
    see: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="numbers, as agents get them; names, what they mean as well; world, a picture as well, which may show "
            "what is hidden from agents.  [default: names, or as the saved life was shown]",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="STATE", help="Save the life at its end, or where you leave it.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="STATE", help="Go on with a saved life.")] = None,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Live in an environment yourself, and get a value beside those of agents."""
    from aixi.evaluation.files import check_writable
    from aixi.evaluation.playing import play

    paths = [path for path in (json, save) if path is not None]
    for path in paths:
        check_writable(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise InvalidValueError(f"json and save must be different files, got {json} twice")
    import_all(modules)
    result = play(environment, cycles=cycles, seed=seed, relabel=relabel, see=see, save=save, resume=resume)
    _show(result)
    write_json(json, result)
    if result.run.interrupted:
        raise typer.Exit(INTERRUPTED)


def _show(result: "PlayResult") -> None:
    from rich.text import Text

    from aixi.evaluation import screen
    from aixi.evaluation.world import find_row

    console, run = screen.console(), result.run
    lived = screen.counted(run.planned_cycles, "cycle")
    if run.cycles < run.planned_cycles:
        lived = f"{run.cycles:,} of {lived}"
    title = Text.assemble("\n", (run.environment, "bold"), f"   seed {run.seed}   {lived}")
    if run.episodes:
        title.append(f"   {screen.counted(run.episodes, 'episode')}")
    console.print(title)
    if not run.cycles:
        return
    per = "reward a cycle" if find_row(run.environment).measure == "reward" else "return an episode"
    table = screen.make_table(console, "", "value", per, "least", "greatest", "lives")
    mine = [Text("you", "bold"), Text(screen.thousandths(result.value), "bold"), Text(f"{run.measured:.4g}", "bold")]
    rows = [(run.measured, [*mine, Text(), Text(), Text("1")])]
    for level in result.levels:
        texts = [level.name, screen.thousandths(level.value), f"{level.measured:.4g}"]
        if level.lives:
            texts += [f"{level.least:.4g}", f"{level.greatest:.4g}", str(level.lives)]
        rows.append((level.measured, [Text(text) for text in texts]))
    for _, row in sorted(rows, key=lambda row: -row[0]):
        table.add_row(*row)
    screen.print_table(console, table)
    for remark in result.remarks:
        console.print(Text(remark, "dim"))
