"""What there is, at the command line: agents, environments and their descriptions, predictors."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aixi.errors import require
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
    format: Annotated[str, typer.Option(help="text, or md: a page with all that is known of each.")] = "text",
    json: Json = None,
    modules: Imports = None,
) -> None:
    """List the environments, or what is known of one."""
    from aixi.environments import ENVIRONMENTS

    require(format in ("text", "md"), f"format must be text or md, got {format!r}")
    if format == "md":
        from aixi.evaluation.catalogue import environment_page
        from aixi.evaluation.world import find_row

        require(json is None, "--format md is a page, not JSON; leave out either it or --json")
        import_all(modules)
        rows = list(ENVIRONMENTS) if name is None else [find_row(name)]
        print(environment_page(rows), end="")
        return
    if name is None:
        _list("environments", ENVIRONMENTS, json, modules)
        return
    from aixi.evaluation.complexity import description_bits
    from aixi.evaluation.world import find_row

    import_all(modules)
    row = find_row(name)
    anchors = {"random": row.random, "constant": row.constant, "best": row.best}
    found = {key: anchor for key, anchor in anchors.items() if anchor is not None}
    per = "a cycle" if row.measure == "reward" else "an episode"
    span = None if row.reward_range is None else f"{row.low:g} to {row.high:g}"
    listed = None if row.rewards is None else ", ".join(f"{reward:g}" for reward in row.rewards)
    known: dict[str, Any] = {"name": row.name, "summary": row.summary, "rewards": row.rewards}
    known |= {"reward_range": row.reward_range, "measure": row.measure}
    known |= {"description_bits": description_bits(row), "episodic": row.episodic, "tags": row.tags}
    lines = [
        ("", row.summary),
        ("rewards", listed or span or "not declared"),
        *((key, f"{anchor.value:.4g} {per}: {anchor.source}") for key, anchor in found.items()),
        ("description", f"{known['description_bits']:,.1f} bits"),
        ("tags", ", ".join(row.tags)),
    ]
    document = known | {key: {"value": item.value, "source": item.source} for key, item in found.items()}
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
