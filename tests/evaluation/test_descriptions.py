"""Description lengths: parts, coders, chargings, the table as a second language, and what is stored."""

import itertools
import math
from fractions import Fraction
from operator import attrgetter

import gymnasium
import numpy as np
import pytest
from complexity_toys import PLAIN, ROWS, SHIPPED
from gymnasium.envs.toy_text.cliffwalking import CliffWalkingEnv
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from gymnasium.envs.toy_text.taxi import TaxiEnv
from scipy.stats import spearmanr

from aixi.errors import InvalidValueError, UnknownNameError
from aixi.evaluation.complexity import (
    CHARGINGS,
    CODERS,
    code_length,
    describe,
    description_bits,
    description_hash,
    lengths,
)
from aixi.evaluation.complexity.coders import Coder
from aixi.evaluation.complexity.description import Subject, frozen_descriptions, frozen_text, source_of, table_of
from aixi.evaluation.complexity.modules import ENGINES
from aixi.evaluation.complexity.tabular import table_text
from aixi.registry import Registry

AT_HAND = [coder.name for coder in CODERS if coder.installed]


@pytest.mark.parametrize("coder", AT_HAND)
@pytest.mark.parametrize("charging", CHARGINGS)
@pytest.mark.parametrize("name", ["aixi/Tiger-v0", "aixi/HeldOutTiger-v0", "FrozenLake-v1"])
def test_parts_sum_to_the_length_to_the_last_digit(name, coder, charging):
    found = describe(name, coder, charging)
    assert found.bits == sum(part.bits for part in found.parts) == description_bits(name, coder, charging)
    assert found.bits * 2**16 == int(found.bits * 2**16)
    assert lengths(name)[f"{coder}/{charging}"] == found.bits
    assert sum(part.bytes for part in found.parts) == len(found.text.encode())
    best = min(found.source_bits, found.tabular_bits or math.inf)
    assert found.bits == best + math.log2(found.languages)
    assert code_length(found.text.encode(), coder) == best


def test_what_was_charged_is_told():
    found = describe("gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv", charging="code")
    assert [part.name for part in found.parts if part.kind == "definition"] == [
        *("is_valid", "generate_random_map", "MAPS", "LEFT", "DOWN", "RIGHT", "UP"),
        *("categorical_sample", "FrozenLakeEnv"),
    ]
    assert (found.language, found.languages, found.free, found.engines) == ("source", 1, ["gymnasium", "numpy"], [])
    held_out = describe("aixi/HeldOutCoinFlip-v0")
    kinds = [(part.name, part.kind) for part in held_out.parts]
    assert kinds == [
        ("empty text", "coder"),
        ("CoinFlip", "definition"),
        ("probability", "argument"),
        ("source, of 2 languages", "language"),
    ]


def test_arguments_limits_and_names_are_charged_apart():
    flip, other = describe("aixi/CoinFlip-v0"), describe("aixi/HeldOutCoinFlip-v0")
    assert flip.bits < other.bits
    assert description_hash("aixi/CoinFlip-v0") != description_hash("aixi/HeldOutCoinFlip-v0")
    assert description_bits("aixi/CoinFlip-v0", charging="code") == other.source_bits - other.parts[2].bits
    assert description_bits("aixi/CoinFlip-v0", charging="names") > flip.bits
    unlimited = FrozenLakeEnv.__module__ + ":FrozenLakeEnv"
    assert description_hash(unlimited) != description_hash("FrozenLake-v1")


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError, match="unknown environment 'Nowhere-v0'; give a registered id"):
        describe("Nowhere-v0")
    with pytest.raises(UnknownNameError, match="unknown coder 'zip'"):
        describe("aixi/Tiger-v0", "zip")
    with pytest.raises(InvalidValueError, match="charging must be one of all, code, names, engine, got 'some'"):
        describe("aixi/Tiger-v0", charging="some")


def test_a_coder_that_is_missing_is_told(monkeypatch):
    missing = Registry("coder", *CODERS, Coder("rare", "", lambda text: 0.0, "no_such_package"))
    monkeypatch.setattr("aixi.evaluation.complexity.coders.CODERS", missing)
    with pytest.raises(InvalidValueError, match="coder rare needs no_such_package, which is not installed"):
        code_length(b"", "rare")


def test_engines_are_free_but_flagged_and_charged_on_demand(tmp_path, monkeypatch):
    (tmp_path / "engine_toy.py").write_text(PLAIN.replace("SIDES = 6", "import Box2D\nSIDES = Box2D.b2World()"))
    monkeypatch.syspath_prepend(str(tmp_path))
    subject = Subject("toy", "engine_toy:Die")
    monkeypatch.setattr(Subject, "find", lambda environment: subject)
    monkeypatch.setattr("aixi.evaluation.complexity.description.table_of", lambda subject: None)
    free, charged = describe("toy"), describe("toy", charging="engine")
    assert free.engines == charged.engines == ["Box2D"]
    assert charged.bits == free.bits + ENGINES["Box2D"].bits
    assert ("Box2D", "engine") in [(part.name, part.kind) for part in charged.parts]
    assert charged.free == ["gymnasium"]


@pytest.mark.parametrize("row", ROWS, ids=attrgetter("name"))
def test_stored_lengths_are_those_computed(row):
    if row not in SHIPPED:
        pytest.skip(f"{row.package} is not installed: pip install aixi[{row.extra}]")
    stored = frozen_descriptions()
    coders = [coder.name for coder in CODERS if coder.installed and coder.version == stored.coders[coder.name]]
    assert {"mixture", "lzma"} <= set(coders)
    subject = Subject.find(row)
    texts = [[piece.content for piece in source_of(subject, charging).pieces] for charging in ("all", "code", "names")]
    table = table_of(subject)
    known = stored.environments[row.name]
    expected = [known.source["all"], known.source["code"], known.source["names"]]
    assert (table is None) == (known.table is None)
    if table is not None:
        texts.append([table])
        expected.append(known.table)
    for pieces, frozen in zip(texts, expected, strict=True):
        found = frozen_text(pieces, coders)
        assert found.sha256 == frozen.sha256
        assert found.bits == {coder: frozen.bits[coder] for coder in coders}


def test_stored_lengths_are_of_every_environment_and_used_without_the_coder(monkeypatch):
    assert set(frozen_descriptions().environments) == {row.name for row in ROWS}
    monkeypatch.setattr("aixi.evaluation.complexity.description.code_length", None)
    monkeypatch.setattr(Coder, "installed", property(lambda coder: coder.package is None))
    assert set(lengths("aixi/Tiger-v0")) == {f"{coder.name}/{charging}" for coder in CODERS for charging in CHARGINGS}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations([coder.name for coder in CODERS], 2)))
def test_coders_agree_on_the_order_of_environments(one, other):
    def length(row, coder):
        known = frozen_descriptions().environments[row.name]
        texts = [known.source["all"], *([] if known.table is None else [known.table])]
        return 1 + min(sum(text.bits[coder]) for text in texts)  # one bit says which of two languages

    assert all(length(row, one) == lengths(row)[f"{one}/all"] for row in SHIPPED[:12])
    columns = [[length(row, coder) for row in ROWS] for coder in (one, other)]
    assert spearmanr(*columns).statistic >= 0.95


def decode(text):
    """Rebuilds rows, start and time limit from a table's text, as `tabular` says."""
    head, start, *lines = text.split("\n")
    states, actions, common, *limit = head.split()
    weights = [int(weight) for weight in (start.split(",") if "," in start else start)]
    weights += [0] * (int(states) - len(weights))
    rows = {}
    for state, line in enumerate(lines):
        for action, outcomes in enumerate(line.split(",") if line else ()):
            row = {}
            for outcome in outcomes.split(";"):
                weight, _, rest = outcome.rpartition("*")
                step, _, reward = rest.removesuffix(".").partition(":")
                row[state + int(step), float(reward or common), rest.endswith(".")] = int(weight or 1)
            rows[state, action] = {key: Fraction(weight, sum(row.values())) for key, weight in row.items()}
    assert {action for _, action in rows} == set(range(int(actions)))
    return rows, [Fraction(weight, sum(weights)) for weight in weights], [int(number) for number in limit]


@pytest.mark.parametrize(
    "make",
    [
        FrozenLakeEnv,
        lambda: FrozenLakeEnv(map_name="8x8", is_slippery=False),
        lambda: FrozenLakeEnv(success_rate=0.8, reward_schedule=(1, -0.25, 0)),
        CliffWalkingEnv,
        lambda: CliffWalkingEnv(is_slippery=True),
        TaxiEnv,
        lambda: TaxiEnv(is_rainy=True),
    ],
)
def test_table_holds_the_whole_environment(make):
    env = make()
    rows, start, limit = decode(table_text(make(), 77))
    assert limit == [77]
    np.testing.assert_allclose([float(chance) for chance in start], env.initial_state_distrib, rtol=0, atol=1e-12)
    reached = {state for state, chance in enumerate(start) if chance}
    assert reached <= {state for state, _ in rows}
    for (state, action), row in rows.items():
        expected = {}
        for chance, following, reward, end in env.P[state][action]:
            outcome = int(following), float(reward), bool(end)
            expected[outcome] = expected.get(outcome, 0.0) + float(chance)
        assert {key: float(chance) for key, chance in row.items()} == pytest.approx(expected, abs=1e-12)
        assert all(end or (following, 0) in rows for following, _, end in row)


class Lying(FrozenLakeEnv):
    """Pays another reward than its table says."""

    def step(self, a):
        observation, reward, *rest = super().step(a)
        return observation, reward + 1, *rest


class Veiled(CliffWalkingEnv):
    """Shows less than its state."""

    def reset(self, **options):
        observation, info = super().reset(**options)
        return observation // 2, info


@pytest.mark.parametrize(
    "make",
    [Lying, Veiled, lambda: TaxiEnv(fickle_passenger=True), lambda: FrozenLakeEnv(success_rate=0.123456789)],
)
def test_what_is_not_all_in_its_table_has_none(make):
    assert table_text(make(), None) is None


def test_lengths_as_tables():
    found = {
        name: describe(name) for name in ("FrozenLake-v1", "CliffWalking-v1", "Taxi-v4") if name in gymnasium.registry
    }
    assert len(found) == 3
    for description in found.values():
        assert description.language == "table"
        assert 6 * description.tabular_bits < description.source_bits
    assert found["CliffWalking-v1"].bits < found["FrozenLake-v1"].bits < found["Taxi-v4"].bits
    assert describe("aixi/Maze1D-v0").tabular_bits is None
