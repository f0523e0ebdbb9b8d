"""Pre-training of networks: from random weights on sources or lives, or fine-tuning from weights that were trained."""

import os
from collections.abc import Callable

import torch

from aixi.agents.registry import parse_agent
from aixi.errors import InvalidValueError, at_least, require
from aixi.evaluation.interrupt import Interrupt
from aixi.evaluation.training import LossPoint, Paths, PretrainResult, Schedule, Training, settings_of
from aixi.evaluation.training_data import VOCABULARY, TrainingData, whole_numbers
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import Network
from aixi.predictors.neural.threads import torch_threads
from aixi.state import State

DEVICES = ("cpu", "cuda")


def pretrain(
    data: TrainingData,
    network: NetworkConfig | Network,
    schedule: Schedule,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    save_every: int = 500,
    device: str = "cpu",
    threads: int = 1,
    on_step: Callable[[int, LossPoint], None] | None = None,
) -> tuple[Network, PretrainResult]:
    """Trains a network to predict percepts.

    The first Ctrl-C ends the training after its step, with an exact state; a second one at once, and the last save
    stays. On the CPU, a resumed training with as many threads gives the bits of an uninterrupted one.

    Args:
        data: what to learn from.
        network: kind and sizes of a fresh network, or one to go on from, which is left as it is.
        schedule: how.
        out: gets the checkpoint, a name that ends in `.safetensors`; its card lies beside it, which ends in `.json`,
            and until the last step what going on needs, which ends in `.training`.
        resume: whether to go on with the training that `out` keeps.
        save_every: steps between saves, at which the held-out loss is measured.
        device: `cpu` or `cuda`.
        threads: of the CPU.
        on_step: called after each step with the number of steps done and the latest point of the loss curve.

    Returns:
        The network, on the CPU, and what the training showed.

    Raises:
        InvalidValueError: if something does not fit, `out` is there already, or there is no such device.
        StateFileError: if what `out` keeps cannot be read or written.
        TrainingFaultError: if the loss or a gradient is not finite; `out` keeps the last save.

    Example:
        >>> from aixi.evaluation.training_data import SourceData
        >>> config = NetworkConfig("lstm", vocabulary=4, width=8)
        >>> network, result = pretrain(SourceData(depth=2), config, Schedule(steps=3, batch=4, window=16))
        >>> result.steps, [point.step for point in result.curve]
        (3, [0, 3])
    """
    at_least("save_every", save_every, 1)
    at_least("threads", threads, 1)
    _check_device(device)
    paths = None if out is None else Paths(out)
    require(not resume or paths is not None, "resume needs out, the checkpoint of the training to go on with")
    if paths is not None and not resume:
        paths.require_free()
    training = Training(data, network, schedule, device)
    with torch_threads(threads):
        if paths is not None and resume:
            training.load(paths.load(), str(paths.state))
        else:
            training.measure(keep=True)
        with Interrupt() as interrupt:
            while training.step < schedule.steps and not interrupt.requested:
                training.advance(paths)
                if training.step % save_every == 0 or training.step == schedule.steps:
                    training.measure(keep=True)
                    training.save(paths)
                if on_step is not None:
                    on_step(training.step, training.latest)
            if training.latest.step < training.step:  # left between two saves
                training.measure(keep=False)
                training.save(paths)
    return training.network.cpu(), training.result(paths)


def make_config(text: str) -> NetworkConfig:
    """Returns the configuration of a network over shared tokens from its text form, `kind:size=number,size=number`.

    Raises:
        InvalidValueError: if a size is wrong, or there is none of that name.

    Example:
        >>> make_config("lstm:width=64,layers=2").width
        64
    """
    kind, sizes = parse_agent(text)
    return NetworkConfig.from_dict({"kind": kind, "vocabulary": VOCABULARY, **whole_numbers(sizes)})


def saved_settings(out: str | os.PathLike[str]) -> State:
    """Returns what a training that was left was told: `data`, its `digest`, `network`, `schedule` and `origin`.

    Raises:
        StateFileError: if there is none at `out`, or it cannot be read.
    """
    paths = Paths(out)
    return settings_of(paths.load(), str(paths.state))


def _check_device(device: str) -> None:
    if device not in DEVICES:
        raise InvalidValueError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidValueError("device is cuda, and torch finds none on this machine; use device cpu")
