"""Services as their managers tell of them: real supervisord, the words of the others."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes.services import (
    compose_facts,
    parse_compose,
    parse_properties,
    parse_supervisor_status,
    systemd_facts,
)
from runbook.executor.content.module_utils.runbook_probes.supervisord import server_of
from runbook.model.probes import PROBE_TYPES
from tests.unit.probes.prober import IS_ROOT, facts, reason, wait_until

Spawn = Callable[..., subprocess.Popen[bytes]]
SUPERVISORCTL = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisorctl"]
# Nothing that a probe takes for plain supervisorctl, so it has to run it.
WRAPPED = [*SUPERVISORCTL[:3], "-c", "from supervisor.supervisorctl import main; main()"]


class _Supervisor:
    """A real supervisord: programs that run, that died, that ended, that were not started."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "supervisord.conf"
        self.config.write_text(
            textwrap.dedent(f"""\
                [supervisord]
                nodaemon=true
                logfile=/dev/null
                logfile_maxbytes=0
                pidfile={folder}/pid
                [unix_http_server]
                file={folder}/sock
                username=operator
                password=rehearsal
                [supervisorctl]
                serverurl=unix://%(here)s/sock ; the same
                username=operator
                password=rehearsal
                [rpcinterface:supervisor]
                supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
                [program:good]
                command=sleep 600
                startsecs=0
                [program:dying]
                command=false
                startretries=0
                [program:leaving]
                command=sh -c 'exit 3'
                startsecs=0
                autorestart=false
                [program:waiting]
                command=sleep 600
                autostart=false
                [program:looping]
                command=sh -c 'sleep 1.2; exit 3'
                startsecs=1
                [group:shop]
                programs=api
                [program:api]
                command=sleep 600
                startsecs=0
                """),
            encoding="utf-8",
        )
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", self.config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def facts(self, name: str, supervisorctl: list[str] = SUPERVISORCTL) -> dict[str, Any]:
        return facts(
            "service",
            manager="supervisor",
            name=name,
            supervisor_config=str(self.config),
            supervisorctl=supervisorctl,
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="module")
def supervisor() -> Iterator[_Supervisor]:
    """Return a supervisord that has started what it should."""
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory() as folder:
        running = _Supervisor(Path(folder))
        try:
            wait_until(lambda: running.facts("dying")["state"] == "FATAL", "the program has died")
            wait_until(lambda: running.facts("leaving")["state"] == "EXITED", "it has ended")
            yield running
        finally:
            running.stop()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", (True, True, "RUNNING", False)),
        ("dying", (False, True, "FATAL", True)),
        ("leaving", (False, True, "EXITED", False)),
        ("waiting", (False, True, "STOPPED", False)),
        ("shop:api", (True, True, "RUNNING", False)),
        ("shop:*", (True, True, "RUNNING", False)),
        ("missing", (False, False, "not-found", False)),
    ],
)
def test_supervisor_truth_table(supervisor: _Supervisor, name: str, expected: object) -> None:
    """Each state of a program is told from the others, whatever the exit status says."""
    seen = supervisor.facts(name)

    told = (seen["running"], seen["exists"], seen["state"], seen["start_limit_hit"])
    assert told == expected
    assert (seen["pid"] is not None) is seen["running"]
    assert set(seen) == set(PROBE_TYPES["service"].facts)
    assert seen["exit_code"] == (3 if name == "leaving" else None)


@pytest.mark.parametrize(
    ("name", "over_s", "expected"),
    [("looping", 8.0, True), ("good", 0.3, False), ("good", 0, None)],
)
def test_a_service_that_is_started_again_and_again(
    supervisor: _Supervisor, name: str, over_s: float, expected: bool | None
) -> None:
    """One that crashes by turns is found to as soon as it is started anew; one that runs is not."""
    told = facts(
        "service",
        manager="supervisor",
        name=name,
        supervisor_config=str(supervisor.config),
        supervisorctl=["supervisorctl"],
        over_s=over_s,
    )

    assert told["started_anew"] is expected


@pytest.mark.parametrize("name", ["good", "dying", "missing"])
def test_supervisorctl_and_the_socket_tell_the_same(supervisor: _Supervisor, name: str) -> None:
    """Where supervisord cannot be asked itself, supervisorctl says the same, only later."""
    keys = ("running", "exists", "state", "start_limit_hit", "pid")
    direct, wrapped = supervisor.facts(name), supervisor.facts(name, WRAPPED)

    assert [direct[key] for key in keys] == [wrapped[key] for key in keys]


def test_supervisord_that_refuses_the_password(supervisor: _Supervisor, tmp_path: Path) -> None:
    """A password that is wrong is no finding about the service."""
    config = tmp_path / "supervisord.conf"
    text = supervisor.config.read_text(encoding="utf-8")
    folder = str(supervisor.config.parent)
    config.write_text(text.replace("%(here)s", folder).replace("rehearsal", "guess"), "utf-8")
    args: dict[str, Any] = {"manager": "supervisor", "name": "good"}
    told = reason("service", supervisor_config=str(config), supervisorctl=["supervisorctl"], **args)

    assert "401" in told


@pytest.mark.parametrize(
    ("program", "text", "expected"),
    [
        (["/usr/bin/supervisorctl"], "serverurl=unix:///run/s.sock", ("/run/s.sock", "localhost")),
        (["supervisorctl"], "serverurl=http://192.0.2.1:9002", (None, "192.0.2.1")),
        (["supervisorctl"], "", (None, "localhost")),
        (["supervisorctl"], "serverurl=unix://%(ENV_HOME)s/s.sock", None),
        (["supervisorctl"], "serverurl=http://192.0.2.1:port", None),
        (["supervisorctl"], "serverurl=ftp://192.0.2.1", None),
        (["supervisorctl"], "no equals sign", None),
        (["docker", "exec", "shop", "supervisorctl"], "serverurl=unix:///run/s.sock", None),
    ],
)
def test_where_supervisord_listens(
    tmp_path: Path, program: list[str], text: str, expected: tuple[str | None, str] | None
) -> None:
    """Only a server that supervisorctl would ask as well, here and without more to know, is asked."""
    config = tmp_path / "supervisord.conf"
    config.write_text(f"[supervisorctl]\n{text}\n", encoding="utf-8")
    found = server_of(program, str(config))

    assert (None if found is None else (found.path, found.host)) == expected
    assert server_of(program, None) is None
    assert server_of(program, str(tmp_path / "none")) is None


def test_supervisor_that_does_not_run(tmp_path: Path) -> None:
    """Without its manager a service does not run, and the manager is named as the reason."""
    config = tmp_path / "supervisord.conf"
    config.write_text("[supervisorctl]\nserverurl=unix:///nonexistent/sock\n", encoding="utf-8")
    refusing = tmp_path / "refusing.conf"
    refusing.write_text("[supervisorctl]\nserverurl=http://127.0.0.1:1\n", encoding="utf-8")

    for each in (config, refusing):
        seen = facts(
            "service",
            manager="supervisor",
            name="good",
            supervisor_config=str(each),
            supervisorctl=SUPERVISORCTL,
        )
        assert (seen["running"], seen["state"]) == (False, "manager_down")


def test_supervisor_we_may_not_ask(supervisor: _Supervisor, shared_folder: Path) -> None:
    """Who may not talk to supervisord cannot tell how its services are."""
    if not IS_ROOT:
        assert supervisor.facts("good")["running"]
        return
    config = shared_folder / "supervisord.conf"
    text = supervisor.config.read_text(encoding="utf-8")
    config.write_text(text, encoding="utf-8")
    stand_in = shared_folder / "ctl"
    # What supervisorctl prints then; nobody may run the tests' own Python.
    stand_in.write_text(
        "#!/bin/sh\necho \"error: <class 'PermissionError'>, [Errno 13] Permission denied:\"; exit 4\n",
        encoding="utf-8",
    )
    stand_in.chmod(0o755)
    told = reason(
        "service",
        nobody_in=shared_folder,
        manager="supervisor",
        name="good",
        supervisorctl=[str(stand_in)],
    )

    assert "Permission denied" in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "api  BACKOFF   Exited too quickly (process log may have details)",
            ("BACKOFF", False, None),
        ),
        ("api  STARTING  ", ("STARTING", False, None)),
        ("api  EXITED    Nov 21 08:46 PM", ("EXITED", False, None)),
        ("api  RUNNING   pid 12, uptime 0:01:02", ("RUNNING", True, 62.0)),
        ("api  RUNNING   pid 12, uptime 2 days, 1:00:00", ("RUNNING", True, 176400.0)),
        ("api: ERROR (no such process)", ("not-found", False, None)),
        ("unix:///run/supervisor.sock no such file", ("manager_down", False, None)),
        ("unix:///run/supervisor.sock refused connection", ("manager_down", False, None)),
        (
            "error: <class 'ConnectionRefusedError'>, [Errno 111] x: file",
            ("manager_down", False, None),
        ),
        ("other  RUNNING   pid 12, uptime 0:01:02", None),
        ("error: <class 'PermissionError'>, [Errno 13] Permission denied", None),
        ("Error: .ini file does not include supervisorctl section", None),
        ("", None),
    ],
)
def test_words_of_supervisor(text: str, expected: tuple[str, bool, float | None] | None) -> None:
    """Each line that supervisorctl prints has its meaning; others have none."""
    seen = parse_supervisor_status("api", text)

    if expected is None:
        assert seen is None
    else:
        assert seen is not None
        assert (seen["state"], seen["running"], seen["in_state_s"]) == expected


def test_a_service_that_is_a_process(spawn: Spawn, tmp_path: Path) -> None:
    """A plain process runs, is stopped, or is not there; an old pid file names somebody else."""
    process = spawn("import time; time.sleep(60)", "plain-service")
    pidfile = tmp_path / "pid"
    by_pattern = {"manager": "process", "pattern": "plain-service"}
    wait_until(lambda: bool(facts("service", **by_pattern)["running"]), "it runs")

    pidfile.write_text(str(process.pid), encoding="utf-8")
    by_file = {"manager": "process", "pidfile": str(pidfile)}
    assert facts("service", **by_file)["pid"] == process.pid
    assert facts("service", **by_file, pattern="plain-service")["running"]
    assert facts("service", **by_file, pattern="another-service")["state"] == "absent"

    os.kill(process.pid, signal.SIGSTOP)
    wait_until(lambda: facts("service", **by_pattern)["state"] == "stopped", "it is stopped")
    assert not facts("service", **by_file)["running"]

    process.kill()
    process.wait()
    for args in (by_pattern, by_file, {"manager": "process", "pidfile": str(tmp_path / "none")}):
        seen = facts("service", **args)
        assert (seen["running"], seen["state"], seen["pid"]) == (False, "absent", None)


SYSTEMD: dict[str, tuple[str, dict[str, object]]] = {
    "running": (
        """\
        LoadState=loaded
        ActiveState=active
        SubState=running
        UnitFileState=enabled
        MainPID=812
        ExecMainCode=0
        ExecMainStatus=0
        NRestarts=2
        Result=success
        StateChangeTimestampMonotonic=1000000
        """,
        {"running": True, "state": "active", "pid": 812, "restarts": 2, "enabled": True},
    ),
    "start limit": (
        """\
        LoadState=loaded
        ActiveState=failed
        SubState=failed
        UnitFileState=disabled
        MainPID=0
        ExecMainCode=1
        ExecMainStatus=1
        NRestarts=5
        Result=start-limit-hit
        """,
        {
            "running": False,
            "start_limit_hit": True,
            "exit_code": 1,
            "pid": None,
            "enabled": False,
            "detail": "failed (failed), result start-limit-hit",
        },
    ),
    "start limit, of its own restarts": (
        """\
        LoadState=loaded
        ActiveState=failed
        SubState=failed
        NRestarts=5
        StartLimitBurst=5
        Result=exit-code
        """,
        {"running": False, "start_limit_hit": True, "restarts": 5, "result": "exit-code"},
    ),
    "crashed, and restarted now and then before": (
        """\
        LoadState=loaded
        ActiveState=failed
        SubState=failed
        NRestarts=2
        StartLimitBurst=5
        Result=exit-code
        """,
        {"running": False, "start_limit_hit": False},
    ),
    "running after many restarts, without a limit": (
        """\
        LoadState=loaded
        ActiveState=active
        SubState=running
        NRestarts=90
        StartLimitBurst=5
        Result=success
        """,
        {"running": True, "start_limit_hit": False},
    ),
    "failed, where no limit is set": (
        """\
        LoadState=loaded
        ActiveState=failed
        SubState=failed
        NRestarts=0
        StartLimitBurst=0
        Result=exit-code
        """,
        {"running": False, "start_limit_hit": False},
    ),
    "killed": (
        """\
        LoadState=loaded
        ActiveState=failed
        SubState=failed
        MainPID=0
        ExecMainCode=2
        ExecMainStatus=9
        Result=oom-kill
        """,
        {"running": False, "signal": 9, "exit_code": None, "result": "oom-kill"},
    ),
    "restarting": (
        """\
        LoadState=loaded
        ActiveState=activating
        SubState=auto-restart
        MainPID=0
        ExecMainCode=1
        ExecMainStatus=3
        Result=exit-code
        """,
        {"running": False, "state": "activating", "sub_state": "auto-restart", "exit_code": 3},
    ),
    "unknown": (
        """\
        LoadState=not-found
        ActiveState=inactive
        SubState=dead
        MainPID=0
        Result=success
        """,
        {"running": False, "exists": False, "state": "not-found", "detail": "no such unit"},
    ),
    "older systemd": (
        """\
        LoadState=loaded
        ActiveState=active
        SubState=exited
        """,
        {"running": True, "restarts": None, "in_state_s": None},
    ),
}


@pytest.mark.parametrize("situation", SYSTEMD)
def test_words_of_systemd(situation: str) -> None:
    """The properties of a unit mean what systemd means by them."""
    text, expected = SYSTEMD[situation]
    seen = systemd_facts(parse_properties(textwrap.dedent(text)))

    assert expected.items() <= seen.items()
    assert {*seen, "truncated"} == set(PROBE_TYPES["service"].facts)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        (["812 active 4 success", "813 active 5 success"], (True, "success")),
        (
            ["812 active 4 success", "0 activating 4 oom-kill", "900 active 5 success"],
            (True, "oom-kill"),
        ),
        # Each look falls between two starts that live too briefly to be met.
        (["0 activating 4 exit-code", "0 activating 5 exit-code"], (True, "exit-code")),
        (["0 inactive 0 success", "812 active 0 success"], (True, "success")),
        (["812 active 4 success", "0 failed 4 exit-code"], (False, "exit-code")),
        (["812 active 4 success"], (False, "success")),
    ],
)
def test_what_systemd_restarts_by_turns(
    shared_folder: Path, looks: list[str], expected: tuple[bool, str]
) -> None:
    """A new process or a higher count is a start, an end is none; how it ended is told with it."""
    tool = shared_folder / "systemctl"
    tool.write_text(
        "#!/bin/sh\n"
        f"printf '%s\\n' {' '.join(map(repr, looks))} > {shared_folder}/all\n"
        f"[ -e {shared_folder}/left ] || cp {shared_folder}/all {shared_folder}/left\n"
        f"read -r pid state restarts result < {shared_folder}/left\n"
        'echo "ActiveState=$state"; echo "MainPID=$pid"; echo "NRestarts=$restarts"\n'
        'echo "Result=$result"\n'
        f"if [ $(wc -l < {shared_folder}/left) -gt 1 ]; then sed -i 1d {shared_folder}/left; fi\n",
        encoding="utf-8",
    )
    tool.chmod(0o755)
    path = f"{shared_folder}:/usr/bin:/bin"
    within_s = 8.0 if expected[0] else 0.5
    told = facts("service", environ={"PATH": path}, name="backend", over_s=within_s)

    assert (told["started_anew"], told["result"]) == expected


def test_systemd_that_does_not_run(shared_folder: Path) -> None:
    """Where systemd does not answer, or is not there, nothing is known about its services."""
    tool = shared_folder / "systemctl"
    tool.write_text(
        "#!/bin/sh\necho 'System has not been booted with systemd as init system' >&2; exit 1\n",
        encoding="utf-8",
    )
    tool.chmod(0o755)
    path = f"{shared_folder}:/usr/bin:/bin"

    assert "not been booted" in reason("service", environ={"PATH": path}, name="backend")


COMPOSE: dict[str, tuple[str, dict[str, object]]] = {
    "an array": (
        '[{"Service": "api", "State": "running", "Status": "Up 2 hours", "Health": "healthy"}]',
        {"running": True, "state": "running", "sub_state": "healthy", "detail": "Up 2 hours"},
    ),
    "one on each line": (
        '{"State": "running", "ExitCode": 0}\n{"State": "exited", "ExitCode": 3, "Status": "Exited"}\n',
        {"running": False, "state": "exited", "exit_code": 3},
    ),
    "none": ("", {"running": False, "exists": True, "state": "not-created"}),
    "an empty array": ("[]", {"running": False, "state": "not-created"}),
}


@pytest.mark.parametrize("situation", COMPOSE)
def test_words_of_compose(situation: str) -> None:
    """Containers are read in both formats; a service whose containers do not all run does not."""
    text, expected = COMPOSE[situation]

    assert expected.items() <= compose_facts(parse_compose(text)).items()


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ("no such service: api", "not-found"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "manager_down"),
        ("permission denied while trying to connect to the Docker daemon socket", None),
    ],
)
def test_compose_that_does_not_answer(shared_folder: Path, says: str, state: str | None) -> None:
    """No service, no daemon and no permission are three different things."""
    tool = shared_folder / "docker"
    tool.write_text(f"#!/bin/sh\necho '{says}' >&2; exit 1\n", encoding="utf-8")
    tool.chmod(0o755)
    args: dict[str, Any] = {
        "environ": {"PATH": f"{shared_folder}:/usr/bin:/bin"},
        "manager": "docker_compose",
        "name": "api",
        "project_directory": str(shared_folder),
    }
    if state is None:
        assert "permission denied" in reason("service", **args)
    else:
        assert facts("service", **args)["state"] == state


def test_services_that_are_not_named_well() -> None:
    """A manager there is not, and a service without a name, are the author's mistakes."""
    assert reason("service", manager="launchd", name="a").startswith("manager must be")
    assert reason("service") == "a service under systemd needs a name"
    told = reason("service", manager="supervisor", name="a", supervisorctl="no-such-program")
    assert told == "no such program: no-such-program"


@given(st.text())
def test_no_text_breaks_the_readers_of_managers(text: str) -> None:
    """Whatever a manager prints, reading it ends without an error."""
    for wrapped in (text, f"api RUNNING pid 1, uptime {text}", f"MainPID={text}\nNRestarts={text}"):
        parse_supervisor_status("api", wrapped)
        systemd_facts(parse_properties(wrapped))
        compose_facts(parse_compose(wrapped))
