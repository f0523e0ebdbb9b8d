"""A new environment, predictor or agent: one commented file and its test, complete as they are written."""

import importlib.util
import keyword
import re
from pathlib import Path
from typing import Any, Literal, get_args

from aixi.errors import InvalidValueError, require
from aixi.evaluation.files import write_whole
from aixi.registry import Registry

Kind = Literal["environment", "predictor", "agent"]
_FOLDER = Path(__file__).parent / "templates"


def new(kind: str, name: str, folder: Path | None = None) -> list[Path]:
    """Writes NAME.py and test_NAME.py.

    Args:
        kind: `environment`, `predictor` or `agent`.
        name: of the module, in lower case with underscores.
        folder: where; the current folder if None.

    Returns:
        The two files.

    Raises:
        InvalidValueError: if there is no such kind, the name does not do or is registered, or a file exists already.
    """
    import jinja2

    from aixi.agents.registry import AGENTS
    from aixi.environments import ENVIRONMENTS
    from aixi.predictors.registry import PREDICTORS

    kinds = get_args(Kind)
    require(kind in kinds, f"kind must be one of {', '.join(kinds)}, got {kind!r}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise InvalidValueError(
            f"name must be that of a Python module, lower case with underscores, as my_{kind}, got {name!r}"
        )
    require(not name.startswith("test_"), f"name must not begin with test_, which pytest takes for tests, got {name!r}")
    hyphened, class_name = name.replace("_", "-"), "".join(part.capitalize() for part in name.split("_"))
    registered = {"environment": f"my/{class_name}-v0"}.get(kind, hyphened)
    tables: dict[str, Registry[Any]] = {"environment": ENVIRONMENTS, "predictor": PREDICTORS, "agent": AGENTS}
    require(
        registered not in tables[kind],
        f"name must not be that of a registered {kind}, which {name!r} would be as {registered}; give another",
    )
    where = Path.cwd() if folder is None else folder
    files = [where / f"{name}.py", where / f"test_{name}.py"]
    for path in files:
        require(not path.exists(), f"{path} exists already; give another name, or move it away")
    # A module of that name that is installed would be imported in place of the new one.
    require(
        importlib.util.find_spec(name) is None,
        f"name must not be that of a module that there is already, got {name!r}; give another",
    )
    facts = {
        "name": name,
        "hyphened": hyphened,
        "class_name": class_name,
        "words": name.replace("_", " ").capitalize(),
    }
    texts = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    for path, template in zip(files, (f"{kind}.py.j2", f"{kind}_test.py.j2"), strict=True):
        write_whole(path, texts.get_template(template).render(facts).encode())
    return files
