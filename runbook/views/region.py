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

    Only rows that are different are written, so that a slow link has little to carry. The window's
    size is asked for at every drawing, and after a change all rows are drawn: a window that was made
    narrower has broken them into more, which is reckoned with. Not safe for several threads.
    """

    console: Console
    _drawn: list[Text] = field(default_factory=list)
    _size: tuple[int, int] = (0, 0)

    def draw(self, rows: Sequence[Text]) -> int:
        """Replace the rows; return how many characters that took, none where nothing differs."""
        size = self.console.size
        is_as_before = size == self._size
        if is_as_before and len(rows) == len(self._drawn) and all(self._same(rows)):
            return 0
        with self.console.capture() as captured:
            if is_as_before:
                self._mend(rows)
            else:
                self._clear()
                for row in rows:
                    self._print(row)
        self._drawn, self._size = list(rows), size
        return self._write(captured.get())

    def erase(self) -> None:
        """Take the rows away; the cursor stands where they began."""
        with self.console.capture() as captured:
            self._clear()
        self._drawn = []
        self._write(captured.get())

    def leave(self) -> None:
        """Let the rows stand as they are; what is drawn next comes below."""
        self._drawn = []

    def _mend(self, rows: Sequence[Text]) -> None:
        """Go up to the first row that is different, and down again over those that are not."""
        same = self._same(rows)
        first = same.index(False) if False in same else len(same)
        self._up(len(self._drawn) - first)
        for place, row in enumerate(rows[first:], start=first):
            if place < len(same) and same[place]:
                self.console.control(Control((ControlType.CURSOR_DOWN, 1)))
                continue
            if place < len(same):
                self.console.control(Control((ControlType.ERASE_IN_LINE, 2)))
            self._print(row)
        self._take_away(len(self._drawn) - len(rows))

    def _same(self, rows: Sequence[Text]) -> list[bool]:
        """Say of each row that is there and is to stay whether it is as it was."""
        pairs = zip(self._drawn, rows, strict=False)
        return [old == new and old.style == new.style for old, new in pairs]

    def _take_away(self, number: int) -> None:
        """Clear rows from the cursor on, and go back to where they began."""
        if number > 0:
            # Row by row: clearing all at once makes some terminals keep it, to be scrolled back to.
            down = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_DOWN, 1)) * number
            self.console.control(Control(*down, (ControlType.CURSOR_UP, number)))

    def _up(self, number: int) -> None:
        up = ((ControlType.CURSOR_UP, number),) if number else ()
        self.console.control(Control(ControlType.CARRIAGE_RETURN, *up))

    def _print(self, row: Text) -> None:
        self.console.print(row, no_wrap=True, overflow="crop", crop=True, highlight=False)

    def _clear(self) -> None:
        if not self._drawn:
            return
        now = max(self.console.width, 1)
        widths = (min(row.cell_len, self._size[0]) for row in self._drawn)
        height = sum(max(1, -(-width // now)) for width in widths)
        # From below, as a window that was made lower has no more rows above its first.
        up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * height
        self.console.control(Control(ControlType.CARRIAGE_RETURN, *up))

    def _write(self, text: str) -> int:
        """Write all at once, or the eye sees the rows vanish and come back."""
        self.console.file.write(text)
        self.console.file.flush()
        return len(text)
