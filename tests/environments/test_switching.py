"""Switching: when the rule changes and how often, players who find out, bad arguments."""

from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.switching.switching import Switching


def rules(env: Switching, cycles: int) -> list[int]:
    """The rule in each cycle of a life of zeros."""
    env.reset(seed=4)
    lived = []
    for _ in range(cycles):
        lived.append(env.rule)
        env.step(np.int64(0))
    return lived


def test_rule_grows_after_every_period() -> None:
    lived = rules(Switching(answers=3, period=4, probability=1.0), 40)
    assert lived == [(lived[0] + cycle // 4) % 3 for cycle in range(40)]


def test_rule_changes_at_ends_of_periods_with_the_stated_probability() -> None:
    lived = np.array(rules(Switching(period=5, probability=0.3), 50_000)).reshape(-1, 5)
    assert (lived == lived[:, :1]).all()
    changes = float(np.mean(lived[1:, 0] != lived[:-1, 0]))
    assert abs(changes - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 10_000)


def test_right_answer_is_the_cue_plus_the_rule() -> None:
    env = Switching(answers=3, cues=3, period=10, probability=1.0)
    cue, _ = env.reset(seed=5)
    pairs: set[tuple[int, int]] = set()
    for _ in range(300):
        rule = env.rule
        answer = np.int64((cue + len(pairs)) % 3)
        shown = cue
        cue, reward, *_ = env.step(answer)
        assert reward == float((answer - shown) % 3 == rule)
        pairs.add((int(shown), rule))
    assert len(pairs) == 9


def test_starts_and_cues_are_uniform() -> None:
    env = Switching(answers=3, cues=2)
    starts = [(int(env.reset(seed=seed)[0]), env.rule) for seed in range(1200)]
    counts = [starts.count((cue, rule)) for cue in range(2) for rule in range(3)]
    assert sum(counts) == 1200
    assert np.abs(np.array(counts) - 200).max() < 4 * np.sqrt(1200 * (1 / 6) * (5 / 6))


def follow(env: Any, cycles: int, seed: int) -> list[float]:
    """Rewards of a player of two answers who keeps the last rule that the rewards told."""
    cue, _ = env.reset(seed=seed)
    rule, rewards = 0, []
    for _ in range(cycles):
        answer = (int(cue) + rule) % 2
        cue, reward, *_ = env.step(np.int64(answer))
        rewards.append(float(reward))
        rule = rule if reward else 1 - rule
    return rewards


@pytest.mark.parametrize("name", ["aixi/Switching-v0", "aixi/SwitchingBlocks-v0", "aixi/SwitchingCues-v0"])
def test_keeping_what_worked_is_best(name: str) -> None:
    row = ENVIRONMENTS[name]
    env: Any = make(name).unwrapped
    assert row.best is not None
    assert row.best.value == pytest.approx(1 - env.probability / env.period, abs=1e-9)
    rewards = follow(env, 50_000, 6)
    error = np.reshape(rewards, (100, -1)).mean(1).std(ddof=1) / 10
    assert abs(np.mean(rewards) - row.best.value) < 4 * error


def test_cards_are_sorted_for_ever_once_the_first_rule_is_found() -> None:
    env: Any = make("aixi/CardSorting-v0").unwrapped
    cue, _ = env.reset(seed=7)
    offset, rewards = 0, []
    for cycle in range(300):
        cue, reward, *_ = env.step(np.int64((cue + offset + cycle // 10) % 3))
        rewards.append(reward)
        offset += not reward
    assert rewards[2:] == [1.0] * 298
    assert ENVIRONMENTS["aixi/CardSorting-v0"].best.value == 1.0  # type: ignore[union-attr]  # the row has one


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Switching(answers=1), "answers, cues, period must be at least 2, 1, 1, got 1, 1, 1"),
        (lambda: Switching(cues=0), "answers, cues, period must be"),
        (lambda: Switching(period=0), "answers, cues, period must be"),
        (lambda: Switching(probability=1.1), r"probability must be in \[0, 1\], got 1.1"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
