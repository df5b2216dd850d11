"""What of a role is run: its task files, and all that they bring in, each read once.

Where a name is only known in a run, every task file of the role may be meant. Sources: Ansible's pages
on roles, `include_tasks` and `include_role`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

from runbook.model.definition import Action, AnsibleRole, Json
from runbook.spec.ansible_words import OPENS_NAMES, flat_tasks, module_keys, short
from runbook.spec.document import Document, Path
from runbook.spec.places import SUFFIXES
from runbook.spec.reader import content_of, read

_MAIN = "main"


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleUse:
    """A role by name, and which of its task files is begun with; None for one not known yet."""

    name: str
    tasks_from: str | None = _MAIN


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleFile:
    """A file of tasks or handlers: its text with places, and its tasks, blocks before their own."""

    document: Document
    tasks: tuple[tuple[Path, Mapping[Any, Json]], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleContent:
    """What roles run.

    `variables` are what their defaults and vars assign. `looked_at` are the paths that decided it,
    also of files that are not there.
    """

    files: Mapping[FilePath, RoleFile] = field(default_factory=dict)
    variables: tuple[Mapping[str, Json], ...] = ()
    looked_at: tuple[FilePath, ...] = ()


def roles_used(action: Action | None) -> Iterator[RoleUse]:
    """Yield the roles that a fix or its undo names, itself or in tasks of its own."""
    if isinstance(action, AnsibleRole):
        yield RoleUse(name=action.name, tasks_from=action.tasks_from or _MAIN)
    elif action is not None:
        for _, task in flat_tasks(action.bodies):
            yield from _included_roles(task)


def role_content(uses: Iterable[RoleUse], folders: Sequence[FilePath]) -> RoleContent:
    """Read what the roles run; what is missing, or no list of tasks, is Ansible's to tell."""
    reading = _Reading(folders)
    for use in uses:
        reading.role(use)
    reading.follow()
    return RoleContent(
        files=reading.files,
        variables=tuple(reading.variables),
        looked_at=tuple(reading.looked_at),
    )


def is_include(task: Mapping[Any, Json]) -> bool:
    """Say whether a task only brings in others."""
    return any(short(module) in OPENS_NAMES for module in module_keys(task))


class _Reading:
    """Follows tasks to the files and roles that they bring in."""

    def __init__(self, folders: Sequence[FilePath]) -> None:
        self._folders = folders
        self._known: set[RoleUse] = set()
        self._pending: list[tuple[FilePath, FilePath]] = []
        self.files: dict[FilePath, RoleFile] = {}
        self.variables: list[Mapping[str, Json]] = []
        self.looked_at: dict[FilePath, None] = {}

    def role(self, use: RoleUse) -> None:
        """Begin with a role's tasks; its handlers and those it depends on belong to it."""
        place = next((f / use.name for f in self._folders if _is_within(use.name, f)), None)
        if place is None or use in self._known:
            return
        self._known.add(use)
        self._file(place, place / "tasks", use.tasks_from)
        self._file(place, place / "handlers", _MAIN)
        for kind in ("defaults", "vars"):
            for _, document in self._read(place / kind, _MAIN):
                if isinstance(document.data, Mapping):
                    self.variables.append(document.data)
        for _, document in self._read(place / "meta", _MAIN):
            needed = document.data.get("dependencies") if _is_mapping(document.data) else None
            for item in needed if isinstance(needed, list) else ():
                name = item.get("role", item.get("name")) if isinstance(item, Mapping) else item
                if isinstance(name, str):
                    self.role(RoleUse(name=name))

    def follow(self) -> None:
        """Read all that waits to be read, and what it brings in."""
        while self._pending:
            place, path = self._pending.pop()
            file = self.files[path]
            for _, task in file.tasks:
                for use in _included_roles(task):
                    self.role(use)
                for name in _included_files(task):
                    self._file(place, path.parent, name)
                    self._file(place, place / "tasks", name)

    def _file(self, place: FilePath, folder: FilePath, name: str | None) -> None:
        names = [name] if name is not None else _names_in(folder)
        for each in names:
            for path, document in self._read(folder, each):
                if path not in self.files:
                    self.files[path] = RoleFile(
                        document=document, tasks=tuple(flat_tasks(document.data))
                    )
                    self._pending.append((place, path))

    def _read(self, folder: FilePath, name: str) -> Iterator[tuple[FilePath, Document]]:
        """Yield the file of this name in a folder, the first that Ansible would take."""
        if not _is_inside(name):
            return
        for suffix in ("", *SUFFIXES):
            path = folder / f"{name}{suffix}"
            self.looked_at[path] = None
            try:
                content = content_of(path)
            except (OSError, ValueError):
                continue
            yield path, _parsed(content, str(path))
            return


@lru_cache(maxsize=512)
def _parsed(content: bytes, path: str) -> Document:
    return read(content, path, foreign=lambda _: True)


def _included_roles(task: Mapping[Any, Json]) -> Iterator[RoleUse]:
    for module in module_keys(task):
        value = task[module]
        if short(module) in {"import_role", "include_role"} and isinstance(value, Mapping):
            name, tasks_from = value.get("name"), value.get("tasks_from", _MAIN)
            if isinstance(name, str) and isinstance(tasks_from, str):
                yield RoleUse(name=name, tasks_from=None if "{{" in tasks_from else tasks_from)


def _included_files(task: Mapping[Any, Json]) -> Iterator[str | None]:
    for module in module_keys(task):
        value = task[module]
        if short(module) in {"import_tasks", "include_tasks"}:
            name = value.get("file") if isinstance(value, Mapping) else value
            if isinstance(name, str):
                yield None if "{{" in name else name


def _names_in(folder: FilePath) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix in SUFFIXES)
    except OSError:
        return []


def _is_within(name: str, folder: FilePath) -> bool:
    try:
        return _is_inside(name) and "/" not in name and (folder / name).is_dir()
    except (OSError, ValueError):
        return False


def _is_inside(name: str) -> bool:
    path = FilePath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and name != "."


def _is_mapping(value: Json) -> bool:
    return isinstance(value, Mapping)
