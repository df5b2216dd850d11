"""The host's resources, its clock, and what it is."""

from __future__ import annotations

import os
import struct
import sys
import time as clock

from .call import CannotLookError, Look
from .procfs import read_text
from .records import Record
from .values import whole_number

# From <linux/timex.h>: the kernel's word for a clock nobody keeps.
_STA_UNSYNC = 0x0040
# struct utmp of glibc on Linux: type, pid, line, id, user, host, and the rest.
_UTMP = struct.Struct("hi32s4s32s256shhiii4i20x")
_USER_PROCESS = 7


class Mount(Record):
    """A mounted file system."""

    device: str
    mount_point: str


def disk(look: Look, *, path: str = "/") -> dict[str, object]:
    """Measure the file system that holds a path; percentages are those an ordinary user meets."""
    del look
    try:
        status = os.statvfs(path)
    except (FileNotFoundError, NotADirectoryError):
        raise CannotLookError("no such path: " + path) from None
    used = status.f_blocks - status.f_bfree
    inodes_used = status.f_files - status.f_ffree
    mount = find_mount(os.path.realpath(path), read_text("/proc/self/mountinfo"))
    return {
        "size_bytes": status.f_blocks * status.f_frsize,
        "free_bytes": status.f_bavail * status.f_frsize,
        "used_percent": _percent(used, used + status.f_bavail),
        "inodes_total": status.f_files,
        "inodes_free": status.f_favail,
        "inodes_used_percent": _percent(inodes_used, inodes_used + status.f_favail),
        "device": None if mount is None else mount.device,
        "mount_point": None if mount is None else mount.mount_point,
        "read_only": bool(status.f_flag & os.ST_RDONLY),
    }


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole > 0 else 0.0


def find_mount(path: str, mountinfo: str) -> Mount | None:
    """Return the mount that holds a path, from /proc/self/mountinfo; the last one covers others."""
    best = None
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words = fields.split()
        source = rest.split()
        if len(words) < 5 or len(source) < 2:
            continue
        point = words[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and (best is None or len(point) >= len(best.mount_point)):
            best = Mount(source[1], point)
    return best


def parse_table(text: str) -> dict[str, int]:
    """Return the numbers of `name: number kB` or `name number` lines, in bytes where in kB."""
    found = {}
    for line in text.splitlines():
        words = line.replace(":", " ").split()
        number = whole_number(words[1]) if len(words) >= 2 else None
        if number is not None:
            found[words[0]] = number * (1024 if words[2:] == ["kB"] else 1)
    return found


def memory(look: Look) -> dict[str, object]:
    """Measure the memory of the host, and of the container where there is a limit."""
    del look
    table = parse_table(read_text("/proc/meminfo"))
    total = table.get("MemTotal", 0)
    available = table.get("MemAvailable", table.get("MemFree", 0))
    swap = table.get("SwapTotal", 0)
    swap_free = table.get("SwapFree", 0)
    return {
        "total_bytes": total,
        "available_bytes": available,
        "used_percent": _percent(total - available, total),
        "swap_total_bytes": swap,
        "swap_free_bytes": swap_free,
        "swap_used_percent": _percent(swap - swap_free, swap),
        "limit_bytes": _cgroup("memory.max", "memory/memory.limit_in_bytes", total),
        "limit_used_bytes": _cgroup("memory.current", "memory/memory.usage_in_bytes", None),
        "oom_kills": parse_table(read_text("/proc/vmstat")).get("oom_kill"),
    }


def _cgroup(unified: str, legacy: str, most: int | None) -> int | None:
    for name in (unified, legacy):
        try:
            number = int(read_text("/sys/fs/cgroup/" + name))
        except (CannotLookError, OSError, ValueError):
            # Not in a group with that limit; "max" is none, too.
            continue
        # The older kind says "no limit" as a number beyond all memory.
        return number if most is None or number < most else None
    return None


def load(look: Look, *, sample_s: float = 0.0) -> dict[str, object]:
    """Measure how busy the processors are."""
    averages = [float(word) for word in read_text("/proc/loadavg").split()[:3]]
    cpus = len(os.sched_getaffinity(0))
    return {
        "load1": averages[0],
        "load5": averages[1],
        "load15": averages[2],
        "load1_per_cpu": round(averages[0] / cpus, 2),
        "cpus": cpus,
        "cpu_percent": _cpu_percent(min(sample_s, look.left_s() / 2)) if sample_s > 0 else None,
        "pressure_cpu_percent": _pressure("cpu"),
        "pressure_memory_percent": _pressure("memory"),
        "pressure_io_percent": _pressure("io"),
    }


def _cpu_percent(sample_s: float) -> float:
    before = _cpu_times()
    clock.sleep(sample_s)
    busy, idle = (after - before for after, before in zip(_cpu_times(), before))  # noqa: B905 (3.8)
    return _percent(busy, busy + idle)


def _cpu_times() -> tuple[int, int]:
    """Return the ticks all processors together were busy, and idle (waiting for a disk is)."""
    ticks = [int(word) for word in read_text("/proc/stat").split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, idle


def _pressure(resource: str) -> float | None:
    try:
        return parse_pressure(read_text("/proc/pressure/" + resource))
    except (CannotLookError, OSError):
        # Not built into this kernel, or switched off.
        return None


def parse_pressure(text: str) -> float | None:
    """Return the share of the last ten seconds in which something waited, in percent."""
    for word in text.partition("\n")[0].split():
        name, _, value = word.partition("=")
        if name == "avg10":
            try:
                return float(value)
            except ValueError:
                return None
    return None


def time(look: Look) -> dict[str, object]:
    """Read the host's clock, and whether the kernel takes it for synchronised."""
    del look
    import ctypes  # noqa: PLC0415 (only this probe needs it)

    # struct timex is 208 bytes on every 64-bit Linux; `modes` of 0 changes nothing.
    buffer = ctypes.create_string_buffer(512)
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(buffer) if hasattr(libc, "adjtimex") else -1
    is_known = state >= 0 and struct.calcsize("l") == 8
    # The fields from `modes`, padded, through `status`.
    *_, max_error_us, _, status = struct.unpack_from("=q4qi", buffer.raw)
    return {
        "now_s": round(clock.time(), 6),
        "synchronised": not status & _STA_UNSYNC if is_known else None,
        "max_error_s": round(max_error_us / 1e6, 6) if is_known else None,
        "utc_offset_s": clock.localtime().tm_gmtoff,
    }


def host(look: Look) -> dict[str, object]:
    """Say what the host is, how long it is up and who is logged in."""
    del look
    system = os.uname()
    boot_s = parse_table(read_text("/proc/stat")).get("btime")
    return {
        "hostname": system.nodename,
        "kernel": system.release,
        "architecture": system.machine,
        "os": _os_name(),
        "python": sys.version.split()[0],
        "uptime_s": float(read_text("/proc/uptime").split()[0]),
        "boot_s": boot_s,
        "users": _logged_in(),
    }


def _os_name() -> str | None:
    try:
        text = read_text("/etc/os-release")
    except CannotLookError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip().strip("\"'")
    return None


def _logged_in() -> list[str] | None:
    try:
        with open("/var/run/utmp", "rb") as stream:
            return parse_users(stream.read(1 << 20))
    except OSError:
        # Newer systems no longer keep it: then it is not known.
        return None


def parse_users(data: bytes) -> list[str]:
    """Return the users logged in according to a utmp file, each once."""
    found = set()
    for start in range(0, len(data) - _UTMP.size + 1, _UTMP.size):
        record = _UTMP.unpack_from(data, start)
        if record[0] == _USER_PROCESS:
            found.add(record[4].split(b"\0")[0].decode("utf-8", "replace"))
    return sorted(found)
