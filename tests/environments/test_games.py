"""Repeated games: what each opponent does, what answers it best, bad arguments."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.games.repeated_game import RepeatedGame

COOPERATE, DEFECT = 0, 1


def replies(env: Any, moves: list[int]) -> list[int]:
    """The opponent's moves against the agent's."""
    env.reset(seed=0)
    return [int(env.step(np.int64(move))[0]) for move in moves]


def test_payoffs_are_the_agents_by_its_own_move_first() -> None:
    for own, other in product((COOPERATE, DEFECT), repeat=2):
        env = RepeatedGame(payoffs=[3, 0, 5, 1], opponent=[float(other == COOPERATE)])
        env.reset(seed=0)
        observation, reward, *_ = env.step(np.int64(own))
        assert observation == other
        assert reward == {(0, 0): 3, (0, 1): 0, (1, 0): 5, (1, 1): 1}[own, other]  # Axelrod's S < P < R < T


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("aixi/PrisonersDilemma-v0", lambda own: own[-1]),
        ("aixi/TitForTwoTats-v0", lambda own: int(own[-2:] == [DEFECT, DEFECT])),
    ],
)
def test_deterministic_opponents_keep_their_rule(name: str, rule: Any) -> None:
    for moves in product((COOPERATE, DEFECT), repeat=7):
        own = [COOPERATE, COOPERATE, *moves]  # both cooperated before the first round
        assert replies(make(name), list(moves)) == [rule(own[: 2 + cycle]) for cycle in range(7)]


def cooperates(past: list[tuple[int, int]]) -> float:
    """The grim trigger that forgives a tenth of the time."""
    return 1.0 if past[-1] == (COOPERATE, COOPERATE) else 0.1


def stays_or_shifts(past: list[tuple[int, int]]) -> float:
    """Win-stay lose-shift of the player who wins where the pennies differ, kept in four of five rounds."""
    own, move = past[-1]
    following = move if own != move else 1 - move
    return 0.8 if following == 0 else 0.2


def expects_the_last_but_one(past: list[tuple[int, int]]) -> float:
    """Puts the other penny than the agent put two rounds ago, in four of five rounds."""
    return 0.8 if past[-2][0] == 1 else 0.2


def trusts(past: list[tuple[int, int]]) -> float:
    """Hunts stags with one who hunted them twice, in nine of ten rounds."""
    return 0.9 if past[-1][0] == past[-2][0] == 0 else 0.1


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("aixi/GrimTrigger-v0", cooperates),
        ("aixi/MatchingPennies-v0", stays_or_shifts),
        ("aixi/PatternPennies-v0", expects_the_last_but_one),
        ("aixi/StagHunt-v0", trusts),
    ],
)
def test_tables_of_random_opponents_say_what_their_rules_say(name: str, rule: Any) -> None:
    env: Any = make(name).unwrapped
    env.reset(seed=0)
    choices = np.random.default_rng(1)
    past = [(0, 0), (0, 0)]
    seen = set()
    for _ in range(500):
        seen.add(env.history)
        assert env.opponent[env.history] == rule(past)
        action = choices.integers(2)
        past.append((int(action), int(env.step(action)[0])))
    assert len(seen) >= len(env.opponent) - 1  # a round of the grim trigger that follows no other


def alternate(cycle: int) -> int:
    """Defects in every second round."""
    return cycle % 2


def in_pairs(cycle: int) -> int:
    """Two rounds of each move in turn."""
    return cycle // 2 % 2


@pytest.mark.parametrize(
    ("name", "player"),
    [
        ("aixi/PrisonersDilemma-v0", lambda cycle: COOPERATE),
        ("aixi/GrimTrigger-v0", lambda cycle: COOPERATE),
        ("aixi/TitForTwoTats-v0", alternate),
        ("aixi/MatchingPennies-v0", alternate),
        ("aixi/PatternPennies-v0", in_pairs),
        ("aixi/StagHunt-v0", lambda cycle: 0),
    ],
)
def test_simple_plans_reach_the_best_anchor(name: str, player: Any) -> None:
    row = ENVIRONMENTS[name]
    assert row.best is not None
    env = make(name)
    env.reset(seed=3)
    rewards = [float(env.step(np.int64(player(cycle)))[1]) for cycle in range(20_000)]
    error = np.reshape(rewards, (100, -1)).mean(1).std(ddof=1) / 10
    assert abs(np.mean(rewards) - row.best.value) <= 4 * error + 1e-9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RepeatedGame(payoffs=[1, 2, 3]), r"payoffs must be four finite numbers, got \[1, 2, 3\]"),
        (lambda: RepeatedGame(payoffs=[1, 2, 3, np.inf]), "payoffs must be four finite"),
        (lambda: RepeatedGame(opponent=[1, 1]), r"opponent must be 1, 4 or 16 probabilities, got \[1, 1\]"),
        (lambda: RepeatedGame(opponent=[1, 1, 1, 1.5]), "opponent must be 1, 4 or 16 probabilities"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
