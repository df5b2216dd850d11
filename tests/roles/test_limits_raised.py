"""Role `limits_raised`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.roles.playing import PREVIEW, Player

SYSTEMCTL = """\
#!/bin/sh
echo "$@" >>{folder}/sent
[ "$1" = show ] || exit 0
case $2 in
  backend.service)
    echo LoadState=loaded; echo LimitNOFILE=4096; echo LimitNOFILESoft=1024
    echo MemoryMax=268435456; echo StartLimitBurst=5;;
  *) echo LoadState=not-found;;
esac
"""
SUPERVISOR = """\
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
minfds=256
[unix_http_server]
file={folder}/s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/s
[program:api]
command=sh -c "ulimit -n >{folder}/limit; exec sleep 600"
startsecs=0
"""


@pytest.fixture
def unit(tmp_path: Path) -> dict[str, object]:
    """Return the role's variables for a unit below a folder.

    systemctl is stood in for by a script, since it needs systemd as the first process: this proves
    what is asked of it, and that systemd's own parser takes the drop-in.
    """
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(SYSTEMCTL.format(folder=tmp_path))
    systemctl.chmod(0o755)
    return {
        "limits_raised_manager": "systemd",
        "limits_raised_service": "backend",
        "limits_raised_systemd_directory": str(tmp_path / "system"),
        "limits_raised_systemctl_command": [str(systemctl)],
        "limits_raised_state_directory": str(tmp_path / "kept"),
    }


def test_writes_a_drop_in_and_removes_it(
    play: Player, unit: dict[str, object], tmp_path: Path
) -> None:
    """Limits are previewed, written as systemd takes them, left alone again, and taken back."""
    (tmp_path / "system").mkdir()
    dropin = tmp_path / "system/backend.service.d/50-runbook-limits.conf"
    wanted = {
        **unit,
        "limits_raised_open_files": 65536,
        "limits_raised_memory": "512M",
        "limits_raised_starts": 10,
    }

    preview = play("limits_raised", wanted, *PREVIEW)
    assert (preview.failed, preview.changed) == (False, 1), preview.output
    assert "+LimitNOFILE=65536" in preview.output
    assert not dropin.exists()

    played = play("limits_raised", wanted)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert dropin.read_text() == (
        "# Written by the role limits_raised.\n"
        "[Unit]\nStartLimitBurst=10\n\n[Service]\nLimitNOFILE=65536:65536\nMemoryMax=512M\n"
    )
    (tmp_path / "system/backend.service").write_text("[Service]\nExecStart=/bin/true\n")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "system/backend.service")],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}/system:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "backend.service" not in verified.stderr, verified.stderr
    again = play("limits_raised", wanted)
    assert (again.failed, again.changed) == (False, 0), again.output
    assert (tmp_path / "sent").read_text().count("daemon-reload") == 1

    undone = play.undo("limits_raised", wanted)

    assert (undone.failed, undone.changed) == (False, 1), undone.output
    assert not dropin.parent.exists()
    assert (tmp_path / "sent").read_text().count("daemon-reload") == 2


def test_never_lowers_a_limit(play: Player, unit: dict[str, object], tmp_path: Path) -> None:
    """A limit that the unit has already, or beyond, is not written; an unknown unit is refused."""
    lower = {**unit, "limits_raised_open_files": 1024, "limits_raised_memory": "256M"}

    played = play("limits_raised", lower)
    unknown = play("limits_raised", {**lower, "limits_raised_service": "nonsuch"})

    assert (played.failed, played.changed) == (False, 0), played.output
    assert not (tmp_path / "system").exists()
    assert unknown.failed
    assert "nonsuch.service is not-found to systemd" in unknown.words


@pytest.fixture
def supervisor(shared_folder: Path) -> Iterator[dict[str, object]]:
    """Return the role's variables for a supervisord that runs."""
    config = shared_folder / "supervisord.conf"
    config.write_text(SUPERVISOR.format(folder=shared_folder))
    daemon = f"{sys.executable} -m supervisor.supervisord --nodaemon -c {config}"
    process = subprocess.Popen(
        ["sh", "-c", f"ulimit -Sn 256; exec {daemon}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=shared_folder,
    )
    wait_for(shared_folder / "limit", "256")
    yield {
        "limits_raised_manager": "supervisor",
        "limits_raised_service": "api",
        "limits_raised_open_files": 700,
        "limits_raised_supervisor_config": str(config),
        "limits_raised_supervisorctl_command": [sys.executable, "-m", "supervisor.supervisorctl"],
        "limits_raised_state_directory": str(shared_folder / "kept"),
    }
    process.send_signal(signal.SIGTERM)
    process.wait()


def test_raises_supervisors_programs(
    play: Player, supervisor: dict[str, object], shared_folder: Path
) -> None:
    """A program started anew may open more files, though supervisord was not started anew."""
    config = shared_folder / "supervisord.conf"
    before = config.read_text()

    preview = play("limits_raised", supervisor, *PREVIEW)
    assert "+minfds=700" in preview.output
    assert config.read_text() == before
    played = play("limits_raised", supervisor)

    assert (played.failed, played.changed) == (False, 1), played.output
    assert config.read_text() == before.replace("minfds=256", "minfds=700")
    restart(config)
    wait_for(shared_folder / "limit", "700")
    again = play("limits_raised", supervisor)
    assert (again.failed, again.changed) == (False, 0), again.output

    undone = play.undo("limits_raised", supervisor)

    assert not undone.failed, undone.output
    assert config.read_text() == before
    restart(config)
    wait_for(shared_folder / "limit", "256")


def test_supervisor_limits_no_memory(play: Player, supervisor: dict[str, object]) -> None:
    """What supervisor cannot do is refused, not left out."""
    played = play("limits_raised", {**supervisor, "limits_raised_memory": "1G"})

    assert played.failed
    assert "supervisor limits neither memory nor starts" in played.words


def restart(config: Path) -> None:
    """Restart the program."""
    command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(config)]
    subprocess.run([*command, "restart", "api"], check=True, capture_output=True)


def wait_for(file: Path, text: str) -> None:
    """Wait until a file says something."""
    deadline = time.monotonic() + 90
    while not file.exists() or file.read_text().strip() != text:
        assert time.monotonic() < deadline, file.read_text() if file.exists() else "no file"
        time.sleep(0.02)
