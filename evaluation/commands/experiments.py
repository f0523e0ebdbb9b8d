"""Experiments at the command line."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

_PLAIN_SECONDS = 5.0  # between lines without a terminal
_LIVE_SECONDS = 0.1


def experiment_command(
    name: Annotated[
        str | None, typer.Argument(help="Which one; without it, they are listed.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small run, to see that it runs.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything; further seeds count on from it.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for NAME.json and NAME.svg.")] = Path("."),
    plot: Annotated[bool, typer.Option(help="Draw NAME.svg.")] = True,
) -> None:
    """Run an experiment, keep its numbers and draw them, or list the experiments."""
    from aixi.evaluation import screen
    from aixi.evaluation.commands.shared import write_json
    from aixi.evaluation.experiments.figures import require_matplotlib
    from aixi.evaluation.experiments.frame import EXPERIMENTS, find_experiment
    from aixi.evaluation.files import check_writable, write_whole

    console = screen.console()
    if name is None:
        screen.show_list(console, [(each.name, each.summary) for each in EXPERIMENTS.values()])
        return
    experiment = find_experiment(name)
    numbers, picture = out / f"{name}.json", out / f"{name}.svg"
    if plot:
        require_matplotlib()
    for path in (numbers, picture) if plot else (numbers,):
        check_writable(path)
    began = time.monotonic()
    with console.status("") as status:
        result = experiment.run(quick=quick, seed=seed, on_step=_View(console, status))
    write_json(numbers, result)
    if plot:
        write_whole(picture, experiment.draw(result))
    took = screen.duration(time.monotonic() - began)
    console.print(f"{numbers}{f' and {picture}' if plot else ''} after {took}", markup=False)


class _View:
    """Shows how far an experiment has come; a `Tell`."""

    def __init__(self, console: Any, status: Any) -> None:
        self._console, self._status = console, status
        self._due = 0.0

    def __call__(self, what: str, done: int, steps: int, latest: float | None = None, /) -> None:
        from rich.markup import escape

        now = time.monotonic()
        if now < self._due:
            return
        live = self._console.is_terminal
        self._due = now + (_LIVE_SECONDS if live else _PLAIN_SECONDS)
        line = f"{what}: {done:,}/{steps:,}{'' if latest is None else f'  {latest:.4g}'}"
        if live:
            self._status.update(escape(line))
        else:
            self._console.print(line, markup=False)
