"""A line of a way: where its row is short, title and outcome share it."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text

from runbook.views.telling import STYLES, Mark


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A title, its result and the value seen, on one row however wide that is."""

    mark: Mark
    title: str
    result: str = ""
    seen: str = ""

    def fit(self, width: int) -> Text:
        """Return the line in at most `width` cells: where not all fits, both halves are cut."""
        style = STYLES[self.mark]
        lead = f"{self.mark.value} "
        tail = Text(f": {self.result}" if self.result else "", style=style)
        if self.seen:
            tail.append(f", {self.seen}")
        title = Text(self.title)
        room = width - cell_len(lead)
        tail.truncate(max(room - title.cell_len, room // 2), overflow="ellipsis")
        title.truncate(room - tail.cell_len, overflow="ellipsis")
        return Text.assemble((lead, style), title, tail)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Text]:
        yield self.fit(options.max_width)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, self.fit(options.max_width).cell_len)
