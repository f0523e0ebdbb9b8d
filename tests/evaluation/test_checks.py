"""The batteries: each check catches what it is for, says how to mend it, and speaks of nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gymnasium
import pytest
from broken_worlds import CAUGHT, Slow, Sound, row_of

from aixi.agents.codes import CODES, CodeSpec, SpaceCode
from aixi.agents.percepts import PerceptCodec
from aixi.environments import ENVIRONMENTS, Anchor, register
from aixi.evaluation.checks import Finding, assert_passes, check_environment
from aixi.evaluation.checks.environments import ENVIRONMENT_CHECKS
from aixi.evaluation.checks.lives import LIFE, lives_elsewhere
from aixi.evaluation.checks.play import Play
from aixi.evaluation.checks.subject import Environment

NOT_BY_CODE = {"row", "anchors"}
"""Checks that a wrong row breaks, not a wrong environment."""


@pytest.fixture(scope="module")
def lives() -> dict[str, list[str] | str]:
    """The lives of all of them in another interpreter, which is started once."""
    return lives_elsewhere({row_of(kind).name: row_of(kind) for kind in CAUGHT})


@pytest.fixture(autouse=True)
def _registered(lives: dict[str, list[str] | str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The rows of these tests are taken out of both registries afterwards: other tests go over all rows."""
    for kind in CAUGHT:
        register(row_of(kind))
    monkeypatch.setattr(
        "aixi.evaluation.checks.environments.lives_elsewhere",
        lambda rows: lives if rows.keys() <= lives.keys() else lives_elsewhere(rows),
    )
    yield
    for name in [name for name in ENVIRONMENTS._entries if name.startswith("broken/")]:
        del ENVIRONMENTS._entries[name]
        gymnasium.registry.pop(name, None)


def found(name: str, **limits: Any) -> dict[str, Finding]:
    """What the battery finds that is not well, by check."""
    findings = check_environment(name, **({"cycles": 2000} | limits))
    assert [finding.check for finding in findings] == list(ENVIRONMENT_CHECKS.checks)
    return {finding.check: finding for finding in findings if finding.level in ("error", "warning")}


@pytest.mark.parametrize("kind", CAUGHT, ids=lambda kind: kind.__name__)
def test_each_mistake_is_reported_by_one_check(kind: type[Sound]) -> None:
    wrong = found(f"broken/{kind.__name__}-v0", seconds=0.3 if kind is Slow else 20.0)
    assert list(wrong) == [CAUGHT[kind]] * bool(CAUGHT[kind])
    for finding in wrong.values():
        assert finding.expected
        assert finding.seen
        assert finding.mend


def test_every_check_has_a_mistake_that_it_catches() -> None:
    assert set(CAUGHT.values()) - {""} | NOT_BY_CODE == set(ENVIRONMENT_CHECKS.checks)


WRONG_ROWS = {
    "no tags": ({"tags": ()}, "row"),
    "no best": ({"best": None}, "row"),
    "random too high": ({"random": Anchor(0.55, "a slip")}, "anchors"),
    "constant above best": ({"constant": Anchor(0.7, "a slip")}, "anchors"),
    "best above all rewards": ({"best": Anchor(1.5, "a slip")}, "anchors"),
    "never ends": ({"episodic": True}, "ends"),
    "codes of no part": ({"codes": {"where": "uniform"}}, "coding"),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_each_wrong_row_is_reported_by_one_check(case: str) -> None:
    changes, check = WRONG_ROWS[case]
    register(replace(row_of(Sound), name="broken/Row-v0", **changes))
    assert list(found("broken/Row-v0", cycles=20_000)) == [check]


def test_an_environment_without_a_row_is_only_warned_about() -> None:
    name = "unlisted/Sound-v0"
    gymnasium.register(name, "broken_worlds:Sound")
    try:
        wrong = found(name)
    finally:
        del gymnasium.registry[name]
    assert {check: finding.level for check, finding in wrong.items()} == {"row": "warning"}


def test_codes_that_learn_are_looked_at_when_they_stand_still() -> None:
    findings = check_environment("CartPole-v1", cycles=1000, checks=["coding"])
    assert findings[-1].level == "ok"
    assert "quantiles" in findings[-1].seen


class Short(SpaceCode):
    """Declares two numbers and gives one."""

    sizes = (2, 2)
    words = "two numbers"

    def __init__(self, space: Any) -> None:
        pass

    def encode(self, member: Any) -> Iterator[int]:
        yield int(member)

    def decode(self, numbers: Iterator[int]) -> Any:
        return next(numbers)


def test_a_code_gives_as_many_numbers_as_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CODES, "_entries", dict(CODES._entries))
    CODES.register(CodeSpec("short", f"{__name__}:Short", "for a test"))
    register(replace(row_of(Sound), name="broken/Short-v0", codes={"": "short"}))
    assert check_environment("broken/Short-v0", cycles=100, checks=["coding"])[-1].level == "error"


class Unfaithful(PerceptCodec):
    """Takes each reward for 1."""

    def decode(self, words: Any) -> Any:
        observation, _, boundary = super().decode(words)
        return observation, 1.0, boundary


def test_rewards_come_back_from_their_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aixi.evaluation.checks.environments.PerceptCodec", Unfaithful)
    finding = check_environment("broken/Sound-v0", cycles=100, checks=["coding"])[-1]
    assert (finding.level, finding.seen) == ("error", "reward 0 decodes to 1")


def test_limits_hold_for_every_play() -> None:
    subject = Environment("broken/Sound-v0", cycles=70)
    assert len(subject.random_play.rewards) == len(subject.greedy_play.rewards) == 70
    assert subject.random_play.resets == 20
    assert subject.kept("ends") == "70 cycles of random play, 70 cycles of greedy play, 20 resets"


@pytest.mark.parametrize(("seconds", "cycles"), [(1e-4, LIFE), (0.02, 100), (5.0, 20)])
def test_slow_worlds_are_compared_over_shorter_lives(seconds: float, cycles: int) -> None:
    subject = Environment("broken/Sound-v0")
    subject.__dict__["random_play"] = Play(rewards=[0.0] * 50, elapsed=50 * seconds)
    assert subject.life_cycles == cycles


def test_findings_are_told_as_they_come() -> None:
    told: list[Finding] = []
    findings = check_environment("broken/Sound-v0", cycles=100, checks=["observations"], on_finding=told.append)
    assert told == findings
    told.clear()

    def stop(finding: Finding) -> None:
        told.append(finding)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_environment("broken/Sound-v0", cycles=100, on_finding=stop)
    assert [finding.check for finding in told] == ["made"]


def test_what_cannot_be_looked_at_is_said() -> None:
    findings = check_environment("broken/Raises-v0", cycles=2000, checks=["state"])
    assert {finding.check: finding.level for finding in findings} == {
        "made": "ok",
        "actions": "ok",
        "play": "error",
        "determinism": "skipped",
        "state": "skipped",
    }
    assert findings[-1].seen == "not looked at: determinism must pass first"


def test_findings_say_where_to_look() -> None:
    raised = found("broken/Raises-v0")["play"]
    assert raised.seen == "RuntimeError: the coin is lost (cycle 399, seed 1), in random play"
    assert "which is not in Discrete(2) (reset of seed 7)" in found("broken/RareStart-v0")["observations"].seen
    assert "names no function (AttributeError: " in found("broken/LostMask-v0")["masks"].seen
    raising = found("broken/RaisingMask-v0")["masks"].seen
    assert raising.startswith("the row's function raises LookupError at ")
    assert ": no such face (cycle 0, seed 1)" in raising
    bonus = found("broken/Bonus-v0")["rewards"]
    assert "among the 2 declared (cycle" in bonus.seen
    assert bonus.seen.endswith("in greedy play")
    with pytest.raises(
        AssertionError, match=r"rewards: expected each reward is one that the row declares; seen: reward"
    ):
        assert_passes([bonus])
