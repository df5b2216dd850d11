"""How a run stops before its end."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """The operator wants to stop: `now` gives up fixes under way as well."""

    reason: str
    now: bool = False


class InterruptedRunError(Exception):
    """The run stopped before its end; it is journaled and can be resumed."""


class SlicedRunError(Exception):
    """The run is too large for one process, and was cut into slices, which others see to.

    `slices` are their hosts, in order.
    """

    def __init__(self, slices: tuple[tuple[str, ...], ...]) -> None:
        super().__init__(f"the run is cut into {len(slices)} slices")
        self.slices = slices
