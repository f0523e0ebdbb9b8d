"""Judges of partial states of Countdown, trained on what random plays came to: labels, training, and how good they are.

Three kinds of supervision share their states and features. Process labels say what a state's own random completions
came to: whether any of them hit the target ("process", the hard estimate of Wang et al. 2024), or what share of them
did ("fraction", their soft estimate). An outcome label is that of one whole play which passed through the state
("outcome", Uesato et al. 2022). No label comes from knowing what can be solved.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from aixi.agents.planning.reward_model import (
    FEATURES,
    HIDDEN,
    RewardModel,
    blank,
    describe_all,
    judge_all,
    reward_model,
)
from aixi.agents.planning.thoughts import (
    MOST_CHILDREN,
    MOST_NUMBERS,
    MOST_PENDING,
    count_of,
    hits,
    solvable,
    thoughts,
)
from aixi.errors import at_least, require
from aixi.predictors.intrinsics import Integer, kernel, next_below
from aixi.predictors.neural.threads import torch_threads

SUPERVISIONS = ("process", "fraction", "outcome")
_CANDIDATES = 4
"""States of each depth that are labelled, before a problem's play goes on from one of them."""


class LabelledStates(NamedTuple):
    """Partial states of two to five numbers, met in play.

    Attributes:
        states: int64[states], packed.
        targets: int64[states].
        hits: int64[states], of `plays` random plays from the state, those that hit.
        outcomes: int64[states], whether one more play did, which makes a whole one of that which came to the state.
        plays: behind each of `hits`.
        greatest: bound on results.
    """

    states: NDArray[np.int64]
    targets: NDArray[np.int64]
    hits: NDArray[np.int64]
    outcomes: NDArray[np.int64]
    plays: int
    greatest: int

    def labels(self, supervision: str) -> NDArray[np.float32]:
        """Returns the labels of a kind of supervision, float32[states] in [0, 1]."""
        require(supervision in SUPERVISIONS, f"supervision must be one of {SUPERVISIONS}, got {supervision!r}")
        found: dict[str, NDArray[np.float64]] = {
            "process": (self.hits > 0).astype(np.float64),
            "fraction": self.hits / self.plays,
            "outcome": self.outcomes.astype(np.float64),
        }
        return found[supervision].astype(np.float32)

    def where(self, kept: NDArray[np.bool_]) -> "LabelledStates":
        """Returns the states that a mask, bool[states], keeps."""
        states, targets, found, outcomes = self.states[kept], self.targets[kept], self.hits[kept], self.outcomes[kept]
        return LabelledStates(states, targets, found, outcomes, self.plays, self.greatest)


@kernel
def _label(
    model: Any,  # not asked; its type tells compiled code from that of other kernels
    problems: NDArray[np.int64],
    targets: NDArray[np.int64],
    greatest: Integer,
    plays: Integer,
    states: NDArray[np.int64],
    wanted: NDArray[np.int64],
    found: NDArray[np.int64],
    outcomes: NDArray[np.int64],
    made: NDArray[np.int64],
    path: NDArray[np.int64],
    rng: NDArray[np.uint64],
) -> None:
    row: Integer = 0
    for problem in range(problems.size):
        state, target = problems[problem], targets[problem]
        for _ in range(count_of(state) - 2):
            count = thoughts(state, greatest, made)
            best: Integer = 0
            most: Integer = -1
            for _ in range(_CANDIDATES):
                drawn = next_below(rng, count)
                states[row], wanted[row] = made[drawn], target
                found[row] = hits(made[drawn], target, greatest, plays, rng, path)
                outcomes[row] = hits(made[drawn], target, greatest, 1, rng, path)
                # Every other problem goes on from the most promising: else few late states could be solved at all.
                if found[row] > most or problem % 2:
                    best, most = drawn, found[row]
                row += 1
            state = made[best]


def label_states(
    problems: NDArray[np.int64], targets: NDArray[np.int64], greatest: int, plays: int, rng: NDArray[np.uint64]
) -> LabelledStates:
    """Plays problems through, and labels the states that are met by random plays from them.

    Args:
        problems: int64[problems], packed states, all of one number of numbers, which is at least 3.
        targets: int64[problems].
        greatest: bound on results.
        plays: random plays behind a label, at least 1.
        rng: uint64[1].
    """
    at_least("plays", plays, 1)
    require(problems.size > 0, "labels need at least one problem, got none")
    counts = {int(count_of(problem)) for problem in problems}
    require(len(counts) == 1 and min(counts) >= 3, f"problems must share a number of numbers from 3, got {counts}")
    rows = problems.size * _CANDIDATES * (min(counts) - 2)
    states, wanted, found, outcomes = (np.zeros(rows, np.int64) for _ in range(4))
    made, path = np.zeros(MOST_CHILDREN, np.int64), np.zeros(MOST_NUMBERS, np.int64)
    _label(blank(), problems, targets, greatest, plays, states, wanted, found, outcomes, made, path, rng)
    return LabelledStates(states, wanted, found, outcomes, plays, greatest)


def train_judge(
    data: LabelledStates,
    supervision: str,
    seed: np.random.SeedSequence,
    *,
    epochs: int = 5,
    batch: int = 512,
    learning_rate: float = 5e-3,
) -> RewardModel:
    """Trains a judge by cross-entropy, with AdamW and one cycle of the learning rate (Smith & Topin 2018).

    Args:
        data: labelled states.
        supervision: which of their labels.
        seed: of the weights, and of the batches.
        epochs: passes over the data.
        batch: states a step.
        learning_rate: the greatest.
    """
    weights, order = seed.spawn(2)
    rng = np.random.default_rng(order)
    described = np.zeros((data.states.size, FEATURES), np.float32)
    describe_all(blank(), data.states, data.targets, data.greatest, described)
    inputs, labels = torch.from_numpy(described), torch.from_numpy(data.labels(supervision))
    batch = min(batch, len(inputs))
    steps = len(inputs) // batch
    with torch_threads(1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(weights.generate_state(1)[0]))
            one, two, three = nn.Linear(FEATURES, HIDDEN[0]), nn.Linear(*HIDDEN), nn.Linear(HIDDEN[1], 1)
        network = nn.Sequential(one, nn.ReLU(), two, nn.ReLU(), three)
        optimiser = torch.optim.AdamW(network.parameters(), learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, epochs * steps)
        for _ in range(epochs):
            shuffled = torch.from_numpy(rng.permutation(len(inputs)))
            for step in range(steps):
                rows = shuffled[step * batch : (step + 1) * batch]
                odds = network(inputs[rows]).squeeze(-1)
                loss = nn.functional.binary_cross_entropy_with_logits(odds, labels[rows])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch's own
                optimiser.step()
                schedule.step()
    exported: dict[str, NDArray[np.float32]] = {}
    for name, layer in (("first", one), ("second", two), ("last", three)):
        exported[name] = layer.weight.detach().numpy().T
        exported[f"{name}_bias"] = layer.bias.detach().numpy()
    exported["last"] = exported["last"][:, 0]
    return reward_model(exported)


def ranking(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float | None:
    """Returns the chance that a positive one scores above a negative one, ties half (the area under the ROC curve).

    None without both kinds.

    Example:
        >>> ranking(np.array([3, 1, 2, 1], np.float32), np.array([True, True, False, False]))
        0.625
    """
    above, below = scores[positive], np.sort(scores[~positive])
    if not above.size or not below.size:
        return None
    ranks = np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")
    return float(ranks.mean() / (2 * below.size))


def truth(data: LabelledStates) -> NDArray[np.bool_]:
    """Returns whether each state can be solved, bool[states], by trying everything; only to measure a judge by."""
    pending = np.zeros(MOST_PENDING, np.int64)
    pairs = zip(data.states, data.targets, strict=True)
    return np.array([solvable(state, target, data.greatest, pending) for state, target in pairs], np.bool_)


class Ranked(NamedTuple):
    """How well a judge ranks states of so many numbers by whether they can be solved.

    Attributes:
        judge: labels that it was trained on.
        numbers: in the states.
        solvable: share of them that can be solved.
        area: see `ranking`.
    """

    judge: str
    numbers: int
    solvable: float
    area: float | None


def rankings(judge: str, model: RewardModel, data: LabelledStates, solved: NDArray[np.bool_]) -> list[Ranked]:
    """Returns how well a judge ranks states by whether they can be solved, bool[states], for each number of numbers."""
    odds = np.zeros(data.states.size, np.float32)
    judge_all(model, data.states, data.targets, data.greatest, odds)
    counts = np.array([count_of(state) for state in data.states])
    return [
        Ranked(
            judge, count, float(solved[counts == count].mean()), ranking(odds[counts == count], solved[counts == count])
        )
        for count in np.unique(counts).tolist()
    ]
