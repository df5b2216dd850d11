"""What all processes of a run cost together, whatever many hosts answer at the same time."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runbook.model.definition import CheckResult
from tests.executor.test_hostile import Theatre
from tests.executor_harness import carry_out, observe
from tests.security.sweeping import descendants

HOSTS = 10
EVERY_S = 0.02
MOST_BYTES = 360 << 20
"""Ten quiet hosts cost some 210 MiB; ten that flood, each bounded by itself alone, 1280 MiB."""


@dataclass(kw_only=True)
class Peak:
    """The most that the processes below this one had at one time, and how often that was looked at."""

    bytes: int = 0
    looks: int = 0


def _resident(pid: int) -> int:
    """Return a process's share of memory: what it has with others is divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # Gone meanwhile.
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def _plays_a_host(pid: int) -> bool:
    try:
        return b"/endless-" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


@contextmanager
def watched() -> Iterator[Peak]:
    """Look again and again at all processes that this one starts from now on, but for the hosts.

    A site or a database that an earlier test left running, for others, is not the run's.
    """
    peak = Peak()
    over = threading.Event()
    earlier = descendants(os.getpid())

    def look() -> None:
        while not over.wait(EVERY_S):
            found = descendants(os.getpid())
            others = {pid for pid in found if pid in earlier or _plays_a_host(pid)}
            ours = found - others - {child for pid in others for child in descendants(pid)}
            peak.bytes = max(peak.bytes, sum(map(_resident, ours)))
            peak.looks += 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def test_ten_endless_hosts_do_not_fill_the_memory(tmp_path: Path) -> None:
    """100 MB from each of ten hosts at once, to a probe and to a task: it costs hardly more than one."""
    theatre = Theatre(tmp_path)
    theatre.host("honest")
    for number in range(HOSTS):
        theatre.host(
            f"endless-{number}",
            {
                "runbook_probe": [
                    (b'{"answers": {"told": {"looked": true, "facts": {"content": "', 1),
                    (b"x" * 1_000_000, 100),
                    (b'"}}}}', 1),
                ],
                "find": [(b'{"changed": false, "msg": "', 1), (b"x" * 1_000_000, 100), (b'"}', 1)],
            },
        )
    executor = theatre.stage.executor(theatre.runbook, theatre.stage.inventory(theatre.hosts))

    with watched() as peak:
        looked = carry_out(executor, observe("told", "unit"))

    print(f"peak {peak.bytes / (1 << 20):.0f} MiB in {peak.looks} looks")
    assert looked.result("honest", "unit") is not CheckResult.UNKNOWN
    for number in range(HOSTS):
        host = f"endless-{number}"
        assert "too long" in (looked.seen(host, "told").reason or "")
        assert "too long" in (looked.seen(host, "unit").reason or "")
    assert peak.bytes < MOST_BYTES
