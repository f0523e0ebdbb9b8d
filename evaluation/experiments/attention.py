"""Multi-head, grouped-query, multi-query and latent attention: what a smaller cache costs in loss, and saves in time.

Networks of equal width are trained alike on variable-order Markov sources, a fresh source for every sequence, so that
all they can learn is to learn from what they have read (see `aixi.predictors.neural.sources`). Loss is told as bits a
sequence bit, and as the difference to multi-head attention, paired by seed: seeds share weights where shapes are equal,
and data. Speed is CPU time of one core: the compiled network, token by token, behind histories of several lengths; and
PyTorch, one token for each of many rows at a time, behind a cache.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aixi.evaluation.experiments.fitting import fit
from aixi.evaluation.experiments.frame import Estimate, Tell
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.training import Schedule, token_bits
from aixi.evaluation.training_data import VOCABULARY, SourceData
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call
from aixi.predictors.neural.attention import Cache
from aixi.predictors.neural.compiled import compile_network
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import make_network
from aixi.predictors.neural.sequence import predict, push, restart
from aixi.predictors.neural.threads import torch_threads
from aixi.predictors.neural.tokens import Tokens
from aixi.predictors.neural.transformer import Transformer

DEPTH = 3
"""Greatest depth of the sources."""
CONTEXTS = (64, 256, 1024)
"""Tokens read before those that are timed."""
ROWS = 64
"""Rows that PyTorch reads at a time."""
BATCH_CONTEXT = 256
"""Tokens in each row's cache then."""
_TIMED = 64  # tokens
_FLOAT_BYTES = 4
_CHUNK = 64  # sequences scored at a time


def _config(**sizes: int) -> NetworkConfig:
    return NetworkConfig("transformer", VOCABULARY, width=64, layers=2, heads=4, hidden=128, **sizes)


VARIANTS = {
    "multi-head": _config(),
    "grouped-query": _config(groups=2),
    "multi-query": _config(groups=1),
    "latent": _config(latent=32, rotary=8),
}
"""By name."""


class Speed(msgspec.Struct, frozen=True):
    """CPU time of one core, the least of several rounds.

    Attributes:
        context: tokens read before.
        microseconds: a token.
    """

    context: int
    microseconds: float


class AttentionRow(msgspec.Struct, kw_only=True):
    """One kind of attention.

    Attributes:
        variant: its name.
        parameters: weights of the network.
        cache_bytes: what one token leaves in the cache, all layers together.
        loss: held-out loss in bits a sequence bit, over seeds.
        difference: to multi-head attention, paired by seed, in bits a sequence bit; None for itself.
        compiled: speed of the compiled network, token by token.
        batched: microseconds a token by PyTorch, `ROWS` rows at a time, each behind a cache of `BATCH_CONTEXT` tokens.
        absorbed: the same where latent attention works on latents; None for the others.
        eager: microseconds a token by PyTorch, one row at a time, behind the same cache.
    """

    variant: str
    parameters: int
    cache_bytes: int
    loss: Estimate
    difference: Estimate | None
    compiled: list[Speed]
    batched: float
    absorbed: float | None
    eager: float


class AttentionResult(msgspec.Struct, kw_only=True):
    """What the experiment showed.

    Attributes:
        quick: whether it was run in a small way, to see that it runs.
        seeds: of weights and data.
        networks: sizes of each variant.
        depth: greatest depth of the sources.
        schedule: of every training.
        rounds: of timing; in each every variant has its turn.
        rows: the variants, multi-head first.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    quick: bool
    seeds: list[int]
    networks: dict[str, NetworkConfig]
    depth: int
    schedule: Schedule
    rounds: int
    rows: list[AttentionRow]
    versions: dict[str, str]
    machine: dict[str, str | int]


def attention(*, quick: bool = False, seed: int = 0, on_step: Tell | None = None) -> AttentionResult:
    """Trains and times the kinds of attention.

    Args:
        quick: a small run, to see that it runs.
        seed: the first of five.
        on_step: see `Tell`; the number is the loss of the latest batch in bits a bit, or microseconds a token.
    """
    seeds = list(range(seed, seed + (1 if quick else 5)))
    schedule = Schedule(steps=2 if quick else 500, batch=16, window=64, learning_rate=3e-3, warm_up=1 if quick else 50)
    rounds = 1 if quick else 5
    losses = {
        name: [_held_out_loss(config, schedule, each, on_step, name) for each in seeds]
        for name, config in VARIANTS.items()
    }
    compiled = _compiled_speeds(CONTEXTS[:1] if quick else CONTEXTS, rounds, on_step)
    batched, eager = (_torch_speeds(rows, rounds, 16 if quick else BATCH_CONTEXT) for rows in (ROWS, 1))
    first, *_ = VARIANTS
    rows = []
    for name, config in VARIANTS.items():
        network = make_network(config, 0)
        apart = [one - other for one, other in zip(losses[name], losses[first], strict=True)]
        rows.append(
            AttentionRow(
                variant=name,
                parameters=network.parameter_count,
                cache_bytes=_FLOAT_BYTES * network.cache_floats_per_token,
                loss=Estimate.of(losses[name]),
                difference=None if name == first else Estimate.of(apart),
                compiled=compiled[name],
                batched=batched[name, False],
                absorbed=batched.get((name, True)),
                eager=eager[name, config.latent > 0],
            )
        )
    return AttentionResult(
        quick=quick,
        seeds=seeds,
        networks=VARIANTS,
        depth=DEPTH,
        schedule=schedule,
        rounds=rounds,
        rows=rows,
        versions=versions(),
        machine=machine(),
    )


def _held_out_loss(config: NetworkConfig, schedule: Schedule, seed: int, on_step: Tell | None, what: str) -> float:
    rng, data = np.random.default_rng(seed), SourceData(DEPTH)
    network = make_network(config, seed)

    def loss() -> Tensor:
        stretches = data.draw(rng, schedule.batch, schedule.window)
        return token_bits(network, torch.from_numpy(stretches)).mean() * math.log(2.0)

    fit(network, schedule, loss, what, on_step)
    stretches = data.held_out(schedule.window)
    parts = np.split(stretches, range(_CHUNK, len(stretches), _CHUNK))
    with torch_threads(1), torch.no_grad():
        return float(torch.cat([token_bits(network, torch.from_numpy(part)) for part in parts]).double().mean())


@kernel
def _follow(model: Any, tokens: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Reads tokens, each after a prediction of it."""
    for token in tokens:
        predict(model, 0, out.size, out)
        push(model, token)


@kernel
def _begin(model: Any, tokens: NDArray[np.int64]) -> None:
    """Forgets all, then reads tokens, and nothing is predicted."""
    restart(model)
    for token in tokens:
        push(model, token)


def _compiled_speeds(contexts: tuple[int, ...], rounds: int, on_step: Tell | None) -> dict[str, list[Speed]]:
    """Times the compiled networks by turns."""
    tokens = np.random.default_rng(0).integers(0, 2, max(contexts) + _TIMED)
    code, out = Tokens((1,), actions=2, shared=True), np.zeros(2, np.float32)
    # Without a memo every prediction is computed.
    models = {
        name: compile_network(make_network(config, 0), code, window=tokens.size, room=_TIMED, memo=0)
        for name, config in VARIANTS.items()
    }
    least: dict[tuple[str, int], float] = {}
    for turn in range(rounds):
        for name, model in models.items():
            for context in contexts:
                call(_begin, model, tokens[:context])
                call(_follow, model, tokens[:1], out)  # computes what is to be behind it, and compiles

                def again(model: Any = model, context: int = context) -> None:
                    call(_follow, model, tokens[context : context + _TIMED], out)

                spent = _cpu_seconds(again) / _TIMED * 1e6
                least[name, context] = min(spent, least.get((name, context), math.inf))
                if on_step:
                    on_step(f"{name}, compiled", turn + 1, rounds, spent)
    return {name: [Speed(context, least[name, context]) for context in contexts] for name in models}


def _torch_speeds(rows: int, rounds: int, context: int) -> dict[tuple[str, bool], float]:
    """Times one more token of each row by turns; by variant, and by whether latents are absorbed."""
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (rows, context + 1)))
    least: dict[tuple[str, bool], float] = {}
    with torch_threads(1), torch.no_grad():
        held: dict[str, tuple[Transformer, Cache]] = {}
        for name, config in VARIANTS.items():
            network, cache = make_network(config, 0), Cache()
            assert isinstance(network, Transformer)
            network(tokens[:, :context], cache=cache)
            held[name] = network, cache
        for _ in range(rounds):
            for name, (network, cache) in held.items():
                for absorbed in (False, True) if network.config.latent else (False,):

                    def again(network: Transformer = network, cache: Cache = cache, absorbed: bool = absorbed) -> None:
                        network.logits(network(tokens[:, context:], cache=cache, absorbed=absorbed))

                    again()  # warms up
                    cache.rewind(context)
                    spent = _cpu_seconds(again) / rows * 1e6
                    cache.rewind(context)
                    least[name, absorbed] = min(spent, least.get((name, absorbed), math.inf))
    return least


def _cpu_seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
