"""The last rows of a terminal, drawn over again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text


@dataclass(kw_only=True)
class Region:
    """Rows at the end of what a terminal shows; the cursor stands below them.

    The window's size is asked for at every drawing. A window that was made narrower has broken the
    rows drawn before into more of them; that is reckoned with. Not safe for several threads.
    """

    console: Console
    _drawn: list[Text] = field(default_factory=list)
    _width: int = 0

    def draw(self, rows: Sequence[Text]) -> None:
        """Replace the rows; nothing is written where nothing is different."""
        width = self.console.width
        if list(rows) == self._drawn and width == self._width:
            return
        with self.console:  # One write, or the eye sees the rows vanish and come back.
            self._clear()
            for row in rows:
                self.console.print(row, no_wrap=True, overflow="crop", crop=True, highlight=False)
        self._drawn, self._width = list(rows), width

    def erase(self) -> None:
        """Take the rows away; the cursor stands where they began."""
        with self.console:
            self._clear()
        self._drawn = []

    def leave(self) -> None:
        """Let the rows stand as they are, to be scrolled away."""
        self._drawn = []

    def _clear(self) -> None:
        if not self._drawn:
            return
        now = max(self.console.width, 1)
        widths = (min(row.cell_len, self._width) for row in self._drawn)
        height = sum(max(1, -(-width // now)) for width in widths)
        # Row by row: clearing all at once makes some terminals keep it, to be scrolled back to.
        up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * height
        self.console.control(Control(ControlType.CARRIAGE_RETURN, *up))
