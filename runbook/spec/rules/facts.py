"""Facts: what an expression looks up in a check's result has to be what its probe answers with."""

from collections.abc import Iterator, Mapping

from runbook.errors import Problem
from runbook.model.definition import StepKind
from runbook.model.probes import PROBE_TYPES
from runbook.spec.draft import Draft, DraftStep
from runbook.spec.usage import Purpose, expressions
from runbook.spec.validation import did_you_mean

_OF_ANY_MAPPING = frozenset(dir(dict))


def fact_problems(draft: Draft) -> Iterator[Problem]:
    """Yield each use of a fact that the probe of the check it is looked up in does not have."""
    types = {step.id: _probe_type(step) for step in draft.steps if step.id is not None}
    for written in draft.steps:
        for found in expressions(written):
            if found.purpose is Purpose.TASK:
                continue
            for name, fact in found.uses.facts:
                probe = types.get(name)
                if probe is None or (name == written.id and found.purpose is not Purpose.JUDGE):
                    continue
                known = PROBE_TYPES[probe].facts
                if fact not in known and fact not in _OF_ANY_MAPPING:
                    yield Problem(
                        reference="unknown-fact",
                        message=f'the probe {probe} tells nothing called "{fact}"',
                        where=draft.document.word(found.path, f"{name}.{fact}"),
                        hint=did_you_mean(fact, known) or f"It tells {', '.join(known)}.",
                    )


def _probe_type(written: DraftStep) -> str | None:
    """Return the type of the one probe of a check, None for what leaves other results."""
    probe = written.raw.get("probe")
    if written.kind is not StepKind.CHECK or not isinstance(probe, Mapping) or len(probe) != 1:
        return None
    [kind] = probe
    return kind if kind in PROBE_TYPES else None
