"""A small library of runbooks, and hosts on loopback: one that answers, one that is a black hole."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.counted_fix import lay_out
from tests.acceptance.program import Program


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Give a port on loopback whose connections hang: its queue is full and nobody accepts."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
        for one in waiting:
            one.close()


@pytest.fixture
def program(tmp_path: Path, black_hole: int) -> Program:
    """Give the program in a folder with a runbook and an inventory of two hosts."""
    lay_out(
        tmp_path,
        alive={"ansible_connection": "local"},
        hole={
            "ansible_host": "127.0.0.1",
            "ansible_port": black_hole,
            "ansible_ssh_common_args": "-o ConnectTimeout=3 -o StrictHostKeyChecking=no",
        },
    )
    return Program(home=tmp_path / "home", folder=tmp_path)
