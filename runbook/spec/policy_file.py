"""A policy's file to a policy: closed schema, all problems at once, each at its place."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runbook.errors import Problem, RunbookError
from runbook.model.definition import Json
from runbook.model.policy import (
    Blackout,
    Budget,
    Expectation,
    Flapping,
    Guards,
    Permission,
    Policy,
    Ramp,
    Rule,
    Scope,
    Situation,
    Source,
    Window,
)
from runbook.spec.document import Document, Path
from runbook.spec.reader import content_of, read
from runbook.spec.validation import did_you_mean, shape_problems

_SCHEMA = "policy.schema.json"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NOON = "2026-01-01T12:00:00+00:00"


def load_policy(path: FilePath) -> Policy:
    """Return the policy of a file; raise RunbookError with all that is wrong in it."""
    try:
        content = content_of(path)
    except OSError as error:
        raise RunbookError.of(
            "policy-unreadable", f"cannot read the policy {path}: {error.strerror}"
        ) from error
    reading = _Reading(well_shaped(content, path, schema=_SCHEMA, noun="the policy"))
    policy = reading.policy()
    if reading.problems:
        raise RunbookError(*in_order(reading.problems))
    return policy


class _Reading:
    """Builds the records of a document whose shape is right; notes what makes no sense."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def policy(self) -> Policy:
        """Return what the document says."""
        data: Mapping[str, Any] = self.document.data
        rules = tuple(
            self._rule(raw, ("rules", number)) for number, raw in enumerate(data.get("rules", ()))
        )
        self._unique(rules)
        return Policy(
            name=data["policy"],
            rules=rules,
            guards=self._guards(data.get("guards", {})),
            tests=tuple(
                self._expectation(raw, ("tests", number), {rule.name for rule in rules})
                for number, raw in enumerate(data.get("tests", ()))
            ),
            otherwise=Permission(data.get("otherwise", Permission.DENY)),
        )

    def _rule(self, raw: Mapping[str, Any], path: Path) -> Rule:
        when = raw.get("when", {})
        permission = Permission(raw["answer"])
        for key in ("people", "expires"):
            if key in raw and permission is not Permission.ASK:
                self._problem(
                    "pointless-key",
                    f'"{key}" has no meaning where the answer is {permission}',
                    (*path, key),
                    hint="Only `answer: ask` asks anybody.",
                )
        if "autonomy" in raw and permission is not Permission.ASK:
            self._problem(
                "pointless-key",
                f'"autonomy" has no meaning where the answer is {permission}',
                (*path, "autonomy"),
                hint="It is what makes `answer: ask` become auto.",
            )
        return Rule(
            name=raw["rule"],
            permission=permission,
            runbooks=texts(when.get("runbook")),
            fixes=texts(when.get("fix")),
            causes=texts(when.get("cause")),
            hosts=texts(when.get("host")),
            groups=texts(when.get("group")),
            severities=texts(when.get("severity")),
            sources=tuple(Source(text) for text in texts(when.get("source"))),
            windows=self._windows(when.get("time"), (*path, "when", "time")),
            people=int(raw.get("people", 1)),
            expires_s=span_seconds(raw.get("expires", "1d")),
            autonomy=int(raw["autonomy"]["after"]) if "autonomy" in raw else None,
        )

    def _unique(self, rules: tuple[Rule, ...]) -> None:
        seen: set[str] = set()
        for number, rule in enumerate(rules):
            if rule.name in seen:
                self._problem(
                    "duplicate-rule",
                    f'there are two rules "{rule.name}"',
                    ("rules", number, "rule"),
                    hint="Journal and reports name a rule by this text.",
                )
            seen.add(rule.name)

    def _windows(self, raw: Json, path: Path) -> tuple[Window, ...]:
        if raw is None:
            return ()
        if isinstance(raw, list):
            return tuple(self._window(one, (*path, number)) for number, one in enumerate(raw))
        return (self._window(raw, path),)

    def _window(self, raw: Mapping[str, Any], path: Path) -> Window:
        zone, problem = find_zone(self.document, raw["zone"], (*path, "zone"))
        self.problems += [problem] if problem else []
        return Window(
            start=_minutes(raw["from"]),
            end=_minutes(raw["to"]),
            zone=zone,
            days=frozenset(_DAYS.index(day) for day in raw.get("days", ())),
        )

    def _guards(self, raw: Mapping[str, Any]) -> Guards:
        flapping = raw.get("flapping")
        return Guards(
            budgets=tuple(
                Budget(
                    fixes=int(one["fixes"]),
                    scope=Scope(one["per"]),
                    within_s=span_seconds(one["within"]),
                )
                for one in raw.get("budgets", ())
            ),
            cooldown_s=span_seconds(raw["cooldown"]) if "cooldown" in raw else None,
            failures=raw.get("failures"),
            healthy_share=raw.get("healthy_share"),
            shared_cause=raw.get("shared_cause"),
            flapping=None
            if flapping is None
            else Flapping(
                times=int(flapping["times"]),
                within_s=span_seconds(flapping["within"]),
                quiet_s=span_seconds(flapping["quiet"]),
            ),
            blackouts=tuple(
                Blackout(
                    name=one["blackout"],
                    window=self._window(one["time"], ("guards", "blackouts", number, "time")),
                )
                for number, one in enumerate(raw.get("blackouts", ()))
            ),
            crowd=int(raw.get("crowd", 5)),
            ramp=None
            if "ramp" not in raw
            else Ramp(
                first=int(raw["ramp"].get("first", 1)),
                pause_s=span_seconds(raw["ramp"]["pause"]) if "pause" in raw["ramp"] else 0.0,
                crowd=int(raw.get("crowd", 5)),
            ),
        )

    def _expectation(self, raw: Mapping[str, Any], path: Path, rules: set[str]) -> Expectation:
        situation = raw["situation"]
        rule = raw.get("rule")
        if rule is not None and rule not in rules:
            self._problem(
                "unknown-rule",
                f'there is no rule "{rule}"',
                (*path, "rule"),
                hint=did_you_mean(rule, rules),
            )
        return Expectation(
            situation=Situation(
                runbook=situation["runbook"],
                fix=situation["fix"],
                cause=situation.get("cause", ""),
                host=situation.get("host", "host"),
                groups=frozenset(situation.get("groups", ())),
                severity=situation.get("severity", ""),
                source=Source(situation.get("source", Source.ALERT)),
                at=self._moment(situation.get("at", _NOON), (*path, "situation", "at")),
                verified=int(situation.get("verified", 0)),
            ),
            permission=Permission(raw["expect"]),
            rule=rule,
            line=self.document.key(path).line,
        )

    def _moment(self, text: str, path: Path) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self._problem(
                "wrong-value",
                f'"{text}" is not a moment with its zone',
                path,
                hint="Write it as 2026-03-29T03:00:00+02:00.",
            )
            return datetime.fromisoformat(_NOON)
        return moment

    def _problem(self, reference: str, message: str, path: Path, hint: str | None = None) -> None:
        self.problems.append(
            Problem(
                reference=reference, message=message, where=self.document.value(path), hint=hint
            )
        )


def well_shaped(content: bytes, path: FilePath, *, schema: str, noun: str) -> Document:
    """Return a document that fits one of the shipped schemas; raise RunbookError with all problems.

    `noun` is what messages call the whole of it.
    """
    document = replace(read(content, str(path), foreign=lambda _: False), noun=noun)
    problems = list(document.problems)
    if document.values or not problems:
        problems += [problem for _, problem in shape_problems(document, schema)]
    if problems:
        raise RunbookError(*problems)
    return document


def find_zone(document: Document, name: str, path: Path) -> tuple[ZoneInfo, Problem | None]:
    """Return the time zone of that name; UTC and a problem at its place where there is none."""
    try:
        return ZoneInfo(name), None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problem = Problem(
            reference="unknown-zone",
            message=f'there is no time zone "{name}" on this machine',
            where=document.value(path),
            hint="Zones are named as in Europe/Berlin, America/New_York or UTC.",
        )
        return ZoneInfo("UTC"), problem


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems of one file in the order of their places."""
    return sorted(
        problems, key=lambda one: (one.where.line, one.where.column) if one.where else (0, 0)
    )


def span_seconds(span: str) -> float:
    """Return a span such as 30s, 5m, 2h or 7d in seconds; its shape has been found right."""
    return float(int(span[:-1]) * _SECONDS[span[-1]])


def texts(value: Json) -> tuple[str, ...]:
    """Return one text or a list of them as a tuple; none where there is nothing."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
