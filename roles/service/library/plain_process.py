"""Start, stop or restart a process that nothing manages. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001, PTH112, PTH115, PTH123, PTH208 - a lone file for Python 3.8, whose Path lacks some of it

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: plain_process
short_description: Start, stop or restart a process that nothing manages
description:
  - Finds processes by their command line B(and) their working directory, so that a process that
    merely mentions the same words is left alone.
options:
  command:
    description: Arguments that start the process; needed unless C(state=stopped).
    type: list
    elements: str
    default: []
  directory:
    description: The process's working directory.
    type: path
    required: true
  pattern:
    description: Regular expression searched in the command line, arguments joined by a space.
    type: str
    required: true
  log:
    description: >-
      File the output of a started process is appended to. A new one belongs to whom its directory
      belongs to, so that whoever starts the process next can append to it.
    type: path
    default: /dev/null
  state:
    description: The state to bring it into.
    type: str
    choices: [restarted, started, stopped]
    required: true
  timeout_s:
    description: Seconds between SIGTERM and SIGKILL.
    type: int
    default: 10
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Restart the application
  plain_process:
    command: [venv/bin/python, main.py]
    directory: /srv/app
    pattern: python main\.py
    log: /var/log/app.log
    state: restarted
"""
RETURN = r"""
ended:
  description: Ids of the processes that were ended, or would be.
  type: list
  returned: always
pid:
  description: Id of the process that was started.
  type: int
  returned: when one was started
"""

# A process that dies at once (a broken import, a taken port) does so within this time.
SETTLE_S = 1.0


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def own_line() -> list[int]:
    """Return this process and its ancestors, which are never to be ended."""
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


def find(pattern: re.Pattern[str], directory: str) -> list[int]:
    """Return the ids of processes with a matching command line and this working directory."""
    found = []
    spared = own_line()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in spared:
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as handle:
                arguments = handle.read().rstrip(b"\0").split(b"\0")
            there = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        command = b" ".join(arguments).decode("utf-8", "replace")
        if there == directory and pattern.search(command) and is_alive(int(entry)):
            found.append(int(entry))
    return sorted(found)


def wait_for_end(pids: Iterable[int], timeout_s: float) -> list[int]:
    """Return those of the processes that still live after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    living = list(pids)
    while living and time.monotonic() < deadline:
        time.sleep(0.02)
        living = [pid for pid in living if is_alive(pid)]
    return living


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def end(pids: Iterable[int], timeout_s: float) -> list[int]:
    """End processes: SIGTERM, then SIGKILL; return those that outlived both."""
    send(pids, signal.SIGTERM)
    stubborn = wait_for_end(pids, timeout_s)
    send(stubborn, signal.SIGKILL)
    return wait_for_end(stubborn, 5.0)


def start(module: AnsibleModule, command: list[str], directory: str, log: str) -> int:
    """Start the process in a session of its own and see that it does not die at once."""
    try:
        is_new = not Path(log).exists()
        with open(log, "ab") as output:
            if is_new and os.geteuid() == 0:
                home = Path(log).parent.stat()
                os.fchown(output.fileno(), home.st_uid, home.st_gid)
            process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        module.fail_json(msg=f"cannot start {command[0]}: {error}")
    time.sleep(SETTLE_S)
    code = process.poll()
    if code is not None:
        module.fail_json(msg=f"{' '.join(command)} ended at once with code {code}; see {log}")
    return process.pid


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "list", "elements": "str", "default": []},
            "directory": {"type": "path", "required": True},
            "pattern": {"type": "str", "required": True},
            "log": {"type": "path", "default": "/dev/null"},
            "state": {
                "type": "str",
                "required": True,
                "choices": ["restarted", "started", "stopped"],
            },
            "timeout_s": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    directory = os.path.realpath(wanted["directory"])
    try:
        pattern = re.compile(wanted["pattern"])
    except re.error as error:
        module.fail_json(msg=f"pattern is no regular expression: {error}")
    # An empty pattern matches every process there.
    if not wanted["pattern"] or not os.path.isdir(directory):
        module.fail_json(msg="pattern must not be empty, and directory must exist")
    if wanted["state"] != "stopped" and not wanted["command"]:
        module.fail_json(msg="command is needed to start the process")

    running = find(pattern, directory)
    to_end = running if wanted["state"] != "started" else []
    to_start = wanted["state"] == "restarted" or (wanted["state"] == "started" and not running)
    result: dict[str, Any] = {
        "changed": bool(to_end or to_start),
        "ended": to_end,
        "diff": {
            "before": f"running: {running}\n",
            "after": "started anew\n"
            if to_start
            else f"running: {sorted({*running} - {*to_end})}\n",
        },
    }
    if not module.check_mode:
        survivors = end(to_end, wanted["timeout_s"])
        if survivors:
            module.fail_json(msg=f"processes {survivors} do not end", **result)
        if to_start:
            result["pid"] = start(module, wanted["command"], directory, wanted["log"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
