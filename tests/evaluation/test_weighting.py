import math

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.weighting import apply_weighting, load_weighting, weighting_names

KNOWN = {
    "aixi/Grid4x4-v0": ("planning", "memory"),
    "aixi/Grid8x8-v0": ("planning", "memory"),
    "aixi/Tiger-v0": ("information", "memory"),
    "aixi/CoinFlip-v0": ("memoryless",),
}
TEMPERED = [0.1, 0.2, 0.3, 0.4]
HEAD = """
[weighting]
id = "mine"
kind = "value"
axis = "custom"
source = "a survey of 2026"
default = 1.0
"""


@pytest.fixture
def applied(tmp_path):
    def apply(body, head=HEAD, environments=KNOWN, known=None):
        path = tmp_path / "mine.toml"
        path.write_text(head + body)
        return apply_weighting(load_weighting(str(path)), environments, TEMPERED[: len(environments)], known)

    return apply


def mixture(body, head=HEAD):
    return head.replace('"value"', '"mixture"') + body


def test_names_beat_patterns_beat_tags_beat_the_default(applied):
    found = applied("""
        [weights]
        "tag:memory" = { w = 2.0 }
        "tag:planning" = { w = 9.0 }
        "aixi/*" = { w = 3.0 }
        "aixi/Grid*" = { w = 4.0 }
        "aixi/Grid8x8-v0" = { w = 5.0 }
        "tag:memoryless" = { w = 9.0 }
    """)
    np.testing.assert_allclose(found.weights, np.array([4, 5, 3, 3]) / 15)


def test_of_two_tags_the_first_in_the_file_counts(applied):
    body = '[weights]\n"tag:memory" = { w = 2.0 }\n"tag:planning" = { w = 4.0 }\n'
    np.testing.assert_allclose(applied(body).weights, np.array([2, 2, 2, 1]) / 7)
    body = '[weights]\n"tag:planning" = { w = 4.0 }\n"tag:memory" = { w = 2.0 }\n'
    np.testing.assert_allclose(applied(body).weights, np.array([4, 4, 2, 1]) / 11)


def test_ranges_are_in_the_unit_of_the_weights(applied):
    found = applied('[weights]\n"tag:planning" = { w = 3.0, lo = 1.0, hi = 6.0 }\n')
    np.testing.assert_allclose(found.weights, np.array([3, 3, 1, 1]) / 8)
    np.testing.assert_allclose(found.low, np.array([1, 1, 1, 1]) / 8)
    np.testing.assert_allclose(found.high, np.array([6, 6, 1, 1]) / 8)


def test_convex_mixture_sums_normalised_weights(applied):
    head = mixture("")
    found = applied(
        """
        [weights]
        "tag:memoryless" = { w = 5.0, lo = 1.0, hi = 13.0 }
        [combine]
        mode = "convex"
        terms = [{ id = "tempered-K", a = 0.5 }, { id = "uniform", a = 0.25 }, { id = "mine", a = 0.25 }]
        """,
        head,
    )
    own = np.array([1, 1, 1, 5]) / 8
    rest = 0.5 * np.array(TEMPERED) + 0.25 / 4
    np.testing.assert_allclose(found.weights, rest + 0.25 * own, rtol=1e-12)
    np.testing.assert_allclose(found.low, rest + 0.25 * np.array([1, 1, 1, 1]) / 8, rtol=1e-12)
    np.testing.assert_allclose(found.high, rest + 0.25 * np.array([1, 1, 1, 13]) / 8, rtol=1e-12)


def test_product_multiplies_powers(applied):
    found = applied(
        """
        [weights]
        "tag:memoryless" = { w = 4.0 }
        [combine]
        mode = "product"
        terms = [{ id = "tempered-K" }, { id = "mine", a = 0.5 }]
        """,
        mixture(""),
    )
    np.testing.assert_allclose(found.weights, np.array([0.1, 0.2, 0.3, 0.8]) / 1.4, rtol=1e-12)


def test_duplicates_share_their_weight(applied):
    found = applied("""
        [similarity]
        pairs = [{ a = "aixi/Grid4x4-v0", b = "aixi/Grid8x8-v0", similarity = 1.0 }]
    """)
    np.testing.assert_allclose(found.weights, np.array([1 / 2, 1 / 2, 1, 1]) / 3)


def test_similarities_come_from_a_matrix_too(applied, tmp_path):
    matrix = np.eye(3)
    matrix[0, 1] = matrix[1, 0] = 0.25
    np.savez(
        tmp_path / "similar.npz",
        names=np.array(["aixi/Tiger-v0", "aixi/CoinFlip-v0", "aixi/Grid4x4-v0"]),
        matrix=matrix,
    )
    found = applied('[similarity]\nmatrix = "similar.npz"\n')
    np.testing.assert_allclose(found.weights, np.array([1, 1, 0.8, 0.8]) / 3.6)


def test_matrices_that_hold_objects_are_refused(applied, tmp_path):
    np.savez(tmp_path / "similar.npz", names=np.array(["a", {}], object), matrix=np.eye(2))
    with pytest.raises(InvalidValueError, match="is not a weighting"):
        applied('[similarity]\nmatrix = "similar.npz"\n')


@pytest.mark.parametrize("matrix", [np.ones((2, 3)), np.array([[1, 0.5], [0.4, 1]]), np.zeros((2, 2))])
def test_matrices_must_be_similarities(applied, tmp_path, matrix):
    np.savez(tmp_path / "similar.npz", names=np.array(["aixi/Tiger-v0", "aixi/CoinFlip-v0"]), matrix=matrix)
    with pytest.raises(InvalidValueError, match="symmetric with ones on its diagonal"):
        applied('[similarity]\nmatrix = "similar.npz"\n')


def test_a_matrix_that_is_not_there_is_said(applied):
    with pytest.raises(InvalidValueError, match=r"gone\.npz must hold the arrays"):
        applied('[similarity]\nmatrix = "gone.npz"\n')


def test_keys_may_name_what_is_known_but_not_in_the_suite(applied):
    suite = {name: KNOWN[name] for name in ("aixi/Tiger-v0", "aixi/CoinFlip-v0")}
    body = """
        [weights]
        "aixi/Grid4x4-v0" = { w = 9.0 }
        "tag:information" = { w = 3.0 }
        [similarity]
        pairs = [{ a = "aixi/Grid4x4-v0", b = "aixi/Tiger-v0", similarity = 1.0 }]
    """
    np.testing.assert_allclose(applied(body, environments=suite, known=KNOWN).weights, [0.75, 0.25])
    with pytest.raises(InvalidValueError, match="'aixi/Grid4x4-v0'"):
        applied(body, environments=suite)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('[weights]\n"tag:nothing" = { w = 1.0 }', "must each match an environment, got 'tag:nothing'"),
        ('[weights]\n"aixi/Gird*" = { w = 1.0 }', "got 'aixi/Gird"),
        ('[weights]\n"tag:memory" = { w = -1.0 }', "tag:memory of weighting mine must have 0 < lo <= w <= hi"),
        ('[weights]\n"tag:memory" = { w = 1.0, lo = 2.0 }', "0 < lo <= w <= hi"),
        ('[weights]\n"tag:memory" = { w = 1.0, lo = 0.0 }', "0 < lo <= w <= hi"),
        ('[weights]\n"tag:memory" = { w = inf }', "0 < lo <= w <= hi"),
        ('[weights]\n"tag:memory" = { w = nan }', "0 < lo <= w <= hi"),
        ('[weights]\n"tag:memory" = { weight = 1.0 }', "unknown field"),
        ('[weights]\n"aixi/*" = { w = 0.0 }', "must give weight to some environment"),
        ('[combine]\nmode = "product"\nterms = [{ id = "mine" }]', "combine. table if its kind is mixture"),
        ('[similarity]\npairs = [{ a = "x", b = "aixi/Tiger-v0", similarity = 0.5 }]', "known environments, got 'x'"),
        ('[similarity]\npairs = [{ a = "x", b = "y", similarity = 1.5 }]', "from 0 to 1"),
        ('[similarity]\nmatrix = "m.npz"\npairs = [{ a = "x", b = "y", similarity = 0.5 }]', "got both"),
        ("[weights", "is not a weighting"),
    ],
)
def test_wrong_files_are_refused(applied, body, message):
    with pytest.raises(InvalidValueError, match=message):
        applied(body)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('source = "a survey of 2026"', "", "source"),
        ('source = "a survey of 2026"', 'source = " "', "source of weighting mine must say who"),
        ("default = 1.0", "", "default"),
        ("default = 1.0", "default = -1.0", "default of weighting mine must be at least 0"),
        ('"value"', '"mixture"', "combine"),
        ('"custom"', '"divine"', "axis"),
        ("default = 1.0", "default = 1.0\nnormalise = false", "must sum to 1"),
    ],
)
def test_wrong_heads_are_refused(applied, before, after, message):
    with pytest.raises(InvalidValueError, match=message):
        applied("", HEAD.replace(before, after))


@pytest.mark.parametrize(
    ("combine", "message"),
    [
        ('mode = "convex"\nterms = [{ id = "mine", a = 0.5 }]', "must sum to 1, got 0.5"),
        ('mode = "convex"\nterms = [{ id = "uniform", a = 1.0 }]', "must hold mine"),
        ('mode = "product"\nterms = [{ id = "mine" }, { id = "mine" }]', "each id once"),
        ('mode = "product"\nterms = [{ id = "other" }]', "got 'other'"),
        ('mode = "product"\nterms = [{ id = "mine", a = -1.0 }]', "at least 0, got -1"),
        ('mode = "sum"\nterms = []', "mode"),
    ],
)
def test_wrong_mixtures_are_refused(applied, combine, message):
    with pytest.raises(InvalidValueError, match=message):
        applied("[combine]\n" + combine, mixture(""))


def test_weights_that_sum_to_one_may_stand_as_they_are(applied):
    head = HEAD.replace("default = 1.0", "default = 0.25\nnormalise = false")
    np.testing.assert_allclose(applied("", head).weights, np.full(4, 0.25))


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UnknownNameError, match="known: economic, human, philosophical, scientific"):
        load_weighting("divine")


@pytest.mark.parametrize("name", weighting_names())
def test_shipped_weightings_are_demonstrations_that_fit_the_registry(name):
    weighting = load_weighting(name)
    assert "not elicited from anyone" in weighting.weighting.source
    assert weighting.weighting.id == f"{name}-demo"
    known = {row.name: row.tags for row in ENVIRONMENTS}
    found = apply_weighting(weighting, known, np.full(len(known), 1 / len(known)))
    assert math.isclose(found.weights.sum(), 1.0, rel_tol=1e-12)
    assert (found.low <= found.weights).all()
    assert (found.weights <= found.high).all()
    assert (found.low < found.high).any()
