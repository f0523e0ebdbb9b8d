"""The battery for environments: what each must hold before an agent's score there means anything."""

import math
import re
import warnings
from collections.abc import Callable, Iterable

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from aixi.agents.base import RewardRange
from aixi.agents.percepts import ActionCodec, PerceptCodec
from aixi.evaluation.checks.battery import Battery, Finding, Mismatch, expect
from aixi.evaluation.checks.lives import (
    digest,
    global_seeds,
    global_states,
    go_on,
    life,
    lives_elsewhere,
    through_a_file,
)
from aixi.evaluation.checks.play import measured, misfit
from aixi.evaluation.checks.subject import Environment
from aixi.evaluation.complexity import description_bits
from aixi.evaluation.screen import counted

SLOW_SECONDS = 0.01
"""Time of a step from which on the battery warns."""
_WAY_OUT = "see docs/authors.md"
_COLOUR = re.compile("\x1b\\[\\d+m(WARN: )?")
_ADVICE = ("infinity", "symmetric and normalized")  # of Gymnasium, which the codes of `aixi.agents` do not need


ENVIRONMENT_CHECKS = Battery[Environment]()
_check = ENVIRONMENT_CHECKS.check
_PERCEPTS = ("play", "observations", "rewards", "ends", "masks")


@_check("made", "it can be made from its row", "make the constructor take the row's kwargs and raise nothing with them")
def _made(subject: Environment) -> str:
    env = subject.make()
    expect(isinstance(env, gymnasium.Env), f"a {type(env).__name__}", "derive its class from gymnasium.Env")
    return type(env.unwrapped).__name__


@_check(
    "actions",
    "actions have a code of finitely many numbers",
    "use a Discrete action space, or another of few joint actions",
    after=("made",),
)
def _actions(subject: Environment) -> str:
    return ActionCodec(subject.make().action_space).words


@_check(
    "play",
    "reset returns (observation, info), step (observation, reward, terminated, truncated, info); nothing raises",
    "correct reset or step where it fails",
    after=("actions",),
)
def _play(subject: Environment) -> str:
    return subject.kept("play")


@_check(
    "observations",
    "each observation is in its space, of its dtype and shape",
    "cast what reset and step return, or correct observation_space",
    after=("play",),
)
def _observations(subject: Environment) -> str:
    return subject.kept("observations")


@_check(
    "rewards",
    "each reward is one that the row declares",
    "correct the rewards, or `rewards` or `reward_range` of the row",
    after=("play",),
)
def _rewards(subject: Environment) -> str:
    told = subject.kept("rewards")
    seen = sorted({*subject.random_play.rewards, *subject.greedy_play.rewards})
    return f"{seen[0]:g} to {seen[-1]:g} in {told}"


@_check(
    "ends",
    "episodes end if, and only if, the row says episodic=True",
    "correct `episodic` of the row, or what step returns as terminated and truncated",
    after=("play",),
)
def _ends(subject: Environment) -> str:
    told = subject.kept("ends")
    ends = subject.random_play.ends + subject.greedy_play.ends
    if subject.row.episodic and subject.listed and not ends:
        raise Mismatch(f"no end of an episode in {told}", level="warning")
    return f"{counted(ends, 'end')} in {told}"


@_check(
    "masks",
    "an action mask holds a truth value for each action, one of them True, and is what the row's function says",
    "correct info['action_mask'], action_masks(), or `mask` of the row",
    after=("play",),
)
def _masks(subject: Environment) -> str:
    return subject.kept("masks")


@_check(
    "buffers",
    "what was returned is not changed afterwards",
    "return copies of arrays and dictionaries that the environment goes on using",
    after=("play",),
)
def _buffers(subject: Environment) -> str:
    return subject.kept("buffers")


@_check(
    "coding",
    "observations and rewards have a code of finitely many bits, and bits decode to a member of the same bits",
    "give the parts of the observation codes in the row (EnvironmentRow.codes), or use other spaces",
    after=("observations", "rewards"),
)
def _coding(subject: Environment) -> str:
    row, space = subject.row, subject.make().observation_space
    rewards = RewardRange(*(row.reward_range or (-math.inf, math.inf)), row.rewards)
    codec = PerceptCodec(space, rewards, episodic=row.episodic, codes=row.codes, name=row.name)
    for percept in subject.random_play.kept:
        decoded, reward, _ = codec.decode(codec.encode(*percept))
        wrong = misfit(space, decoded)
        expect(not wrong, f"{percept[0]!r} decodes to {wrong}")
        if row.rewards is not None:  # else a reward has but a bin
            expect(reward == percept[1], f"reward {percept[1]:g} decodes to {reward:g}")
    for observation, _ in subject.random_play.kept:  # once more, now that codes which follow what they see stand still
        numbers, sizes = list(codec.code.encode(observation)), codec.code.sizes
        fits = len(numbers) == len(sizes) and all(
            0 <= number < size for number, size in zip(numbers, sizes, strict=True)
        )
        expect(fits, f"{observation!r} has the numbers {numbers}, where the code has components of sizes {sizes}")
        decoded = codec.code.decode(iter(numbers))
        same_bits = list(codec.code.encode(decoded)) == numbers
        expect(same_bits, f"{observation!r} and what it decodes to, {decoded!r}, have other bits")
    words = codec.words_of_coding()
    return (
        f"{counted(codec.percept_bits, 'bit')} a percept; observation {words['observation']}; reward {words['reward']}"
    )


@_check(
    "determinism",
    "two new environments of one seed live one life under the same actions",
    "draw all randomness from self.np_random, which super().reset(seed=seed) seeds",
    after=("play",),
)
def _determinism(subject: Environment) -> str:
    _compare(_life(subject, 1), _life(subject, 1), "two environments of seed 1")
    return f"{subject.life_cycles} cycles"


@_check(
    "seeding",
    "reset(seed=...) begins the same life on a used environment as on a new one",
    "call super().reset(seed=seed) and set every attribute anew in reset",
    after=("determinism",),
)
def _seeding(subject: Environment) -> str:
    env = subject.make()
    with global_seeds(0):
        life(env, subject.row, 2, subject.life_cycles)
    with global_seeds(0):
        again = life(env, subject.row, 1, subject.life_cycles)
    _compare(again, _life(subject, 1), "a used and a new environment of seed 1")
    return f"{subject.life_cycles} cycles"


@_check(
    "processes",
    "a fresh interpreter with another hash seed lives the same life",
    "depend on no hash, order of a set, address, or file that changes; name the environment as module:id",
    after=("determinism",),
)
def _processes(subject: Environment) -> str:
    elsewhere = lives_elsewhere({subject.environment: subject.row})[subject.environment]
    expect(not isinstance(elsewhere, str), f"another interpreter: {elsewhere}")
    here, there = _life(subject, 1), list(elsewhere)
    both = min(len(here), len(there))  # each is as long as its own interpreter had time for
    _compare(here[:both], there[:both], "this interpreter and another")
    return f"{both - 1} cycles"


@_check(
    "global randomness",
    "the random state of the process is neither used nor changed",
    "use self.np_random in place of np.random and random",
    after=("determinism",),
)
def _global_randomness(subject: Environment) -> str:
    _compare(_life(subject, 1, 0), _life(subject, 1, 1), "one seed under two global seeds")
    with global_seeds(2):
        before = digest(global_states())
        life(subject.make(), subject.row, 1, subject.life_cycles)
        expect(digest(global_states()) == before, "np.random or random in another state after a life")
    return f"{subject.life_cycles} cycles"


@_check(
    "state",
    "where get_state and set_state exist, another environment goes on exactly, from plain values and copies",
    "put everything that step reads into get_state, the state of self.np_random included, as copies",
    after=("determinism",),
)
def _state(subject: Environment) -> str:
    env, other = subject.make().unwrapped, subject.make().unwrapped
    if not (hasattr(env, "get_state") and hasattr(env, "set_state")):
        return "none offered; saved lives are replayed"
    observation, info = env.reset(seed=3)
    _, observation, info = go_on(env, subject.row, np.random.default_rng(0), observation, info, 50)
    state = env.get_state()
    kept = through_a_file(state)
    one, *_ = go_on(env, subject.row, np.random.default_rng(1), observation, info, subject.life_cycles)
    expect(digest(through_a_file(state)) == digest(kept), "a state that changed when its environment went on")
    other.reset(seed=4)
    other.set_state(kept)
    two, *_ = go_on(other, subject.row, np.random.default_rng(1), observation, info, subject.life_cycles)
    _compare(one, two, "the environment and another that was given its state")
    return f"{subject.life_cycles} cycles after it"


@_check(
    "row",
    "a row says summary, rewards, anchors and tags, so that lives can be scored",
    f"register an EnvironmentRow with them; {_WAY_OUT}",
    after=("made",),
)
def _row(subject: Environment) -> str:
    row = subject.row
    if not subject.listed:
        raise Mismatch(f"no row of {row.name}: agents can live in it, but it has no score", level="warning")
    lacking = {
        "summary": row.summary,
        "rewards or reward_range": row.reward_range,
        "random": row.random,
        "constant": row.constant,
        "best": row.best,
        "tags": row.tags,
    }
    missing = [name for name, value in lacking.items() if not value]
    if missing:
        raise Mismatch(f"no {', no '.join(missing)}", level="warning")
    return row.summary


@_check(
    "anchors",
    "random <= best, constant <= best, all in the range of rewards; random play earns what the row says",
    "correct the anchors of the row, or what they are averages of (`measure`)",
    after=("row", "rewards", "ends", "masks"),
)
def _anchors(subject: Environment) -> str:
    row, told = subject.row, "not declared"
    anchors = {"random": row.random, "constant": row.constant, "best": row.best}
    values = {name: anchor.value for name, anchor in anchors.items() if anchor is not None}
    if row.measured_range is not None:
        low, high = row.measured_range
        for name, value in values.items():
            expect(low <= value <= high, f"{name} {value:g}, outside {low:g} to {high:g}")
    if "best" in values and "constant" in values:
        expect(values["constant"] <= values["best"], f"constant {values['constant']:g}, best {values['best']:g}")
    if "random" in values:
        mean, error = measured(row, subject.random_play)
        told = f"random play {mean:.4g} +- {error:.2g}, declared {values['random']:.4g}"
        if not math.isfinite(error):
            raise Mismatch(f"too few episodes to tell what random play earns: {told}", level="warning")
        expect(abs(mean - values["random"]) <= error, told)
    return told


@_check(
    "description",
    "its source can be followed to its end, so that it has a description length",
    "keep dynamics and data in its own package; use only Python, NumPy and Gymnasium's API beside it",
    after=("made",),
)
def _description(subject: Environment) -> str:
    return f"{description_bits(subject.row if subject.listed else subject.row.name):,.1f} bits"


@_check(
    "gymnasium",
    "Gymnasium's own checker finds nothing",
    "do what Gymnasium says",
    after=(*_PERCEPTS, "buffers", "seeding", "global randomness"),
)
def _gymnasium(subject: Environment) -> str:
    env = subject.make().unwrapped
    modes = env.metadata.get("render_modes", [])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(env, skip_render_check="human" in modes)  # which would open a window
    lines = [_COLOUR.sub("", str(item.message)) for item in said]
    told = [line for line in lines if not any(advice in line for advice in _ADVICE)]
    if told:
        raise Mismatch("; ".join(told), level="warning")
    return "nothing"


@_check(
    "speed",
    f"a step takes less than {SLOW_SECONDS * 1000:.0f} ms",
    "find out with a profiler where its time goes: lives have ten thousand cycles and more",
    after=("play",),
)
def _speed(subject: Environment) -> str:
    found = subject.random_play
    seconds = found.seconds / len(found.rewards)
    told = f"{seconds * 1e6:,.0f} us a step"
    if seconds > SLOW_SECONDS:
        raise Mismatch(told, level="warning")
    return told


def check_environment(
    environment: str,
    *,
    checks: Iterable[str] | None = None,
    cycles: int = 20_000,
    seconds: float = 20.0,
    on_finding: Callable[[Finding], None] | None = None,
) -> list[Finding]:
    """Runs the battery on an environment.

    Args:
        environment: `id` or `module:id`.
        checks: names of checks, all if None.
        cycles: of random play, and the most of greedy play.
        seconds: after which random play stops, and greedy play likewise.
        on_finding: called with each finding as it comes.

    Raises:
        UnknownNameError: if there is no such environment or check.

    Example:
        >>> [finding.level for finding in check_environment("aixi/CoinFlip-v0", checks=["rewards"], cycles=100)]
        ['ok', 'ok', 'ok', 'ok']
    """
    return ENVIRONMENT_CHECKS(Environment(environment, cycles=cycles, seconds=seconds), checks, on_finding)


def _life(subject: Environment, seed: int, global_seed: int = 0) -> list[str]:
    with global_seeds(global_seed):
        return life(subject.make(), subject.row, seed, subject.life_cycles)


def _compare(one: list[str], two: list[str], whose: str) -> None:
    for cycle, (first, second) in enumerate(zip(one, two, strict=True)):
        expect(first == second, f"{whose} gave other percepts from cycle {cycle} on: {first} and {second}")
