"""Looking at one host: render probes, run them in stages, judge what they answered.

Runs inside Ansible, called by our action plugin, which lends it Ansible's templating and a way to
the host; it imports neither. What a host answers is data: it is checked for shape and size, and
it is only ever a value in a condition, never a template.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from runbook.executor.mentioned import reached
from runbook.executor.plain import MAX_WORDS, TooMuchError, plain
from runbook.executor.plan import (
    MAX_ANSWER_BYTES,
    Plan,
    PlannedProbe,
    PlannedStep,
    variable_of,
)
from runbook.executor.staging import stages
from runbook.model.definition import CheckResult, Json
from runbook.model.masking import MASK

NO_FACTS = ("invocation", "ansible_facts", "exception", "warnings", "deprecations")
"""What a task's result holds beside what it found out."""

MAX_FACTS = 4 * MAX_ANSWER_BYTES
"""How much text a step's facts may hold; an honest probe stays far below."""


class CouldNotRenderError(Exception):
    """A template or condition has no value here; the text says why."""


class Templating(Protocol):
    """Ansible's templating, lent by the plugin. Both methods raise `CouldNotRenderError`."""

    def render(self, value: Json, variables: Mapping[str, Json]) -> Json:
        """Render the templates of a trusted value."""

    def holds(self, condition: str, variables: Mapping[str, Json]) -> bool:
        """Evaluate a trusted condition, which must come to a bool."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a probe came to: facts, or None with the reason why it could not look."""

    facts: Mapping[str, Json] | None
    reason: str | None = None
    took_s: float = 0.0


RunProbes = Callable[[Sequence[Mapping[str, Json]]], Mapping[str, Answer]]
"""Runs rendered probes (the probe module's request format) and answers by probe id."""


def answer_from(raw: Json) -> Answer:
    """Read one probe's answer as a host gave it, trusting nothing about its shape."""
    if not isinstance(raw, Mapping):
        return Answer(facts=None, reason="the host's answer is not an object")
    took = raw.get("took_s")
    took_s = float(took) if isinstance(took, int | float) and 0 <= took < 1e6 else 0.0
    if raw.get("looked") is not True:
        reason = raw.get("reason")
        text = reason[:MAX_WORDS] if isinstance(reason, str) else ""
        return Answer(facts=None, reason=text or "the probe gave no reason", took_s=took_s)
    facts = raw.get("facts")
    if not isinstance(facts, Mapping):
        return Answer(facts=None, reason="the host's answer holds no facts", took_s=took_s)
    try:
        return Answer(facts=plain(facts, max_characters=MAX_FACTS), took_s=took_s)
    except TooMuchError:
        return Answer(facts=None, reason="the host's answer is too deep or too long", took_s=took_s)


@dataclass(kw_only=True)
class Names:
    """The variables a condition sees: the host's, the scope's, and results under step names."""

    plan: Plan
    templating: Templating
    host: Mapping[str, Json]
    _scopes: dict[str, dict[str, Json]] = field(default_factory=dict)
    _given: dict[str, dict[str, Json]] = field(default_factory=dict)
    _pending: dict[str, dict[str, tuple[Json, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add("")
        for prefix, scope in self.plan.scopes.items():
            self._add(prefix)
            self._pending[prefix] = {
                **{name: (value, prefix) for name, value in scope.defaults.items()},
                **{
                    name: (f"{{{{ {name} }}}}", "")
                    for name in scope.inherited
                    if name in self._scopes[""]
                },
                **{name: (value, scope.parent) for name, value in scope.arguments.items()},
            }
            for name in self._pending[prefix]:
                self._scopes[prefix].pop(name, None)

    def _add(self, scope: str) -> None:
        variables = {**self.host, **self.plan.shadowed}
        for name in self.plan.names.get(scope, ()):
            # A step's name is what was seen of the step, never a fact that a host set or cached.
            variables.pop(name, None)
        facts = self.host.get("ansible_facts")
        params = {variable_of(name) for name in self.plan.params}
        for name in params & (facts if isinstance(facts, Mapping) else {}).keys():
            # Facts win over the inventory, so that a host could choose what the controller reads.
            variables.pop(name, None)
        self._scopes[scope] = variables
        self._given[scope] = {}

    def of(self, scope: str) -> Mapping[str, Json]:
        """Return the variables of a scope."""
        self._resolve(scope)
        return self._scopes[scope]

    def given(self, scope: str) -> Mapping[str, Json]:
        """Return what the scope has beside the host's variables: its params, what was seen."""
        self._resolve(scope)
        return self._given[scope]

    def _resolve(self, scope: str) -> None:
        """Render the params of a called runbook, as far as what they use has been seen by now."""
        pending = self._pending.get(scope, {})
        if scope and pending:
            self._resolve(self.plan.scopes[scope].parent)
        left = len(pending) + 1
        while len(pending) < left:  # A default may use another param, in whatever order.
            left = len(pending)
            for name, (value, within) in list(pending.items()):
                try:
                    rendered = self.templating.render(value, self._scopes[within])
                except CouldNotRenderError:
                    continue
                self._give(scope, name, rendered)
                del pending[name]

    def _give(self, scope: str, name: str, value: Json) -> None:
        self._scopes[scope][name] = value
        self._given[scope][name] = value

    def recall(self, step: str, facts: Mapping[str, Json]) -> None:
        """Make facts of an earlier invocation visible, but for what was masked in them.

        A mask is not what was seen: a fix must not write it anywhere.
        """
        self.learn(step, without_masks(facts))

    def learn(self, step: str, facts: Mapping[str, Json]) -> None:
        """Make a step's facts visible under its name in its own scope."""
        scope, _, name = step.rpartition("/")
        if scope in self._scopes:
            self._give(scope, name, facts)


def without_masks(facts: Mapping[str, Json]) -> dict[str, Json]:
    """Return facts without the entries that hold, at any depth, a text with a mask in it."""
    return {
        key: without_masks(value) if isinstance(value, Mapping) else value
        for key, value in facts.items()
        if isinstance(value, Mapping) or not _is_masked(value)
    }


def _is_masked(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_masked, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_masked, value))
    return isinstance(value, str) and MASK in value


def look(names: Names, steps: Sequence[PlannedStep], run_probes: RunProbes) -> dict[str, Answer]:
    """Run the probes of the steps, stage by stage; return answers by probe key."""
    answers: dict[str, Answer] = {}
    for stage in stages(steps):
        requests = []
        for step in stage:
            for probe in step.probes:
                try:
                    requests.append(request_of(probe, names, step.scope))
                except CouldNotRenderError as error:
                    answers[probe.key] = Answer(facts=None, reason=str(error))
        if requests:
            answers.update(run_probes(requests))
        for step in stage:
            for probe in step.probes:
                facts = answers[probe.key].facts
                if facts is not None and not step.bundle:
                    names.learn(step.id, facts)
    return answers


def request_of(probe: PlannedProbe, names: Names, scope: str) -> dict[str, Json]:
    """Render one probe into the probe module's request; raise CouldNotRenderError."""
    variables = names.of(scope)
    return {
        "id": probe.key,
        "type": probe.type,
        "args": names.templating.render(probe.arguments, variables),
        "timeout": probe.timeout_s,
        "as": names.templating.render(probe.acting_as, variables) if probe.acting_as else None,
    }


def texts_of(names: Names) -> dict[str, dict[str, Json]]:
    """Render the texts of steps; what speaks of something not seen yet is left out.

    There the text as written stands.
    """
    texts: dict[str, dict[str, Json]] = {}
    for step, text in names.plan.texts.items():
        variables = names.of(text.scope)

        def render(value: str, variables: Mapping[str, Json] = variables) -> str:
            return str(names.templating.render(value, variables))

        with suppress(CouldNotRenderError):
            texts[step] = {
                "title": render(text.title),
                "impact": render(text.impact),
                "instruction": render(text.instruction),
                "commands": [render(command) for command in text.commands],
                "choices": [render(choice) for choice in text.choices],
                "helps": [render(told) for told in text.helps],
            }
    return texts


def rehearse(names: Names, host: str) -> None:
    """Render and judge for a host whatever does not speak of what is seen on it.

    Nothing comes of it but that the templating has done it once.
    """
    for step in (names.plan.steps[id_] for id_ in names.plan.wanted(host)):
        seen = frozenset(names.plan.names.get(step.scope, ()))
        for probe in step.probes:
            if not _speaks_of(seen, [probe.arguments, probe.acting_as]):
                with suppress(CouldNotRenderError):
                    request_of(probe, names, step.scope)
        for condition in (*step.cases, *([] if step.passes is None else [step.passes])):
            if not _speaks_of(seen, condition, expression=True):
                with suppress(CouldNotRenderError):
                    names.templating.holds(condition, names.of(step.scope))
    texts_of(names)


def _speaks_of(seen: frozenset[str], value: Json, *, expression: bool = False) -> bool:
    found = reached(value, {}, expression=expression)
    return found is None or not seen.isdisjoint(found[1])


def judge(names: Names, step: PlannedStep, answers: Mapping[str, Answer]) -> dict[str, Json]:
    """Return the observation of a step, as the data of `model.observation.Observation`."""
    if step.cases:
        return _judge_cases(names, step)
    if step.bundle:
        return {
            "result": CheckResult.PASSED.value,
            "facts": {
                probe.key.partition(":")[2]: _bundled(answers[probe.key]) for probe in step.probes
            },
        }
    answer = answers[step.probes[0].key]
    if answer.facts is None:
        return _unknown(answer.reason or "could not look", {}, step.passes, answer.took_s)
    return judge_condition(names, step, answer.facts, answer.took_s)


def judge_condition(
    names: Names, step: PlannedStep, facts: Mapping[str, Json], took_s: float
) -> dict[str, Json]:
    """Judge facts by the step's own condition."""
    names.learn(step.id, facts)
    if step.passes is None:
        return _unknown("the check has no condition", facts, None, took_s)
    try:
        held = names.templating.holds(step.passes, names.of(step.scope))
    except CouldNotRenderError as error:
        return _unknown(str(error), facts, step.passes, took_s)
    return {
        "result": (CheckResult.PASSED if held else CheckResult.FAILED).value,
        "facts": dict(facts),
        "expected": step.passes,
        "took_s": took_s,
    }


def judge_task(names: Names, step: PlannedStep, registered: Json) -> dict[str, Json]:
    """Judge a task check by the result Ansible registered for this host."""
    if not isinstance(registered, Mapping):
        return _unknown("the task did not run", {}, step.passes, 0.0)
    seen, whole = _task_facts(registered)
    names.learn(step.id, seen)
    facts: Mapping[str, Json] = {} if step.hidden else seen
    message = str(registered.get("msg") or registered.get("skip_reason") or "")[:MAX_WORDS]
    if step.hidden and message:
        message = "hidden by no_log"
    if registered.get("unreachable"):
        return _unknown(message or "unreachable", facts, step.passes, 0.0)
    if registered.get("skipped"):
        return _unknown(f"the task was skipped: {message}".rstrip(": "), facts, step.passes, 0.0)
    if step.passes is not None:
        if not whole:
            return _unknown("the task's result is too long to be judged", facts, step.passes, 0.0)
        return {**judge_condition(names, step, seen, 0.0), "facts": dict(facts)}
    if registered.get("failed"):
        return _unknown(message or "the task failed", facts, None, 0.0)
    changed = registered.get("changed") is True
    return {
        "result": (CheckResult.FAILED if changed else CheckResult.PASSED).value,
        "facts": facts,
        "reason": "Ansible would change it" if changed else None,
        "expected": "nothing to change",
    }


def _task_facts(registered: Mapping[str, Json]) -> tuple[dict[str, Json], bool]:
    """Return what a task's result says, and whether that is all of it."""
    facts = {
        key: value
        for key, value in registered.items()
        if not key.startswith("_") and key not in NO_FACTS
    }
    try:
        return plain(facts, max_characters=MAX_FACTS), True
    except TooMuchError:
        kept = ("changed", "failed", "rc")
        return {key: facts[key] for key in kept if isinstance(facts.get(key), bool | int)}, False


def _judge_cases(names: Names, step: PlannedStep) -> dict[str, Json]:
    answers: list[str] = []
    reason = None
    for condition in step.cases:
        try:
            answers.append(
                "true" if names.templating.holds(condition, names.of(step.scope)) else "false"
            )
        except CouldNotRenderError as error:
            answers.append("unknown")
            reason = reason or str(error)
    return {"result": CheckResult.PASSED.value, "facts": {"cases": answers}, "reason": reason}


def _bundled(answer: Answer) -> Json:
    return {"could_not_look": answer.reason} if answer.facts is None else dict(answer.facts)


def _unknown(
    reason: str, facts: Mapping[str, Json], expected: str | None, took_s: float
) -> dict[str, Json]:
    return {
        "result": CheckResult.UNKNOWN.value,
        "facts": dict(facts),
        "reason": reason,
        "expected": expected,
        "took_s": took_s,
    }
