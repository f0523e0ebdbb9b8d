"""The same source runs as plain Python, with the same results to the bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fingerprints
import pytest


@pytest.fixture(scope="module")
def plain():
    done = subprocess.run(
        [sys.executable, "-W", "error", Path(fingerprints.__file__)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_results_are_those_of_compiled_code(plain):
    compiled = json.loads(json.dumps(fingerprints.results()))
    assert compiled.keys() == plain["results"].keys()
    for name, result in compiled.items():
        assert result == plain["results"][name], name


def test_shallow_trees_are_exact_in_both_forms(plain):
    """Compressed trees of a few levels, where each context ends soon and every kind of split occurs."""
    assert plain["errors"] < 1e-9
