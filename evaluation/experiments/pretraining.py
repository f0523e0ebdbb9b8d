"""What pre-training brings: learning in context, and a head start in an environment never seen.

In context: networks trained on variable-order Markov sources, a fresh one for every sequence, must learn each new
source from its first bits, without a change of weights ("meta-training", Ortega et al. 2019). Context tree weighting of
the sources' depth is the Bayes mixture over them, so no expected regret against the source is below its own.

Head start: the Transformer of the sources goes on to random play in many environments, and is then fine-tuned on a
short life in another one, beside one of random weights that learns from the same life by the same schedule. This is
long enough for either to begin to remember the life instead of learning from it, and the least held-out loss of each
counts: so what is told apart is what they make of the data, not who needs fewer steps.
"""

import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from aixi.evaluation.experiments.frame import Estimate, Tell
from aixi.evaluation.pretrain import pretrain
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.training import LossPoint, PretrainResult, Schedule, score
from aixi.evaluation.training_data import VOCABULARY, LifeData, SourceData, source_tokens
from aixi.predictors.ctw import ContextTreeWeighting
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import Network
from aixi.predictors.neural.sources import Sources, code_lengths

DEPTH = 3
"""Greatest depth of the sources."""
LENGTH = 128
"""Length of a sequence, in bits."""
_TIMES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128)
_STREAM = 2_000_000  # of the sources that regret is measured on, far from the streams of trainings

TRANSFORMER = NetworkConfig("transformer", VOCABULARY, width=64, layers=2, hidden=128)
LSTM = NetworkConfig("lstm", VOCABULARY, width=64)

LEARNT_FROM = (
    "aixi/CoinFlip-v0",
    "aixi/Maze1D-v0",
    "aixi/CheeseMaze-v0",
    "aixi/Grid4x4-v0",
    "aixi/Periodic-v0",
    "aixi/Copy-v0",
    "aixi/Markov3-v0",
    "aixi/ShiftRegister-v0",
    "aixi/Bandit-v0",
    "aixi/DriftingBandit-v0",
    "aixi/RiverSwim-v0",
    "aixi/TMaze-v0",
    "aixi/RepeatPrevious-v0",
    "aixi/PrisonersDilemma-v0",
    "aixi/PatternPennies-v0",
    "aixi/SwitchingCues-v0",
)
"""Environments of random play; those held out, and their variants, are not among them."""
HELD_OUT = ("aixi/Tiger-v0", "aixi/BiasedRockPaperScissors-v0", "aixi/KuhnPoker-v0")
"""Chosen before any result was seen."""


class InContext(msgspec.Struct, kw_only=True):
    """How well a network learns a new source from its first bits.

    Attributes:
        training: how it was trained.
        regret: average cumulative code length above the source's own, in bits.
        excess: the same above that of context tree weighting, in bits.
        excess_error: standard error of `excess`, over sources.
        ratio: regret over that of context tree weighting.
        ratio_low: end of its 95 % interval, over sources, paired.
        ratio_high: the other end.
        curve: average cumulative regret at the times of the result, in bits.
    """

    training: PretrainResult
    regret: float
    excess: float
    excess_error: float
    ratio: float
    ratio_low: float
    ratio_high: float
    curve: list[float]


class FineTuning(msgspec.Struct, kw_only=True):
    """What a head start is worth in one environment. Lists are by seed, code lengths in bits a percept bit.

    The held-out loss is that of another life. Of each training its least is taken, wherever that comes: this is kinder
    to whoever comes to remember the life instead of learning from it.

    Attributes:
        environment: its id.
        cycles: length of the life that was learnt from.
        untuned: held-out loss of the pre-trained network as it was.
        tuned: its least held-out loss as it was fine-tuned.
        scratch: that of a network of random weights, by the same schedule.
        difference: `tuned` less `scratch`, paired by seed.
        tuned_curve: the fine-tuning's loss curve, of the first seed.
        scratch_curve: that of the network of random weights.
    """

    environment: str
    cycles: int
    untuned: list[float]
    tuned: list[float]
    scratch: list[float]
    difference: Estimate
    tuned_curve: list[LossPoint]
    scratch_curve: list[LossPoint]


class PretrainingResult(msgspec.Struct, kw_only=True):
    """What the experiment showed.

    Attributes:
        quick: whether it was run in a small way, to see that it runs.
        seed: of everything.
        depth: of the sources and of context tree weighting.
        sources: number of held-out sources.
        times: lengths at which regret is told, in bits.
        source_bits: average code length of a sequence under its source.
        ctw_regret: average cumulative regret of context tree weighting, in bits.
        ctw_regret_error: its standard error.
        ctw_curve: the same at `times`.
        networks: by kind.
        lives: how the Transformer of the sources was trained further, on random play.
        schedule: of fine-tuning, and of learning from scratch.
        fine_tuning: by environment and length of life.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    quick: bool
    seed: int
    depth: int
    sources: int
    times: list[int]
    source_bits: float
    ctw_regret: float
    ctw_regret_error: float
    ctw_curve: list[float]
    networks: dict[str, InContext]
    lives: PretrainResult
    schedule: Schedule
    fine_tuning: list[FineTuning]
    versions: dict[str, str]
    machine: dict[str, str | int]


def pretraining(*, quick: bool = False, seed: int = 0, on_step: Tell | None = None) -> PretrainingResult:
    """Measures what pre-training brings.

    Args:
        quick: a small run within a minute, to see that it runs.
        seed: of everything.
        on_step: see `Tell`; the number is the latest held-out loss, in bits a percept bit.
    """

    def tell(what: str, schedule: Schedule) -> Callable[[int, LossPoint], None]:
        def pass_on(step: int, point: LossPoint) -> None:
            if on_step is not None:
                on_step(what, step, schedule.steps, point.held_out_bits)

        return pass_on

    count = 64 if quick else 4096
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
    bits, one = Sources.draw(rng, count, DEPTH).sample(rng, LENGTH)
    source = code_lengths(bits, one)
    ctw_regret = _ctw_bits(bits) - source
    networks, reads_sources = {}, {}
    for config, steps in ((TRANSFORMER, 8000), (LSTM, 8000)):
        schedule = Schedule(steps=3 if quick else steps, window=LENGTH, learning_rate=3e-3, seed=seed)
        trained, training = pretrain(
            SourceData(DEPTH), config, schedule, save_every=500, on_step=tell(f"{config.kind} on sources", schedule)
        )
        reads_sources[config.kind] = trained
        networks[config.kind] = _in_context(
            training, score(trained, source_tokens(bits)).reshape(bits.shape) - source, ctw_regret
        )

    cycles = dict.fromkeys(LEARNT_FROM[:2] if quick else LEARNT_FROM, 200 if quick else 5000)
    schedule = Schedule(steps=3 if quick else 1500, learning_rate=1e-3, seed=seed)
    base, lives = pretrain(
        LifeData(cycles, first_seed=seed),
        reads_sources[TRANSFORMER.kind],
        schedule,
        save_every=500,
        on_step=tell("transformer on random play", schedule),
    )
    schedule = Schedule(steps=4 if quick else 300, batch=8, learning_rate=3e-3, warm_up=20, seed=seed)
    tuning = [
        _fine_tuning(environment, length, base, schedule, range(seed, seed + (1 if quick else 4)), tell)
        for environment in (HELD_OUT[:1] if quick else HELD_OUT)
        for length in ((200,) if quick else (100, 500))
    ]
    return PretrainingResult(
        quick=quick,
        seed=seed,
        depth=DEPTH,
        sources=count,
        times=list(_TIMES),
        source_bits=float(source.sum(axis=1).mean()),
        ctw_regret=float(ctw_regret.sum(axis=1).mean()),
        ctw_regret_error=_standard_error(ctw_regret.sum(axis=1)),
        ctw_curve=_cumulative(ctw_regret),
        networks=networks,
        lives=lives,
        schedule=schedule,
        fine_tuning=tuning,
        versions=versions(),
        machine=machine(),
    )


def _ctw_bits(bits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the code lengths of context tree weighting, float64[sequences, length]."""
    rows = []
    for sequence in bits.tolist():
        predictor = ContextTreeWeighting(DEPTH)
        rows.append([predictor.update(bit) for bit in sequence])
    return np.array(rows)


def _in_context(training: PretrainResult, regret: NDArray[np.float64], ctw_regret: NDArray[np.float64]) -> InContext:
    """Compares regrets, float64[sources, length], source by source."""
    own, ctw = regret.sum(axis=1), ctw_regret.sum(axis=1)
    ratio = own.mean() / ctw.mean()
    # Of a ratio of paired means, linearised: sources that are hard for both move it little.
    half = 1.96 * _standard_error(own - ratio * ctw) / ctw.mean()
    return InContext(
        training=training,
        regret=float(own.mean()),
        excess=float((own - ctw).mean()),
        excess_error=_standard_error(own - ctw),
        ratio=float(ratio),
        ratio_low=float(ratio - half),
        ratio_high=float(ratio + half),
        curve=_cumulative(regret),
    )


def _fine_tuning(
    environment: str,
    cycles: int,
    base: Network,
    schedule: Schedule,
    seeds: range,
    tell: Callable[[str, Schedule], Callable[[int, LossPoint], None]],
) -> FineTuning:
    """Fine-tunes and learns from scratch on one life a seed."""
    curves: dict[str, list[list[LossPoint]]] = {"fine-tuned": [], "from scratch": []}
    for seed in seeds:
        # The action's labels stay: the held-out life is in the very same environment.
        data = LifeData({environment: cycles}, lives=1, first_seed=2 * seed, relabel=False)
        plan = msgspec.structs.replace(schedule, seed=seed)
        for name, start in (("fine-tuned", base), ("from scratch", base.config)):
            what = f"{name} on {cycles} cycles of {environment}"
            _, result = pretrain(data, start, plan, save_every=max(1, plan.steps // 20), on_step=tell(what, plan))
            curves[name].append(result.curve)
    tuned, scratch = ([min(point.held_out_bits for point in curve) for curve in found] for found in curves.values())
    return FineTuning(
        environment=environment,
        cycles=cycles,
        untuned=[curve[0].held_out_bits for curve in curves["fine-tuned"]],
        tuned=tuned,
        scratch=scratch,
        difference=Estimate.of(np.subtract(tuned, scratch).tolist()),
        tuned_curve=curves["fine-tuned"][0],
        scratch_curve=curves["from scratch"][0],
    )


def _cumulative(regret: NDArray[np.float64]) -> list[float]:
    """Returns the average cumulative regret at `_TIMES`, in bits."""
    total: list[float] = regret.mean(axis=0).cumsum()[np.array(_TIMES) - 1].tolist()
    return total


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(values.size)
