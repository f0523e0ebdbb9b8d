"""Training of a small network on what an experiment draws."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from aixi.errors import TrainingFaultError
from aixi.evaluation.experiments.frame import Tell
from aixi.evaluation.training import Schedule
from aixi.predictors.neural.networks import Network
from aixi.predictors.neural.threads import torch_threads

_BETAS = (0.9, 0.95)


def fit(network: Network, schedule: Schedule, loss: Callable[[], Tensor], what: str, on_step: Tell | None) -> None:
    """Trains a network in place.

    Args:
        network: what is trained.
        schedule: how; its batch and window are left to `loss`.
        loss: draws a batch and returns the network's loss on it, in nats.
        what: name of what is trained.
        on_step: called after each step; the number is the loss in bits.

    Raises:
        TrainingFaultError: if a loss or a gradient is not finite.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), schedule.learning_rate, _BETAS, weight_decay=schedule.weight_decay
    )
    with torch_threads(1):
        for step in range(schedule.steps):
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
            now = loss()
            optimiser.zero_grad()
            now.backward()  # type: ignore[no-untyped-call]  # torch's own
            norm = torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.clip)
            if not (math.isfinite(now.item()) and math.isfinite(norm.item())):
                raise TrainingFaultError(
                    f"loss and gradient must be finite, got {now.item()} and {norm.item()} at step {step}; lower the "
                    f"learning rate, {schedule.learning_rate:g}"
                )
            optimiser.step()
            if on_step:
                on_step(what, step + 1, schedule.steps, now.item() / math.log(2.0))
