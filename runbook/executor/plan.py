"""What an invocation's plugins are told: the plan, written as JSON beside the playbook.

Plain data, so that nothing in it is a template unless our plugin makes it one: `arguments`,
`passes`, `cases` and texts come from the runbook and are trusted; `known` comes from hosts and
operators and never is.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from runbook.model.definition import (
    AnsibleTask,
    Ask,
    Branch,
    Check,
    Collect,
    Fix,
    Json,
    Manual,
    Probe,
    Runbook,
    Step,
    Watch,
)
from runbook.model.needs import with_needs
from runbook.model.yaml_nodes import VAULT, Tagged

MAX_ANSWER_BYTES = 64 * 1024
"""How much one probe may bring back; the rest is cut and marked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedProbe:
    """One probe of a step; `key` is the step id, or `step:name` in an evidence bundle."""

    key: str
    type: str
    arguments: Mapping[str, Json]
    acting_as: str | None
    origin: str
    timeout_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedStep:
    """A step to look at.

    `register` is the variable a task check's result is registered in; `hidden` says that its author
    wants nothing of that shown (`no_log`).
    """

    id: str
    scope: str
    probes: tuple[PlannedProbe, ...] = ()
    passes: str | None = None
    cases: tuple[str, ...] = ()
    register: str | None = None
    bundle: bool = False
    hidden: bool = False
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name conditions of its own scope use."""
        return name_within(self.id, self.scope)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedParam:
    """A parameter whose value is rendered and checked for each host."""

    schema: Mapping[str, Json]
    required: bool
    secret: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedScope:
    """A called runbook's names: arguments rendered in the scope `parent`, defaults for the rest.

    `inherited` are the names that a host's own variables come before the defaults of. `secret` are
    the names of params nobody may be shown.
    """

    parent: str
    arguments: Mapping[str, Json]
    defaults: Mapping[str, Json]
    inherited: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedText:
    """A step's texts, to be rendered for each host."""

    scope: str
    title: str
    impact: str = ""
    instruction: str = ""
    commands: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Repeated looking: until all of `steps` pass, at most `within_s`; then through `hold_s`."""

    steps: tuple[str, ...]
    cause: str | None
    symptom: str
    within_s: float
    hold_s: float
    every_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything the plugins of one invocation need to know.

    `scope` is that of the fix or watch; `names` are those of all steps, by scope. `shadowed` are
    variables of the callers that Ansible itself is not told, as `scope` uses their names otherwise.
    `sealed` are the vaulted texts of the runbook. `activity` says whether to ask a host what else
    goes on there. No host is contacted where there are more than `at_most`.
    """

    run: str
    request: str
    joining: bool
    params: Mapping[str, PlannedParam] = field(default_factory=dict)
    scopes: Mapping[str, PlannedScope] = field(default_factory=dict)
    steps: Mapping[str, PlannedStep] = field(default_factory=dict)
    texts: Mapping[str, PlannedText] = field(default_factory=dict)
    everyone: tuple[str, ...] = ()
    wants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    sampling: Sampling | None = None
    lease_s: float = 0.0
    operator: str = ""
    scope: str = ""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shadowed: Mapping[str, Json] = field(default_factory=dict)
    sealed: tuple[str, ...] = ()
    activity: bool = False
    at_most: int | None = None

    def wanted(self, host: str) -> tuple[str, ...]:
        """Return the ids of the steps to look at on a host."""
        return self.wants.get(host, self.everyone)

    def conditions(self) -> Iterator[str]:
        """Yield the conditions that are judged on every host."""
        for step in self.steps.values():
            yield from (*step.cases, *([] if step.passes is None else [step.passes]))

    def templates(self) -> Iterator[str]:
        """Yield the templates that are rendered for every host."""
        for step in self.steps.values():
            for probe in step.probes:
                yield from _templates_in([probe.arguments, probe.acting_as])
        for text in self.texts.values():
            yield from _templates_in(_data(text))
        for scope in self.scopes.values():
            yield from _templates_in([scope.arguments, scope.defaults])
            yield from (f"{{{{ {name} }}}}" for name in scope.inherited)

    def kinds_asked_here(self) -> frozenset[str]:
        """Return the types of the probes that look from the controller."""
        probes = (probe for step in self.steps.values() for probe in step.probes)
        return frozenset(probe.type for probe in probes if probe.origin == "controller")

    def as_data(self) -> dict[str, Json]:
        """Return the plan as JSON data."""
        data: dict[str, Json] = _data(self)
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Json]) -> "Plan":
        """Read back what `as_data` gave."""
        sampling = data["sampling"]
        return cls(
            run=data["run"],
            request=data["request"],
            joining=data["joining"],
            params={name: PlannedParam(**value) for name, value in data["params"].items()},
            scopes={
                name: PlannedScope(
                    **{
                        **value,
                        "inherited": tuple(value["inherited"]),
                        "secret": tuple(value["secret"]),
                    }
                )
                for name, value in data["scopes"].items()
            },
            steps={
                id_: PlannedStep(
                    **{
                        **value,
                        "probes": tuple(PlannedProbe(**probe) for probe in value["probes"]),
                        "cases": tuple(value["cases"]),
                        "needs": tuple(value["needs"]),
                    }
                )
                for id_, value in data["steps"].items()
            },
            texts={
                id_: PlannedText(
                    **{
                        **value,
                        **{key: tuple(value[key]) for key in ("commands", "choices", "helps")},
                    }
                )
                for id_, value in data["texts"].items()
            },
            everyone=tuple(data["everyone"]),
            wants={host: tuple(steps) for host, steps in data["wants"].items()},
            known=data["known"],
            sampling=None
            if sampling is None
            else Sampling(**{**sampling, "steps": tuple(sampling["steps"])}),
            lease_s=data["lease_s"],
            operator=data["operator"],
            scope=data["scope"],
            names={scope: tuple(names) for scope, names in data["names"].items()},
            shadowed=data["shadowed"],
            sealed=tuple(data["sealed"]),
            activity=data["activity"],
            at_most=data["at_most"],
        )


def _data(value: Any) -> Json:
    """Return records as mappings; `dataclasses.asdict` copies all else as well, for much longer."""
    if type(value) in _PLAIN:
        return value
    if dataclasses.is_dataclass(value):
        return {name: _data(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {key: _data(item) for key, item in value.items()}
    return [_data(item) for item in value] if isinstance(value, list | tuple) else value


def _templates_in(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _templates_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _templates_in(item)


@cache
def plan_in(path: str) -> Plan:
    """Return the plan in a file; read once, and known to processes that are forked afterwards."""
    return Plan.from_data(json.loads(Path(path).read_text("utf-8")))


def planned_probe(key: str, probe: Probe) -> PlannedProbe:
    """Turn a probe of the model into one of a plan."""
    return PlannedProbe(
        key=key,
        type=probe.type,
        arguments=probe.arguments,
        acting_as=probe.acting_as,
        origin=probe.origin,
        timeout_s=probe.timeout_s,
    )


def register_of(step: str) -> str:
    """Return the Ansible variable that holds the registered result of a task check.

    No two steps share one: `deploy/unit` and `deploy_unit` are two steps.
    """
    escaped = (c if c.isalnum() else "__" if c == "_" else f"_{ord(c):x}_" for c in step)
    return "runbook_task_" + "".join(escaped)


def planned_step(step: Step) -> PlannedStep:
    """Turn a step that only looks into one of a plan; ValueError for any other kind."""
    match step:
        case Check(look=Probe() as probe):
            return PlannedStep(
                id=step.id,
                scope=step.scope,
                probes=(planned_probe(step.id, probe),),
                passes=step.passes,
                needs=_needed_first(step, probe),
            )
        case Check(look=AnsibleTask(body=body)):
            return PlannedStep(
                id=step.id,
                scope=step.scope,
                passes=step.passes,
                register=register_of(step.id),
                # A template may come to true: then nothing may have been shown before.
                hidden=body.get("no_log", False) is not False,
                needs=step.needs,
            )
        case Branch():
            return PlannedStep(
                id=step.id,
                scope=step.scope,
                cases=tuple(case.when for case in step.cases),
                needs=step.needs,
            )
        case Collect():
            return PlannedStep(
                id=step.id,
                scope=step.scope,
                probes=tuple(
                    planned_probe(f"{step.id}:{name}", probe) for name, probe in step.probes.items()
                ),
                bundle=True,
                needs=_needed_first(step, *step.probes.values()),
            )
        case _:
            raise ValueError(f"{step.id} does not look at anything")


def _needed_first(step: Check | Collect, *probes: Probe) -> tuple[str, ...]:
    """Return the steps whose results the probes' arguments may use: each costs a look of its own.

    What only the condition uses need not be seen before. Within a called runbook an argument may
    use a result by a param of another name, so all that the step uses counts.
    """
    if step.scope:
        return step.needs
    words = frozenset(
        re.findall(
            r"\w+",
            json.dumps([[probe.arguments, probe.acting_as] for probe in probes], default=str),
        )
    )
    return tuple(need for need in step.needs if need in words)


def planned_scopes(runbook: Runbook) -> dict[str, PlannedScope]:
    """Return the scopes of called runbooks, callers before the called."""
    scopes: dict[str, PlannedScope] = {}
    for prefix, scope in sorted(runbook.scopes.items(), key=lambda item: item[0].count("/")):
        if not prefix:
            continue
        scopes[prefix] = PlannedScope(
            parent=scope.parent or "",
            arguments=scope.arguments,
            defaults={
                name: param.default for name, param in scope.params.items() if not param.required
            },
            inherited=tuple(scope.params) if scope.inherits else (),
            secret=tuple(name for name, param in scope.params.items() if param.secret),
        )
    return scopes


_PLAIN = frozenset({str, int, float, bool, type(None)})


def sealed_texts(value: Any) -> Iterator[str]:
    """Yield the vaulted texts anywhere within a part of the model."""
    if type(value) in _PLAIN:
        return  # Most values are such, and what follows takes longer to ask.
    if isinstance(value, Tagged):
        if value.tag == VAULT:
            yield value.value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from sealed_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from sealed_texts(item)
    elif dataclasses.is_dataclass(value):
        for name in value.__dataclass_fields__:
            yield from sealed_texts(getattr(value, name))


def step_names(runbook: Runbook) -> dict[str, tuple[str, ...]]:
    """Return the names that conditions know steps by, by scope."""
    names: dict[str, tuple[str, ...]] = {}
    for step in runbook.steps.values():
        names[step.scope] = (*names.get(step.scope, ()), name_within(step.id, step.scope))
    return names


def name_within(step: str, scope: str) -> str:
    """Return the name of a step in its own scope."""
    return step.removeprefix(scope + "/") if scope else step


def planned_params(runbook: Runbook) -> dict[str, PlannedParam]:
    """Return the parameters that a host's own variables give, as checked for each host.

    They are the runbook's; those of a scope that inherits have its prefix before their names.
    """
    params = dict(runbook.params)
    for prefix, scope in runbook.scopes.items():
        if scope.inherits:
            params |= {f"{prefix}/{name}": param for name, param in scope.params.items()}
    return {
        name: PlannedParam(schema=param.schema, required=param.required, secret=param.secret)
        for name, param in params.items()
    }


def variable_of(param: str) -> str:
    """Return the name of the variable that gives a planned parameter."""
    return param.rpartition("/")[2]


def planned_texts(runbook: Runbook) -> dict[str, PlannedText]:
    """Return the texts that hold templates, and what people are told to do by hand.

    Others need no rendering. An instruction is part of the record, whatever is in it: a report is
    read when the runbook has long changed.
    """
    texts: dict[str, PlannedText] = {}
    for step in runbook.steps.values():
        match step:
            case Manual():
                text = PlannedText(
                    scope=step.scope,
                    title=step.title,
                    instruction=step.instruction,
                    commands=step.commands,
                )
            case Ask():
                text = PlannedText(
                    scope=step.scope,
                    title=step.title,
                    choices=tuple(choice.title for choice in step.choices),
                    helps=tuple(choice.help for choice in step.choices),
                )
            case Fix():
                text = PlannedText(scope=step.scope, title=step.title, impact=step.impact)
            case _:
                text = PlannedText(scope=step.scope, title=step.title)
        written = (text.title, text.impact, *text.choices, *text.helps)
        if isinstance(step, Manual) or any("{{" in one for one in written):
            texts[step.id] = text
    return texts


def watched(step: Watch, runbook: Runbook) -> Sampling:
    """Return the sampling of a watch step: no waiting for success, only the period."""
    return Sampling(
        steps=with_needs(runbook, (step.check,)),
        cause=None,
        symptom=step.check,
        within_s=0.0,
        hold_s=step.for_s,
        every_s=step.every_s,
    )


def verified(fix: Fix, runbook: Runbook) -> Sampling:
    """Return the sampling of a fix's verification."""
    verify = fix.verify
    wanted = (verify.symptom,) if verify.cause is None else (verify.cause, verify.symptom)
    return Sampling(
        steps=with_needs(runbook, wanted),
        cause=verify.cause,
        symptom=verify.symptom,
        within_s=verify.within_s,
        hold_s=verify.hold_s,
        every_s=verify.every_s,
    )
