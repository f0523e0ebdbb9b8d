"""A person as an agent, and what a person is told that an agent is not."""

import inspect
import re
import string
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from aixi.agents.base import ActionMask, Agent, Hints, RewardRange
from aixi.agents.percepts import ActionCodec
from aixi.environments import EnvironmentRow, make
from aixi.errors import require
from aixi.evaluation.life import Leave, Life
from aixi.evaluation.terminal import ARROWS, INTERRUPT, LEAVE, Terminal
from aixi.evaluation.world import relabelling, stream
from aixi.state import State

SEE = ("numbers", "names", "world")
"""What a person is shown: what an agent gets; what the numbers mean as well; a picture of the world as well."""

_KEYS = (string.digits + string.ascii_lowercase).replace(LEAVE, "")  # of the actions, in order
_HELP = "?"
_ORDER = "an order drawn from the seed"
_TOLD = {"Action Space": "Action Space", "Observation Space": "Observation Space", "Rewards": "Rewards?"}  # headings
_MOST_NAME = 60  # characters of a name; what is longer is a sentence
_MOST_NUMBERS = 64  # of an array that is shown whole


class Left(Leave):
    """The person has left between two cycles.

    Attributes:
        interrupted: whether by Ctrl-C.
    """

    def __init__(self, *, interrupted: bool) -> None:
        super().__init__("the person has left")
        self.interrupted = interrupted


class Guide:
    """What a person is told of an environment beside the percepts.

    A picture is that of a second environment, which follows the first one action by action.

    Args:
        row: the environment's row.
        seed: seed of the life.
        relabel: whether actions are permuted, where they are discrete.
        see: what is told.

    Attributes:
        row: the row.
        see: what is told.
        permuted: whether the agent's actions are in another order than the environment's.
        actions: names of the agent's actions, in order, or what they are where they are no numbers; empty without.
        text: what the documentation says of actions, observations and rewards.

    Raises:
        InvalidValueError: if there is to be a picture, and the environment draws no text.
        UnsupportedSpaceError: if its actions cannot be numbered.
    """

    def __init__(self, row: EnvironmentRow, seed: int, relabel: bool, see: str) -> None:
        self.row, self.see = row, see
        self._env: gymnasium.Env[Any, Any] = make(row)
        self._picture = see == "world"
        if self._picture:
            drawn = "ansi" in self._env.metadata.get("render_modes", ())
            self._env.close()
            require(drawn, f"see must be names or numbers in {row.name}, which draws no text, got world")
            self._env = make(row, render_mode="ansi")
        self._seed: int | None = int(stream(seed, "environment").generate_state(1)[0])
        self._codec = ActionCodec(self._env.action_space)
        self.permuted = relabel and isinstance(self._env.action_space, spaces.Discrete)
        self._order = relabelling(seed, self._codec.count) if self.permuted else range(self._codec.count)
        self.actions: list[str] = []
        self.text = ""
        self._observations: list[str] = []
        if see != "numbers":
            documented = inspect.cleandoc(type(self._env.unwrapped).__doc__ or "")
            named = names_in(documented, "Action Space", self._env.action_space)
            self.actions = [named[index] for index in self._order] if named else []
            self._observations = names_in(documented, "Observation Space", self._env.observation_space)
            parts = [(name, _section(documented, heading)) for name, heading in _TOLD.items()]
            self.text = "\n\n".join(f"{name}\n{text}" for name, text in parts if text)
            if self.text and self.permuted:
                self.text += f"\n\nThe keys stand for these actions in {_ORDER}."
        self._discrete = isinstance(self._env.action_space, spaces.Discrete)
        if not self._discrete and self._codec.count <= len(_KEYS):
            self.actions = [self.name_of(index) for index in range(self._codec.count)]

    def name_of(self, action: int) -> str:
        """Returns what an action of the agent is called, or is, by its index; empty if its number says all."""
        if self.actions:
            return self.actions[action]
        return "" if self._discrete else _shown(self._codec.decode(action))

    def observed(self, observation: Any) -> str:
        """Returns an observation in words."""
        space = self._env.observation_space
        if self._observations and isinstance(space, spaces.Discrete):
            return f"{observation} ({self._observations[int(observation) - int(space.start)]})"
        return _shown(observation)

    def begin(self, observation: Any) -> str:
        """Returns the picture at an episode's start; empty if there is none."""
        if not self._picture:
            return ""
        return self._drawn(self._reset(), observation)

    def follow(self, action: int, observation: Any) -> str:
        """Returns the picture after an action of the agent, by its index."""
        if not self._picture:
            return ""
        return self._drawn(self._step(action)[0], observation)

    def replay(self, actions: Sequence[int]) -> str:
        """Returns the picture where a saved life has come to."""
        if not self._picture:
            return ""
        self._reset()
        for action in actions:
            _, _, terminated, truncated, _ = self._step(action)
            if terminated or truncated:
                self._reset()
        return str(self._env.render()).rstrip("\n")

    def close(self) -> None:
        """Frees what the environment holds."""
        self._env.close()

    def _reset(self) -> Any:
        seed, self._seed = self._seed, None
        return self._env.reset(seed=seed)[0]

    def _step(self, action: int) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        return self._env.step(self._codec.decode(self._order[action]))

    def _drawn(self, own: Any, observation: Any) -> str:
        if _shown(own) != _shown(observation):
            self._picture = False
            return "(no picture from here on: the environment does not follow its seed)"
        return str(self._env.render()).rstrip("\n")


class Person(Agent):
    """An agent whose actions a person types.

    Args:
        guide: what the person is told.
        terminal: where the person reads and types.

    Attributes:
        seen: the most that the person was ever told in this life, one of `SEE`.
    """

    def __init__(self, guide: Guide, terminal: Terminal) -> None:
        self._guide, self._terminal = guide, terminal
        self._actions: list[int] = []
        self._lines: list[str] = []  # what is to be shown of the cycle that has just been lived
        self._last = ""  # what was shown last, for whoever goes on
        self._picture = ""
        self._return = 0.0
        self.seen = guide.see

    def reset(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        reward_range: RewardRange,
        seed: np.random.SeedSequence,
        *,
        cycles: int | None = None,
        episodic: bool = False,
        hints: Hints | None = None,
    ) -> None:
        self._codec = ActionCodec(action_space)
        self._single = self._codec.count <= len(_KEYS)
        row, told = self._guide.row, bool(self._guide.text)
        summary = "" if self._guide.see == "numbers" else row.summary
        self._terminal.show(f"{row.name}: {summary}" if summary else row.name)
        ends = f"{LEAVE} ends" + f"   {_HELP} tells more" * told
        self._terminal.show(f"{self._legend(range(self._codec.count))}   {ends}\n")

    def begin(self, observation: Any, info: dict[str, Any]) -> None:
        self._picture = self._guide.begin(observation)
        seen = f"sees {self._guide.observed(observation)}"
        if self._lines:  # the cycle that ended the last episode is still to be shown
            self._lines.append(f"a new episode begins: {seen}")
        else:
            self._show(f"cycle 0  {seen}")

    def act(self, mask: ActionMask | None = None) -> Any:
        allowed = range(self._codec.count) if mask is None else np.flatnonzero(mask).tolist()
        if len(allowed) < self._codec.count:
            self._terminal.show(f"allowed: {self._legend(allowed)}")
        while True:
            typed = self._terminal.ask(single=self._single)
            index = self._index(typed)
            if typed in (LEAVE, INTERRUPT):
                self._terminal.show()
                raise Left(interrupted=typed == INTERRUPT)
            if typed == _HELP and self._guide.text:
                self._terminal.show(f"\n\n{self._guide.text}\n")
            elif index is None:
                what = f"type {self._key(0)} to {self._key(self._codec.count - 1)}, or {LEAVE} to end"
                self._terminal.show(f"is no action; {what}")
            elif index not in allowed:
                self._terminal.show(f"is not allowed now; allowed: {self._legend(allowed)}")
            else:
                self._terminal.show(self._guide.name_of(index))
                return self._codec.decode(index)

    def observe(self, action: Any, observation: Any, reward: float, terminated: bool, truncated: bool) -> None:
        index = self._codec.encode(action)
        self._actions.append(index)
        self._picture = self._guide.follow(index, observation)
        self._return += reward
        self._lines = [f"sees {self._guide.observed(observation)}  reward {reward:g}"]
        if terminated or truncated:
            how = "terminated" if terminated else "truncated"
            self._lines.append(f"the episode ends ({how}) with return {self._return:g}")
            self._return = 0.0

    def tell(self, life: Life) -> None:
        """Shows the cycle that has just been lived; a runner's `on_cycle`."""
        average = f"average {life.measured:.4g} a cycle"
        if life.world.row.measure == "return":
            average = f"average {life.measured:.4g} an episode" if life.episodes else f"return so far {self._return:g}"
        lines, self._lines = self._lines, []
        self._show(f"cycle {life.cycle} of {life.cycles}  {lines[0]}  {average}", *lines[1:])

    def state_dict(self) -> State:
        """Returns actions, int64[cycles], the return of the episode so far, what was shown last, and what was told."""
        return {
            "actions": np.array(self._actions, np.int64),
            "return": self._return,
            "last": self._last,
            "see": self._guide.see,
            "seen": self.seen,
        }

    def load_state_dict(self, state: State) -> None:
        """Goes on from a state, and shows what was shown last."""
        self._actions, self._return = state["actions"].tolist(), float(state["return"])
        self.seen = max(self.seen, state["seen"], key=SEE.index)
        self._picture = self._guide.replay(self._actions)
        self._show(state["last"])

    def _show(self, *lines: str) -> None:
        self._last = "\n".join(lines)
        self._terminal.show("\n".join(filter(None, (self._last, self._picture))))

    def _key(self, index: int) -> str:
        return _KEYS[index] if self._single else str(index)

    def _legend(self, actions: Sequence[int]) -> str:
        if self._guide.actions:
            return "   ".join(f"{self._key(index)} {self._guide.actions[index]}" for index in actions)
        if len(actions) == self._codec.count:
            first, last = (f"{self._key(k)} {self._guide.name_of(k)}".strip() for k in (0, self._codec.count - 1))
            return f"{first} to {last}" + " and Enter" * (not self._single) + f", in {_ORDER}" * self._guide.permuted
        return " ".join(self._key(index) for index in actions)

    def _index(self, typed: str) -> int | None:
        """Returns the action of what was typed; None if there is none."""
        if typed in ARROWS:
            of = [k for k, name in enumerate(self._guide.actions) if ARROWS[typed] in re.findall(r"\w+", name.lower())]
            return of[0] if len(of) == 1 else None
        if self._single:
            index = _KEYS.find(typed) if len(typed) == 1 else -1
        else:
            index = int(typed) if re.fullmatch("[0-9]{1,9}", typed) else -1
        return index if 0 <= index < self._codec.count else None


def names_in(documentation: str, heading: str, space: gymnasium.Space[Any]) -> list[str]:
    """Returns what a class docstring calls the values of a Discrete space, in order; empty if it does not name all.

    Names follow their numbers: in a sentence with commas or semicolons between them, in a list, or in a table.

    Example:
        >>> text = "## Action Space\\n`Discrete(3)`: 0 wait, 1 go\\nleft, 2 go right. No more."
        >>> names_in(text, "Action Space", spaces.Discrete(3))
        ['wait', 'go left', 'go right']
        >>> names_in("## Action Space\\nOne of 3 arms.", "Action Space", spaces.Discrete(3))
        []
    """
    if not isinstance(space, spaces.Discrete):
        return []
    text = re.sub(r"\n(?!\s*(?:[-*|]|\n))\s*", " ", _section(documentation, heading))  # a wrapped line is one line
    marks: list[re.Match[str]] = []
    for number in range(int(space.start), int(space.start + space.n)):
        mark = re.compile(rf"(?<![\w.{{(-]){number}(?=[\s:|])[ \t:|]*").search(text, marks[-1].end() if marks else 0)
        if mark is None:
            return []
        marks.append(mark)
    names = []
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        said = text[mark.end() : following.start() if following else None].rstrip(" \t-*|")
        if following and not said.endswith((",", ";", ".", "\n")):
            return []
        name = re.split(r"[;|\n]|\.(?:\s|$)", said, maxsplit=1)[0].strip(" \t,.*`")
        if not (name[:1].isalpha() and len(name) <= _MOST_NAME):
            return []
        names.append(name)
    return names


def _section(documentation: str, heading: str) -> str:
    """Returns the text under a heading of a class docstring, a regular expression; empty if there is none."""
    found = re.search(rf"^[ \t]*#+ {heading}[ \t]*$(.*?)(?=^[ \t]*#+ |\Z)", documentation, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def _shown(member: Any) -> str:
    """Returns a member of a space in one line.

    Example:
        >>> _shown({"where": np.array([0.25, 1.0], np.float32), "hour": np.int64(3)})
        'where [0.25 1. ], hour 3'
    """
    if isinstance(member, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in member.items())
    if isinstance(member, tuple):
        return f"({', '.join(map(_shown, member))})"
    if isinstance(member, np.ndarray):
        text = np.array2string(member, precision=4, suppress_small=True, threshold=_MOST_NUMBERS, edgeitems=2)
        shape = f" of {member.dtype}{list(member.shape)}" if member.size > _MOST_NUMBERS else ""
        return " ".join(text.split()) + shape
    return str(member)
