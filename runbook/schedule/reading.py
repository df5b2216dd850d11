"""The file of a service: closed schema, all problems at once, each at its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any
from zoneinfo import ZoneInfo

from runbook.errors import Problem, RunbookError
from runbook.schedule.cron import mistake
from runbook.schedule.hooks import Hook
from runbook.schedule.reading_hooks import HookReading, as_given
from runbook.schedule.timetable import Cron, Every, Missed, Overlap, Schedule
from runbook.spec.document import Document, Path
from runbook.spec.policy_file import find_zone, in_order, span_seconds, well_shaped
from runbook.spec.reader import content_of

_SCHEMA = "schedules.schema.json"

SLICE_HOSTS = 100
"""A run of more hosts is cut into slices, where the file says nothing else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timetable:
    """What a service keeps to; it listens nowhere where `listen` is None."""

    service: str
    schedules: tuple[Schedule, ...] = ()
    runs_at_once: int = 4
    slice_hosts: int = SLICE_HOSTS
    listen: tuple[str, int] | None = None
    hooks: tuple[Hook, ...] = ()


def load_timetable(path: FilePath) -> Timetable:
    """Return the schedules of a file; raise RunbookError with all that is wrong in it."""
    try:
        content = content_of(path)
    except OSError as error:
        raise RunbookError.of(
            "schedules-unreadable", f"cannot read the schedules {path}: {error.strerror}"
        ) from error
    document = well_shaped(content, path, schema=_SCHEMA, noun="the file")
    reading = _Reading(document, HookReading(document, path.parent))
    timetable = reading.timetable()
    if reading.problems:
        raise RunbookError(*in_order(reading.problems))
    return timetable


class _Reading:
    """Builds the records of a document whose shape is right; notes what makes no sense."""

    def __init__(self, document: Document, hooks: HookReading) -> None:
        self.document = document
        self.hooks = hooks
        self.problems: list[Problem] = hooks.problems

    def timetable(self) -> Timetable:
        """Return what the document says."""
        data: Mapping[str, Any] = self.document.data
        schedules = tuple(
            self._schedule(raw, ("schedules", number))
            for number, raw in enumerate(data.get("schedules", ()))
        )
        seen: set[str] = set()
        for number, schedule in enumerate(schedules):
            if schedule.name in seen:
                self._problem(
                    "duplicate-schedule",
                    f'there are two schedules "{schedule.name}"',
                    ("schedules", number, "schedule"),
                    hint="A firing is known by its schedule's name.",
                )
            seen.add(schedule.name)
        return Timetable(
            service=data["service"],
            schedules=schedules,
            runs_at_once=int(data.get("runs_at_once", 4)),
            slice_hosts=int(data.get("slice_hosts", SLICE_HOSTS)),
            listen=_address(data.get("listen", "127.0.0.1:9180"))
            if {"listen", "hooks"} & data.keys()
            else None,
            hooks=self.hooks.hooks(data.get("hooks", ())),
        )

    def _schedule(self, raw: Mapping[str, Any], path: Path) -> Schedule:
        return Schedule(
            name=raw["schedule"],
            runbook=raw["runbook"],
            pattern=raw["host"],
            rhythm=self._rhythm(raw, path),
            diagnose=raw.get("mode") == "diagnose",
            given=tuple(f"{name}={as_given(value)}" for name, value in raw.get("set", {}).items()),
            jitter_s=span_seconds(raw["jitter"]) if "jitter" in raw else 0.0,
            missed=Missed(raw.get("missed", Missed.NEWEST)),
            grace_s=span_seconds(raw.get("grace", "1m")),
            overlap=Overlap(raw.get("overlap", Overlap.SKIP)),
            paused=bool(raw.get("paused", False)),
        )

    def _rhythm(self, raw: Mapping[str, Any], path: Path) -> Cron | Every:
        if ("cron" in raw) is ("every" in raw):
            both = "cron" in raw
            self._problem(
                "too-many-keys" if both else "missing-key",
                f'schedule "{raw["schedule"]}" '
                + ('has both "cron" and "every"' if both else 'needs one of "cron" or "every"'),
                (*path, "every") if both else path,
            )
            return Every(seconds=1.0)
        if "every" in raw:
            if "zone" in raw:
                self._problem("pointless-key", '"zone" has no meaning for "every"', (*path, "zone"))
            return Every(seconds=span_seconds(raw["every"]))
        wrong = mistake(raw["cron"])
        if wrong is not None:
            self._problem(
                "wrong-value",
                f'"{raw["cron"]}" is no cron expression: {wrong}',
                (*path, "cron"),
                hint='As in "30 2 * * *": every day at half past two.',
            )
        return Cron(expression=raw["cron"], zone=self._zone(raw, path))

    def _zone(self, raw: Mapping[str, Any], path: Path) -> ZoneInfo:
        if "zone" not in raw:
            self._problem(
                "missing-key",
                f'schedule "{raw["schedule"]}" has a "cron" and lacks the key "zone"',
                (*path, "cron"),
                hint="Say by whose clock: zone: Europe/Berlin, or zone: UTC.",
            )
            return ZoneInfo("UTC")
        zone, problem = find_zone(self.document, raw["zone"], (*path, "zone"))
        self.problems += [problem] if problem else []
        return zone

    def _problem(self, reference: str, message: str, path: Path, hint: str | None = None) -> None:
        self.problems.append(
            Problem(
                reference=reference, message=message, where=self.document.value(path), hint=hint
            )
        )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
