"""Files, logs, and the tracebacks in them."""

import datetime
import hashlib
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.executor.content.module_utils.runbook_probes import tracebacks
from runbook.executor.content.module_utils.runbook_probes.logs import parse_journal, split_lines
from runbook.executor.content.module_utils.runbook_probes.timestamps import read_moment
from runbook.model.probes import PROBE_TYPES
from tests.unit.probes.prober import IS_ROOT, facts, reason


def test_a_file_that_is_there(tmp_path: Path) -> None:
    """A file is told with its kind, its owner and, if asked for, what stands in it."""
    path = tmp_path / "app.conf"
    path.write_text("port = 8000\nhost = a\nport = 8001\n", encoding="utf-8")
    path.chmod(0o640)
    seen = facts(
        "file", path=str(path), content=True, pattern=r"^port = (?P<port>\d+)$", checksum=True
    )

    assert (seen["exists"], seen["type"], seen["mode"]) == (True, "file", "0640")
    assert seen["size_bytes"] == path.stat().st_size
    assert 0 <= seen["age_s"] < 60
    assert seen["content"] == path.read_text(encoding="utf-8")
    assert seen["matches"] == [
        {"line": 1, "text": "port = 8000", "groups": {"port": "8000"}},
        {"line": 3, "text": "port = 8001", "groups": {"port": "8001"}},
    ]
    assert seen["match_count"] == 2
    assert seen["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(seen) == set(PROBE_TYPES["file"].facts)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Nothing, nothing below a file, and a link to nothing do not exist."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")

    for name in ("missing", "file/below", "link"):
        seen = facts("file", path=str(tmp_path / name), content=True, pattern="a", checksum=True)
        assert (seen["exists"], seen["type"], seen["content"]) == (False, None, None)
        assert set(seen) == set(PROBE_TYPES["file"].facts)
    assert facts("file", path=str(tmp_path / "link"))["link_target"] == "nowhere"


def test_kinds_of_files(tmp_path: Path) -> None:
    """A folder, a pipe, a socket and a device are told apart; links are followed."""
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(tmp_path, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        for name, kind in (("link", "directory"), ("pipe", "fifo"), ("socket", "socket")):
            assert facts("file", path=str(tmp_path / name))["type"] == kind
    assert facts("file", path="/dev/null")["type"] == "character_device"


def test_only_files_are_read(tmp_path: Path) -> None:
    """Neither a pipe, which would be emptied, nor a device without end is read."""
    os.mkfifo(tmp_path / "pipe")

    for path in (str(tmp_path / "pipe"), "/dev/zero"):
        assert reason("file", path=path, content=True) == f"not a regular file: {path}"
        assert reason("file", path=path, checksum=True) == f"not a regular file: {path}"
        assert reason("log", path=path) == f"not a regular file: {path}"


def test_a_file_in_a_folder_we_may_not_enter(shared_folder: Path) -> None:
    """Behind a closed door a file is neither there nor not there."""
    secret = shared_folder / "secret"
    secret.mkdir(mode=0o700)
    (secret / "file").write_text("hello", encoding="utf-8")
    if IS_ROOT:
        for path in (secret / "file", secret / "missing"):
            told = reason("file", path=str(path), acting_as="nobody")
            assert told == f"not permitted: {path}"
        assert "not permitted" in reason("log", path=str(secret / "file"), acting_as="nobody")
    else:
        secret.chmod(0)
        assert "not permitted" in reason("file", path=str(secret / "file"))
        secret.chmod(0o700)


def test_access_is_that_of_whoever_looks(shared_folder: Path) -> None:
    """Who looks learns what he himself may do."""
    path = shared_folder / "file"
    path.write_text("hello", encoding="utf-8")
    path.chmod(0o644)
    own = facts("file", path=str(path))
    assert (own["is_readable"], own["is_writable"]) == (True, True)
    if IS_ROOT:
        other = facts("file", path=str(path), acting_as="nobody")
        assert (other["is_readable"], other["is_writable"]) == (True, False)
    path.chmod(0o444)
    assert facts("file", path=str(path))["is_writable"] is IS_ROOT


LOG = """\
2026-02-15 10:00:00,100 INFO started
2026-02-15 10:00:01,200 ERROR connect() failed (111: Connection refused), upstream: "http://127.0.0.1:8001/"
  a second line
2026-02-15 10:00:05,000 ERROR no live upstreams
2026-02-15 10:00:09,000 INFO done
"""
MOMENT = time.mktime((2026, 2, 15, 10, 0, 5, 0, 0, -1))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log file."""
    path = tmp_path / "error.log"
    path.write_text(LOG, encoding="utf-8")
    return path


def test_patterns_in_a_log(log: Path) -> None:
    """Patterns are counted by name, and their last matches told with their moments."""
    patterns = {
        "refused": r"\((?P<errno>\d+): ",
        "upstreams": "no live upstreams",
        "absent": "panic",
    }
    seen = facts("log", path=str(log), patterns=patterns, lines=2)

    assert seen["count"] == 2
    assert seen["counts"] == {"refused": 1, "upstreams": 1, "absent": 0}
    assert seen["matches"][0]["groups"] == {"errno": "111"}
    assert seen["matches"][1]["at_s"] == MOMENT
    assert seen["last_lines"] == LOG.splitlines()[-2:]
    assert set(seen) == set(PROBE_TYPES["log"].facts)


def test_a_log_since_a_moment(log: Path) -> None:
    """What is older than the moment is left out; a line without a moment has that before it."""
    seen = facts("log", path=str(log), pattern="ERROR|second", since=MOMENT - 1)
    all_of_it = facts("log", path=str(log), pattern="ERROR|second")

    assert (seen["count"], all_of_it["count"]) == (1, 3)
    assert facts("log", path=str(log), pattern=".", since=str(MOMENT + 1000))["count"] == 0


def test_a_log_of_the_last_minutes(tmp_path: Path) -> None:
    """What was written longer ago than asked for is left out, by the clock of the host."""
    path = tmp_path / "error.log"
    now = time.time()
    lines = [time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(now - ago)) for ago in (3600, 5)]
    path.write_text("".join(f"{line} [error] refused\n" for line in lines), encoding="utf-8")

    counts = [
        facts("log", path=str(path), pattern="refused", within_s=s)["count"] for s in (60, 7200)
    ]
    assert counts == [1, 2]
    assert facts("log", path=str(path), pattern="refused", since=now, within_s=7200)["count"] == 0


def test_only_the_end_of_a_log_is_read(log: Path) -> None:
    """Of a long log only whole lines of its end are looked at."""
    end = len(LOG.splitlines()[-1]) + 1

    assert facts("log", path=str(log), tail_bytes=end)["last_lines"] == LOG.splitlines()[-1:]
    assert facts("log", path=str(log), tail_bytes=end + 3)["last_lines"] == LOG.splitlines()[-1:]
    assert facts("log", path=str(log), lines=0)["last_lines"] == []


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    """Without a log nothing is said about what stands in it: that would be a guess."""
    for kind in ("log", "python_traceback"):
        seen = facts(kind, path=str(tmp_path / "missing.log"))
        assert seen == {"exists": False, "truncated": False}
    assert reason("log") == "give either a path or a unit"


def test_the_journal(shared_folder: Path) -> None:
    """The journal's entries are lines like those of a file; its refusal is no finding."""
    tool = shared_folder / "journalctl"
    tool.write_text(
        textwrap.dedent("""\
            #!/bin/sh
            case "$*" in *denied*) echo 'No journal files were opened' >&2; exit 1;; esac
            echo '{"__REALTIME_TIMESTAMP": "1771149600000000", "MESSAGE": "started"}'
            echo '{"__REALTIME_TIMESTAMP": "1771149601000000", "MESSAGE": [98, 97, 100]}'
            """),
        encoding="utf-8",
    )
    tool.chmod(0o755)
    env = {"PATH": f"{shared_folder}:/usr/bin:/bin"}
    seen = facts("log", environ=env, unit="backend", pattern="bad")

    assert seen["last_lines"] == ["started", "bad"]
    assert (seen["count"], seen["matches"][0]["at_s"]) == (1, 1771149601.0)
    assert facts("python_traceback", environ=env, unit="backend")["found"] is False
    assert reason("log", environ=env, unit="denied") == "journalctl: No journal files were opened"


NOW = time.mktime((2026, 3, 1, 12, 0, 0, 0, 0, -1))
# 2026-02-15 10:00:05 in UTC.
IN_UTC = datetime.datetime(2026, 2, 15, 10, 0, 5, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2026-02-15T10:00:05Z up", IN_UTC),
        ("2026-02-15T10:00:05.25+01:00 up", IN_UTC - 3600 + 0.25),
        ("[2026-02-15 10:00:05 -0530] up", IN_UTC + 5.5 * 3600),
        ("::1 - - [15/Feb/2026:10:00:05 +0000] GET", IN_UTC),
        ("2026/02/15 10:00:05 [error] 7#7: *1 x", MOMENT),
        ("Feb 15 10:00:05 web1 app[1]: up", MOMENT),
        ("Dec  5 10:00:05 web1 app[1]: up", time.mktime((2025, 12, 5, 10, 0, 5, 0, 0, -1))),
        ("2026-02-31 10:00:05 never", None),
        ("2026-02-15 25:00:05 never", None),
        ("Foo 15 10:00:05 never", None),
        ("no moment at all", None),
        ("x" * 200 + " 2026-02-15T10:00:05Z", None),
    ],
)
def test_moments_of_lines(line: str, expected: float | None) -> None:
    """Every usual notation of a moment is read; what only looks like one is none."""
    assert read_moment(line, NOW) == expected


def _run(folder: Path, code: str, *, module: str = "") -> str:
    """Return what Python prints when it runs this."""
    (folder / "main.py").write_text(textwrap.dedent(code), encoding="utf-8")
    words = ["-m", module] if module else ["main.py"]
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stderr


def _find(text: str) -> dict[str, Any]:
    return tracebacks.facts_of(tracebacks.find_last(text.splitlines()))


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """Return the folder of an application with models."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("VERSION = 1\n", encoding="utf-8")
    (tmp_path / "models" / "user.py").write_text("class AdminUser: ...\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("x = 1\ny = = 2\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "x = 1\nfrom models import ScrapeSession",
            {"type": "ImportError", "module": "models", "name": "ScrapeSession", "line": 2},
        ),
        (
            "from core.auth import get_current_user",
            {"type": "ModuleNotFoundError", "module": "core", "name": None, "line": 1},
        ),
        (
            "import models.missing",
            {"type": "ModuleNotFoundError", "module": "models.missing", "name": None},
        ),
        (
            "from models.user import User",
            {"type": "ImportError", "module": "models.user", "name": "User", "line": 1},
        ),
        (
            "import importlib\nimportlib.import_module('models.nothing')",
            {"type": "ModuleNotFoundError", "module": "models.nothing"},
        ),
        ("import broken", {"type": "SyntaxError", "line": 2, "function": None}),
        (
            "def inner():\n    raise KeyError('port')\ninner()",
            {"type": "KeyError", "message": "'port'", "line": 2, "function": "inner"},
        ),
        ("assert False", {"type": "AssertionError", "message": ""}),
        (
            "try:\n    import nothing_here\nexcept ImportError as e:\n    raise RuntimeError('no') from e",
            {
                "type": "RuntimeError",
                "message": "no",
                "chain": ["ModuleNotFoundError: No module named 'nothing_here'"],
            },
        ),
        ("def f(): f()\nf()", {"type": "RecursionError", "function": "f"}),
    ],
)
def test_tracebacks_of_python(application: Path, code: str, expected: dict[str, object]) -> None:
    """What Python prints when it fails is read: the error, and the file and line that raised it."""
    seen = _find("2026-02-15 10:00:00 INFO starting\n" + _run(application, code) + "after\n")

    assert expected.items() <= seen.items()
    if "importlib" not in code:
        name = "broken.py" if "broken" in code else "main.py"
        assert seen["file"] == str(application / name)
        assert seen["application_file"] == seen["file"]


def test_the_last_traceback_counts(tmp_path: Path) -> None:
    """Of several tracebacks in a log the last one is told, with its moment and its place."""
    log = tmp_path / "app.log"
    first, last = (_run(tmp_path, f"raise ValueError({number})") for number in (1, 2))
    text = f"2026-02-15 10:00:00 up\n{first}2026-02-15 10:00:05 up\n"
    log.write_text(text + last + "later\n", encoding="utf-8")
    seen = facts("python_traceback", path=str(log))

    assert (seen["found"], seen["type"], seen["message"]) == (True, "ValueError", "2")
    assert seen["at_s"] == MOMENT
    assert seen["bytes_from_end"] == len(last) + len("later\n")
    assert seen["text"] == last.rstrip("\n")
    assert set(seen) == set(PROBE_TYPES["python_traceback"].facts)
    assert not facts("python_traceback", path=str(log), since=MOMENT + 1)["found"]


def test_a_traceback_from_before_the_last_start_does_not_count(tmp_path: Path) -> None:
    """Once the application has started after a traceback, what is wrong now is something else."""
    log = tmp_path / "app.log"
    started = "INFO:     Application startup complete.\n"
    failed = _run(tmp_path, "import nothing_here")
    log.write_text(started + failed, encoding="utf-8")
    after = "startup complete"
    assert facts("python_traceback", path=str(log), after=after)["module"] == "nothing_here"
    assert facts("log", path=str(log), after=after, pattern="Error")["count"] == 1

    log.write_text(started + failed + started + "ERROR:    [Errno 98]\n", encoding="utf-8")
    assert not facts("python_traceback", path=str(log), after=after)["found"]
    seen = facts("log", path=str(log), after=after, pattern="Error")
    assert (seen["count"], seen["last_lines"]) == (0, ["ERROR:    [Errno 98]"])
    assert facts("python_traceback", path=str(log), after="never said")["found"]

    # One that says so before it has imported anything, and is started again and again.
    for nth, expected in ((2, True), (3, True), (1, False)):
        seen = facts("python_traceback", path=str(log), after=after, after_nth=nth)
        assert seen["found"] is expected


def test_tracebacks_with_something_before_every_line(application: Path) -> None:
    """The names that container logs put before every line do no harm."""
    text = _run(application, "import models.missing")
    prefixed = "".join(f"api-1  | {line}\n" for line in text.splitlines())

    assert _find(prefixed)["module"] == "models.missing"


def test_exception_groups(tmp_path: Path) -> None:
    """A group of exceptions is found like a single one."""
    text = _run(tmp_path, "raise ExceptionGroup('both', [ValueError(1), KeyError(2)])")

    assert _find(text)["type"] in ("ExceptionGroup", "ValueError", "KeyError")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            'ERROR:    Error loading ASGI app. Could not import module "app.main".',
            {"type": "ImportFromStringError", "module": "app.main", "name": None},
        ),
        (
            'ERROR:    Error loading ASGI app. Attribute "ap" not found in module "app.main".',
            {"type": "ImportFromStringError", "module": "app.main", "name": "ap"},
        ),
    ],
)
def test_what_uvicorn_prints_instead(line: str, expected: dict[str, object]) -> None:
    """Where uvicorn prints no traceback its own message is read."""
    assert expected.items() <= _find(f"INFO: up\n{line}\n").items()


def test_what_is_no_traceback() -> None:
    """Half a traceback, and text that mentions one, are none."""
    for text in (
        "all is well",
        "Traceback (most recent call last):",
        'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n',
        "he said Traceback (most recent call last): and left\nNo, he did not!\n",
    ):
        assert _find(text)["type"] is None


LINES = st.sampled_from(
    [
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in f',
        "    x = 1",
        "ValueError: no",
        "During handling of the above exception, another exception occurred:",
        "",
        "2026-02-15 10:00:00 up",
        "  + Exception Group Traceback (most recent call last):",
    ]
)


@given(st.lists(LINES, max_size=20), st.randoms(use_true_random=False))
def test_a_line_without_a_moment_has_that_of_the_line_before(
    lines: list[str], random: Random
) -> None:
    """In whatever order lines are asked when they were written, it is their own or the last moment."""
    rows = split_lines("\n".join(lines).encode(), NOW)
    moments: list[float | None] = []
    for row in rows:
        own = read_moment(row.text, NOW)
        moments.append(own if own is not None or not moments else moments[-1])

    order = random.sample(range(len(rows)), len(rows))

    assert {number: rows[number].at_s for number in order} == dict(enumerate(moments))


@given(st.lists(LINES | st.text(), max_size=60))
def test_no_log_breaks_the_readers(lines: list[str]) -> None:
    """Whatever stands in a log, reading it ends without an error."""
    text = "\n".join(lines)
    tracebacks.facts_of(tracebacks.find_last(lines))
    rows = split_lines(text.encode("utf-8", "replace"), time.time())
    assert not rows or rows[0].bytes_after == len(text.encode("utf-8", "replace"))
    parse_journal(text)
    parse_journal(f'{{"__REALTIME_TIMESTAMP": "1", "MESSAGE": [{len(text)}, 7]}}')
    for line in lines:
        read_moment(line, NOW)
