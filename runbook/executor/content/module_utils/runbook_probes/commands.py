"""Run a program and keep a bounded part of what it prints."""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
from typing import BinaryIO, NamedTuple

from .call import CannotLookError, Look

_READ_SIZE = 65536
# How long a program's output may stay open after its end: something it started holds it.
_LINGER_S = 0.05
_run: list[str] = []
# System tools that say what is set up, which no probe asks twice to see it change.
_TELL_ONCE = frozenset(["ip6tables-save", "iptables-save", "nft", "nginx"])
# Those that have nothing left once they have ended and nobody holds their output.
_LEAVE_NOTHING = _TELL_ONCE | {"systemctl"}
_ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Finished(NamedTuple):
    """A program that has ended. `rc` is negative for the number of the signal that ended it.

    `held` says that something still has its output open.
    """

    rc: int
    stdout: str
    stderr: str
    truncated: bool
    held: bool = False


_told: dict[tuple[str, ...], Finished] | None = None


def has_run() -> bool:
    """Say whether this process has started a program, of which something may be left."""
    return bool(_run)


def run(
    look: Look,
    argv: list[str],
    *,
    chdir: str | None = None,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
    max_bytes: int | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Finished:
    """Run a program to its end and return the beginning of its output.

    At most `max_bytes` of each stream are kept (the look's own limit by default); the rest is read
    and dropped. The program has no terminal and sees the end of its input after `stdin`.

    Raises:
        CannotLookError: it could not be started.
    """
    if chdir is not None and not os.path.isdir(chdir):
        raise CannotLookError("no such directory: " + chdir)
    _run.append(argv[0])
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=chdir,
            env=env,
            pass_fds=pass_fds,
        )
    except FileNotFoundError:
        raise CannotLookError("no such program: " + argv[0]) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotLookError(f"cannot start {argv[0]}: {why}") from None
    if process.stdin is not None and stdin is not None:
        writer = threading.Thread(target=_feed, args=(process.stdin, stdin.encode()), daemon=True)
        writer.start()
    limit = look.max_bytes if max_bytes is None else max_bytes
    stdout, stderr, held = _collect(process, limit)
    return Finished(
        process.wait(),
        stdout[:limit].decode("utf-8", "replace"),
        stderr[:limit].decode("utf-8", "replace"),
        len(stdout) > limit or len(stderr) > limit,
        held,
    )


def _feed(stream: BinaryIO, data: bytes) -> None:
    try:
        with stream:
            stream.write(data)
    except OSError:
        # It ended without reading all of its input, as it may.
        return


def _collect(process: subprocess.Popen[bytes], limit: int) -> tuple[bytearray, bytearray, bool]:
    kept = (bytearray(), bytearray())
    with selectors.DefaultSelector() as selector:
        for stream, into in zip((process.stdout, process.stderr), kept):  # noqa: B905 (3.8)
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, into)
        while selector.get_map():
            ready = selector.select(_LINGER_S)
            if not ready and process.poll() is not None:
                break
            for key, _ in ready:
                chunk = os.read(key.fd, _READ_SIZE)
                if not chunk:
                    selector.unregister(key.fileobj)
                # One byte more than is kept tells that something was cut.
                key.data.extend(chunk[: max(limit + 1 - len(key.data), 0)])
        return (*kept, bool(selector.get_map()))


def tool_environment() -> dict[str, str]:
    """Return the environment for a system tool whose output we read: no translation, full path."""
    return {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":" + _ADMIN_PATH}


def is_installed(tool: str) -> bool:
    """Say whether there is such a system tool; `shutil`, which could tell, is slow to import."""
    folders = tool_environment()["PATH"].split(os.pathsep)
    return any(os.access(os.path.join(folder, tool), os.X_OK) for folder in folders if folder)


def share_answers() -> None:
    """Have probes of this process that ask the same share what a system tool says of it."""
    global _told  # noqa: PLW0603 -- of the process, which looks once
    _told = {}


def run_tool(look: Look, argv: list[str], *, chdir: str | None = None) -> Finished:
    """Run a system tool whose output we read. See `run`; a megabyte of output is kept."""
    if argv[0] not in _LEAVE_NOTHING:
        return run(look, argv, chdir=chdir, env=tool_environment(), max_bytes=1 << 20)
    asked = (*argv, chdir or "")
    told = _told if argv[0] in _TELL_ONCE else None
    if told is not None and asked in told:
        return told[asked]
    before = len(_run)
    done = run(look, argv, chdir=chdir, env=tool_environment(), max_bytes=1 << 20)
    if not done.held:
        del _run[before:]
    if told is not None:
        told[asked] = done
    return done


def command(
    look: Look,
    *,
    argv: list[str] | None = None,
    shell: str | None = None,
    chdir: str | None = None,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
) -> dict[str, object]:
    """Run a command that its author declares to read only; its time-out is not an answer."""
    if (argv is None) == (shell is None):
        raise CannotLookError("a command takes either argv or shell")
    words = ["/bin/sh", "-c", shell] if shell is not None else argv or []
    if not words:
        raise CannotLookError("argv is empty")
    environment = None if env is None else {**os.environ, **env}
    done = run(look, words, chdir=chdir, env=environment, stdin=stdin)
    return {
        "rc": done.rc,
        "stdout": done.stdout.rstrip("\r\n"),
        "stderr": done.stderr.rstrip("\r\n"),
        "truncated": done.truncated,
    }
