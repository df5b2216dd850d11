"""Where the program begins: with Ansible, where it is needed, as that takes longest to be there.

All else, the command line's own code included, is imported while Ansible is.
"""

import sys
from collections.abc import Sequence

from runbook import at_hand
from runbook.ending import leave
from runbook.views.importing import importing

REACHING = ("run", "diagnose", "triage")
"""Commands that ask Ansible for something as the first thing they do."""

INTERRUPTED = 130


def main() -> None:
    """Be the command `runbook`, and exit with its code."""
    reaches_hosts = _reaches_hosts(sys.argv[1:])
    with importing():
        if reaches_hosts:
            at_hand.use("runbook")
            from runbook.views.starting import begin_ahead  # noqa: PLC0415 -- imports much

            try:
                begin_ahead(None if sys.argv[1] == "triage" else sys.argv[2])
            except KeyboardInterrupt:
                sys.exit(INTERRUPTED)
        from runbook.views.cli import main as command  # noqa: PLC0415 -- after that

    try:
        command()
    except SystemExit as stop:
        if reaches_hosts and isinstance(stop.code, int):
            leave(stop.code)
        raise


def _reaches_hosts(words: Sequence[str]) -> bool:
    """Say whether a command line looks like one that is carried out on hosts.

    Whether it is sound is found out later; the commonest way to write it is enough here.
    """
    if len(words) < 3 or words[0] not in REACHING or {"-h", "--help"} & {*words}:
        return False
    named = words[0] == "triage" or not words[1].startswith("-")
    return named and any(word.partition("=")[0] == "--host" for word in words)
