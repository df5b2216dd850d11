"""Whether what listens on a port is the service that its manager runs: real processes and ports."""

import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.probes.prober import facts, wait_until
from tests.unit.probes.test_processes import LISTEN, SLEEP

Spawn = Callable[..., subprocess.Popen[bytes]]
ENDED = 2**22 - 3
"""A number that no process has: Linux gives lower ones."""


def _told(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def _systemctl(folder: Path, *answers: str) -> dict[str, str]:
    """Return the environment of a systemd that gives these answers, the last one for ever."""
    left = folder / "answers"
    left.write_text("".join(f"{answer}\n" for answer in answers), encoding="utf-8")
    left.chmod(0o666)
    tool = folder / "systemctl"
    tool.write_text(
        "#!/bin/sh\n"
        f"read -r pid state < {left}\n"
        'echo "ActiveState=$state"; echo "MainPID=$pid"\n'
        f"if [ $(wc -l < {left}) -gt 1 ]; then sed -i 1d {left}; fi\n",
        encoding="utf-8",
    )
    tool.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["{listener} active"], True),
        # What the manager runs is a shell, say, that started what listens.
        (["{parent} active"], True),
        # One of an earlier start, or anybody's: the backend's own was started after it.
        (["{younger} active"], False),
        (["{younger} activating"], False),
        (["0 activating"], False),
        (["0 failed"], False),
        # It runs, and nobody says which process it is; or what is left of it is being ended.
        (["0 active"], None),
        (["0 deactivating"], None),
        # The manager's process ended between two looks: that was no one moment.
        (["{ended} activating", "{listener} active"], True),
        (["{ended} active", "{ended} active", "0 activating"], False),
    ],
)
def test_the_holder_of_a_port_is_the_service_s_or_another_s(
    spawn: Spawn, shared_folder: Path, answers: list[str], expected: bool | None
) -> None:
    """By descent and age, from looks that agree; where they do not, it is looked again."""
    listener = spawn(LISTEN, "127.0.0.1")
    port = int(_told(listener))
    time.sleep(0.02)  # The kernel tells ages by hundredths of a second.
    younger = spawn(SLEEP)
    _told(younger)
    pids = {"listener": listener.pid, "parent": os.getpid(), "younger": younger.pid, "ended": ENDED}
    environ = _systemctl(shared_folder, *(answer.format(**pids) for answer in answers))
    seen = facts("service", environ=environ, name="backend", port=port)

    assert (seen["holds_port"], seen["port_pid"]) == (expected, listener.pid)


def test_what_was_started_after_the_service_may_be_its_own(
    spawn: Spawn, shared_folder: Path
) -> None:
    """A daemon that has left its line is no descendant; the time to look ends without an answer."""
    older = spawn(SLEEP)
    _told(older)
    time.sleep(0.02)
    listener = spawn(LISTEN, "127.0.0.1")
    port = int(_told(listener))
    environ = _systemctl(shared_folder, f"{older.pid} active")
    seen = facts("service", environ=environ, name="backend", port=port, timeout=1.5)

    assert (seen["holds_port"], seen["port_pid"]) == (None, listener.pid)


def test_of_a_port_nobody_holds_nothing_is_said(shared_folder: Path, closed_port: int) -> None:
    """Neither is it the service's then, nor another's."""
    environ = _systemctl(shared_folder, "0 failed")
    seen = facts("service", environ=environ, name="backend", port=closed_port)

    assert (seen["holds_port"], seen["port_pid"]) == (None, None)


@pytest.fixture
def flapping(closed_port: int) -> Iterator[Callable[[], dict[str, Any]]]:
    """Return what asks about a backend that listens for a moment, crashes, and is started again."""
    code = "import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(0.8)"
    with tempfile.TemporaryDirectory() as name:  # A socket's path has to be short.
        config = Path(name) / "supervisord.conf"
        config.write_text(
            textwrap.dedent(f"""\
                [supervisord]
                nodaemon=true
                logfile=/dev/null
                logfile_maxbytes=0
                pidfile={name}/pid
                [unix_http_server]
                file={name}/sock
                [supervisorctl]
                serverurl=unix://{name}/sock
                [rpcinterface:supervisor]
                supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
                [program:api]
                command={sys.executable} -c "{code.format(port=closed_port)}"
                startsecs=0
                autorestart=true
                """),
            encoding="utf-8",
        )
        running = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ctl = ["supervisorctl"]
        # A host that has no time needs more of it for a look; it ends long before.
        known: dict[str, Any] = {
            "manager": "supervisor", "supervisor_config": str(config), "timeout": 40.0
        }  # fmt: skip
        try:
            yield lambda: facts("service", **known, supervisorctl=ctl, name="api", port=closed_port)
        finally:
            running.terminate()
            running.wait(10)


def test_a_backend_that_crashes_by_turns_is_never_taken_for_another(
    flapping: Callable[[], dict[str, Any]],
) -> None:
    """Whenever it is looked at, between two starts as well, the port is its own or nobody's."""
    wait_until(lambda: flapping()["holds_port"] is True, "it listens")
    seen = [flapping() for _ in range(12)]
    first = seen[0]["port_pid"]
    wait_until(lambda: flapping()["port_pid"] not in (None, first), "the next one listens")

    assert {one["holds_port"] for one in seen} <= {True, None}
