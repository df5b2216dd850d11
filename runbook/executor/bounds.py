"""How long an invocation may take: bounded by what it has come to, not by a sum of everything."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

START_S = 60.0
"""What Ansible may take to start, read the inventory and load its plugins."""

CONNECT_S = 15.0
"""What one host's connection and the steps between may take; ssh gives up after 10 s by default."""


@dataclass(kw_only=True)
class Bounds:
    """The time limits of one invocation; durations in seconds.

    `act_s` bounds the action of a fix (None where there is none), `look_s` one host's look. Of
    `hosts`, `forks` are worked on at once, the others wait for them.
    """

    hosts: int
    forks: int
    act_s: float | None
    look_s: float
    _begun: bool = False
    _acting: bool = False
    _acted: bool = False

    @property
    def _waves(self) -> int:
        return math.ceil(max(1, self.hosts) / max(1, self.forks))

    def at_start(self) -> float:
        """Return how long it may take from its start, until a record says otherwise."""
        return START_S + self._waves * (CONNECT_S + self.look_s)

    def after(self, record: Mapping[str, Any]) -> float | None:
        """Return how long it may take from this record on, None where that changes nothing.

        Each stage counts once, so that no host prolongs it.
        """
        match record:
            case {"kind": "hosts", "hosts": list(hosts)}:
                self.hosts = len(hosts)
                return self.at_start()
            case {"kind": "ours", "task": "runbook_begin"} if not self._begun:
                self._begun = True
                return self.longest()
            case {"kind": "began"} if self._begun and not self._acting and self.act_s is not None:
                self._acting = True
                return self._waves * self.act_s
            case {"kind": "ours", "task": "runbook_acted"} if not self._acted:
                self._acted = True
                return START_S + self._waves * (CONNECT_S + self.look_s)
            case _:
                return None

    def longest(self) -> float:
        """Return how long all of it can take from the first contact on."""
        return START_S + self._waves * (CONNECT_S + (self.act_s or 0.0) + self.look_s)
