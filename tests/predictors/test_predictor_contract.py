"""One contract for every registered predictor: each goes through each check of the public battery."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from aixi.errors import UnknownNameError
from aixi.evaluation.checks import check_predictor
from aixi.evaluation.checks.predictors import PREDICTOR_CHECKS, Sequences
from aixi.predictors.base import Predictor
from aixi.predictors.registry import PREDICTORS, make_predictor

# Arguments of each predictor, and others that differ in what a state depends on.
CONFIGURATIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "context-tree-weighting": ({"depth": 14}, {"depth": 9}),
    "factored-context-tree-weighting": (
        {"depth": 11, "percept_bits": 3},
        {"depth": 11, "percept_bits": 2},
    ),
    "lstm": ({"width": 16, "window": 32, "train_steps": 1}, {"width": 16, "window": 31, "train_steps": 1}),
    "mixture": ({}, {"order": 5}),
    "transformer": ({"width": 16, "window": 32, "train_steps": 1}, {"width": 16, "window": 31, "train_steps": 1}),
    "switching-mixture": (
        {"members": "context-tree-weighting:depth=9+lstm:window=32"},
        {"members": "context-tree-weighting:depth=9+lstm:window=31"},
    ),
}
RAN: Counter[str] = Counter()


def make(name: str, configuration: int = 0) -> Predictor:
    return make_predictor(name, **CONFIGURATIONS[name][configuration])


@pytest.fixture(scope="module", autouse=True)
def _report(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\npredictor contract: {RAN.total()} checks passed, on {len(RAN)} predictors: {', '.join(RAN)}")


def test_every_registered_predictor_has_a_configuration() -> None:
    assert set(CONFIGURATIONS) == {spec.name for spec in PREDICTORS}


def test_unknown_names_come_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean context-tree-weighting"):
        make_predictor("context-tree-wieghting", depth=3)


@pytest.mark.parametrize("check", PREDICTOR_CHECKS.checks)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_contract(name: str, check: str) -> None:
    subject = Sequences(lambda: make(name), lambda: make(name, 1))
    finding = PREDICTOR_CHECKS.checks[check](subject)
    assert finding.level == "ok", finding
    RAN[name] += 1


def test_the_battery_makes_another_configuration_by_itself() -> None:
    findings = check_predictor("lstm:width=8,window=32", checks=["foreign states"])
    assert [finding.level for finding in findings] == ["ok"] * 3
