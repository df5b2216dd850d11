"""Watching a run where nothing can be drawn over: one line for each thing that happens."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from types import TracebackType
from typing import Self, TextIO

from runbook.model.definition import Runbook
from runbook.model.event import (
    Event,
    HostEvent,
    HostJoined,
    Noted,
    Notified,
    OwnLook,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunSliced,
    RunStarted,
    UndoEnded,
    UndoIntended,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.slices import Slice
from runbook.model.state import HostState
from runbook.views.safe_text import printable, tolerate
from runbook.views.telling import Causes, tell
from runbook.views.words import VERDICTS, say_hosts


@dataclass(kw_only=True)
class PlainObserver:
    """Writes a line for each event: for pipes, logs, plain terminals and screen readers.

    With `timestamps` every line begins with the local time. `clock` gives POSIX seconds. While it
    is paused, lines are kept back.
    """

    runbook: Runbook
    stream: TextIO
    timestamps: bool = False
    clock: Callable[[], float] = time.time
    _notes: dict[tuple[str, ...], str] = field(default_factory=dict)
    _held_back: list[str] | None = None
    _joined: bool = False
    _lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        tolerate(self.stream)
        self._causes = Causes(runbook=self.runbook)

    def __enter__(self) -> Self:
        self._write(f"{self.runbook.name}: {printable(self.runbook.title)}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.resume()

    def happened(self, event: Event, states: Mapping[str, HostState]) -> None:
        """Write down an event."""
        match event:
            case RunStarted() | UndoIntended() | UndoEnded() | OwnLook() | Notified():
                pass  # The title has been written; an undo is no part of the walk, nor is a look aside.
            case Noted(hosts=hosts, text=text, by=by):
                self._write(f"{say_hosts(hosts)}: note by {printable(by)}: {printable(text)}")
            case Slice() | RunSliced() | WaveLookBegun() | WaveLookEnded():
                pass  # It is about more hosts than are shown.
            case RunResumed():
                self._causes.take_up(states.values())
                self._write(f"the run goes on with {say_hosts(list(states), most=10)}")
            case RunInterrupted(reason=reason):
                self._write(f"the run was interrupted: {printable(reason)}")
            case RunFinished(verdict=verdict):
                self._write(f"the run is over: {VERDICTS[verdict]}")
            case HostJoined():
                if not self._joined:
                    self._write(f"looking at {say_hosts(list(states), most=10)}")
                self._joined = True
            case _:
                self._on_host(event, states[event.host])

    def working(self, hosts: tuple[str, ...], what: str) -> None:
        """Write down what is being done, once until something else is."""
        if self._notes.get(hosts) == what:
            return
        self._notes[hosts] = what
        lead = f"{say_hosts(hosts)}: " if hosts else ""
        self._write(f"{lead}… {printable(what)}")

    def stopping(self, how: str) -> None:
        """Write down that the run is about to stop."""
        self._write(how)

    def pause(self) -> None:
        """Keep lines back, so that somebody else can write."""
        with self._lock:
            self._held_back = self._held_back or []

    def resume(self) -> None:
        """Write what was kept back, and go on."""
        with self._lock:
            lines, self._held_back = self._held_back or [], None
            for line in lines:
                self._put(line)

    def _on_host(self, event: HostEvent, state: HostState) -> None:
        told = tell(self.runbook, event, state)
        for line in ([told] if told is not None else []) + self._causes.found_by(event, state):
            self._write(f"{printable(event.host)}: {line.mark.value} {line}")

    def _write(self, line: str) -> None:
        if self.timestamps:
            line = f"{time.strftime('%H:%M:%S', time.localtime(self.clock()))} {line}"
        with self._lock:
            if self._held_back is None:
                self._put(line)
            else:
                self._held_back.append(line)

    def _put(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()
