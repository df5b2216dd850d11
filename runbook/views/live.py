"""Watching a run on a terminal: a tree that is drawn over as things happen."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event as Signal
from threading import RLock, Thread
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from runbook.model.definition import Runbook
from runbook.model.event import Event
from runbook.model.state import HostState
from runbook.views.board import Board
from runbook.views.board_layout import lay_out
from runbook.views.echo import Echo
from runbook.views.region import Region

_EVERY_S = 0.25
_STOPPED_S = 5.0
"""Whoever did not come to draw for so long was stopped (Ctrl-Z), and others have written since."""

_AT_ONCE = 4096
_PER_S = 960.0
_MOST_GROUPS_LEFT = 40


@dataclass(kw_only=True)
class LiveObserver:
    """Draws the hosts' ways while they go; between `with` and its end.

    It stays within the window, and writes no more than a slow link carries: a few full windows at
    once, then 960 characters a second, as a serial line of 9600 baud. While it is paused nothing of it is to be seen, and events are only
    taken in. Hosts that went the same way share a branch where they are `folded`. At its end it
    leaves the whole tree; one that is higher than the window goes without the steps that were in
    order, unless it is not `folded`. `echo` is that of the terminal it draws on. `clock` gives seconds.
    """

    runbook: Runbook
    console: Console
    folded: bool = True
    echo: Echo | None = None
    clock: Callable[[], float] = time.monotonic
    _lock: RLock = field(default_factory=RLock)
    _over: Signal = field(default_factory=Signal)
    _paused: bool = False
    _unsent: float = 0.0
    _sent_at: float = 0.0

    def __post_init__(self) -> None:
        self._board = Board(runbook=self.runbook, folded=self.folded)
        self._region = Region(console=self.console)
        self._drawer = Thread(target=self._draw_on, name="runbook-live", daemon=True)

    def __enter__(self) -> Self:
        self._hush()
        self._drawer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._drawer.join()
        with self._lock:
            if self._paused:
                self.console.print()  # An unanswered prompt stands on this line.
            self._paused = False
            self._region.erase()
            self._board.rest()
            self._leave()
            self._unhush()

    def happened(self, event: Event, states: Mapping[str, HostState]) -> None:
        """Take an event in; it is seen at the next drawing."""
        with self._lock:
            self._board.happened(event, states, self.clock())

    def working(self, hosts: tuple[str, ...], what: str) -> None:
        """Take note of what is being done."""
        with self._lock:
            self._board.working(hosts, what, self.clock())

    def stopping(self, how: str) -> None:
        """Have the tree say that the run is about to stop."""
        with self._lock:
            self._board.stopping = how

    def pause(self) -> None:
        """Take the tree away, so that somebody else can write."""
        with self._lock:
            self._paused = True
            self._region.erase()
            self._unhush()

    def resume(self) -> None:
        """Draw again, below whatever has been written; nothing once it is over."""
        with self._lock:
            if self._over.is_set():
                return
            self._paused = False
            self._hush()
            self._draw()

    def _hush(self) -> None:
        if self.echo is not None:
            self.echo.off()

    def _unhush(self) -> None:
        if self.echo is not None:
            self.echo.on()

    def _draw_on(self) -> None:
        last = self.clock()
        while not self._over.wait(_EVERY_S):
            with self._lock:
                now = self.clock()
                if now - last > _STOPPED_S:
                    self._region.leave()
                last = now
                if not self._paused and self._link_is_free():
                    self._draw()

    def _link_is_free(self) -> bool:
        """Say whether what was written has had the time to get over a slow link, but for a rest."""
        now = self.clock()
        self._unsent = max(self._unsent - (now - self._sent_at) * _PER_S, 0.0)
        self._sent_at = now
        return self._unsent < _AT_ONCE

    def _draw(self) -> None:
        self._unsent += self._region.draw(self._rows(max(self.console.height - 1, 3)))

    def _leave(self) -> None:
        """Draw for the last time: all there is, or what tells of it."""
        if len(self._board.groups()) > _MOST_GROUPS_LEFT:
            self._draw()
            return
        rows = self._rows(None)
        if self.folded and len(rows) >= self.console.height:
            rows = self._rows(None, brief=True)
        self._region.draw(rows)

    def _rows(self, height: int | None, *, brief: bool = False) -> list[Text]:
        return lay_out(
            self._board,
            title=f"{self.runbook.name}: {self.runbook.title}",
            width=max(self.console.width - 1, 20),
            height=height,
            now=self.clock(),
            brief=brief,
        )
