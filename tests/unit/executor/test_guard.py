"""The bound on memory, in a process of its own: what it stops is a process that grows."""

import subprocess
import sys
import textwrap


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


def test_a_process_that_does_not_grow_is_left_alone() -> None:
    """Nothing happens, and the signal does what it did before."""
    said = run("""
        import os, signal
        signal.signal(signal.SIGUSR1, lambda *_: print("as before"))
        with bounded_memory(64 << 20):
            sum(range(100_000))
        os.kill(os.getpid(), signal.SIGUSR1)
    """)

    assert said == "as before"
