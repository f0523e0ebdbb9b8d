"""Sequences: each against its definition written down another way, bad arguments, and players that know them."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aixi.environments import ENVIRONMENTS, make
from aixi.environments.sequences.growing_runs import GrowingRuns
from aixi.environments.sequences.markov import Markov
from aixi.environments.sequences.periodic import Periodic
from aixi.environments.sequences.program import Program
from aixi.environments.sequences.recall import Recall


def symbols_of(env: Any, count: int, seed: int = 0) -> list[int]:
    """The first symbols of a sequence, that of the reset among them."""
    first, _ = env.reset(seed=seed)
    return [int(first), *(int(env.step(np.int64(0))[0]) for _ in range(count - 1))]


@pytest.mark.parametrize(
    "env",
    [Periodic("0120"), GrowingRuns(3), Recall("120", 3), Markov((0.2, 0.9)), Program(length=7)],
    ids=lambda env: type(env).__name__,
)
def test_the_reward_is_for_the_symbol_that_comes_and_no_action_changes_it(env: Any) -> None:
    sequence = symbols_of(env, 300, seed=3)
    actions = np.random.default_rng(4).integers(env.action_space.n, size=299)
    env.reset(seed=3)
    for action, symbol in zip(actions, sequence[1:], strict=True):
        assert env.step(action)[:2] == (symbol, float(action == symbol))


def test_periodic_repeats_its_pattern() -> None:
    assert symbols_of(Periodic("0010212"), 21) == [0, 0, 1, 0, 2, 1, 2] * 3
    assert Periodic("0010212").action_space.n == 3  # type: ignore[attr-defined]  # Discrete


@pytest.mark.parametrize("longest", [1, 2, 5])
def test_growing_runs_are_runs_that_grow(longest: int) -> None:
    text = "".join("0" * run + "1" for run in range(1, longest + 1)) * 3
    assert "".join(map(str, symbols_of(GrowingRuns(longest), len(text)))) == text


@pytest.mark.parametrize("order", ["0", "01234", "43210", "1032"])
def test_recall_repeats_each_word_in_order(order: str) -> None:
    length = len(order)
    rounds = np.reshape(symbols_of(Recall(order, symbols=3), 2 * length * 300), (300, 2 * length))
    np.testing.assert_array_equal(rounds[:, length:], rounds[:, [int(place) for place in order]])
    # Words are new ones, and no symbol has more luck than another.
    counts = np.bincount(rounds[:, :length].ravel(), minlength=3)
    assert np.abs(counts - 100 * length).max() < 4 * np.sqrt(300 * length * 2 / 9)
    assert len(np.unique(rounds, axis=0)) > 1


def test_markov_draws_by_the_last_symbols_oldest_first() -> None:
    table = (0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.1, 0.9)
    sequence = symbols_of(Markov(table), 40_000)
    ones = np.zeros((8, 2))
    for at in range(3, len(sequence)):
        ones[int("".join(map(str, sequence[at - 3 : at])), 2), sequence[at]] += 1
    for (zeros, some), probability in zip(ones, table, strict=True):
        total = zeros + some
        assert total > 500
        assert abs(some / total - probability) < 4 * np.sqrt(probability * (1 - probability) / total)


def test_markov_anchors_follow_from_its_two_numbers() -> None:
    rise, fall = Fraction(1, 10), Fraction(3, 10)  # from 0 to 1 and back
    zeros = fall / (rise + fall)
    row = ENVIRONMENTS["aixi/Markov-v0"]
    assert row.constant is not None
    assert row.best is not None
    assert row.constant.value == float(max(zeros, 1 - zeros))
    assert row.best.value == float(zeros * (1 - rise) + (1 - zeros) * (1 - fall))


def fibonacci(count: int) -> list[int]:
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append(numbers[-1] + numbers[-2])
    return [number % 10 for number in numbers]


def thue_morse(count: int) -> list[int]:
    return [number.bit_count() % 2 for number in range(count)]


def shift_register(count: int) -> list[int]:
    """Galois's form of the same register: a number is doubled modulo a polynomial over the field of two elements."""
    register, bits = 1, []
    for _ in range(count):
        register = register * 2 ^ (0b10000011 if register & 64 else 0)  # x**7 + x + 1
        bits.append(register & 1)
    return bits


def rule_30(count: int) -> list[int]:
    """Rule 30 by its table; cell number n has cell n - 7 above it."""
    cells = [0, 0, 0, 0, 0, 1, 0, 0]
    while len(cells) < count:
        above = 4 * cells[-8] + 2 * cells[-7] + cells[-6]
        cells.append(30 >> above & 1)
    return cells


@pytest.mark.parametrize(
    ("name", "expected"),
    [("aixi/Fibonacci-v0", fibonacci), ("aixi/ThueMorse-v0", thue_morse), ("aixi/Rule30-v0", rule_30)],
)
def test_programs_write_what_they_are_named_after(name: str, expected: Any) -> None:
    length = len(make(name).unwrapped.sequence)  # type: ignore[attr-defined]  # a Program
    assert symbols_of(make(name), length) == expected(length)


def test_shift_register_runs_through_every_state_but_zero() -> None:
    sequence = symbols_of(make("aixi/ShiftRegister-v0"), 127)
    around = sequence + sequence[:6]
    assert len({tuple(around[at : at + 7]) for at in range(127)}) == 127
    # The same sequence from another place, as a register that is built the other way round writes it.
    other = shift_register(254)
    assert any(other[at : at + 127] == sequence for at in range(127))


@pytest.mark.parametrize("name", ["aixi/Fibonacci-v0", "aixi/ShiftRegister-v0", "aixi/Rule30-v0"])
def test_these_programs_would_begin_anew_by_themselves(name: str) -> None:
    arguments = dict(ENVIRONMENTS[name].kwargs)
    length = arguments.pop("length", 60)
    sequence = Program(**arguments, length=2 * length).sequence
    assert sequence[:length] == sequence[length:]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("7", [1, 7, 7]),
        ("n", [1, 1, 2]),
        ("93-", [1, 6, 6]),
        ("94*", [1, 6, 6]),
        ("94/", [1, 2, 2]),
        ("29-4/", [1, 8, 8]),
        ("94%", [1, 1, 1]),
        ("1@3+", [1, 4, 7]),
        ("n@2*", [1, 2, 2]),
    ],
)
def test_each_instruction(program: str, expected: list[int]) -> None:
    assert Program(program, start="1", length=3).sequence == tuple(expected)


def test_a_start_longer_than_the_sequence_is_cut_to_it() -> None:
    assert Program(start="0123", length=2).sequence == (0, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Periodic(""), "pattern must be text of at least one digit from 0 to 9, got ''"),
        (lambda: Periodic("01a"), "pattern must be text"),
        (lambda: GrowingRuns(0), "longest must be at least 1, got 0"),
        (lambda: Recall("02"), "order must have each digit from 0 to its length less 1 once, got '02'"),
        (lambda: Recall("01", symbols=1), "symbols must be at least 2, got 1"),
        (lambda: Markov([0.5]), "table must have 2, 4, 8 or another power of 2 of entries, got 1"),
        (lambda: Markov([0.5, 1.5]), r"probabilities of table must be in \[0, 1\]"),
        (lambda: Program("1@x"), "program must be made of 0 to 9, n, @"),
        (lambda: Program(symbols=11), "symbols must be from 2 to 10, got 11"),
        (lambda: Program(start="2", symbols=2), "start must be at least one digit from 0 to 1, got '2'"),
        (lambda: Program(length=0), "length must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("program", "error"), [("+", IndexError), ("3@", IndexError), ("0@", IndexError), ("10/", ZeroDivisionError)]
)
def test_a_program_that_fails_says_so_at_once(program: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Program(program)
