"""Whom to tell what, and when: the records of a file of notifications."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a notice is about.

    `started`: the first fix begins on a host. `waiting`: a person has to decide. `resolved`: the
    host is seen to be well again. `failed`: nothing helped, it could not be seen, or it was declined.
    `guard_tripped`: a limit of the policy stood in the way. `still_failing`: it has been so for as
    long as a tier says.
    """

    STARTED = "started"
    WAITING = "waiting"
    RESOLVED = "resolved"
    FAILED = "failed"
    GUARD_TRIPPED = "guard_tripped"
    STILL_FAILING = "still_failing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where messages go: `variable` (of the environment) or `file` holds its Apprise URL.

    The URL is a secret: it is read when a message is sent, and written nowhere.
    """

    name: str
    variable: str | None = None
    file: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """Targets that are told together.

    With `after_s` above zero the tier hears of an incident only once that many seconds have passed
    without its end. `runbooks`, `hosts` and `by` (who began the run) are patterns of the shell; none
    fits all. Within `collapse_s` seconds at most `burst` messages go out; what is left is put
    together, with its number.
    """

    name: str
    targets: tuple[str, ...]
    about: frozenset[Kind]
    after_s: float = 0.0
    runbooks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    collapse_s: float = 60.0
    burst: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All of it; `title` and `body` are Jinja templates, None for the built-in ones."""

    name: str
    targets: Mapping[str, Target]
    tiers: tuple[Tier, ...]
    title: str | None = None
    body: str | None = None
