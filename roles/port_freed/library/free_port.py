"""End exactly the observed process that listens on a port. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001, PTH115, PTH123, PTH208 - a lone file for Python 3.8, whose Path lacks some of it

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: free_port
short_description: End exactly the observed process that listens on a port
description:
  - Ends one process, and only if it listens on the port and its command line is as observed.
  - Fails, and ends nothing, if somebody else holds the port or the holder cannot be seen.
  - A port on which nobody listens is free, and nothing changes.
options:
  port:
    description: The TCP port to free.
    type: int
    required: true
  pid:
    description: The process that was observed to listen.
    type: int
    required: true
  command:
    description: Its command line as observed, arguments joined by a space.
    type: str
    required: true
  timeout_s:
    description: Seconds between SIGTERM and SIGKILL.
    type: int
    default: 10
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: End the forgotten development server
  free_port:
    port: 8000
    pid: 4711
    command: python -m http.server 8000
"""
RETURN = r"""
signal:
  description: The signal that ended the process.
  type: str
  returned: when the port was held; null in check mode
"""

LISTENING = "0A"
KILL_WAIT_S = 5.0


def listening_inodes(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on `port`, over IPv4 and IPv6."""
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as rows:
                next(rows)
                for row in rows:
                    fields = row.split()
                    if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                        inodes.add(fields[9])
        except FileNotFoundError:  # no IPv6
            continue
    return inodes


def holders(inodes: Iterable[str]) -> list[int]:
    """Return the ids of the processes that hold one of the sockets, as far as we may look."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            links = os.listdir(f"/proc/{entry}/fd")
        except OSError:
            continue
        for link in links:
            try:
                if os.readlink(f"/proc/{entry}/fd/{link}") in wanted:
                    found.append(int(entry))
                    break
            except OSError:
                continue
    return sorted(found)


def command_of(pid: int) -> str | None:
    """Return a process's command line, arguments joined by a space; None if it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as handle:
            return " ".join(handle.read().decode("utf-8", "replace").replace("\0", " ").split())
    except OSError:
        return None


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def ancestors() -> list[int]:
    """Return this process and its ancestors."""
    line = []
    pid = os.getpid()
    while pid > 0:
        line.append(pid)
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                pid = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line


def signaller(pid: int) -> Callable[[int], None]:
    """Return a function that signals this very process, even if its id is given away meanwhile.

    Raises `ProcessLookupError` if it is gone already.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except AttributeError:  # Python 3.8
        return lambda number: os.kill(pid, number)
    except ProcessLookupError:
        raise
    except OSError:  # a kernel before 5.3
        return lambda number: os.kill(pid, number)
    return lambda number: signal.pidfd_send_signal(descriptor, number)


def wait_for_end(pid: int, timeout_s: float) -> bool:
    """Tell whether the process ended within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def describe(pids: Iterable[int]) -> str:
    """Return processes with their command lines, for a person."""
    return ", ".join(f"{pid} ({command_of(pid) or 'gone'})" for pid in pids)


def end(pid: int, send: Callable[[int], None], timeout_s: float) -> str | None:
    """End the process and return the signal that did it; None if none did."""
    for name, patience_s in (("SIGTERM", timeout_s), ("SIGKILL", KILL_WAIT_S)):
        try:
            send(getattr(signal, name))
        except ProcessLookupError:
            return name
        if wait_for_end(pid, patience_s):
            return name
    return None


def objection(port: int, pid: int, observed: str, found: list[int]) -> str | None:
    """Say why the process must not be ended; None if it is the one that was observed."""
    if not found:
        return f"may not see who holds port {port}: become root"
    if pid not in found:
        return f"port {port} is held by {describe(found)}, not by process {pid}"
    command = command_of(pid)
    if command != " ".join(observed.split()):
        return f"process {pid} is {command!r}, not {observed!r} as observed"
    if pid == 1 or pid in ancestors():
        return f"process {pid} is what this very task runs under"
    return None


def free(module: AnsibleModule, port: int, pid: int, send: Callable[[int], None]) -> str:
    """End the process, see that the port is free, and return the signal that did it."""
    try:
        name = end(pid, send, module.params["timeout_s"])
    except PermissionError:
        module.fail_json(msg=f"may not end process {pid}: it belongs to another user")
    if name is None:
        module.fail_json(msg=f"process {pid} does not end, not even by SIGKILL")
    left = holders(listening_inodes(port))
    if left:
        module.fail_json(msg=f"{pid} ended, yet port {port} is held by {describe(left)}")
    return str(name)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "pid": {"type": "int", "required": True},
            "command": {"type": "str", "required": True},
            "timeout_s": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    port, pid = module.params["port"], module.params["pid"]
    inodes = listening_inodes(port)
    if not inodes:
        module.exit_json(changed=False, msg=f"nobody listens on port {port}")
    # Before looking at the process: what is verified from here on is what gets the signal.
    try:
        send = signaller(pid)
    except ProcessLookupError:
        module.fail_json(msg=f"process {pid} is gone; port {port}: {describe(holders(inodes))}")
    found = holders(inodes)
    reason = objection(port, pid, module.params["command"], found)
    if reason:
        module.fail_json(msg=reason)
    diff = {"before": f"port {port}: {describe(found)}\n", "after": f"port {port}: nobody\n"}
    ended_by = None if module.check_mode else free(module, port, pid, send)
    module.exit_json(changed=True, diff=diff, signal=ended_by)


if __name__ == "__main__":
    main()
