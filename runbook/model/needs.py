"""Which checks have to be looked at for the sake of others."""

from runbook.model.definition import Check, Runbook


def with_needs(runbook: Runbook, steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the steps with the checks whose results they use, those first, each once."""
    ordered: dict[str, None] = {}

    def add(step: str) -> None:
        found = runbook.steps.get(step)
        if step in ordered or not isinstance(found, Check):
            return
        for need in found.needs:
            if need != step:
                add(need)
        ordered[step] = None

    for step in steps:
        add(step)
    return tuple(ordered)
