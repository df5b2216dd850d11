"""The private folder of one invocation: made fresh, 0700, in memory where there is such a place.

`project/` is Ansible's working directory. It links everything beside the runbook (templates, files,
vars, …), so that relative names mean what the author means, together with our plugins and all roles.
"""

import fcntl
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runbook.errors import RunbookError

if TYPE_CHECKING:  # Ansible is started by what needs no model.
    from runbook.model.definition import Json

CONTENT = Path(__file__).parent / "content"
"""What is shipped to Ansible: plugins and modules."""

PLUGIN_FOLDERS = {
    "action_plugins": CONTENT / "action_plugins",
    "callback_plugins": CONTENT / "callback_plugins",
    "library": CONTENT / "modules",
    "module_utils": CONTENT / "module_utils",
}
NAMED_BY_TASKS = ("files", "handlers", "tasks", "templates", "vars")
"""Folders beside a runbook in which its tasks look for what they name."""

PLAN_FILE = "plan.json"
PLAYBOOK_FILE = "runbook-play.yml"
AHEAD_FILE = ".runbook-ahead.yml"
"""A playbook that is read, and not played, while it is not known yet what is asked."""

OWNER_FILE = "owner"
RESULTS_FILE = "results.jsonl"
DEFAULTS_FILE = "defaults.json"
EXTRA_FILE = "extra.json"
ARGUMENTS_FILE = "arguments.json"
PID_FILE = "pid"
ENDED_FILE = "ended"
CUT_OFF_FILE = "cut-off"
OUTPUT_PIPE = "output"
GATE_PIPE = "gate"
NO_ROOM_HINT = "free some space there, or set XDG_RUNTIME_DIR to a folder of yours"


def base_folder() -> Path:
    """Return the folder that holds this user's workspaces, in memory if possible.

    A kill leaves workspaces behind (`leftovers` removes them); those in memory do not outlive the
    machine. Raises RunbookError `workspace-unusable`, or `workspace-unsafe` where somebody else owns the place.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    shared_memory = Path("/dev/shm")  # noqa: S108 -- our folder in it is 0700 and checked below
    if runtime and os.access(runtime, os.W_OK):
        base = Path(runtime) / "runbook"
    elif os.access(shared_memory, os.W_OK):
        base = shared_memory / f"runbook-{os.getuid()}"
    else:
        base = Path(tempfile.gettempdir()) / f"runbook-{os.getuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        found = base.lstat()
    except OSError as error:
        raise RunbookError.of(
            "workspace-unusable",
            f"cannot make the working folder {base}: {error.strerror}",
            hint=NO_ROOM_HINT,
        ) from error
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise RunbookError.of(
            "workspace-unsafe",
            f"{base} is not a private folder of yours",
            hint="remove it, or set XDG_RUNTIME_DIR to a folder of yours",
        )
    return base


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """One invocation's folder; `lock` is the open file by which others see that we live."""

    folder: Path
    lock: int

    @classmethod
    def create(cls, name: str) -> "Workspace":
        """Make the folder; `name` is the invocation's id."""
        folder = base_folder() / name
        try:
            folder.mkdir(mode=0o700)
            # Locked before it has its name, so that nobody finds it unlocked while we live.
            nameless = folder / f"{OWNER_FILE}.new"
            lock = os.open(nameless, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            nameless.rename(folder / OWNER_FILE)
            (folder / "project").mkdir(mode=0o700)
        except OSError as error:
            raise RunbookError.of(
                "workspace-unusable",
                f"cannot make {folder}: {error.strerror}",
                hint=NO_ROOM_HINT,
            ) from error
        return cls(folder=folder, lock=lock)

    @property
    def project(self) -> Path:
        """Ansible's working directory."""
        return self.folder / "project"

    @property
    def plan(self) -> Path:
        """The plan our plugins read."""
        return self.folder / PLAN_FILE

    @property
    def results(self) -> Path:
        """Where our callback writes."""
        return self.folder / RESULTS_FILE

    @property
    def defaults(self) -> Path:
        """The inventory source that carries the params' defaults."""
        return self.folder / DEFAULTS_FILE

    @property
    def extra(self) -> Path:
        """The extra variables of `--set`."""
        return self.folder / EXTRA_FILE

    def fill(
        self,
        *,
        content: Path,
        called: Sequence[Path],
        roles: Sequence[Path],
        defaults: "Mapping[str, Json]",
        extra: "Mapping[str, Json]",
    ) -> None:
        """Write the variables and link what lies beside the runbook; raise RunbookError.

        `called` are the folders of runbooks that it calls: what their steps name is there too, and is
        never taken for something of that name beside the runbook (`content-ambiguous`).
        """
        try:
            merged = {**PLUGIN_FOLDERS, "roles": None}
            for name, ours in merged.items():
                theirs = [place / name for place in (content, *called)]
                found = list(roles) if name == "roles" else theirs
                self._merge(name, [*found, *([ours] if ours else [])])
            joined = {
                name for name in NAMED_BY_TASKS for place in called if (place / name).is_dir()
            }
            for item in _listing(content):
                if item.name not in {*merged, *joined} and item.name != PLAYBOOK_FILE:
                    (self.project / item.name).symlink_to(item.resolve())
            for name in sorted(joined):
                self._join(name, [place / name for place in (content, *called)])
            self.write(self.defaults, json.dumps({"all": {"vars": dict(defaults)}}))
            self.write(self.extra, json.dumps(dict(extra)))
        except OSError as error:
            raise self._could_not_be_filled(error) from error

    def ask(self, *, playbook: str, plan: "Mapping[str, Json]") -> None:
        """Write what is asked; raise RunbookError."""
        try:
            self.write(self.plan, json.dumps(plan))
            draft = self.folder / PLAYBOOK_FILE
            self.write(draft, playbook)
            draft.rename(self.project / PLAYBOOK_FILE)
        except OSError as error:
            raise self._could_not_be_filled(error) from error

    def _could_not_be_filled(self, error: OSError) -> RunbookError:
        return RunbookError.of(
            "workspace-unusable",
            f"cannot fill {self.folder}: {error.strerror}",
            hint=NO_ROOM_HINT,
        )

    def _merge(self, name: str, folders: Iterable[Path]) -> None:
        target = self.project / name
        target.mkdir(mode=0o700)
        for folder in folders:
            for item in _listing(folder):
                link = target / item.name
                if link.is_symlink() and folder in PLUGIN_FOLDERS.values():
                    link.unlink()  # Ours win: a runbook's folder cannot replace the engine.
                if not link.is_symlink():
                    link.symlink_to(item.resolve())
            if folder == PLUGIN_FOLDERS["action_plugins"]:
                _link_code(folder, target)

    def _join(self, name: str, folders: Iterable[Path]) -> None:
        target = self.project / name
        target.mkdir(mode=0o700)
        for folder in folders:
            for item in _listing(folder):
                link = target / item.name
                if not link.is_symlink():
                    link.symlink_to(item.resolve())
                elif link.resolve() != item.resolve():
                    raise RunbookError.of(
                        "content-ambiguous",
                        f"{link.resolve()} and {item.resolve()} have the same name",
                        context="One lies beside a runbook, the other beside one that it calls.",
                        hint="rename one of them, so that each step gets its own",
                    )

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Write a new file that nobody else may read; raise OSError."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)


def _link_code(folder: Path, target: Path) -> None:
    """Link what the modules of a folder were compiled to, or each request would do so anew."""
    compiled = target / "__pycache__"
    compiled.mkdir(mode=0o700)
    for item in folder.glob(f"__pycache__/*.{sys.implementation.cache_tag}.pyc"):
        (compiled / item.name).symlink_to(item)


def _listing(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        item for item in folder.iterdir() if not item.name.startswith((".", "__pycache__"))
    )
