"""The file of notifications: closed schema, all problems at once, each at its place."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from runbook.errors import Problem, RunbookError
from runbook.notify.plan import Kind, Plan, Target, Tier
from runbook.notify.wording import mistake
from runbook.spec.document import Document, Path
from runbook.spec.policy_file import in_order, span_seconds, texts, well_shaped
from runbook.spec.validation import did_you_mean

_SCHEMA = "notify.schema.json"


def load_plan(path: FilePath) -> Plan:
    """Return the notifications of a file; raise RunbookError with all that is wrong in it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunbookError.of(
            "notify-unreadable", f"cannot read the notifications {path}: {error.strerror}"
        ) from error
    reading = _Reading(well_shaped(content, path, schema=_SCHEMA, noun="the file"))
    plan = reading.plan()
    if reading.problems:
        raise RunbookError(*in_order(reading.problems))
    return plan


class _Reading:
    """Builds the records of a document whose shape is right; notes what makes no sense."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def plan(self) -> Plan:
        """Return what the document says."""
        data: Mapping[str, Any] = self.document.data
        targets = {name: self._target(name, raw) for name, raw in data["targets"].items()}
        tiers = tuple(
            self._tier(raw, ("tiers", number), targets) for number, raw in enumerate(data["tiers"])
        )
        self._unique(tiers)
        self._used(targets, tiers)
        templates = data.get("templates", {})
        for name, text in templates.items():
            wrong = mistake(text)
            if wrong is not None:
                self._problem(
                    "bad-template", f'"{name}" is no template: {wrong}', ("templates", name)
                )
        return Plan(
            name=data["notify"],
            targets=targets,
            tiers=tiers,
            title=templates.get("title"),
            body=templates.get("body"),
        )

    def _target(self, name: str, raw: Mapping[str, Any]) -> Target:
        path = ("targets", name)
        if ("env" in raw) is ("file" in raw):
            both = "env" in raw
            self._problem(
                "too-many-keys" if both else "missing-key",
                f'target "{name}" '
                + ('has both "env" and "file"' if both else 'needs one of "env" or "file"'),
                (*path, "file") if both else path,
                hint="Say where its URL is kept; the URL itself is a secret.",
            )
        return Target(name=name, variable=raw.get("env"), file=raw.get("file"))

    def _tier(self, raw: Mapping[str, Any], path: Path, targets: Mapping[str, Target]) -> Tier:
        for number, name in enumerate(raw["targets"]):
            if name not in targets:
                self._problem(
                    "unknown-target",
                    f'there is no target "{name}"',
                    (*path, "targets", number),
                    hint=did_you_mean(name, targets),
                )
        when = raw.get("when", {})
        about = raw.get("about")
        if about is not None and Kind.STILL_FAILING in about and "after" not in raw:
            self._problem(
                "pointless-key",
                '"still_failing" needs "after": how long it has to last',
                (*path, "about", about.index(Kind.STILL_FAILING)),
            )
        return Tier(
            name=raw["tier"],
            targets=tuple(dict.fromkeys(raw["targets"])),
            about=frozenset(Kind) - {Kind.STARTED}
            if about is None
            else frozenset(map(Kind, about)),
            after_s=span_seconds(raw["after"]) if "after" in raw else 0.0,
            runbooks=texts(when.get("runbook")),
            hosts=texts(when.get("host")),
            by=texts(when.get("by")),
            collapse_s=span_seconds(raw.get("collapse", "1m")),
            burst=int(raw.get("burst", 5)),
        )

    def _unique(self, tiers: tuple[Tier, ...]) -> None:
        seen: set[str] = set()
        for number, tier in enumerate(tiers):
            if tier.name in seen:
                self._problem(
                    "duplicate-tier",
                    f'there are two tiers "{tier.name}"',
                    ("tiers", number, "tier"),
                    hint="What a tier was told is known by its name.",
                )
            seen.add(tier.name)

    def _used(self, targets: Mapping[str, Target], tiers: tuple[Tier, ...]) -> None:
        told = {name for tier in tiers for name in tier.targets}
        for name in targets:
            if name not in told:
                self._problem(
                    "unused-target", f'no tier tells the target "{name}"', ("targets", name)
                )

    def _problem(self, reference: str, message: str, path: Path, hint: str | None = None) -> None:
        self.problems.append(
            Problem(
                reference=reference, message=message, where=self.document.value(path), hint=hint
            )
        )
