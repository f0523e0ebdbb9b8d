"""The Countdown experiment: problems that do not overlap, labels from play alone, judges that learn, whole results."""

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest

from aixi.agents.planning.reward_model import RewardModel
from aixi.agents.planning.thoughts import count_of, unpack
from aixi.errors import InvalidValueError
from aixi.evaluation.experiments.countdown import CountdownResult, countdown
from aixi.evaluation.experiments.countdown_plan import HELD_OUT, METHODS, PROCESS, SETTINGS, Setting, distinct_problems
from aixi.evaluation.experiments.reward_models import (
    SUPERVISIONS,
    LabelledStates,
    label_states,
    ranking,
    rankings,
    train_judge,
    truth,
)
from aixi.predictors.intrinsics import generator_state

KEPT = Path(__file__).parents[2] / "benchmarks/results/experiment-countdown.json"
TINY = Setting(
    name="tiny", numbers=4, largest=20, greatest=200, targets=(1, 200), held_out=(101, 200), training=600, plays=32
)


def drawn(seed: int, count: int) -> LabelledStates:
    rng = generator_state(np.random.SeedSequence(seed))
    problems = distinct_problems(TINY, TINY.targets, count, set(), rng)
    return label_states(*problems, TINY.greatest, TINY.plays, rng)


@pytest.fixture(scope="module")
def learnt() -> LabelledStates:
    return drawn(1, TINY.training)


@pytest.fixture(scope="module")
def judge(learnt: LabelledStates) -> RewardModel:
    return train_judge(learnt, "process", np.random.SeedSequence(3), batch=64)


def test_no_two_problems_share_their_numbers() -> None:
    rng, seen = generator_state(np.random.SeedSequence(0)), set[int]()
    parts = [distinct_problems(TINY, targets, 200, seen, rng) for targets in (TINY.targets, TINY.held_out)]
    states = np.concatenate([part.states for part in parts])
    assert len(set(states.tolist())) == len(seen) == 400
    assert all(len(unpack(state)) == 4 and unpack(state)[0] <= 20 for state in states)
    for part, (least, greatest) in zip(parts, (TINY.targets, TINY.held_out), strict=True):
        assert least <= part.targets.min()
        assert part.targets.max() <= greatest


def test_labels_come_from_plays(learnt: LabelledStates) -> None:
    solved = truth(learnt)
    assert not learnt.hits[~solved].any()
    assert not learnt.outcomes[~solved].any()
    assert learnt.hits.max() <= TINY.plays
    # One play is as likely to hit as each of the others; the hits of a state are binomial.
    gap = learnt.outcomes - learnt.hits / TINY.plays
    assert abs(gap.mean()) < 4 * gap.std() / gap.size**0.5
    assert set(learnt.labels("process").tolist()) == {0.0, 1.0}
    assert learnt.labels("fraction").tolist() == pytest.approx((learnt.hits / 32).tolist())
    assert learnt.labels("outcome").tolist() == learnt.outcomes.tolist()
    kept = learnt.where(learnt.targets < 101)
    assert 0 < kept.states.size < learnt.states.size
    assert kept.targets.max() <= 100


def test_a_judge_ranks_better_than_chance_what_it_never_saw(judge: RewardModel) -> None:
    other = drawn(2, 400)
    ranked = rankings("process", judge, other, truth(other))
    assert [row.numbers for row in ranked] == [2, 3]
    for row in ranked:
        count = sum(int(count_of(state)) == row.numbers for state in other.states)
        positives = row.solvable * count
        # Standard error of the area under the null hypothesis (Mann & Whitney 1947).
        error = ((count + 1) / (12 * positives * (count - positives))) ** 0.5
        assert row.area is not None
        assert row.area > 0.5 + 4 * error


def test_training_repeats(learnt: LabelledStates, judge: RewardModel) -> None:
    again = train_judge(learnt, "process", np.random.SeedSequence(3), batch=64)
    other = train_judge(learnt, "process", np.random.SeedSequence(4), batch=64)
    for name in RewardModel._fields[:6]:
        assert np.array_equal(getattr(judge, name), getattr(again, name))
    assert not np.array_equal(judge.first, other.first)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(5)
    scores, positive = rng.integers(0, 6, 60).astype(np.float32), rng.random(60) < 0.4
    pairs = list(itertools.product(scores[positive], scores[~positive]))
    expected = sum((one > other) + (one == other) / 2 for one, other in pairs) / len(pairs)
    assert ranking(scores, positive) == pytest.approx(expected)
    assert ranking(scores, np.ones(60, np.bool_)) is None


def test_what_cannot_be_labelled_is_refused() -> None:
    rng, problems = generator_state(np.random.SeedSequence(0)), np.array([5 + 4 * 1024, 5 + 4 * 1024 + 2**20])
    with pytest.raises(InvalidValueError, match="share a number of numbers"):
        label_states(problems, np.array([9, 9]), 31, 4, rng)
    with pytest.raises(InvalidValueError, match="plays must be at least 1"):
        label_states(problems[1:], np.array([9]), 31, 0, rng)
    with pytest.raises(InvalidValueError, match="at least one problem"):
        label_states(problems[:0], np.array([], np.int64), 31, 4, rng)


def check(result: CountdownResult) -> None:
    """What holds of every result, however small its run."""
    assert [each.setting.name for each in result.settings] == [each.name for each in SETTINGS]
    for each in result.settings:
        assert [line.method for line in each.lines] == [method.name for method in METHODS]
        assert [line.method for line in each.held_out] == [method.name for method in HELD_OUT]
        assert {row.judge for row in each.rankings} == set(SUPERVISIONS)
        for line in (*each.lines, *each.held_out):
            assert len(line.solved) == len(line.standard_errors) == len(result.budgets)
            assert line.solved == sorted(line.solved)
            assert line.solved == pytest.approx(np.mean(line.by_seed, axis=0).tolist())
            assert len(line.by_seed) == result.seeds
            assert line.microseconds > 0
            tried = [row for row in each.validation if row.method == line.method]
            if tried:
                best = max(tried, key=lambda row: row.solved)
                assert (line.exploration, line.temperature) == (best.exploration, best.temperature)


def test_a_small_run_writes_a_whole_result(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    path = tmp_path / "result.json"
    result = countdown(quick=True, seed=1, path=path, on_step=lambda *step: told.append(step))
    check(result)
    assert told == [(setting.name, each, 2) for setting in SETTINGS for each in (1, 2)]
    assert msgspec.json.decode(path.read_bytes(), type=CountdownResult) == result
    with pytest.raises(InvalidValueError, match="cannot write"):
        countdown(quick=True, path=tmp_path)


def test_the_kept_result_shows_what_process_rewards_bring() -> None:
    result = msgspec.json.decode(KEPT.read_bytes(), type=CountdownResult)
    check(result)
    assert not result.quick
    broad = result.settings[-1]
    assert broad.ratio is not None
    assert broad.ratio >= 2
    solved = next(line.solved for line in broad.lines if line.method == PROCESS)
    rising = [share for share in solved if share < 0.95]
    assert len(rising) >= 6
    assert all(before < after for before, after in itertools.pairwise(rising))
