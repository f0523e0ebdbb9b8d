"""Pictures of learning curves."""

import importlib.util
import io
from typing import TYPE_CHECKING, Any

from aixi.errors import InvalidValueError

if TYPE_CHECKING:
    from aixi.environments.registry import EnvironmentRow
    from aixi.evaluation.runner import RunResult

_INK, _MUTED, _ACCENT, _SECOND = "#1f2430", "#8a90a0", "#2f6fde", "#c2571a"


def require_matplotlib() -> None:
    """Makes sure that pictures can be made.

    Raises:
        InvalidValueError: if matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InvalidValueError("--plot needs matplotlib, which is not installed: pip install 'aixi[plot]'")


def plot_curve(result: "RunResult", row: "EnvironmentRow") -> bytes:
    """Returns a life's learning curve as SVG: reward per cycle, and below it any bits per percept."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    cycles = [point.cycle for point in result.curve]
    coded = [(p.cycle, p.bits_per_percept) for p in result.curve if p.bits_per_percept is not None]
    style: dict[Any, Any] = {
        "svg.hashsalt": "aixi",
        "font.size": 10,
        "text.color": _INK,
        "axes.edgecolor": _MUTED,
        "axes.labelcolor": _INK,
        "xtick.color": _MUTED,
        "ytick.color": _MUTED,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(
            2 if coded else 1,
            sharex=True,
            squeeze=False,
            figsize=(7, 4.6 if coded else 3.4),
            height_ratios=[2, 1] if coded else None,
            layout="constrained",
        )
        reward = axes[0, 0]
        reward.plot(
            cycles,
            [p.average_reward for p in result.curve],
            color=_ACCENT,
            alpha=0.3,
            lw=1,
            label="since the last point",
        )
        reward.plot(
            cycles,
            [p.cumulative_average for p in result.curve],
            color=_ACCENT,
            linewidth=2,
            label="average so far",
        )
        for name, anchor, dash in (
            ("best known", row.best, "-"),
            ("best constant", row.constant, "--"),
            ("random", row.random, ":"),
        ):
            if anchor is not None:
                label = f"{name} {anchor.value:.3g}"
                reward.axhline(anchor.value, color=_MUTED, linewidth=1, linestyle=dash, label=label)
        reward.set_ylabel("reward per cycle" if row.measure == "reward" else "return per episode")
        reward.set_title(f"{result.agent} in {result.environment}, seed {result.seed}", loc="left", fontsize=11)
        reward.legend(frameon=False, fontsize=8, ncols=2)
        if coded:
            axes[1, 0].plot(*zip(*coded, strict=True), color=_SECOND, linewidth=1.5)
            axes[1, 0].set_ylabel("bits per percept")
            axes[1, 0].set_ylim(bottom=0)
        axes[-1, 0].set_xlabel("cycle")
        target = io.BytesIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return target.getvalue()
