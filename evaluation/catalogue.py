"""The table of environments as a page: what each is like, what is known of it, and from where."""

from collections.abc import Iterable
from typing import Any

from gymnasium import spaces

from aixi.environments import Anchor, EnvironmentRow, make
from aixi.errors import InvalidValueError
from aixi.evaluation.complexity import description_bits

_HEAD = ("environment", "what to do", "observations", "actions", "rewards", "random", "constant", "best", "K", "tags")
_MANY = 6  # rewards that are named one by one


def environment_page(rows: Iterable[EnvironmentRow]) -> str:
    """Returns a page in Markdown: a table of environments, and the sources of their anchors.

    Args:
        rows: of the environments, in the order of the table.

    Example:
        >>> from aixi.environments import ENVIRONMENTS
        >>> page = environment_page([ENVIRONMENTS["aixi/CoinFlip-v0"]])
        >>> [line for line in page.splitlines() if "CoinFlip" in line][0][:60]
        '| `aixi/CoinFlip-v0` | bet on a biased coin | Discrete(2) | '
    """
    sources: dict[str, int] = {}
    lines = [
        "# Environments",
        "",
        "Written by `aixi envs --format md` from the table of environments. *random*, *constant* and *best* are what",
        "uniformly random actions, the best constant action and the best known policy earn in the long run, per cycle",
        "or, where it says so, per episode; the number behind each tells its source. *K* is the length of the",
        "description in bits.",
        "",
        _line(_HEAD),
        _line(["---"] * 5 + ["---:"] * 4 + ["---"]),
    ]
    lines += [_line(_cells(row, sources)) for row in rows]
    lines += ["", "Sources:", ""]
    lines += [f"{number}. {source}" for source, number in sources.items()]
    return "\n".join(lines) + "\n"


def space_words(space: spaces.Space[Any]) -> str:
    """Returns a space in few words.

    Example:
        >>> space_words(spaces.Dict(image=spaces.Box(0, 255, (7, 7, 3), "uint8"), turn=spaces.Discrete(4)))
        'image: Box(7, 7, 3), turn: Discrete(4)'
    """
    match space:
        case spaces.Discrete():
            return f"Discrete({space.n})"
        case spaces.MultiDiscrete():
            return f"MultiDiscrete({', '.join(map(str, space.nvec.ravel().tolist()))})"
        case spaces.Box() | spaces.MultiBinary():
            return f"{type(space).__name__}({', '.join(map(str, space.shape or ()))})"
        case spaces.Tuple():
            return f"({', '.join(map(space_words, space.spaces))})"
        case spaces.Dict():
            return ", ".join(f"{key}: {space_words(part)}" for key, part in space.spaces.items())
    return type(space).__name__


def _cells(row: EnvironmentRow, sources: dict[str, int]) -> list[str]:
    try:
        env = make(row)
        observations, actions = space_words(env.observation_space), space_words(env.action_space)
        env.close()
        bits = f"{description_bits(row):,.0f}"
    except InvalidValueError:  # its package is not installed
        observations = actions = f"with `aixi[{row.extra}]`"
        bits = "–"
    anchors = [_anchor(row, anchor, sources) for anchor in (row.random, row.constant, row.best)]
    return [f"`{row.name}`", row.summary, observations, actions, _rewards(row), *anchors, bits, ", ".join(row.tags)]


def _rewards(row: EnvironmentRow) -> str:
    if row.rewards is not None and len(row.rewards) <= _MANY:
        return ", ".join(f"{reward:g}" for reward in row.rewards)
    return "not declared" if row.reward_range is None else f"{row.low:g} to {row.high:g}"


def _anchor(row: EnvironmentRow, anchor: Anchor | None, sources: dict[str, int]) -> str:
    if anchor is None:
        return "–"
    number = sources.setdefault(anchor.source, len(sources) + 1)
    return f"{anchor.value:.4g}{' an episode' if row.measure == 'return' else ''} ({number})"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
