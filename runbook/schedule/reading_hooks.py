"""The hooks of a service's file, with the secrets that their callers know."""

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from runbook.errors import Problem
from runbook.model.definition import Json
from runbook.schedule.hooks import Hook, HookKind, Route, Scheme
from runbook.schedule.mapping import places
from runbook.spec.document import Document, Path
from runbook.spec.policy_file import span_seconds

SHORTEST = 16
"""How many bytes a secret has at least."""


class HookReading:
    """Builds hooks of a document whose shape is right; notes what makes no sense."""

    def __init__(self, document: Document, folder: FilePath) -> None:
        self.document = document
        self.folder = folder
        self.problems: list[Problem] = []

    def hooks(self, raw: Sequence[Mapping[str, Any]]) -> tuple[Hook, ...]:
        """Return what the document says of hooks."""
        hooks = tuple(self._hook(one, ("hooks", number)) for number, one in enumerate(raw))
        self._unique([hook.name for hook in hooks], "hook", ("hooks",))
        return hooks

    def _hook(self, raw: Mapping[str, Any], path: Path) -> Hook:
        kind = HookKind(raw["kind"])
        if "identity" in raw and kind is not HookKind.JSON:
            self._problem(
                "pointless-key",
                '"identity" has no meaning for alertmanager, whose alerts have fingerprints',
                (*path, "identity"),
            )
        routes = tuple(
            self._route(one, (*path, "routes", number)) for number, one in enumerate(raw["routes"])
        )
        self._unique([route.name for route in routes], "route", (*path, "routes"))
        scheme, secret = self._secret(raw, path)
        return Hook(
            name=raw["hook"],
            kind=kind,
            scheme=scheme,
            secret=secret,
            routes=routes,
            identity=raw.get("identity", ""),
            per_minute=int(raw.get("per_minute", 600)),
        )

    def _route(self, raw: Mapping[str, Any], path: Path) -> Route:
        for key in ("within", "runbook"):
            if places(raw.get(key, "")):
                self._problem(
                    "wrong-value",
                    f'"{key}" is not for others to say: it takes no value of what is sent',
                    (*path, key),
                )
        return Route(
            name=raw["route"],
            runbook=raw["runbook"],
            host=raw["host"],
            when={
                name: (one,) if isinstance(one, str) else tuple(one)
                for name, one in raw["when"].items()
            },
            within=raw.get("within", ""),
            given={name: as_given(value) for name, value in raw.get("set", {}).items()},
            severity=raw.get("severity", ""),
            repeat_s=span_seconds(raw.get("repeat", "10m")),
            diagnose=raw.get("mode") == "diagnose",
        )

    def _secret(self, raw: Mapping[str, Any], path: Path) -> tuple[Scheme, bytes]:
        """Return how callers of a hook prove who they are, and with what."""
        found = [scheme for scheme in Scheme if scheme.value in raw]
        if len(found) != 1:
            self._problem(
                "no-proof" if not found else "too-many-keys",
                f'hook "{raw["hook"]}" '
                + ('has both "bearer" and "hmac"' if found else "would let anybody start runs"),
                path,
                hint="Name the file with its secret: bearer: FILE, or hmac: FILE.",
            )
            return Scheme.BEARER, b""
        [scheme] = found
        file = self.folder / raw[scheme.value]
        try:
            secret = file.read_bytes().strip()
        except OSError as error:
            self._problem(
                "secret-unreadable",
                f"cannot read the secret {file}: {error.strerror}",
                (*path, scheme.value),
            )
            return scheme, b""
        if len(secret) < SHORTEST:
            self._problem(
                "weak-secret",
                f"the secret in {file} is shorter than {SHORTEST} characters",
                (*path, scheme.value),
                hint="As in: openssl rand -hex 32",
            )
        return scheme, secret

    def _unique(self, names: Sequence[str], noun: str, path: Path) -> None:
        for number, name in enumerate(names):
            if name in names[:number]:
                self._problem(
                    f"duplicate-{noun}",
                    f'there are two {noun}s "{name}"',
                    (*path, number, noun),
                )

    def _problem(self, reference: str, message: str, path: Path, hint: str | None = None) -> None:
        self.problems.append(
            Problem(
                reference=reference, message=message, where=self.document.value(path), hint=hint
            )
        )


def as_given(value: Json) -> str:
    """Return a value as --set takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
