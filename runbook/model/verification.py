"""The judgement of a fix from looks taken after it."""

from collections.abc import Sequence

from runbook.model.definition import CheckResult, FixResult
from runbook.model.observation import Verification


def judge(
    cause_samples: Sequence[CheckResult], symptom_samples: Sequence[CheckResult], hold: float
) -> Verification:
    """Say what a fix came to, from samples of its cause check and its symptom check.

    The two sequences run in step, in time order: sampled until both passed, or the time for that
    (`Verify.within_s`) was up, then through the hold. `cause_samples` is empty where the fix has no
    cause check. `hold` is for how many seconds success had to last, 0 for not at all. The result
    has no observations yet; the caller adds the telling ones.

    - resolved: both passed, and in every sample of the hold.
    - recurred: both passed, then either failed.
    - cause_removed: the symptom stayed, the cause passed to the end once it had passed.
    - no_effect: the cause was seen to the end, or came and went while the symptom stayed.
    - unknown: nobody could look when it mattered.

    Raises ValueError where the sequences are not of one length.
    """
    if cause_samples and len(cause_samples) != len(symptom_samples):
        raise ValueError("cause and symptom are sampled in step")
    rounds = [
        {cause, symptom}
        for cause, symptom in zip(cause_samples or symptom_samples, symptom_samples, strict=True)
    ]
    success = next((at for at, seen in enumerate(rounds) if seen == {CheckResult.PASSED}), None)
    if success is None:
        return _without_success(cause_samples, symptom_samples)
    return _after_success(rounds[success + 1 :], hold)


def _without_success(
    causes: Sequence[CheckResult], symptoms: Sequence[CheckResult]
) -> Verification:
    if not symptoms:
        return Verification(result=FixResult.UNKNOWN, reason="it was not looked at again")
    cause = causes[-1] if causes else symptoms[-1]
    if cause is CheckResult.FAILED:
        return Verification(result=FixResult.NO_EFFECT)
    if CheckResult.UNKNOWN in (cause, symptoms[-1]):
        return Verification(
            result=FixResult.UNKNOWN, reason="the last look could not tell whether it helped"
        )
    # Passing last is chance where it comes and goes: a service that dies and is started again.
    first_passed = causes.index(CheckResult.PASSED)
    if CheckResult.FAILED in causes[first_passed:]:
        return Verification(result=FixResult.NO_EFFECT, reason="the cause comes and goes")
    return Verification(result=FixResult.CAUSE_REMOVED)


def _after_success(held: Sequence[set[CheckResult]], hold: float) -> Verification:
    if any(CheckResult.FAILED in seen for seen in held):
        return Verification(result=FixResult.RECURRED)
    if any(CheckResult.UNKNOWN in seen for seen in held):
        return Verification(
            result=FixResult.UNKNOWN, reason="not every look could tell whether it held"
        )
    if hold > 0 and not held:
        return Verification(
            result=FixResult.UNKNOWN, reason="it was not looked at long enough to know it holds"
        )
    return Verification(result=FixResult.RESOLVED)
