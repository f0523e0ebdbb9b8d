"""What holds for every environment of our own: the public battery, sizes of the paper's spaces, rendering."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, EnvironmentRow, make
from aixi.evaluation.checks import check_environment
from aixi.evaluation.checks.environments import ENVIRONMENT_CHECKS
from aixi.evaluation.checks.lives import life, lives_elsewhere

ROWS = [row for row in ENVIRONMENTS if row.entry_point.startswith("aixi.")]
CYCLES = 5_000
RAN: Counter[str] = Counter()

# Numbers of actions and observations in Table 1 of Veness et al. (2011).
SIZES = {
    "aixi/Maze1D-v0": (2, 1),
    "aixi/CheeseMaze-v0": (4, 16),
    "aixi/Tiger-v0": (3, 3),
    "aixi/ExtendedTiger-v0": (4, 3),
    "aixi/Grid4x4-v0": (4, 1),
    "aixi/TicTacToe-v0": (9, 19683),
    "aixi/BiasedRockPaperScissors-v0": (3, 3),
    "aixi/KuhnPoker-v0": (2, 6),
    "aixi/Pacman-v0": (4, 2**16),
}


def size(space: gymnasium.Space[Any]) -> int:
    """Number of elements of a finite space."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return int(space.n)
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return int(np.prod(space.nvec))
    if isinstance(space, gymnasium.spaces.MultiBinary):
        return int(2 ** int(np.prod(space.shape)))
    assert isinstance(space, gymnasium.spaces.Tuple)
    return int(np.prod([size(part) for part in space.spaces]))


@pytest.fixture(scope="module", autouse=True)
def _report(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nenvironment contract: {RAN.total()} checks passed, on {len(RAN)} environments")


@pytest.fixture(scope="module")
def lives() -> dict[str, list[str] | str]:
    """The lives of all environments in another interpreter, which is started once."""
    return lives_elsewhere({row.name: row for row in ROWS})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_battery_finds_nothing(
    row: EnvironmentRow, lives: dict[str, list[str] | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aixi.evaluation.checks.environments.lives_elsewhere", lambda rows: lives)
    findings = check_environment(row.name, cycles=CYCLES)
    assert [finding for finding in findings if finding.level != "ok"] == []
    assert len(findings) == len(ENVIRONMENT_CHECKS.checks)
    RAN[row.name] = len(findings)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_another_seed_gives_another_life(row: EnvironmentRow) -> None:
    assert life(make(row), row, 1, 500) != life(make(row), row, 2, 500)


@pytest.mark.parametrize("name", SIZES)
def test_spaces_have_the_papers_sizes(name: str) -> None:
    env = make(name)
    assert (size(env.action_space), size(env.observation_space)) == SIZES[name]


@pytest.mark.parametrize("row", [row for row in ROWS if not row.episodic], ids=lambda row: row.name)
def test_rendering_gives_text_and_pixels(row: EnvironmentRow) -> None:
    modes = make(row.name).metadata["render_modes"]
    assert "ansi" in modes
    for mode in modes:
        env = make(row.name, render_mode=mode)
        env.reset(seed=5)
        shown: Any = env.render()
        if mode == "ansi":
            assert isinstance(shown, str)
            assert shown.strip()
        else:
            assert shown.dtype == np.uint8
            assert shown.ndim == 3
            assert shown.shape[2] == 3
            assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 2
