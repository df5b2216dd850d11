"""What every tool has to be able to do with a rule."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ansible.module_utils.runbook_support.accounts import Done, run
from ansible.module_utils.runbook_support.errors import RefusedError
from ansible.module_utils.runbook_support.files import read_text, write_text

# Whoever reads the rules sees whose it is.
MARK = "runbook"


class Opening(NamedTuple):
    """A port, and who may connect to it: this host itself, and addresses or networks."""

    port: int
    protocol: str
    local: bool
    sources: tuple[str, ...]


class Tool(Protocol):
    """One tool's way to open a port; a rule is a list of words, in the tool's own terms."""

    NAME: str

    def missing(self, opening: Opening) -> list[list[str]]:
        """Return the rules that are not there yet."""

    def add(self, rule: list[str]) -> None:
        """Add a rule ahead of all others; raise RefusedError."""

    def remove(self, rule: list[str]) -> None:
        """Remove a rule if it is there."""

    def persist(self, module: Any, rules: list[list[str]]) -> bool:
        """Add rules to what the host loads when it starts; return whether there is such a file."""

    def forget(self, module: Any, rules: list[list[str]]) -> None:
        """Remove rules from what the host loads when it starts."""


def asked(*argv: str) -> str:
    """Run a tool and return what it prints; raise RefusedError if it fails."""
    done: Done = run(argv)
    if done.rc != 0:
        raise RefusedError(f"{' '.join(argv)} fails: {done.why}")
    return str(done.out)


def replaced(module: Any, path: str, before: str, after: str, check: list[str]) -> None:
    """Replace a file of rules; if the command `check` fails, put it back and raise RefusedError."""
    write_text(module, path, after)
    done: Done = run([*check, path])
    if done.rc != 0:
        write_text(module, path, before)
        raise RefusedError(f"{path} is as it was, since it would not load: {done.why}")


def without_line(module: Any, path: str, line: str) -> None:
    """Remove the first line of a file that is exactly this one, if there is such a file."""
    try:
        lines = read_text(path).splitlines(keepends=True)
    except RefusedError:
        return
    if f"{line}\n" in lines:
        lines.remove(f"{line}\n")
        write_text(module, path, "".join(lines))
