"""What else goes on on a host: other runs, people, package managers, deploys, a reboot."""

from __future__ import annotations

import glob
import os
import time

from .call import CannotLookError, Look
from .leases import foreign_lease, lease_path
from .logins import Login, Surroundings, logins, ssh_origins
from .procfs import Process, processes, read_text
from .values import whole_number

# Files whose presence says that a host is in maintenance; pam_nologin(8) has the first two.
FLAGS = (
    "/etc/nologin",
    "/run/nologin",
    "/etc/runbook-maintenance",
    "/run/runbook-maintenance",
)
_DPKG = ("apt", "apt-get", "aptitude", "dpkg", "unattended-upgrade")
_RPM = ("dnf", "dnf-3", "dnf5", "microdnf", "rpm", "yum", "zypper")
PACKAGE_MANAGERS = frozenset([*_DPKG, *_RPM, "apk", "emerge", "pacman", "snap"])
# Locks a package manager holds for as long as it works, and what changes with each package.
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/rpm/.rpm.lock")
DATABASES = (
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/lib/apk/db/installed",
    "/var/lib/pacman/local",
)
DPKG_LOG = "/var/log/dpkg.log"
DEPLOYED_FILES = (
    "/etc/systemd/system/*.service",
    "/etc/systemd/system/*.service.d/*.conf",
    "/etc/nginx/nginx.conf",
    "/etc/nginx/conf.d/*",
    "/etc/nginx/sites-enabled/*",
    "/etc/supervisor/conf.d/*",
    "/etc/supervisord.d/*",
)
CHECKOUTS = ("/srv/*", "/opt/*", "/var/www/*")
_MOST_PLACES = 500
_MOST_TOLD = 10
_TAIL_BYTES = 64 * 1024


def activity(
    look: Look,
    *,
    within: int = 3600,
    paths: list[str] | None = None,
    lease: str | None = None,
    lease_name: str | None = None,
    run: str | None = None,
) -> dict[str, object]:
    """Find out what else goes on on the host, and what was changed within some seconds."""
    del look
    if within < 1:
        raise CannotLookError("within must be at least 1")
    around = Surroundings(processes(), os.getpid())
    now = time.time()
    unseen: list[str] = []
    people = logins(around, unseen)
    facts: dict[str, object] = {
        "maintenance": maintenance(FLAGS),
        "lease": foreign_lease(lease or lease_path(lease_name or ""), run or "", now, unseen),
        "operators": [each._asdict() for each in people[:_MOST_TOLD]],
        "connections": _connections(around, people, unseen)[:_MOST_TOLD],
        "package_managers": package_managers(around.others, locked_by(LOCKS))[:_MOST_TOLD],
        "packages_changed_s_ago": _newest(DATABASES, now, within),
        "packages_changed": packages_changed(DPKG_LOG, now, within),
        "deploys": deploys(around.others, paths or [], now, within)[:_MOST_TOLD],
        "rebooted_s_ago": _rebooted(around, within),
    }
    return {"quiet": is_quiet(facts), **facts, "unseen": unseen}


def is_quiet(facts: dict[str, object]) -> bool:
    """Tell whether nothing goes on: no fact names anything."""
    return not any(value is not None and value != [] for value in facts.values())


def maintenance(flags: tuple[str, ...]) -> str | None:
    """Return why a host is in maintenance: what its flag file says, or which one there is."""
    for path in flags:
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
                text = (stream.read(500) or b"").decode("utf-8", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            text = ""
        return text.splitlines()[0] if text else "there is " + path
    return None


def _connections(around: Surroundings, people: list[Login], unseen: list[str]) -> list[str]:
    """Return where else SSH connections are from: not ours, nor those of who has a terminal."""
    try:
        origins = ssh_origins(around.server_port())
    except (CannotLookError, OSError):
        unseen.append("connections")
        return []
    known = {each.origin for each in people} | {around.origin()}
    return sorted(origins - known)


def package_managers(others: list[Process], locking: set[int]) -> list[dict[str, object]]:
    """Return the package managers at work: by their name, or by the lock they hold."""
    found = []
    for each in others:
        words = [os.path.basename(word) for word in each.words[:2]]
        # Where Python runs a script, that is the program.
        program = (
            words[-1] if words and words[0].startswith("python") else (words or [each.name])[0]
        )
        if (program in PACKAGE_MANAGERS or each.pid in locking) and each.state not in "ZXx":
            found.append({"pid": each.pid, "name": program, "command": each.command})
    return found


def locked_by(paths: tuple[str, ...]) -> set[int]:
    """Return the processes that hold a lock on one of these files, from /proc/locks."""
    inodes = set()
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        inodes.add(f"{device}:{status.st_ino}")
    try:
        return parse_locks(read_text("/proc/locks"), inodes) if inodes else set()
    except (CannotLookError, OSError):
        return set()


def parse_locks(text: str, files: set[str]) -> set[int]:
    """Return who holds locks on files (`major:minor:inode`) according to /proc/locks."""
    found = set()
    for line in text.splitlines():
        words = line.split()
        # A process that waits for a lock has "->" before its kind.
        if len(words) >= 8 and words[1] != "->" and words[5] in files:
            holder = whole_number(words[4])
            found |= set() if holder is None else {holder}
    return found


def packages_changed(log: str, now: float, within: int) -> list[str]:
    """Return what dpkg's log says was installed, upgraded or removed lately, newest last."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(os.fstat(stream.fileno()).st_size - _TAIL_BYTES, 0))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    return parse_dpkg_log(text, now - within)[-_MOST_TOLD:]


def parse_dpkg_log(text: str, since: float) -> list[str]:
    """Return the changes of a dpkg log since a moment: `upgrade nginx:amd64 1.22 1.24`."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4 or words[2] not in ("install", "upgrade", "remove", "purge"):
            continue
        try:
            # The log is in the host's own time.
            at = time.mktime(time.strptime(" ".join(words[:2]), "%Y-%m-%d %H:%M:%S"))
        except (ValueError, OverflowError):
            continue
        if at >= since:
            found.append(" ".join(words[2:]))
    return found


def deploys(
    others: list[Process], extra: list[str], now: float, within: int
) -> list[dict[str, object]]:
    """Return checkouts, releases and files that were changed lately, newest first."""
    found: dict[str, tuple[float, str]] = {}
    places = [place for pattern in (*CHECKOUTS, *extra) for place in _matching(pattern)]
    for place in dict.fromkeys([*places, *working_folders(others)][:_MOST_PLACES]):
        changed = checkout_changed(place)
        if changed is not None:
            found[place] = (changed, "checkout")
        link = os.path.join(place, "current")
        if os.path.islink(link):
            found[link] = (os.lstat(link).st_mtime, "release")
    for pattern in (*DEPLOYED_FILES, *extra):
        for path in _matching(pattern):
            if os.path.isfile(path):
                found.setdefault(path, (_changed(path), "file"))
    recent = [(now - at, path, kind) for path, (at, kind) in found.items() if now - at < within]
    return [
        {"path": path, "kind": kind, "s_ago": round(max(age, 0.0))}
        for age, path, kind in sorted(recent)
    ]


def _matching(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern))[:_MOST_PLACES]


def working_folders(others: list[Process]) -> list[str]:
    """Return where services work, as far as we may see, with the two folders above each."""
    found: dict[str, None] = {}
    for each in others:
        # Somebody's shell in a checkout is no service.
        if each.terminal != 0:
            continue
        try:
            folder = os.readlink(f"/proc/{each.pid}/cwd")
        except OSError:
            continue
        for _ in range(3):
            if folder in ("/", "") or not folder.startswith("/"):
                break
            found[folder] = None
            folder = os.path.dirname(folder)
    return list(found)


def checkout_changed(path: str) -> float | None:
    """Return when what is checked out in a folder was last another, None if it is no checkout."""
    folder = os.path.join(path, ".git")
    try:
        if os.path.isfile(folder):
            with open(folder, "rb") as stream:
                text = stream.read(4096).decode("utf-8", "replace")
            folder = os.path.join(path, text.partition("gitdir:")[2].strip())
        # Every change of HEAD is appended there; a clone without that record has only HEAD itself.
        for name in ("logs/HEAD", "HEAD"):
            file = os.path.join(folder, name)
            if os.path.isfile(file):
                return os.stat(file).st_mtime
    except OSError:
        return None
    return None


def _changed(path: str) -> float:
    try:
        # A link that was switched is a change, too.
        return max(os.stat(path).st_mtime, os.lstat(path).st_mtime)
    except OSError:
        return 0.0


def _newest(paths: tuple[str, ...], now: float, within: int) -> int | None:
    ages = [now - _changed(path) for path in paths if os.path.exists(path)]
    age = min(ages, default=float(within))
    return round(max(age, 0.0)) if age < within else None


def _rebooted(around: Surroundings, within: int) -> int | None:
    """Return how long the host is up: a container, for as long as its first process."""
    up_s = float(read_text("/proc/uptime").split()[0])
    first = around.everything.get(1)
    age = up_s - (first.started_s if first is not None else 0.0)
    return round(age) if age < within else None
