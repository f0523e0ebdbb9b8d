"""Ctrl-C at every moment of a score or a life."""

import os
import signal

import evaluation_worlds
import pytest

from aixi.agents.baselines import RandomAgent
from aixi.evaluation import Suite, run, score
from aixi.evaluation.interrupt import Interrupt

SUITE = Suite("tests", 1, "", 500.0, 3, {"test/Walk-v0": 50})


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def lives(result):
    return len(result.agents["random"].environments["test/Walk-v0"].seeds)


@pytest.mark.parametrize("presses", [1, 2])
def test_between_two_lives(presses):
    ended = []

    def end(result, stored):
        ended.append(result)
        for _ in range(presses):
            press()

    result = score(["random"], SUITE, imports=["evaluation_worlds"], on_cell=end)
    assert result.interrupted
    assert (lives(result), len(ended)) == (1, 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("presses", [1, 2])
def test_in_a_life(presses):
    suite = Suite("tests", 1, "", 500.0, 1, {"test/Walk-v0": 50, "test/Slow-v0": 10**4})

    def look(going):
        if any(cell.environment == "test/Slow-v0" and cycles for cell, cycles in going.items()):
            for _ in range(presses):
                press()

    result = score(["random"], suite, imports=["evaluation_worlds"], on_tick=look)
    assert (lives(result), result.interrupted) == (1, True)
    assert result.agents["random"].environments["test/Slow-v0"].seeds == []


@pytest.mark.parametrize("made", [RandomAgent, evaluation_worlds.Walk])
def test_while_an_agent_or_a_world_is_made(monkeypatch, made):
    def construct(self, *arguments, **options):
        press()
        begin(self, *arguments, **options)

    begin = made.__init__
    monkeypatch.setattr(made, "__init__", construct)
    with Interrupt():
        assert run("random", "test/Walk-v0", cycles=10).interrupted


def test_one_within_another():
    with Interrupt() as outer:
        with Interrupt() as inner:
            press()
            assert (outer.requested, inner.requested) == (True, True)
            with pytest.raises(KeyboardInterrupt):
                press()
        with Interrupt() as later:
            assert later.requested


def test_lives_in_processes_stop_together():
    suite = Suite("slow", 1, "", 500.0, 2, {"test/Slow-v0": 10**4})
    began = []

    def look(going):
        if len(going) == 2 and not began:
            began.append(going)
            press()

    result = score(["random"], suite, workers=2, imports=["evaluation_worlds"], on_tick=look)
    assert result.interrupted
    assert result.agents["random"].environments["test/Slow-v0"].seeds == []


def test_what_a_listener_raises_is_its_own():
    def listen(life):
        raise LookupError("seen enough")

    with pytest.raises(LookupError, match="seen enough"):
        run("random", "test/Walk-v0", cycles=5, on_cycle=listen)
