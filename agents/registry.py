"""The table of agents, and how one is made from its name and options."""

import difflib
import inspect
import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from aixi.agents.base import Agent
from aixi.errors import AgentFaultError, AixiError, InvalidValueError
from aixi.registry import Registry, load_object


@dataclass(frozen=True)
class AgentSpec:
    """One row of the table.

    Attributes:
        name: what users type.
        entry_point: `module:Class` of an `Agent`; its constructor's keyword arguments are the options.
        summary: one line.
        version: grows with every change that moves what the agent does; stored results of an earlier one are
            not taken for its own. An agent of another package needs none: its source files are compared.
        resumable: whether a life can be saved and gone on with bit for bit.
    """

    name: str
    entry_point: str
    summary: str
    version: int = 1
    resumable: bool = True


AGENTS: Registry[AgentSpec] = Registry(
    "agent",
    AgentSpec("random", "aixi.agents.baselines:RandomAgent", "acts uniformly at random"),
    AgentSpec("constant", "aixi.agents.baselines:ConstantAgent", "always takes the same action"),
    AgentSpec(
        "mc-aixi-ctw",
        "aixi.agents.mc_aixi:MCAIXICTW",
        "Monte Carlo AIXI: context trees and rho-UCT search (Veness et al. 2011)",
        version=2,
    ),
    AgentSpec(
        "mc-aixi-transformer",
        "aixi.agents.mc_aixi_networks:MCAIXITransformer",
        "Monte Carlo AIXI over a Transformer that learns online",
    ),
    AgentSpec("mc-aixi-lstm", "aixi.agents.mc_aixi_networks:MCAIXILSTM", "Monte Carlo AIXI over a recurrent network"),
    AgentSpec(
        "mc-aixi-mix", "aixi.agents.mc_aixi_networks:MCAIXIMix", "Monte Carlo AIXI over a Transformer and context trees"
    ),
    AgentSpec("self-aixi", "aixi.agents.self_aixi:SelfAIXI", "predicts its own actions; no search (Catt et al. 2023)"),
    AgentSpec("aiqi", "aixi.agents.aiqi:AIQI", "predicts its returns; no model, no search (Kim and Lee 2026)"),
    AgentSpec("aixi-mdp", "aixi.agents.bayes_mdp:AIXIMDP", "expectimax by Dirichlet counts of a Markov process"),
    AgentSpec("psrl", "aixi.agents.bayes_mdp:PSRL", "follows the optimal plan of a process sampled from the posterior"),
    AgentSpec("r-max", "aixi.agents.bayes_mdp:RMax", "takes what it does not know for the best (Brafman et al. 2002)"),
    AgentSpec("q-learning", "aixi.agents.tabular:QLearning", "a table of values of the last percepts (Watkins 1989)"),
    AgentSpec("sarsa", "aixi.agents.tabular:Sarsa", "Sarsa(lambda): values of the actions really taken"),
    AgentSpec("hlq", "aixi.agents.tabular:HLQ", "HLQ(lambda): the learning rate from visits (Hutter and Legg 2007)"),
    AgentSpec("freq", "aixi.agents.tabular:Freq", "takes the action of the greatest average reward, whatever it sees"),
    AgentSpec("sb3-ppo", "aixi.agents.sb3:SB3PPO", "PPO of Stable-Baselines3", resumable=False),
    AgentSpec("sb3-a2c", "aixi.agents.sb3:SB3A2C", "A2C of Stable-Baselines3", resumable=False),
    AgentSpec("sb3-dqn", "aixi.agents.sb3:SB3DQN", "DQN of Stable-Baselines3", resumable=False),
    AgentSpec(
        "sb3-recurrent-ppo",
        "aixi.agents.sb3:SB3RecurrentPPO",
        "PPO with an LSTM of Stable-Baselines3",
        resumable=False,
    ),
)


def parse_agent(text: str) -> tuple[str, dict[str, str]]:
    """Splits the text form of an agent, `name` or `name:key=value,key=value`.

    Example:
        >>> parse_agent("mc-aixi-ctw:depth=16,horizon=4")
        ('mc-aixi-ctw', {'depth': '16', 'horizon': '4'})
    """
    name, _, rest = text.partition(":")
    return name, parse_options(rest.split(",") if rest else ())


def parse_options(pairs: "tuple[str, ...] | list[str]") -> dict[str, str]:
    """Splits texts of the form `key=value`."""
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InvalidValueError(f"an option is written key=value, got {pair!r}")
        key = key.strip().replace("-", "_")
        if key in options:
            raise InvalidValueError(f"option {key} must be given once, got {options[key]} and {value.strip()}")
        options[key] = value.strip()
    return options


def agent_options(name: str) -> dict[str, Any]:
    """Returns the options of an agent with their defaults, in the constructor's order."""
    parameters = inspect.signature(load_object(AGENTS[name].entry_point)).parameters
    return {key: parameter.default for key, parameter in parameters.items()}


def convert_options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Gives each option the type of the constructor's annotation, where it came as text.

    Raises:
        InvalidValueError: if the agent has no such option, or the text is not of its type.
    """
    known = agent_options(name)
    hints = get_type_hints(load_object(AGENTS[name].entry_point).__init__)
    converted = {}
    for key, value in options.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            listed = ", ".join(known) or "none"
            raise InvalidValueError(f"{name} has no option {key!r}{hint} (its options: {listed})")
        converted[key] = _convert(f"option {key} of {name}", value, hints[key]) if isinstance(value, str) else value
    return converted


def preset_options(name: str, environment: str) -> dict[str, Any]:
    """Returns the published settings of an agent for one environment, by its class method `preset`.

    Raises:
        InvalidValueError: if the agent has no presets.
    """
    kind = load_object(AGENTS[name].entry_point)
    if not hasattr(kind, "preset"):
        raise InvalidValueError(f"{name} has no presets; give its options one by one")
    options: dict[str, Any] = kind.preset(environment)
    return options


def make_agent(name: str, /, **options: Any) -> Agent:
    """Makes an agent by name.

    Args:
        name: name in `AGENTS`.
        options: keyword arguments of its constructor; texts are converted to the annotated types.

    Raises:
        InvalidValueError: if an option is wrong.
        AgentFaultError: if the constructor raises an error that is none of the suite's.

    Example:
        >>> make_agent("constant", action="1").action
        1
    """
    converted = convert_options(name, options)
    try:
        agent: Agent = load_object(AGENTS[name].entry_point)(**converted)
    except AixiError:
        raise
    except Exception as error:
        chosen = ", ".join(f"{key}={value}" for key, value in converted.items()) or "its defaults"
        raise AgentFaultError(f"agent {name} raised {type(error).__name__}, made with {chosen}: {error}") from error
    return agent


_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def _convert(what: str, text: str, kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        choices = get_args(kind)
        if type(None) in choices and text.lower() == "none":
            return None
        for choice in choices:
            if choice is not type(None):
                try:
                    return _convert(what, text, choice)
                except InvalidValueError as error:
                    failure = error
        raise failure
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise InvalidValueError(f"{what} must be one of {', '.join(map(str, get_args(kind)))}, got {text!r}")
        return text
    if kind is bool:
        if text.lower() not in _TRUTH:
            raise InvalidValueError(f"{what} must be true or false, got {text!r}")
        return _TRUTH[text.lower()]
    if kind in (int, float):
        try:
            # 1e6 is how people write a million
            value = float(text)
            if kind is float:
                return value
            if value.is_integer():
                return int(text) if text.lstrip("+-").isdigit() else int(value)
        except ValueError:
            pass
        raise InvalidValueError(f"{what} must be a {'whole ' if kind is int else ''}number, got {text!r}")
    if kind is str:
        return text
    if get_origin(kind) is tuple:  # of one type; in an agent's text form, where commas part options, by +
        return tuple(_convert(what, part, get_args(kind)[0]) for part in text.replace("+", ",").split(","))
    raise InvalidValueError(f"{what} cannot be given as text, got {text!r}; make the agent in Python")
