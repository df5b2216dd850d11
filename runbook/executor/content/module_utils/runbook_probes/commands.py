"""Run a program and keep a bounded part of what it prints."""

from __future__ import annotations

import errno
import os
import selectors
import signal
from collections.abc import Mapping

from .call import CannotLookError, Look
from .records import Record

_READ_SIZE = 65536
# How long a program's output may stay open after its end: something it started holds it.
_LINGER_S = 0.05
_run: list[str] = []
# System tools that say what is set up, which no probe asks twice to see it change.
_TELL_ONCE = frozenset(["ip6tables-save", "iptables-save", "nft", "nginx"])
# Those that have nothing left once they have ended and nobody holds their output.
_LEAVE_NOTHING = _TELL_ONCE | {"systemctl"}
_ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Finished(Record):
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
        started = _Started(argv, os.environ if env is None else env, chdir, stdin, pass_fds)
    except FileNotFoundError:
        raise CannotLookError("no such program: " + argv[0]) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotLookError(f"cannot start {argv[0]}: {why}") from None
    limit = look.max_bytes if max_bytes is None else max_bytes
    held = started.collect(limit)
    stdout, stderr = started.told
    return Finished(
        started.wait(),
        stdout[:limit].decode("utf-8", "replace"),
        stderr[:limit].decode("utf-8", "replace"),
        len(stdout) > limit or len(stderr) > limit,
        held,
    )


class _Started:
    """A program that runs, with our ends of its pipes: what `subprocess` would be.

    That takes longer to import than most probes to look, and forks us where it knows no better.

    Raises:
        OSError: it cannot be started.
        ValueError: its words hold what none can.
    """

    def __init__(
        self,
        argv: list[str],
        env: Mapping[str, str],
        chdir: str | None,
        stdin: str | None,
        pass_fds: tuple[int, ...],
    ) -> None:
        self.told = (bytearray(), bytearray())
        self._status: int | None = None
        self._unfed = memoryview((stdin or "").encode())
        self._pipes = [os.pipe(), os.pipe()] + ([] if stdin is None else [os.pipe()])
        (self._out, out), (self._err, err) = self._pipes[:2]
        places: list[tuple[object, ...]] = [
            (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_DUP2, err, 2),
        ]
        if stdin is None:
            places.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
        else:
            places.append((os.POSIX_SPAWN_DUP2, self._pipes[2][0], 0))
        for fd in pass_fds:
            os.set_inheritable(fd, True)  # noqa: FBT003 (positional only)
        here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY)) if chdir is not None else None
        try:
            if chdir is not None:
                os.chdir(chdir)
            # Python ignores these, which programs do not expect.
            ignored = [signal.SIGPIPE, signal.SIGXFSZ]
            program = _found(argv[0], env)
            self._pid = os.posix_spawn(program, argv, env, file_actions=places, setsigdef=ignored)
        except (OSError, ValueError):
            for fd in (fd for pipe in self._pipes for fd in pipe):
                os.close(fd)
            raise
        finally:
            if here is not None:
                _return_to(here)
        for fd in (out, err, *(pipe[0] for pipe in self._pipes[2:])):
            os.close(fd)

    def collect(self, limit: int) -> bool:
        """Feed it and read what it tells, to its end; say whether something still holds a pipe."""
        feeding = None if len(self._pipes) < 3 else self._pipes[2][1]
        left = {self._out, self._err}
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ, self.told[0])
            selector.register(self._err, selectors.EVENT_READ, self.told[1])
            if feeding is not None:
                os.set_blocking(feeding, False)
                selector.register(feeding, selectors.EVENT_WRITE)
            while selector.get_map():
                ready = selector.select(_LINGER_S)
                if not ready and self._has_ended():
                    break
                for key, _ in ready:
                    if key.fd == feeding:
                        if self._feed(feeding):
                            continue
                    elif self._read(key.fd, key.data, limit):
                        continue
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    left.discard(key.fd)
            for key in list(selector.get_map().values()):
                os.close(key.fd)
        return bool(left)

    def _feed(self, fd: int) -> bool:
        """Give it more of its input; return False once that is all, or nobody reads it."""
        try:
            self._unfed = self._unfed[os.write(fd, self._unfed[:_READ_SIZE]) :]
        except OSError:
            # It ended without reading all of its input, as it may.
            return False
        return bool(self._unfed)

    def _read(self, fd: int, into: bytearray, limit: int) -> bool:
        chunk = os.read(fd, _READ_SIZE)
        # One byte more than is kept tells that something was cut.
        into.extend(chunk[: max(limit + 1 - len(into), 0)])
        return bool(chunk)

    def _has_ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def wait(self) -> int:
        """Return how it ended, in the words of `Finished.rc`."""
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
        if os.WIFSIGNALED(self._status):
            return -os.WTERMSIG(self._status)
        return os.WEXITSTATUS(self._status)


def _found(name: str, env: Mapping[str, str]) -> str:
    """Return the file of a program as a shell would find it.

    Raises:
        OSError: there is none, or none that may be run.
    """
    if os.path.dirname(name):
        return name
    code = errno.ENOENT
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
        if os.path.exists(path):
            code = errno.EACCES
    raise OSError(code, os.strerror(code))


def _return_to(folder: int) -> None:
    try:
        os.fchdir(folder)
    except OSError:
        # The user that we became may not go there, so nothing that is looked at lies there.
        return
    finally:
        os.close(folder)


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
