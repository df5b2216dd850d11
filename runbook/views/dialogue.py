"""Showing something to a person at a terminal, and having them type a line."""

import time
from dataclasses import dataclass

from rich.console import Console, RenderableType

from runbook.views.keyboard import Keyboard


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialogue:
    """A terminal with somebody at it; nothing is shown once the keyboard is closed."""

    console: Console
    keyboard: Keyboard

    def ask(self, text: str, until: float | None = None) -> str | None:
        """Return what is typed after a text, None where there is no more to come.

        `until` is when to stop waiting, by the monotonic clock; TimeoutError is raised then.
        """
        if self.keyboard.is_closed:
            return None
        self.keyboard.forget()
        self.console.print(text, end="", style="bold", soft_wrap=True)
        line = self.keyboard.line(None if until is None else until - time.monotonic())
        if line is None:
            self.console.print()
        return line

    def show(self, what: RenderableType) -> None:
        """Show something that rich can draw."""
        if not self.keyboard.is_closed:
            self.console.print(what)

    def say(self, text: str) -> None:
        """Show printable text as it is; nothing where there is none."""
        if text and not self.keyboard.is_closed:
            self.console.print(text, highlight=False, markup=False)
