"""What there is, at the command line: agents, environments and their descriptions, predictors."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aixi.evaluation.commands.shared import Imports, Json, check_json, import_all, write_json


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
    import_all(modules)
    options = agent_options(name)
    _show(json, {"name": name, "options": options}, [(key, str(value)) for key, value in options.items()])


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

    import_all(modules)
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


def predictors_command(json: Json = None, modules: Imports = None) -> None:
    """List the predictors."""
    from aixi.predictors.registry import PREDICTORS

    _list("predictors", PREDICTORS, json, modules)


def complexity_command(
    environment: Annotated[str, typer.Argument(help="Id, or module:id.")],
    source: Annotated[bool, typer.Option("--source", help="Show the canonical description itself.")] = False,
    json: Json = None,
    modules: Imports = None,
) -> None:
    """Tell how long an environment's description is, part by part."""
    from aixi.evaluation import score_screen, screen
    from aixi.evaluation.complexity import describe, lengths
    from aixi.evaluation.world import find_row

    check_json(json)
    import_all(modules)
    row = find_row(environment)
    description, every = describe(row), lengths(row)
    score_screen.show_description(screen.console(), description, every, source=source)
    write_json(json, {"description": description, "lengths": every})


def _list(noun: str, entries: Any, json: Path | None, modules: list[str] | None) -> None:
    import_all(modules)
    rows = [(entry.name, entry.summary) for entry in entries]
    _show(json, {noun: [{"name": name, "summary": summary} for name, summary in rows]}, rows)


def _show(json: Path | None, document: Any, rows: list[tuple[str, str]]) -> None:
    from aixi.evaluation import screen

    screen.show_list(screen.console(), rows)
    write_json(json, document)
