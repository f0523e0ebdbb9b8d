"""What the verbs of the command line share: options, and the JSON that each of them can write."""

from pathlib import Path
from typing import Annotated, Any

import typer

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it

Json = Annotated[Path | None, typer.Option("--json", metavar="PATH", help="Write what is shown as JSON.")]
Imports = Annotated[
    list[str] | None,
    typer.Option("--import", metavar="MODULE", help="Import a module with registrations; repeatable."),
]


def import_all(modules: list[str] | None) -> None:
    """Imports third-party modules, for the registrations that they make."""
    if modules:
        from aixi.evaluation.world import import_modules

        import_modules(modules)


def check_json(path: Path | None) -> None:
    """Makes sure that the JSON can be written, before anything is done for it."""
    if path is not None:
        from aixi.evaluation.files import check_writable

        check_writable(path)


def write_json(path: Path | None, document: Any) -> None:
    """Writes a document as JSON, if there is a path for it."""
    if path is None:
        return
    import msgspec

    from aixi.evaluation.files import write_whole

    write_whole(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
