"""Environments of other packages: Gymnasium itself, and those of its ecosystem that an extra installs.

Most are measured by reward per cycle. The return of an episode is measured where a cycle earns the same whatever is
done, as in CartPole and MountainCar, and where the field reports nothing else.

Anchors that are exact or played are those of `benchmarks/anchors.py`; `benchmarks/results/anchors.json` holds them in
full. Played ones are of seed 2026, each with its 95 % interval.
"""

from aixi.environments.row import Anchor, EnvironmentRow

_GAIN = "exact: reward per episode over cycles per episode, from the environment's own transitions"
_TIMED = f"{_GAIN}; the best policy may know the time, which the limit makes worth knowing"
_MASKED = f"{_GAIN}, for agents that keep to its mask"
_MASKED_TIMED = f"{_TIMED}, and keeps to the mask"
_RETURN = "exact: return of an episode, from the environment's own transitions"
_CARDS = "exact: by counting cards"
_PLAYED = "100,000 cycles played, 95 % interval of"
_ATARI = "50,000 cycles played, 95 % interval of"
_GRID = "shortest ways of a player who sees the whole grid, in 1,000 grids, 95 % interval of"
_ZOO = "RL Baselines3 Zoo, benchmark.md at commit 0088472, one run of"

ROWS = (
    EnvironmentRow(
        name="FrozenLake-v1",
        summary="cross a slippery lake without falling in",
        entry_point="gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv",
        rewards=(0.0, 1.0),
        random=Anchor(0.0018168276, _GAIN),
        constant=Anchor(0.0093717459, _GAIN),
        best=Anchor(0.0179736208, _TIMED),
        kwargs={"map_name": "4x4"},
        tags=("gymnasium", "toy-text", "stochastic", "planning"),
        episodic=True,
    ),
    EnvironmentRow(
        name="FrozenLake8x8-v1",
        summary="cross a large slippery lake without falling in",
        entry_point="gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv",
        rewards=(0.0, 1.0),
        random=Anchor(5.9285228e-05, _GAIN),
        constant=Anchor(0.0081788535, _GAIN),
        best=Anchor(0.0105229909, _TIMED),
        kwargs={"map_name": "8x8"},
        tags=("gymnasium", "toy-text", "stochastic", "planning"),
        episodic=True,
    ),
    EnvironmentRow(
        name="CliffWalking-v1",
        summary="walk along a cliff to the goal",
        entry_point="gymnasium.envs.toy_text.cliffwalking:CliffWalkingEnv",
        rewards=(-100.0, -1.0),
        random=Anchor(-65375.1304, _RETURN),
        # No anchor of constant actions: none of them comes to the goal, and nothing else ends an episode.
        best=Anchor(-13.0, _RETURN),
        tags=("gymnasium", "toy-text", "planning"),
        episodic=True,
        measure="return",
    ),
    EnvironmentRow(
        name="CliffWalkingSlippery-v1",
        summary="walk along a cliff to the goal on slippery ground",
        entry_point="gymnasium.envs.toy_text.cliffwalking:CliffWalkingEnv",
        rewards=(-100.0, -1.0),
        random=Anchor(-65375.1304, _RETURN),
        constant=Anchor(-2211.1124, _RETURN),
        best=Anchor(-64.7091759099, _RETURN),
        kwargs={"is_slippery": True},
        tags=("gymnasium", "toy-text", "stochastic", "planning"),
        episodic=True,
        measure="return",
    ),
    EnvironmentRow(
        name="Taxi-v4",
        summary="fetch a passenger and bring them where they want to go",
        entry_point="gymnasium.envs.toy_text.taxi:TaxiEnv",
        rewards=(-10.0, -1.0, 20.0),
        random=Anchor(-0.9852270915, _MASKED),
        constant=Anchor(-1.0, _MASKED),
        best=Anchor(0.6067329763, _MASKED_TIMED),
        tags=("gymnasium", "toy-text", "planning"),
        episodic=True,
    ),
    EnvironmentRow(
        name="Blackjack-v1",
        summary="draw cards for a greater sum than the dealer's, at most 21",
        entry_point="gymnasium.envs.toy_text.blackjack:BlackjackEnv",
        rewards=(-1.0, 0.0, 1.0),
        random=Anchor(-0.286552578, _GAIN),
        constant=Anchor(-0.1829247946, _GAIN),
        best=Anchor(-0.0277852409, _GAIN),
        kwargs={"natural": False, "sab": True},
        tags=("gymnasium", "toy-text", "stochastic"),
        episodic=True,
    ),
    EnvironmentRow(
        name="CartPole-v1",
        summary="keep a pole upright on a cart",
        entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv",
        rewards=(1.0,),
        random=Anchor(22.241387, f"{_PLAYED} 0.34"),
        constant=Anchor(9.3548176, f"{_PLAYED} 0.014"),
        best=Anchor(500.0, f"the time limit; kept by {_ZOO} ppo"),
        tags=("gymnasium", "classic-control"),
        episodic=True,
        measure="return",
        return_range=(1.0, 500.0),
        codes={"": "quantiles bins=4 warmup=512"},
    ),
    EnvironmentRow(
        name="MountainCar-v0",
        summary="swing a weak car up a hill",
        entry_point="gymnasium.envs.classic_control.mountain_car:MountainCarEnv",
        rewards=(-1.0,),
        random=Anchor(-200.0, f"{_PLAYED} 0.0"),
        constant=Anchor(-200.0, f"{_PLAYED} 0.0"),
        best=Anchor(-100.849, f"{_ZOO} dqn"),
        tags=("gymnasium", "classic-control", "exploration"),
        episodic=True,
        measure="return",
        return_range=(-200.0, -1.0),
        codes={"": "uniform bins=8"},
    ),
    EnvironmentRow(
        name="MountainCarContinuous-v0",
        summary="swing a weak car up a hill with little fuel",
        entry_point="gymnasium.envs.classic_control.continuous_mountain_car:Continuous_MountainCarEnv",
        reward_range=(-0.1, 100.0),
        random=Anchor(-33.3507267, f"{_PLAYED} 0.18"),
        constant=Anchor(0.0, f"{_PLAYED} 0.0"),
        best=Anchor(96.672, f"{_ZOO} ars"),
        tags=("gymnasium", "classic-control", "exploration"),
        episodic=True,
        measure="return",
        return_range=(-99.9, 100.0),
        codes={"": "uniform bins=8"},
    ),
    EnvironmentRow(
        name="Acrobot-v1",
        summary="swing the lower of two links above the bar",
        entry_point="gymnasium.envs.classic_control.acrobot:AcrobotEnv",
        rewards=(-1.0, 0.0),
        random=Anchor(-498.0049751, f"{_PLAYED} 2"),
        constant=Anchor(-500.0, f"{_PLAYED} 0.0"),
        best=Anchor(-69.135, f"{_ZOO} qrdqn"),
        tags=("gymnasium", "classic-control", "exploration"),
        episodic=True,
        measure="return",
        return_range=(-500.0, 0.0),
        codes={"": "uniform bins=4"},
    ),
    EnvironmentRow(
        name="Pendulum-v1",
        summary="swing a pendulum up and keep it there",
        entry_point="gymnasium.envs.classic_control.pendulum:PendulumEnv",
        reward_range=(-16.2736045, 0.0),
        random=Anchor(-1230.781405, f"{_PLAYED} 25"),
        constant=Anchor(-1225.053675, f"{_PLAYED} 32"),
        best=Anchor(-151.855, f"{_ZOO} td3"),
        tags=("gymnasium", "classic-control"),
        episodic=True,
        measure="return",
        return_range=(-3254.7209, 0.0),
        codes={"": "uniform bins=8"},
    ),
    *(
        EnvironmentRow(
            name=f"MiniGrid-{name}-v0",
            summary=summary,
            reward_range=(0.0, 1.0),
            random=Anchor(levels[0][0], f"{_PLAYED} {levels[0][1]}"),
            constant=Anchor(levels[1][0], f"{_PLAYED} {levels[1][1]}"),
            best=Anchor(levels[2][0], f"{_GRID} {levels[2][1]}"),
            tags=("minigrid", *tags),
            episodic=True,
            measure="return",
            return_range=(0.0, 1.0),
            codes={"image": f"hash bits={bits}", "mission": "ignore"},
            package="minigrid",
            extra="minigrid",
        )
        for name, summary, tags, bits, levels in (
            (
                "Empty-5x5",
                "go to the goal in an empty room",
                ("planning",),
                10,
                ((0.2021668, "0.016"), (0.0, "0.0"), (0.955, "0.0")),
            ),
            (
                "DoorKey-5x5",
                "open a locked door with its key and go to the goal",
                ("planning", "exploration"),
                12,
                ((0.033508738, "0.013"), (0.0, "0.0"), (0.9646156, "0.00037")),
            ),
            (
                "LavaGapS5",
                "go to the goal through a gap in lava",
                ("planning",),
                10,
                ((0.038326193, "0.0057"), (0.0, "0.0"), (0.945937, "0.00046")),
            ),
            (
                "FourRooms",
                "find the goal in one of four rooms",
                ("planning", "exploration"),
                16,
                ((0.020478431, "0.0073"), (0.020657199, "0.0086"), (0.858061, "0.0043")),
            ),
            (
                "MemoryS7",
                "go to the object that was seen first",
                ("memory",),
                12,
                ((0.16878257, "0.027"), (0.0, "0.0"), (0.98354653, "0.00025")),
            ),
        )
    ),
    *(
        EnvironmentRow(
            name=f"popgym-{name}-v0",
            summary=summary,
            rewards=rewards,
            tags=("popgym", "memory"),
            episodic=True,
            measure="return",
            return_range=(-1.0, 1.0),
            random=Anchor(levels[0], _CARDS),
            constant=Anchor(levels[1], _CARDS),
            best=Anchor(levels[2], _CARDS),
            package="popgym",
            extra="popgym",
        )
        for name, summary, rewards, levels in (
            ("RepeatFirstEasy", "name the first card's suit all the time", (-1 / 51, 1 / 51), (-0.5, -0.5, 1.0)),
            ("RepeatPreviousEasy", "name the suit of three cards ago", (-1 / 48, 0.0, 1 / 48), (-0.5, -0.5, 1.0)),
            ("AutoencodeEasy", "name a deck's suits backwards", (-1 / 52, 0.0, 1 / 52), (-0.5, -0.5, 1.0)),
            ("CountRecallEasy", "count a colour's cards", (-1 / 51, 1 / 51), (-0.9259259259, -0.9230210603, 1.0)),
            ("HigherLowerEasy", "is the next card higher or lower?", (-1 / 52, 0.0, 1 / 52), (0.0, 0.0, 0.5275997079)),
        )
    ),
    *(
        EnvironmentRow(
            name=f"ALE/{name}-v5",
            summary=summary,
            rewards=rewards,
            tags=("atari",),
            episodic=True,
            measure="return",
            return_range=span,
            random=Anchor(random, f"{_ATARI} {half}"),
            # No anchor of constant actions: under one of them a game may never end.
            best=Anchor(span[1], "the most that the rules of the game allow"),
            codes={"": "image rows=14 columns=10 levels=8 bits=8"},
            package="ale_py",
            extra="atari",
        )
        for name, summary, rewards, span, random, half in (
            ("Boxing", "land more punches than the other", None, (-100.0, 100.0), 0.0, "2.1"),
            ("Breakout", "break two walls with a ball", None, (0.0, 864.0), 1.292592593, "0.17"),
            ("Pong", "win 21 points of table tennis", (-1.0, 0.0, 1.0), (-21.0, 21.0), -20.11320755, "0.23"),
        )
    ),
)
