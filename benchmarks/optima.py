"""Anchors of our own environments: random, best constant action, best known; reward per cycle, long-run average.

    python benchmarks/optima.py [--cycles N]

prints a line for each environment and writes `benchmarks/results/optima.json`. Except for Pacman, whose
game is too large, no number comes from sampling, and no rule of a game is written down here a second time:
each environment's own `step` is run through every outcome of every random draw. That gives its hidden
Markov chain. From it follow

* random and constant: the gain of that policy in the chain;
* best: value iteration over beliefs, the distributions of the hidden state given the percepts (Astrom,
  1965), with the bounds min(TV - V) <= gain <= max(TV - V) (Puterman, 1994, theorem 8.5.5).

Beliefs that agree to nine digits are one, and a state of probability below 1e-12 is given up, which makes
those of the tigers finite. Episodes of Countdown are counted by `countdown_anchors.py`;
`anchors.py` has the environments of other packages.
"""

import argparse
import itertools
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import gymnasium
import numpy as np
import scipy
from countdown_anchors import countdown
from numpy.typing import NDArray
from pacman_expert import PacmanExpert
from scipy import sparse, stats
from scipy.sparse import csgraph

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.jair.pacman import Pacman

RESULTS = Path(__file__).parent / "results" / "optima.json"
SWEEPS = 100  # of value iteration between two steps of policy iteration
Percept: TypeAlias = tuple[Any, float]
Belief: TypeAlias = dict[int, float]
Matrix: TypeAlias = Any  # a scipy sparse matrix; scipy ships no types


class Draws:
    """Stands in for an environment's generator, and leads it through every outcome one after the other."""

    def __init__(self) -> None:
        self.path: list[tuple[int, list[float]]] = []
        self.depth = 0

    def __iter__(self) -> Iterator[None]:
        """Yields once for each outcome; the caller runs the environment in between."""
        self.path = []
        while True:
            self.depth = 0
            yield
            while self.path and self.path[-1][0] + 1 == len(self.path[-1][1]):
                self.path.pop()
            if not self.path:
                return
            chosen, probabilities = self.path.pop()
            self.path.append((chosen + 1, probabilities))

    @property
    def probability(self) -> float:
        """Probability of the outcome that the environment has just been led through."""
        return float(np.prod([probabilities[chosen] for chosen, probabilities in self.path]))

    def choose(self, probabilities: list[float]) -> int:
        if self.depth == len(self.path):
            self.path.append((0, probabilities))
        self.depth += 1
        return self.path[self.depth - 1][0]

    def integers(self, count: int) -> int:
        return self.choose([1 / count] * count)

    def random(self) -> "Uniform":
        return Uniform(self)


class Uniform:
    """A uniform number in [0, 1) of which only comparisons with a threshold are asked."""

    def __init__(self, draws: Draws) -> None:
        self.draws = draws

    def __lt__(self, threshold: float) -> bool:
        if threshold in (0, 1):
            return bool(threshold)
        return self.draws.choose([threshold, 1 - threshold]) == 0


class Chain(NamedTuple):
    """An environment's hidden Markov chain.

    Attributes:
        start: the distribution of the state after a reset.
        steps: for each state and action, the outcomes (probability, next state, percept).
    """

    start: Belief
    steps: list[list[list[tuple[float, int, Percept]]]]


def _state(env: gymnasium.Env[Any, Any]) -> tuple[tuple[str, Any], ...]:
    """Whatever an environment keeps in whole numbers, truth values and lists: all that can change."""
    kept = ((name, value) for name, value in vars(env).items() if isinstance(value, int | list))
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in kept)


def percept_of(observation: Any, reward: float) -> Percept:
    """A percept that can be compared and looked up."""
    return tuple(np.ravel(observation).tolist()), reward


def chain_of(env: gymnasium.Env[Any, Any]) -> Chain:
    """Runs an environment through all that can happen in it."""
    draws = Draws()
    env.np_random = draws  # type: ignore[assignment]  # it offers what these environments ask of a generator
    numbers: dict[Any, int] = {}

    def number() -> int:
        return numbers.setdefault(_state(env), len(numbers))

    start: Belief = defaultdict(float)
    for _ in draws:
        env.reset()
        start[number()] += draws.probability
    steps: list[list[list[tuple[float, int, Percept]]]] = []
    while len(steps) < len(numbers):
        state = list(numbers)[len(steps)]
        steps.append([])
        for action in range(env.action_space.n):  # type: ignore[attr-defined]  # all of them are Discrete
            outcomes = []
            for _ in draws:
                for name, value in state:
                    setattr(env, name, list(value) if isinstance(value, tuple) else value)
                observation, reward, *_ = env.step(np.int64(action))
                percept = percept_of(observation, float(reward))
                outcomes.append((draws.probability, number(), percept))
            steps[-1].append(outcomes)
    return Chain(start, steps)


def matrix_of(rows: list[dict[int, float]], columns: int) -> Matrix:
    """Returns a CSR matrix of shape (len(rows), columns)."""
    entries = [(index, column, value) for index, row in enumerate(rows) for column, value in row.items()]
    index, column, value = zip(*entries, strict=True)
    return sparse.csr_matrix((value, (index, column)), shape=(len(rows), columns))


def evaluate(following: Matrix, rewards: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]] | None:
    """Solves bias + gain = rewards + following @ bias (Puterman, 1994, equation 8.2.9) for one policy's chain.

    Args:
        following: float64[states, states], CSR.
        rewards: float64[states], expected reward of the next cycle.

    Returns:
        The gain and the bias, float64[states], with bias[0] = 0; None if the chain can end in several classes.
    """
    moves = following.copy()
    moves.eliminate_zeros()
    count, classes = csgraph.connected_components(moves, connection="strong")
    origins, ends = moves.nonzero()
    left = classes[origins[classes[origins] != classes[ends]]]
    if count - len(np.unique(left)) != 1:
        return None
    # The bias of state 0 is none of the unknowns: its place is the gain's.
    system = sparse.eye_array(len(rewards)).tocsc() - moves.tocsc()
    system = sparse.hstack([np.ones((len(rewards), 1)), system[:, 1:]]).tocsc()
    solution = sparse.linalg.spsolve(system, rewards)
    return float(solution[0]), np.concatenate([[0.0], solution[1:]])


def gain_of(chain: Chain, policy: NDArray[np.float64]) -> float:
    """Long-run average reward of choosing each action with a fixed probability, whatever is seen.

    Args:
        policy: float64[actions].
    """
    rows: list[dict[int, float]] = []
    rewards = np.zeros(len(chain.steps))
    for state, actions in enumerate(chain.steps):
        row: dict[int, float] = defaultdict(float)
        for weight, outcomes in zip(policy, actions, strict=True):
            for probability, following, (_, reward) in outcomes:
                row[following] += weight * probability
                rewards[state] += weight * probability * reward
        rows.append(row)
    following = matrix_of(rows, len(rows))
    solved = evaluate(following, rewards)
    if solved is not None:
        return solved[0]
    backwards = following.T.tocsr()
    now = np.zeros(len(rows))
    now[list(chain.start)] = list(chain.start.values())
    change = 1.0
    while change > 1e-15:
        # Half a step: the same limit without periods, which is the limit of the averages.
        then = (now + backwards @ now) / 2
        change = float(np.abs(then - now).max())
        now = then
    return float(now @ rewards)


class Beliefs(NamedTuple):
    """The decision process over beliefs; row `belief * actions + action` of its arrays is one decision."""

    actions: int
    following: Matrix
    rewards: NDArray[np.float64]
    after: list[dict[Percept, int]]  # the belief that follows each percept; the first belief is that of a reset


def beliefs_of(chain: Chain) -> Beliefs:
    """Follows every belief that some sequence of actions and percepts leads to."""
    numbers: dict[tuple[tuple[int, str], ...], int] = {}
    beliefs: list[Belief] = []

    def number(masses: Belief) -> int:
        total = sum(masses.values())
        belief = {state: mass / total for state, mass in sorted(masses.items()) if mass / total > 1e-12}
        key = tuple((state, f"{mass:.9g}") for state, mass in belief.items())
        if key not in numbers:
            numbers[key] = len(beliefs)
            beliefs.append(belief)  # in full precision, lest roundings add up and tell equal beliefs apart
        return numbers[key]

    number(chain.start)
    rows: list[dict[int, float]] = []
    rewards: list[float] = []
    after: list[dict[Percept, int]] = []
    for belief in beliefs:  # which grows meanwhile
        for action in range(len(chain.steps[0])):
            masses: dict[Percept, Belief] = defaultdict(lambda: defaultdict(float))
            for state, weight in belief.items():
                for probability, following, percept in chain.steps[state][action]:
                    masses[percept][following] += weight * probability
            after.append({percept: number(posterior) for percept, posterior in masses.items()})
            row: dict[int, float] = defaultdict(float)
            for percept, posterior in masses.items():
                row[after[-1][percept]] += sum(posterior.values())
            rows.append(row)
            rewards.append(sum(sum(mass.values()) * reward for (_, reward), mass in masses.items()))
    return Beliefs(len(chain.steps[0]), matrix_of(rows, len(beliefs)), np.array(rewards), after)


def best_gain(beliefs: Beliefs, tolerance: float = 1e-10) -> tuple[float, NDArray[np.int64]]:
    """Returns the greatest long-run average reward, and a best action for each belief, by value iteration.

    Now and then the values are replaced by the bias of the policy that is best by them, which is policy iteration:
    long periods make value iteration alone slow. The bounds hold for any values.
    """
    values = np.zeros(beliefs.following.shape[1])
    low, high = -np.inf, np.inf
    for sweep in itertools.count(1):
        decisions = (beliefs.rewards + beliefs.following @ values).reshape(-1, beliefs.actions)
        ahead = decisions.max(1)
        low, high = float((ahead - values).min()), float((ahead - values).max())
        if high - low <= tolerance:
            break
        values = (values + ahead) / 2  # half a step, as above
        values -= values[0]
        if sweep % SWEEPS == 0:
            chosen = np.arange(len(values)) * beliefs.actions + decisions.argmax(1)
            solved = evaluate(beliefs.following[chosen], beliefs.rewards[chosen])
            values = values if solved is None else solved[1]
    return (low + high) / 2, decisions.argmax(1)


def exact(env: gymnasium.Env[Any, Any]) -> dict[str, float]:
    """Anchors of a continuing environment whose beliefs can all be listed."""
    chain = chain_of(env)
    beliefs = beliefs_of(chain)
    count = beliefs.actions
    best, _ = best_gain(beliefs)
    return {
        "random": gain_of(chain, np.full(count, 1 / count)),
        "constant": max(gain_of(chain, row) for row in np.eye(count)),
        "best": best,
        "states": len(chain.steps),
        "beliefs": beliefs.following.shape[1],
    }


def simulate(act: Callable[[Pacman], int], cycles: int, seed: int) -> tuple[float, float]:
    """Returns the average reward of a player of Pacman and half its 95 % interval, from a hundred batches."""
    game = Pacman()
    game.reset(seed=seed)
    rewards = np.array([game.step(np.int64(act(game)))[1] for _ in range(cycles)])
    batches = rewards.reshape(100, -1).mean(1)
    return float(rewards.mean()), float(stats.t.ppf(0.975, 99) * batches.std(ddof=1) / 10)


def always(action: int) -> Callable[[Pacman], int]:
    """A player that takes one action for ever."""
    return lambda game: action


def pacman(cycles: int, seed: int) -> dict[str, float]:
    """Anchors of Pacman, by simulation."""
    choices = np.random.default_rng(seed + 1)
    random = simulate(lambda game: int(choices.integers(4)), cycles, seed)
    constant = max(simulate(always(action), cycles, seed) for action in range(4))
    best = simulate(PacmanExpert().act, cycles, seed)
    row: dict[str, float] = {"cycles": cycles, "seed": seed}
    for name, (value, interval) in {"random": random, "constant": constant, "best": best}.items():
        row |= {name: value, f"{name}_interval": interval}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=200_000, help="cycles a player of Pacman (default: 200000)")
    parser.add_argument("--seed", type=int, default=2011, help="of Pacman's simulations (default: 2011)")
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    for row in ENVIRONMENTS:
        if not row.entry_point.startswith("aixi."):
            continue  # see anchors.py
        began = time.perf_counter()
        if row.name == "aixi/Pacman-v0":
            results[row.name] = pacman(arguments.cycles, arguments.seed)
        elif row.episodic:
            results[row.name] = countdown(make(row.name).unwrapped)
        else:
            results[row.name] = exact(make(row.name).unwrapped)
        text = "  ".join(f"{name} {value:.10g}" for name, value in results[row.name].items())
        print(f"{row.name:32} {text}  ({time.perf_counter() - began:.1f} s)", flush=True)
    versions = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    versions["gymnasium"] = gymnasium.__version__
    document = {
        "machine": platform.machine(),
        "processor": processor(),
        "versions": versions,
        "rows": results,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {RESULTS}")


def processor() -> str:
    """Name of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
