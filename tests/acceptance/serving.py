"""The service as a program, for a test that has it run and reads its log."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.acceptance.program import PATIENCE_S, PROGRAM, Program


def serving(
    program: Program, file: str, *options: str, **environment: str
) -> AbstractContextManager[Path]:
    """Have the service run; give its log, which is complete in the end."""
    return _going(program, "serve", file, *options, **environment)


def working(program: Program, **environment: str) -> AbstractContextManager[Path]:
    """Have a worker run; give its log, which is complete in the end."""
    return _going(program, "worker", **environment)


@contextmanager
def _going(program: Program, *words: str, **environment: str) -> Iterator[Path]:
    log = program.folder / ("log" if words[0] == "serve" else f"{words[0]}.log")
    with log.open("wb") as told:
        service = subprocess.Popen(
            [*program.before, *PROGRAM, *words, "--json"],
            cwd=program.folder,
            env={
                **os.environ,
                "RUNBOOK_HOME": str(program.home),
                "RUNBOOK_INVENTORY": "inventory.yml",
                "RUNBOOK_POLICY": "policy.yml",
                **program.environment,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stderr=told,
        )
    try:
        yield log
    finally:
        service.send_signal(signal.SIGTERM)
        code = service.wait(timeout=PATIENCE_S)
    assert code == 0


def lines(log: Path) -> list[dict[str, str]]:
    """Return what the log says, as far as its lines are whole."""
    return [json.loads(line) for line in log.read_text().rpartition("\n")[0].splitlines()]


def told(log: Path, event: str) -> Iterator[dict[str, str]]:
    """Yield what the log says of one kind of event."""
    return (line for line in lines(log) if line["event"] == event)


def over(log: Path) -> list[dict[str, str]]:
    """Return what the log says of runs that ended."""
    return list(told(log, "over"))
