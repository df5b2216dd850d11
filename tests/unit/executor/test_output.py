"""Waiting for what a process prints."""

import os
import time
from pathlib import Path
from threading import Timer

from runbook.executor.runner import Output


def test_waiting_ends_with_what_is_printed(tmp_path: Path) -> None:
    """Nobody there is nothing to tell; a word of a later one is, and so is the last one's going."""
    pipe = tmp_path / "output"
    output = Output.of(pipe)
    began = time.monotonic()
    output.wait(0.05)
    assert time.monotonic() - began >= 0.05

    printer = os.open(pipe, os.O_WRONLY)
    Timer(0.05, os.write, (printer, b"word")).start()
    output.wait(60)
    output.drain()
    assert output.text() == "word"

    Timer(0.05, os.close, (printer,)).start()
    output.wait(60)
    assert 0.05 < time.monotonic() - began < 50
    output.close()
