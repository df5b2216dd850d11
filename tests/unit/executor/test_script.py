"""The probes as one program for a host's Python."""

import json
import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from runbook.executor.content.module_utils.runbook_probes.sent import BROKE
from runbook.executor.probing import module_request, without_twins
from runbook.executor.script import answer_in, command, program


def probe(id_: str, **more: Any) -> dict[str, Any]:
    """Return a rendered probe."""
    return {"id": id_, "type": "load", "args": {}, "timeout": 5.0, "as": None, **more}


def run(
    start: str, sent: bytes, folder: Path, **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program as a host's shell would."""
    return subprocess.run(
        ["/bin/sh", "-c", start],
        input=sent,
        cwd=folder,
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        check=False,
    )


def test_a_bare_python_answers(tmp_path: Path) -> None:
    """The program needs nothing but Python, and prints one line of JSON with all answers."""
    request = module_request([probe("load"), probe("text", type="file", args={"path": "/"})], None)

    done = run(command(sys.executable, []), program(request), tmp_path)

    assert done.stderr == b""
    [line] = done.stdout.splitlines()
    answers = json.loads(line)["answers"]
    assert answers["load"]["facts"]["cpus"] >= 1
    assert answers["text"]["facts"]["exists"] is True


def test_nothing_is_imported_from_where_it_starts(tmp_path: Path) -> None:
    """A json.py in the login's home is not taken for Python's, and nothing is written there."""
    (tmp_path / "json.py").write_text("raise SystemExit('taken')")
    (tmp_path / "selectors.py").write_text("raise SystemExit('taken')")

    done = run(
        command(sys.executable, []), program(module_request([probe("load")], None)), tmp_path
    )

    assert json.loads(done.stdout)["answers"]["load"]["looked"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["json.py", "selectors.py"]


def test_what_is_compiled_is_for_one_kind_of_python(tmp_path: Path) -> None:
    """A Python of the sender's kind compiles nothing again; one of another kind compiles sources."""
    magic, starter, compiled, asked, sources, codes = marshal.loads(
        program(module_request([probe("load")], None))
    )
    start = command(sys.executable, [])
    nothing = dict.fromkeys(sources, b"")

    same = run(start, marshal.dumps((magic, "", compiled, asked, nothing, codes)), tmp_path)
    other = run(start, marshal.dumps((b"other", starter, b"", asked, sources, nothing)), tmp_path)

    for done in (same, other):
        assert json.loads(done.stdout)["answers"]["load"]["looked"] is True


def test_only_what_is_asked_for_is_sent(tmp_path: Path) -> None:
    """The modules of other probes stay here; those that are imported by what is sent go along."""
    told = marshal.loads(program(module_request([probe("state", type="service")], None)))
    sources = {name.rpartition(".")[2] for name in told[4]}

    assert {"batch", "services", "processes", "supervisord"} <= sources
    assert not {"web", "nginx", "activity"} & sources
    assert told[4].keys() == told[5].keys()


def test_a_python_that_needs_what_is_beside_it_is_started_with_it(tmp_path: Path) -> None:
    """One that was set and does not start alone is started as it was set, and then reads the program."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" != -S ] || {{ echo alone >&2; exit 1; }}\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)

    done = run(command(str(python), []), program(module_request([probe("load")], None)), tmp_path)

    assert done.stderr.split() == [b"alone"]
    assert json.loads(done.stdout)["answers"]["load"]["looked"] is True


def test_the_first_python_that_starts_answers(tmp_path: Path) -> None:
    """Of the candidates one that is not there, or does not start, leaves the program to the next."""
    for name, code in (("of-another-version", 127), ("without-its-library", 1)):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} >&2\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    names = ["no-such-python", "./of-another-version", "./without-its-library", sys.executable]

    done = run(
        command(None, [*names, "also-none"]),
        program(module_request([probe("load")], None)),
        tmp_path,
    )

    assert done.stderr.split() == [b"of-another-version", b"without-its-library"]
    assert json.loads(done.stdout)["answers"]["load"]["looked"] is True


def test_a_program_that_breaks_is_given_to_no_other_python(tmp_path: Path) -> None:
    """It ends with a code of its own, and with what went wrong as the last thing that is said."""
    start = command(None, [sys.executable, "python3"])

    done = run(start, program({"probes": [{"timeout": "soon"}]}), tmp_path)

    assert (done.returncode, done.stdout) == (BROKE, b"")
    assert done.stderr.splitlines()[-1].startswith(b"ValueError: ")


def test_what_a_login_prints_comes_before() -> None:
    """The answer is the last line, whatever is printed ahead of it; no answer is none."""
    assert answer_in('Welcome!\n{"a": 1}\n{"answers": {}}\n') == {"answers": {}}
    assert answer_in("Welcome!\n") is None
    assert answer_in("[1]\n") is None
    assert answer_in("") is None


def test_the_same_question_is_asked_once() -> None:
    """Probes that differ in nothing but their ids are one; any other difference keeps them apart."""
    asked, answered_by = without_twins(
        [
            probe("one", args={"a": 1, "b": 2}),
            probe("two", args={"b": 2, "a": 1}),
            probe("other", args={"a": 2, "b": 2}),
            probe("user", args={"a": 1, "b": 2}, **{"as": "www-data"}),
            probe("slow", args={"a": 1, "b": 2}, timeout=9.0),
        ]
    )

    assert [each["id"] for each in asked] == ["one", "other", "user", "slow"]
    assert answered_by == {
        "one": "one",
        "two": "one",
        "other": "other",
        "user": "user",
        "slow": "slow",
    }
