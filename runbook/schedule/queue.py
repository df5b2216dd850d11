"""The queue that all requests go through, whoever asks: in the state file, each taken exactly once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from runbook.model.masking import mask_text
from runbook.model.policy import Source
from runbook.model.slices import number_of, slice_id, whole_of
from runbook.schedule.requests import LIVE, Kept, Request, Stage, named
from runbook.schedule.state import State, at, moment
from runbook.schedule.timetable import Overlap

_COLUMNS = (
    "id, key, source, asker, runbook, pattern, line, due, diagnose, given, overlap, severity,"
    " stage, told, run, holder, tries, joined"
)


class Queue:
    """The requests of a state folder."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(
        self,
        request: Request,
        now: datetime,
        *,
        stage: Stage = Stage.QUEUED,
        told: str = "",
        run: str = "",
    ) -> int | None:
        """Write a request down and return its number; None where its key is there already.

        `run` is the id that its run will have, where that is known.
        """
        with self._state.writing() as connection:
            done = connection.execute(
                "INSERT INTO requests (key, source, asker, runbook, pattern, line, due,"
                " diagnose, given, overlap, severity, stage, told, run, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    request.key,
                    request.source,
                    request.asker,
                    request.runbook,
                    request.pattern,
                    request.line,
                    at(request.due),
                    int(request.diagnose),
                    json.dumps(request.given),
                    request.overlap,
                    request.severity,
                    stage,
                    told,
                    run,
                    at(now),
                ),
            )
            if done.rowcount != 1:
                return None
            [kept] = self.of_key(request.key)
            if stage is Stage.QUEUED:
                self._state.call_for([kept])
            return kept.id

    def slice(self, run: str, slices: Sequence[Sequence[str]], now: datetime) -> bool:
        """Put a request for each slice of a run, instead of the one that the run serves.

        `slices` are their hosts. All of it is done at once, and once: who does it again, with the same
        slices, changes nothing. False where no request that could be sliced has that run.
        """
        with self._state.writing():
            kept = self.of_run(run)
            if kept is not None and kept.stage is Stage.SLICED:
                return True
            told = f"in {len(slices)} slices"
            if kept is None or kept.stage is not Stage.RUNNING:
                return False
            if not self.move(kept, Stage.SLICED, told, now):
                return False
            for number, hosts in enumerate(slices, start=1):
                name = f"slice {kept.id} {number}"
                request = replace(
                    kept.request,
                    key=name,
                    pattern=",".join(hosts),
                    line=name,
                    overlap=Overlap.QUEUE,
                )
                self.put(request, now, run=slice_id(run, number))
            return True

    def slices(self, run: str) -> list[Kept]:
        """Return the requests for the slices of a run, in their order."""
        found = self._found("WHERE run > ? AND run < ?", (f"{run}.", f"{run}/"))
        return sorted(
            (one for one in found if whole_of(one.run) == run), key=lambda one: number_of(one.run)
        )

    def take(
        self,
        number: int,
        *,
        run: str,
        holder: str,
        now: datetime,
        apart: frozenset[str] = frozenset(),
    ) -> bool:
        """Have a queued request run as `run` from now on; False where somebody else has it.

        Nor is it taken while a request runs that aims at one of the names `apart`.
        """
        with self._state.writing() as connection:
            whole = whole_of(run)
            if any(
                apart & named(one.request)
                for one in self.requests(Stage.RUNNING, Stage.SLICED)
                if whole is None or one.run != whole
            ):
                return False
            # Two services may have come upon the same id for a run.
            if any(one.id != number for one in self._found("WHERE run = ?", (run,))):
                return False
            done = connection.execute(
                "UPDATE requests SET stage = ?, told = '', run = ?, holder = ?, tries = tries + 1,"
                " at = ? WHERE id = ? AND stage = ?",
                (Stage.RUNNING, run, holder, at(now), number, Stage.QUEUED),
            )
            return done.rowcount == 1

    def move(self, kept: Kept, stage: Stage, told: str, now: datetime) -> bool:
        """Write down how far a request has come; False where it has gone elsewhere meanwhile.

        What looks like a secret in `told`, which may be a process's last words, is not kept.
        """
        with self._state.writing() as connection:
            done = connection.execute(
                "UPDATE requests SET stage = ?, told = ?, at = ? WHERE id = ? AND stage = ?",
                (stage, mask_text(told), at(now), kept.id, kept.stage),
            )
            if done.rowcount != 1:
                return False
            if self._state.calls:
                self._state.call_for([kept] if stage is Stage.QUEUED else self._freed_by(kept))
            return True

    @property
    def calls(self) -> bool:
        """Whether a service is called for what is queued; see `State.calls`."""
        return self._state.calls

    def call_for_all(self) -> None:
        """Have services see to all that is queued, where they have to be called."""
        if self._state.calls:
            self._state.call_for(self.requests(Stage.QUEUED))

    def call_for_missed(self, requests: Iterable[Kept]) -> None:
        """Have services see to those of the requests that nobody was called for."""
        self._state.call_for(self._state.uncalled(requests))

    def dismiss(self, kept: Kept) -> None:
        """Forget who was called for a request, and died."""
        self._state.dismiss(kept)

    def heartbeats(self) -> Mapping[str, float]:
        """Return when each of those who are called last showed that it lives."""
        return self._state.heartbeats()

    def requests(self, *stages: Stage) -> list[Kept]:
        """Return the requests at one of the stages, the earliest first."""
        return self._found(f"WHERE stage IN ({_marks(stages)}) ORDER BY due, id", stages)

    def latest(self, limit: int) -> list[Kept]:
        """Return the requests that were put last, the newest first."""
        return self._found("ORDER BY id DESC LIMIT ?", (limit,))

    def of_key(self, key: str) -> list[Kept]:
        """Return the request of that key, if there is one."""
        return self._found("WHERE key = ?", (key,))

    def of_run(self, run: str) -> Kept | None:
        """Return the request that a run serves."""
        return next(iter(self._found("WHERE run = ?", (run,))), None)

    def forget(self, before: datetime) -> None:
        """Drop what was over by then."""
        with self._state.writing() as connection:
            connection.execute(
                f"DELETE FROM requests WHERE at < ? AND stage NOT IN ({_marks(LIVE)})",  # noqa: S608
                (at(before), *LIVE),
            )

    def reached(self, schedules: Iterable[str], now: datetime) -> Mapping[str, datetime]:
        """Return up to which nominal time each schedule has been dealt with: now for a new one."""
        names = list(schedules)
        known = dict(self._state.rows("SELECT schedule, last FROM kept"))
        fresh = [(name, at(now)) for name in names if name not in known]
        if fresh:
            with self._state.writing() as connection:
                for each in fresh:
                    connection.execute(
                        "INSERT INTO kept (schedule, last) VALUES (?, ?) ON CONFLICT DO NOTHING",
                        each,
                    )
            known = dict(self._state.rows("SELECT schedule, last FROM kept"))
        return {name: moment(known[name]) for name in names}

    def reach(self, schedule: str, nominal: datetime) -> None:
        """Note that all firings of a schedule up to a nominal time have been dealt with."""
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE kept SET last = ? WHERE schedule = ? AND last < ?",
                (at(nominal), schedule, at(nominal)),
            )

    def _freed_by(self, gone: Kept) -> list[Kept]:
        """Return what may begin now that a request is out of the way: of its line, of each name."""
        free = {("line", gone.request.line)} | {("name", each) for each in named(gone.request)}
        freed = []
        for kept in self.requests(Stage.QUEUED):
            wants = {("line", kept.request.line)} | {("name", each) for each in named(kept.request)}
            if free & wants:
                free -= wants
                freed.append(kept)
        return freed

    def _found(self, where: str, given: Iterable[Any]) -> list[Kept]:
        query = f"SELECT {_COLUMNS} FROM requests {where}"  # noqa: S608 -- marks only
        return [_kept(row) for row in self._state.rows(query, tuple(given))]


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)


def _kept(row: tuple[Any, ...]) -> Kept:
    (number, key, source, asker, runbook, pattern, line, due, diagnose, given, overlap, severity,
     stage, told, run, holder, tries, joined) = row  # fmt: skip
    return Kept(
        id=number,
        request=Request(
            key=key,
            source=Source(source),
            asker=asker,
            runbook=runbook,
            pattern=pattern,
            line=line,
            due=moment(due),
            diagnose=bool(diagnose),
            given=tuple(json.loads(given)),
            overlap=Overlap(overlap),
            severity=severity,
        ),
        stage=Stage(stage),
        told=told,
        run=run,
        holder=holder,
        tries=tries,
        joined=joined,
    )
