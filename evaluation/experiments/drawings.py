"""Figures of experiments, one function each: a result in, SVG out."""

import math
from typing import TYPE_CHECKING

from aixi.evaluation.experiments.figures import COLOURS, figure, level, line, powers_of_two
from aixi.evaluation.experiments.frame import Estimate

if TYPE_CHECKING:
    from aixi.evaluation.experiments.attention import AttentionResult
    from aixi.evaluation.experiments.compute import ComputeResult
    from aixi.evaluation.experiments.countdown import CountdownResult
    from aixi.evaluation.experiments.pretraining import PretrainingResult
    from aixi.evaluation.experiments.recall import RecallResult
    from aixi.evaluation.experiments.scaling import ScalingResult


def draw_attention(result: "AttentionResult") -> bytes:
    """Draws loss against cache, compiled speed against history, and PyTorch's speed."""
    with figure(3, width=4.6) as drawn:
        loss, compiled, batched = drawn.axes
        for place, row in enumerate(result.rows):
            line(loss, [row.cache_bytes], [row.loss], place, row.variant)
            speeds = [_point(speed.microseconds) for speed in row.compiled]
            line(compiled, [speed.context for speed in row.compiled], speeds, place, row.variant)
        powers_of_two(loss, sorted({2 ** round(math.log2(row.cache_bytes)) for row in result.rows}))
        loss.set(title="loss against cache", xlabel="cache, bytes a token", ylabel="held-out loss, bits a bit")
        loss.margins(x=0.15)
        powers_of_two(compiled, [speed.context for speed in result.rows[0].compiled])
        compiled.set(title="compiled, one token at a time", xlabel="tokens read before", ylabel="CPU time, µs a token")
        compiled.set_ylim(bottom=0)
        bars = [(row.variant, row.batched, place) for place, row in enumerate(result.rows)]
        bars += [
            (f"{row.variant}, absorbed", row.absorbed, place)
            for place, row in enumerate(result.rows)
            if row.absorbed is not None
        ]
        names, times, places = zip(*reversed(bars), strict=True)
        drawn_bars = batched.barh(names, times, color=[COLOURS[place] for place in places], height=0.6)
        batched.bar_label(drawn_bars, fmt="%.0f", padding=3)
        batched.margins(x=0.15)
        batched.grid(visible=False, axis="y")
        batched.set(title="PyTorch, many rows at a time", xlabel="CPU time, µs a token")
        drawn.legend_below(loss, len(result.rows))
    return drawn.svg


def draw_recall(result: "RecallResult") -> bytes:
    """Draws accuracy against distance, a panel a task."""
    tasks = list(dict.fromkeys(row.task for row in result.rows))
    distances = sorted({row.distance for row in result.rows})
    trained = max(row.distance for row in result.rows if row.trained)
    with figure(len(tasks), width=5.6, height=5.0, sharey=True) as drawn:
        for task, axes in zip(tasks, drawn.axes, strict=True):
            axes.axvspan(trained * 2**0.5, distances[-1] * 2**0.25, color="#f1f2f5", zorder=0)
            for place, name in enumerate(result.networks):
                rows = [row for row in result.rows if (row.task, row.network) == (task, name)]
                line(axes, [row.distance for row in rows], [row.accuracy for row in rows], place, name)
            level(axes, next(row.chance for row in result.rows if row.task == task), "guessing", ":", below=True)
            powers_of_two(axes, distances)
            axes.set(title=task, xlabel="distance, tokens (shaded: longer than in training)", ylim=(-0.04, 1.06))
        drawn.axes[0].set_ylabel("accuracy")
        drawn.legend_below(drawn.axes[0], 3)
    return drawn.svg


def draw_scaling(result: "ScalingResult") -> bytes:
    """Draws the loss above the entropy against data and against parameters, with the law of the known floor."""
    (law,) = (fit for fit in result.fits if fit.fixed)
    sizes = sorted({row.parameters for row in result.rows})
    lengths = sorted({row.tokens for row in result.rows})

    def above(parameters: int, tokens: int) -> Estimate:
        rows = [row for row in result.rows if (row.parameters, row.tokens) == (parameters, tokens)]
        return Estimate.of([row.loss - result.entropy for row in rows])

    product = result.product

    def powers(parameters: int, tokens: int) -> float:
        return float(product.amplitude / (parameters**product.alpha * tokens**product.beta))

    with figure(2, width=5.6, height=4.8, sharey=True) as drawn:
        by_data, by_size = drawn.axes
        for place, parameters in enumerate(sizes):
            line(
                by_data,
                lengths,
                [above(parameters, tokens) for tokens in lengths],
                place,
                f"{parameters:,} weights",
                " ",
            )
            by_data.plot(lengths, law.loss(parameters, lengths) - result.entropy, color=COLOURS[place], linewidth=1.5)
            by_data.plot(lengths, [powers(parameters, tokens) for tokens in lengths], ":", color=COLOURS[place])
        for place, tokens in enumerate(lengths):
            line(by_size, sizes, [above(parameters, tokens) for parameters in sizes], place, f"{tokens:,} tokens", " ")
            by_size.plot(sizes, law.loss(sizes, tokens) - result.entropy, color=COLOURS[place], linewidth=1.5)
            by_size.plot(sizes, [powers(parameters, tokens) for parameters in sizes], ":", color=COLOURS[place])
        for axes, what, ticks in ((by_data, "tokens learnt from, D", lengths), (by_size, "weights, N", sizes)):
            axes.set(xscale="log", yscale="log", xlabel=what)
            axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
            axes.xaxis.minorticks_off()
            axes.legend(fontsize=10)
        by_data.set_title(
            f"data; lines: the law of a sum, β = {law.beta:.2f}; dotted: a product, β = {product.beta:.2f}", fontsize=10
        )
        by_size.set_title(
            f"weights; lines: the law of a sum, α = {law.alpha:.2f}; dotted: a product, α = {product.alpha:.2f}",
            fontsize=10,
        )
        by_data.set_ylabel("loss above the entropy, bits a token")
    return drawn.svg


def draw_compute(result: "ComputeResult") -> bytes:
    """Draws reward against simulations, a panel an environment."""
    searches = list(dict.fromkeys((row.method, row.constant) for row in result.rows))
    with figure(len(result.domains), width=5.2, height=5.2) as drawn:
        for domain, anchors, axes in zip(result.domains, result.anchors, drawn.axes, strict=True):
            place_of = (domain.environment, domain.model)
            rows = [row for row in result.rows if (row.environment, row.model) == place_of]
            for place, (method, constant) in enumerate(searches):
                own = [row for row in rows if (row.method, row.constant) == (method, constant)]
                label = method if constant is None else f"{method}, C = {constant:g}"
                found, budgets = [row.reward for row in own], [row.simulations for row in own]
                line(axes, budgets, found, place, label, "-" if constant else "--")
            level(axes, anchors.best, "best known", "-")
            level(axes, anchors.constant, "best constant action", below=True)
            level(axes, anchors.random, "random", ":")
            powers_of_two(axes, sorted({row.simulations for row in rows}))
            name = anchors.environment.removeprefix("aixi/").removesuffix("-v0")
            axes.set(title=f"{name}, {domain.model}", xlabel="simulations a cycle", ylabel="reward a cycle")
        drawn.legend_below(drawn.axes[0], 3)
    return drawn.svg


def draw_pretraining(result: "PretrainingResult") -> bytes:
    """Draws regret in context as a sequence goes on, and fine-tuning beside learning from scratch."""
    with figure(2, width=5.6, height=4.8) as drawn:
        regret, tuning = drawn.axes
        line(regret, result.times, [_point(value) for value in result.ctw_curve], 0, "context tree weighting")
        for place, (name, network) in enumerate(result.networks.items(), 1):
            line(regret, result.times, [_point(value) for value in network.curve], place, name)
        regret.set(
            title="in context", xlabel="bits read", ylabel="cumulative regret against the source, bits", ylim=(0, None)
        )
        regret.legend()
        kinds = (("as pre-trained", "untuned"), ("fine-tuned", "tuned"), ("from scratch", "scratch"))
        for place, (label, field) in enumerate(kinds):
            found = [Estimate.of(getattr(row, field)) for row in result.fine_tuning]
            line(tuning, [at + 0.15 * (place - 1) for at in range(len(found))], found, place, label, " ")
        names = [row.environment.removeprefix("aixi/").removesuffix("-v0") for row in result.fine_tuning]
        tuning.set_xticks(
            range(len(names)),
            [f"{name}\n{row.cycles} cycles" for name, row in zip(names, result.fine_tuning, strict=True)],
            fontsize=10,
        )
        tuning.set(title="one short life in a new environment", ylabel="held-out loss, bits a percept bit")
        tuning.margins(x=0.2)
        tuning.legend()
    return drawn.svg


def draw_countdown(result: "CountdownResult") -> bytes:
    """Draws the share of problems solved against simulations, a panel a setting."""
    with figure(len(result.settings), width=5.0, height=5.2, sharey=True) as drawn:
        for found, axes in zip(result.settings, drawn.axes, strict=True):
            for place, each in enumerate(found.lines):
                columns = [[seed[at] for seed in each.by_seed] for at in range(len(result.budgets))]
                dash = "--" if each.judge is None else "-"
                line(axes, result.budgets, [Estimate.of(column) for column in columns], place, each.method, dash)
            powers_of_two(axes, result.budgets[::2])
            axes.set(title=found.setting.name, xlabel="simulations", ylim=(-0.04, 1.06))
        drawn.axes[0].set_ylabel("share of problems solved")
        drawn.legend_below(drawn.axes[0], 3)
    return drawn.svg


def _point(value: float) -> Estimate:
    return Estimate.of([value])
