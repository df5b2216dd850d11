"""The bound on memory, in a process of its own: what it stops is a process that grows."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.acceptance.program import wait_until


def run(body: str) -> str:
    """Run a program that uses the bound; return what it says."""
    program = "from runbook.executor.guard import OverMemoryError, bounded_memory\n"
    done = subprocess.run(
        [sys.executable, "-c", program + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_a_process_that_grows_is_interrupted() -> None:
    """It stops near its limit, with what it was at thrown away, and goes on after it."""
    said = run("""
        import resource, subprocess, sys
        source = [sys.executable, "-c", "import sys\\nfor _ in range(800): sys.stdout.write('x' * 1000000)"]
        try:
            with bounded_memory(64 << 20):
                subprocess.run(source, capture_output=True, check=False)
            print("not interrupted")
        except OverMemoryError:
            print("interrupted", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 400_000)
    """)

    assert said == "interrupted True"


GROWING = """
import sys, time
from pathlib import Path
from runbook.executor import guard

folder, name, longest_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])

def say(what):
    with (folder / "log").open("a") as log:
        log.write(f"{name} {what}\\n")

guard.take_turns(folder / "turns")
guard.LONGEST_TURN_S = longest_s
say("comes")
with guard.bounded_memory(64 << 20):
    guard.expect_answer()
    kept = b"x" * (16 << 20)
    while not guard._turn:
        time.sleep(0.001)
    say("grows")
    sys.stdin.readline()
    say("ends")
"""


@pytest.mark.parametrize(
    ("longest_s", "told"),
    [
        (60.0, ["a comes", "a grows", "b comes", "a ends", "b grows", "b ends"]),
        (0.2, ["a comes", "a grows", "b comes", "b grows", "a ends", "b ends"]),
    ],
    ids=["in turn", "takes too long"],
)
def test_one_process_grows_far_at_a_time(tmp_path: Path, longest_s: float, told: list[str]) -> None:
    """The next one waits for its end, or for a while: who is slow is let be, and others go on."""
    (tmp_path / "turns").touch()
    log = tmp_path / "log"
    log.touch()

    def start(name: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-c", GROWING, str(tmp_path), name, str(longest_s)]
        return subprocess.Popen(program, stdin=subprocess.PIPE)

    with start("a") as first:
        wait_until(lambda: "a grows" in log.read_text())
        with start("b") as second:
            wait_until(lambda: told[2 if longest_s > 1 else 3] in log.read_text())
            time.sleep(0.3)  # In which the second would begin to grow, if it did not wait.
            first.communicate(b"\n")
            wait_until(lambda: "b grows" in log.read_text())
            second.communicate(b"\n")

    assert log.read_text().splitlines() == told


def test_a_process_that_does_not_grow_is_left_alone() -> None:
    """Nothing happens, and the signal does what it did before."""
    said = run("""
        import os, signal
        signal.signal(signal.SIGPROF, lambda *_: print("as before"))
        with bounded_memory(64 << 20):
            sum(range(100_000))
        os.kill(os.getpid(), signal.SIGPROF)
    """)

    assert said == "as before"


def test_a_process_that_waits_is_not_woken_to_be_looked_at() -> None:
    """What a host keeps waiting costs nothing; two hundred looks a second cost more than all else."""
    said = run("""
        import resource, time
        with bounded_memory(64 << 20):
            before = resource.getrusage(resource.RUSAGE_SELF)
            time.sleep(0.5)
            after = resource.getrusage(resource.RUSAGE_SELF)
        print(after.ru_nvcsw - before.ru_nvcsw < 10)
    """)

    assert said == "True"
