"""What a fix has earned: a fold over how it did before. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """A fix that was begun on a host, `at` POSIX seconds, in a run.

    `approved` says that a person said yes to it, `worked` whether it was seen to have worked: None
    while it is under way, and where only its fallback helped. `why` is what it came to, in a word.
    """

    runbook: str
    fix: str
    cause: str
    host: str
    groups: frozenset[str]
    run: str
    at: float
    approved: bool
    worked: bool | None
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How many in a row were approved by people and worked, and the last one that did not."""

    verified: int = 0
    failure: Try | None = None


def standing(newest_first: Iterable[Try], *, enough: int | None = None) -> Standing:
    """Return where a fix stands: what worked without a person, or by a fallback, counts neither way.

    One that was not seen to have worked takes away all that was earned before it. No more than
    `enough` are counted.
    """
    verified = 0
    for one in newest_first:
        if one.worked is False:
            return Standing(verified=verified, failure=one)
        verified += one.worked is True and one.approved
        if enough is not None and verified >= enough:
            break
    return Standing(verified=verified)


def on_group(tries: Iterable[Try], group: str) -> Iterable[Try]:
    """Return the tries on hosts of a group; "" stands for all hosts."""
    return (one for one in tries if not group or group in one.groups)
