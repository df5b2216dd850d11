"""Who may call from outside, and what their calls mean: hooks and their routes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class HookKind(StrEnum):
    """What a hook is sent: Alertmanager's notifications (version 4), or any JSON object."""

    ALERTMANAGER = "alertmanager"
    JSON = "json"


class Scheme(StrEnum):
    """How a caller proves to be the one: by a token, or by signing what it sends."""

    BEARER = "bearer"
    HMAC = "hmac"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What is to be run for what fits: `when` names values of the document, each with patterns.

    `host`, `severity` and the values of `given` are texts in which `{labels.instance}` stands for a
    value of the document. `within` is a host pattern that the hosts have to be in. An alert that is
    told again within `repeat_s` seconds of the request it led to starts nothing, also where that
    run is over by then.
    """

    name: str
    runbook: str
    host: str
    when: Mapping[str, tuple[str, ...]]
    within: str = ""
    given: Mapping[str, str]
    severity: str = ""
    repeat_s: float = 600.0
    diagnose: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """What is listened to at `/hooks/NAME`; `secret` is what its callers know.

    `identity` is the text that names what a JSON document tells of; who sends it twice has sent it
    once. At most `per_minute` calls are taken in a minute.
    """

    name: str
    kind: HookKind
    scheme: Scheme
    secret: bytes
    routes: tuple[Route, ...]
    identity: str = ""
    per_minute: int = 600
