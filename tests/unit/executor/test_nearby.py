"""Probes that look from the controller, asked by a process that forks."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from runbook.executor.content.module_utils.runbook_probes import batch
from runbook.executor.nearby import ask_controller, get_ready
from runbook.executor.probing import module_request


def request(type_: str, **args: Any) -> dict[str, Any]:
    """Return a request of one probe."""
    probe = {"id": "it", "type": type_, "args": args, "timeout": 20.0, "as": None}
    return module_request([probe], None)


def children() -> set[int]:
    """Return the processes that this one has started and not waited for."""
    return {int(pid) for pid in Path("/proc/thread-self/children").read_text().split()}


def test_two_look_side_by_side_and_leave_nothing() -> None:
    """Each answers for itself, in whatever order it is asked for, and no process stays behind."""
    get_ready(["load", "host"])
    before = children()

    first, second = ask_controller(request("load")), ask_controller(request("host"))

    assert second()["answers"]["it"]["facts"]["python"]
    assert first()["answers"]["it"]["facts"]["cpus"] >= 1
    assert children() == before


def test_what_we_do_about_signals_is_not_done_there() -> None:
    """A command that looks can be told to end, though this process would not."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        told = ask_controller(request("command", argv=["grep", "SigIgn", "/proc/self/status"]))()
    finally:
        signal.signal(signal.SIGTERM, before)

    ignored = int(told["answers"]["it"]["facts"]["stdout"].split()[-1], 16)
    assert not ignored & 1 << (signal.SIGTERM - 1)


def test_one_that_is_killed_has_not_looked() -> None:
    """Then that is said, at once, and nothing is waited for."""
    before = children()
    answer = ask_controller(request("command", argv=["sleep", "3"]))
    for pid in children() - before:
        os.kill(pid, signal.SIGKILL)

    assert "the controller's probe did not answer" in answer()["could_not"]


@pytest.mark.parametrize(
    ("type_", "args"),
    [
        ("http", {"url": ""}),
        ("http", {"url": "192.0.2.1"}),
        ("http", {"url": "http://a b"}),
        ("http", {}),
        ("tcp", {"host": "127.0.0.1", "port": "none"}),
        ("no_such", {}),
    ],
)
def test_nobody_is_asked_what_cannot_be_asked(
    type_: str, args: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments that nothing can come of are refused in the words of the probe, and without a process."""
    expected = batch.answer(request(type_, **args))["answers"]
    monkeypatch.setattr(os, "fork", None)
    told = ask_controller(request(type_, **args))()["answers"]

    assert told["it"]["looked"] is False
    assert told["it"]["reason"] == expected["it"]["reason"]  # type: ignore[index]


def test_one_that_can_be_asked_has_all_be_asked() -> None:
    """What is refused is answered beside what is looked at."""
    both = request("load")
    both["probes"].append({**request("http", url="")["probes"][0], "id": "other"})
    told = ask_controller(both)()["answers"]

    assert [told[id_]["looked"] for id_ in ("it", "other")] == [True, False]
