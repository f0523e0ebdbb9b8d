"""Pre-training of a network at the command line."""

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from aixi.errors import InvalidValueError
from aixi.evaluation.commands.shared import INTERRUPTED, Imports, Json, check_json, import_all, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from aixi.evaluation.training import LossPoint, PretrainResult

_DATA, _NETWORK = "sources", "transformer:width=64,layers=2"
_PLAIN_SECONDS = 5.0  # between lines without a terminal
_LIVE_SECONDS = 0.1


def pretrain_command(
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Checkpoint to write, FILE.safetensors, with a card FILE.json beside it."),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="sources, sources:depth=D (variable-order Markov sources), or random play in a suite: its name or the "
            f"path of its TOML file, as SUITE:lives=N,cycles=N.  [default: {_DATA}]",
            show_default=False,
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Kind (transformer, rnn, lstm, gru) and sizes: width, layers, heads, groups, latent, rotary, hidden.  "
            f"[default: {_NETWORK}]",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Fine-tune this checkpoint, in place of --network.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Of the optimiser.  [default: 5000]", show_default=False)] = None,
    batch: Annotated[
        int | None, typer.Option(help="Stretches of data in a step.  [default: 32]", show_default=False)
    ] = None,
    window: Annotated[int | None, typer.Option(help="Tokens of a stretch.  [default: 128]", show_default=False)] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="The greatest; it falls to 0 by half a cosine.  [default: 0.003]", show_default=False),
    ] = None,
    warm_up: Annotated[
        int | None, typer.Option(help="Steps until it is reached.  [default: 100]", show_default=False)
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of AdamW.  [default: 0]", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights and draws.  [default: 0]", show_default=False)] = None,
    save_every: Annotated[int, typer.Option(help="Steps between saves.")] = 500,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="Of the CPU.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that was left at --out, as it was told.")
    ] = False,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Train a network to predict, before any life of its own."""
    from aixi.evaluation import screen
    from aixi.evaluation.pretrain import make_config, pretrain, saved_settings
    from aixi.evaluation.training import Paths, Schedule
    from aixi.evaluation.training_data import make_data
    from aixi.predictors.neural.checkpoint import load_checkpoint
    from aixi.predictors.neural.config import NetworkConfig

    check_json(json)
    paths = Paths(out)
    if json is not None and json.resolve() in (path.resolve() for path in (paths.checkpoint, paths.card, paths.state)):
        raise InvalidValueError(f"json must be another file than those of {out}, got {json}")
    import_all(modules)
    if start is not None and network is not None:
        raise InvalidValueError(f"--start {start} brings its own network; leave out --network {network}")
    schedule: dict[str, Any] = {
        "steps": steps,
        "batch": batch,
        "window": window,
        "learning_rate": learning_rate,
        "warm_up": warm_up,
        "weight_decay": weight_decay,
        "seed": seed,
    }
    given = {name: value for name, value in schedule.items() if value is not None}
    config = NetworkConfig.from_dict
    if resume:
        saved = saved_settings(out)
        told = Schedule(**(saved["schedule"] | given))
        body = make_config(network) if network else config(saved["network"])
        text = data or saved["data"]
    else:
        told, text = Schedule(**given), data or _DATA
        body = make_config(network or _NETWORK)
    console = screen.console()
    with TrainingView(console, told.steps) as view:
        try:
            _, result = pretrain(
                make_data(text),
                load_checkpoint(start)[0] if start else body,
                told,
                out=out,
                resume=resume,
                save_every=save_every,
                device=device,
                threads=threads,
                on_step=view.tell,
            )
        except KeyboardInterrupt:  # the second one
            typer.echo(f"aixi: interrupted at once; {out} holds the last save, if there was one", err=True)
            raise typer.Exit(INTERRUPTED) from None
    _show(console, result)
    write_json(json, result)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


class TrainingView:
    """Shows a training as it goes on; its `tell` is the `on_step` of `pretrain`.

    Args:
        screen: where.
        steps: that there are.
    """

    def __init__(self, screen: "Console", steps: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        from aixi.evaluation.screen import narrower

        self._screen = screen = narrower(screen)
        self._steps = steps
        self._every = _LIVE_SECONDS if screen.is_terminal else _PLAIN_SECONDS
        self._due = 0.0
        self._first: tuple[float, int] | None = None
        self._bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.fields[line]}"),
            console=screen,
            transient=True,
            auto_refresh=False,
            expand=True,
            disable=not screen.is_terminal,
        )
        self._task = self._bar.add_task("", line="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def tell(self, step: int, point: "LossPoint") -> None:
        """Shows where a training has come to, if it is time to."""
        from aixi.evaluation.screen import duration, thousandths

        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._every
        if self._first is None:  # there is no speed to tell of yet
            self._first = (now, step)
            return
        done, spent = step - self._first[1], now - self._first[0]
        left = duration((self._steps - step) * spent / done)
        line = f"{step:,}/{self._steps:,}  held-out bits {thousandths(point.held_out_bits)} at {point.step:,}"
        line += f"  {done / spent:,.1f} steps/s  {left} left"
        if self._screen.is_terminal:
            self._bar.update(self._task, completed=step, total=self._steps, line=line, refresh=True)
        else:
            self._screen.print(line)


def _show(console: "Console", result: "PretrainResult") -> None:
    """Prints the final table of a training."""
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    from aixi.evaluation import screen

    schedule, first = result.schedule, result.curve[0]
    console.print()
    console.print(
        f"[bold]{escape(str(result.network['kind']))}[/] on [bold]{escape(result.data)}[/], seed {schedule.seed}"
    )
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("weights", f"{result.parameters:,}" + ("" if result.origin is None else ", fine-tuned"))
    why = f" of {schedule.steps:,}, interrupted; --resume goes on" if result.interrupted else ""
    table.add_row("steps", f"{result.steps:,}{why}")
    table.add_row(
        "held-out loss",
        f"[bold]{result.held_out_bits:.4f}[/] bits a percept bit, from {first.held_out_bits:.4f} before the first step",
    )
    table.add_row("time", f"{screen.duration(result.seconds)}   {result.tokens_per_second:,.0f} tokens/s")
    if len(result.curve) > 1:
        losses = [point.held_out_bits for point in result.curve]
        table.add_row("loss curve", screen.sparkline(losses, max(20, min(60, console.width - 24))))
    table.add_row("checkpoint", Text(str(result.checkpoint)))
    screen.print_table(console, table)
