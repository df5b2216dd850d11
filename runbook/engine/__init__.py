"""The pure engine: what happened gives a host's state, and that says what to do next.

Nothing in here reads a clock, does I/O or draws lots, so that the journal alone gives the state a
run had, and a run can be resumed from it.
"""

from runbook.engine.cohort import Cohort, cohorts
from runbook.engine.decide import decide
from runbook.engine.evidence import evidence_seen_at
from runbook.engine.evolve import evolve, replay, start

__all__ = ["Cohort", "cohorts", "decide", "evidence_seen_at", "evolve", "replay", "start"]
