"""Hashes of source files, by which compiled code on disk is known to be that of today's sources."""

import hashlib
from functools import cache
from pathlib import Path

# The folders of this suite that hold kernels, in a checkout as in an installed package.
_KERNELS = tuple(Path(__file__).resolve().parents[1] / folder for folder in ("predictors", "agents/planning"))


def home(file: str) -> Path:
    """Returns the outermost package that a file lies in, or the folder of a lone file."""
    directory = Path(file).resolve().parent
    while (directory / "__init__.py").exists() and (directory.parent / "__init__.py").exists():
        directory = directory.parent
    return directory


@cache
def digest(directory: Path) -> bytes:
    """Returns a hash of every Python file under a package, or beside a lone file."""
    package = (directory / "__init__.py").exists()
    found = hashlib.sha256()
    for path in sorted(directory.rglob("*.py") if package else directory.glob("*.py")):
        found.update(str(path.relative_to(directory)).encode())
        found.update(path.read_bytes())
    return found.digest()


def suite_digest() -> bytes:
    """Returns a hash of every Python file in the folders of this suite that hold kernels."""
    return b"".join(map(digest, _KERNELS))
