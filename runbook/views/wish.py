"""What a command that reaches hosts was asked to do."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from runbook.views.options import Aim, Output

if TYPE_CHECKING:  # The model takes longer to import than all the rest of a command's help.
    from runbook.model.event import Mode


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What was asked for on the command line; `source` is a `model.policy.Source`.

    `run` is the id that a run is to have, "" for a new one, `severity` that of the alert behind it.
    `unattended`: a run that is resumed is gone on with as it was started, with nobody there.
    `wait` is how long to wait for hosts that another run holds. A run of more than `slice_hosts`
    hosts is cut into slices, which the service sees to; None for no such bound.
    """

    mode: "Mode"
    aim: Aim
    output: Output
    yes: bool = False
    step: bool = False
    source: str = "person"
    severity: str = ""
    run: str = ""
    unattended: bool = False
    wait: timedelta = timedelta()
    slice_hosts: int | None = None
