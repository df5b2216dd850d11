"""Look as another user, or from a process of one's own."""

from __future__ import annotations

import json
import marshal
import os
import pwd
import sys
import zlib

from .call import CannotLookError
from .sent import PACKAGE

# The files the module was unpacked to are private to the user who unpacked them.
_THEN = "\nrun(*marshal.loads(sys.stdin.buffer.read()))\n"


def become(user: str) -> bool:
    """Become a user for good; return False if that takes sudo.

    Raises:
        CannotLookError: there is no such user, or the host does not let us.
    """
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CannotLookError(f"cannot act as {user}: there is no such user") from None
    if entry.pw_uid == os.geteuid():
        return True
    if os.geteuid() != 0:
        return False
    try:
        os.initgroups(entry.pw_name, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    except OSError as error:
        raise CannotLookError(f"cannot act as {user}: {error.strerror}") from None
    os.environ.update(HOME=entry.pw_dir, USER=user, LOGNAME=user)
    return True


def answer_as(user: str, request: dict[str, object]) -> dict[str, object]:
    """Return the answer of the only probe of a request, looked at as `user` through sudo.

    Raises:
        CannotLookError: sudo is missing or refuses.
    """
    try:
        answers = answer_elsewhere(["sudo", "-n", "-u", user, "--"], request)["answers"]
    except OSError as error:
        raise CannotLookError(f"cannot act as {user}: sudo: {error.strerror}") from None
    except CannotLookError as error:
        raise CannotLookError(f"cannot act as {user}: {error}") from None
    if not isinstance(answers, dict) or not answers:
        raise CannotLookError(f"cannot act as {user}: no answer")
    result = next(iter(answers.values()))
    return dict(result)


def answer_elsewhere(prefix: list[str], request: dict[str, object]) -> dict[str, object]:
    """Answer a request in another Python process, started through the command `prefix`.

    Raises:
        CannotLookError: the process gave no answer.
        OSError: it could not be started.
    """
    # Only where it is needed: it takes as long to import as some probes to look.
    import subprocess  # noqa: PLC0415

    sources, codes = _package()
    start = zlib.decompress(sources[PACKAGE + ".sent"]).decode("utf-8") + _THEN
    done = subprocess.run(
        [*prefix, sys.executable, "-c", start],
        input=marshal.dumps((json.dumps(request), sources, codes)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    try:
        result = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1] if lines else f"exit status {done.returncode}"
        raise CannotLookError(why) from None
    return dict(result)


def _package() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return what `sent.run` takes: the sources of this package, and what they compile to."""
    package = sys.modules[__name__.rpartition(".")[0]]
    sources: dict[str, bytes] | None = getattr(package.__loader__, "sources", None)
    if sources is not None:  # We were sent ourselves, by `sent`.
        codes: dict[str, bytes] = getattr(package.__loader__, "codes", {})
        return sources, codes
    import pkgutil  # noqa: PLC0415 (only where we are files)

    found = {PACKAGE: zlib.compress(b"")}
    for info in pkgutil.iter_modules(package.__path__):
        source = pkgutil.get_data(package.__name__, info.name + ".py")
        if source is not None:
            found[PACKAGE + "." + info.name] = zlib.compress(source, 1)
    return found, {}
