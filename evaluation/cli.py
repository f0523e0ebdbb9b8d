"""The command line."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from aixi.errors import AixiError
from aixi.evaluation.commands import authors, experiments, lists, lives, play, pretrain, scores
from aixi.evaluation.commands.shared import INTERRUPTED

_WRONG = 2

app = typer.Typer(
    name="aixi",
    help="AIXI approximations, environments, and the universal-intelligence score that measures them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_VERBS: dict[str, Callable[..., None]] = {  # in the order of the help
    "run": lives.run_command,
    "play": play.play_command,
    "score": scores.score_command,
    "report": scores.report_command,
    "compare": scores.compare_command,
    "tune": scores.tune_command,
    "pretrain": pretrain.pretrain_command,
    "experiment": experiments.experiment_command,
    "complexity": lists.complexity_command,
    "agents": lists.agents_command,
    "envs": lists.envs_command,
    "predictors": lists.predictors_command,
    "new": authors.new_command,
    "check": authors.check_command,
}
for _name, _verb in _VERBS.items():
    app.command(_name)(_verb)


def main() -> NoReturn:
    """Runs the command line; every error of the suite is one line on standard error."""
    sys.path.append(os.getcwd())  # so that --import finds a file beside the user, but never before an installed one
    try:
        app()
    except AixiError as error:
        print(f"aixi: {error}", file=sys.stderr)
        sys.exit(_WRONG)
    except KeyboardInterrupt:
        print("aixi: interrupted before anything was done", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(0)
