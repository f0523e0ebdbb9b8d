"""How fast does a small network predict, token by token, inside compiled code?

    python benchmarks/inference.py [--rounds 30]

A Transformer of 2 layers, width 64, 4 heads and hidden width 256 reads 128 tokens and predicts after each, with 256
tokens to tell apart and with 2; beside it a smaller one. It is compared with PyTorch in eager mode with a cache, batch
1, and with the same arithmetic by hand in C (`transformer_reference.c`, compiled here, checked equal). Then: sampling
roll-outs to plain forwards of as many tokens, no prediction known before; the planner's share of a search; and what a
second process adds.

What is compared runs in turns, on one thread and on processor time. The machine may be shared, and what else runs on
it only ever slows a measurement down: speeds are the best of all rounds (for PyTorch, of each token), ratios are of
these, and the median of the rounds' own ratios stands beside them. Two processes count forwards per second of their own
processor time. Writes `benchmarks/results/inference.json`.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from logged_model import replay
from logged_network import Planned
from numpy.typing import NDArray
from rich.console import Console

from aixi.agents.base import RewardRange
from aixi.agents.planning import RewardCode, RhoUCT
from aixi.evaluation.provenance import machine, versions
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import call, condition, mark, rewind, sample
from aixi.predictors.neural.attention import Cache
from aixi.predictors.neural.compiled import CompiledNetwork, compile_network
from aixi.predictors.neural.compiled_transformer import CompiledTransformer
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.history import FORWARDS, HITS
from aixi.predictors.neural.networks import make_network
from aixi.predictors.neural.sequence import forget, predict, push, restart, settle
from aixi.predictors.neural.tokens import Tokens

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "inference.json"
STEPS, SEED = 128, 0
SIZES: dict[str, dict[str, Any]] = {
    "2 layers, width 64, 256 values": {"bits": 8, "width": 64, "layers": 2},
    "2 layers, width 64, 2 values": {"bits": 1, "width": 64, "layers": 2},
    "1 layer, width 32, 2 values": {"bits": 1, "width": 32, "layers": 1},
}
MAIN = "2 layers, width 64, 256 values"
ROLLOUTS, PREFIX, CYCLES = 24, 64, 16  # roll-outs from a prefix in tokens, each so many cycles of two tokens
HORIZON, SIMULATIONS = 6, 200


def made(size: str, memo: int = 0, style: str = "transformer") -> tuple[Any, Tokens, CompiledNetwork]:
    """Returns a network of one of `SIZES`, its tokens, and the compiled one with room for `STEPS` tokens."""
    settings = SIZES[size]
    tokens = Tokens((settings["bits"],), actions=2)
    config = NetworkConfig(style, tokens.vocabulary, width=settings["width"], layers=settings["layers"])
    network = make_network(config, SEED)
    return network, tokens, compile_network(network, tokens, window=STEPS, room=STEPS, memo=memo)


@kernel
def plain(model: Any, tokens: NDArray[np.int64], count: int, out: NDArray[np.float32]) -> None:
    """Reads tokens after the first ones held and predicts after each, into float32[tokens, count]."""
    start = mark(model)
    for step in range(tokens.size):
        push(model, tokens[step])
        predict(model, 0, count, out[step])
    rewind(model, start)


@kernel
def rollouts(
    model: Any, rng: NDArray[np.uint64], words: NDArray[np.uint64], times: int, cycles: int, log: NDArray[np.int64]
) -> None:
    """Samples futures of so many cycles, and writes their percepts down."""
    start = mark(model)
    for time_ in range(times):
        for cycle in range(cycles):
            condition(model, log[0, time_, cycle])
            sample(model, rng, words)
            log[1, time_, cycle] = np.int64(words[0])
        rewind(model, start)


@kernel
def replayed(model: Any, log: NDArray[np.int64], first_action: int, count: int, out: NDArray[np.float32]) -> None:
    """Reads the futures of a log, predicting each percept."""
    start = mark(model)
    for time_ in range(log.shape[1]):
        for cycle in range(log.shape[2]):
            push(model, first_action + log[0, time_, cycle])
            predict(model, 0, count, out)
            push(model, log[1, time_, cycle])
        rewind(model, start)


def compared(sides: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Runs functions in turns.

    Returns:
        The least seconds of each, and the median over rounds of its seconds to those of the first.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for function in sides.values():
        function()  # compiles
    for turn in range(rounds):
        for name in sides if turn % 2 else reversed(sides):
            start = time.process_time()
            sides[name]()
            seconds[name].append(time.process_time() - start)
    base = next(iter(sides))
    ratios = {n: statistics.median(a / b for a, b in zip(s, seconds[base], strict=True)) for n, s in seconds.items()}
    return {name: min(each) for name, each in seconds.items()}, ratios


def forwards(size: str, library: ctypes.CDLL, rounds: int) -> dict[str, Any]:
    """Compares one token's forward: compiled, in C, and in PyTorch."""
    network, _, model = made(size)
    assert isinstance(model, CompiledTransformer)
    count = 1 << SIZES[size]["bits"]
    read = np.random.default_rng(SEED).integers(0, count, STEPS)
    out, by_hand = np.zeros((2, STEPS, count), np.float32)
    weights, keys, values = model.weights, np.zeros_like(model.keys), np.zeros_like(model.values)
    config = network.config
    sizes = [config.width, config.heads, config.layers, config.hidden_width, keys.shape[3], 0, count]
    sizes_array = np.array([*sizes, weights.attention_in.shape[2], model.sequence.head.shape[1]], np.int64)
    matrices = (weights.embedding, weights.attention_in, weights.attention_out, weights.up, weights.down)
    arrays = (sizes_array, *matrices, model.sequence.head, model.rotations, keys, values, read)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
    line = torch.from_numpy(read)[None]

    def compiled() -> None:
        call(plain, model, read, count, out)

    def c() -> None:
        library.read_tokens(*pointers, ctypes.c_long(STEPS), ctypes.c_void_p(by_hand.ctypes.data))

    @torch.inference_mode()
    def eager() -> list[float]:
        """Returns the seconds of each token."""
        cache, seconds = Cache(), []
        for step in range(STEPS):
            start = time.process_time()
            features = network(line[:, step : step + 1], cache=cache)
            eager_out[step] = network.logits(features)[0, 0, :count].softmax(dim=-1)
            seconds.append(time.process_time() - start)
        return seconds

    eager_out = torch.zeros(STEPS, count)
    c()
    compiled()
    eager()
    for name, other in (("C", by_hand), ("torch", eager_out.numpy())):
        error = float(np.abs(out - other).max())
        if error > 1e-5:
            raise SystemExit(f"{name} must say what the compiled network says, got an error of {error} at {size}")
    best, ratios = compared({"compiled": compiled, "C": c}, 10 * rounds)
    passes = []
    for _ in range(rounds):
        compiled()
        passes.append(eager())
    best["torch"] = float(np.min(passes, axis=0).sum())
    return {
        "microseconds_per_token": {name: 1e6 * seconds / STEPS for name, seconds in best.items()},
        "compiled_to_c": best["compiled"] / best["C"],
        "compiled_to_c_median": 1.0 / ratios["C"],
        "torch_to_compiled": best["torch"] / best["compiled"],
    }


def sampling(size: str, rounds: int) -> dict[str, Any]:
    """Compares sampled roll-outs with forwards over the same tokens, neither of which knows any prediction before."""
    count = 1 << SIZES[size]["bits"]
    _, tokens, model = made(size, memo=ROLLOUTS * CYCLES * 2 + 1)
    rng = np.random.default_rng(SEED)
    prefix = rng.integers(0, count, PREFIX)
    log = np.zeros((2, ROLLOUTS, CYCLES), np.int64)
    log[0] = rng.integers(0, 2, log[0].shape)
    words, out = np.zeros(1, np.uint64), np.zeros(count, np.float32)
    call(restart, model)
    for token in prefix:
        call(push, model, int(token))
    call(settle, model)

    def forgotten(function: Callable[[], None]) -> float:
        """Runs with an empty memo and returns the seconds; emptying it is no part of them."""
        call(forget, model)
        call(predict, model, 0, count, out)  # the prefix
        state = model.sequence.state
        before = int(state[FORWARDS])
        start = time.process_time()
        function()
        seconds = time.process_time() - start
        run.append(int(state[FORWARDS]) - before)
        return seconds

    run: list[int] = []
    rolled, read = [], []
    for turn in range(rounds + 1):
        state = np.array([turn], np.uint64)
        rolled.append(forgotten(lambda state=state: call(rollouts, model, state, words, ROLLOUTS, CYCLES, log)))
        read.append(forgotten(lambda: call(replayed, model, log, tokens.action_offset, count, out)))
        if run[-1] != run[-2]:
            raise SystemExit(f"both must run as many forwards, got {run[-2:]}: nothing was measured")
    rolled, read = rolled[1:], read[1:]
    each = statistics.mean(run)
    return {
        "forwards": each,
        "microseconds_per_forward": 1e6 * min(rolled) / each,
        "rollouts_to_forwards": min(rolled) / min(read),
        "rollouts_to_forwards_median": statistics.median(a / b for a, b in zip(rolled, read, strict=True)),
    }


def overhead(size: str, rounds: int) -> dict[str, Any]:
    """Returns the planner's share of a search, 1 - time of the model's calls / time of the search.

    The memo is emptied before each, so that both compute what they ask for; within a search it serves both alike.
    """
    _, tokens, network = made(size, memo=SIMULATIONS * HORIZON * 3)
    model = Planned(network, tokens)
    for token in np.random.default_rng(SEED).integers(0, 2, PREFIX):
        call(push, model.network, int(token))
    call(settle, model.network)
    bits = tokens.percept_bits
    table = np.linspace(0.0, 1.0, 1 << bits)
    code = RewardCode(np.array([0, bits], np.int64), table, np.ones(1 << bits, np.bool_))
    model.reserve(HORIZON)
    searching, replaying, hits = [], [], []
    calls = SIMULATIONS * HORIZON
    for turn in range(rounds + 2):
        seeds = np.random.SeedSequence(turn)

        def planner(seeds: np.random.SeedSequence = seeds) -> RhoUCT:
            return RhoUCT(
                2, bits, code, RewardRange.finite(*table), np.random.SeedSequence(seeds.entropy),
                horizon=HORIZON, simulations=SIMULATIONS,
            )  # fmt: skip

        model.log = (np.zeros(calls, np.int64), np.zeros(calls, np.uint64), np.zeros(1, np.int64))
        witness = planner()
        generator = witness.state_dict()["workers"][0]["model_rng"].copy()
        witness.search([model])
        actions, percepts, _ = model.log
        model.log = None
        searcher = planner()
        call(forget, model.network)
        warm = np.zeros(1 << bits, np.float32)
        call(predict, model.network, 0, 1 << bits, warm)
        before = int(model.network.sequence.state[HITS])
        start = time.process_time()
        searcher.search([model])
        between = time.process_time()
        known = int(model.network.sequence.state[HITS]) - before
        call(forget, model.network)
        call(predict, model.network, 0, 1 << bits, warm)
        words, drawn = np.zeros(1, np.uint64), np.zeros_like(percepts)
        middle = time.process_time()
        call(replay, model.network, generator, words, actions, HORIZON, drawn)
        end = time.process_time()
        if not np.array_equal(drawn, percepts):
            raise SystemExit("the replay must draw the percepts of the search, and did not: nothing was measured")
        if turn >= 2:
            searching.append(between - start)
            replaying.append(end - middle)
            hits.append(known / calls)
    return {
        "predictions_known": statistics.mean(hits),
        "search_seconds": min(searching),
        "overhead": 1.0 - min(replaying) / min(searching),
        "overhead_median": statistics.median(1.0 - b / a for a, b in zip(searching, replaying, strict=True)),
    }


def _tokens_per_second(seconds: float) -> float:
    """Samples roll-outs for a while and returns forwards per second of processor time, the best of many."""
    _, _, model = made(MAIN)
    log, words = np.zeros((2, ROLLOUTS, CYCLES), np.int64), np.zeros(1, np.uint64)
    rng, best = np.array([SEED], np.uint64), 0.0
    for _ in range(PREFIX):
        call(push, model, 0)
    call(settle, model)
    call(rollouts, model, rng, words, 1, CYCLES, log)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        before, start = int(model.sequence.state[FORWARDS]), time.process_time()
        while time.process_time() < start + 0.1:
            call(rollouts, model, rng, words, ROLLOUTS, CYCLES, log)
        best = max(best, (int(model.sequence.state[FORWARDS]) - before) / (time.process_time() - start))
    return best


def processes(rounds: int) -> dict[str, Any]:
    """Returns what two processes sample to what one does, both for as long."""
    one, two = [], []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(_tokens_per_second, [0.5, 0.5]))  # starts them, and compiles
        for _ in range(rounds):
            one.append(pool.submit(_tokens_per_second, 1.0).result())
            two.append(sum(pool.map(_tokens_per_second, [1.0, 1.0])))
    return {"one": max(one), "two": max(two), "two_to_one": max(two) / max(one)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    console = Console(width=110, highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "reference.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, "-o", built, HERE / "transformer_reference.c", "-lm"], check=True)
        record: dict[str, Any] = {"seed": SEED, "rounds": rounds, "tokens": STEPS, "sizes": SIZES}
        record["forward"] = {size: forwards(size, ctypes.CDLL(str(built)), rounds) for size in SIZES}
    for size, found in record["forward"].items():
        console.print(size, found)
    record["sampling"] = {size: sampling(size, rounds) for size in SIZES}
    for size, found in record["sampling"].items():
        console.print("roll-outs:", size, found)
    record["planner"] = {size: overhead(size, rounds) for size in SIZES}
    for size, found in record["planner"].items():
        console.print("planner:", size, found)
    record["processes"] = processes(max(rounds // 6, 3))
    console.print("processes:", record["processes"])
    wide = [size for size in SIZES if SIZES[size]["width"] == 64]
    marks: list[dict[str, Any]] = []
    for size in wide:
        found = record["forward"][size]
        marks.append({"what": f"torch to compiled, {size}", "at_least": 15, "measured": found["torch_to_compiled"]})
        marks.append({"what": f"compiled to C, {size}", "at_most": 2.2, "measured": found["compiled_to_c"]})
        ratio = record["sampling"][size]["rollouts_to_forwards"]
        marks.append({"what": f"roll-outs to forwards, {size}", "at_most": 1.3, "measured": ratio})
        share = record["planner"][size]["overhead"]
        marks.append({"what": f"planner overhead, {size}", "below": 0.1, "measured": share})
    gain = record["processes"]["two_to_one"]
    marks.append({"what": "two processes to one", "at_least": 1.8, "measured": gain})
    for each in marks:
        console.print(each)
    record |= {"marks": marks, "load_average": os.getloadavg()[0], "machine": machine(), "versions": versions()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
