"""What an observation is of, as its facts tell: the journal does not name the kinds of steps."""

from collections.abc import Mapping

from runbook.model.definition import CheckResult, Json
from runbook.model.observation import Observation
from runbook.model.state import HostState


def is_choice(seen: Observation) -> bool:
    """Say whether it is a branch's: which of its cases held, and nothing of the host itself."""
    return set(seen.facts) == {"cases"} and isinstance(seen.facts["cases"], list | tuple)


def bundle_of(seen: Observation) -> Mapping[str, Json]:
    """Return the answers of a collect step by the names of its probes; empty for other steps."""
    if seen.result is not CheckResult.PASSED or seen.expected is not None:
        return {}
    whole = all(isinstance(answer, Mapping) for answer in seen.facts.values())
    return seen.facts if whole else {}


def speaking(seen: Observation | None, state: HostState, *, epoch: int) -> Observation | None:
    """Return what speaks for a cause that was found in an epoch with `seen`.

    That is `seen`, but for a branch the last look that failed before it; None where there is none
    or the state no longer knows it.
    """
    if seen is None or not is_choice(seen):
        return seen
    walked = (visit.step for visit in reversed(state.path) if visit.epoch == epoch == state.epoch)
    looks = (state.known[step] for step in walked if step in state.known)
    return next((look for look in looks if look.result is CheckResult.FAILED), None)
