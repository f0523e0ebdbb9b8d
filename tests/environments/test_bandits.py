"""Bandits: payments by frequency, the optimum of the drifting one in exact fractions, bad arguments."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.bandits.bernoulli import Bernoulli
from aixi.environments.bandits.drifting import Drifting


def test_each_arm_pays_with_its_own_probability() -> None:
    env = Bernoulli((0.0, 0.25, 0.9, 1.0))
    env.reset(seed=1)
    for arm, probability in enumerate(env.probabilities):
        mean = np.mean([env.step(np.int64(arm))[1] for _ in range(10_000)])
        assert abs(mean - probability) <= 4 * np.sqrt(probability * (1 - probability) / 10_000)


def test_arms_drift_on_whether_they_are_pulled_or_not() -> None:
    env = Drifting(arms=3, switch=0.1)
    env.reset(seed=2)
    turns = np.zeros(3)
    for _ in range(20_000):
        before = env.good
        assert env.step(np.int64(1))[1] == before[1]
        turns += np.not_equal(before, env.good)
    assert np.abs(turns / 20_000 - 0.1).max() < 4 * np.sqrt(0.1 * 0.9 / 20_000)


def stay_or_leave(switch: Fraction) -> Fraction:
    """Average reward of staying with an arm that pays and leaving one that does not, of two arms.

    A spell on an arm begins knowing how good it is likely to be; it ends with the first 0. The arm left was
    last seen bad one spell ago, so that the chance of a payment at a spell's beginning hangs on the length of
    the one before, and lengths are a Markov chain. Their law: the first pull pays with some chance p, and
    each pull after a payment pays with 1 - switch.

    Let a spell last n cycles. The other arm was bad at the cycle before it began, n + 1 cycles before the next
    spell begins: it is good then with probability (1 - (1 - 2 switch)**(n + 1)) / 2. With g the stationary
    mean of (1 - 2 switch)**n, p = (1 - (1 - 2 switch) g) / 2. The spell is 1 cycle long with probability 1 - p,
    else 1 + a geometric number of cycles.
    """
    drift = 1 - 2 * switch
    # g = (1 - p) drift + p drift**2 switch / (1 - drift (1 - switch)) and p = (1 - drift g) / 2, both linear.
    longer = drift**2 * switch / (1 - drift * (1 - switch))
    g = (drift + longer) / 2 / (1 + drift * (longer - drift) / 2)
    p = (1 - drift * g) / 2
    paid = p / switch  # expected payments of a spell, each of which takes a cycle; one more cycle pays nothing
    return paid / (1 + paid)


@pytest.mark.parametrize("name", ["aixi/DriftingBandit-v0", "aixi/FastDriftingBandit-v0"])
def test_best_is_to_stay_while_it_pays(name: str) -> None:
    row = ENVIRONMENTS[name]
    assert row.best is not None
    switch = Fraction(str(make(name).unwrapped.switch))  # type: ignore[attr-defined]  # a Drifting
    assert row.best.value == pytest.approx(float(stay_or_leave(switch)), abs=1e-9)


def test_the_player_who_stays_while_it_pays_earns_that() -> None:
    env = make("aixi/DriftingBandit-v0")
    env.reset(seed=3)
    arm, rewards = 0, []
    for _ in range(100_000):
        rewards.append(float(env.step(np.int64(arm))[1]))
        arm = arm if rewards[-1] else 1 - arm
    error = np.reshape(rewards, (100, -1)).mean(1).std(ddof=1) / 10
    assert abs(np.mean(rewards) - float(stay_or_leave(Fraction(1, 20)))) < 4 * error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bernoulli([0.5]), r"probabilities must be at least two numbers in \[0, 1\], got \[0.5\]"),
        (lambda: Bernoulli([0.5, -0.5]), "probabilities must be at least two"),
        (lambda: Drifting(arms=1), "arms must be at least 2, got 1"),
        (lambda: Drifting(switch=0.0), r"switch must be in \(0, 1\), got 0.0"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
