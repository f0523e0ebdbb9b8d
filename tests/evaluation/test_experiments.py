import json
import math
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.experiments.frame import EXPERIMENTS, Estimate, find_experiment
from aixi.evaluation.experiments.law import fit_law

OURS = ("attention", "recall", "scaling", "compute")


@pytest.fixture(scope="module")
def quick():
    """Returns the quick result of an experiment, run once."""
    found = {}

    def run(name):
        if name not in found:
            told = []
            found[name] = EXPERIMENTS[name].run(quick=True, on_step=lambda *what: told.append(what)), told
        return found[name]

    return run


@pytest.mark.parametrize("name", OURS)
def test_quick_results_are_told_kept_and_drawn(name, quick):
    result, told = quick(name)
    assert result.quick
    assert told
    assert all(1 <= done <= steps for _, done, steps, *_ in told)
    content = msgspec.json.encode(result)
    assert msgspec.json.encode(EXPERIMENTS[name].load(content)) == content
    assert {"python", "numpy", "torch"} <= result.versions.keys()
    assert result.machine["processor"]
    picture = EXPERIMENTS[name].draw(result)
    assert picture.startswith(b"<?xml")
    assert picture == EXPERIMENTS[name].draw(result)  # the same numbers are the same file


def test_attention_rows(quick):
    rows = {row.variant: row for row in quick("attention")[0].rows}
    # 2 layers of width 64, 4 heads of size 16: 2 L H d, 2 L G d, 2 L d, and L (c + r) floats of 4 bytes.
    cached = {name: row.cache_bytes for name, row in rows.items()}
    assert cached == {"multi-head": 1024, "grouped-query": 512, "multi-query": 256, "latent": 320}
    assert rows["multi-head"].difference is None
    for row in rows.values():
        assert 0.5 < row.loss.mean < 1.5  # nothing learnt yet: about one bit a bit
        assert min(row.batched, row.eager, *(speed.microseconds for speed in row.compiled)) > 0
        assert (row.absorbed is None) == (row.variant != "latent")


def test_recall_answers_are_in_the_prompt():
    from aixi.evaluation.experiments.recall import KEYS, VALUES, associative_questions, copy_questions, joined

    rng = np.random.default_rng(3)
    copied = copy_questions(rng, 5, 16)
    assert copied.answers.tolist() == copied.prompt.tolist()
    assert copied.asked[:, 1:].tolist() == copied.prompt[:, :-1].tolist()
    recalled = associative_questions(rng, 5, 32)
    keys, values = np.divmod(recalled.prompt - VALUES - KEYS, VALUES)
    for row in range(5):
        pairs = dict(zip(keys[row].tolist(), values[row].tolist(), strict=True))
        assert len(pairs) == 32
        assert [pairs[key - VALUES] for key in recalled.asked[row].tolist()] == recalled.answers[row].tolist()
    both = joined([copied, copy_questions(rng, 2, 4)])
    assert both.padding.sum(axis=1).tolist() == [0] * 5 + [12] * 2
    assert both.scored.sum(axis=1).tolist() == [16] * 5 + [4] * 2
    assert both.prompt[5:, 12:].tolist() == both.answers[5:, :4].tolist()


def test_recall_joined_lengths_are_answered_as_each_alone():
    import torch

    from aixi.evaluation.experiments.recall import NETWORKS, answer_logits, copy_questions, joined
    from aixi.predictors.neural.networks import make_network
    from aixi.predictors.neural.threads import torch_threads

    rng = np.random.default_rng(0)
    parts = [copy_questions(rng, 2, distance) for distance in (3, 7)]
    for config in NETWORKS.values():
        network = make_network(config, 0)
        with torch_threads(1), torch.no_grad():
            alone = torch.cat([answer_logits(network, part) for part in parts])
            assert torch.allclose(answer_logits(network, joined(parts)), alone, atol=1e-5)


def test_recall_networks_are_of_one_size(quick):
    rows = quick("recall")[0].rows
    sizes = {row.parameters for row in rows}
    assert max(sizes) < 1.1 * min(sizes)
    assert len(rows) == len({(row.task, row.network, row.distance) for row in rows})
    assert all(0 <= row.accuracy.mean <= 1 for row in rows)


def test_the_scaling_source_has_the_entropy_that_is_told():
    from aixi.evaluation.experiments.scaling import Chain

    chain = Chain()
    lengths = chain.code_lengths(chain.sample(np.random.default_rng(0), 500, 201)).mean(axis=1)
    error = lengths.std(ddof=1) / math.sqrt(lengths.size)
    assert abs(lengths.mean() - chain.entropy) < 4 * error
    assert error < 0.01
    assert chain.entropy < chain.order_0 - 1


def test_scaling_losses_are_above_the_entropy(quick):
    result, _ = quick("scaling")
    assert all(row.loss > result.entropy for row in result.rows)
    fixed, free = result.fits
    assert (fixed.fixed, fixed.floor, fixed.floor_interval) == (True, result.entropy, None)
    assert not free.fixed


def test_the_law_is_found_as_scipy_finds_it():
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    n, d = (np.tile(grid.ravel(), 3) for grid in np.meshgrid(10.0 ** np.arange(3, 7), 10.0 ** np.arange(4, 8)))
    above = (6 / n**0.4 + 30 / d**0.5) * np.exp(0.1 * rng.standard_normal(n.size))
    found = fit_law(n, d, 0.5 + above, 0.5, fixed=True, rng=rng, resamples=50)

    def errors(p):
        return (np.exp(p[0]) * n ** -p[1] + np.exp(p[2]) * d ** -p[3]) / above - 1

    best = optimize.least_squares(errors, [2, 0.5, 3, 0.5], xtol=1e-12, ftol=1e-12).x
    assert found.alpha == pytest.approx(best[1], abs=2e-3)
    assert found.beta == pytest.approx(best[3], abs=2e-3)
    assert found.alpha_interval[0] < 0.4 < found.alpha_interval[1]
    assert found.beta_interval[0] < 0.5 < found.beta_interval[1]
    with pytest.raises(InvalidValueError, match="above the entropy"):
        fit_law(n, d, 0.5 + above, 1.0, fixed=True, rng=rng)


def test_a_frozen_model_reads_on_and_learns_nothing():
    from aixi.evaluation.experiments.thinkers import FrozenContextTreeModel
    from aixi.predictors.factored import FactoredContextTreeModel

    rng = np.random.default_rng(0)
    percepts, actions = rng.integers(0, 8, (220, 1)).astype(np.uint64), rng.integers(0, 3, 220).tolist()
    for depth in (6, 24):
        learner = FactoredContextTreeModel(3, 3, depth=depth)
        for action, words in zip(actions[:200], percepts, strict=False):
            learner.condition(action)
            learner.update(words & np.uint64(6))
        frozen = FrozenContextTreeModel(3, 3, depth=depth)
        frozen.load_state_dict(learner.state_dict())
        nodes, one_by_one = frozen.nodes, []
        for action, words in zip(actions[200:], percepts[200:], strict=True):
            twin = FactoredContextTreeModel(3, 3, depth=depth)
            twin.load_state_dict(frozen.state_dict())  # the same history and counts, but one that learns
            for model in (twin, frozen):
                model.condition(action)
            one_by_one.append(frozen.update(words))
            assert one_by_one[-1] == pytest.approx(twin.update(words), rel=1e-9)
        assert frozen.nodes == nodes
        assert len(set(one_by_one)) > 1  # it does read: what it says changes


def test_searches_without_a_tree():
    """One action earns 0.6 for sure, the other 1 or 0: the first has the greater mean, the other the best plan."""
    from aixi.agents.base import RewardRange
    from aixi.agents.models.finite import FinitePOMDP
    from aixi.agents.planning import RewardCode
    from aixi.evaluation.experiments.thinkers import FlatSearch

    chosen = {}
    steps = [[[(1.0, 0, [0])], [(0.5, 0, [1]), (0.5, 0, [2])]]]
    reward = RewardCode(np.array([0, 2], np.int64), np.array([0.6, 1.0, 0.0, 0.0]), np.array([True, True, True, False]))
    for greatest in (False, True):
        model = FinitePOMDP(2, steps, [(1.0, 0, [0])])
        model.update(np.zeros(1, np.uint64))
        search = FlatSearch(
            2,
            2,
            reward,
            RewardRange.finite(0.0, 0.6, 1.0),
            np.random.SeedSequence(0),
            horizon=1,
            simulations=1000,
            greatest=greatest,
            rule=None,
        )
        found = search.search([model])
        chosen[greatest] = found.action
        assert found.visits.sum() == found.simulations == 1000
        assert found.values[1] == (1.0 if greatest else pytest.approx(0.5, abs=0.1))
    assert chosen == {False: 0, True: 1}


def test_compute_rows(quick):
    result, _ = quick("compute")
    searches = {(row.method, row.constant) for row in result.rows}
    assert searches == {("rho-UCT", 1.0), ("flat Monte-Carlo", None), ("best of N", None)}
    assert {row.model for row in result.rows} == {"context trees", "transformer"}
    anchors, _ = result.anchors
    for row in result.rows:
        scale = anchors.best - anchors.random
        assert row.value.mean == pytest.approx((row.reward.mean - anchors.random) / scale)


def test_estimates():
    found = Estimate.of([2.0, 4.0, 6.0, 8.0])
    assert found.mean == 5.0
    assert found.high - found.mean == pytest.approx(3.182446 * math.sqrt(20 / 3 / 4), rel=1e-5)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)
    assert Estimate.of([3.0]) == Estimate(3.0, None, None, [3.0])


def test_unknown_experiment():
    with pytest.raises(UnknownNameError, match="known: attention"):
        find_experiment("atention")


def aixi(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", "from aixi.evaluation.cli import main; main()", "experiment", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
    )


def test_the_command_lists_runs_and_refuses(tmp_path):
    listed = aixi(cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert all(name in listed.stdout for name in EXPERIMENTS)
    unknown = aixi("nothing", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "known: attention" in unknown.stderr
    nowhere = aixi("scaling", "--quick", "--out", tmp_path / "none", cwd=tmp_path)
    assert nowhere.returncode == 2
    assert "make it first" in nowhere.stderr
    done = aixi("scaling", "--quick", "--seed", 3, "--out", tmp_path, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads((tmp_path / "scaling.json").read_text())
    assert (written["quick"], written["seeds"]) == (True, [3])
    assert (tmp_path / "scaling.svg").read_text().startswith("<?xml")


def test_a_figure_without_matplotlib_is_refused(monkeypatch):
    from aixi.evaluation.experiments import figures

    monkeypatch.setattr(figures.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidValueError, match=r"pip install 'aixi\[plot\]'"):
        figures.require_matplotlib()
