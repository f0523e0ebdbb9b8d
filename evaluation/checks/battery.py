"""A battery of checks, and what each of them found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from aixi.errors import UnknownNameError

Level = Literal["error", "warning", "ok", "skipped"]

S = TypeVar("S")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name.
        level: `error`, `warning`, `ok`, or `skipped` where an earlier check must pass first.
        expected: what holds where all is well.
        seen: what was seen.
        mend: what to do about it; empty where all is well.
    """

    check: str
    level: Level
    expected: str
    seen: str
    mend: str = ""


class Mismatch(Exception):
    """Raised by a check that saw something else than it expects.

    Args:
        seen: what it saw.
        mend: what to do about it, where that is another thing than the check says by itself.
        level: `error` or `warning`.
    """

    def __init__(self, seen: str, mend: str = "", level: Level = "error") -> None:
        super().__init__(seen)
        self.seen, self.mend, self.level = seen, mend, level


@dataclass(frozen=True)
class Check(Generic[S]):
    """One check.

    Attributes:
        name: its name.
        expected: what it expects of its subject.
        mend: what to do where it is not so.
        look: looks at the subject and returns what was seen; raises `Mismatch` if that is not as expected.
        after: checks that must have passed before, without which this one would only say the same again.
    """

    name: str
    expected: str
    mend: str
    look: Callable[[S], str]
    after: tuple[str, ...]

    def __call__(self, subject: S) -> Finding:
        """Returns what the check finds; whatever the subject raises is a finding too."""
        try:
            return Finding(self.name, "ok", self.expected, self.look(subject))
        except Mismatch as found:
            return Finding(self.name, found.level, self.expected, found.seen, found.mend or self.mend)
        except (Exception, SystemExit) as error:
            return Finding(self.name, "error", self.expected, f"{type(error).__name__}: {error}", self.mend)


class Battery(Generic[S]):
    """Checks of one kind of thing, in order.

    Example:
        >>> numbers = Battery[float]()
        >>> @numbers.check("positive", "a number above 0", "change its sign")
        ... def _positive(number: float) -> str:
        ...     expect(number > 0, f"{number}")
        ...     return f"{number}"
        >>> numbers(-1.0)[0]
        Finding(check='positive', level='error', expected='a number above 0', seen='-1.0', mend='change its sign')
    """

    def __init__(self) -> None:
        self.checks: dict[str, Check[S]] = {}

    def check(
        self, name: str, expected: str, mend: str, after: Iterable[str] = ()
    ) -> Callable[[Callable[[S], str]], Callable[[S], str]]:
        """Returns a decorator that adds a function from a subject to what was seen; see `Check`."""

        def add(look: Callable[[S], str]) -> Callable[[S], str]:
            self.checks[name] = Check(name, expected, mend, look, tuple(after))
            return look

        return add

    def __call__(
        self,
        subject: S,
        names: Iterable[str] | None = None,
        on_finding: Callable[[Finding], None] | None = None,
    ) -> list[Finding]:
        """Runs the checks on a subject.

        Args:
            subject: what is checked.
            names: which checks, all if None; those that they come after are run too.
            on_finding: called with each finding as it comes.

        Raises:
            UnknownNameError: if there is no such check.
        """
        wanted = set(self.checks if names is None else names)
        for name in wanted - self.checks.keys():
            raise UnknownNameError(f"unknown check {name!r}; known: {', '.join(self.checks)}")
        for check in reversed(self.checks.values()):
            if check.name in wanted:
                wanted.update(check.after)
        passed: set[str] = set()
        findings: list[Finding] = []
        for check in self.checks.values():
            if check.name not in wanted:
                continue
            missing = [name for name in check.after if name not in passed]
            if missing:
                seen = f"not looked at: {', '.join(missing)} must pass first"
                findings.append(Finding(check.name, "skipped", check.expected, seen))
            else:
                findings.append(check(subject))
            if findings[-1].level in ("ok", "warning"):
                passed.add(check.name)
            if on_finding is not None:
                on_finding(findings[-1])
        return findings


def expect(condition: Any, seen: str, mend: str = "") -> None:
    """Raises `Mismatch` unless the condition holds."""
    if not condition:
        raise Mismatch(seen, mend)


def assert_passes(findings: Iterable[Finding]) -> None:
    """Raises AssertionError if any finding is an error; for tests.

    Example:
        >>> assert_passes([Finding("speed", "ok", "a step takes less than 10 ms", "3 us")])
    """
    wrong = [finding for finding in findings if finding.level == "error"]
    if wrong:
        told = [f"{item.check}: expected {item.expected}; seen: {item.seen}; {item.mend}" for item in wrong]
        raise AssertionError("\n".join(told))


def plain(value: Any) -> str:
    """Returns a value as Python writes it, NumPy's numbers as Python's own.

    Example:
        >>> plain(np.float64(0.5)), plain("a")
        ('0.5', "'a'")
    """
    return repr(value.item() if isinstance(value, np.generic) else value)


def same(one: Any, two: Any) -> bool:
    """Whether two states are equal in every bit: types, dtypes and NaN included; NumPy's numbers are as Python's.

    Example:
        >>> same({"a": np.zeros(2)}, {"a": np.zeros(2)}), same(np.zeros(2), np.zeros(2, np.float32)), same(1, True)
        (True, False, False)
    """
    one, two = (item.item() if isinstance(item, np.generic) else item for item in (one, two))
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    if isinstance(one, np.ndarray):
        return bool(one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes())
    return bool(one == two or (one != one and two != two))
