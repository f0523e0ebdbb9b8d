"""A scaling law: how does a Transformer's loss fall with its weights and its data, down to a known entropy?

The source is one stationary Markov chain over 64 tokens. Log-odds of the next token are a Zipf law, plus a random
matrix whose r-th direction is as strong as r^-1/2: regularities that are ever weaker, of which a network of small width
can hold only the first, and contexts that are ever rarer, which only more data shows. Such tails are what makes a power
law of a learning curve (Hutter 2021, "Learning curve theory"). The entropy rate is known exactly, from the chain's
stationary distribution.

The law is that of `aixi.evaluation.experiments.law`, in bits a token, of N weights and D tokens, each read once; it is
fitted with E held at the known entropy, and beside it with E free.
"""

import math

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from aixi.evaluation.experiments.fitting import fit
from aixi.evaluation.experiments.frame import Tell
from aixi.evaluation.experiments.law import LawFit, ProductFit, fit_law, fit_product
from aixi.evaluation.provenance import machine, versions
from aixi.evaluation.training import Schedule
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import Network, make_network
from aixi.predictors.neural.threads import torch_threads

ALPHABET = 64
"""Tokens of the source."""
WINDOW, BATCH = 32, 32
"""Tokens of a training sequence that are predicted, and sequences of a step."""
NETWORKS = {width: NetworkConfig("transformer", ALPHABET, width=width) for width in (8, 16, 32, 64)}
"""By width."""
TOKENS = tuple(2**power for power in range(15, 19))
"""Tokens that are learnt from."""
_SPREAD, _FALL = 2.5, 0.5  # standard deviation of the random log-odds; power by which their directions get weaker
_SOURCE = 20_240  # the source is the same for every seed
_BURN_IN = 16  # tokens until a chain has forgotten how it began
_ROWS = 256
_HELD_OUT_STREAM = 1_000_000


class ScalingRun(msgspec.Struct, kw_only=True):
    """One training.

    Attributes:
        width: of the network.
        parameters: N, its weights.
        tokens: D, read once each.
        seed: of weights and data.
        loss: held-out loss in bits a token: the entropy rate, plus how much longer the network's code of the held-out
            sequences is than the source's own.
    """

    width: int
    parameters: int
    tokens: int
    seed: int
    loss: float


class ScalingResult(msgspec.Struct, kw_only=True):
    """What the experiment showed.

    Attributes:
        quick: whether it was run in a small way, to see that it runs.
        seeds: of weights and data.
        entropy: of the source, in bits a token.
        order_0: entropy of a token without the one before, in bits: what a network that reads nothing would lose.
        batch: sequences of a step.
        window: tokens of a sequence.
        rows: the trainings.
        fits: with E held at the entropy, and with E free.
        product: one power of parameters times one of data, beside the law.
        versions: of Python and the packages.
        machine: system, processor and cores.
    """

    quick: bool
    seeds: list[int]
    entropy: float
    order_0: float
    batch: int
    window: int
    rows: list[ScalingRun]
    fits: list[LawFit]
    product: ProductFit
    versions: dict[str, str]
    machine: dict[str, str | int]


class Chain:
    """The source.

    Attributes:
        following: float64[ALPHABET, ALPHABET], probability of each token after each.
        entropy: rate, in bits a token.
        order_0: entropy of a token without the one before, in bits.
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(_SOURCE)
        ranks = np.arange(1, ALPHABET + 1)
        strengths = ranks**-_FALL
        before, after = rng.standard_normal((2, ALPHABET, ALPHABET))
        odds = _SPREAD / np.sqrt((strengths**2).sum()) * (before * strengths) @ after.T - np.log(ranks)
        self.following = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
        share = np.full(ALPHABET, 1.0 / ALPHABET)
        for _ in range(1000):  # to the stationary distribution
            share = share @ self.following
        self.entropy = float(-(share[:, None] * self.following * np.log2(self.following)).sum())
        self.order_0 = float(-(share * np.log2(share)).sum())

    def sample(self, rng: np.random.Generator, count: int, length: int) -> NDArray[np.int64]:
        """Draws stationary sequences, int64[count, length]."""
        cumulative = self.following.cumsum(axis=1)
        cumulative[:, -1] = 1.0  # a rounding short of 1 would leave a gap
        uniform = rng.random((_BURN_IN + length, count))
        tokens = np.zeros((_BURN_IN + length, count), np.int64)
        for time in range(1, _BURN_IN + length):
            tokens[time] = (uniform[time, :, None] >= cumulative[tokens[time - 1]]).sum(axis=1)
        return np.ascontiguousarray(tokens[_BURN_IN:].T)

    def code_lengths(self, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns code lengths of all tokens but each sequence's first, given the one before, in bits."""
        lengths: NDArray[np.float64] = -np.log2(self.following[tokens[:, :-1], tokens[:, 1:]])
        return lengths


def scaling(*, quick: bool = False, seed: int = 0, on_step: Tell | None = None) -> ScalingResult:
    """Trains networks of several sizes on data of several lengths and fits the law.

    Args:
        quick: a small run, to see that it runs.
        seed: the first of three.
        on_step: see `Tell`; the number is the loss of the latest batch, in bits.
    """
    chain = Chain()
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    lengths = (2 * BATCH * WINDOW, 8 * BATCH * WINDOW) if quick else TOKENS
    rows = []
    for each in seeds:
        for width, config in NETWORKS.items():
            for tokens in lengths:
                network = make_network(config, each)
                loss = _trained_loss(network, chain, tokens, each, 16 if quick else 2048, on_step)
                rows.append(
                    ScalingRun(width=width, parameters=network.parameter_count, tokens=tokens, seed=each, loss=loss)
                )
    parameters, tokens_read, losses = (
        [getattr(row, name) for row in rows] for name in ("parameters", "tokens", "loss")
    )
    fits = [
        fit_law(
            parameters,
            tokens_read,
            losses,
            chain.entropy,
            fixed=fixed,
            rng=np.random.default_rng(seed),
            resamples=20 if quick else 400,
        )
        for fixed in (True, False)
    ]
    return ScalingResult(
        quick=quick,
        seeds=seeds,
        entropy=chain.entropy,
        order_0=chain.order_0,
        batch=BATCH,
        window=WINDOW,
        rows=rows,
        fits=fits,
        product=fit_product(
            parameters,
            tokens_read,
            losses,
            chain.entropy,
            rng=np.random.default_rng(seed),
            resamples=20 if quick else 400,
        ),
        versions=versions(),
        machine=machine(),
    )


def _trained_loss(network: Network, chain: Chain, tokens: int, seed: int, held_out: int, on_step: Tell | None) -> float:
    rng = np.random.default_rng(seed)
    steps, width = tokens // (BATCH * WINDOW), network.config.width
    schedule = Schedule(steps=steps, learning_rate=0.06 / math.sqrt(width), warm_up=min(20, steps // 4))

    def nats(sequences: NDArray[np.int64]) -> Tensor:
        """Returns the network's code lengths of all tokens but each sequence's first, float32[all of them]."""
        read = torch.from_numpy(sequences)
        logits = network.logits(network(read[:, :-1]))
        return functional.cross_entropy(logits.flatten(0, 1), read[:, 1:].flatten(), reduction="none")

    what = f"{network.parameter_count:,} weights on {tokens:,} tokens"
    fit(network, schedule, lambda: nats(chain.sample(rng, BATCH, WINDOW + 1)).mean(), what, on_step)
    # The same sequences for every network: what is hard in them is in the source's own code as well.
    stream = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(_HELD_OUT_STREAM,)))
    sequences = chain.sample(stream, held_out, WINDOW + 1)
    with torch_threads(1), torch.no_grad():
        parts = np.split(sequences, range(_ROWS, held_out, _ROWS))
        ours = torch.cat([nats(part) for part in parts]).double().numpy() / math.log(2.0)
    return chain.entropy + float((ours - chain.code_lengths(sequences).ravel()).mean())
