"""The settings, as commands get them."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from runbook.settings import Settings, load_settings
from runbook.views.options import manner
from runbook.views.output import tell, wants_colour


def settings_for(flags: Mapping[str, object] | None = None) -> Settings:
    """Return the settings, saying on standard error what was passed over; raise RunbookError."""
    settings = load_settings(flags)
    if not settings.notes:
        return settings
    from runbook.views.problems import render  # noqa: PLC0415  # where there are any

    colour = manner(click.get_current_context()).colour and wants_colour(sys.stderr)
    for note in settings.notes:
        tell(render(note, colour=colour) + "\n")
    return settings


def state_place(settings: Settings) -> Path | str:
    """Return where the service's state is: beside the journal, in a file or in its database."""
    from runbook.schedule.state import place_of  # noqa: PLC0415  # which most commands need not

    return place_of(settings.home, settings.journal)
