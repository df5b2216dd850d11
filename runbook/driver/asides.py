"""Looks that an operator wants while a question is open: under way, then told and written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.driver.operator import OwnCheck
from runbook.executor import OWN_LOOK, HostObserved
from runbook.model.event import OwnLook
from runbook.model.observation import Observation


@dataclass(kw_only=True, slots=True)
class _UnderWay:
    check: OwnCheck
    step: Mapping[str, str]
    seen: dict[str, Observation] = field(default_factory=dict)


@dataclass(kw_only=True)
class Asides:
    """The operator's own looks under way, by the request that carries each out."""

    _open: dict[str, _UnderWay] = field(default_factory=dict)

    def begin(self, request: str, check: OwnCheck, positions: Mapping[str, str]) -> None:
        """Note a look that has been started; `positions` are the steps its hosts stand at."""
        self._open[request] = _UnderWay(check=check, step=positions)

    def take(self, report: HostObserved) -> OwnLook | None:
        """Return what is to be written down, None where the report is of no such look."""
        look = self._open.get(report.request)
        if look is None:
            return None
        seen = report.observations[OWN_LOOK]
        look.seen[report.host] = seen
        return OwnLook(
            host=report.host,
            step=look.step[report.host],
            probe=look.check.text,
            seen=seen,
            by=look.check.by,
        )

    def end(self, request: str) -> bool:
        """Tell the operator what was seen; say whether the request was such a look."""
        look = self._open.pop(request, None)
        if look is not None:
            look.check.told(look.seen)
        return look is not None
