"""Loading a sound runbook by name; one that was read before, and has not changed, is read quickly.

Reading and checking a runbook of a thousand lines takes a few hundred milliseconds of every command.
So what it came to is kept (`cache_file`), under a name that holds everything that was asked for and
the state of this code; it is used as long as every file and role that it is made of is as it was.
"""

import hashlib
import io
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from runbook import cache_file, errors, model
from runbook.model.definition import Action, AnsibleRole, Fix, Runbook
from runbook.spec.places import find, locate, roles_path

MOST_AT_HAND = 16
"""How many runbooks a process has at hand that it has read; who wants one still looks at its files."""

_OF_ROLE = "file of a role: "
_ROOTS = (Path(__file__).parent, Path(model.__file__ or "").parent)


def load(name_or_path: str, search_path: Sequence[Path]) -> Runbook:
    """Return a sound, linked runbook, as `library.load` does, and raise what it raises."""
    path = locate(name_or_path, search_path)
    folders = tuple(dict.fromkeys([path.parent, *search_path]))
    name = _name(path, folders)
    kept = _kept(cache_file.read(name))
    if kept is not None and _state(kept.runbook, folders, kept.looked_at) == kept.state:
        return kept.runbook
    from runbook.spec import library, role_files  # noqa: PLC0415 -- they take long to import

    runbook = library.load(name_or_path, search_path)
    uses = [use for action in _actions(runbook) for use in role_files.roles_used(action)]
    content = role_files.role_content(uses, roles_path(folders))
    state = _state(runbook, folders, map(str, content.looked_at))
    if state is not None:
        kept_content = io.BytesIO()
        _Pickler(kept_content, pickle.HIGHEST_PROTOCOL).dump((state, runbook))
        cache_file.write(name, kept_content.getvalue())
    return runbook


def have_at_hand(name_or_path: str, search_path: Sequence[Path]) -> None:
    """Read what is kept of a runbook, for processes that are forked and may load it.

    Raises RunbookError where there is none of that name.
    """
    path = locate(name_or_path, search_path)
    _kept(cache_file.read(_name(path, tuple(dict.fromkeys([path.parent, *search_path])))))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    state: Mapping[str, str]
    runbook: Runbook

    @property
    def looked_at(self) -> list[str]:
        """The files of roles that were looked for, also those that were not there."""
        return [
            name.removeprefix(_OF_ROLE) for name in self.state if str(name).startswith(_OF_ROLE)
        ]


def _name(path: Path, folders: Sequence[Path]) -> str:
    """Return the name of what is kept: another one for another question, or another code."""
    asked = repr((sys.version, _code(), str(path), tuple(map(str, folders)), str(Path.cwd())))
    return f"runbook-{hashlib.sha256(asked.encode()).hexdigest()[:32]}"


@cache
def _code() -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the state of the modules that read and check, and of those that hold what is read."""
    files = [
        Path(errors.__file__),
        *(file for root in _ROOTS for file in root.rglob("*.[pj][ys]*")),
    ]
    return tuple((str(file), cache_file.state_of(file)) for file in sorted(files))


def _state(
    runbook: Runbook, folders: Sequence[Path], of_roles: Iterable[str]
) -> Mapping[str, str] | None:
    """Return the state of all that a runbook is made of; None where some of it is gone."""
    state: dict[str, str] = {}
    called = runbook.sources[1:]
    try:
        for source in runbook.sources:
            state[source] = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    except OSError:
        return None
    for source in called:
        state[f"call of {source}"] = str(find(Path(source).stem, folders))
    for action in _actions(runbook):
        if isinstance(action, AnsibleRole):
            places = [folder for folder in roles_path(folders) if (folder / action.name).is_dir()]
            state[f"role {action.name}"] = str(places)
    for name in of_roles:
        state[f"{_OF_ROLE}{name}"] = _digest(Path(name))
    return state


def _digest(path: Path) -> str:
    """Return what stands for the content of a file; nothing for what is no file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except (OSError, ValueError):
        return ""


def _actions(runbook: Runbook) -> Iterator[Action]:
    for step in runbook.steps.values():
        if isinstance(step, Fix):
            yield from filter(None, (step.action, step.undo))


@lru_cache(maxsize=MOST_AT_HAND)
def _kept(content: bytes | None) -> _Kept | None:
    if content is None:
        return None
    try:
        state, runbook = _Unpickler(io.BytesIO(content)).load()
    except Exception:  # noqa: BLE001 -- whatever it is, it is not what was kept
        return None
    if not isinstance(state, dict) or not isinstance(runbook, Runbook):
        return None
    return _Kept(state=state, runbook=runbook)


class _Pickler(pickle.Pickler):
    """Writes what `_Unpickler` takes."""

    def reducer_override(self, obj: Any) -> Any:
        """Write members of enums by value: some releases of Python 3.11 do it by `getattr`."""
        return (type(obj), (obj.value,)) if isinstance(obj, Enum) else NotImplemented


class _Unpickler(pickle.Unpickler):
    """Knows the records of the model and nothing else, so that it can only ever hold data."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a record's class; raise UnpicklingError for anything else."""
        known = module.startswith("runbook.model.") or (module, name) == (
            "runbook.errors",
            "Location",
        )
        found = super().find_class(module, name) if known and "." not in name else None
        if not isinstance(found, type) or found.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} is not a record of the model")
        return found
