"""Anchors of the environments of other packages: random, best constant action, best.

    python benchmarks/anchors.py [--cycles N] [NAME ...]

prints a line for each environment and writes `benchmarks/results/anchors.json`; of names given, their rows alone.
What is measured, the reward of a cycle or the return of an episode, is told by the environment's row.

* Gymnasium's toy texts: exact, by backward induction on the environment's own transition table; the table of
  Blackjack comes from running its `step` and `reset` through every card. A policy's gain is reward per episode over
  cycles per episode; the best gain is found by bisection: by renewal reward it is the cost of a cycle at which the
  best episode is worth nothing (Puterman, 1994, chapter 11). Time limits count, and the best policy may know the time.
* POPGym: exact, by counting cards.
* Everything else: random and constant are played, and a 95 % interval is told. The best constant action is chosen
  among all (of a Box five values a number) by a tenth of the cycles, and measured anew; there is none on the Atari,
  where a game may never end under one action. The best level of MiniGrid is that of a player who sees the whole
  grid; other best levels are published ones, or follow from the rules, and stand in the rows alone.
"""

import argparse
import functools
import json
import math
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import gymnasium
import numpy as np
from grid_player import shortest_way
from gymnasium.envs.toy_text.blackjack import deck, is_natural, score
from numpy.typing import NDArray
from optima import Draws, Matrix, matrix_of, processor
from scipy import special, stats

from aixi.agents.percepts import ActionCodec
from aixi.environments import EnvironmentRow, make
from aixi.environments.external import ROWS

RESULTS = Path(__file__).parent / "results" / "anchors.json"
CARDS = sorted(set(deck))
CHANCES = [deck.count(card) / len(deck) for card in CARDS]
GRIDS = 1000  # drawn for the best level of a MiniGrid
Found: TypeAlias = dict[str, float]
Decide: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # [states, actions] to [states]


class Table(NamedTuple):
    """The transitions of an environment whose state can be known.

    Attributes:
        start: float64[states], the distribution after a reset.
        rewards: float64[states, actions], expected.
        onward: CSR float64[states * actions, states]; an end leads nowhere.
        limit: cycles after which an episode is cut off; None if it is not.
    """

    start: NDArray[np.float64]
    rewards: NDArray[np.float64]
    onward: Matrix
    limit: int | None


def table_of(env: gymnasium.Env[Any, Any]) -> Table:
    """Returns the table of one of Gymnasium's toy texts that keep one."""
    inner: Any = env.unwrapped
    outcomes = [[inner.P[state][action] for action in range(len(inner.P[0]))] for state in range(len(inner.P))]
    assert env.spec is not None
    return _table(inner.initial_state_distrib, outcomes, env.spec.max_episode_steps)


def _table(start: Any, outcomes: list[list[Any]], limit: int | None) -> Table:
    """Takes outcomes (probability, next state, reward, end) by state and action."""
    rewards = np.zeros((len(outcomes), len(outcomes[0])))
    rows = []
    for state, actions in enumerate(outcomes):
        for action, possible in enumerate(actions):
            row: dict[int, float] = defaultdict(float)
            for probability, following, reward, end in possible:
                rewards[state, action] += probability * reward
                row[following] += probability * (not end)
            rows.append(row)
    return Table(np.array(start, np.float64), rewards, matrix_of(rows, len(outcomes)), limit)


class Cards(Draws):
    """Leads Blackjack through every card; equal ones are one outcome, and suits, which are for show, are not drawn."""

    def choice(self, cards: list[Any]) -> Any:
        return CARDS[self.choose(CHANCES)] if cards is deck else cards[0]


def blackjack_table(env: gymnasium.Env[Any, Any]) -> tuple[Table, list[Any]]:
    """Returns the table of Blackjack, and its states: sum, card shown, ace, and whether it is a natural."""
    game: Any = env.unwrapped
    cards = game.np_random = Cards()
    hands: dict[Any, tuple[int, list[int]]] = {}  # of each state its number, and one hand
    dealers: dict[int, dict[Any, Any]] = {}  # by the card shown, points and natural: chance and one hand of the dealer

    def state() -> int:
        key = (*game._get_obs(), is_natural(game.player))
        return hands.setdefault(key, (len(hands), list(game.player)))[0]

    start: dict[int, float] = defaultdict(float)
    for _ in cards:
        game.reset()
        start[state()] += cards.probability
    outcomes: list[list[Any]] = []
    while len(outcomes) < len(hands):
        (_, shown, *_), (_, hand) = list(hands.items())[len(outcomes)]
        sticks, hits = [], []
        if shown not in dealers:
            ended = dealers[shown] = {}
            for _ in cards:
                game.player, game.dealer = list(hand), [shown, cards.choice(deck)]
                game.step(0)
                key = score(game.dealer), is_natural(game.dealer)
                ended[key] = ended.get(key, (0.0,))[0] + cards.probability, game.dealer
        for probability, dealer in dealers[shown].values():
            game.player, game.dealer = list(hand), list(dealer)
            _, reward, *_ = game.step(0)  # the dealer has drawn already
            sticks.append((probability, 0, reward, True))
        for _ in cards:
            game.player, game.dealer = list(hand), [shown]
            _, reward, end, *_ = game.step(1)
            hits.append((cards.probability, 0 if end else state(), reward, end))
        outcomes.append([sticks, hits])
    return _table([start[number] for number in range(len(outcomes))], outcomes, None), list(hands)


def episode(table: Table, decide: Decide, cost: float = 0.0) -> float:
    """Returns the expected reward of an episode, less `cost` a cycle."""
    values = np.zeros(len(table.start))
    for _ in range(table.limit or 10**7):
        ahead = decide(table.rewards - cost + (table.onward @ values).reshape(table.rewards.shape))
        change = float(np.abs(ahead - values).max())
        values = ahead
        if change < 1e-12:
            break
    return float(table.start @ values)


def gain(table: Table, decide: Decide) -> float:
    """Returns the long-run average reward of a cycle."""
    low, high = float(table.rewards.min()), float(table.rewards.max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if episode(table, decide, middle) > 0 else (low, middle)
    return low


def ends(table: Table, action: int) -> bool:
    """Whether every episode of one action for ever comes to its end."""
    moves = table.onward[action :: table.rewards.shape[1]].toarray()
    alive = table.start > 0
    for _ in moves:
        alive = alive | (alive @ (moves > 0))
    left = moves.sum(1) < 1 - 1e-12  # states from which the end is near
    for _ in moves:
        left = left | ((moves > 0) @ left)
    return table.limit is not None or bool(left[alive].all())


def exact(row: EnvironmentRow) -> Found:
    """Returns the anchors of one of Gymnasium's toy texts; where it masks actions, of agents that keep to the mask."""
    env = make(row)
    table = blackjack_table(env)[0] if row.name.startswith("Blackjack") else table_of(env)
    allowed = np.ones(table.rewards.shape, np.bool_)
    if hasattr(env.unwrapped, "action_mask"):
        allowed = np.array([env.unwrapped.action_mask(state) for state in range(len(allowed))], np.bool_)
    measure = gain if row.measure == "reward" else episode
    shares, each = allowed / allowed.sum(1, keepdims=True), np.arange(len(allowed))
    found = {"states": len(table.start), "random": measure(table, lambda decisions: (decisions * shares).sum(1))}
    constant = []
    for action in range(allowed.shape[1]):
        taken = np.where(allowed[:, action], action, allowed.argmax(1))  # else the first that is allowed
        if not allowed.all() or ends(table, action):
            constant.append(measure(table, lambda decisions, taken=taken: decisions[each, taken]))  # type: ignore[misc]
    if constant:
        found["constant"] = max(constant)
    return found | {"best": measure(table, lambda decisions: np.where(allowed, decisions, -np.inf).max(1))}


def cards(row: EnvironmentRow) -> Found:
    """Returns the anchors of one of POPGym's easy card games: one deck of 52, four suits, two colours, 13 ranks."""
    match row.name.removeprefix("popgym-").removesuffix("Easy-v0"):
        case "CountRecall":  # how many of the j cards so far have a colour: hypergeometric
            seen = stats.hypergeom.pmf(np.arange(27)[:, None], 52, 26, np.arange(1, 52))
            right = seen.sum(1).max() / 51
            return {"random": 2 / 27 - 1, "constant": 2 * float(right) - 1, "best": 1.0}
        case "HigherLower":
            return {"random": 0.0, "constant": 0.0, "best": counting_cards()}
    return {"random": -0.5, "constant": -0.5, "best": 1.0}  # name a suit: one in four is right, whichever is named


def counting_cards() -> float:
    """Returns the expected return of HigherLower when every card seen is remembered.

    The cards to come are any of the 51 others with equal chance, so that how many of them are lower, higher or of the
    same rank follows the multivariate hypergeometric law. The lead of the likelier is earned, a 52nd for all of them.
    """
    found = 0.0
    for rank in range(13):
        lower, higher = np.arange(4 * rank + 1), np.arange(4 * (12 - rank) + 1)[:, None]
        for coming in range(1, 52):
            ways = special.comb(4 * rank, lower) * special.comb(48 - 4 * rank, higher)
            ways = ways * special.comb(3, coming - lower - higher)
            found += float((ways * abs(higher - lower)).sum() / special.comb(51, coming)) / coming
    return found / 13 / 52


class Played(NamedTuple):
    """What episodes gave: their average, half its 95 % interval, and how many they were."""

    value: float
    interval: float
    episodes: int


def interval(values: list[float]) -> Played:
    """Returns the average of independent values."""
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Played(float(np.mean(values)), float(stats.t.ppf(0.975, len(values) - 1)) * spread, len(values))


def play(row: EnvironmentRow, act: Callable[[], Any], cycles: int, seed: int) -> Played:
    """Plays whole episodes, of which the last may go beyond `cycles`, and measures their return."""
    env = make(row)
    returns: list[float] = []
    lived = 0
    while lived < cycles or len(returns) < 2:
        env.reset(seed=None if lived else seed)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(act())
            total, over, lived = total + float(reward), terminated or truncated, lived + 1
        returns.append(total)
    return interval(returns)


def measured(row: EnvironmentRow, cycles: int, seed: int) -> Found:
    """Plays uniformly random and constant actions; the latter not on the Atari, where some never end an episode."""
    space = make(row).action_space
    space.seed(seed)
    found: Found = {"cycles": cycles, "seed": seed}
    players = {"random": space.sample}
    if "atari" not in row.tags:
        codec = ActionCodec(space)
        constants = [functools.partial(codec.decode, index) for index in range(codec.count)]
        trials = [play(row, act, cycles // 10, seed + 1).value for act in constants]
        found["constant_action"] = int(np.argmax(trials))
        players["constant"] = constants[int(np.argmax(trials))]
    for name, act in players.items():
        result = play(row, act, cycles, seed)
        found |= {name: result.value, f"{name}_interval": result.interval, f"{name}_episodes": result.episodes}
    return found


def whole_grid(row: EnvironmentRow, seed: int) -> Found:
    """Measures the best level of a MiniGrid, by shortest ways."""
    game: Any = make(row).unwrapped
    actions = 6 if "DoorKey" in row.name else 3  # nothing is picked up or opened elsewhere
    returns = []
    for number in range(GRIDS):
        game.reset(seed=seed if number == 0 else None)
        game.step_count = shortest_way(game, actions)
        returns.append(float(game._reward()))
    best = interval(returns)
    return {"best": best.value, "best_interval": best.interval, "grids": best.episodes}


def anchors(row: EnvironmentRow, cycles: int, seed: int) -> Found:
    """Returns the anchors of an environment, each as exactly as can be."""
    if "toy-text" in row.tags:
        return exact(row)
    if "popgym" in row.tags:
        return cards(row)
    found = measured(row, cycles, seed)
    return found | whole_grid(row, seed) if "minigrid" in row.tags else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100_000, help="cycles played a row (default: 100000)")
    parser.add_argument("--seed", type=int, default=2026, help="of what is played (default: 2026)")
    parser.add_argument("names", nargs="*", help="rows; all if none is given")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if row.name in (arguments.names or [row.name])]
    kept = json.loads(RESULTS.read_text())["rows"] if arguments.names and RESULTS.exists() else {}
    packages = ["gymnasium", "numpy", "scipy", *sorted({row.package.replace("_", "-") for row in ROWS if row.package})]
    document = {
        "machine": platform.machine(),
        "processor": processor(),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in packages},
    }
    for row in rows:
        began = time.perf_counter()
        found = kept[row.name] = anchors(row, arguments.cycles, arguments.seed)
        text = "  ".join(f"{name} {value:.10g}" for name, value in found.items())
        print(f"{row.name:32} {text}  ({time.perf_counter() - began:.1f} s)", flush=True)
        in_order = {row.name: kept[row.name] for row in ROWS if row.name in kept}
        RESULTS.write_text(json.dumps(document | {"rows": in_order}, indent=2) + "\n")
    print(f"written to {RESULTS}")


if __name__ == "__main__":
    main()
