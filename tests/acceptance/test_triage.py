"""`runbook triage` on a real host: several runbooks, one look, and straight into the one that fits."""

from pathlib import Path

from tests.acceptance.program import PATIENCE_S, Program

BESIDE = """\
runbook: beside
title: Another runbook with params of the same names
params:
  flag: {type: string, default: /nowhere}
  takes: {type: integer, default: 7}
causes:
  gone: {title: It is gone}
steps:
  - check: there
    title: "{{ flag }} is there, {{ takes }}"
    probe: {file: {path: "{{ flag }}"}}
    passes: there.exists and takes == 7
    cause: gone
    next: {passed: end(healthy), failed: end(unresolved)}
"""

LACKING = """\
runbook: lacking
title: A runbook that no host of this inventory has the params of
params:
  service: {type: string}
steps:
  - check: runs
    title: It runs
    probe: {file: {path: "/etc/{{ service }}"}}
    passes: runs.exists
    next: {passed: end(healthy), failed: end(unresolved)}
"""


SYMPTOM = "the flag is gone"


def _add_runbooks(library: Path) -> None:
    """Put these runbooks beside the counted fix, all with one symptom that no other has."""
    texts = {path.name: path.read_text() for path in library.iterdir()}
    texts |= {"beside.yml": BESIDE, "lacking.yml": LACKING}
    texts["broken.yml"] = "runbook: broken\ntitle: No steps\n"
    for name, text in texts.items():
        (library / name).write_text(text.replace("title:", "symptoms: [flag is gone]\ntitle:", 1))


def test_each_runbook_is_looked_at_as_if_by_itself(program: Program, tmp_path: Path) -> None:
    """Inventory over defaults, each runbook's own default; a lack and a defect are named alone."""
    _add_runbooks(tmp_path / "runbooks")

    done = program("triage", "-i", "inventory.yml", "--host", "alive", "--json", SYMPTOM)

    assert done.code == 1, done.stderr
    told = {one["name"]: one for one in done.document["runbooks"]}
    assert [one["name"] for one in done.document["runbooks"]] == [
        "counted-fix",
        "beside",
        "lacking",
    ]
    assert told["counted-fix"]["command"] == (
        "runbook run counted-fix --host alive -i inventory.yml"
    )
    assert told["beside"]["hosts"]["alive"]["checks"][0]["title"] == (
        f"{tmp_path}/alive.flag is there, 7"
    )
    assert told["lacking"]["hosts"]["alive"]["lacking"] == [
        {"param": "service", "message": "it has no value"}
    ]
    assert list(done.document["unsound"]) == ["broken"]
    assert not (tmp_path / "alive.counter").exists()
    assert program("history", "--json").document["runs"] == []


def test_from_triage_straight_into_the_run(program: Program, tmp_path: Path) -> None:
    """At a terminal a number runs the runbook on the hosts it fits, with the same inventory."""
    _add_runbooks(tmp_path / "runbooks")
    call = ("triage", "-i", "inventory.yml", "--host", "alive", "--set", "takes=7", SYMPTOM)

    with program.at_terminal(*call) as (process, terminal):
        terminal.expect(r"1 to 2 \(Enter: none\)\?")
        assert "counted-fix: A file is missing" in (terminal.before or "")
        terminal.send("3\n")
        terminal.expect("Type a number")
        terminal.send("1\n")
        terminal.expect("runbook run counted-fix --host alive -i inventory.yml")
        terminal.expect(r"Enter is no")
        terminal.send("n why\n")
        terminal.expect("declined")
        assert process.wait(PATIENCE_S) == 3

    assert not (tmp_path / "alive.counter").exists()


def test_a_symptom_that_no_runbook_has_is_told(program: Program, tmp_path: Path) -> None:
    """Exit code 2 before any host is reached; without a host, too."""
    _add_runbooks(tmp_path / "runbooks")

    unknown = program("triage", "-i", "inventory.yml", "--host", "alive", "on fire")
    nowhere = program("triage")

    assert (unknown.code, nowhere.code) == (2, 2)
    assert 'no runbook has the symptom "on fire"' in unknown.stderr
    assert "no-host" in nowhere.stderr
