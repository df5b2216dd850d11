"""What a command that reaches hosts was asked to do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook.views.options import Aim, Output

if TYPE_CHECKING:  # The model takes longer to import than all the rest of a command's help.
    from runbook.model.event import Mode


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What was asked for on the command line; `source` is a `model.policy.Source`."""

    mode: "Mode"
    aim: Aim
    output: Output
    yes: bool = False
    step: bool = False
    source: str = "person"
