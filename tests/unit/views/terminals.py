"""A program at a terminal of its own, which a test reads and types at."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

from pexpect.fdpexpect import fdspawn

ROOT = Path(__file__).parents[3]


@contextmanager
def at_terminal(
    module: str, *arguments: str, rows: int = 24, columns: int = 80, **environment: str
) -> Iterator[fdspawn]:
    """Run a Python module at a pseudo-terminal, with nothing but a terminal in its environment."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    terminal = fdspawn(ours, timeout=300, encoding="utf-8")
    try:
        yield terminal
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        terminal.close()
