"""Control groups: what bounds a host's memory, in version 1 and in version 2."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.lab import processes

# Of version 1, those that a systemd inside has a use for. cpuset refuses processes until it is set up.
_WANTED = frozenset({"cpu", "cpuacct", "memory", "pids", "blkio", "freezer", "devices"})

_JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Hierarchy:
    """One mounted hierarchy: `options` is how it is mounted (`memory`, `name=systemd`).

    That of version 2 is called `unified`, also where it is the only one.
    """

    folder: Path
    options: str

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Read a line of `/proc/self/mountinfo`; None if it is no hierarchy to use."""
        mount, _, source = line.partition(" - ")
        kind, _, superblock = source.split(" ", 2)
        options = [word for word in superblock.strip().split(",") if word in _WANTED]
        if kind == "cgroup2":
            options = ["unified"]
        elif kind != "cgroup":
            return None
        elif "name=systemd" in superblock:
            options = ["name=systemd"]
        return cls(folder=Path(mount.split(" ")[4]), options=",".join(options)) if options else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A group of this name in every hierarchy."""

    name: str
    hierarchies: tuple[Hierarchy, ...]

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the group of this name, whether it exists or not."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        found = {one.options: one for line in lines if (one := Hierarchy.read(line))}
        return cls(name=name, hierarchies=tuple(found.values()))

    @property
    def is_unified(self) -> bool:
        """Whether there is only version 2."""
        return [one.options for one in self.hierarchies] == ["unified"]

    @property
    def mount_options(self) -> str:
        """Hierarchies of version 1 as `boot.sh` takes them, with version 2 beside them."""
        return "" if self.is_unified else " ".join(one.options for one in self.hierarchies)

    @property
    def folders(self) -> list[Path]:
        """The group's folder in each hierarchy."""
        return [one.folder / self.name for one in self.hierarchies]

    def create(self) -> None:
        """Create the group, with those above it."""
        for folder in self.folders:
            folder.mkdir(parents=True, exist_ok=True)
        if self.is_unified:
            above = Path(self.name).parents
            for parent in reversed([self.hierarchies[0].folder / name for name in above]):
                offered = _WANTED.intersection((parent / "cgroup.controllers").read_text().split())
                enabled = " ".join(f"+{name}" for name in sorted(offered))
                (parent / "cgroup.subtree_control").write_text(enabled)

    def cpu_s(self) -> float:
        """Return the seconds of CPU that its processes have used so far, those that ended as well."""
        for folder in self.folders:
            with suppress(FileNotFoundError):
                return int((folder / "cpuacct.usage").read_text()) / 1e9
            with suppress(FileNotFoundError):
                told = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
                if "usage_usec" in told:
                    return int(told["usage_usec"]) / 1e6
        raise FileNotFoundError(self.name)

    def part(self, name: str) -> "Group":
        """Create a group in this one, bound by what bounds this one, and return it."""
        part = Group(name=f"{self.name}/{name}", hierarchies=self.hierarchies)
        for folder in part.folders:
            folder.mkdir(exist_ok=True)
        return part

    def joined(self, arguments: list[str]) -> list[str]:
        """Return the arguments that run a program in this group."""
        return ["sh", "-c", _JOIN, "sh", *map(str, self.folders), "--", *arguments]

    def limit_memory(self, megabytes: int) -> None:
        """Bound what the group may use, what it writes to file systems in memory included."""
        if self.is_unified:
            file = self.folders[0] / "memory.max"
        else:
            memory = next(one for one in self.hierarchies if "memory" in one.options.split(","))
            file = memory.folder / self.name / "memory.limit_in_bytes"
        file.write_text(str(megabytes << 20))

    def remove(self) -> None:
        """Remove the group and all in it, once its last process is gone; empty ones above as well."""
        processes.wait_until(
            lambda: all(_removed(folder) for folder in self.folders),
            f"control group {self.name} does not empty",
            within_s=60.0,
        )
        for one in self.hierarchies:
            for name in list(Path(self.name).parents)[:-1]:
                with suppress(OSError):  # another lab is in it, or it is gone
                    (one.folder / name).rmdir()


def _removed(folder: Path) -> bool:
    """Try to remove a group's folder; say whether it is gone."""
    deepest_first = sorted(folder.rglob("*/"), key=lambda path: len(path.parts), reverse=True)
    for path in [*deepest_first, folder]:
        with suppress(OSError):  # it is busy, or gone meanwhile
            path.rmdir()
    return not folder.exists()
