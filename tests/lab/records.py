"""The labs of this machine: what has to be known of one to take it away, also after a crash."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import network
from tests.lab.cgroups import Group
from tests.lab.namespaces import Namespaces
from tests.lab.processes import Process

PLACE = Path("/run/runbook-lab")

_FILE = "lab.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A lab: its folder is `PLACE / name`; `group` is its control group, `written` its files."""

    name: str
    namespaces: Namespaces
    group: str
    has_door: bool
    written: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """Where its own files are."""
        return PLACE / self.name

    @property
    def is_alive(self) -> bool:
        """Whether it still exists."""
        return self.namespaces.holder.is_alive

    def write(self) -> None:
        """Write it down."""
        namespaces = self.namespaces
        document = {
            "outer": [namespaces.outer.pid, namespaces.outer.started],
            "holder": [namespaces.holder.pid, namespaces.holder.started],
            "network": namespaces.network,
            "group": self.group,
            "has_door": self.has_door,
            "written": list(map(str, self.written)),
        }
        (self.folder / _FILE).write_text(json.dumps(document, indent=2) + "\n")

    def clear(self) -> None:
        """Take the lab away, with everything that was made for it."""
        self.namespaces.end()
        if self.has_door:
            network.close_door()
        Group.named(self.group).remove()
        for path in self.written:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.folder)


def read(name: str) -> Record | None:
    """Return what is known of a lab; None if nothing is."""
    try:
        document = json.loads((PLACE / name / _FILE).read_text())
        outer, holder = (
            Process(pid=pid, started=started)
            for pid, started in (document["outer"], document["holder"])
        )
        return Record(
            name=name,
            namespaces=Namespaces(outer=outer, holder=holder, network=document["network"]),
            group=document["group"],
            has_door=document["has_door"],
            written=tuple(map(Path, document["written"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def changing() -> Iterator[None]:
    """Keep others from creating or clearing labs meanwhile."""
    PLACE.mkdir(mode=0o755, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def clear_stale() -> list[str]:
    """Clear what is left of labs whose processes are gone; return their names.

    Call it while `changing`.
    """
    cleared = []
    for folder in [path for path in sorted(PLACE.iterdir()) if path.is_dir()]:
        record = read(folder.name)
        if record is None:  # it crashed before there was anything but this folder
            shutil.rmtree(folder)
            cleared.append(folder.name)
        elif not record.is_alive:
            record.clear()
            cleared.append(folder.name)
    return cleared
