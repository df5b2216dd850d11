"""Whether a target set is fit to be worked on, said before anything is touched."""

import errno
import os
from collections.abc import Sequence
from datetime import datetime

from runbook.errors import Problem, RunbookError
from runbook.executor import HostsResolved, ParamProblem
from runbook.journal import Claim
from runbook.journal.holder import alive, is_stopped

SHOWN = 20

_NO_SPACE = f"[Errno {errno.ENOSPC}]"


def unfit(resolved: HostsResolved, pattern: str) -> RunbookError | None:
    """Return what is wrong with the hosts a pattern came to, or with their params."""
    if not resolved.hosts:
        return RunbookError.of(
            "no-hosts",
            f"the host pattern {pattern!r} names no host of the inventory",
            context="An empty target set is never taken for all hosts.",
            hint="see the hosts and groups with `ansible-inventory --graph` and the same -i",
        )
    if resolved.problems:
        return RunbookError(*_param_problems(resolved.problems))
    return None


def unusable(reason: str | None) -> RunbookError:
    """Return the error of an Ansible that came to an end without naming any host."""
    if reason is not None and (_NO_SPACE in reason or os.strerror(errno.ENOSPC) in reason):
        return RunbookError.of(
            "ansible-unusable",
            "Ansible has no space left to work in",
            context=reason,
            hint="free some space where it says, or set XDG_RUNTIME_DIR to a folder with more",
        )
    return RunbookError.of(
        "ansible-unusable",
        "Ansible could not read the inventory, or could not start",
        context=reason,
        hint="see what `ansible-inventory --list` says with the same -i",
    )


def _param_problems(problems: Sequence[ParamProblem]) -> list[Problem]:
    """Return one problem for each param and message, naming the hosts it concerns."""
    hosts: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        hosts.setdefault((problem.param, problem.message), []).append(problem.host)
    return [
        Problem(
            reference="bad-param",
            message=f"the param {param!r} cannot be used: {message}",
            context=f"on {_names(names)}",
            hint=f"set it in the inventory (host_vars, group_vars), or with --set {param}=VALUE",
        )
        for (param, message), names in list(hosts.items())[:SHOWN]
    ]


def held(claims: Sequence[Claim]) -> RunbookError:
    """Return the error of hosts that other runs hold."""
    return RunbookError(
        *(
            Problem(
                reference="host-held",
                message=f"{_names(hosts)}: held by run {claim.run} ({claim.runbook}) "
                f"since {_time(claim.since)}",
                context=_driver(claim),
                hint=_way_out(claim),
            )
            for claim, hosts in _by_run(claims)
        )
    )


def waiting_for(claims: Sequence[Claim]) -> str:
    """Say in one line which runs are waited for, since when they hold hosts, and who drives them."""
    return "; ".join(
        f"waiting for run {claim.run} ({claim.runbook}), which holds {_names(hosts)} "
        f"since {_time(claim.since)}: process {claim.holder.pid} on {claim.holder.controller}"
        for claim, hosts in _by_run(claims)
    )


def _by_run(claims: Sequence[Claim]) -> list[tuple[Claim, list[str]]]:
    """Return a claim of each run, with all hosts that it holds."""
    return [
        (claim, [item.host for item in claims if item.run == run])
        for run, claim in {claim.run: claim for claim in claims}.items()
    ]


def _driver(claim: Claim) -> str:
    process = f"process {claim.holder.pid} on {claim.holder.controller}"
    if claim.alive is None:
        return f"It is driven by {process}, of which nothing can be told from here."
    if alive(claim.holder) and is_stopped(claim.holder.pid):
        return f"It is driven by {process}, which is stopped (`kill -CONT {claim.holder.pid}` has it go on)."
    if claim.alive:
        return f"It is driven by {process}."
    return f"It was driven by {process}, which died while a fix was under way."


def _way_out(claim: Claim) -> str:
    goes_on = f"`runbook resume {claim.run}` goes on with it, and with --abandon closes it"
    if claim.alive is False:
        return f"nobody knows what the fix did: {goes_on}"
    return (
        f"wait for it to end (`runbook run --wait` does), or see it with `runbook report {claim.run}`; "
        f"if it was interrupted, {goes_on}"
    )


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _names(hosts: Sequence[str]) -> str:
    shown = ", ".join(hosts[:SHOWN])
    return shown if len(hosts) <= SHOWN else f"{shown} and {len(hosts) - SHOWN} more"
