"""What a request comes to: a plan for the plugins, a play for Ansible, a bound in time."""

from collections.abc import Mapping
from dataclasses import dataclass

from runbook.executor import (
    FixRequest,
    ObserveRequest,
    PreviewRequest,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
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
    step_names,
    verified,
    watched,
)
from runbook.model.definition import Action, Check, Fix, Runbook, Watch

START_S = 60.0
"""What Ansible may take beyond the work itself: start, inventory, connections that hang."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A compiled request."""

    plan: Plan
    limit_s: float
    runbook: Runbook
    request: Request

    def play(self, plan_path: str) -> Play:
        """Return the play, whose tasks read the plan at this path."""
        match self.request:
            case ObserveRequest(pattern=pattern):
                return observation_play(self.runbook, self.plan, plan_path, pattern)
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
            case PreviewRequest(fix=step, hosts=hosts):
                return preview_play(self.runbook, _fix(self.runbook, step), plan_path, hosts)
            case VerifyRequest(hosts=hosts) | WatchRequest(hosts=hosts):
                return sampling_play(self.runbook, _sampled(self.plan), plan_path, hosts)


def compile_request(runbook: Runbook, run: str, operator: str, request: Request) -> Work:
    """Turn a request into a plan for the plugins and a bound in seconds."""
    everyone: tuple[str, ...] = ()
    wants: Mapping[str, tuple[str, ...]] = {}
    sampling: Sampling | None = None
    lease_s = 0.0
    limit_s = START_S
    step_of: str | None = None
    match request:
        case ObserveRequest():
            everyone, wants = request.steps, request.wants
        case WatchRequest(step=step):
            watch = runbook.steps[step]
            if not isinstance(watch, Watch):
                raise TypeError(f"{step} is not a watch step")
            sampling, step_of = watched(watch, runbook), step
        case FixRequest(fix=step) | VerifyRequest(fix=step):
            fix, step_of = _fix(runbook, step), step
            sampling = verified(fix, runbook)
            if isinstance(request, FixRequest):
                limit_s += fix.timeout_s
        case UndoRequest(fix=step) | PreviewRequest(fix=step):
            step_of = step
            limit_s += _fix(runbook, step).timeout_s
    if sampling is not None:
        limit_s += sampling.within_s + sampling.hold_s
    steps = set(everyone).union(*wants.values(), sampling.steps if sampling else ())
    limit_s += _longest_look(runbook, steps)
    if isinstance(request, FixRequest | UndoRequest):
        lease_s = limit_s + START_S
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
        lease_s=lease_s,
        operator=operator,
        scope="" if step_of is None else runbook.steps[step_of].scope,
        names=step_names(runbook),
    )
    return Work(plan=plan, limit_s=limit_s, runbook=runbook, request=request)


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


def _undo(fix: Fix) -> Action:
    if fix.undo is None:
        raise ValueError(f"{fix.id} has no undo")
    return fix.undo


def _sampled(plan: Plan) -> Sampling:
    if plan.sampling is None:
        raise ValueError("the plan says nothing of sampling")
    return plan.sampling
