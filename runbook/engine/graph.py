"""What can be said of a runbook's graph without any host: worked out once, then looked up."""

from functools import lru_cache

from runbook.model.definition import Branch, Check, Fix, Goto, Runbook, Step, Watch
from runbook.model.targets import targets


class Graph:
    """Derived facts of one runbook. It fills as it is asked and answers always the same."""

    def __init__(self, runbook: Runbook) -> None:
        self._steps = runbook.steps
        self._ahead: dict[str, tuple[str, ...]] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._users: dict[str, frozenset[str]] = {}
        self.order = {step: place for place, step in enumerate(runbook.steps)}

    def ahead(self, position: str) -> tuple[str, ...]:
        """Return what may be looked at ahead of need from here, in the order written.

        These are the checks and branches that can be reached without passing anything that has an
        effect, asks a person or takes time. `position` itself is not among them.
        """
        if position not in self._ahead:
            self._ahead[position] = self._reach(position)
        return self._ahead[position]

    def needs(self, step_id: str) -> tuple[str, ...]:
        """Return the steps whose results this one uses, by itself or through checks it repeats."""
        if step_id not in self._needs:
            step = self._steps[step_id]
            found = dict.fromkeys(step.needs)
            for repeated in _repeated(step):
                found |= dict.fromkeys(self._steps[repeated].needs)
            found.pop(step_id, None)
            self._needs[step_id] = tuple(found)
        return self._needs[step_id]

    def users(self, step_id: str) -> frozenset[str]:
        """Return the steps that use this one's result, by themselves or through others' results."""
        if step_id not in self._users:
            found: set[str] = set()
            waiting = [step_id]
            while waiting:
                used = waiting.pop()
                direct = {other for other in self._steps if used in self.needs(other)} - found
                found |= direct
                waiting.extend(direct)
            self._users[step_id] = frozenset(found)
        return self._users[step_id]

    def scope_start(self, step_id: str) -> str:
        """Return the first step of the runbook that this step was written in."""
        scope = self._steps[step_id].scope
        if not scope:
            return next(iter(self._steps))
        return next(
            other
            for other, step in self._steps.items()
            if step.scope == scope or step.scope.startswith(f"{scope}/")
        )

    def _reach(self, position: str) -> tuple[str, ...]:
        if not _can_be_passed(self._steps[position]):
            return ()
        seen = {position}
        waiting = [position]
        while waiting:
            for target in targets(self._steps[waiting.pop()]):
                if (
                    isinstance(target, Goto)
                    and target.step not in seen
                    and _can_be_passed(self._steps[target.step])
                ):
                    seen.add(target.step)
                    waiting.append(target.step)
        seen.discard(position)
        return tuple(
            step for step in sorted(seen, key=self.order.__getitem__) if self.is_ahead_of_need(step)
        )

    def is_ahead_of_need(self, step_id: str) -> bool:
        """Say whether a step may be looked at before the walk has reached it."""
        step = self._steps[step_id]
        return isinstance(step, Branch) or (isinstance(step, Check) and step.ahead_of_need)


def _can_be_passed(step: Step) -> bool:
    return isinstance(step, Branch) or (isinstance(step, Check) and step.effect is None)


def _repeated(step: Step) -> tuple[str, ...]:
    match step:
        case Watch():
            return (step.check,)
        case Fix(verify=verify):
            return (verify.symptom, *([verify.cause] if verify.cause else []))
        case _:
            return ()


class _Same:
    """A runbook as a key: equal to itself alone, as its mappings cannot be hashed."""

    __slots__ = ("runbook",)

    def __init__(self, runbook: Runbook) -> None:
        self.runbook = runbook

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.runbook is self.runbook

    def __hash__(self) -> int:
        return id(self.runbook)


@lru_cache(maxsize=32)
def _graph(key: _Same) -> Graph:
    return Graph(key.runbook)


def graph_of(runbook: Runbook) -> Graph:
    """Return the graph of a runbook; the same one for the same object."""
    return _graph(_Same(runbook))
