"""One step of each kind, from data whose shape has been found right."""

from collections.abc import Mapping
from typing import Any, TypedDict, TypeVar

from runbook.errors import Location
from runbook.model.definition import (
    Action,
    AnsibleRole,
    AnsibleTask,
    AnsibleTasks,
    Ask,
    Branch,
    Case,
    Check,
    CheckResult,
    Choice,
    Collect,
    End,
    Expiry,
    Fix,
    FixResult,
    Goto,
    Json,
    Manual,
    Probe,
    Step,
    StepKind,
    Target,
    Verify,
    Watch,
)
from runbook.model.probes import PROBE_TYPES, effect_of
from runbook.model.verdict import Verdict
from runbook.spec.draft import Call, parse_target

_Result = TypeVar("_Result", CheckResult, FixResult, Verdict)

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_ESCALATED = End(verdict=Verdict.ESCALATED)


class _Base(TypedDict):
    id: str
    title: str
    max_visits: int
    where: Location
    help: str


def seconds(value: Json) -> float:
    """Return a duration (`500ms`, `30s`, `5m`, `2h`, or a number of seconds) in seconds."""
    if not isinstance(value, str):
        return float(value)
    unit = value.lstrip("0123456789.")
    return float(value.removesuffix(unit)) * _UNITS_S[unit]


def target(text: str) -> Target:
    """Return the target a text names; its shape has been found right."""
    found = parse_target(text)
    if found is None:
        raise ValueError(f"not a target: {text}")
    return found


def parse_step(kind: StepKind, raw: Mapping[str, Any], where: Location, first: str) -> Step | Call:
    """Return the step that data describe; `first` is the id of the runbook's first step."""
    base = _Base(
        id=raw[kind],
        title=raw["title"],
        max_visits=int(raw.get("max_visits", 1)),
        where=where,
        help=raw.get("help", ""),
    )
    match kind:
        case StepKind.CHECK:
            return _check(raw, base)
        case StepKind.FIX:
            return _fix(raw, base, first)
        case StepKind.BRANCH:
            ways = raw["next"]
            return Branch(
                **base,
                cases=tuple(
                    Case(when=case["when"], next=target(case["next"])) for case in raw["cases"]
                ),
                otherwise=target(ways["otherwise"]),
                unknown=target(ways["unknown"]) if "unknown" in ways else _ESCALATED,
            )
        case StepKind.ASK:
            return Ask(
                **base,
                choices=tuple(
                    Choice(
                        id=id_,
                        title=choice["title"],
                        next=target(choice["next"]),
                        help=choice.get("help", ""),
                    )
                    for id_, choice in raw["choices"].items()
                ),
                expires=_expiry(raw["expires"]),
            )
        case StepKind.MANUAL:
            return Manual(
                **base,
                instruction=raw["instruction"],
                commands=tuple(raw.get("commands", ())),
                done=target(raw["next"]["done"]),
                not_done=target(raw["next"]["not_done"]),
                expires=_expiry(raw["expires"]),
            )
        case StepKind.WATCH:
            return Watch(
                **base,
                check=raw["repeats"],
                for_s=seconds(raw["for"]),
                every_s=seconds(raw.get("every", 5)),
                next=_ways(raw["next"], {CheckResult.UNKNOWN: _ESCALATED}, CheckResult),
            )
        case StepKind.COLLECT:
            return Collect(
                **base,
                probes={name: _probe(probe, raw) for name, probe in raw["probes"].items()},
                next=target(raw["next"]),
            )
        case StepKind.CALL:
            same: dict[Verdict, Target] = {}
            return Call(
                **base,
                runbook=raw["runbook"],
                arguments=raw.get("params", {}),
                next=_ways(raw.get("next", {}), same, Verdict),
            )


def _check(raw: Mapping[str, Any], base: _Base) -> Check:
    passes = raw.get("passes")
    effect = raw.get("effect")
    look: Probe | AnsibleTask
    if "probe" in raw:
        look = _probe(raw["probe"], raw)
        default = PROBE_TYPES[look.type].default_passes
        if passes is None and default is not None:
            passes = default.format(base["id"])
        effect = effect or effect_of(look.type, look.arguments)
    else:
        look = AnsibleTask(body=raw["task"])
    return Check(
        **base,
        look=look,
        next=_ways(raw["next"], {CheckResult.UNKNOWN: _ESCALATED}, CheckResult),
        passes=passes,
        lazy=raw.get("lazy", False),
        effect=effect,
        cause=raw.get("cause"),
    )


def _probe(probe: Mapping[str, Any], step: Mapping[str, Any]) -> Probe:
    (type_, arguments), *_ = probe.items()
    return Probe(
        type=type_,
        arguments=arguments or {},
        acting_as=step.get("as"),
        origin=step.get("from", "host"),
        timeout_s=seconds(step.get("timeout", 10)),
    )


def _fix(raw: Mapping[str, Any], base: _Base, first: str) -> Fix:
    cause = raw.get("cause")
    verify = raw["verify"]
    defaults: dict[FixResult, Target] = {
        FixResult.RESOLVED: End(verdict=Verdict.RESOLVED, cause=cause),
        FixResult.CAUSE_REMOVED: Goto(step=first),
        FixResult.RECURRED: End(verdict=Verdict.UNRESOLVED),
        FixResult.NO_EFFECT: End(verdict=Verdict.UNRESOLVED),
        FixResult.FAILED: End(verdict=Verdict.UNRESOLVED),
        FixResult.UNKNOWN: End(verdict=Verdict.UNKNOWN),
        FixResult.DECLINED: End(verdict=Verdict.DECLINED),
    }
    return Fix(
        **base,
        action=_action(raw),
        verify=Verify(
            symptom=verify["symptom"],
            cause=verify.get("cause"),
            within_s=seconds(verify.get("within", 30)),
            hold_s=seconds(verify.get("hold", 0)),
            every_s=seconds(verify.get("every", 1)),
        ),
        next=_ways(raw.get("next", {}), defaults, FixResult),
        cause=cause,
        impact=raw.get("impact", ""),
        destructive=raw.get("destructive", True),
        undo=_action(raw["undo"]) if "undo" in raw else None,
        affects=tuple(raw.get("affects", ())),
        facts=raw.get("facts", False),
        timeout_s=seconds(raw.get("timeout", 600)),
    )


def _action(raw: Mapping[str, Any]) -> Action:
    if "tasks" in raw:
        return AnsibleTasks(bodies=tuple(raw["tasks"]))
    role = raw["role"]
    return AnsibleRole(
        name=role["name"], variables=role.get("vars", {}), tasks_from=role.get("tasks_from")
    )


def _expiry(raw: Mapping[str, Any]) -> Expiry:
    return Expiry(after_s=seconds(raw["after"]), next=target(raw["next"]))


def _ways(
    written: str | Mapping[str, str], defaults: Mapping[_Result, Target], results: type[_Result]
) -> dict[_Result, Target]:
    if isinstance(written, str):
        # One target for all results; of a call, for all verdicts a runbook may write.
        everywhere = target(written)
        return dict.fromkeys(
            (result for result in results if str(result) not in _ENGINE_VERDICTS), everywhere
        )
    return {**defaults, **{results(key): target(text) for key, text in written.items()}}


_ENGINE_VERDICTS = {Verdict.SELF_RECOVERED, Verdict.WAITING, Verdict.ABORTED}
