"""Free disk space by means that lose only old logs and caches. Linux; Python 3.8 or newer."""
# ruff: noqa: INP001, PTH107, PTH110, PTH112, PTH118 - a lone file for Python 3.8

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.runbook_support.accounts import run
from ansible.module_utils.runbook_support.errors import RefusedError

DOCUMENTATION = r"""
module: free_disk
short_description: Free disk space by means that lose only old logs and caches
description:
  - Lets journald vacuum its archives, removes rotated logs of a certain age, and packages that apt
    or dnf keep after installing them. Nothing else is ever removed, and links are not followed.
  - A means that does not work is told about, and the others are tried.
options:
  journal_size:
    description: What journald's files may take, in bytes or as C(200M); empty leaves them alone.
    type: str
    default: ""
  journal_directory:
    description: Where the journal is, if not in its usual place.
    type: path
  log_directories:
    description: Folders with rotated logs.
    type: list
    elements: path
    default: []
  log_days:
    description: How many days old a rotated log has to be.
    type: int
    default: 7
  package_cache:
    description: Whether to remove the packages that apt and dnf keep.
    type: bool
    default: false
author: [The runbook authors]
"""
EXAMPLES = r"""
- name: Free disk space
  free_disk:
    journal_size: 200M
    log_directories: [/var/log]
    package_cache: true
"""
RETURN = r"""
freed:
  description: Bytes freed, or that would be, by each of C(journal), C(logs) and C(packages).
  type: dict
  returned: always
failures:
  description: What did not work.
  type: list
  returned: always
"""

_SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_ROTATED = re.compile(r".+\.gz|.+\.1|.+\.log\.\d+")
# The end of an archive's name; what journald writes to has none.
_ARCHIVE = re.compile(r".+@.+\.journal~?|.+\.journal~")
_JOURNALS = ("/var/log/journal", "/run/log/journal")
_APT = "/var/cache/apt/archives"
_DNF = ("/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum")


class Found(NamedTuple):
    """A file that may go."""

    path: str
    occupied: int
    changed_at: float


def size(text: str) -> int:
    """Return a size in bytes; raise RefusedError if it is none."""
    found = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not found:
        raise RefusedError(f"{text!r} is no size such as 200M")
    return int(found[1]) * _SIZES[found[2]]


def files(folder: str, name: re.Pattern[str]) -> Iterator[Found]:
    """Return the regular files below a folder whose names match."""
    for parent, _, names in os.walk(folder):
        for entry in names:
            if name.fullmatch(entry):
                path = os.path.join(parent, entry)
                try:
                    seen = os.lstat(path)
                except FileNotFoundError:
                    continue
                # A file with another name elsewhere frees nothing.
                if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1:
                    yield Found(path, seen.st_blocks * 512, seen.st_mtime)


def total(found: list[Found]) -> int:
    """Return the bytes that files occupy."""
    return sum(file.occupied for file in found)


class Means:
    """The ways to free space. Each returns the files that went, or would go."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.wanted = module.params
        self.failures: list[str] = []

    def journal(self) -> list[Found]:
        """Let journald remove its oldest archives; raise RefusedError."""
        if not self.wanted["journal_size"]:
            return []
        allowed = size(self.wanted["journal_size"])
        own = self.wanted["journal_directory"]
        folders = [own] if own else [folder for folder in _JOURNALS if os.path.isdir(folder)]
        kept = [file for folder in folders for file in files(folder, re.compile(r".+\.journal~?"))]
        archives = sorted(
            (file for folder in folders for file in files(folder, _ARCHIVE)),
            key=lambda file: file.changed_at,
        )
        if self.module.check_mode:
            surplus = total(kept) - allowed
            going = []
            for file in archives:
                if surplus <= 0:
                    break
                surplus -= file.occupied
                going.append(file)
            return going
        if total(kept) <= allowed:
            return []
        options = ["--directory", own] if own else []
        done = run(["journalctl", *options, f"--vacuum-size={allowed}"], timeout_s=300.0)
        if done.rc != 0:
            raise RefusedError(f"journalctl fails: {done.why}")
        return [file for file in archives if not os.path.exists(file.path)]

    def logs(self) -> list[Found]:
        """Remove rotated logs of a certain age; raise RefusedError."""
        days = self.wanted["log_days"]
        if days < 1:
            raise RefusedError("rotated logs younger than a day are not removed")
        before = time.time() - days * 86400
        going = []
        for folder in self.wanted["log_directories"]:
            if not os.path.isdir(folder) or os.path.realpath(folder).count("/") < 2:
                raise RefusedError(f"{folder} is no folder of logs")
            going += [file for file in files(folder, _ROTATED) if file.changed_at < before]
        going.sort(key=lambda file: file.path)
        return going if self.module.check_mode else [file for file in going if self._remove(file)]

    def _remove(self, file: Found) -> bool:
        try:
            os.remove(file.path)
        except OSError as error:
            self.failures.append(f"cannot remove {file.path}: {error.strerror}")
            return False
        return True

    def packages(self) -> list[Found]:
        """Let apt and dnf remove what they keep; raise RefusedError."""
        if not self.wanted["package_cache"]:
            return []
        going: list[Found] = []
        managers = (
            ("apt-get", ["clean"], (_APT,), r".+\.deb"),
            ("dnf", ["--quiet", "clean", "packages"], _DNF, r".+\.rpm"),
        )
        for name, arguments, folders, pattern in managers:
            if not shutil.which(name):
                continue
            cached = [file for folder in folders for file in files(folder, re.compile(pattern))]
            if cached and not self.module.check_mode:
                done = run([name, *arguments], timeout_s=120.0)
                if done.rc != 0:
                    raise RefusedError(f"{name} clean fails: {done.why}")
                cached = [file for file in cached if not os.path.exists(file.path)]
            going += cached
        return going


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "journal_size": {"type": "str", "default": ""},
            "journal_directory": {"type": "path"},
            "log_directories": {"type": "list", "elements": "path", "default": []},
            "log_days": {"type": "int", "default": 7},
            "package_cache": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    means = Means(module)
    going: dict[str, list[Found]] = {}
    for name, free in (
        ("journal", means.journal),
        ("logs", means.logs),
        ("packages", means.packages),
    ):
        try:
            going[name] = free()
        except RefusedError as error:
            going[name] = []
            means.failures.append(str(error))
    listed = [file for found in going.values() for file in found]
    freed = {name: total(found) for name, found in going.items()}
    outcome: dict[str, Any] = {
        "changed": bool(listed),
        "freed": freed,
        "failures": means.failures,
        "msg": ", ".join(f"{name}: {count} bytes" for name, count in freed.items()),
        "diff": {
            "before": "".join(f"{file.path} ({file.occupied} bytes)\n" for file in listed),
            "after": "",
        },
    }
    if means.failures and not listed:
        module.fail_json(**{**outcome, "msg": "; ".join(means.failures)})
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
