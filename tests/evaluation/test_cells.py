import msgspec
import pytest

from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.cells import score
from aixi.evaluation.suite import Suite

SUITE = Suite("tests", 1, "", 500.0, 2, {"test/Walk-v0": 300, "test/Episodes-v0": 200, "aixi/Tiger-v0": 250})
TIMES = ("seconds", "workers")


def timeless(value):
    """Plain values without times."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_number_of_workers_changes_no_bit():
    agents = ["random", "constant:action=1"]
    ended = []
    alone = score(agents, SUITE, imports=["evaluation_worlds"], on_cell=lambda result: ended.append(result.cell))
    pair = score(agents, SUITE, workers=2, imports=["evaluation_worlds"])
    assert timeless(msgspec.to_builtins(alone)) == timeless(msgspec.to_builtins(pair))
    assert pair.workers == 2
    assert len(ended) == 12
    hashes = [s.percept_hash for e in alone.agents["random"].environments.values() for s in e.seeds]
    assert len(set(hashes)) == 6


def test_agents_share_the_relabelling_of_a_seed():
    plain = score(["constant"], SUITE, seeds=[3], relabel=False).agents["constant"]
    moved = score(["constant"], SUITE, seeds=[3], relabel=True).agents["constant"]
    again = score(["constant:action=0"], SUITE, seeds=[3], relabel=True).agents["constant:action=0"]
    hashes = [[env.seeds[0].percept_hash for env in found.environments.values()] for found in (plain, moved, again)]
    assert hashes[0] != hashes[1] == hashes[2]


def test_agent_that_fails_is_counted_and_the_rest_is_scored():
    result = score(["clumsy", "random"], SUITE, seeds=1)
    assert result.agents["clumsy"].failures == 3
    assert result.agents["clumsy"].score == 0.0
    assert result.agents["clumsy"].environments["test/Walk-v0"].seeds[0].error == (
        "agent clumsy raised ZeroDivisionError: slipped (environment test/Walk-v0, cycle 10, seed 0)"
    )
    assert result.agents["random"].failures == 0


def test_environment_that_fails_is_counted():
    suite = Suite("faulty", 1, "", 1.0, 1, {"test/Raise-v0": 100})
    result = score(["random"], suite, workers=2, seeds=2, imports=["evaluation_worlds"])
    assert result.agents["random"].failures == 2
    assert "the wall is hot" in result.agents["random"].environments["test/Raise-v0"].seeds[1].error


def test_suite_may_be_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name="m"\nversion=2\nsummary=""\ntemperature=1.0\nseeds=1\n[cycles]\n"test/Walk-v0"=50\n')
    result = score(["random"], str(path))
    assert (result.suite_version, result.seeds) == (2, [0])
    assert result.agents["random"].score == result.agents["random"].uniform


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"agents": []}, InvalidValueError, "a score needs at least one agent"),
        ({"agents": ["rando"]}, UnknownNameError, "did you mean random"),
        ({"agents": ["constant:action=-1"]}, InvalidValueError, "action must be at least 0, got -1"),
        ({"agents": ["mc-aixi-ctw:preset=true"]}, InvalidValueError, "presets are refused"),
        ({"suite": "slow"}, UnknownNameError, "unknown suite 'slow'"),
        ({"seeds": 0}, InvalidValueError, "seeds must be at least 1, got 0"),
        ({"workers": 0}, InvalidValueError, "workers must be at least 1, got 0"),
        ({"imports": ["no_such_module"]}, InvalidValueError, "cannot import 'no_such_module'"),
    ],
)
def test_wrong_arguments_are_refused_before_any_life(arguments, error, message):
    with pytest.raises(error, match=message):
        score(**({"agents": ["random"], "suite": SUITE, "on_cell": pytest.fail} | arguments))
