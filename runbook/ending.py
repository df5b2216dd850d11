"""The end of a process that is done."""

import atexit
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End without taking the interpreter apart, which takes as long as some imports.

    What was registered for the exit is done; no thread is waited for.
    """
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 -- no public name
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # As where it was closed beforehand.
                stream.flush()
    finally:
        os._exit(code)
