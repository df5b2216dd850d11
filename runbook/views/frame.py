"""What holds for every command: errors said well, exit codes kept, nothing raw on the screen."""

import errno
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click

from runbook.errors import Problem, RunbookError
from runbook.views.no_core import leave_no_core
from runbook.views.options import Manner
from runbook.views.output import tell, wants_colour, write_json
from runbook.views.safe_text import tolerate

PROGRAM = "runbook"
EXIT_USAGE = 2
EXIT_DEFECT = 70
"""EX_SOFTWARE of sysexits.h: a defect of ours. What was under way may be half done."""

EXIT_UNWRITABLE = 74
"""EX_IOERR of sysexits.h: the work is done, but its result could not be written."""

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
"""128 + 13, as a shell reports a program that SIGPIPE ended."""


class FramedGroup(click.Group):
    """A group whose commands return an exit code (None is 0) or raise RunbookError."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,  # noqa: ARG002  # the same name however it was started
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002  # click's signature
        windows_expand_args: bool = True,  # noqa: ARG002
        **extra: Any,
    ) -> NoReturn:
        """Carry out a command line (by default this process's) and exit with its code."""
        for stream in _streams():
            tolerate(stream)
        leave_no_core()
        with _unseen():
            self._main_shell_completion(extra, PROGRAM, complete_var)
        arguments = list(sys.argv[1:] if args is None else args)
        # Looked for by hand as well, since it may be the parsing that fails.
        manner = Manner(json="--json" in arguments, colour="--no-color" not in arguments)
        sys.exit(self._carried_out(arguments, manner, extra))

    def _carried_out(self, arguments: list[str], manner: Manner, extra: dict[str, Any]) -> int:
        try:
            with self.make_context(PROGRAM, arguments, obj=manner, **extra) as context:
                if not wants_colour(sys.stdout):
                    context.color = False
                code = self.invoke(context)
        except click.exceptions.Exit as stop:
            return stop.exit_code
        except (KeyboardInterrupt, click.Abort):
            problem = Problem(reference="interrupted", message="interrupted")
            # Whoever pressed the keys knows the rest. A terminal shows them where its cursor was.
            on_terminal = sys.stderr is not None and sys.stderr.isatty()
            tell("\ninterrupted" if on_terminal else "interrupted")
            return _document((problem,), EXIT_INTERRUPTED, manner)
        except click.ClickException as error:
            return _report((_usage(error),), EXIT_USAGE, manner)
        except RunbookError as error:
            return _report(error.problems, error.exit_code, manner)
        except Exception as error:  # noqa: BLE001  # the last resort: nobody is to see a traceback
            return _broken_output(error, manner) or _defect(error, manner)
        return code if isinstance(code, int) else 0


def _streams() -> list[TextIO]:
    """Return standard output and error; Python has None for one that was closed beforehand."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


@contextmanager
def _unseen() -> Iterator[None]:
    """Exit without a word on any error: whoever presses Tab can do nothing about it."""
    try:
        yield
    except Exception:  # noqa: BLE001  # whatever it is
        sys.exit(1)


def _report(problems: Sequence[Problem], code: int, manner: Manner) -> int:
    from runbook.views.problems import render  # noqa: PLC0415  # where there are any

    colour = manner.colour and wants_colour(sys.stderr)
    tell("\n\n".join(render(problem, colour=colour) for problem in problems))
    return _document(problems, code, manner)


def _document(problems: Sequence[Problem], code: int, manner: Manner) -> int:
    """Write the JSON document of problems where one is wanted; return the exit code."""
    if manner.json:
        from runbook.views.problems import document  # noqa: PLC0415  # where there are any

        try:
            write_json({"errors": [document(problem) for problem in problems], "exit_code": code})
        except OSError:
            _discard(sys.stdout)
    return code


def _usage(error: click.ClickException) -> Problem:
    context = error.ctx if isinstance(error, click.UsageError) else None
    program = context.command_path if context is not None else PROGRAM
    return Problem(
        reference="usage",
        message=error.format_message(),
        hint=f"`{program} --help` shows how it is used.",
    )


def _broken_output(error: Exception, manner: Manner) -> int | None:
    """Return the exit code if it is our own output that cannot be written, else None."""
    if not isinstance(error, OSError) or not _in_echo(error):
        return None
    _discard(sys.stdout)
    if error.errno == errno.EPIPE:
        return EXIT_BROKEN_PIPE
    manner.json = False  # There is nowhere to write it.
    problem = Problem(
        reference="output-unwritable",
        message=f"cannot write to standard output: {error.strerror}",
    )
    return _report((problem,), EXIT_UNWRITABLE, manner)


def _in_echo(error: OSError) -> bool:
    """Say whether an error comes from writing a result: all of ours, and all help, are echoed."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is click.echo.__code__:
            return True
        trace = trace.tb_next
    return False


def _discard(stream: TextIO) -> None:
    """Send what a stream holds back to nowhere, or Python complains of it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _defect(error: Exception, manner: Manner) -> int:
    import traceback  # noqa: PLC0415  # for this case only, as is the next

    from runbook.model.masking import mask_text  # noqa: PLC0415

    text = mask_text("".join(traceback.format_exception(error)))
    if manner.verbosity > 1:
        tell(text)
    saved = _save(text)
    said = mask_text(f"{type(error).__name__}: {error}")
    problem = Problem(
        reference="defect",
        message=f"this is a defect of runbook: {said}",
        context=f"The traceback was saved in {saved}."
        if saved
        else "The traceback could not be saved; -vv shows it.",
        hint="Please report it with that file. `runbook history` shows what a run came to.",
    )
    return _report((problem,), EXIT_DEFECT, manner)


def _save(text: str) -> Path | None:
    """Keep a traceback for whoever looks into it; it may quote what only its user should see."""
    from runbook.settings import state_folder  # noqa: PLC0415

    name = time.strftime(f"%Y%m%dT%H%M%S-{os.getpid()}.txt", time.gmtime())
    try:
        folder = state_folder(os.environ)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        defects = folder / "defects"
        defects.mkdir(mode=0o700, exist_ok=True)
        path = defects / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except (OSError, RunbookError):  # There may be no home to keep it in.
        return None
    return path
