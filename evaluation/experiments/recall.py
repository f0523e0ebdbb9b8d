"""Recurrent networks against attention: which still know what they read, the longer ago it was?

Two tasks, each a prompt and questions that can be answered from the prompt.

- Copy: the prompt is a string of random symbols, which is then to be written again, symbol by symbol.
- Associative recall: the prompt is pairs of a key and a value, each pair one token and no key twice; then some of the
  keys are asked for, one after the other, and each is to be answered by its value (after Graves et al. 2014).

The distance is the prompt's length in tokens. Every network has about as many weights
between embedding and head, and is trained for as many
steps on prompts of several lengths together; longer prompts than those are measured as well. The networks with an
encoder read the prompt with it and the questions with their decoder; the others read one after the other.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from aixi.evaluation.experiments.fitting import fit
from aixi.evaluation.experiments.frame import Estimate, Tell
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.training import Schedule
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.encoder_decoder import EncoderDecoder
from aixi.predictors.neural.networks import Network, make_network
from aixi.predictors.neural.recurrent import AdditiveLSTM
from aixi.predictors.neural.threads import torch_threads

SYMBOLS = 16
"""Of the strings to copy."""
KEYS, VALUES = 64, 4
"""Of the pairs to recall."""
TRAINED = (4, 8, 16)
"""Distances that are trained at, in tokens."""
DISTANCES = (4, 8, 16, 32, 64)
"""Distances that are measured, in tokens."""
_ASKED = 16  # most keys asked for
_START = SYMBOLS  # says that copying begins
_VOCABULARY = VALUES + KEYS + KEYS * VALUES  # values, keys, pairs; the few tokens of the other task are among them
_STREAM = 1_000_000  # of what is measured, far from the streams of trainings

NETWORKS = {
    "RNN": NetworkConfig("rnn", _VOCABULARY, width=110),
    "LSTM": NetworkConfig("lstm", _VOCABULARY, width=55),
    "GRU": NetworkConfig("gru", _VOCABULARY, width=63),
    "LSTM with additive attention": NetworkConfig("additive-lstm", _VOCABULARY, width=33),
    "Transformer": NetworkConfig("transformer", _VOCABULARY, width=32, layers=2, heads=2),
    "encoder-decoder Transformer": NetworkConfig("encoder-decoder", _VOCABULARY, width=32, heads=2, hidden=96),
}
"""By the name that the figure gives them; about 24,500 weights each between embedding and head."""


class RecallRow(msgspec.Struct, kw_only=True):
    """What a network recalls at one distance.

    Attributes:
        task: "copy" or "associative recall".
        network: its name.
        parameters: number of its weights, but for those of the embedding and the head.
        distance: length of the prompt, in tokens.
        trained: whether prompts of this length were trained on.
        accuracy: share of the questions to whose answer the network gives the greatest probability of all tokens, over
            seeds. What it should have copied so far is told to it.
        chance: accuracy of a guess.
    """

    task: str
    network: str
    parameters: int
    distance: int
    trained: bool
    accuracy: Estimate
    chance: float


class RecallResult(msgspec.Struct, kw_only=True):
    """What the experiment showed.

    Attributes:
        quick: whether it was run in a small way, to see that it runs.
        seeds: of weights and data.
        networks: kinds and sizes.
        schedule: of every training.
        rows: by task, network and distance.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    quick: bool
    seeds: list[int]
    networks: dict[str, NetworkConfig]
    schedule: Schedule
    rows: list[RecallRow]
    versions: dict[str, str]
    machine: dict[str, str | int]


class Questions(NamedTuple):
    """A batch of a task.

    Attributes:
        prompt: int64[batch, distance].
        padding: bool[batch, distance], true where there is no token, at the left.
        asked: int64[batch, T], what is read after the prompt.
        answers: int64[batch, T], what is to be said after each of them.
        scored: bool[batch, T], false where nothing is asked, at the right.
    """

    prompt: NDArray[np.int64]
    padding: NDArray[np.bool_]
    asked: NDArray[np.int64]
    answers: NDArray[np.int64]
    scored: NDArray[np.bool_]

    @classmethod
    def whole(cls, prompt: NDArray[np.int64], asked: NDArray[np.int64], answers: NDArray[np.int64]) -> "Questions":
        """Returns a batch without padding."""
        return cls(prompt, np.zeros(prompt.shape, np.bool_), asked, answers, np.ones(asked.shape, np.bool_))


def copy_questions(rng: np.random.Generator, batch: int, distance: int) -> Questions:
    """Draws strings to copy.

    Example:
        >>> questions = copy_questions(np.random.default_rng(0), batch=1, distance=3)
        >>> questions.prompt.tolist(), questions.asked.tolist(), questions.answers.tolist()
        ([[13, 10, 8]], [[16, 13, 10]], [[13, 10, 8]])
    """
    prompt = rng.integers(0, SYMBOLS, (batch, distance))
    asked = np.concatenate([np.full((batch, 1), _START), prompt[:, :-1]], axis=1)
    return Questions.whole(prompt, asked, prompt)


def associative_questions(rng: np.random.Generator, batch: int, distance: int) -> Questions:
    """Draws pairs to recall."""
    keys = rng.permuted(np.broadcast_to(np.arange(KEYS), (batch, KEYS)), axis=1)[:, :distance]
    values = rng.integers(0, VALUES, (batch, distance))
    places = rng.permuted(np.broadcast_to(np.arange(distance), (batch, distance)), axis=1)[:, :_ASKED]
    asked, answers = (np.take_along_axis(each, places, axis=1) for each in (keys, values))
    return Questions.whole(VALUES + KEYS + keys * VALUES + values, VALUES + asked, answers)


Draw: TypeAlias = Callable[[np.random.Generator, int, int], Questions]
TASKS: dict[str, tuple[Draw, float]] = {
    "copy": (copy_questions, 1 / SYMBOLS),
    "associative recall": (associative_questions, 1 / VALUES),
}
"""What draws their questions, given a generator, a batch and a distance; and the accuracy of a guess."""


def joined(parts: Sequence[Questions]) -> Questions:
    """Returns batches of several lengths as one, prompts padded at the left and questions at the right."""
    longest, most = (max(getattr(part, name).shape[1] for part in parts) for name in ("prompt", "asked"))

    def left(part: Questions, array: NDArray[Any], fill: int) -> NDArray[Any]:
        return np.pad(array, ((0, 0), (longest - part.prompt.shape[1], 0)), constant_values=fill)

    def right(array: NDArray[Any]) -> NDArray[Any]:
        return np.pad(array, ((0, 0), (0, most - array.shape[1])))

    return Questions(
        np.concatenate([left(part, part.prompt, 0) for part in parts]),
        np.concatenate([left(part, part.padding, 1) for part in parts]),
        np.concatenate([right(part.asked) for part in parts]),
        np.concatenate([right(part.answers) for part in parts]),
        np.concatenate([right(part.scored) for part in parts]),
    )


def answer_logits(network: Network, questions: Questions) -> Tensor:
    """Returns logits of the answers to all questions scored, float32[scored, vocabulary]."""
    prompt, asked = torch.from_numpy(questions.prompt), torch.from_numpy(questions.asked)
    padding = torch.from_numpy(questions.padding) if questions.padding.any() else None
    if isinstance(network, EncoderDecoder | AdditiveLSTM):
        features = network(asked, network.encode(prompt, padding), memory_padding=padding)
    else:
        whole = None if padding is None else functional.pad(padding, (0, asked.shape[1]))
        features = network(torch.cat((prompt, asked), dim=1), whole)
    if isinstance(features, tuple):  # a recurrent network gives its state as well
        features = features[0]
    return network.logits(features[:, -asked.shape[1] :][torch.from_numpy(questions.scored)])


def recall(*, quick: bool = False, seed: int = 0, on_step: Tell | None = None) -> RecallResult:
    """Measures what networks recall at growing distance.

    Args:
        quick: a small run, to see that it runs.
        seed: the first of three.
        on_step: see `Tell`; the number is the loss of the latest batch, in bits.
    """
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    batch = (1 if quick else 8) * len(TRAINED)
    schedule = Schedule(steps=2 if quick else 400, batch=batch, learning_rate=5e-3, warm_up=1 if quick else 50)
    rows = []
    for task, (draw, chance) in TASKS.items():
        for name, config in NETWORKS.items():
            found = [
                _accuracies(config, schedule, draw, each, 4 if quick else 256, on_step, f"{name}, {task}")
                for each in seeds
            ]
            for place, distance in enumerate(DISTANCES):
                rows.append(
                    RecallRow(
                        task=task,
                        network=name,
                        parameters=make_network(config, 0).parameter_count - 2 * config.vocabulary * config.width,
                        distance=distance,
                        trained=distance in TRAINED,
                        accuracy=Estimate.of([accuracies[place] for accuracies in found]),
                        chance=chance,
                    )
                )
    return RecallResult(
        quick=quick,
        seeds=seeds,
        networks=NETWORKS,
        schedule=schedule,
        rows=rows,
        versions=versions(),
        machine=machine(),
    )


def _accuracies(
    config: NetworkConfig,
    schedule: Schedule,
    draw: Draw,
    seed: int,
    measured: int,
    on_step: Tell | None,
    what: str,
) -> list[float]:
    """Trains a network and returns its accuracy at each of `DISTANCES`, on so many prompts."""
    rng = np.random.default_rng(seed)
    network = make_network(config, seed)

    def loss() -> Tensor:
        questions = joined([draw(rng, schedule.batch // len(TRAINED), distance) for distance in TRAINED])
        answers = torch.from_numpy(questions.answers[questions.scored])
        return functional.cross_entropy(answer_logits(network, questions), answers)

    fit(network, schedule, loss, what, on_step)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
    accuracies = []
    with torch_threads(1), torch.no_grad():
        for distance in DISTANCES:
            questions = draw(rng, measured, distance)
            said = answer_logits(network, questions).argmax(dim=-1).numpy()
            accuracies.append(float((said == questions.answers[questions.scored]).mean()))
    return accuracies
