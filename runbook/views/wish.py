"""What a command that reaches hosts was asked to do."""

from dataclasses import dataclass

from runbook.model.event import Mode
from runbook.views.options import Aim, Output


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    mode: Mode
    aim: Aim
    output: Output
    yes: bool = False
    step: bool = False
