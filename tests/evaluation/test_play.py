"""A person's life is an agent's life: the same percepts, the same values; and what is shown is true."""

import contextlib
import io
import itertools
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from importlib.util import find_spec

import evaluation_worlds
import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from processes import with_worlds

from aixi.agents.percepts import ActionCodec
from aixi.agents.registry import make_agent
from aixi.environments import ENVIRONMENTS, make
from aixi.errors import AixiError, InvalidValueError, StateFileError, UnsupportedSpaceError
from aixi.evaluation.kept import shipped_lives
from aixi.evaluation.person import names_in
from aixi.evaluation.playing import play
from aixi.evaluation.records import curve_points
from aixi.evaluation.runner import LifeFaultError, run
from aixi.evaluation.suite import load_suite
from aixi.evaluation.table import value
from aixi.evaluation.world import find_row

COMMAND = "from aixi.evaluation.cli import main; main()"
KEYS = "0123456789abcdefghijklmnoprstuvwxyz"


class Endless(io.StringIO):
    """Types key after key, in turn; forbidden ones among them."""

    def __init__(self, keys):
        super().__init__()
        self.keys = itertools.cycle(keys)

    def readline(self, *_):
        return f"{next(self.keys)}\n"


def live(environment, keys, **options):
    """Returns the result of a life and what was shown."""
    out = io.StringIO()
    source = keys if isinstance(keys, io.StringIO) else io.StringIO("".join(f"{key}\n" for key in keys))
    return play(environment, source=source, out=out, **options), out.getvalue()


@pytest.mark.parametrize(
    ("environment", "seed"),
    [("aixi/Tiger-v0", 0), ("test/Episodes-v0", 3), ("test/Returns-v0", 1), ("aixi/TicTacToe-v0", 2)],
)
@pytest.mark.parametrize("relabel", [True, False])
def test_a_person_who_types_one_key_lives_as_the_constant_agent(environment, seed, relabel):
    played, _ = live(environment, "1" * 300, cycles=300, seed=seed, relabel=relabel)
    agent = run("constant:action=1", environment, cycles=300, seed=seed, relabel=relabel)
    for what in ("percept_hash", "curve", "average_reward", "average_return", "episodes", "measured", "relabel"):
        assert getattr(played.run, what) == getattr(agent, what)
    assert played.value == value(agent.measured, find_row(environment))
    assert not played.run.interrupted


def test_a_life_as_long_as_those_of_the_reference_is_one_of_them():
    suite = load_suite("core")
    played, _ = live("aixi/CoinFlip-v0", "0" * 2000, cycles=2000, seed=4)
    lives = [life for life in shipped_lives(suite, True).values() if life.cell.environment == "aixi/CoinFlip-v0"]
    assert [played.run.percept_hash] == [
        life.percept_hash for life in lives if life.cell.agent == "constant" and life.cell.seed == 4
    ]
    levels = {level.name: level for level in played.levels if level.lives}
    assert levels.keys() == {life.cell.agent for life in lives}
    for agent, level in levels.items():
        earned = [life.average_reward for life in lives if life.cell.agent == agent]
        assert level.lives == len(earned) == suite.seeds
        assert (level.least, level.greatest) == pytest.approx((min(earned), max(earned)), rel=1e-12)
        assert level.measured == pytest.approx(np.mean(earned), rel=1e-12)


def test_lives_of_agents_are_cut_off_where_the_person_stops():
    played, _ = live("aixi/Tiger-v0", "000", cycles=64)
    assert not any(level.lives for level in played.levels)
    assert "no agents beside you: the curves of their lives begin at 64 cycles" in played.remarks
    played, _ = live("aixi/Tiger-v0", "0" * 64, cycles=64)
    (level,) = (level for level in played.levels if level.name == "constant")
    lives = [
        life
        for life in shipped_lives(load_suite("core"), True).values()
        if (life.cell.environment, life.cell.agent) == ("aixi/Tiger-v0", "constant")
    ]
    # The curve of a life of 10,000 cycles has a point every 64.
    firsts = [curve_points(life)[0][:2].tolist() for life in lives]
    assert {cycle for cycle, _ in firsts} == {64}
    assert level.measured == pytest.approx(np.mean([average for _, average in firsts]), rel=1e-12)
    assert (played.run.cycles, level.lives) == (64, 10)
    assert any("10,000 cycles long, here cut off at 64" in remark for remark in played.remarks)
    later, _ = live("aixi/Tiger-v0", "0" * 640, cycles=640, relabel=True)
    (level,) = (level for level in later.levels if level.name == "constant")
    earned = [run("constant", "aixi/Tiger-v0", cycles=640, seed=life.cell.seed, relabel=True) for life in lives]
    assert level.measured == pytest.approx(np.mean([life.average_reward for life in earned]), rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_names_follow_the_relabelling(seed):
    _, shown = live("aixi/Tiger-v0", "", cycles=5, seed=seed)
    key = re.search(r"(\d) listen", shown)[1]
    played, shown = live("aixi/Tiger-v0", key * 5, cycles=5, seed=seed)
    assert played.run.average_reward == -1.0
    assert shown.count(f"> {key} listen") == 5


def test_names_come_from_the_documentation():
    def named(environment, heading="Action Space"):
        env = make(environment).unwrapped
        space = env.action_space if heading == "Action Space" else env.observation_space
        return names_in(type(env).__doc__.replace("\n    ", "\n"), heading, space)

    assert named("aixi/ExtendedTiger-v0") == ["listen", "open the left door", "open the right door", "stand up"]
    assert named("aixi/RiverSwim-v0") == ["left, with the current", "right, against it"]
    assert named("aixi/TMaze-v0", "Observation Space")[2:] == ["corridor", "junction"]
    assert named("CartPole-v1") == ["Push cart to the left", "Push cart to the right"]
    assert named("FrozenLake-v1") == ["Move left", "Move down", "Move right", "Move up"]
    assert named("Acrobot-v1")[0] == "apply -1 torque to the actuated joint"
    assert named("Taxi-v4")[3:] == ["Move west (left)", "Pickup passenger", "Drop off passenger"]
    # Whether its moves are those of the prisoner's dilemma depends on the arguments, so that the sentence is no list.
    assert named("aixi/StagHunt-v0") == named("aixi/Bandit-v0") == named("aixi/Countdown-v0") == []


def test_numbers_alone_are_what_an_agent_gets():
    played, shown = live("aixi/Tiger-v0", "?012", cycles=3, see="numbers")
    assert played.run.cycles == 3
    assert "listen" not in shown.lower()
    assert "? is no action; type 0 to 2" in shown
    assert not any("agents are not" in remark for remark in played.remarks)


def test_forbidden_and_unknown_keys_are_refused_with_a_word():
    played, shown = live("test/Masked-v0", Endless("0123x"), cycles=40, seed=5)
    assert played.run.average_reward == 1.0
    assert "is not allowed now; allowed: " in shown
    assert "x is no action; type 0 to 3" in shown
    assert shown.count("\nallowed: ") == 40


def test_boards_and_hands_that_are_drawn_are_those_of_the_life():
    rng = np.random.default_rng(0)
    _, shown = live("aixi/TicTacToe-v0", rng.integers(9, size=120).tolist(), cycles=120, see="world")
    boards = re.findall(r"sees \[([\d ]+)\][^\n]*\n(?:the episode[^\n]*\n)?([XO_]{3}\n[XO_]{3}\n[XO_]{3})", shown)
    assert len(boards) > 60
    assert all(
        board.replace("\n", "") == seen.replace(" ", "").translate(str.maketrans("012", "_XO"))
        for seen, board in boards
    )
    _, shown = live("aixi/KuhnPoker-v0", rng.integers(2, size=50).tolist(), cycles=50, seed=7, see="world")
    hands = re.findall(r"sees \((\d), (\d)\).*\nyou hold a (\w+), the opponent (\w+)", shown)
    assert len(hands) == 51
    assert {hand[::2] for hand in hands} == {("0", "jack"), ("1", "queen"), ("2", "king")}
    assert {hand[1::2] for hand in hands} == {("0", "passes"), ("1", "bets")}


class Drifter(gymnasium.Env):
    """Does not follow its seed, but draws what it is."""

    metadata = gymnasium.Env.metadata | {"render_modes": ["ansi"]}
    made = itertools.count()

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.observation_space = spaces.Discrete(1 << 30)
        self.action_space = spaces.Box(-1, 1, (3,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return next(Drifter.made), {}

    def step(self, action):
        return next(Drifter.made), float(action[0]), False, False, {}

    def render(self):
        return "a picture"


if "test/Drifter-v0" not in gymnasium.registry:
    gymnasium.register("test/Drifter-v0", f"{__name__}:Drifter")


def test_a_picture_of_another_world_is_not_shown():
    played, shown = live("test/Drifter-v0", ["124", "125", "-1", "0"], cycles=2, see="world")
    assert shown.count("no picture from here on") == 1
    assert "a picture\n" not in shown
    assert (played.value, played.levels) == (None, [])
    # Three numbers of five values each are more actions than there are keys; the first varies fastest.
    assert shown.count("is no action; type 0 to 124") == 2
    assert played.run.average_reward == 0.0


@pytest.mark.parametrize(
    ("environment", "left", "see"),
    [
        ("test/Episodes-v0", 7, "names"),
        ("aixi/TicTacToe-v0", 40, "numbers"),
        ("aixi/TicTacToe-v0", 40, "world"),
        ("FrozenLake-v1", 30, "world"),
        ("aixi/Tiger-v0", 0, "world"),
    ],
)
def test_a_life_that_is_left_goes_on_as_if_it_had_not_been(tmp_path, environment, left, see):
    keys = np.random.default_rng(1).integers(make(environment).action_space.n, size=60).tolist()
    state = tmp_path / "life.state"
    whole, everything = live(environment, keys, cycles=60, seed=3, see=see)
    first, before = live(environment, [*keys[:left], "q"], cycles=60, seed=3, see=see, save=state)
    assert (first.run.cycles, first.run.planned_cycles, first.run.interrupted) == (left, 60, False)
    rest, after = live(None, keys[left:], see=see, resume=state)
    assert (rest.run.percept_hash, rest.run.curve) == (whole.run.percept_hash, whole.run.curve)
    assert (rest.value, rest.run.relabel) == (whole.value, True)
    prompt = before.rindex("> q")
    last = before[before.rindex("\ncycle", 0, prompt) : prompt]
    assert last in after
    assert everything.endswith(after[after.index(last) :])


def test_every_environment_can_be_played():
    played = absent = 0
    for row in ENVIRONMENTS:
        if row.name.startswith("test/"):
            continue
        if row.package and find_spec(row.package) is None:
            absent += 1
            continue
        count = ActionCodec(make(row).action_space).count
        keys = KEYS[:count] if count <= len(KEYS) else [str(index) for index in range(count)]
        result, _ = live(row.name, Endless(keys), cycles=5, see="numbers")
        assert result.run.cycles == 5
        assert (result.value is None) == (row.random is None or row.best is None)
        played += 1
    print(f"{played} played, {absent} not installed")
    assert played > 50


def test_the_summary_is_shown_whatever_the_documentation():
    _, shown = live("test/Walk-v0", "", cycles=5)
    assert shown.startswith(f"test/Walk-v0: {find_row('test/Walk-v0').summary}\n")
    _, shown = live("test/Walk-v0", "", cycles=5, see="numbers")
    assert shown.startswith("test/Walk-v0\n")


def test_rewards_are_found_under_either_heading():
    _, shown = live("FrozenLake-v1", "?", cycles=5)
    assert "Reach goal: +1" in shown
    _, shown = live("Taxi-v4", "?", cycles=5)
    assert "-1 per step" in shown


def test_actions_that_are_no_numbers_are_shown():
    _, shown = live("test/Drifter-v0", ["124"], cycles=1)
    codec = ActionCodec(gymnasium.make("test/Drifter-v0").action_space)
    first, last = ("[" + " ".join(f"{x:g}." for x in codec.decode(index)) + "]" for index in (0, 124))
    assert f"0 {first} to 124 {last} and Enter".replace(" ", "") in shown.replace(" ", "")
    assert f"> 124 {last}".replace(" ", "") in shown.replace(" ", "")


def test_what_was_once_shown_is_not_forgotten(tmp_path):
    state = tmp_path / "life.state"
    first, _ = live("aixi/Tiger-v0", "00", cycles=9, see="world", save=state)
    plain, shown = live(None, "0", resume=state, see="numbers", save=state)
    assert "listen" not in shown.lower()
    again, shown = live(None, "0", resume=state)
    assert "listen" not in shown.lower()  # as it was shown last
    assert [result.see for result in (first, plain, again)] == ["world"] * 3
    assert all(any("shown the world itself" in remark for remark in result.remarks) for result in (plain, again))
    names, _ = live("aixi/Tiger-v0", "00", cycles=9, save=state)
    more, shown = live(None, "0", resume=state, see="world")
    assert (names.see, more.see) == ("names", "world")


def test_returns_are_told_by_episode():
    played, shown = live("test/Returns-v0", "1" * 40, cycles=40)
    assert "average" in shown
    assert "an episode" in shown
    assert "a cycle" not in shown
    assert played.run.episodes > 0
    none, shown = live("test/Returns-v0", "", cycles=40)
    assert none.value is None
    short, shown = live("test/Returns-v0", "1", cycles=1, seed=1)
    assert (short.run.episodes > 0) != any(
        "or what random play earns if that is less" in remark for remark in short.remarks
    )


def test_a_fault_of_the_environment_is_not_taken_for_leaving(tmp_path):
    state = tmp_path / "life.state"
    with pytest.raises(LifeFaultError, match="gave reward nan"):
        live("test/NaN-v0", "0" * 60, cycles=60, save=state)
    evaluation_worlds.Faulty.cured = True
    rest, _ = live(None, "0" * 60, resume=state)
    assert rest.run.cycles == 60


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"environment": None}, InvalidValueError, "environment must be given"),
        ({"see": "all"}, InvalidValueError, "see must be one of numbers, names, world, got 'all'"),
        ({"environment": "CartPole-v1", "see": "world"}, InvalidValueError, "draws no text"),
        ({"cycles": 0}, InvalidValueError, "cycles must be at least 1, got 0"),
        ({"seed": -1}, InvalidValueError, "seed must be at least 0, got -1"),
        ({"environment": "test/Boundless-v0"}, UnsupportedSpaceError, "bound"),
        ({"environment": "aixi/Tigre-v0"}, AixiError, "did you mean aixi/Tiger-v0"),
    ],
)
def test_mistakes_are_told_before_anything_is_shown(options, error, message):
    if "test/Boundless-v0" not in gymnasium.registry:
        gymnasium.register("test/Boundless-v0", f"{__name__}:Boundless")
    out = io.StringIO()
    with pytest.raises(error, match=re.escape(message)):
        play(**({"environment": "aixi/Tiger-v0"} | options), source=io.StringIO("0\n"), out=out)
    assert out.getvalue() == ""


class Boundless(Drifter):
    """Takes any number for an action."""

    def __init__(self, render_mode=None):
        super().__init__(render_mode)
        self.action_space = spaces.Box(-np.inf, np.inf, (1,))


def test_the_life_of_an_agent_is_not_gone_on_with(tmp_path):
    state = tmp_path / "life.state"
    run("random", "aixi/Tiger-v0", cycles=10, save=state)
    with pytest.raises(StateFileError, match="not the state of a life that a person lived"):
        live(None, "0", resume=state)
    live("aixi/Tiger-v0", "0q", save=state)
    with pytest.raises(InvalidValueError, match="holds a life with agent 'Person'"):
        run(make_agent("random"), None, resume=state)


def test_lines_through_a_pipe(tmp_path):
    path = tmp_path / "play.json"
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "play", "aixi/Tiger-v0", "-n", "50", "--seed", "2", "--json", str(path)],
        input="0\n1\n9\n2\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads(path.read_text())
    assert written["run"]["cycles"] == 3
    assert written["run"]["percept_hash"] == live("aixi/Tiger-v0", "012", cycles=50, seed=2)[0].run.percept_hash
    assert "\x1b" not in done.stdout
    assert f"you {written['value']:.3f}" in re.sub(" +", " ", done.stdout)
    assert all(level["name"] in done.stdout for level in written["levels"])
    assert all(remark.split()[0] in done.stdout for remark in written["remarks"])


class Typist:
    """A terminal with a person at it, and the command in it."""

    def __init__(self, *arguments):
        self.ours, theirs = pty.openpty()
        self.modes = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.shown, self.read = "", 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "play", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=self._take_terminal,
            env=with_worlds() | {"TERM": "xterm", "COLUMNS": "100"},
        )

    def _take_terminal(self):
        import fcntl

        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def wait_for(self, pattern):
        """Reads until what comes after the last match matches."""
        limit = time.monotonic() + 60
        while not (found := re.search(pattern, self.shown[self.read :])):
            assert time.monotonic() < limit, self.shown
            if select.select([self.ours], [], [], 0.1)[0]:
                self.shown += os.read(self.ours, 65536).decode()
        self.read += found.end()

    def type(self, keys):
        os.write(self.ours, keys.encode())

    def end(self):
        """Returns the exit status."""
        while self.process.poll() is None or select.select([self.ours], [], [], 0)[0]:
            if select.select([self.ours], [], [], 0.1)[0]:
                self.shown += os.read(self.ours, 65536).decode()
        left_as_it_was = termios.tcgetattr(self.theirs) == self.modes
        for file in (self.ours, self.theirs):
            with contextlib.suppress(OSError):
                os.close(file)
        assert left_as_it_was
        return self.process.returncode


def test_keys_at_a_terminal_need_no_enter(tmp_path):
    state, path = tmp_path / "life.state", tmp_path / "play.json"
    person = Typist("aixi/Grid4x4-v0", "-n", 30, "--no-relabel", "--save", state)
    person.wait_for("> ")
    person.type("\x1b[C")  # an arrow
    person.wait_for("cycle 1 of 30")
    person.type("33q")
    assert person.end() == 0
    assert re.findall(r"> (?:\d )?(\w+)", person.shown) == ["right", "down", "down", "q"]
    assert "3 of 30 cycles" in person.shown
    person = Typist("--resume", state, "-n", 30, "--json", path)
    person.wait_for("cycle 3 of 30")
    person.type("23" * 14)  # typed ahead, and one too many
    assert person.end() == 0
    same = live("aixi/Grid4x4-v0", "233" + "23" * 14, cycles=30, relabel=False)[0]
    assert json.loads(path.read_text())["run"]["percept_hash"] == same.run.percept_hash


def test_interrupt_at_a_terminal_saves_the_life(tmp_path):
    state = tmp_path / "life.state"
    person = Typist("aixi/Tiger-v0", "-n", 30, "--save", state)
    person.wait_for("> ")
    person.type("0")
    person.wait_for("cycle 1 of 30[^>]*> ")
    person.type("\x03")
    assert person.end() == 130
    assert "Traceback" not in person.shown
    rest, _ = live(None, "0" * 29, resume=state)
    assert rest.run.percept_hash == live("aixi/Tiger-v0", "0" * 30, cycles=30)[0].run.percept_hash


def test_a_persons_life_is_no_life_to_run(tmp_path):
    state = tmp_path / "life.npz"
    play("aixi/CoinFlip-v0", cycles=2, source=io.StringIO("0\n1\n"), out=io.StringIO(), save=state)
    with pytest.raises(StateFileError, match=r"holds a life of Person.*aixi play --resume where a person lived"):
        run(None, None, resume=state)
