"""Value weightings: what somebody holds each environment to be worth. All of it is data.

Goertzel (2010) puts any distribution over environments in the place of 2^-K. A TOML file says whose it is:

    [weighting]
    id = "economic-v1"
    kind = "value"              # or "mixture", with a [combine] table
    axis = "economic"           # human, scientific, philosophical, economic or custom
    source = "who, how elicited, date, URL or DOI"
    default = 0.0               # of environments that nothing below names

    [weights]                   # by id, by pattern, or by tag
    "tag:planning" = { w = 2.0, lo = 1.0, hi = 4.0, why = "..." }
    "aixi/Grid*" = { w = 0.5 }

    [combine]                   # with the weights from description lengths
    mode = "convex"             # or "product"
    terms = [{ id = "tempered-K", a = 0.5 }, { id = "economic-v1", a = 0.5 }]

    [similarity]                # near-duplicates share their weight: w_e / sum_f sim(e, f)
    pairs = [{ a = "aixi/Tiger-v0", b = "aixi/ExtendedTiger-v0", similarity = 0.8 }]

A weighting changes what values count, never a value and never K.
"""

import math
import zipfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aixi.errors import InvalidValueError, require
from aixi.evaluation.files import data_names, data_path, load_data

_FOLDER = Path(__file__).parent / "weightings"
_TEMPERED, _UNIFORM = "tempered-K", "uniform"


class Worth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an environment counts: `w`, and the range in which somebody else may put it.

    Attributes:
        w: weight, in any unit.
        lo: least weight; `w` unless told.
        hi: greatest weight; `w` unless told.
        why: the reason.
    """

    w: float
    lo: float | None = None
    hi: float | None = None
    why: str = ""

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Weight, least and greatest."""
        return self.w, self.w if self.lo is None else self.lo, self.w if self.hi is None else self.hi


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose weighting it is.

    Attributes:
        id: its name and version.
        kind: `value`, or `mixture` of values with weights from description lengths.
        axis: what kind of worth.
        source: who holds it and how it was found out.
        default: weight of environments that are not named.
        licence: of the data.
        elicitation: how weights were asked for.
        consistency_ratio: of pairwise comparisons (Saaty 1980), where that was the way.
        n_raters: number of people asked.
        normalise: whether weights are divided by their sum; if not, they must sum to 1.
    """

    id: str
    kind: Literal["value", "mixture"]
    axis: Literal["human", "scientific", "philosophical", "economic", "custom"]
    source: str
    default: float
    licence: str = ""
    elicitation: Literal["direct", "ahp", "survey", "wage-share", ""] = ""
    consistency_ratio: float | None = None
    n_raters: int | None = None
    normalise: bool = True


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a mixture: `tempered-K`, `uniform` or the weighting's own id, and its share or exponent `a`."""

    id: str
    a: float = 1.0


class Combine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How parts become one: `convex` sums normalised weights by share, `product` multiplies powers of weights."""

    mode: Literal["convex", "product"]
    terms: list[Term]


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How similar two environments are, from 0 to 1."""

    a: str
    b: str
    similarity: float


class Similarity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Discount of near-duplicates (Pereyda and Holder 2025): w_e over the sum of similarities to all, itself included.

    Attributes:
        pairs: similarities of pairs; of all others 0.
        matrix: or a .npz file beside the TOML file, with `names`, str[n], and `matrix`, float64[n, n], symmetric.
    """

    pairs: list[Pair] = []
    matrix: str | None = None


class Weighting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value weighting, as its file has it; checked."""

    weighting: Identity
    weights: dict[str, Worth] = {}
    combine: Combine | None = None
    similarity: Similarity = Similarity()

    def __post_init__(self) -> None:
        identity = self.weighting
        name = f"weighting {identity.id}"
        require(
            bool(identity.source.strip()),
            f"source of {name} must say who holds these values and how they were found out, got none",
        )
        if not 0 <= identity.default < math.inf:
            raise InvalidValueError(f"default of {name} must be at least 0, got {identity.default}")
        for key, worth in self.weights.items():
            w, low, high = worth.bounds
            if not 0 <= low <= w <= high < math.inf or (low == 0 < high):
                raise InvalidValueError(
                    f"{key} of {name} must have 0 < lo <= w <= hi, or weight 0 without a range, got {w}, {low}, {high}"
                )
        require(
            (identity.kind == "mixture") == (self.combine is not None),
            f"{name} must have a [combine] table if its kind is mixture, and none otherwise, got kind {identity.kind}",
        )
        if self.combine is not None:
            _check_terms(self.combine, identity.id, name)
        for pair in self.similarity.pairs:
            require(
                0 <= pair.similarity <= 1 and pair.a != pair.b,
                f"a similarity of {name} must be of two environments and from 0 to 1, "
                f"got {pair.similarity} for {pair.a} and {pair.b}",
            )
        require(
            not (self.similarity.pairs and self.similarity.matrix),
            f"similarity of {name} must be given as pairs or as a matrix, got both",
        )


class Applied(msgspec.Struct, frozen=True):
    """Weights over the environments of a suite.

    Attributes:
        weights: float64[environments], summing to 1.
        low: float64[environments], the least weight of each, in the same unit; for `sensitivity.rank_acceptability`.
        high: float64[environments], the greatest.
    """

    weights: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def weighting_names() -> list[str]:
    """Returns the names of the weightings that come with the package, demonstrations all."""
    return data_names(_FOLDER)


def load_weighting(name: str) -> Weighting:
    """Loads a weighting by name, or from the path of a TOML file.

    Raises:
        UnknownNameError: if there is no such weighting.
        InvalidValueError: if the file is not a weighting, or says no source.

    Example:
        >>> load_weighting("economic").weighting.axis
        'economic'
    """
    loaded = load_data(_FOLDER, name, Weighting)
    if loaded.similarity.matrix is None:
        return loaded
    path = data_path(_FOLDER, name)
    try:
        pairs = _read_matrix(path.parent / loaded.similarity.matrix)
        return msgspec.structs.replace(loaded, similarity=Similarity(pairs))
    except ValueError as error:
        raise InvalidValueError(f"{path.name} is not a weighting: {error}") from error


def apply_weighting(
    weighting: Weighting,
    environments: Mapping[str, Sequence[str]],
    tempered: ArrayLike,
    known: Mapping[str, Sequence[str]] | None = None,
) -> Applied:
    """Returns the weights that a weighting gives the environments of a suite.

    An environment has the weight of its id; else of the pattern that matches it with the most plain characters; else of
    a tag; the first in the file where several are as good; else the default.

    Args:
        weighting: the weighting.
        environments: tags by id, in the order of the weights.
        tempered: float64[environments], weights from description lengths, summing to 1; used by mixtures.
        known: tags by id of all environments there are: what a key of the file may name without being in the suite.

    Raises:
        InvalidValueError: if a key of the file matches no environment, or nothing gets weight.

    Example:
        >>> whose = Identity(id="x", kind="value", axis="human", source="a survey", default=1.0)
        >>> weighting = Weighting(weighting=whose, weights={"tag:game": Worth(3.0)})
        >>> apply_weighting(weighting, {"Chess": ["game"], "Coin": []}, [0.5, 0.5]).weights.tolist()
        [0.75, 0.25]
    """
    identity = weighting.weighting
    complexity = np.asarray(tempered, np.float64)
    require(
        complexity.shape == (len(environments),),
        f"tempered weights must be one for each environment, got shape {complexity.shape} for {len(environments)}",
    )
    _check_keys(weighting, {**environments, **(known or {})})
    default = (identity.default,) * 3
    bounds = np.array(
        [_find(weighting.weights, name, tags) or default for name, tags in environments.items()], np.float64
    )
    parts = {_TEMPERED: complexity, _UNIFORM: np.full(len(environments), 1 / max(1, len(environments)))}
    bounds = _combined(weighting, bounds, parts) / _crowding(weighting.similarity, list(environments))[:, None]
    total = float(bounds[:, 0].sum())
    require(total > 0, f"weighting {identity.id} must give weight to some environment, got 0 for all")
    if not identity.normalise:
        require(
            math.isclose(total, 1.0, rel_tol=1e-9),
            f"weights of {identity.id} must sum to 1 since it says normalise = false, got {total}",
        )
    weights, low, high = bounds.T / total
    return Applied(weights, low, high)


def _check_terms(combine: Combine, own: str, name: str) -> None:
    allowed = (_TEMPERED, _UNIFORM, own)
    ids = [term.id for term in combine.terms]
    for term in combine.terms:
        require(term.id in allowed, f"terms of {name} must be of {', '.join(allowed)}, got {term.id!r}")
        require(0 <= term.a < math.inf, f"share of {term.id} in {name} must be at least 0, got {term.a}")
    require(own in ids and len(set(ids)) == len(ids), f"terms of {name} must hold {own} and each id once, got {ids}")
    shares = sum(term.a for term in combine.terms)
    require(
        combine.mode == "product" or math.isclose(shares, 1.0, rel_tol=1e-9),
        f"shares of a convex mixture must sum to 1, got {shares} in {name}",
    )


def _check_keys(weighting: Weighting, known: Mapping[str, Sequence[str]]) -> None:
    name = weighting.weighting.id
    for key in weighting.weights:
        require(
            any(_specificity(key, environment, tags) is not None for environment, tags in known.items()),
            f"weights of {name} must each match an environment, got {key!r}; correct or remove it",
        )
    for pair in weighting.similarity.pairs:
        for environment in (pair.a, pair.b):
            require(environment in known, f"similarities of {name} must be of known environments, got {environment!r}")


def _specificity(key: str, environment: str, tags: Sequence[str]) -> tuple[int, int] | None:
    """Returns how closely a key names an environment, the greater the closer; None if it does not."""
    if key == environment:
        return 2, 0
    if key.startswith("tag:"):
        return (0, 0) if key[4:] in tags else None
    plain = sum(character not in "*?[]" for character in key)
    return (1, plain) if fnmatchcase(environment, key) else None


def _find(weights: Mapping[str, Worth], environment: str, tags: Sequence[str]) -> tuple[float, float, float] | None:
    matches = [(found, key) for key in weights if (found := _specificity(key, environment, tags)) is not None]
    if not matches:
        return None
    return weights[max(matches, key=lambda match: match[0])[1]].bounds  # the first of those that are as close


def _combined(
    weighting: Weighting, bounds: NDArray[np.float64], parts: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Returns weight, least and greatest of each environment, float64[environments, 3], mixed as the file says."""
    if weighting.combine is None:
        return bounds
    own = float(bounds[:, 0].sum())
    require(own > 0, f"weighting {weighting.weighting.id} must give weight to some environment, got 0 for all")
    columns = {name: part[:, None] for name, part in parts.items()} | {weighting.weighting.id: bounds / own}
    terms = weighting.combine.terms
    if weighting.combine.mode == "convex":
        mixed: NDArray[np.float64] = np.sum(
            [term.a * np.broadcast_to(columns[term.id], bounds.shape) for term in terms], axis=0
        )
        return mixed
    product: NDArray[np.float64] = np.prod(
        [np.broadcast_to(columns[term.id], bounds.shape) ** term.a for term in terms], axis=0
    )
    return product


def _crowding(similarity: Similarity, names: Sequence[str]) -> NDArray[np.float64]:
    """Returns the sum of similarities to all environments of the suite, itself included, float64[environments]."""
    matrix = np.eye(len(names))
    place = {name: index for index, name in enumerate(names)}
    for pair in similarity.pairs:
        if pair.a in place and pair.b in place:
            a, b = place[pair.a], place[pair.b]
            matrix[a, b] = matrix[b, a] = pair.similarity
    total: NDArray[np.float64] = matrix.sum(axis=1)
    return total


def _read_matrix(path: Path) -> list[Pair]:
    try:
        with np.load(path, allow_pickle=False) as file:
            names, matrix = [str(name) for name in file["names"]], np.asarray(file["matrix"], np.float64)
    except (OSError, KeyError, zipfile.BadZipFile, AttributeError) as error:
        raise InvalidValueError(f"{path.name} must hold the arrays names and matrix, got {error!r}") from error
    require(
        matrix.shape == (len(names), len(names))
        and bool(np.allclose(matrix, matrix.T) and np.all(np.diag(matrix) == 1)),
        f"matrix of {path.name} must be symmetric with ones on its diagonal, for {len(names)} names, "
        f"got shape {matrix.shape}",
    )
    return [
        Pair(names[a], names[b], float(matrix[a, b]))
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if matrix[a, b] != 0
    ]
