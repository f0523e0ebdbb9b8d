import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from evaluation_checks import same

from aixi.evaluation.cli import _VERBS
from aixi.evaluation.runner import run

# The command with a line of a life every third of a second.
IMPATIENT = "from aixi.evaluation import cli, screen; screen._PLAIN_SECONDS = 0.3; cli.main()"
HERE = Path(__file__).parent
RUN_KEYS = {"environment", "agent", "seed", "cycles", "average_reward", "bits_per_percept", "curve"}


def aixi(*arguments, cwd=HERE, **settings):
    """Runs the command as a user does."""
    return subprocess.run(
        [sys.executable, "-c", "from aixi.evaluation.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "100"},
        timeout=120,
        **settings,
    )


def test_run_writes_what_it_shows(tmp_path):
    path, picture = tmp_path / "run.json", tmp_path / "curve.svg"
    done = aixi("run", "random", "aixi/Tiger-v0", "-n", 500, "--seed", 3, "--json", path, "--plot", picture)
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads(path.read_text())
    assert written.keys() >= RUN_KEYS
    assert (written["agent"], written["seed"], written["cycles"]) == ("random", 3, 500)
    assert same(written, run("random", "aixi/Tiger-v0", cycles=500, seed=3))
    assert f"{written['average_reward']:.4f}" in done.stdout
    assert "\x1b" not in done.stdout
    assert picture.read_text().startswith("<?xml")


def test_run_takes_options_and_third_party_environments():
    done = aixi("run", "constant", "test/Walk-v0", "-n", 50, "-o", "action=1", "--import", "evaluation_worlds")
    assert done.returncode == 0
    assert "action=1" in done.stdout
    assert aixi("run", "constant:action=1", "evaluation_worlds:test/Walk-v0", "-n", 50).returncode == 0


def test_save_and_resume(tmp_path):
    state, path = tmp_path / "life.state", tmp_path / "run.json"
    first = aixi("run", "random", "evaluation_worlds:test/Episodes-v0", "-n", 200, "--relabel", "--save", state)
    assert first.returncode == 0
    assert aixi("run", "--resume", state, "-n", 500, "--json", path).returncode == 0
    whole = run("random", "test/Episodes-v0", cycles=500, relabel=True)
    assert same(json.loads(path.read_text()), whole)
    shorter = aixi("run", "--resume", state, "-n", 100)
    assert (shorter.returncode, shorter.stdout) == (2, "")
    assert "cycles must be at least 200" in shorter.stderr


def test_score_writes_what_it_shows(tmp_path):
    suite, path = tmp_path / "two.toml", tmp_path / "score.json"
    suite.write_text(
        'name="two"\nversion=1\nsummary=""\ntemperature=300.0\nseeds=2\n'
        '[cycles]\n"test/Walk-v0"=200\n"aixi/CoinFlip-v0"=200\n'
    )
    command = ["score", "random", "constant:action=1", "--suite", suite, "--import", "evaluation_worlds"]
    done = aixi(*command, "--workers", 2, "--json", path)
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads(path.read_text())
    assert list(written["agents"]) == ["random", "constant:action=1"]
    for agent in written["agents"].values():
        assert f"{agent['mean']:.3f}" in done.stdout
        assert f"{agent['score']['low']:.3f}" in done.stdout
    assert all(f"{env['description_bits']:,.0f}" in done.stdout for env in written["environments"].values())
    assert sum(line.lstrip().startswith(("1/8", "8/8")) for line in done.stdout.splitlines()) == 2


def test_store_report_and_comparison(tmp_path):
    suite, store = tmp_path / "one.toml", tmp_path / "lives.sqlite"
    suite.write_text(
        'name="one"\nversion=1\nsummary=""\ntemperature=300.0\nseeds=3\nquick=true\n[cycles]\n"aixi/CoinFlip-v0"=100\n'
    )
    command = ["score", "random", "constant", "--suite", suite, "--store", store]
    assert "quick: for trying out, not for publication" in aixi(*command).stdout
    assert "6 lives were stored already" in aixi(*command).stdout
    page = tmp_path / "report.html"
    done = aixi("report", store, "--suite", suite, "-o", page)
    assert (done.returncode, done.stderr) == (0, "")
    assert page.read_text().lower().startswith("<!doctype html>")
    finished = tmp_path / "table.json"
    assert aixi("report", store, "--suite", suite, "--format", "json", "-o", finished).returncode == 0
    done = aixi("report", finished, "random", "--weights", "uniform")
    assert (done.returncode, done.stderr) == (
        2,
        f"aixi: {finished} is a finished table, nothing in it can be chosen; leave out the agents, --weights\n",
    )
    table = tmp_path / "table.csv"
    assert aixi("report", store, "random", "--suite", suite, "--format", "csv", "-o", table).returncode == 0
    assert sum(",random," in line for line in table.read_text().splitlines()) == 3
    done = aixi("compare", "random", "constant", "--store", store, "--suite", suite)
    assert (done.returncode, done.stderr) == (0, "")
    assert "aixi/CoinFlip-v0" in done.stdout


def test_agents_that_come_with_their_lives_stand_beside():
    done = aixi("compare", "mc-aixi-ctw", "random")
    assert (done.returncode, done.stderr) == (0, "")
    assert "better" in done.stdout


def test_complexity_tells_what_is_charged():
    done = aixi("complexity", "FrozenLake-v1", "--source")
    assert (done.returncode, done.stderr) == (0, "")
    assert "transition table" in done.stdout
    assert aixi("complexity", "aixi/CoinFlip-v0").stdout.count("SHA-256") == 1


@pytest.mark.parametrize("verb", ["agents", "envs", "predictors"])
def test_lists(tmp_path, verb):
    path = tmp_path / "list.json"
    done = aixi(verb, "--json", path)
    assert done.returncode == 0
    ((_, rows),) = json.loads(path.read_text()).items()
    assert len(rows) >= 2
    assert all(row["name"] in done.stdout and row["summary"] for row in rows)


def test_options_of_an_agent_are_listed():
    done = aixi("agents", "constant")
    assert done.returncode == 0
    assert done.stdout.split() == ["action", "0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "random", "aixi/Tigre-v0"],
            "unknown environment 'aixi/Tigre-v0'; did you mean aixi/Tiger-v0",
        ),
        (["run", "randon", "aixi/Tiger-v0"], "unknown agent 'randon'; did you mean random?"),
        (["run", "random", "aixi/Tiger-v0", "-n", "0"], "cycles must be at least 1, got 0"),
        (["run", "mc-aixi-ctw", "aixi/Tiger-v0", "-o", "depth=0"], "depth must be at least 1, got 0"),
        (["run", "mc-aixi-ctw:horizon=0", "aixi/Tiger-v0"], "horizon must be at least 1, got 0"),
        (["run", "mc-aixi-ctw:simulations=0", "aixi/Tiger-v0"], "simulations must be at least 1, got 0"),
        (["run", "random", "aixi/Tiger-v0", "-o", "depth"], "an option is written key=value, got 'depth'"),
        (
            ["run", "random", "aixi/Tiger-v0", "--json", "no/such/run.json"],
            "there is no folder no/such; make it first",
        ),
        (["run", "random", "aixi/Tiger-v0", "--save", "."], "cannot write to .: it is a folder"),
        (["run", "random", "aixi/Tiger-v0", "--import", "nothing_here"], "cannot import 'nothing_here'"),
        (["run", "random", "aixi/Tiger-v0", "--resume", "no.state"], "there is no state file no.state"),
        (["run"], "agent and environment must be given"),
        (["score", "random", "--suite", "huge"], "unknown suite 'huge'"),
        (["score", "random", "--suite", "jair", "--quick"], "leave out either it or --suite jair"),
        (["score", "random", "--weights", "moral"], "unknown weighting 'moral'; known: economic"),
        (["score", "random", "--precision", "0.1"], "a precision is that of differences between agents"),
        (["score", "random", "--store", "no/such.sqlite"], "there is no folder no; make it first"),
        (
            ["score", "random", "--cluster", "nowhere"],
            "address must be like tcp://host:8786, got 'nowhere'",
        ),
        (["score", "random", "--memory", "nan"], "memory must be a finite number of GB, one byte at least, got nan"),
        (["score", "random", "--memory", "1e-12"], "one byte at least, got 1e-12"),
        (["score", "random", "--deadline", "inf"], "deadline must be a finite number of seconds above 0, got inf"),
        (["score", "random", "--precision", "0.1", "--budget", "-1"], "budget must be a finite number above 0, got -1"),
        (["compare", "random", "randm"], "unknown agent 'randm'; did you mean random"),
        (["report", "a.json", "--weights", "uniform", "random"], "a.json is not a table"),
        (["tune", "constant", "action=0|0"], "option action needs values to try, each once, got 0|0"),
        (["report", "nothing.sqlite"], "there is no store nothing.sqlite"),
        (["report", "nothing.sqlite", "--format", "doc"], "format must be one of"),
        (["compare", "random", "random"], "two agents are compared, got random twice"),
        (["compare", "random", "constant:action=1"], "the reference holds no life of constant:action=1 in suite core"),
        (["tune", "mc-aixi-ctw", "depth=4|8", "--suite", "core"], "suite core is not held out"),
        (["complexity", "aixi/Tigre-v0"], "did you mean aixi/Tiger-v0"),
    ],
)
def test_mistakes_are_one_line_on_standard_error(arguments, message):
    done = aixi(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("aixi: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_fault_of_an_environment_loses_nothing(tmp_path):
    path, state = tmp_path / "run.json", tmp_path / "life.state"
    done = aixi("run", "random", "evaluation_worlds:test/NaN-v0", "-n", 500, "--json", path, "--save", state)
    assert done.returncode == 2
    assert "environment test/NaN-v0 gave reward nan" in done.stderr
    assert json.loads(path.read_text())["cycles"] == 37
    assert state.exists()
    assert "37 of 500" in done.stdout


def test_help_is_light():
    code = (
        "import sys\nfrom aixi.evaluation.cli import main\nsys.argv = ['aixi', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numba', 'numpy', 'gymnasium', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(verb in done.stdout for verb in _VERBS)


def wait_for_line(process, text):
    """Reads lines until one holds the text."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} did not come in {lines}")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-u", "-c", IMPATIENT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=HERE,
    )


def test_interrupt_in_the_middle_of_a_life_loses_nothing(tmp_path):
    path, state = tmp_path / "run.json", tmp_path / "life.state"
    with start("run", "random", "evaluation_worlds:test/Slow-v0", "-n", 10**6, "--json", path, "--save", state) as life:
        wait_for_line(life, "/1,000,000")
        time.sleep(0.3)
        life.send_signal(signal.SIGINT)
        shown, errors = life.communicate(timeout=30)
    assert (life.returncode, errors) == (130, "")
    written = json.loads(path.read_text())
    lived = written["cycles"]
    assert written["interrupted"]
    assert 0 < lived < 10**6
    assert f"{lived:,} of 1,000,000, interrupted" in shown
    assert same(written, run("random", "test/Slow-v0", cycles=lived))
    resumed = run(None, None, cycles=lived + 100, resume=state)
    assert same(resumed, run("random", "test/Slow-v0", cycles=lived + 100))


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupt_of_a_score_keeps_the_lives_that_ended(tmp_path, workers):
    suite, path = tmp_path / "slow.toml", tmp_path / "score.json"
    suite.write_text(
        'name="slow"\nversion=1\nsummary=""\ntemperature=300.0\nseeds=2\n'
        '[cycles]\n"test/Walk-v0"=100\n"test/Slow-v0"=1000000\n'
    )
    command = ["score", "random", "--suite", suite, "--import", "evaluation_worlds", "--workers", workers]
    with start(*command, "--json", path) as scoring:
        wait_for_line(scoring, "2/4")
        time.sleep(0.3)
        scoring.send_signal(signal.SIGINT)
        shown, errors = scoring.communicate(timeout=30)
    assert (scoring.returncode, errors) == (130, "")
    environments = json.loads(path.read_text())["agents"]["random"]["environments"]
    assert [len(environments[name]["seeds"]) for name in ("test/Walk-v0", "test/Slow-v0")] == [2, 0]
    assert "interrupted" in shown
