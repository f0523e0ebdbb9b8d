"""One life in a process of its own: whatever it does, its driver learns what became of it, and nothing is left."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from evaluation_worlds import LIVES_BEFORE_FAULT
from processes import processes_of, running, wait_until, with_worlds

from aixi.agents.baselines import RandomAgent
from aixi.errors import EnvironmentFaultError, InvalidValueError
from aixi.evaluation import isolation, run, zygote
from aixi.evaluation.faults import InternalError, LifeLostError, attribute
from aixi.evaluation.isolation import end_session, live_isolated
from aixi.evaluation.messages import Begun, Broken, Lived, Message, Request, Tick, frame, receive
from aixi.evaluation.records import Cell, cell_key, curve_points, full_options
from aixi.evaluation.runner import LifeFaultError
from aixi.evaluation.world import World

IMPORTS = ("evaluation_agents",)
SESSION = "test_isolation"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to the limit")


@pytest.fixture(autouse=True, scope="module")
def one_session():
    """What was imported for one test serves the next, and ends with the last."""
    yield
    end_session(SESSION)


def live(environment, agent="random", cycles=200, **options):
    cell = Cell(agent, f"test/{environment}-v0", 1, cycles)
    return live_isolated(cell, **({"imports": IMPORTS, "session": SESSION, "deadline": 30} | options))


def test_a_life_of_its_own_is_the_same_life():
    ticks = []
    found = live("Slow", cycles=400, on_cycle=ticks.append)
    here = run("random", "test/Slow-v0", cycles=400, seed=1, relabel=True)
    assert (found.cycles, found.average_reward, found.percept_hash) == (400, here.average_reward, here.percept_hash)
    assert curve_points(found)[:, 1].tolist() == [point.cumulative_average for point in here.curve]
    assert 1 <= len(ticks) <= found.seconds / 0.1 + 1
    assert ticks == sorted(ticks)
    assert found.options == full_options("random")
    assert (found.entry_point, found.arguments) == ("evaluation_worlds:Slow", {})
    assert len(found.description_hash) == 64
    assert found.versions == here.versions
    assert found.ended[:2] == "20"


@pytest.mark.parametrize(
    ("kind", "cycles", "error"),
    [
        ("Raise", LIVES_BEFORE_FAULT, "raised RuntimeError: the wall is hot"),
        ("NaN", LIVES_BEFORE_FAULT, "gave reward nan"),
        ("Exit", LIVES_BEFORE_FAULT, "raised SystemExit: 3"),
        ("Recursion", LIVES_BEFORE_FAULT, "raised RecursionError"),
        ("Unmade", 0, "raised OSError when it was made"),
        ("Quit", LIVES_BEFORE_FAULT, "ended its process with status 3 (evaluation_worlds.py, line "),
        ("Segfault", LIVES_BEFORE_FAULT, "crashed with SIGSEGV"),
        ("Abort", LIVES_BEFORE_FAULT, "crashed with SIGABRT (evaluation_worlds.py, line "),
    ],
)
def test_an_environment_that_fails_is_blamed(kind, cycles, error):
    found = live(kind)
    assert found.fault == "environment"
    assert f"environment test/{kind}-v0 {error}" in found.error
    assert f"cycle {cycles + 1}, seed 1)" in found.error
    assert found.cycles == cycles
    if cycles:
        whole = run("random", "test/Walk-v0", cycles=cycles, seed=1, relabel=True)
        assert found.average_reward == pytest.approx(whole.average_reward, rel=1e-12)
    else:
        assert found.average_reward is None


@pytest.mark.parametrize("kind", ["Hang", "Freeze", "Deep"])
def test_an_environment_that_hangs_is_ended(kind):
    """In Python; in C code that lets nobody else run; below so many calls that no stack trace shows them all."""
    began = time.monotonic()
    found = live(kind, deadline=0.3)
    assert (found.fault, found.cycles) == ("environment", LIVES_BEFORE_FAULT)
    assert found.error.startswith(
        f"environment test/{kind}-v0 did not end within 0.3 s, its deadline (evaluation_worlds"
    )
    assert time.monotonic() - began < isolation.GRACE


@pytest.mark.parametrize(
    ("agent", "error"),
    [
        ("sluggish", "did not end within 0.3 s, its deadline (evaluation_worlds.py, line "),
        ("sluggish:kind=exit", "raised SystemExit: 3"),
        ("sluggish:kind=quit", "ended its process with status 70 (evaluation_worlds.py, line "),
        ("sluggish:kind=realtime", "crashed with signal 40 (evaluation_worlds.py, line "),
        ("clumsy", "raised ZeroDivisionError: slipped"),
    ],
)
def test_an_agent_that_fails_is_blamed(agent, error):
    found = live("Walk", agent, deadline=0.3)
    assert (found.fault, found.cycles) == ("agent", 9)
    assert found.error.startswith(f"agent {agent} {error}")


class Liar(RandomAgent):
    """Blames the environment, when it begins or in a later cycle."""

    def __init__(self, acts):
        super().__init__()
        self.left = acts

    def reset(self, *arguments, **facts):
        super().reset(*arguments, **facts)
        self.blame()

    def act(self, mask=None):
        self.blame()
        return super().act(mask)

    def blame(self):
        self.left -= 1
        if self.left < 0:
            raise EnvironmentFaultError("environment test/Walk-v0 raised OSError: not me")


def test_an_agent_that_blames_the_environment_is_blamed():
    with pytest.raises(LifeFaultError, match=r"agent Liar raised EnvironmentFaultError: .* not me") as caught:
        run(Liar(10), "test/Walk-v0", cycles=50)
    assert (caught.value.fault, caught.value.result.cycles) == ("agent", 9)


@pytest.mark.parametrize("begun", [False, True])
def test_only_what_the_world_raises_is_the_environments_fault(begun):
    """In a process of its own, where the life may not even have begun."""
    cell = Cell("liar", "test/Walk-v0", 1, 50)
    with pytest.raises(EnvironmentFaultError) as own:
        Liar(0).blame()
    fault, said = zygote._whose(own.value, cell, 3 * begun)
    assert fault == "agent"
    assert said.startswith("agent liar raised EnvironmentFaultError: environment test/Walk-v0 raised OSError: not me")
    with pytest.raises(EnvironmentFaultError) as real:
        World("test/Unmade-v0", 1, relabel=False, record=False)
    assert zygote._whose(real.value, cell, 3 * begun) == ("environment", str(real.value))


def test_an_agent_that_lets_no_timer_end_it_is_blamed(monkeypatch):
    monkeypatch.setattr(isolation, "GRACE", 0.3)
    found = live("Walk", "sluggish:kind=deaf", deadline=0.3, session="deaf")
    assert (found.fault, found.cycles) == ("agent", 9)
    assert found.error == "agent sluggish:kind=deaf did not end within 0.3 s, its deadline (cycle 10, seed 1)"
    end_session("deaf")


def test_an_agent_whose_totals_are_none_is_blamed():
    found = live("Walk", "sluggish:kind=totals")
    assert (found.fault, found.cycles) == ("agent", 200)
    assert "cannot tell its totals: InvalidValueError: model_bits must be a number of bits, got nan" in found.error
    assert found.average_reward == live("Walk").average_reward


def test_an_agent_that_cannot_begin_is_blamed():
    found = live("Walk", "constant:action=5")
    assert (found.fault, found.cycles, found.error) == ("agent", 0, "action must be less than 2 here, got 5")


@LINUX
@pytest.mark.parametrize("kind", ["Hoard", "Crumbs"])
def test_an_environment_that_leaks_is_stopped(kind):
    found = live(kind, memory=50 << 20)
    assert found.fault == "environment"
    assert f"environment test/{kind}-v0 raised MemoryError" in found.error
    assert 0 < found.cycles < 200
    assert len(curve_points(found)) == found.cycles


@LINUX
@pytest.mark.parametrize(
    ("environment", "agent", "fault"), [("Share", "random", "environment"), ("Walk", "sluggish:kind=share", "agent")]
)
def test_shared_memory_is_memory_too(environment, agent, fault):
    """The system's own limit does not know it."""
    found = live(environment, agent, memory=50 << 20)
    assert found.fault == fault
    assert found.cycles == {"environment": LIVES_BEFORE_FAULT, "agent": 9}[fault]
    assert "took more than 0.0524288 GB of memory (evaluation_worlds.py, line " in found.error
    assert "in take_shared_memory; " in found.error


def test_what_a_life_prints_goes_nowhere(capfd):
    assert live("Print").fault is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("environment", "agent", "name", "fault"),
    [
        ("Kill", "random", "SIGKILL", "environment"),
        ("Walk", "sluggish:kind=kill", "SIGKILL", "agent"),
        ("Walk", "sluggish:kind=terminate", "SIGTERM", "agent"),
        ("Walk", "sluggish:kind=parent", "SIGKILL", "agent"),
        ("Walk", "sluggish:kind=silent", "SIGKILL", None),
    ],
)
def test_a_life_that_is_killed_is_lost(environment, agent, name, fault):
    """What it had come to is known, and by whom it was killed where that was Python."""
    with pytest.raises(LifeLostError, match=rf"{agent} in .*, seed 1, was lost \(killed by {name}\)") as caught:
        live(environment, agent)
    loss = caught.value
    assert (loss.signal, loss.result.fault) == (name, fault)
    if agent != "sluggish:kind=parent":  # who was to tell of its last tenth of a second is gone too
        cycles = LIVES_BEFORE_FAULT if environment == "Kill" else 9
        whole = run("random", "test/Walk-v0", cycles=cycles, seed=1, relabel=True)
        assert loss.result.cycles == cycles
        assert loss.result.average_reward == pytest.approx(whole.average_reward, rel=1e-12)
        assert loss.place.endswith(f"cycle {cycles + 1}, seed 1")
    assert loss.place.startswith("evaluation_worlds.py, line ") == (fault is not None)
    assert loss.result.options == full_options(agent)


@pytest.mark.parametrize(
    ("sabotage", "error"),
    [
        ("main._live = lambda *_: 1 / 0", "own code failed around .*ZeroDivisionError"),  # around the life
        ("main.description_hash = lambda *_: 1 / 0", "own code failed around .*ZeroDivisionError"),  # before it
        ("def fork(): raise BlockingIOError('full')\nos.fork = fork", "own code failed around .*BlockingIOError: full"),
        ("os.write(2, b'had enough')\nos._exit(3)", "has ended with status 3; .*:\nhad enough"),
    ],
)
def test_what_is_no_fault_of_a_life_is_none(sabotage, error, tmp_path, monkeypatch):
    (tmp_path / "sabotage.py").write_text(f"import os, sys\nmain = sys.modules['__main__']\n{sabotage}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InternalError, match=f"(?s){error}"):
        live("Walk", imports=(*IMPORTS, "sabotage"), session=str(tmp_path))
    end_session(str(tmp_path))


def test_a_life_that_is_stopped_leaves_nothing():
    stop, found = threading.Event(), []
    before = processes_of(os.getpid())
    thread = threading.Thread(target=lambda: found.append(live("Hang", stop=stop, session="stopped")))
    thread.start()
    wait_until(lambda: len(processes_of(os.getpid())) >= len(before) + 2)
    stop.set()
    thread.join()
    assert found == [None]
    assert len(processes_of(os.getpid())) <= len(before)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_takes_the_life_with_it(victim):
    """The process that was forked from, and the life's own."""
    lost = []
    before = set(processes_of(os.getpid()))

    def wait_for_it():
        with pytest.raises(LifeLostError) as caught:
            live("Freeze", session=f"killed {victim}")
        lost.append(caught)

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    wait_until(lambda: len(set(processes_of(os.getpid())) - before) >= 2)
    started = [pid for pid in processes_of(os.getpid()) if pid not in before]
    os.kill(started[victim], signal.SIGKILL)
    thread.join()
    assert len(lost) == 1
    wait_until(lambda: not any(map(running, started)))


DRIVER = """
import sys
from aixi.evaluation.isolation import live_isolated
from aixi.evaluation.records import Cell
live_isolated(Cell("random", "test/Freeze-v0", 1, 10**9), imports=["evaluation_worlds"])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_its_driver(number):
    """Though the life hangs in C code and lets no Python run."""
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stderr=subprocess.PIPE, env=with_worlds())
    wait_until(lambda: len(processes_of(driver.pid)) == 2)
    started = processes_of(driver.pid)
    driver.send_signal(number)
    driver.communicate()
    wait_until(lambda: not any(map(running, started)))


FORKING_DRIVER = """
import os, sys, time
from aixi.evaluation.isolation import live_isolated
from aixi.evaluation.records import Cell
live_isolated(Cell("random", "aixi/CoinFlip-v0", 1, 5))
child = os.fork()
if not child:
    time.sleep(60)
print(child, flush=True)
sys.stdin.read()
"""


def test_a_fork_of_the_driver_does_not_keep_processes_alive():
    driver = subprocess.Popen(
        [sys.executable, "-c", FORKING_DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    fork = int(driver.stdout.readline())
    started = [pid for pid in processes_of(driver.pid) if pid != fork]
    assert len(started) == 1
    driver.kill()
    driver.wait()
    wait_until(lambda: not running(started[0]))
    assert running(fork)
    os.kill(fork, signal.SIGKILL)
    driver.communicate()


def test_lives_within_the_workers_of_an_executor():
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        there = executor.submit(live_isolated, Cell("random", "aixi/CoinFlip-v0", 1, 50)).result()
        lost = executor.submit(live_isolated, Cell("sluggish:kind=kill", "test/Walk-v0", 1, 50), imports=IMPORTS)
        assert isinstance(lost.exception(), LifeLostError)
        assert (lost.exception().result.cycles, lost.exception().result.fault) == (9, "agent")
    here = live_isolated(Cell("random", "aixi/CoinFlip-v0", 1, 50), session=SESSION)
    assert there.percept_hash == here.percept_hash


def test_what_a_process_does_not_know_is_refused():
    cell = Cell("clumsy", "test/Walk-v0", 1, 10)
    with pytest.raises(InvalidValueError, match=r"unknown agent 'clumsy'.*; put registrations in a module"):
        live_isolated(cell, imports=["evaluation_worlds"], session=SESSION)
    with pytest.raises(InvalidValueError, match="cannot import 'no_such_module'"):
        live_isolated(cell, imports=["no_such_module"], session=SESSION)
    with pytest.raises(InvalidValueError, match="is of another version there; install the same one everywhere"):
        live("Stateful", key="0" * 64)
    assert live("Stateful", key=cell_key(Cell("random", "test/Stateful-v0", 1, 200))).fault is None


@pytest.mark.parametrize(
    ("limit", "value"),
    [("deadline", 0), ("deadline", math.inf), ("deadline", math.nan), ("memory", 0), ("memory", 2**63)],
)
def test_limits_that_cannot_be(limit, value):
    with pytest.raises(InvalidValueError, match=f"{limit} must be "):
        live("Walk", **{limit: value})


def test_limits_beyond_what_the_system_can_count():
    assert live("Walk", deadline=1e12, memory=2**63 - 1).fault is None


WITHOUT_FORK = "import os; del os.fork; from aixi.evaluation import zygote; zygote.main()"


@pytest.mark.parametrize("environment", ["Slow", "Hang"])
def test_without_fork_a_process_lives_one_cell(environment):
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_FORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=with_worlds(),
        bufsize=0,
    )
    cell = Cell("random", f"test/{environment}-v0", 1, 300)
    with process:
        process.stdin.write(frame(Request(cell, None, ("evaluation_worlds",), deadline=1.0)))
        begun = receive(process.stdout.read, Begun)
        assert not begun.forked
        said = []
        while (message := receive(process.stdout.read, Begun | Tick | Lived)) is not None:
            said.append(message)
        traces = process.stderr.read().decode()
    assert isinstance(said[0], Tick)
    if environment == "Slow":
        assert process.returncode == 0
        expected = run("random", cell.environment, cycles=300, seed=1, relabel=True)
        assert said[-1].result.percept_hash == expected.percept_hash
    else:
        assert process.returncode == 1
        assert said[-1].cycles == LIVES_BEFORE_FAULT
        assert traces.startswith("Timeout (")
        assert attribute(traces, begun.template.entry_point)[0] == "environment"


def test_without_fork_a_defect_is_none_of_the_life():
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_FORK.replace("zygote.main", "zygote._live = lambda *_: 1 / 0; zygote.main")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=with_worlds(),
        bufsize=0,
    )
    with process:
        process.stdin.write(frame(Request(Cell("random", "test/Walk-v0", 1, 300), None, ("evaluation_worlds",))))
        assert not receive(process.stdout.read, Message).forked
        while isinstance(message := receive(process.stdout.read, Message), Tick):
            pass
        assert "ZeroDivisionError" in message.error
        assert isinstance(message, Broken)
        process.kill()


def test_without_fork_a_process_ends_with_its_driver():
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_FORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=with_worlds(),
        bufsize=0,
    )
    with process:
        process.stdin.write(frame(Request(Cell("random", "test/Hang-v0", 1, 300), None, ("evaluation_worlds",))))
        assert receive(process.stdout.read, Begun).template.entry_point == "evaluation_worlds:Deadly"
        process.stdin.close()
        assert process.wait(10) == 70
