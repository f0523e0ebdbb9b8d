"""For authors, at the command line: a new environment, predictor or agent, and the batteries that check them."""

from typing import Annotated, Any

import typer

from aixi.errors import require
from aixi.evaluation.commands.shared import INTERRUPTED, Imports, Json, check_json, import_all, write_json

_COLOURS = {"error": "bold red", "warning": "bold yellow", "ok": "green", "skipped": "dim"}
_CHECK_WIDTH = 17  # of the longest name of a check; findings are shown one by one, as they come


def new_command(
    kind: Annotated[str, typer.Argument(help="environment, predictor or agent.")],
    name: Annotated[str, typer.Argument(help="Of the module, lower case with underscores.")],
    json: Json = None,
) -> None:
    """Write a commented file and its test into this folder."""
    from aixi.evaluation import screen
    from aixi.evaluation.new import new

    check_json(json)
    files = new(kind, name)
    console = screen.console()
    for path in files:
        console.print(path.name, markup=False)
    checked = {
        "environment": f"{name}:my/{''.join(part.capitalize() for part in name.split('_'))}-v0",
        "predictor": f"--predictor {name.replace('_', '-')}:order=4 --import {name}",
        "agent": f"--agent {name.replace('_', '-')} --import {name}",
    }[kind]
    console.print(f"aixi check {checked}", markup=False)
    write_json(json, {"files": [path.name for path in files], "check": f"aixi check {checked}"})


def check_command(
    target: Annotated[str, typer.Argument(help="Id, or module:id; with --agent or --predictor a name and options.")],
    agent: Annotated[bool, typer.Option("--agent", help="Check an agent.")] = False,
    predictor: Annotated[bool, typer.Option("--predictor", help="Check a predictor.")] = False,
    world: Annotated[
        list[str] | None,
        typer.Option(metavar="ENV", help="Environment that the agent lives in; repeatable.", show_default=False),
    ] = None,
    cycles: Annotated[
        int, typer.Option("--cycles", "-n", min=1, help="Most cycles of each play of an environment.")
    ] = 20_000,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Check an environment, agent or predictor, and say how to mend what is wrong."""
    from aixi.evaluation import screen
    from aixi.evaluation.checks import check_agent, check_environment, check_predictor

    require(not (agent and predictor), "--agent and --predictor must not come together; leave out one")
    require(agent or not world, "--world is where an agent lives; add --agent, or leave it out")
    check_json(json)
    import_all(modules)
    console = screen.console()
    findings: list[Any] = []
    interrupted = False

    def tell(finding: Any) -> None:
        findings.append(finding)
        _show(console, finding)

    try:
        if agent:
            check_agent(target, on_finding=tell, **({"worlds": world} if world else {}))
        elif predictor:
            check_predictor(target, on_finding=tell)
        else:
            check_environment(target, cycles=cycles, on_finding=tell)
    except KeyboardInterrupt:  # what was found so far is worth as much
        interrupted = True
    counts = {level: sum(finding.level == level for finding in findings) for level in _COLOURS}
    told = [screen.counted(len(findings), "check")]
    told += [screen.counted(counts[level], level) for level in ("error", "warning") if counts[level]]
    told += [f"{counts['skipped']} skipped"] if counts["skipped"] else []
    console.print(", ".join(told + ["interrupted"] * interrupted))
    write_json(json, {"target": target, "findings": findings, "interrupted": interrupted})
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if counts["error"]:
        raise typer.Exit(1)


def _show(console: Any, finding: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from aixi.evaluation import screen

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, width=max(map(len, _COLOURS)))
    table.add_column(no_wrap=True, width=_CHECK_WIDTH)
    table.add_column(overflow="fold")
    table.add_row(Text(finding.level, _COLOURS[finding.level]), Text(finding.check), Text(finding.seen))
    if finding.mend:
        table.add_row("", Text("expected", "dim"), Text(finding.expected))
        table.add_row("", Text("to mend", "dim"), Text(finding.mend))
    screen.print_table(console, table)
