"""A third party's compiled model: what Numba's cache on disk gets wrong by itself, each over two processes.

Each test runs with compilation and without, and must see the same numbers.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import aixi
from aixi.errors import InvalidValueError
from aixi.predictors import model as contract
from aixi.predictors import source_hash
from aixi.predictors.context_tree import ContextTrees
from aixi.predictors.model import implements, source_tag

PLANNER = """
from aixi.predictors.intrinsics import kernel
from aixi.predictors.model import condition, mark, rewind, sample, update

@kernel
def plan(model, rng, words, steps):
    start = mark(model)
    total = 0.0
    for step in range(steps):
        condition(model, step)
        total += sample(model, rng, words)
    rewind(model, start)
    return 1000.0 * total + update(model, words)
"""
MODEL = """
from typing import Any, NamedTuple
import numpy as np
from {helper} import cost
from aixi.predictors.model import condition, implements, mark, rewind, sample, source_tag, update

class {name}(NamedTuple):
    place: Any
    source: Any = source_tag(__file__)

@implements(condition, {name})
def _condition(model, action):
    model.place[0] += action

@implements(sample, {name})
def _sample(model, rng, words):
    model.place[0] += 1
    return {factor} * cost(model.place[0])

@implements(update, {name})
def _update(model, words):
    return {factor} + cost(model.place[0])

@implements(mark, {name})
def _mark(model):
    return model.place[0]

@implements(rewind, {name})
def _rewind(model, mark):
    model.place[0] = mark
"""
HELPER = """
from aixi.predictors.intrinsics import kernel

@kernel
def cost(place):
    return {scale} * place
"""
DRIVER = """
import importlib, json, sys
import numpy as np
from aixi.predictors.model import call
from planner import plan

results = []
for entry in sys.argv[1:]:
    module, name = entry.split(":")
    model = getattr(importlib.import_module(module), name)(np.array([7]))
    results.append(call(plan, model, np.zeros(1, np.uint64), np.zeros(1, np.uint64), 3))
stats = getattr(plan, "stats", None)
print(json.dumps([results, sum(stats.cache_hits.values()) if stats else 0]))
"""


def expected(factor: float, scale: float) -> float:
    """What `plan` says of a model: it goes on by the action, 0, 1, 2, and by one."""
    places = (8, 10, 13)
    return 1000.0 * sum(factor * (scale * place) for place in places) + factor + scale * 7


class Workshop:
    """A folder with a planner and models, a cache of its own, and new processes to run them in."""

    def __init__(self, folder: Path, compiled: bool) -> None:
        self.folder, self.compiled = folder / "modules", compiled
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")]),
            "PYTHONDONTWRITEBYTECODE": "1",  # bytecode is stamped by whole seconds
            "NUMBA_CACHE_DIR": str(folder / "cache"),
            "NUMBA_DISABLE_JIT": "0" if compiled else "1",
        }
        self.write("planner.py", PLANNER)
        self.write("driver.py", DRIVER)

    def write(self, file: str, text: str, /, **values) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**values) if values else text)

    def run(self, *entries: str) -> tuple[list[float], int]:
        """Returns what the planner says of each model, and how often it was found compiled on disk."""
        done = subprocess.run(
            [sys.executable, "-W", "error", self.folder / "driver.py", *entries],
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        results, hits = json.loads(done.stdout)
        return results, hits


@pytest.fixture(params=[True, False], ids=["compiled", "plain"])
def workshop(request, tmp_path):
    return Workshop(tmp_path, request.param)


def test_an_edited_model_runs_its_new_code(workshop):
    workshop.write("helper.py", HELPER, scale=0.5)
    workshop.write("own.py", MODEL, helper="helper", name="Walk", factor=3.0)
    assert workshop.run("own:Walk") == ([expected(3.0, 0.5)], 0)
    assert workshop.run("own:Walk") == ([expected(3.0, 0.5)], 1 if workshop.compiled else 0)  # cached
    workshop.write("own.py", MODEL, helper="helper", name="Walk", factor=4.0)
    assert workshop.run("own:Walk") == ([expected(4.0, 0.5)], 0)


@pytest.mark.parametrize("folder", ["", "party/", "party/deep/"])
def test_an_edited_helper_runs_its_new_code(workshop, folder):
    """Beside the model, in its package, and in a package around it."""
    if folder:
        workshop.write("party/__init__.py", "")
        workshop.write(f"{folder}__init__.py", "")
    helper = "party.helper" if folder else "helper"
    workshop.write(f"{helper.replace('.', '/')}.py", HELPER, scale=0.5)
    workshop.write(f"{folder}own.py", MODEL, helper=helper, name="Walk", factor=3.0)
    entry = f"{folder}own:Walk".replace("/", ".")
    assert workshop.run(entry) == ([expected(3.0, 0.5)], 0)
    workshop.write(f"{helper.replace('.', '/')}.py", HELPER, scale=0.25)
    assert workshop.run(entry) == ([expected(3.0, 0.25)], 0)


def test_a_renamed_class_breaks_nothing(workshop):
    workshop.write("helper.py", HELPER, scale=0.5)
    workshop.write("own.py", MODEL, helper="helper", name="Walk", factor=3.0)
    assert workshop.run("own:Walk")[0] == [expected(3.0, 0.5)]
    workshop.write("own.py", MODEL, helper="helper", name="Stroll", factor=3.0)
    assert workshop.run("own:Stroll")[0] == [expected(3.0, 0.5)]


def test_an_uninstalled_model_breaks_no_other(workshop):
    workshop.write("helper.py", HELPER, scale=0.5)
    for module, factor in (("gone", 3.0), ("kept", 5.0)):
        workshop.write(f"{module}.py", MODEL, helper="helper", name="Walk", factor=factor)
    assert workshop.run("gone:Walk")[0] == [expected(3.0, 0.5)]
    (workshop.folder / "gone.py").unlink()
    assert workshop.run("kept:Walk")[0] == [expected(5.0, 0.5)]
    assert workshop.run("kept:Walk") == ([expected(5.0, 0.5)], 1 if workshop.compiled else 0)


def test_two_classes_of_one_name_run_their_own_code(workshop):
    workshop.write("helper.py", HELPER, scale=0.5)
    for module, factor in (("one", 3.0), ("other", 5.0)):
        workshop.write(f"{module}.py", MODEL, helper="helper", name="Walk", factor=factor)
    assert workshop.run("one:Walk", "other:Walk")[0] == [expected(3.0, 0.5), expected(5.0, 0.5)]
    assert workshop.run("other:Walk", "one:Walk")[0] == [expected(5.0, 0.5), expected(3.0, 0.5)]
    assert workshop.run("other:Walk")[0] == [expected(5.0, 0.5)]


GUESS = """
import numpy as np
from aixi.predictors.neural.sequence import _guess
prior = np.zeros(2)
_guess(np.zeros(8, np.float32), np.zeros((8, 16), np.float32), np.zeros(16, np.float32), prior)
print(prior[0])
"""


def test_a_kernel_without_a_model_runs_the_new_code_of_another_file(tmp_path):
    package = tmp_path / "aixi"
    shutil.copytree(Path(aixi.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "evaluation"))
    arithmetic = package / "predictors" / "neural" / "arithmetic.py"

    def guess() -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", GUESS], env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert [guess(), guess()] == ["0.5", "0.5"]
    before = arithmetic.read_text()
    after = before.replace("return whole", "return whole + whole")
    assert after != before
    arithmetic.write_text(after)
    assert guess() == "0.25"


def test_a_class_without_its_source_is_refused():
    class Bare(NamedTuple):
        place: np.ndarray

    class Untagged(NamedTuple):
        place: np.ndarray = np.zeros(1)

    for model_class in (Bare, Untagged, dict):
        with pytest.raises(InvalidValueError, match=r"must be a NamedTuple with a field source = source_tag"):
            implements(contract.mark, model_class)


def test_a_function_of_other_arguments_is_refused():
    def condition(model, choice):
        raise AssertionError("is never installed")

    before = contract.condition.dispatch(ContextTrees)
    with pytest.raises(InvalidValueError, match=r"must take \(model, action\), got \(model, choice\)"):
        implements(contract.condition, ContextTrees)(condition)
    assert contract.condition.dispatch(ContextTrees) is before


def test_a_model_without_an_operation_is_told_so():
    class Half(NamedTuple):
        place: np.ndarray
        source: np.ndarray = source_tag(__file__)

    with pytest.raises(TypeError, match=r"Half implements no mark; register one with @implements\(mark, ...\)"):
        contract.mark(Half(np.zeros(1)))


def test_the_tag_names_the_suite_and_the_file():
    tag = source_tag(__file__).dtype
    assert tag == source_tag(__file__).dtype
    assert tag != source_tag().dtype
    assert tag != source_tag(np.__file__).dtype
    for folder in source_hash._KERNELS:  # of which an edit must change every tag
        assert any(folder.glob("*.py"))
