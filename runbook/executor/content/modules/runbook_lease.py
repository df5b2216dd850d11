#!/usr/bin/python
# GPL-3.0-or-later. Runs on the target host; Python 3.8 and its standard library only.
"""Take or release the one lease of a machine, so that two controllers never fix it at once.

The lease is a small JSON file, read and written under flock(2). It counts only for the boot it was
taken in, by the time since then, which nobody sets (CLOCK_BOOTTIME of clock_gettime(2)), or by the
host's clock where there is no such time. A run may use it several times at once (`user`): it ends with
the last use. Where it lies: `path`, else /run/lock, which Debian and its kin give to everybody (mode
1777), else the directory for temporary files. So what lies there may be anybody's: anything but a
plain file of one name is left alone, and the host with it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: runbook_lease
short_description: Take or release the lease of a machine
options:
  action: {type: str, choices: [take, release], required: true}
  run: {type: str, required: true}
  user: {type: str, required: true}
  holder: {type: str, default: ""}
  name: {type: str, default: ""}
  path: {type: str, default: ""}
  seconds: {type: float, default: 0}
author: [runbook]
"""
EXAMPLES = ""
RETURN = ""


def lease_path(path: str, name: str) -> str:
    """Return where the lease lies; a name becomes part of it only as a digest."""
    if path:
        return path
    folder = "/run/lock" if os.access("/run/lock", os.W_OK) else tempfile.gettempdir()
    suffix = "-" + hashlib.sha256(name.encode()).hexdigest()[:16] if name else ""
    return os.path.join(folder, "runbook-lease" + suffix)


def boot_id() -> str:
    """Return the name of this boot, or nothing where the kernel does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def uptime_s() -> float | None:
    """Return the seconds since the boot, those of sleep included; None where nothing tells them."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return None if clock is None else time.clock_gettime(clock)


def left_s(lease: dict[str, object]) -> float:
    """Return for how many seconds a lease of this boot still counts; raise where it does not say."""
    up_s, ends = uptime_s(), lease.get("ends_at_uptime_s")
    if up_s is None or ends is None:
        return float(str(lease["expires_at"])) - time.time()
    return float(str(ends)) - up_s


def open_locked(path: str, create: bool) -> int:
    """Open the lease under an exclusive lock, and be sure that it is still the one at the path."""
    while True:
        descriptor = open_plain(path, create)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            there = os.lstat(path)
        except FileNotFoundError:
            os.close(descriptor)
            continue
        ours = os.fstat(descriptor)
        if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            return descriptor
        os.close(descriptor)


def open_plain(path: str, create: bool) -> int:
    """Open a plain file that has no other name, or raise OSError."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        # Not with O_CREAT: where protected_regular is set, that fails for another user's file.
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        if not create:
            raise
        try:
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return open_plain(path, create)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EPERM, "it is not a plain file with one name")
    return descriptor


def read_lease(descriptor: int) -> dict[str, object] | None:
    """Return the lease written there, or None where there is none that counts."""
    try:
        lease = json.loads(os.pread(descriptor, 65536, 0).decode("utf-8", "replace"))
        left = left_s(lease)
        counts = math.isfinite(left) and left > 0 and lease.get("boot") == boot_id()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
    return lease if counts and isinstance(lease, dict) else None


def users_of(lease: dict[str, object] | None) -> list[str]:
    """Return who uses a lease."""
    users = lease.get("users") if lease else None
    return [str(user) for user in users] if isinstance(users, list) else []


def write_lease(descriptor: int, lease: dict[str, object]) -> None:
    """Put a lease in place of the one there."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(lease).encode(), 0)
    os.fsync(descriptor)


def take(path: str, run: str, user: str, holder: str, seconds: float) -> dict[str, object] | None:
    """Take the lease; return the lease that stands against it, if one does."""
    descriptor = open_locked(path, create=True)
    try:
        lease = read_lease(descriptor)
        if lease is not None and lease.get("run") != run:
            return lease
        if lease is not None:
            seconds = max(seconds, left_s(lease))
        now, up_s = time.time(), uptime_s()
        write_lease(
            descriptor,
            {
                "run": run,
                "users": sorted({*users_of(lease), user}),
                "holder": holder,
                "taken_at": now,
                "expires_at": now + seconds,
                "ends_at_uptime_s": None if up_s is None else up_s + seconds,
                "boot": boot_id(),
            },
        )
        return None
    finally:
        os.close(descriptor)


def release(path: str, run: str, user: str) -> None:
    """End one use of the lease, if this run holds it; the last one removes it."""
    try:
        descriptor = open_locked(path, create=False)
    except FileNotFoundError:
        return
    try:
        lease = read_lease(descriptor)
        if lease is None or lease.get("run") != run:
            return
        users = [each for each in users_of(lease) if each != user]
        if users:
            write_lease(descriptor, dict(lease, users=users))
        else:
            os.unlink(path)
    finally:
        os.close(descriptor)


LEFT_BEHIND = re.compile(r"ansible_runbook_[a-z]+_payload_\w+")
"""The folders into which Ansible unpacks our modules; one that is killed leaves its own."""

PLACES = ("/dev/shm", "/tmp")  # noqa: S108 -- nothing is written there
"""Where those folders lie."""

DAY_S = 86400.0
"""No module of ours works as long."""


def clear_up(folder: str) -> None:
    """Remove what our modules left in a folder, where they were killed; never what may be in use."""
    try:
        found = [entry for entry in os.scandir(folder) if LEFT_BEHIND.fullmatch(entry.name)]
    except OSError:
        return
    for entry in found:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if ours and time.time() - status.st_mtime > DAY_S:
            shutil.rmtree(entry.path, ignore_errors=True)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "choices": ["take", "release"], "required": True},
            "run": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "holder": {"type": "str", "default": ""},
            "name": {"type": "str", "default": ""},
            "path": {"type": "str", "default": ""},
            "seconds": {"type": "float", "default": 0.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    path = lease_path(given["path"], given["name"])
    try:
        if given["action"] == "release":
            release(path, given["run"], given["user"])
            for folder in {*PLACES, tempfile.gettempdir()}:
                clear_up(folder)
            module.exit_json(changed=False)
        against = take(path, given["run"], given["user"], given["holder"], given["seconds"])
    except OSError as error:
        module.fail_json(msg="cannot use the host's lease %s: %s" % (path, error.strerror or error))
        return
    if against is not None:
        module.fail_json(
            msg="another run holds this host: run %s, by %s, for another %d s at most; where that run"
            " is over and nothing of it is at work there, remove %s"
            % (against.get("run"), against.get("holder"), max(0, left_s(against)), path)
        )
    module.exit_json(changed=False, taken=True)


if __name__ == "__main__":
    main()
