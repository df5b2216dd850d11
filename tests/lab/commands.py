"""Run a program, and say what it said if it fails."""

import subprocess
from collections.abc import Sequence

from runbook.errors import RunbookError


def run(
    arguments: Sequence[str],
    *,
    stdin: str = "",
    within_s: float = 180.0,
    shown: Sequence[str] | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Errors show the arguments `shown`, if there are any. Raises `RunbookError` `lab-command-failed`, with what it printed last as context.
    """
    words = " ".join(shown or arguments)
    try:
        done = subprocess.run(
            arguments,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
        )
    except FileNotFoundError:
        raise RunbookError.of(
            "lab-program-missing",
            f"the lab needs {arguments[0]}, which is not installed",
            hint="sh tests/lab/setup.sh",
        ) from None
    except subprocess.TimeoutExpired:
        raise RunbookError.of(
            "lab-command-failed", f"{words} did not end within {within_s:g} s"
        ) from None
    if done.returncode != 0:
        printed = (done.stdout + done.stderr).strip()
        raise RunbookError.of(
            "lab-command-failed",
            f"{words} ended with code {done.returncode}",
            context=printed[-2000:] or None,
        )
    return done.stdout
