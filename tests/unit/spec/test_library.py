"""Finding, loading and checking runbooks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runbook.errors import RunbookError, Severity
from runbook.spec.library import check, load
from runbook.spec.listing import summaries
from runbook.spec.places import roles_path
from tests.unit.spec.writing import CHECK, write

EXAMPLES = Path(__file__).parents[2] / "runbooks"


def _refused(name: str, *search_path: Path) -> RunbookError:
    with pytest.raises(RunbookError) as caught:
        load(name, search_path)
    return caught.value


def test_the_first_folder_that_has_it_wins(tmp_path: Path) -> None:
    """Folders are searched in order; a name is found under either suffix."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write(two, "a", CHECK)
    write(one, "a", CHECK).rename(one / "a.yaml")

    assert load("a", [one, two]).folder == str(one)
    assert load("a", [two, one]).folder == str(two)


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    """With a suffix or a folder, the argument is a file's path and not a name."""
    path = write(tmp_path, "a", CHECK)

    assert load(str(path), []).name == "a"
    assert _refused(str(tmp_path / "b.yml")).problems[0].reference == "unreadable-file"


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe nobody writes to and a device that never ends are refused, also through a link."""
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "device.yml").symlink_to("/dev/zero")

    for name in ("pipe.yml", "device.yml"):
        (problem,) = _refused(str(tmp_path / name)).problems
        assert problem.reference == "unreadable-file"
        assert "not a regular file" in problem.message


def test_of_a_file_that_is_far_too_large_only_a_part_is_read(tmp_path: Path) -> None:
    """A terabyte of nothing, and a bomb of aliases, are refused with their place at once."""
    huge = tmp_path / "huge.yml"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    bomb = tmp_path / "bomb.yml"
    lines = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    bomb.write_text("l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(lines))

    for path, reference in ((huge, "file-too-large"), (bomb, "yaml-too-large")):
        (problem,) = _refused(str(path)).problems
        assert problem.reference == reference
        assert problem.where is not None


def test_an_unknown_name_is_helped_along() -> None:
    """The error says where was looked, and what there is of a similar name."""
    (problem,) = _refused("minmal", EXAMPLES).problems

    assert problem.reference == "unknown-runbook"
    assert problem.context == f"Looked in: {EXAMPLES}."
    assert problem.hint == 'Did you mean "minimal"?'


def test_loading_names_all_problems_at_once(tmp_path: Path) -> None:
    """All problems of the file and of those it calls are in one error, in order of their places."""
    write(tmp_path, "b", CHECK.replace("title", "titel"))
    call = "- {call: down, title: Down, runbook: b, next: {healthy: nowhere}}\n"
    error = _refused("a", write(tmp_path, "a", call + CHECK.replace("url", "ulr")).parent)

    places = [str(problem.where) for problem in error.problems]
    assert places == sorted(places)
    assert {problem.reference for problem in error.problems} == {
        "missing-key",
        "unknown-key",
        "unknown-step",
    }
    assert len({problem.where.path for problem in error.problems if problem.where}) == 2
    assert error.exit_code == 2


def test_warnings_stop_nothing(tmp_path: Path) -> None:
    """A runbook with warnings only is loaded; checking it shows them."""
    steps = (
        '- {check: site, title: T, probe: {command: {shell: "ls {{ folder }}"}}, '
        "passes: site.rc == 0, read_only: true, next: end(escalated)}\n"
    )
    path = write(tmp_path, "a", steps, params="{folder: {type: string}}")

    assert load("a", [tmp_path]).name == "a"
    assert [problem.severity for problem in check([path])] == [Severity.WARNING]


def test_runbooks_that_call_each_other_are_refused(tmp_path: Path) -> None:
    """A circle of calls is an error that names the whole circle."""
    write(tmp_path, "a", "- {call: down, title: Down, runbook: b}\n")
    write(tmp_path, "b", "- {call: up, title: Up, runbook: a}\n")

    (problem,) = _refused("a", tmp_path).problems
    assert problem.reference == "recursive-call"
    assert "a → b → a" in problem.message


def test_a_folder_is_checked_file_by_file(tmp_path: Path) -> None:
    """Checking a folder checks the runbooks in it, and no problem is named twice."""
    write(tmp_path, "a", CHECK.replace("url", "ulr"))
    write(tmp_path, "b", "- {call: down, title: Down, runbook: a}\n")
    (tmp_path / "notes.txt").write_text("nothing")

    problems = check([tmp_path])
    assert [problem.reference for problem in problems] == ["missing-key", "unknown-key"]
    assert check([EXAMPLES]) == []


def test_roles_are_looked_for_within_and_beside(tmp_path: Path) -> None:
    """Roles lie in `roles` of a runbook's folder, or beside that folder; the message says so."""
    folder = tmp_path / "runbooks"
    folder.mkdir()
    fix = (
        CHECK.replace("end(escalated)", "repair")
        + "- {fix: repair, title: T, role: {name: web}, verify: {symptom: site}}\n"
    )
    write(folder, "a", fix)
    (problem,) = _refused("a", folder).problems
    assert problem.reference == "unknown-role"
    assert problem.context == f"Looked in: {folder / 'roles'}, {tmp_path / 'roles'}."

    (tmp_path / "roles" / "web").mkdir(parents=True)
    assert load("a", [folder]).name == "a"
    assert roles_path([folder]) == (folder / "roles", tmp_path / "roles")


def test_summaries_read_no_further_than_the_steps(tmp_path: Path) -> None:
    """A runbook is listed by its head, even where its steps are unsound or not even YAML."""
    path = tmp_path / "a.yml"
    path.write_text('runbook: a\ntitle: Works\nsymptoms: [slow, "502"]\nsteps: [\n')
    (tmp_path / "broken.yml").write_text("[")
    (tmp_path / "late.yaml").write_text("steps: []\ntitle: Late\n")

    found = {summary.name: summary for summary in summaries([tmp_path, EXAMPLES])}
    assert list(found) == sorted(found)
    assert (found["a"].title, found["a"].symptoms, found["a"].path) == (
        "Works",
        ("slow", "502"),
        path,
    )
    assert found["broken"].title == ""
    assert found["late"].title == "Late"
    assert found["minimal"].title == "The site does not answer"
    assert summaries([tmp_path / "nowhere"]) == []


@pytest.mark.parametrize(
    ("text", "title", "symptoms"),
    [
        ("title: One\nsymptoms: [a, b]\nsteps: []\n", "One", ("a", "b")),
        ("title: >\n  Two\n  lines\n", "Two lines", ()),
        ("description: |\n  steps: none\ntitle: Three\n", "Three", ()),
        ("params: {a: {title: no}, title: no}\ntitle: Four\nsymptoms: one\n", "Four", ("one",)),
        ("? [a, b]\n: title\ntitle: Five\n", "Five", ()),
        ("a: &a x\nb: *a\ntitle: Six\n", "Six", ()),
        ("- title\n- One\n", "", ()),
        ("title\n", "", ()),
        ("", "", ()),
        ("title: Seven\nother: " + "[" * 100_000, "Seven", ()),
        ("- " * 100_000, "", ()),
    ],
)
def test_a_head_is_read_whatever_it_holds(
    tmp_path: Path, text: str, title: str, symptoms: tuple[str, ...]
) -> None:
    """Title and symptoms are those of the runbook itself; no file ends the listing of others."""
    (tmp_path / "a.yml").write_text(text)

    (summary,) = summaries([tmp_path])
    assert (summary.title, summary.symptoms) == (title, symptoms)


def test_listing_imports_neither_schema_nor_templates() -> None:
    """`runbook list` pays for YAML alone."""
    code = (
        "import sys; from pathlib import Path; from runbook.spec.listing import summaries\n"
        f"assert summaries([Path({str(EXAMPLES)!r})])\n"
        "print(*sorted({'jsonschema', 'jinja2', 'ansible', 'rich'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    assert result.stdout.split() == []


def test_a_long_runbook_is_checked_quickly(tmp_path: Path) -> None:
    """A runbook of 300 lines costs a fresh process little, and never imports Ansible."""
    step = (
        "- check: s{n}\n  title: Step {{{{ base }}}}\n  probe:\n    http:\n"
        '      url: "http://127.0.0.1:{{{{ base }}}}/{n}"\n'
        "  passes: s{n}.answered and s{n}.status == 200\n"
        "  next:\n    passed: s{m}\n    failed: end(escalated)\n    unknown: end(unknown)\n"
    )
    steps = "".join(step.format(n=n, m=n + 1) for n in range(30)) + CHECK.replace("site", "s30")
    path = write(tmp_path, "a", steps, params="{base: {type: integer}}")
    assert len(path.read_text().splitlines()) >= 300
    code = (
        "import sys, time; from pathlib import Path; from runbook.spec.library import check\n"
        f"assert check([Path({str(path)!r})]) == []\n"
        "assert not {'ansible', 'ansible_runner', 'rich'} & set(sys.modules)\n"
        "print(time.process_time())"
    )
    libraries = "import jinja2, jsonschema, yaml, time; print(time.process_time())"
    # The least of three: other work on the machine only ever adds. Measured 0.25 s, 0.17 s of it
    # for the libraries, where this was written.
    spent, imports = (min(_cpu_seconds(each) for _ in range(3)) for each in (code, libraries))
    assert spent < 2.5 * imports


def _cpu_seconds(code: str) -> float:
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
