"""Rules of single domains, among them those that other implementations get wrong, and bad arguments."""

from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.jair.cheese_maze import CheeseMaze
from aixi.environments.jair.coin_flip import CoinFlip
from aixi.environments.jair.extended_tiger import ExtendedTiger
from aixi.environments.jair.kuhn_poker import KuhnPoker
from aixi.environments.jair.maze_1d import Maze1D
from aixi.environments.jair.pacman import MAZE, Pacman
from aixi.environments.jair.rock_paper_scissors import BiasedRockPaperScissors
from aixi.environments.jair.tic_tac_toe import TicTacToe
from aixi.environments.jair.tiger import Tiger
from aixi.environments.rendering import picture

LEFT, UP, RIGHT, DOWN = range(4)


def fresh(env: Any, seed: int = 0) -> Any:
    """The environment after a reset."""
    env.reset(seed=seed)
    return env


def test_cheese_maze_shows_the_walls_to_the_left_above_to_the_right_and_below() -> None:
    env = fresh(CheeseMaze("-..\n*#.\n"))
    seen = {}
    for seed in range(40):
        observation, _ = env.reset(seed=seed)
        seen[env.cell % 6, env.cell // 6] = observation.tolist()
    assert seen == {(2, 1): [0, 1, 0, 1], (3, 1): [0, 1, 1, 0], (3, 2): [1, 0, 1, 1]}


def test_cheese_maze_rewards_and_teleport() -> None:
    env = fresh(CheeseMaze("-.\n*#"))
    assert env.step(UP)[1] == -10
    assert env.step(LEFT)[1] == -1
    observation, reward, *_ = env.step(DOWN)
    assert reward == 10
    # back on the only starting cell, whose walls are what is seen
    assert observation.tolist() == [0, 1, 1, 1]


def test_maze_1d_restarts_on_starting_cells_only() -> None:
    env = fresh(Maze1D("-*."))
    for _ in range(20):
        assert env.step(0)[1] == 1.0
        assert env.cell == 2


def test_tiger_hears_with_the_stated_accuracy_and_nothing_after_a_door() -> None:
    env = fresh(Tiger(accuracy=0.85))
    right = sum(env.step(0)[0] == env.tiger for _ in range(20_000))
    assert abs(right / 20_000 - 0.85) < 4 * np.sqrt(0.85 * 0.15 / 20_000)
    assert env.step(env.tiger)[:2] == (0, -100.0)
    assert env.step(3 - env.tiger)[:2] == (0, 10.0)


def test_extended_tiger_charges_for_listening_and_obeys_the_chair() -> None:
    env = fresh(ExtendedTiger(accuracy=1.0, invalid_reward=-7.0))
    assert env.step(0)[:2] == (env.tiger, -1.0)  # listening costs 1; some peers code it as 0
    assert env.step(1)[:2] == (0, -7.0)
    assert env.step(3)[:2] == (0, -1.0)
    assert env.step(3)[:2] == (0, -7.0)
    assert env.step(0)[:2] == (0, -7.0)
    tiger = env.tiger
    assert env.step(3 - tiger)[:2] == (0, 30.0)
    assert not env.standing
    env.step(3)
    assert env.step(env.tiger)[1] == -100.0


def test_tic_tac_toe_rewards() -> None:
    env = fresh(TicTacToe())
    env.board = [1, 1, 0, 2, 2, 0, 0, 0, 0]
    assert env.step(2)[1] == 2.0
    env.board = [1, 2, 1, 1, 2, 2, 2, 1, 0]
    board, reward, *_ = env.step(8)
    assert reward == 1.0  # a full board and no line
    assert not board.any()
    env.board = [2, 2, 0, 1, 1, 2, 1, 2, 0]
    assert env.step(8)[1] == -2.0  # the last free square is the opponent's third in a row
    env.step(0)
    assert env.step(0)[1] == -3.0


def test_tic_tac_toe_replies_uniformly() -> None:
    env = fresh(TicTacToe())
    counts = np.zeros(9)
    for _ in range(8000):
        board, *_ = env.step(4)
        counts += board == 2
        env.board = [0] * 9
    assert counts[4] == 0
    assert np.abs(np.delete(counts, 4) - 1000).max() < 4 * np.sqrt(8000 / 8 * 7 / 8)


def test_rock_is_repeated_only_after_it_has_just_won() -> None:
    env = fresh(BiasedRockPaperScissors())
    lucky = 0
    for _ in range(2000):
        before = env.lucky
        move, reward, *_ = env.step(2)
        assert not before or move == 0
        assert env.lucky == (move == 0)
        assert reward == (-1.0, 1.0, 0.0)[move]
        lucky += before
    assert lucky > 0
    env.step(0)  # rock against rock wins nothing
    assert not env.lucky


@pytest.mark.parametrize(
    ("card", "rival", "bet", "action", "reward"),
    [
        (1, 2, True, 0, -1.0),  # gives the hand away
        (1, 2, True, 1, -2.0),
        (2, 0, True, 1, 2.0),
        (1, 0, False, 0, 1.0),
        (1, 2, False, 0, -1.0),
        (2, 0, False, 1, 1.0),  # a jack never answers
        (0, 2, False, 1, -2.0),  # a king always does
    ],
)
def test_kuhn_poker_pays_net_chips(card: int, rival: int, bet: bool, action: int, reward: float) -> None:
    for seed in range(20):
        env = fresh(KuhnPoker(), seed)
        env.card, env.rival, env.bet = card, rival, bet
        assert env.step(action)[1] == reward


def test_kuhn_poker_opponent_plays_the_stated_equilibrium() -> None:
    env = fresh(KuhnPoker(gamma=0.6))
    bets = np.zeros((3, 2))
    calls = np.zeros(2)
    for _ in range(20_000):
        bets[env.rival, int(env.bet)] += 1
        queen = env.rival == 1
        reward = env.step(1)[1]
        if queen:
            calls[int(abs(reward) == 2)] += 1
    for rival, expected in enumerate((0.2, 0.0, 0.6)):
        error = np.sqrt(expected * (1 - expected) / bets[rival].sum())
        assert abs(bets[rival, 1] / bets[rival].sum() - expected) <= 4 * error
    assert abs(calls[1] / calls.sum() - 1.6 / 3) < 4 * np.sqrt(0.25 / calls.sum())


def test_pacman_map_is_the_papers_size_and_free_of_traps() -> None:
    lines = MAZE.split()
    assert {len(line) for line in lines} == {17}
    assert len(lines) == 17
    assert MAZE.count("G") == 4
    env = Pacman()
    homes = set(env.homes)
    assert all(len(exits) > 1 for cell, exits in env.exits.items() if cell not in homes)
    reached, edge = {env.start}, [env.start]
    while edge:
        edge = [cell for here in edge for cell in env.exits[here] if cell not in reached]
        reached.update(edge)
    assert reached == set(env.exits)


def test_pacman_shows_every_wall_around_it() -> None:
    env = fresh(Pacman())
    rows = MAZE.split()
    for cell in env.exits:
        env.cell = cell
        row, column = divmod(cell, 18)
        around = (rows[row][column - 1], rows[row - 1][column], rows[row][column + 1], rows[row + 1][column])
        assert env._observation()[:4].tolist() == [mark == "#" for mark in around]


def test_pacman_sees_and_smells() -> None:
    env = fresh(Pacman("########\n#P.....#\n#.####.#\n#G.....#\n########", power_cycles=3))
    start = env.start
    env.pellets = {start + 3}
    env.ghosts = [start + 18]  # two rows down: hidden by nothing but the corridor's bend
    assert env._observation().tolist() == [1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0]
    env.pellets = {start + 22}
    env.ghosts = [start + 22]
    env.power = 1
    assert env._observation().tolist() == [1, 1, 0, 0] + [0] * 11 + [1]


def test_clearing_the_board_is_the_greatest_reward() -> None:
    env = fresh(Pacman("####\n#P.#\n####", pellet_probability=1.0))
    assert env.step(RIGHT)[1] == 109.0 == ENVIRONMENTS["aixi/Pacman-v0"].high
    assert (env.cell, env.pellets) == (env.start, {env.start + 1})  # a new game


def test_pacman_rewards_add_up() -> None:
    corridor = "#####\n#PG.#\n#####"
    env = fresh(Pacman(corridor, chase_distance=0))
    assert env.step(RIGHT)[1] == -51.0  # walks into the ghost
    env = fresh(Pacman(corridor, chase_distance=9))
    assert env.step(LEFT)[1] == -60.0  # bumps, and the ghost comes
    env = fresh(Pacman("####\n#PG#\n##.#\n####", pellet_probability=1.0))
    env.pellets = {env.homes[0], env.start + 6}
    assert env.step(RIGHT)[1] == -41.0
    env.pellets = {env.homes[0]}
    assert env.step(RIGHT)[1] == 59.0  # the last pellet, under a ghost


def test_a_power_pill_sends_ghosts_home_and_wears_off() -> None:
    env = fresh(Pacman("#######\n#PoG..#\n#######", power_cycles=3, chase_distance=0))
    observations = [env.step(RIGHT)]
    assert (observations[0][0][15], env.power) == (1, 3)
    env.ghosts = [env.cell + 1]
    _, reward, *_ = env.step(RIGHT)
    assert reward > -50
    bits = [int(env.step(UP)[0][15]) for _ in range(2)]
    assert bits == [1, 0]


def test_ghosts_tire_of_the_chase() -> None:
    third = set()
    for seed in range(60):
        env = fresh(Pacman("##########\n#..G....P#\n##########", chase_cycles=2), seed)
        places = []
        for _ in range(3):
            env.step(UP)
            places.append(env.ghosts[0] - env.homes[0])
        assert places[:2] == [1, 2]
        third.add(places[2])
    assert third == {1, 3}


def test_ghosts_out_of_reach_roam() -> None:
    first = set()
    for seed in range(30):
        env = fresh(Pacman("##########\n#..G....P#\n##########", chase_distance=4), seed)
        env.step(UP)
        first.add(env.ghosts[0] - env.homes[0])
    assert first == {-1, 1}


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("CoinFlip", "probability", 1.5),
        ("CoinFlip", "probability", float("nan")),
        ("Maze1D", "maze", "...."),
        ("Maze1D", "maze", "*"),
        ("Maze1D", "maze", ".x*"),
        ("CheeseMaze", "maze", ""),
        ("CheeseMaze", "maze", "..\n*"),
        ("CheeseMaze", "maze", "**."),
        ("CheeseMaze", "maze", "#*"),
        ("CheeseMaze", "maze", "?*."),
        ("Tiger", "accuracy", -0.1),
        ("Tiger", "listen_reward", float("inf")),
        ("Tiger", "tiger_reward", float("nan")),
        ("Tiger", "gold_reward", float("nan")),
        ("ExtendedTiger", "accuracy", 2),
        ("ExtendedTiger", "listen_reward", float("nan")),
        ("ExtendedTiger", "stand_reward", float("nan")),
        ("ExtendedTiger", "tiger_reward", float("nan")),
        ("ExtendedTiger", "gold_reward", float("nan")),
        ("ExtendedTiger", "invalid_reward", float("-inf")),
        ("KuhnPoker", "gamma", 1.01),
        ("Pacman", "maze", "####\n#P.#\n###"),
        ("Pacman", "maze", "####\n#P..\n####"),
        ("Pacman", "maze", "####\n#PP#\n####"),
        ("Pacman", "maze", "###\n#P#\n###"),
        ("Pacman", "maze", ""),
        ("Pacman", "pellet_probability", 0.0),
        ("Pacman", "chase_distance", -1),
        ("Pacman", "chase_cycles", -1),
        ("Pacman", "rest_cycles", -1),
        ("Pacman", "power_cycles", float("nan")),
    ],
)
def test_bad_arguments_are_refused_by_name_and_value(name: str, argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{argument} must .*, got ") as caught:
        make(f"aixi/{name}-v0", **{argument: value})
    assert str(caught.value).endswith(f"got {value!r}")


def test_texts_say_what_there_is() -> None:
    assert fresh(CoinFlip(1.0)).render() == "the coin shows tails"
    tiger = fresh(Tiger(accuracy=1.0))
    tiger.tiger = 2
    tiger.step(0)
    assert tiger.render() == "[gold]  [tiger]  heard: right"
    game = fresh(TicTacToe(render_mode="ansi"))
    game.board = [1, 0, 0, 0, 2, 0, 0, 0, 0]
    assert game.render() == "X__\n_O_\n___"
    assert fresh(CheeseMaze(".*", render_mode="ansi")).render() == "####\n#A*#\n####"
    arcade = fresh(Pacman("######\n#PoG.#\n######", render_mode="ansi", pellet_probability=1.0))
    assert arcade.render() == "######\n#PoG.#\n######"


def test_every_character_has_its_own_picture() -> None:
    tiles = {mark: picture(mark).tobytes() for mark in "#_ .oA*XOPGg"}
    assert len(set(tiles.values())) == len(tiles)
