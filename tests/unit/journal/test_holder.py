"""Whether the process that drives a run still lives."""

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.journal.holder import alive, this_process
from tests.contract.journals import dead, holder_of, living


def test_this_process_lives() -> None:
    """The holder of this process is alive, and the same each time."""
    assert alive(this_process()) is True
    assert this_process() == this_process()
    assert this_process().pid == os.getpid()


def test_another_process_lives_until_it_ends() -> None:
    """A process is alive while it runs, also when it is stopped, and dead afterwards."""
    with living() as holder:
        assert alive(holder) is True
        os.kill(holder.pid, signal.SIGSTOP)
        assert alive(holder) is True

    assert alive(holder) is False


def test_a_process_that_nobody_reaped_is_dead() -> None:
    """A zombie has its id still, and drives nothing."""
    with subprocess.Popen(["sleep", "60"]) as process:
        holder = holder_of(process.pid)
        process.kill()
        while ") Z " not in Path(f"/proc/{process.pid}/stat").read_text():
            time.sleep(0.001)

        assert alive(holder) is False


def test_another_process_with_the_same_id_is_not_the_holder() -> None:
    """An id that was given to a new process does not keep a dead run alive."""
    here = this_process()
    assert here.started is not None

    assert alive(replace(here, started=here.started - 1)) is False


def test_a_process_of_an_earlier_boot_is_dead() -> None:
    """After a restart of the machine, whatever ran before is gone."""
    here = replace(this_process(), machine=this_process().machine)

    expected = None if here.machine is None else False
    assert alive(replace(here, boot="00000000-0000-0000-0000-000000000000")) is expected


@pytest.mark.parametrize(
    "change",
    [
        {"controller": "laptop.example"},
        {"machine": "0000000000000000"},
        {"namespace": 1},
        {"boot": None},
        {"started": None},
    ],
)
def test_what_cannot_be_told_is_not_guessed(change: dict[str, object]) -> None:
    """Of another machine, another pid namespace, or with a fact missing, nothing is claimed."""
    assert alive(replace(this_process(), **change)) is None  # type: ignore[arg-type]


def test_a_dead_process_elsewhere_is_not_known_to_be_dead() -> None:
    """That an id is free here says nothing about another machine."""
    assert alive(replace(dead(), controller="laptop.example")) is None
