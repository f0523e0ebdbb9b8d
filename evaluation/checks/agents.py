"""The battery for agents: the contract of `aixi.agents.base.Agent`, in a continuing world and in one of episodes."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from aixi.agents.base import Agent, Hints, RewardRange
from aixi.agents.percepts import ActionCodec
from aixi.agents.registry import AGENTS, convert_options, make_agent, parse_agent
from aixi.environments import make
from aixi.errors import UnsupportedSpaceError
from aixi.evaluation.checks.battery import Battery, Finding, Mismatch, expect, plain, same
from aixi.evaluation.checks.interpreter import call_elsewhere
from aixi.evaluation.checks.lives import digest, global_seeds, global_states, through_a_file
from aixi.evaluation.screen import counted
from aixi.evaluation.world import find_row
from aixi.registry import load_object
from aixi.state import State

WORLDS = ("aixi/Tiger-v0", "FrozenLake-v1")
"""A continuing world and one of episodes, unless others are given."""
_CYCLES = 60

Event = tuple[Any, ...]
"""`begin` and an observation; `act` and the action chosen; `observe` and its arguments."""

# Spaces that differ from a world's own in one thing: an agent lives in them, or says that it cannot.
_BOX = spaces.Box(0.0, 1.0, (2,))
_STRANGE: dict[str, dict[str, spaces.Space[Any]]] = {
    "a Box of observations": {"observation_space": _BOX},
    "a Text as observation": {"observation_space": spaces.Text(3)},
    "a Graph as observation": {"observation_space": spaces.Graph(spaces.Discrete(2), None)},
    "a Box of actions": {"action_space": _BOX},
    "two actions at once": {"action_space": spaces.MultiDiscrete([2, 3])},
    "actions from 5 on": {"action_space": spaces.Discrete(3, start=5)},
}


class Lives:
    """An agent that is checked, and the worlds that it lives in.

    Args:
        agent: `name` or `name:key=value,key=value`, or a function that makes it.
        worlds: `id` or `module:id` of each.

    Attributes:
        make: returns it, new.
        worlds: as given.
        entry_point: `module:Class`; empty if a function makes it.
        options: of its constructor.
        resumable: whether its lives can be gone on with bit for bit.
    """

    def __init__(self, agent: str | Callable[[], Agent], worlds: Sequence[str]) -> None:
        self.worlds = worlds
        self.entry_point, self.options, self.resumable = "", dict[str, Any](), True
        if isinstance(agent, str):
            name, written = parse_agent(agent)
            self.entry_point, self.resumable = AGENTS[name].entry_point, AGENTS[name].resumable
            try:
                self.options = convert_options(name, written)
            except (ImportError, AttributeError):  # its class is not where the table says: `made` tells
                self.options = dict(written)
            self.make: Callable[[], Agent] = functools.partial(make_agent, name, **self.options)
        else:
            self.make = agent

    def newborn(self, world: str, seed: int, **strange: Any) -> Agent:
        """Returns it at the beginning of a life."""
        agent = self.make()
        born(agent, world, seed, **strange)
        return agent


def born(agent: Agent, world: str, seed: int, **strange: Any) -> None:
    """Begins a life of an agent in a world; `strange` spaces take the place of its own."""
    env, row = make(find_row(world)), find_row(world)
    # What a row says of its own spaces is wrong of others.
    own = Hints() if strange else Hints(row.codes, load_object(row.mask) if row.mask else None, row.mask_part)
    agent.reset(
        strange.get("observation_space", env.observation_space),
        strange.get("action_space", env.action_space),
        RewardRange(*(row.reward_range or (-math.inf, math.inf)), row.rewards),
        np.random.SeedSequence(seed),
        cycles=_CYCLES,
        episodic=row.episodic,
        hints=own,
    )


def record(agent: Agent, world: str, *, states: bool = False) -> tuple[list[Event], list[State]]:
    """Lives a life; returns its events, and the agent's state after each of them where that is asked for."""
    env = make(find_row(world))
    events: list[Event] = []
    kept: list[State] = []

    def note(*event: Any) -> None:
        events.append(event)
        if states:
            kept.append(agent.state_dict())

    def begin(observation: Any) -> None:
        agent.begin(observation, {})
        note("begin", observation)

    begin(env.reset(seed=5)[0])
    for _ in range(_CYCLES):
        action = agent.act()
        note("act", action)
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(action, observation, float(reward), terminated, truncated)
        note("observe", action, observation, float(reward), terminated, truncated)
        if terminated or truncated:
            begin(env.reset()[0])
    return events, kept


def replay(agent: Agent, events: Iterable[Event]) -> list[Any]:
    """Lives through the same percepts and returns the actions chosen."""
    actions = []
    for kind, *arguments in events:
        if kind == "act":
            actions.append(agent.act())
        elif kind == "begin":
            agent.begin(arguments[0], {})
        else:
            agent.observe(*arguments)
    return actions


def actions_of(events: Iterable[Event]) -> list[Any]:
    """Returns the actions of a life."""
    return [event[1] for event in events if event[0] == "act"]


AGENT_CHECKS = Battery[Lives]()
_check = AGENT_CHECKS.check


@_check("made", "it can be made, and is an Agent", "correct the constructor, or the entry point of its AgentSpec")
def _made(subject: Lives) -> str:
    agent = subject.make()
    expect(isinstance(agent, Agent), f"a {type(agent).__name__}", "derive its class from aixi.agents.Agent")
    return type(agent).__name__


@_check(
    "living",
    "it lives in each world, and each action is in the action space",
    "correct the method that fails; return a member of the action space that reset was given",
    after=("made",),
)
def _living(subject: Lives) -> str:
    for world in subject.worlds:
        agent, space = subject.newborn(world, 0), make(find_row(world)).action_space
        for action in actions_of(record(agent, world)[0]):
            expect(space.contains(action), f"action {plain(action)} in {world}, outside {space}")
    return f"{_CYCLES} cycles in each of {', '.join(subject.worlds)}"


@_check(
    "determinism",
    "one seed gives one life, and the process's own random state is neither used nor changed",
    "draw from a generator made of the seed that reset was given",
    after=("living",),
)
def _determinism(subject: Lives) -> str:
    for world in subject.worlds:
        lives = []
        for seed in (0, 0, 1):
            with global_seeds(seed):
                before = digest(global_states())
                lives.append(digest(actions_of(record(subject.newborn(world, 1), world)[0])))
                expect(digest(global_states()) == before, f"np.random or random in another state, in {world}")
        expect(lives[0] == lives[1], f"two lives of one seed in {world}")
        expect(lives[0] == lives[2], f"two lives under two global seeds in {world}")
    return counted(len(subject.worlds), "world")


@_check(
    "processes",
    "a fresh interpreter with another hash seed lives the same life",
    "depend on no hash, order of a set, or address",
    after=("determinism",),
)
def _processes(subject: Lives) -> str:
    if not subject.entry_point:
        raise Mismatch("a function made it, which no other interpreter knows; give its name", level="warning")
    lives = call_elsewhere(
        f"{__name__}:_lives", entry_point=subject.entry_point, options=subject.options, worlds=list(subject.worlds)
    )
    for world, there in zip(subject.worlds, lives, strict=True):
        expect(there == digest(record(subject.newborn(world, 1), world)[0]), f"another life in {world}")
    return counted(len(subject.worlds), "world")


def _lives(entry_point: str, options: dict[str, Any], worlds: list[str]) -> list[str]:
    subject = Lives(lambda: load_object(entry_point)(**options), worlds)
    return [digest(record(subject.newborn(world, 1), world)[0]) for world in worlds]


@_check(
    "another life",
    "after reset it lives as a new one does",
    "set every attribute anew in reset",
    after=("determinism",),
)
def _another_life(subject: Lives) -> str:
    for world in subject.worlds:
        agent = subject.newborn(world, 1)
        first, _ = record(agent, world)
        born(agent, world, 1)
        expect(digest(record(agent, world)[0]) == digest(first), f"another life in {world}")
    return counted(len(subject.worlds), "world")


@_check(
    "state",
    "from the state after any event another agent goes on exactly, through a file; a state is a copy",
    "put everything into state_dict (model, tree, counts, generator) as copies, and all of it back",
    after=("determinism",),
)
def _state(subject: Lives) -> str:
    if not subject.resumable:
        return "declared as not resumable"
    count = 0
    for world in subject.worlds:
        events, states = record(subject.newborn(world, 3), world, states=True)
        ends = [at for at, event in enumerate(events) if event[0] == "observe" and (event[4] or event[5])]
        final, twin = subject.newborn(world, 3), subject.newborn(world, 3)
        replay(final, events)
        replay(twin, events[:31])
        expect(same(states[30], twin.state_dict()), f"a state that changed when the life in {world} went on")
        # After each event of the first cycles, in the middle of each episode's end, and here and there.
        for at in sorted({*range(6), *ends, *range(0, len(events), 17)}):
            agent = subject.newborn(world, 99)  # another seed: everything must come from the state
            agent.load_state_dict(through_a_file(states[at]))
            rest = events[at + 1 :]
            expect(
                digest(replay(agent, rest)) == digest(actions_of(rest)), f"other actions after event {at} in {world}"
            )
            expect(agent.diagnostics() == final.diagnostics(), f"other diagnostics after event {at} in {world}")
            told = through_a_file(agent.state_dict()), through_a_file(final.state_dict())
            expect(same(*told), f"another state at the end, gone on from event {at} in {world}")
            count += 1
    return counted(count, "state")


@_check(
    "masks",
    "it takes no action that the mask forbids",
    "choose among np.flatnonzero(mask), in exploration too",
    after=("living",),
)
def _masks(subject: Lives) -> str:
    for world in subject.worlds:
        env = make(find_row(world))
        agent, codec = subject.newborn(world, 7), ActionCodec(env.action_space)
        rng = np.random.default_rng(8)
        agent.begin(env.reset(seed=1)[0], {})
        for mask in rng.random((_CYCLES, codec.count)) < 0.4:
            mask[rng.integers(mask.size)] = True
            action = agent.act(mask)
            expect(mask[codec.encode(action)], f"action {plain(action)} under the mask {mask.tolist()} in {world}")
            observation, reward, terminated, truncated, _ = env.step(action)
            agent.observe(action, observation, float(reward), terminated, truncated)
            if terminated or truncated:
                agent.begin(env.reset()[0], {})
    return f"{_CYCLES} masks in each world"


@_check(
    "other spaces",
    "it lives in any space, or reset refuses it with UnsupportedSpaceError",
    "write actions and observations with aixi.agents.percepts, or raise UnsupportedSpaceError in reset",
    after=("living",),
)
def _other_spaces(subject: Lives) -> str:
    world, refused = subject.worlds[0], []
    for case, strange in _STRANGE.items():
        try:
            agent = subject.newborn(world, 9, **strange)
        except UnsupportedSpaceError:
            refused.append(case)
            continue
        except Exception as error:
            raise Mismatch(f"{type(error).__name__} in reset for {case}: {error}") from error
        env = make(find_row(world))
        observed = strange.get("observation_space", env.observation_space)
        allowed = strange.get("action_space", env.action_space)
        reward = find_row(world).low
        observed.seed(1)
        try:
            agent.begin(observed.sample(), {})
            for _ in range(20):
                action = agent.act()
                expect(allowed.contains(action), f"action {plain(action)} for {case}, outside {allowed}")
                agent.observe(action, observed.sample(), reward, False, False)
        except Mismatch:
            raise
        except Exception as error:
            raise Mismatch(f"{type(error).__name__} after reset took {case}: {error}") from error
    return f"refuses {', '.join(refused) or 'none'} of {len(_STRANGE)}"


@_check(
    "diagnostics",
    "totals that never fall, each a finite number of at least 0",
    "return running totals of the life in diagnostics",
    after=("living",),
)
def _diagnostics(subject: Lives) -> str:
    told = 0
    for world in subject.worlds:
        agent, before = subject.newborn(world, 10), subject.newborn(world, 10)
        events, _ = record(agent, world)
        replay(before, events[: len(events) // 2])
        totals, earlier = agent.diagnostics(), before.diagnostics()
        for key, value in totals.items():
            expect(math.isfinite(value) and value >= 0, f"{key} {value!r} in {world}")
            expect(earlier.get(key, 0.0) <= value, f"{key} fell from {earlier.get(key)!r} to {value!r} in {world}")
        told = len(totals)
    return counted(told, "total")


def check_agent(
    agent: str | Callable[[], Agent],
    *,
    worlds: Sequence[str] = WORLDS,
    checks: Iterable[str] | None = None,
    on_finding: Callable[[Finding], None] | None = None,
) -> list[Finding]:
    """Runs the battery on an agent.

    Args:
        agent: `name` or `name:key=value,key=value`, or a function that makes it.
        worlds: `id` or `module:id` of the environments that it lives in, the first of them with declared rewards.
        checks: names of checks, all if None.
        on_finding: called with each finding as it comes.

    Raises:
        UnknownNameError: if there is no such agent, environment or check.
        InvalidValueError: if an option is wrong.

    Example:
        >>> [finding.level for finding in check_agent("random", checks=["masks"])]
        ['ok', 'ok', 'ok']
    """
    for world in worlds:
        find_row(world)
    return AGENT_CHECKS(Lives(agent, worlds), checks, on_finding)
