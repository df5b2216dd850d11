"""One request, many probes: none spoils or delays another, and all are bounded."""

import json
import os
import pwd
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes.batch import answer
from runbook.executor.content.module_utils.runbook_probes.values import plain
from tests.unit.probes.prober import (
    CONTENT,
    IS_ROOT,
    MODULE_UTILS,
    PYTHON,
    ask,
    facts,
    is_gone,
    reason,
    request,
    wait_until,
)


def _command(name: str, shell: str, timeout: float = 5.0) -> dict[str, Any]:
    return {"id": name, "type": "command", "args": {"shell": shell}, "timeout": timeout}


def _reasons(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: each["reason"] for name, each in answers.items() if not each["looked"]}


def test_bad_probes_cost_only_their_own_answers() -> None:
    """A hang, a crash, endless output and nonsense leave the good probe's answer as it is."""
    probes = [
        _command("hang", "sleep 60", 0.4),
        _command("endless", "yes", 0.4),
        _command("killed", "kill -KILL $PPID"),
        _command("good", "echo fine"),
        {"id": "nonsense", "type": "horoscope", "args": {}},
        {"id": "wrong_type", "type": "tcp", "args": {"port": "many"}},
        {"id": "unknown_argument", "type": "tcp", "args": {"port": 1, "speed": 3}},
        {"id": "missing_argument", "type": "tcp", "args": {}},
    ]
    done = subprocess.run(
        [PYTHON, "-m", "runbook_probes"],
        input=json.dumps({"probes": probes}),
        capture_output=True,
        text=True,
        cwd=MODULE_UTILS,
        check=True,
    )
    answers = json.loads(done.stdout)["answers"]

    assert answers["good"]["facts"]["stdout"] == "fine"
    assert answers["good"]["took_s"] < 0.4
    assert _reasons(answers) == {
        "hang": "not finished within 0.4 s",
        "endless": "not finished within 0.4 s",
        "killed": "the probe crashed: signal 9",
        "nonsense": "there is no probe of type horoscope",
        "wrong_type": "port must be a whole number, not str",
        "unknown_argument": "unknown argument speed",
        "missing_argument": "missing argument port",
    }


def test_probes_run_at_the_same_time() -> None:
    """Commands of three seconds take about three seconds together, many more than share workers."""
    probes = [_command(str(number), "sleep 3; echo done", 20) for number in range(16)]
    started = time.monotonic()
    answers = request({"probes": probes})["answers"]

    assert not _reasons(answers)
    assert time.monotonic() - started < 10


def test_who_is_killed_takes_all_that_looks_for_him_along(tmp_path: Path) -> None:
    """Neither the workers nor what they started live on until their time is up, as nobody hears them."""
    note = tmp_path / "pids"
    looks = f"sleep 300 & echo $! $$ $PPID > {note}.new; mv {note}.new {note}; sleep 300"
    with subprocess.Popen(
        [PYTHON, "-m", "runbook_probes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=MODULE_UTILS,
    ) as looking:
        assert looking.stdin is not None
        looking.stdin.write(json.dumps({"deadline": 300, "probes": [_command("it", looks, 300)]}))
        looking.stdin.close()
        wait_until(note.exists, "it looks")
        looking.kill()

    for word in note.read_text(encoding="utf-8").split():
        wait_until(lambda pid=int(word): is_gone(pid), f"process {word} has ended")  # type: ignore[misc]


def test_a_probe_that_is_over_takes_everything_it_started_with_it(tmp_path: Path) -> None:
    """Neither the command that timed out nor what it put into the background lives on."""
    note = tmp_path / "pids"
    late = ask("command", timeout=0.4, shell=f"sleep 60 & echo $! $$ > {note}; sleep 60")
    prompt = ask("command", shell=f"sleep 60 & echo $! >> {note}")

    assert not late["looked"]
    assert prompt["looked"]
    pids = [int(word) for word in note.read_text(encoding="utf-8").split()]
    assert len(pids) == 3
    for pid in pids:
        wait_until(lambda pid=pid: is_gone(pid), f"process {pid} has ended")  # type: ignore[misc]


def test_probes_that_ask_a_tool_the_same_have_it_told_once(tmp_path: Path) -> None:
    """A dump of nginx is made once for both, whatever they look for in it, each time we look."""
    started = tmp_path / "started"
    nginx = tmp_path / "nginx"
    nginx.write_text(
        f"#!/bin/sh\necho x >> {started}\n"
        "echo '# configuration file /etc/nginx/nginx.conf:'\n"
        "echo 'http { server { server_name a.example; } server { server_name b.example; } }'\n"
    )
    nginx.chmod(0o755)
    probes = [
        {"id": "a", "type": "nginx_config", "args": {"server_name": "a.example"}},
        {"id": "other", "type": "load", "args": {}},
        {"id": "b", "type": "nginx_config", "args": {"server_name": "b.example"}},
        {"id": "elsewhere", "type": "nginx_config", "args": {"config": "/dev/null"}},
    ]
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    counts: list[int] = []
    # Where a busy machine holds up who was told, another one asks as well.
    while counts.count(2) < 2 and len(counts) < 20:
        answers = request({"probes": probes}, env=environ)["answers"]
        assert all(each["looked"] for each in answers.values())
        counts.append(len(started.read_text().splitlines()))
        started.unlink()

    assert counts.count(2) == 2
    assert min(counts) == 2


def test_the_deadline_bounds_the_whole_request() -> None:
    """A probe with more time than the request has is cut short with it."""
    started = time.monotonic()
    told = request({"probes": [_command("slow", "sleep 60", 30)], "deadline": 0.5})

    assert _reasons(told["answers"])["slow"].startswith("not finished within 0.")
    assert time.monotonic() - started < 20


def test_samples_cover_the_period_and_its_end(tmp_path: Path) -> None:
    """Rounds come at the interval and at the very end; the answers are those of the last round."""
    count = f"echo x >> {tmp_path}/n; wc -l < {tmp_path}/n"
    sample = {"for": 0.5, "every": 0.2}
    told = request({"probes": [_command("count", count)], "sample": sample})

    seen = [int(each["answers"]["count"]["facts"]["stdout"]) for each in told["samples"]]
    assert seen == [1, 2, 3, 4]
    assert [round(each["at_s"], 1) for each in told["samples"]] == pytest.approx(
        [0.0, 0.2, 0.4, 0.5], abs=0.4
    )
    assert told["answers"] == told["samples"][-1]["answers"]


def test_sampling_ends_with_the_deadline() -> None:
    """A period longer than the request's deadline is not sampled to its end."""
    sample = {"for": 60, "every": 0.2}
    told = request({"probes": [_command("it", "true")], "sample": sample, "deadline": 0.7})

    assert 1 < len(told["samples"]) < 10


def test_output_is_bounded_and_says_so() -> None:
    """A megabyte of output comes back as its first few bytes, marked as cut."""
    seen = facts("command", max_bytes=100, shell="head -c 1000000 /dev/zero | tr '\\0' x; echo end")

    assert seen["stdout"] == "x" * len(seen["stdout"])
    assert 0 < len(seen["stdout"]) <= 100
    assert seen["truncated"]


def test_output_that_is_not_text_is_carried_all_the_same() -> None:
    """Bytes that are not UTF-8, and zeros, become text that JSON can carry."""
    seen = facts("command", shell="printf 'a\\377\\000b'")

    assert seen["stdout"] == "a\N{REPLACEMENT CHARACTER}\0b"
    assert not seen["truncated"]


def test_a_host_without_files_to_spare_is_said_to_be_so() -> None:
    """Where no more probes can be started the answer says why, for each of them."""
    # Longer than it takes on the busiest host until there are twice as many workers.
    probes = [_command(str(number), "sleep 1") for number in range(12)]
    done = subprocess.run(
        ["sh", "-c", f"ulimit -n 16; exec {PYTHON} -m runbook_probes"],
        input=json.dumps({"probes": probes}),
        capture_output=True,
        text=True,
        cwd=MODULE_UTILS,
        check=True,
    )
    told = _reasons(json.loads(done.stdout)["answers"])

    assert any("cannot be started: Too many open files" in text for text in told.values())


def test_the_function_may_be_called_next_to_other_threads() -> None:
    """In a process with threads the function answers like the script; nothing is forked there."""
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        told = answer({"probes": [_command("it", "echo $PPID")]})
    finally:
        release.set()
        thread.join()

    assert told["answers"]["it"]["looked"]  # type: ignore[index]


def test_it_runs_on_every_python_there_is() -> None:
    """The package needs no more than the oldest Python found here, 3.8 where there is one."""
    pythons = {sys.executable}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        pythons.update(str(path) for path in Path(folder).glob("python3.[89]"))
    probes = [{"id": kind, "type": kind} for kind in ("host", "time", "memory", "disk")]
    for python in pythons:
        version = subprocess.run([python, "-V"], capture_output=True, check=False)
        if version.returncode == 0:
            assert not _reasons(request({"probes": probes}, python=python)["answers"])


def test_its_source_is_python_3_8() -> None:
    """Nothing shipped to hosts uses syntax that Python 3.8 has not."""
    import ast  # noqa: PLC0415

    sources = [*MODULE_UTILS.rglob("*.py"), CONTENT / "modules" / "runbook_probe.py"]
    for path in sources:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert len(sources) > 20


def test_as_another_user() -> None:
    """Root looks as the user asked for; others are refused without sudo, and told so."""
    names = ("nobody", "daemon")
    other = next(name for name in names if pwd.getpwnam(name).pw_uid != os.geteuid())
    seen = ask("command", acting_as=other, environ={"PATH": "/bin"}, argv=["/usr/bin/id", "-un"])

    if IS_ROOT:
        assert seen["facts"]["stdout"] == other
    else:
        assert seen["reason"].startswith(f"cannot act as {other}: ")


def test_as_a_user_who_is_not_there() -> None:
    """Looking as an unknown user is not possible, which is no finding."""
    told = reason("tcp", acting_as="no-such-user", port=1)

    assert told == "cannot act as no-such-user: there is no such user"


def test_as_oneself() -> None:
    """Looking as the user one is needs nothing."""
    name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()

    assert facts("command", acting_as=name, argv=["id", "-un"])["stdout"] == name


SUDO_STAND_IN = """#!/bin/sh
# Takes `-n -u USER -- COMMAND`, as sudo would, and stays who it is.
[ "$1 $2 $4" = "-n -u --" ] || { echo "sudo: $*" >&2; exit 1; }
export ACTING_AS=$3
shift 4
exec "$@"
"""


def test_sudo_runs_the_same_probe_from_its_sources(shared_folder: Path) -> None:
    """Through sudo the probe runs without any file of ours: its sources go along."""
    sudo = shared_folder / "sudo"
    sudo.write_text(SUDO_STAND_IN, encoding="utf-8")
    sudo.chmod(0o755)
    seen = facts(
        "command",
        nobody_in=shared_folder,
        environ={"PATH": f"{shared_folder}:/usr/bin:/bin"},
        acting_as="daemon",
        shell="echo as $ACTING_AS",
    )

    assert seen["stdout"] == "as daemon"


def test_sudo_that_refuses_is_no_finding(shared_folder: Path) -> None:
    """What sudo says when it refuses becomes the reason."""
    sudo = shared_folder / "sudo"
    sudo.write_text(
        "#!/bin/sh\necho 'sudo: a password is required' >&2; exit 1\n", encoding="utf-8"
    )
    sudo.chmod(0o755)
    told = reason(
        "command",
        nobody_in=shared_folder,
        environ={"PATH": f"{shared_folder}:/usr/bin:/bin"},
        acting_as="daemon",
        shell="true",
    )

    assert told == "cannot act as daemon: sudo: a password is required"


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=50,
)


@given(JSON_LIKE, st.integers(0, 500))
def test_whatever_was_seen_becomes_plain_bounded_json(value: object, most: int) -> None:
    """Every value a probe could see becomes JSON of about the size allowed."""
    made, cut = plain({"fact": value}, most)
    text = json.dumps(made, allow_nan=False)

    assert json.loads(text) == made
    assert cut or len(text) <= 12 * most + 100
    text.encode("utf-8")


def test_nesting_without_end_is_cut() -> None:
    """Data nested deeper than any reader's stack is cut, and says so."""
    value: list[Any] = []
    for _ in range(500):
        value = [value]

    assert plain(value, 10_000)[1]
