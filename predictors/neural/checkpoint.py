"""A network on disk: its weights as safetensors, and a JSON card that says what they are.

Both are data: loading them runs no code of theirs. Beside `name.safetensors` lies `name.json`:

    config      the network's configuration
    versions    of the packages that wrote it
    sha256      hash of the weights' file
    ...         what the caller tells of it: what it was trained on, bits reached
"""

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from aixi.errors import InvalidValueError, StateFileError, require
from aixi.predictors.neural.config import NetworkConfig
from aixi.predictors.neural.networks import Network, make_network

_PACKAGES = ("aixi", "numpy", "torch", "safetensors")


def save_checkpoint(path: str | os.PathLike[str], network: Network, card: dict[str, Any]) -> None:
    """Writes a network's weights to `path` and its card beside them.

    Args:
        path: ends in `.safetensors`.
        network: what to save, on any device.
        card: what to tell of it, as JSON holds it; `config`, `versions` and `sha256` are written anew.

    Raises:
        InvalidValueError: if the path ends otherwise, a weight is not finite, or the card is not JSON.
        StateFileError: if a file cannot be written.
    """
    target = _weights_path(path)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    _check_finite(weights, "the network")
    content = safetensors.torch.save(weights)
    whole = {
        **card,
        "config": network.config.to_dict(),
        "versions": {package: version(package) for package in _PACKAGES},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    try:
        text = json.dumps(whole, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"the card must be JSON: {error}") from error
    _write(target, content)
    _write(target.with_suffix(".json"), text.encode() + b"\n")


def load_checkpoint(
    path: str | os.PathLike[str], expected: NetworkConfig | None = None
) -> tuple[Network, dict[str, Any]]:
    """Returns the network that `save_checkpoint` wrote, on the CPU, and its whole card.

    Args:
        path: of the weights, ends in `.safetensors`.
        expected: the configuration that the network must have; any by default.

    Raises:
        InvalidValueError: if a file is missing, damaged or altered, the network has another configuration or other
            weights than its card says, or a weight is not finite.
    """
    target = _weights_path(path)
    content, card = _read(target), _read_card(target.with_suffix(".json"))
    config = NetworkConfig.from_dict(card["config"])
    if expected is not None and config != expected:
        wanted, found = expected.to_dict(), config.to_dict()
        differs = "; ".join(
            f"{name} is {found[name]!r}, not {wanted[name]!r}" for name in wanted if wanted[name] != found[name]
        )
        raise InvalidValueError(f"{target} holds another network: {differs}")
    digest = hashlib.sha256(content).hexdigest()
    require(
        digest == card["sha256"],
        f"{target} is not what its card describes: its hash is {digest[:16]}, the card says "
        f"{card['sha256'][:16]}; use an unaltered copy of both files",
    )
    try:
        weights = safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise InvalidValueError(f"{target} is not a safetensors file: {error}") from error
    network = make_network(config, seed=0)
    _check_same_shapes(weights, network.state_dict(), target)
    _check_finite(weights, str(target))
    network.load_state_dict(weights)
    return network, card


def _weights_path(path: str | os.PathLike[str]) -> Path:
    require(
        Path(path).suffix == ".safetensors", f"a checkpoint's name must end in .safetensors, got {os.fspath(path)!r}"
    )
    return Path(path)


def _write(target: Path, content: bytes) -> None:
    """Writes beside the target and renames, so that a reader never sees half of it."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StateFileError(f"cannot write to {target}: {error.strerror or error}; give another path") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidValueError(
            f"cannot read {path}: {error.strerror or error}; a checkpoint is a .safetensors file with a .json beside it"
        ) from error


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(_read(path))
    except ValueError as error:
        raise InvalidValueError(f"{path} is not a checkpoint's card: {error}") from error
    kinds = {"config": dict, "sha256": str}
    for name, kind in kinds.items():
        require(
            isinstance(card, dict) and isinstance(card.get(name), kind),
            f"{path} is not a checkpoint's card: it has no {name}",
        )
    return card


def _check_same_shapes(found: dict[str, Tensor], wanted: dict[str, Tensor], path: Path) -> None:
    def shapes(weights: dict[str, Tensor]) -> dict[str, str]:
        return {name: f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}" for name, x in weights.items()}

    have, want = shapes(found), shapes(wanted)
    differ = sorted(name for name in have.keys() | want.keys() if have.get(name) != want.get(name))
    if differ:
        listed = "; ".join(
            f"{name} is {have.get(name, 'missing')}, not {want.get(name, 'there')}" for name in differ[:3]
        )
        raise InvalidValueError(f"{path} holds other weights than its card describes, {len(differ)} differ: {listed}")


def _check_finite(weights: dict[str, Tensor], holder: str) -> None:
    for name, value in weights.items():
        broken = int((~torch.isfinite(value)).sum())
        require(
            broken == 0,
            f"every weight must be finite, but {name} of {holder} has {broken} that are not; use an earlier state",
        )
