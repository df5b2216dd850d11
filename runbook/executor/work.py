"""What a request comes to: a plan for the plugins, a play for Ansible, bounds in time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from runbook.executor import (
    OWN_LOOK,
    FixRequest,
    LookRequest,
    ObserveRequest,
    PreviewRequest,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.bounds import Bounds
from runbook.executor.compile import (
    Play,
    fix_play,
    observation_play,
    preview_play,
    sampling_play,
)
from runbook.executor.plan import (
    Plan,
    Sampling,
    planned_params,
    planned_scopes,
    planned_step,
    planned_texts,
    sealed_texts,
    step_names,
    verified,
    watched,
)
from runbook.executor.target import Target
from runbook.model.definition import (
    Action,
    Check,
    Collect,
    End,
    Fix,
    Json,
    Probe,
    Runbook,
    Watch,
)
from runbook.model.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A compiled request: what the plugins are told, what Ansible is, how long it may take."""

    plan: Plan
    bounds: Bounds
    runbook: Runbook
    request: Request

    def play(self, plan_path: str) -> Play:
        """Return the play, whose tasks read the plan at this path."""
        match self.request:
            case ObserveRequest(joining=joining, pattern=pattern, wants=wants):
                # Named one by one, a host whose name is an address with colons is one host.
                hosts = pattern if joining else list(wants)
                return observation_play(self.runbook, self.plan, plan_path, hosts)
            case LookRequest(hosts=hosts):
                return observation_play(self.runbook, self.plan, plan_path, list(hosts))
            case FixRequest(fix=step, hosts=hosts):
                fix = _fix(self.runbook, step)
                sampling = _sampled(self.plan)
                return fix_play(
                    self.runbook, fix, fix.action, plan_path, hosts=hosts, sampling=sampling
                )
            case UndoRequest(fix=step, hosts=hosts):
                fix = _fix(self.runbook, step)
                return fix_play(
                    self.runbook, fix, _undo(fix), plan_path, hosts=hosts, sampling=None
                )
            case PreviewRequest(fix=step, hosts=hosts, undo=undo):
                fix = _fix(self.runbook, step)
                action = _undo(fix) if undo else fix.action
                return preview_play(self.runbook, fix, action, plan_path, hosts)
            case VerifyRequest(hosts=hosts) | WatchRequest(hosts=hosts):
                return sampling_play(self.runbook, _sampled(self.plan), plan_path, hosts)


def compile_request(
    runbook: Runbook, target: Target, run: str, operator: str, request: Request
) -> Work:
    """Turn a request into a plan for the plugins, and bounds in time."""
    everyone: tuple[str, ...] = ()
    wants: Mapping[str, tuple[str, ...]] = {}
    sampling: Sampling | None = None
    hosts: tuple[str, ...] = ()
    scope = ""
    act_s: float | None = None
    match request:
        case LookRequest(probe=probe):
            runbook = _with_look(runbook, probe)
            hosts = request.hosts
            wants = dict.fromkeys(hosts, (OWN_LOOK,))
        case ObserveRequest():
            everyone, wants, hosts = request.steps, request.wants, tuple(request.wants)
        case WatchRequest(step=step):
            watch = _watch(runbook, step)
            sampling, hosts, scope = watched(watch, runbook), request.hosts, watch.scope
        case VerifyRequest(fix=step):
            fix = _fix(runbook, step)
            sampling, hosts, scope = verified(fix, runbook), request.hosts, fix.scope
        case FixRequest(fix=step):
            fix = _fix(runbook, step)
            sampling, hosts, scope = verified(fix, runbook), request.hosts, fix.scope
            act_s = fix.timeout_s
        case UndoRequest(fix=step) | PreviewRequest(fix=step):
            fix = _fix(runbook, step)
            hosts, scope, act_s = request.hosts, fix.scope, fix.timeout_s
    steps = set(everyone).union(*wants.values(), sampling.steps if sampling else ())
    look_s = _longest_look(runbook, steps)
    if sampling is not None:
        look_s += sampling.within_s + sampling.hold_s
    bounds = Bounds(hosts=len(hosts), forks=target.forks, act_s=act_s, look_s=look_s)
    plan = Plan(
        run=run,
        request=request.id,
        joining=isinstance(request, ObserveRequest) and request.joining,
        params=planned_params(runbook),
        scopes=planned_scopes(runbook),
        steps={id_: planned_step(step) for id_, step in runbook.steps.items() if id_ in steps},
        texts=planned_texts(runbook) if isinstance(request, ObserveRequest) else {},
        everyone=everyone,
        wants=wants,
        known=request.known,
        sampling=sampling,
        lease_s=bounds.longest(),
        operator=operator,
        scope=scope,
        names=step_names(runbook),
        shadowed=_shadowed(runbook, scope, target.given),
        sealed=tuple(dict.fromkeys(sealed_texts(runbook.steps))),
        activity=isinstance(request, ObserveRequest) and request.activity,
        at_most=request.at_most if isinstance(request, ObserveRequest) else None,
    )
    return Work(plan=plan, bounds=bounds, runbook=runbook, request=request)


def _with_look(runbook: Runbook, probe: Probe) -> Runbook:
    """Return a runbook in which the operator's own probe is one more step, which nothing leads to."""
    look = Collect(
        id=OWN_LOOK, title=OWN_LOOK, probes={OWN_LOOK: probe}, next=End(verdict=Verdict.UNKNOWN)
    )
    return replace(runbook, steps={**runbook.steps, OWN_LOOK: look})


def _shadowed(runbook: Runbook, scope: str, given: Mapping[str, Json]) -> dict[str, Json]:
    """Return what was given for the caller's params that share their names with those of a scope.

    Ansible's extra variables win over everything, so these must not be among them.
    """
    names = runbook.scopes[scope].params if scope else {}
    return {name: value for name, value in given.items() if name in names}


def _longest_look(runbook: Runbook, steps: set[str]) -> float:
    timeouts = [0.0]
    for step in steps:
        found = runbook.steps[step]
        if isinstance(found, Check):
            timeouts.append(getattr(found.look, "timeout_s", 60.0))
    return sum(sorted(timeouts)[-3:])


def _fix(runbook: Runbook, step: str) -> Fix:
    fix = runbook.steps[step]
    if not isinstance(fix, Fix):
        raise TypeError(f"{step} is not a fix")
    return fix


def _watch(runbook: Runbook, step: str) -> Watch:
    watch = runbook.steps[step]
    if not isinstance(watch, Watch):
        raise TypeError(f"{step} is not a watch step")
    return watch


def _undo(fix: Fix) -> Action:
    if fix.undo is None:
        raise ValueError(f"{fix.id} has no undo")
    return fix.undo


def _sampled(plan: Plan) -> Sampling:
    if plan.sampling is None:
        raise ValueError("the plan says nothing of sampling")
    return plan.sampling
