"""Agents that ignore rewards come out at 0: a fixed button is no skill once actions are relabelled by the seed."""

import math

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS
from aixi.evaluation.intervals import student_t_quantile
from aixi.evaluation.runner import run
from aixi.evaluation.table import value

# Those whose rewards do not depend on earlier actions: there the best constant action cannot be found by luck alone.
MEMORYLESS = ["aixi/CoinFlip-v0", "aixi/HeldOutCoinFlip-v0", "aixi/Tiger-v0", "aixi/HeldOutTiger-v0"]
SEEDS = range(5000, 5060)


@pytest.mark.parametrize("environment", MEMORYLESS)
@pytest.mark.parametrize("agent", ["random", "constant"])
def test_value_is_zero_on_fresh_seeds(agent, environment):
    row = ENVIRONMENTS[environment]
    values = [value(run(agent, environment, cycles=400, seed=seed, relabel=True).average_reward, row) for seed in SEEDS]
    # eight intervals of 99.9 %: a false alarm in one of 125 choices of seeds
    half = student_t_quantile(0.9995, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    assert abs(np.mean(values)) < half
