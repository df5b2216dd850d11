"""Hosts that need the same thing next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runbook.engine.graph import graph_of
from runbook.model.decision import (
    AskOperator,
    AskStep,
    AwaitFix,
    Decision,
    Done,
    Observe,
    Record,
    RequestApproval,
    StartFix,
    VerifyFix,
    WatchCheck,
)
from runbook.model.definition import Runbook
from runbook.model.observation import Texts
from runbook.model.state import HostState

_KINDS = (
    Record,
    Observe,
    WatchCheck,
    AskStep,
    AskOperator,
    RequestApproval,
    StartFix,
    AwaitFix,
    VerifyFix,
    Done,
)


_OfStep = RequestApproval | StartFix | AwaitFix | VerifyFix | AskOperator | AskStep | WatchCheck


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """Hosts with one decision, in natural order (web2 before web10)."""

    decision: Decision
    hosts: tuple[str, ...]


def cohorts(
    runbook: Runbook, decisions: Mapping[str, Decision], states: Mapping[str, HostState]
) -> tuple[Cohort, ...]:
    """Group hosts by decision: each host of `decisions` is in exactly one cohort.

    Hosts are asked about, fixed and questioned together only where the step reads the same for
    them, title and impact. What is to be recorded is one host's own. Cohorts come in the order of
    the runbook's steps, finished hosts last; the result does not depend on the order of the input.
    """
    order = graph_of(runbook).order
    groups: dict[tuple[object, ...], list[str]] = {}
    for host in sorted(decisions, key=_natural):
        groups.setdefault(_key(decisions[host], states[host]), []).append(host)
    found = [Cohort(decision=decisions[hosts[0]], hosts=tuple(hosts)) for hosts in groups.values()]
    return tuple(sorted(found, key=lambda cohort: _place(cohort.decision, order)))


def _key(decision: Decision, state: HostState) -> tuple[object, ...]:
    match decision:
        case Record():
            return (Record, state.host)
        case Observe() | Done():
            return (decision,)
        case _:
            return (decision, _texts(decision, state))


def _texts(
    decision: _OfStep,
    state: HostState,
) -> Texts | None:
    return state.texts.get(_step(decision))


def _step(
    decision: _OfStep,
) -> str:
    match decision:
        case AskOperator() | AskStep() | WatchCheck():
            return decision.step
        case _:
            return decision.fix


def _place(decision: Decision, order: Mapping[str, int]) -> tuple[int, int]:
    """Return where a cohort comes; ties keep the order of their first hosts."""
    kind = _KINDS.index(type(decision))
    match decision:
        case Done():
            return len(order), kind
        case Record():
            return -1, kind
        case Observe():
            return min(order[step] for step in decision.steps), kind
        case _:
            return order[_step(decision)], kind


def _natural(host: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that reads numbers in names as numbers, and tells all names apart."""
    parts = re.findall(r"[0-9]+|[^0-9]+", host)
    return tuple(
        (0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts
    )
