"""Anchors again from the environments' transitions, and policies that reach them."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.jair.extended_tiger import ExtendedTiger

Player = Iterator[int]

OURS = [row for row in ENVIRONMENTS if row.entry_point.startswith("aixi.")]
LISTED = [row.name for row in OURS if not row.episodic and row.name != "aixi/Pacman-v0"]


@pytest.fixture(scope="module")
def optima() -> Any:
    """The script that computes the anchors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        yield importlib.import_module("optima")


@pytest.mark.parametrize("name", LISTED)
def test_anchors_follow_from_the_transitions_and_are_reached(optima: Any, name: str) -> None:
    row = ENVIRONMENTS[name]
    env = make(name).unwrapped
    chain = optima.chain_of(env)
    beliefs = optima.beliefs_of(chain)
    gain, policy = optima.best_gain(beliefs)
    count = beliefs.actions
    assert gain == pytest.approx(row.best.value, abs=1e-8)
    assert optima.gain_of(chain, np.full(count, 1 / count)) == pytest.approx(row.random.value, abs=1e-8)
    constant = max(optima.gain_of(chain, actions) for actions in np.eye(count))
    assert constant == pytest.approx(row.constant.value, abs=1e-8)

    # The best policy sees percepts only, in an environment that draws its own luck.
    env = make(name)
    env.reset(seed=6)
    belief = 0
    rewards = []
    for _ in range(20_000):
        action = int(policy[belief])
        observation, reward, *_ = env.step(np.int64(action))
        rewards.append(float(reward))
        belief = beliefs.after[belief * count + action][optima.percept_of(observation, float(reward))]
    assert abs(np.mean(rewards) - gain) < 4 * standard_error(rewards)


def test_free_listening_is_worth_what_peers_report(optima: Any) -> None:
    peer = ExtendedTiger(listen_reward=0.0, invalid_reward=-100.0)
    gain, _ = optima.best_gain(optima.beliefs_of(optima.chain_of(peer)))
    assert gain == pytest.approx(5.352, abs=5e-4)


def standard_error(rewards: list[float]) -> float:
    """Of the mean, from a hundred batches; at least what one reward of 1 more or less would make."""
    batches = np.array(rewards).reshape(100, -1).mean(1)
    return max(float(batches.std(ddof=1)) / 10, 1 / len(rewards))


def heads() -> Player:
    """Bets on heads for ever."""
    while True:
        yield 1


def walk(*moves: int) -> Callable[[], Any]:
    """Walks a blind way, again from its beginning after each reward."""

    def player() -> Any:
        while True:
            for move in moves:
                _, reward = yield move
                if reward:
                    break

    return player


def tiger() -> Any:
    """Listens until one side was heard twice more often than the other, then opens the other door."""
    while True:
        net = 0
        while abs(net) < 2:
            heard, _ = yield 0
            net += 1 if heard == 1 else -1
        yield 2 if net > 0 else 1


def extended_tiger() -> Any:
    """As above, and stands up before it opens."""
    while True:
        net = 0
        while abs(net) < 2:
            heard, _ = yield 0
            net += 1 if heard == 1 else -1
        yield 3
        yield 2 if net > 0 else 1


def rock_paper_scissors() -> Any:
    """Offers scissors until a rock beats them, then answers the next rock with paper."""
    while True:
        move, _ = yield 2
        if move == 0:
            yield 1


def kuhn_poker() -> Any:
    """Bets or answers with a king, answers with a queen never, gives a jack away."""
    card, _ = 0, 0
    while True:
        (card, _), _ = yield int(card == 2)


@pytest.mark.parametrize(
    ("name", "player"),
    [
        ("aixi/CoinFlip-v0", heads),
        ("aixi/Maze1D-v0", walk(1, 1, 0)),
        ("aixi/Grid4x4-v0", walk(2, 3, 3, 2, 2, 3)),
        ("aixi/Tiger-v0", tiger),
        ("aixi/ExtendedTiger-v0", extended_tiger),
        ("aixi/BiasedRockPaperScissors-v0", rock_paper_scissors),
        ("aixi/KuhnPoker-v0", kuhn_poker),
    ],
)
def test_policies_written_by_hand_reach_the_best_anchor(name: str, player: Callable[[], Any]) -> None:
    env = make(name)
    env.reset(seed=7)
    playing = player()
    action = next(playing)
    rewards = []
    for _ in range(50_000):
        observation, reward, *_ = env.step(np.int64(action))
        rewards.append(float(reward))
        action = playing.send((observation, float(reward))) if player is not heads else 1
    assert abs(np.mean(rewards) - ENVIRONMENTS[name].best.value) < 4 * standard_error(rewards)
