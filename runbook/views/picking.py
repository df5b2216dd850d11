"""`runbook` alone at a terminal: pick an unfinished run, or a runbook and its hosts, and go.

Lines are written one below the other and answered by typing: nothing is drawn over, so that it is
the same at any width, without colour and for a screen reader. What is picked becomes a command
line, which is shown before it is carried out.
"""

import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from runbook.journal import RunFilter, RunSummary
from runbook.journal.holder import alive
from runbook.settings import Settings
from runbook.spec.listing import Summary, summaries, symptoms_in
from runbook.views import output
from runbook.views.archive import journal_to_read
from runbook.views.completing import known_hosts
from runbook.views.safe_text import printable
from runbook.views.words import say_duration, say_hosts, shorten

Ask = Callable[[str, Sequence[str]], str | None]
"""Writes a question and returns the line typed, None at the end of input; the words complete it."""

_WIDTH = 79
_MOST_RUNBOOKS = 15
_MOST_RUNS = 5
_MOST_HOSTS = 12
_LEAVE = frozenset({"q", "quit", "exit"})
_TRIAGE = frozenset({"t", "triage"})


def somebody_is_there(environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether a person sits at a terminal, so that something can be asked."""
    streams = (sys.stdin, sys.stdout)
    return not environment.get("CI") and all(one is not None and one.isatty() for one in streams)


def pick(settings: Settings, ask: Ask | None = None, now: float | None = None) -> list[str] | None:
    """Return the arguments of the command that was picked, None where nothing was.

    `now` is POSIX seconds. Raises RunbookError where the journal cannot be read.
    """
    picker = _Picker(settings=settings, ask=ask or typed_line, now=now or time.time())
    try:
        return picker.pick()
    except _LeftError:
        return None


class _LeftError(Exception):
    """Whoever was asked wants to leave."""


@dataclass(kw_only=True)
class _Picker:
    settings: Settings
    ask: Ask
    now: float

    def pick(self) -> list[str]:
        with closing(journal_to_read(self.settings)) as journal:
            runs = [run for run in journal.runs(RunFilter(limit=None)) if _is_left(run)]
        if runs:
            chosen = self._unfinished(runs[:_MOST_RUNS], len(runs))
            if chosen is not None:
                return self._shown(["resume", chosen.id])
        name, symptom = self._runbook(summaries(self.settings.library))
        where = self._hosts()
        if name is not None:
            return self._how(name, where)
        return self._shown(["triage", *where, *([symptom] if symptom else [])])

    # The questions, in their order

    def _unfinished(self, runs: Sequence[RunSummary], number: int) -> RunSummary | None:
        output.write("Not finished:")
        for place, run in enumerate(runs, start=1):
            ago = say_duration(max(self.now - run.started_at, 0))
            why = f": {run.interrupted}" if run.interrupted else ""
            hosts = say_hosts(run.hosts) if run.hosts else printable(run.pattern)
            text = f"{run.runbook} on {hosts}, began {ago} ago, {run.id}{why}"
            output.write(shorten(f"  {place}  {printable(text)}", _WIDTH))
        if number > len(runs):
            output.write(f"     and {number - len(runs)} more: runbook history")
        while True:
            line = self._line("Resume which (number; Enter: none of them; q: leave)? ")
            if not line:
                return None
            if line.isdecimal() and 1 <= int(line) <= len(runs):
                return runs[int(line) - 1]
            output.write("A number of the list, please, or Enter to begin something new.")

    def _runbook(self, every: list[Summary]) -> tuple[str | None, str]:
        """Return a runbook's name, None for triage; and what was searched for last."""
        shown, said = every, ""
        while True:
            self._list(shown)
            line = self._line(
                "Runbook (number, name, or what is wrong; t: find out which; q: leave)? ",
                [one.name for one in every],
            )
            if line.lower() in _TRIAGE:
                return None, said
            if line.isdecimal() and 1 <= int(line) <= len(shown[:_MOST_RUNBOOKS]):
                return shown[int(line) - 1].name, said
            if not line:
                shown, said = every, ""
                continue
            found = _matching(every, line)
            if len(found) == 1:
                return found[0].name, said
            said = line if any(symptoms_in(one, line) for one in found) else ""
            if not found:
                output.write(f"No runbook has “{printable(line)}” in its name, title or symptoms.")
            shown = found or every

    def _list(self, shown: Sequence[Summary]) -> None:
        if not shown:
            looked = ", ".join(map(str, self.settings.library)) or "no folder"
            output.write(f"There are no runbooks; looked in {looked}.")
            raise _LeftError
        output.write("")
        width = max(len(one.name) for one in shown)
        for place, one in enumerate(shown[:_MOST_RUNBOOKS], start=1):
            title = printable(one.title) or "cannot be read: see `runbook lint`"
            output.write(shorten(f" {place:>2}  {one.name:<{width}}  {title}", _WIDTH))
        if len(shown) > _MOST_RUNBOOKS:
            output.write(f"     and {len(shown) - _MOST_RUNBOOKS} more: type a word to find them")

    def _hosts(self) -> list[str]:
        """Return the options that say which hosts; an inventory too, where none is set."""
        options: list[str] = []
        settings = self.settings
        if not settings.inventories:
            output.write("No inventory is set; `runbook settings` says where one can be.")
            path = self._line(
                "Inventory (path, or hosts that end in a comma; Enter: this machine)? "
            )
            if not path:
                return ["--host", "localhost"]
            options = ["-i", path]
        names = known_hosts(settings, [path] if options else None)
        if names:
            told = ", ".join(map(printable, names[:_MOST_HOSTS]))
            rest = f" and {len(names) - _MOST_HOSTS} more" if len(names) > _MOST_HOSTS else ""
            output.write(shorten(f"Hosts and groups: {told}{rest}", _WIDTH))
        while True:
            pattern = self._line("Hosts (a pattern: web1, prod, 'all'; Tab completes)? ", names)
            if pattern:
                return ["--host", pattern.strip("'\""), *options]
            output.write("Name a host or a group; nothing is ever taken for all hosts.")

    def _how(self, name: str, where: list[str]) -> list[str]:
        run = ["run", name, *where]
        output.write(f"\n  {_command(run)}\n")
        while True:
            line = self._line("Enter runs it; d: only diagnose; s: step by step; q: leave? ")
            match line.lower():
                case "" | "r" | "run":
                    return run
                case "d" | "diagnose":
                    return self._shown(["diagnose", name, *where])
                case "s" | "step":
                    return self._shown([*run, "--step"])
                case _:
                    output.write("Enter, d or s, please; q leaves.")

    # Helpers

    def _line(self, question: str, words: Sequence[str] = ()) -> str:
        line = self.ask(question, words)
        if line is None or line.lower() in _LEAVE:
            raise _LeftError
        return line

    def _shown(self, arguments: list[str]) -> list[str]:
        output.write(f"\n  {_command(arguments)}\n")
        return arguments


def _command(arguments: Sequence[str]) -> str:
    return printable(f"runbook {shlex.join(arguments)}")


def _is_left(run: RunSummary) -> bool:
    """Say whether a run has no end and nobody drives it."""
    return run.verdict is None and (run.holder is None or alive(run.holder) is not True)


def _matching(every: Sequence[Summary], line: str) -> list[Summary]:
    """Return the runbook of that name, else those that have the words somewhere."""
    sought = line.casefold()
    exact = [one for one in every if one.name == line]
    return exact or [
        one
        for one in every
        if sought in one.name or sought in one.title.casefold() or symptoms_in(one, line)
    ]


def typed_line(question: str, words: Sequence[str]) -> str | None:
    """Ask on the terminal; Tab completes the last name of what is typed from the words."""
    import readline  # noqa: PLC0415 -- only where somebody types

    def complete(begun: str, number: int) -> str | None:
        offered = [word for word in words if word.startswith(begun)]
        return offered[number] if number < len(offered) else None

    readline.set_completer_delims(" ,:&!'\"")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    readline.set_auto_history(False)
    try:
        return input(question).strip()
    except EOFError:
        output.write("")
        return None
