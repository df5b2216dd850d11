"""Which past runs may be forgotten: not those that can still be gone on with or taken back."""

from dataclasses import replace

from runbook.driver.retention import forgettable
from runbook.errors import RunbookError
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import AnsibleTasks, Fix, Runbook
from runbook.model.event import Mode
from tests.unit.driver.stage import ONE_FIX, Person, Stage, host


def with_undo() -> Runbook:
    """Return the runbook, its fix with an undo."""
    fix = ONE_FIX.steps["restart"]
    assert isinstance(fix, Fix)
    undo = AnsibleTasks(bodies=({"ansible.builtin.command": "true"},))
    return replace(ONE_FIX, steps={**ONE_FIX.steps, "restart": replace(fix, undo=undo)})


def gone(name: str) -> Runbook:
    """Find no runbook."""
    raise RunbookError.of("unknown-runbook", name)


def test_old_runs_that_nobody_can_take_back_are_found() -> None:
    """A fix without undo, or whose runbook is gone, a diagnosis; not what is young or undoable."""
    journal = MemoryJournal()
    for run, now, mode in (("old", 1.0, Mode.RUN), ("look", 2.0, Mode.DIAGNOSE)):
        Stage(
            runbook=ONE_FIX, hosts={"w": host()}, journal=journal, run=run, now=now, mode=mode
        ).play()
    declined = Person(says=lambda _: frozenset())
    Stage(
        runbook=ONE_FIX,
        hosts={"w": host()},
        journal=journal,
        run="young",
        now=9.0,
        operator=declined,
    ).play()
    Stage(runbook=ONE_FIX, hosts={"w": host()}, journal=journal, run="begun", now=1.0).begin()

    def found(load: object) -> list[str]:
        return [run.id for run in forgettable(journal, 5.0, load)]  # type: ignore[arg-type]  # as given

    assert found(lambda _: ONE_FIX) == ["look", "old"]
    assert found(gone) == ["look", "old"]
    assert found(lambda _: with_undo()) == ["look"]
