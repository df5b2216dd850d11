"""Real servers, processes and black holes for the probes to look at."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.probes.servers import Server, black_hole


@pytest.fixture
def server() -> Iterator[Server]:
    """Return an HTTP server that answers by its path."""
    with Server() as running:
        yield running


@pytest.fixture
def hole() -> Iterator[int]:
    """Return a port that never completes a connection: its queue is full."""
    with black_hole() as port:
        yield port


@pytest.fixture
def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Return a folder that every user may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts a Python program with arguments, ended after the test.

    `name` is what the program is called, "" for Python's own: of those there may be many.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str, *words: str, name: str = "") -> subprocess.Popen[bytes]:
        program = sys.executable
        if name:
            (tmp_path / name).symlink_to(program)
            program = str(tmp_path / name)
        process = subprocess.Popen(
            [program, "-c", code, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
