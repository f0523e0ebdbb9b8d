"""The lives that come with the package are those that the code of today would live."""

import pytest

from aixi.evaluation import kept, load_suite, rescore, score
from aixi.evaluation.runner import run


@pytest.fixture(scope="module")
def shipped():
    return kept.shipped_lives(load_suite("core"), True)


def test_every_life_of_the_suite_is_there(shipped):
    suite = load_suite("core")
    lived = {(result.cell.agent, result.cell.environment, result.cell.seed) for result in shipped.values()}
    agents = {agent for agent, _, _ in lived}
    assert agents == {"random", "constant", "mc-aixi-ctw"}
    assert lived == {(agent, name, seed) for agent in agents for name in suite.cycles for seed in range(suite.seeds)}
    assert not [result.error for result in shipped.values() if result.fault is not None]


@pytest.mark.parametrize("environment", ["aixi/CoinFlip-v0", "FrozenLake-v1"])
@pytest.mark.parametrize("agent", ["random", "constant", "mc-aixi-ctw"])
def test_lives_are_the_same_bits_again(shipped, agent, environment):
    if (agent, environment) == ("mc-aixi-ctw", "FrozenLake-v1"):
        environment = "aixi/Maze1D-v0"  # a life of a second
    (stored,) = [
        result
        for result in shipped.values()
        if (result.cell.agent, result.cell.environment, result.cell.seed) == (agent, environment, 0)
    ]
    lived = run(agent, environment, cycles=stored.cell.cycles, seed=0, relabel=True)
    assert (lived.percept_hash, lived.average_reward) == (stored.percept_hash, stored.average_reward)


def test_nothing_of_them_is_lived_again():
    told = []
    table = score(["random"], "core", seeds=2, on_cell=lambda result, stored: told.append(stored))
    assert (told, table.stored) == ([True] * 22, 22)
    assert set(table.agents) == {"random", "constant", "mc-aixi-ctw"}
    assert table.seeds == [0, 1]


def test_they_can_be_reported_by_themselves():
    table = rescore(kept.REFERENCE / "core.sqlite", "core")
    assert table.agents["mc-aixi-ctw"].score.low > max(table.agents[name].score.high for name in ("random", "constant"))
