"""Where the program begins: with Ansible, where it is needed, as that takes longest to be there.

All else, the command line's own code included, is imported while Ansible is.
"""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from runbook.ending import leave
from runbook.views.importing import importing

REACHING = ("run", "diagnose", "triage")
"""Commands that ask Ansible for something as the first thing they do."""

INTERRUPTED = 130


def main() -> None:
    """Be the command `runbook`, and exit with its code."""
    reaches_hosts = _reaches_hosts(sys.argv[1:])
    try:
        command = _imported(reaches_hosts=reaches_hosts)
    except KeyboardInterrupt:  # Later ones are the command's to tell.
        sys.exit(INTERRUPTED)
    try:
        command()
    except SystemExit as stop:
        if reaches_hosts and isinstance(stop.code, int):
            leave(stop.code)
        raise


def _imported(*, reaches_hosts: bool) -> Callable[[], NoReturn]:
    """Begin Ansible where it is needed, then import the command."""
    with importing():
        if reaches_hosts:
            from runbook import at_hand  # noqa: PLC0415 -- Ctrl-C may come from here on

            at_hand.use("runbook")
            from runbook.views.starting import begin_ahead  # noqa: PLC0415 -- imports much

            begin_ahead(None if sys.argv[1] == "triage" else sys.argv[2])
        from runbook.views.cli import main as command  # noqa: PLC0415 -- after that
    return command


def _reaches_hosts(words: Sequence[str]) -> bool:
    """Say whether a command line looks like one that is carried out on hosts.

    Whether it is sound is found out later; the commonest way to write it is enough here.
    """
    if len(words) < 3 or words[0] not in REACHING or {"-h", "--help"} & {*words}:
        return False
    named = words[0] == "triage" or not words[1].startswith("-")
    return named and any(word.partition("=")[0] == "--host" for word in words)
