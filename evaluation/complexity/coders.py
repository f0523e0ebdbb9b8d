"""Coders: how many bits a text takes.

The mixture is the suite's own: fractional bits, no header, integer arithmetic. The others check that the order of
environments does not hang on it. They are general compressors in whole bytes.
"""

import importlib
import importlib.util
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from aixi.errors import InvalidValueError
from aixi.registry import Registry

# lc=3, lp=0 and pb=0 are the settings for text: three high bits of the last byte as context, no alignment. The preset
# alone would clear 64 MiB of dictionary for each text.
_LZMA_FILTERS = (
    {
        "id": lzma.FILTER_LZMA1,
        "preset": 9 | lzma.PRESET_EXTREME,
        "lc": 3,
        "lp": 0,
        "pb": 0,
        "dict_size": 1 << 20,
    },
)


@dataclass(frozen=True)
class Coder:
    """A code for texts.

    Attributes:
        name: its name.
        summary: one line for people.
        length: gives the code length of a text in bits.
        package: the distribution that it needs beside the suite, if any.
    """

    name: str
    summary: str
    length: Callable[[bytes], float]
    package: str | None = None

    @property
    def installed(self) -> bool:
        """Whether it can be used here."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    @property
    def version(self) -> str:
        """The version of its package; of what comes with Python or the suite, how it is set."""
        return self.summary if self.package is None else version(self.package)


def _mixture(text: bytes) -> float:
    from aixi.predictors.mixture import code_length

    return code_length(text)


def _lzma(text: bytes) -> float:
    return 8.0 * len(lzma.compress(text, format=lzma.FORMAT_RAW, filters=_LZMA_FILTERS))


def _brotli(text: bytes) -> float:
    brotli = importlib.import_module("brotli")  # optional, and without types
    return 8.0 * len(brotli.compress(text, mode=brotli.MODE_TEXT, quality=11, lgwin=22))


def _ppmd(text: bytes) -> float:
    encoder = importlib.import_module("pyppmd").Ppmd7Encoder(6, 1 << 24)
    return 8.0 * len(encoder.encode(text) + encoder.flush(endmark=False))


CODERS: Registry[Coder] = Registry(
    "coder",
    Coder("mixture", "logistic mixing of orders 0 to 6 and a longest match", _mixture),
    Coder("lzma", "raw LZMA1, preset 9e, lc=3 lp=0 pb=0, dictionary of 1 MiB", _lzma),
    Coder("brotli", "Brotli 11, text mode; it carries a dictionary of words of its own", _brotli, "brotli"),
    Coder("ppmd", "PPMd7 of order 6, without end mark", _ppmd, "pyppmd"),
)


def code_length(content: bytes, coder: str = "mixture") -> float:
    """Returns the length of a text in bits.

    Args:
        content: the text.
        coder: name in `CODERS`.

    Raises:
        UnknownNameError: if there is no such coder.
        InvalidValueError: if it is not installed.

    Example:
        >>> code_length(b"", "lzma")
        80.0
    """
    chosen = CODERS[coder]
    if not chosen.installed:
        raise InvalidValueError(
            f"coder {coder} needs {chosen.package}, which is not installed; pip install aixi[coders]"
        )
    return chosen.length(content)
