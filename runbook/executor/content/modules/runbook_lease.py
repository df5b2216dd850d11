#!/usr/bin/python
# GPL-3.0-or-later. Runs on the target host; Python 3.8 and its standard library only.
"""Take or release the one lease of a machine, so that two controllers never fix it at once.

The lease is a small JSON file, read and written under flock(2); it counts by the host's own clock
and only for the boot it was taken in. Where it lies: `path`, else /run/lock, which Debian and its
kin give to everybody (mode 1777), else the directory for temporary files.
"""

import fcntl
import hashlib
import json
import os
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: runbook_lease
short_description: Take or release the lease of a machine
options:
  action: {type: str, choices: [take, release], required: true}
  run: {type: str, required: true}
  holder: {type: str, default: ""}
  name: {type: str, default: ""}
  path: {type: str, default: ""}
  seconds: {type: float, default: 0}
author: [runbook]
"""
EXAMPLES = ""
RETURN = ""


def lease_path(path, name):
    """Return where the lease lies; a name becomes part of it only as a digest."""
    if path:
        return path
    folder = "/run/lock" if os.access("/run/lock", os.W_OK) else tempfile.gettempdir()
    suffix = "-" + hashlib.sha256(name.encode()).hexdigest()[:16] if name else ""
    return os.path.join(folder, "runbook-lease" + suffix)


def boot_id():
    """Return the name of this boot, or nothing where the kernel does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def open_locked(path):
    """Open the lease under an exclusive lock, and be sure that it is still the one at the path."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            there = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            there = None
        ours = os.fstat(descriptor)
        if there is not None and (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            return descriptor
        os.close(descriptor)


def read_lease(descriptor):
    """Return the lease written there, or None where there is none that counts."""
    try:
        lease = json.loads(os.pread(descriptor, 65536, 0).decode("utf-8", "replace"))
        expires = float(lease["expires_at"])
    except (ValueError, KeyError, TypeError):
        return None
    if expires <= time.time() or lease.get("boot") != boot_id():
        return None
    return lease


def take(path, run, holder, seconds):
    """Take the lease; return the lease that stands against it, if one does."""
    descriptor = open_locked(path)
    try:
        lease = read_lease(descriptor)
        if lease is not None and lease.get("run") != run:
            return lease
        now = time.time()
        text = json.dumps(
            {
                "run": run,
                "holder": holder,
                "taken_at": now,
                "expires_at": now + seconds,
                "boot": boot_id(),
            }
        ).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
        os.fsync(descriptor)
        return None
    finally:
        os.close(descriptor)


def release(path, run):
    """Remove the lease if this run holds it."""
    if not os.path.exists(path):
        return
    descriptor = open_locked(path)
    try:
        lease = read_lease(descriptor)
        if lease is None or lease.get("run") == run:
            os.unlink(path)
    finally:
        os.close(descriptor)


def main():
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "choices": ["take", "release"], "required": True},
            "run": {"type": "str", "required": True},
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
            release(path, given["run"])
            module.exit_json(changed=False)
        against = take(path, given["run"], given["holder"], given["seconds"])
    except OSError as error:
        module.fail_json(msg="cannot use the host's lease %s: %s" % (path, error), lease="unusable")
        return
    if against is not None:
        module.fail_json(
            msg="another run holds this host: run %s, by %s, for another %d s at most (%s)"
            % (
                against.get("run"),
                against.get("holder"),
                max(0, float(against["expires_at"]) - time.time()),
                path,
            ),
            lease="held",
        )
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
