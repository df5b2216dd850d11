"""A runbook that was read before is read quickly, and never as it no longer is."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.spec import library
from runbook.spec.loading import have_at_hand, load

CALLING = """
runbook: calling
title: {title}
causes: {{lost: {{title: It is lost}}}}
steps:
  - check: there
    title: It is there
    probe: {{file: {{path: /somewhere}}}}
    next: {{passed: deeper, failed: mend}}
  - call: deeper
    title: Look deeper
    runbook: called
    next: {{healthy: end(healthy), unresolved: end(unresolved)}}
  - fix: mend
    title: Mend it
    cause: lost
    role: {{name: mending}}
    verify: {{symptom: there}}
"""

CALLED = """
runbook: called
title: Called
steps:
  - check: seen
    title: It is seen
    probe: {{file: {{path: {path}}}}}
    next: {{passed: end(healthy), failed: end(unresolved)}}
"""

CARELESS = """
- {ansible.builtin.command: ls, register: seen}
- {ansible.builtin.shell: "touch {{ seen.stdout }}"}
"""


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which runbooks are kept as read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "runbook"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a library with a runbook that calls another and uses a role."""
    place = tmp_path / "runbooks"
    (place / "roles" / "mending" / "tasks").mkdir(parents=True)
    (place / "calling.yml").write_text(CALLING.format(title="Calling"))
    (place / "called.yml").write_text(CALLED.format(path="/first"))
    return place


def test_what_was_kept_is_what_would_be_read(folder: Path, kept: Path) -> None:
    """The second time the same runbook comes from one small file, equal in every part."""
    anew = library.load("calling", [folder])

    assert load("calling", [folder]) == anew
    (file,) = kept.iterdir()
    before = file.stat().st_ino
    assert load("calling", [folder]) == anew
    assert file.stat().st_ino == before


def test_it_spares_what_reads_and_checks(folder: Path) -> None:
    """The second time neither YAML nor templates nor schemas are imported."""
    program = (
        "import sys; from pathlib import Path; from runbook.spec.loading import load\n"
        f"load('calling', [Path({str(folder)!r})])\n"
        "print([name for name in ('yaml', 'jinja2', 'jsonschema') if name in sys.modules])\n"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout.strip()
        for _ in range(2)
    ]

    assert printed[0] != "[]"
    assert printed[1] == "[]"


def test_any_change_is_seen(folder: Path) -> None:
    """A change in the file or in one it calls, and a called one that another folder now has."""
    load("calling", [folder])
    (folder / "calling.yml").write_text(CALLING.format(title="Changed"))
    assert load("calling", [folder]).title == "Changed"

    stat = (folder / "called.yml").stat()
    (folder / "called.yml").write_text(CALLED.format(path="/other"))
    os.utime(folder / "called.yml", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert load("calling", [folder]) == library.load("calling", [folder])
    assert "/other" in str(load("calling", [folder]).steps["deeper/seen"])


def test_what_is_at_hand_is_used_while_nothing_has_changed(folder: Path, kept: Path) -> None:
    """Whoever loads it is given the very same, and another one once a file or what was kept changes."""
    load("calling", [folder])
    have_at_hand("calling", [folder])
    first = load("calling", [folder])

    assert load("calling", [folder]) is first
    (folder / "calling.yml").write_text(CALLING.format(title="Changed"))
    assert load("calling", [folder]).title == "Changed"
    with pytest.raises(RunbookError, match="no runbook"):
        have_at_hand("nothing", [folder])
    [file] = kept.glob("runbook-*")
    file.unlink()
    have_at_hand("calling", [folder])
    assert load("calling", [folder]) is not first


def test_what_is_no_longer_sound_is_refused(folder: Path) -> None:
    """A role that is gone or careless now, or a called runbook: it is told, whatever was kept."""
    load("calling", [folder])
    (folder / "roles" / "mending").rename(folder / "roles" / "other")
    with pytest.raises(RunbookError, match="unknown-role"):
        load("calling", [folder])
    (folder / "roles" / "other").rename(folder / "roles" / "mending")
    load("calling", [folder])

    (folder / "roles" / "mending" / "tasks" / "main.yml").write_text(CARELESS)
    with pytest.raises(RunbookError, match="host-data-in-shell"):
        load("calling", [folder])
    (folder / "roles" / "mending" / "tasks" / "main.yml").unlink()
    load("calling", [folder])

    (folder / "called.yml").unlink()
    with pytest.raises(RunbookError, match="unknown-runbook"):
        load("calling", [folder])


class _Harm:
    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self._place,)


def test_a_kept_file_can_do_nothing(folder: Path, kept: Path, tmp_path: Path) -> None:
    """Neither rubbish nor a pickle that would call something is used; the runbook is read anew."""
    anew = load("calling", [folder])
    (file,) = kept.iterdir()
    sound = file.read_bytes()
    harm = pickle.dumps(({}, _Harm(tmp_path / "harm")))
    for content in (b"", b"rubbish", sound[:-20], harm, pickle.dumps(({}, 7)), pickle.dumps(3)):
        file.write_bytes(content)
        assert load("calling", [folder]) == anew
        assert not (tmp_path / "harm").exists()
