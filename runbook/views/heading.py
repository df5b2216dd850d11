"""A title that stands out: between lines where those can be drawn, else by itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.rule import Rule
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Heading:
    """A title across the window; a dumb terminal, and whoever has it read out, gets the text."""

    text: str

    def __rich_console__(
        self,
        console: Console,
        options: ConsoleOptions,
    ) -> Iterable[RenderableType]:
        yield Text(self.text) if console.is_dumb_terminal else Rule(self.text)
