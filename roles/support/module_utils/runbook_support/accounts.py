"""Run programs as another user, bounded in time."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ansible.module_utils.runbook_support.errors import RefusedError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Account(NamedTuple):
    """A user of the host."""

    name: str
    uid: int
    gid: int
    home: str


class Done(NamedTuple):
    """How a program ended, and what it printed."""

    rc: int
    out: str
    err: str

    @property
    def why(self) -> str:
        """What it said last, for a person."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return "\n".join(lines[-8:]) or f"exit status {self.rc}"


def account(name: str) -> Account:
    """Return the account of that name; raise RefusedError if there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise RefusedError(f"there is no user {name} on this host") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def owner_of(path: str) -> Account:
    """Return the account a file belongs to; raise RefusedError if it has no name."""
    uid = os.stat(path).st_uid  # noqa: PTH116
    try:
        return account(pwd.getpwuid(uid).pw_name)
    except KeyError:
        raise RefusedError(f"{path} belongs to user id {uid}, which has no name here") from None


def becoming(who: Account) -> Callable[[], None] | None:
    """Return what a child process does to become that user; None if there is nothing to do.

    Raises RefusedError if we may not.
    """
    if who.uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise RefusedError(f"cannot act as {who.name}: become root")

    def become() -> None:
        os.initgroups(who.name, who.gid)
        os.setgid(who.gid)
        os.setuid(who.uid)
        os.umask(0o022)

    return become


def run(
    argv: Sequence[str],
    *,
    who: Account | None = None,
    folder: str | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_s: float = 60.0,
) -> Done:
    """Run a program, as `who` if given, and end it with all it started when its time is up.

    Its environment is a bare one with what `environment` adds.

    Raises:
        RefusedError: it cannot be started or took too long, or we may not act as that user.
    """
    given = {"PATH": os.environ.get("PATH", _PATH), "LC_ALL": "C.UTF-8"}
    if who:
        given.update(HOME=who.home, USER=who.name, LOGNAME=who.name)
    given.update(environment or {})
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=given,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            preexec_fn=becoming(who) if who else None,  # noqa: PLW1509 - modules have one thread
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RefusedError(f"cannot run {argv[0]}: {error}") from None
    try:
        out, err = process.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise RefusedError(f"{' '.join(argv[:4])} took longer than {timeout_s:g} s") from None
    return Done(process.returncode, out, err)
