"""The public batteries: what every environment, predictor and agent must hold; for the command line and for tests.

from aixi.evaluation.checks import assert_passes, check_environment

def test_my_world():
    assert_passes(check_environment("my_worlds:my/World-v0"))
"""

from typing import TYPE_CHECKING

from aixi.registry import exported_from

if TYPE_CHECKING:
    from aixi.evaluation.checks.agents import check_agent
    from aixi.evaluation.checks.battery import Finding, assert_passes
    from aixi.evaluation.checks.environments import check_environment
    from aixi.evaluation.checks.predictors import check_predictor

__all__ = ["Finding", "assert_passes", "check_agent", "check_environment", "check_predictor"]

__getattr__ = exported_from(
    __name__,
    {
        "agents": ("check_agent",),
        "battery": ("Finding", "assert_passes"),
        "environments": ("check_environment",),
        "predictors": ("check_predictor",),
    },
)
