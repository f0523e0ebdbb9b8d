"""The batteries of predictors and agents: each check catches a mistake that no other check reports."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from aixi.agents.base import Hints
from aixi.agents.baselines import RandomAgent
from aixi.agents.registry import AGENTS, AgentSpec
from aixi.environments import ENVIRONMENTS
from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.checks import Finding, check_agent, check_predictor
from aixi.evaluation.checks.agents import AGENT_CHECKS, born
from aixi.evaluation.checks.predictors import PREDICTOR_CHECKS
from aixi.predictors.base import Predictor
from aixi.predictors.ctw import ContextTreeWeighting
from aixi.predictors.registry import PREDICTORS, PredictorSpec
from aixi.state import State


class Tree(ContextTreeWeighting):
    """A predictor without a mistake, and whether anything is imagined in it."""

    imagined = 0

    def __init__(self, depth: int = 6) -> None:
        super().__init__(depth)

    def imagine(self, symbol: int) -> float:
        bits = super().imagine(symbol)
        self.imagined += 1
        return bits

    def rewind(self, mark: int) -> None:
        super().rewind(mark)
        self.imagined = 0

    def update(self, symbol: int) -> float:
        return super().update_many([symbol])

    def update_many(self, symbols: Iterable[int]) -> float:
        return Predictor.update_many(self, symbols)


class OneSymbol(Tree):
    def __init__(self, depth: int = 6) -> None:
        super().__init__(depth)
        self.alphabet_size = 1


class Defective(Tree):
    def log2_probs(self) -> Any:
        return super().log2_probs() - 0.1


class Unchained(Tree):
    def imagine(self, symbol: int) -> float:
        return super().imagine(symbol) * (0.9 if self.imagined > 1 else 1.0)


class Overcharging(Tree):
    def update(self, symbol: int) -> float:
        return super().update(symbol) + 0.1


class OneBuffer(Tree):
    def __init__(self, depth: int = 6) -> None:
        super().__init__(depth)
        self.buffer = np.zeros(2)

    def log2_probs(self) -> Any:
        self.buffer[:] = super().log2_probs()
        return self.buffer


class SkipsTheLast(Tree):
    def update_many(self, symbols: Iterable[int]) -> float:
        return super().update_many(list(symbols)[:-1])


class CountsRewinds(Tree):
    rewinds = 0

    def rewind(self, mark: int) -> None:
        super().rewind(mark)
        self.rewinds += 1

    def state_dict(self) -> State:
        return super().state_dict() | {"rewinds": self.rewinds}


class LearnsFromDreams(Tree):
    """Remembers side information that came between imagined symbols."""

    dreams = 0

    def condition(self, symbol: int) -> None:
        super().condition(symbol)
        self.dreams += self.imagined > 0

    def update(self, symbol: int) -> float:
        return super().update(symbol) + (0.5 if self.dreams else 0.0)


class UpdatesAnyTime(Tree):
    def update(self, symbol: int) -> float:
        return 1.0 if self.imagined else super().update(symbol)


class Deaf(Tree):
    def condition(self, symbol: int) -> None:
        start = self.mark()
        super().condition(symbol)
        super().rewind(start)


class TakesAnything(Tree):
    def condition(self, symbol: int) -> None:
        if symbol in (0, 1):
            super().condition(symbol)


class LiveState(Tree):
    def __init__(self, depth: int = 6) -> None:
        super().__init__(depth)
        self.learnt = np.zeros(1, np.int64)

    def update(self, symbol: int) -> float:
        bits = super().update(symbol)
        self.learnt += 1
        return bits

    def state_dict(self) -> State:
        return super().state_dict() | {"learnt": self.learnt}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict({key: value for key, value in state.items() if key != "learnt"})
        self.learnt = state["learnt"].copy()


class TakesForeignStates(Tree):
    def __init__(self, depth: int = 6) -> None:
        super().__init__(depth)
        self.own_depth = depth

    def state_dict(self) -> State:
        return super().state_dict() | {"own_depth": self.own_depth}

    def load_state_dict(self, state: State) -> None:
        if state["own_depth"] == self.own_depth:
            super().load_state_dict({key: value for key, value in state.items() if key != "own_depth"})


class ThrowsDice(Tree):
    def update(self, symbol: int) -> float:
        np.random.random()  # noqa: NPY002  # the mistake that is to be found
        return super().update(symbol)


PREDICTOR_MISTAKES: dict[type[Tree], str] = {
    Tree: "",
    OneSymbol: "made",
    Defective: "probabilities",
    Unchained: "chain rule",
    Overcharging: "code lengths",
    OneBuffer: "asking",
    SkipsTheLast: "runs",
    CountsRewinds: "rewinding",
    LearnsFromDreams: "imagination",
    UpdatesAnyTime: "order of calls",
    Deaf: "side information",
    TakesAnything: "alphabet",
    LiveState: "state",
    TakesForeignStates: "foreign states",
    ThrowsDice: "determinism",
}


class Unmade(RandomAgent):
    def __init__(self) -> None:
        raise OSError("no body")


class Astray(RandomAgent):
    def act(self, mask: Any = None) -> Any:
        return super().act(mask) + 10


class Global(RandomAgent):
    def act(self, mask: Any = None) -> Any:
        if mask is not None or not isinstance(self._space, Discrete):
            return super().act(mask)
        return self._space.start + np.random.randint(self._space.n)  # noqa: NPY002  # the mistake


class Hashed(RandomAgent):
    def reset(self, *spaces: Any, **facts: Any) -> None:
        super().reset(*spaces, **facts)
        self._rng = np.random.default_rng([self._rng.integers(1 << 30), abs(hash("agent"))])


class Remembers(RandomAgent):
    """Counts its acts from its first life on, and acts by them."""

    acts = 0

    def act(self, mask: Any = None) -> Any:
        self.acts += 1
        return super().act(mask) if self.acts % 8 else (super().act(mask), super().act(mask))[1]

    def state_dict(self) -> State:
        return super().state_dict() | {"acts": self.acts}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.acts = state["acts"]


class Forgets(RandomAgent):
    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state | {"drawn": state["drawn"][:0]})


class Unmasked(RandomAgent):
    def act(self, mask: Any = None) -> Any:
        return super().act()


class Narrow(RandomAgent):
    def reset(self, observation_space: Any, action_space: Any, *rest: Any, **facts: Any) -> None:
        super().reset(observation_space, action_space, *rest, **facts)
        self.count = action_space.n


class Falls(RandomAgent):
    cycles = 0

    def observe(self, *percept: Any) -> None:
        self.cycles += 1

    def state_dict(self) -> State:
        return super().state_dict() | {"cycles": self.cycles}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.cycles = state["cycles"]

    def diagnostics(self) -> dict[str, float]:
        return {"energy": 1000.0 - self.cycles}


AGENT_MISTAKES: dict[type[RandomAgent], str] = {
    RandomAgent: "",
    Unmade: "made",
    Astray: "living",
    Global: "determinism",
    Hashed: "processes",
    Remembers: "another life",
    Forgets: "state",
    Unmasked: "masks",
    Narrow: "other spaces",
    Falls: "diagnostics",
}


def wrong(findings: Iterable[Finding]) -> list[str]:
    """The checks that found something."""
    found = [finding for finding in findings if finding.level in ("error", "warning")]
    assert all(finding.expected and finding.seen and finding.mend for finding in found)
    return [finding.check for finding in found]


@pytest.mark.parametrize("kind", PREDICTOR_MISTAKES, ids=lambda kind: kind.__name__)
def test_each_mistake_of_a_predictor_is_reported_by_one_check(kind: type[Tree]) -> None:
    findings = check_predictor(kind, other=lambda: kind(5))
    assert wrong(findings) == [PREDICTOR_MISTAKES[kind]] * bool(PREDICTOR_MISTAKES[kind]), findings


@pytest.mark.parametrize("kind", AGENT_MISTAKES, ids=lambda kind: kind.__name__)
def test_each_mistake_of_an_agent_is_reported_by_one_check(kind: type[RandomAgent]) -> None:
    AGENTS.register(AgentSpec("mistaken", f"{kind.__module__}:{kind.__name__}", "for a test"))
    findings = check_agent("mistaken")
    assert wrong(findings) == [AGENT_MISTAKES[kind]] * bool(AGENT_MISTAKES[kind]), findings


def test_every_check_has_a_mistake_that_it_catches() -> None:
    assert set(PREDICTOR_MISTAKES.values()) - {""} == set(PREDICTOR_CHECKS.checks)
    assert set(AGENT_MISTAKES.values()) - {""} == set(AGENT_CHECKS.checks)


def test_what_cannot_be_tried_is_a_warning() -> None:
    assert wrong(check_predictor(Tree, checks=["foreign states"])) == ["foreign states"]
    assert wrong(check_agent(RandomAgent, checks=["processes"])) == ["processes"]


def test_hints_are_of_a_worlds_own_spaces_alone() -> None:
    class Told(RandomAgent):
        def reset(self, *arguments: Any, hints: Hints | None = None, **keywords: Any) -> None:
            self.hints = hints
            super().reset(*arguments, hints=hints, **keywords)

    agent, row = Told(), ENVIRONMENTS["aixi/Countdown-v0"]
    born(agent, row.name, 0)
    assert agent.hints is not None
    assert agent.hints.mask_part == row.mask_part == "1"
    born(agent, row.name, 0, observation_space=Discrete(2))
    assert agent.hints == Hints()


def test_names_and_options_are_looked_up_before_anything_is_checked() -> None:
    with pytest.raises(UnknownNameError, match="unknown predictor 'context-tree'"):
        check_predictor("context-tree:depth=4")
    with pytest.raises(InvalidValueError, match=r"context-tree-weighting has no option 'dept' \(its options: depth"):
        check_predictor("context-tree-weighting:dept=4")
    with pytest.raises(InvalidValueError, match="random has no option 'depth'"):
        check_agent("random:depth=4")


@pytest.mark.parametrize("where", ["nowhere_at_all:Class", f"{__name__}:Nobody"])
def test_a_class_that_is_not_there_is_a_finding(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PREDICTORS, "_entries", dict(PREDICTORS._entries))
    PREDICTORS.register(PredictorSpec("lost", where, "for a test"))
    AGENTS.register(AgentSpec("lost", where, "for a test"))
    for findings in (check_predictor("lost:order=4", checks=["made"]), check_agent("lost:order=4", checks=["made"])):
        (finding,) = findings
        assert finding.level == "error"
        assert "the entry point" in finding.mend


def test_another_configuration_comes_from_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PREDICTORS, "_entries", dict(PREDICTORS._entries))
    PREDICTORS.register(PredictorSpec("tree", f"{__name__}:Tree", "for a test"))
    assert check_predictor("tree", checks=["foreign states"])[-1].level == "ok"
    PREDICTORS.register(PredictorSpec("fixed", f"{__name__}:Fixed", "for a test"))
    finding = check_predictor("fixed", checks=["foreign states"])[-1]
    assert (finding.level, "as my-predictor:order=4" in finding.mend) == ("warning", True)


class Fixed(Tree):
    def __init__(self) -> None:
        super().__init__(4)


def test_an_unknown_check_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown check 'luck'; known: made, living"):
        check_agent("random", checks=["luck"])
