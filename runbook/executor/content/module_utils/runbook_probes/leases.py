"""The lease of a machine, as far as looking at it goes: `runbook_lease` takes and releases it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import time


def lease_path(name: str) -> str:
    """Return where the lease lies, as `runbook_lease.lease_path` has it."""
    folder = "/run/lock" if os.access("/run/lock", os.W_OK) else tempfile.gettempdir()
    suffix = "-" + hashlib.sha256(name.encode()).hexdigest()[:16] if name else ""
    return os.path.join(folder, "runbook-lease" + suffix)


def foreign_lease(
    path: str, own_run: str, now: float, unseen: list[str]
) -> dict[str, object] | None:
    """Return the lease that a run other than our own holds, as far as it counts and can be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            data = stream.read(65536)
    except FileNotFoundError:
        return None
    except OSError:
        unseen.append("lease")
        return None
    try:
        found = json.loads(data.decode("utf-8", "replace"))
        left_s = _left_s(found, now)
        run, holder, boot = str(found["run"]), str(found["holder"]), found["boot"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
    counts = boot == _boot() and math.isfinite(left_s) and left_s > 0 and run != own_run
    return {"run": run, "holder": holder, "until_s": now + left_s} if counts else None


def _left_s(lease: dict[str, object], now: float) -> float:
    """Return for how many seconds a lease counts, as `runbook_lease.left_s` has it."""
    clock, ends = getattr(time, "CLOCK_BOOTTIME", None), lease.get("ends_at_uptime_s")
    if clock is None or ends is None:
        return float(str(lease["expires_at"])) - now
    return float(str(ends)) - time.clock_gettime(clock)


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""
