"""Services, in the words of whatever manages them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from .call import CannotLookError, Look
from .commands import Finished, run_tool
from .processes import IDLE_STATES, STATE_WORDS, find, monotonic_age_s, read_pidfile
from .procfs import Process, read_process, read_text
from .values import whole_number

_SYSTEMD_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "MainPID",
    "ExecMainCode",
    "ExecMainStatus",
    "NRestarts",
    "StartLimitBurst",
    "Result",
    "StateChangeTimestampMonotonic",
)
# As in <signal.h>: how the main process ended.
_CLD_EXITED = "1"
_SUPERVISOR_LINE = re.compile(
    r"^(\S+)\s+(STOPPED|STARTING|RUNNING|BACKOFF|STOPPING|EXITED|FATAL|UNKNOWN)\b\s*(.*)$"
)
_UPTIME = re.compile(r"pid (\d+), uptime (?:(\d+) days?, )?(\d+):(\d+):(\d+)")
# Shorter than a manager rests between two starts, as it is told to where it rests least.
_BETWEEN_LOOKS_S = 0.1
# What is left of the time for the last answer of a manager that is asked again and again.
_LAST_LOOK_S = 1.0
# So long it is looked again for a moment at which the manager and the port agree.
_PORT_S = 5.0


def service(
    look: Look,
    *,
    manager: str = "systemd",
    name: str | None = None,
    supervisor_config: str | None = None,
    supervisorctl: list[str] | None = None,
    project_directory: str | None = None,
    pattern: str | None = None,
    pidfile: str | None = None,
    over_s: float = 0.0,
    port: int | None = None,
) -> dict[str, object]:
    """Ask a service's manager how it is; if asked to, whether it stays so, and holds a port."""

    def ask() -> dict[str, object]:
        if manager == "process":
            return _by_process(pattern, pidfile)
        if name is None:
            raise CannotLookError(f"a service under {manager} needs a name")
        if manager == "systemd":
            return _by_systemd(look, name)
        if manager == "supervisor":
            return _by_supervisor(look, name, supervisorctl or ["supervisorctl"], supervisor_config)
        if manager == "docker_compose":
            return _by_compose(look, name, project_directory)
        raise CannotLookError("manager must be systemd, supervisor, docker_compose or process")

    # Of a group, the manager tells of one process, and not of the others.
    if port is not None and not (name or "").endswith("*"):
        # Only where it is asked for: few ask.
        from . import holding  # noqa: PLC0415

        left_s = min(_PORT_S, look.left_s() - _LAST_LOOK_S)
        return holding.on_port(port, ask, left_s, alone=manager != "process")
    if over_s <= 0:
        return ask()
    return _watched(ask, min(over_s, look.left_s() - _LAST_LOOK_S))


def _watched(ask: Callable[[], dict[str, object]], over_s: float) -> dict[str, object]:
    """Ask until the service was started anew, or for so long; return what was told last.

    How the run ended that was followed by a start is told with it, where a look met it ended.
    """
    ends = time.monotonic() + over_s
    facts = first = ask()
    ended: dict[str, object] = {}
    pid = first["pid"]
    while True:
        if not facts["running"] and facts["result"] not in (None, "success"):
            ended = {key: facts[key] for key in ("exit_code", "signal", "result")}
        if _is_started_anew(first, pid, facts):
            return {**facts, **ended, "started_anew": True}
        if time.monotonic() >= ends:
            return {**facts, "started_anew": False}
        pid = facts["pid"] or pid
        time.sleep(_BETWEEN_LOOKS_S)
        facts = ask()


def _is_started_anew(first: dict[str, object], pid: object, facts: dict[str, object]) -> bool:
    """Tell whether a look shows another start than those before it, whose last process was `pid`."""
    if facts["pid"] is not None and pid is not None:
        return facts["pid"] != pid
    if facts["restarts"] != first["restarts"]:
        return True
    return bool(facts["running"]) and not first["running"]


def _facts(*, running: bool, state: str, **more: object) -> dict[str, object]:
    facts: dict[str, object] = {
        "running": running,
        "exists": True,
        "state": state,
        "sub_state": None,
        "enabled": None,
        "pid": None,
        "exit_code": None,
        "signal": None,
        "restarts": None,
        "start_limit_hit": False,
        "in_state_s": None,
        "result": None,
        "detail": "",
        "started_anew": None,
        "holds_port": None,
        "port_pid": None,
    }
    facts.update(more)
    return facts


def parse_properties(text: str) -> dict[str, str]:
    """Return the `Name=value` lines of `systemctl show`."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def _by_systemd(look: Look, name: str) -> dict[str, object]:
    done = run_tool(
        look, ["systemctl", "show", "--property", ",".join(_SYSTEMD_PROPERTIES), "--", name]
    )
    properties = parse_properties(done.stdout)
    if done.rc != 0 or "ActiveState" not in properties:
        raise CannotLookError("systemctl: " + _last_line(done))
    return systemd_facts(properties)


def systemd_facts(properties: dict[str, str]) -> dict[str, object]:
    """Return the facts of a service from the properties of its unit."""
    state = properties.get("ActiveState", "")
    result = properties.get("Result", "")
    exists = properties.get("LoadState") != "not-found"
    code, status = (_count(properties.get(key)) for key in ("ExecMainCode", "ExecMainStatus"))
    exited = properties.get("ExecMainCode") == _CLD_EXITED
    changed_us = _count(properties.get("StateChangeTimestampMonotonic"))
    restarts, burst = (_count(properties.get(key)) for key in ("NRestarts", "StartLimitBurst"))
    # The result of the run that failed stays when systemd's own restarts have used up the limit;
    # only a start by somebody else leaves a result of its own.
    gave_up = state == "failed" and bool(burst) and (restarts or 0) >= (burst or 0)
    detail = f"{state} ({properties.get('SubState', '')})" if exists else "no such unit"
    return _facts(
        running=state in ("active", "reloading"),
        exists=exists,
        state=state if exists else "not-found",
        sub_state=properties.get("SubState") or None,
        enabled=properties.get("UnitFileState", "").startswith("enabled") if exists else False,
        pid=_count(properties.get("MainPID")) or None,
        exit_code=status if exited else None,
        signal=status if code and not exited else None,
        restarts=restarts,
        start_limit_hit=result == "start-limit-hit" or gave_up,
        in_state_s=monotonic_age_s(changed_us / 1e6) if changed_us else None,
        result=result or None,
        detail=detail + (f", result {result}" if result not in ("", "success") else ""),
    )


def _count(text: str | None) -> int | None:
    return whole_number(text or "")


def _last_line(done: Finished) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit status {done.rc}"


def _by_supervisor(
    look: Look, name: str, program: list[str], config: str | None
) -> dict[str, object]:
    # Only where it is needed: it takes as long to import as all the rest.
    from . import supervisord  # noqa: PLC0415

    server = supervisord.server_of(program, config)
    if server is not None:
        return _by_supervisord(lambda: supervisord.processes(server, name))
    options = [] if config is None else ["-c", config]
    done = run_tool(look, [*program, *options, "status", name])
    facts = parse_supervisor_status(name, done.stdout)
    if facts is None:
        raise CannotLookError("supervisorctl: " + _last_line(done))
    return facts


def _by_supervisord(ask: Callable[[], list[dict[str, object]]]) -> dict[str, object]:
    try:
        rows = ask()
    except (FileNotFoundError, ConnectionRefusedError) as error:
        return _facts(running=False, state="manager_down", detail=f"supervisord: {error.strerror}")
    if not rows:
        return _facts(running=False, exists=False, state="not-found", detail="no such process")
    return _worst([process_facts(row) for row in rows])


def process_facts(info: dict[str, object]) -> dict[str, object]:
    """Return the facts of a service from what supervisord tells of its process."""
    state = str(info.get("statename", ""))
    number = {
        name: value
        for name in ("pid", "start", "stop", "now", "exitstatus")
        if isinstance(value := info.get(name), int)
    }
    began_s = number.get("start" if state in ("STARTING", "RUNNING") else "stop")
    # Of a process that a signal ended it says -1; it forgets how those that began badly ended.
    status = number.get("exitstatus", -1) if state == "EXITED" else -1
    return _facts(
        running=state == "RUNNING",
        state=state,
        pid=number.get("pid") or None,
        exit_code=status if status >= 0 else None,
        in_state_s=float(max(number["now"] - began_s, 0)) if began_s and "now" in number else None,
        start_limit_hit=state == "FATAL",
        detail=str(info.get("description", "")),
    )


def _worst(found: list[dict[str, object]]) -> dict[str, object]:
    return min(found, key=lambda facts: bool(facts["running"]))


def parse_supervisor_status(name: str, text: str) -> dict[str, object] | None:
    """Return the facts of a service from `supervisorctl status`, None if it does not say.

    Of a group (`group:*`) the first process that does not run speaks for all. The exit status is no
    help: it is 0 in state BACKOFF. Connection errors are told by number.
    """
    found = []
    for line in text.splitlines():
        match = _SUPERVISOR_LINE.match(line.strip())
        if match is not None and _is_meant(match[1], name):
            found.append(_supervisor_facts(match[2], match[3]))
        elif line.startswith(name + ": ERROR (no such "):
            return _facts(running=False, exists=False, state="not-found", detail=line)
        elif re.search(r"no such file$|refused connection$|\[Errno (2|111)\]", line.strip()):
            return _facts(running=False, state="manager_down", detail="supervisord: " + line)
    return _worst(found) if found else None


def _is_meant(listed: str, name: str) -> bool:
    return listed == name or (name.endswith(":*") and listed.startswith(name[:-1]))


def _supervisor_facts(state: str, detail: str) -> dict[str, object]:
    uptime = _UPTIME.search(detail)
    pid = in_state_s = None
    if uptime is not None:
        pid, days, hours, minutes, seconds = (
            whole_number(group or "") or 0 for group in uptime.groups()
        )
        in_state_s = ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds
    return _facts(
        running=state == "RUNNING",
        state=state,
        pid=pid,
        in_state_s=in_state_s,
        start_limit_hit=state == "FATAL",
        detail=detail,
    )


def _by_compose(look: Look, name: str, folder: str | None) -> dict[str, object]:
    done = run_tool(
        look, ["docker", "compose", "ps", "--all", "--format", "json", name], chdir=folder
    )
    if done.rc == 0:
        return compose_facts(parse_compose(done.stdout))
    why = _last_line(done)
    if "no such service" in why:
        return _facts(running=False, exists=False, state="not-found", detail=why)
    if "Cannot connect to the Docker daemon" in why:
        return _facts(running=False, state="manager_down", detail=why)
    raise CannotLookError("docker compose: " + why)


def parse_compose(text: str) -> list[dict[str, object]]:
    """Return the containers of `docker compose ps --format json`: an array, or one on each line."""
    found: list[object] = []
    for part in [text] if text.lstrip().startswith("[") else text.splitlines():
        try:
            value = json.loads(part)
        except (ValueError, RecursionError):
            continue
        found.extend(value if isinstance(value, list) else [value])
    return [item for item in found if isinstance(item, dict)]


def compose_facts(containers: list[dict[str, object]]) -> dict[str, object]:
    """Return the facts of a service from its containers; the worst one speaks for all."""
    if not containers:
        return _facts(running=False, state="not-created", detail="no container")
    worst = min(containers, key=lambda item: item.get("State") == "running")
    state = str(worst.get("State", ""))
    code = worst.get("ExitCode")
    return _facts(
        running=state == "running",
        state=state,
        sub_state=worst.get("Health") or None,
        exit_code=code if isinstance(code, int) and state != "running" else None,
        detail=str(worst.get("Status", "")),
    )


def _by_process(pattern: str | None, pidfile: str | None) -> dict[str, object]:
    found = find(pattern=pattern) if pidfile is None else _by_pidfile(pidfile, pattern)
    working = [each for each in found if each.state not in IDLE_STATES]
    if not found:
        return _facts(running=False, state="absent", detail="no such process")
    first = (working or found)[0]
    uptime_s = float(read_text("/proc/uptime").split()[0])
    return _facts(
        running=bool(working),
        state=STATE_WORDS.get(first.state, first.state),
        pid=first.pid,
        in_state_s=round(max(uptime_s - first.started_s, 0.0), 2),
        detail=first.command,
    )


def _by_pidfile(pidfile: str, pattern: str | None) -> list[Process]:
    pid = read_pidfile(pidfile)
    process = None if pid is None else read_process(pid)
    if process is None:
        return []
    if pattern is not None and process.pid not in [each.pid for each in find(pattern=pattern)]:
        # The number was given to another process since.
        return []
    return [process]
