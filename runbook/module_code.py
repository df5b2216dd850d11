"""Where modules were found and what they compile to, kept in one file for each program.

To import a module Python looks for its file, then for what that was compiled to, opens and reads it:
a third of the time of importing, as there are 500 of them in Ansible. All of them lie in one file
here. A module is taken from it only where Python would come to the same file (what is searched before
it still has none of that name, and its own folder has the entries it had) and the file is as it was.
"""

import marshal
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import NamedTuple

from runbook import cache_file

MOST = 2000
"""How many modules are kept for a program; once there are more, only those of one process."""

_LENGTH = 8


class Known(NamedTuple):
    """A module: the file it is in, and where its code lies.

    `searched` is the path of its package, None for what is looked for on `sys.path`. `state` is that
    of the file, `beside` that of its folder.
    """

    origin: str
    compiled: str | None
    is_package: bool
    searched: tuple[str, ...] | None
    state: tuple[int, ...]
    beside: tuple[int, ...]
    start: int
    end: int


class ModuleCode:
    """A finder of modules, for `sys.meta_path`; programs that need other modules have other names."""

    def __init__(self, name: str) -> None:
        # Another installation has other files.
        self._file = cache_file.of_this_python(f"modules-{name}", sys.prefix, __file__)
        self._codes = memoryview(b"")
        self._known: dict[str, Known] = {}
        self._new: dict[str, tuple[Known, CodeType]] = {}
        self._folders: dict[str, tuple[int, ...]] = {}
        with suppress(AttributeError, EOFError, TypeError, ValueError):
            self._read()

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find a module as Python's own finder would."""
        searched = None if path is None else tuple(path)
        known = self._known.get(name)
        if known is not None and known.searched == searched and self._is_as_it_was(known):
            before = _searched_before(known)
            if before is not None:
                first = PathFinder.find_spec(name, before) if before else None
                # A folder of that name counts where there is no module at all.
                return first if first is not None and first.loader else self._spec(name, known)
        found = PathFinder.find_spec(name, path, target)
        if found is not None and type(found.loader) is SourceFileLoader and found.origin:
            found.loader = _Learning(self, found, searched)
        return found

    def keep(self) -> None:
        """Write down what was found, if anything was, and find nothing from now on."""
        with suppress(ValueError):
            sys.meta_path.remove(self)
        new, self._new = self._new, {}
        if new:
            self._write(new)
        self._known, self._codes = {}, memoryview(b"")

    def _write(self, new: dict[str, tuple[Known, CodeType]]) -> None:
        codes = {
            name: (known, memoryview(marshal.dumps(code))) for name, (known, code) in new.items()
        }
        if len(codes) + len(self._known) <= MOST:
            for name, known in self._known.items():
                codes.setdefault(name, (known, self._codes[known.start : known.end]))
        index: dict[str, tuple[object, ...]] = {}
        start = 0
        for name, (known, code) in codes.items():
            index[name] = (*known[:-2], start, start + len(code))
            start += len(code)
        head = marshal.dumps(index)
        parts: list[bytes | memoryview] = [len(head).to_bytes(_LENGTH, "big"), head]
        parts += (code for _, code in codes.values())
        cache_file.write(self._file, b"".join(parts))

    def code(self, known: Known) -> CodeType | None:
        """Return what a module compiles to, None where that cannot be read."""
        with suppress(EOFError, TypeError, ValueError):
            found = marshal.loads(self._codes[known.start : known.end])  # noqa: S302 -- only we wrote it
            return found if isinstance(found, CodeType) else None
        return None

    def note(self, name: str, known: Known, code: CodeType) -> None:
        """Remember what was found."""
        self._new[name] = known, code

    def _read(self) -> None:
        content = memoryview(cache_file.read(self._file) or b"")
        if content:
            head = _LENGTH + int.from_bytes(content[:_LENGTH], "big")
            read = marshal.loads(content[_LENGTH:head])  # noqa: S302 -- only we wrote it
            self._known = {name: Known._make(each) for name, each in read.items()}
            self._codes = content[head:]

    def _is_as_it_was(self, known: Known) -> bool:
        folder = _folder(known.origin, is_package=known.is_package)
        try:
            if folder not in self._folders:
                self._folders[folder] = cache_file.state_of(folder)
            is_so = self._folders[folder] == known.beside
            return is_so and cache_file.state_of(known.origin) == known.state
        except OSError:
            return False

    def _spec(self, name: str, known: Known) -> ModuleSpec:
        loader = _Knowing(self, name, known)
        spec = ModuleSpec(name, loader, origin=known.origin, is_package=known.is_package)
        if known.is_package:
            spec.submodule_search_locations = [known.origin.rpartition(os.sep)[0]]
        spec.has_location = True
        spec.cached = known.compiled
        return spec


class _Knowing(SourceFileLoader):
    """Python's own, for a module whose code is at hand."""

    def __init__(self, kept: ModuleCode, name: str, known: Known) -> None:
        super().__init__(name, known.origin)
        self._kept = kept
        self._known = known

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of the module."""
        return self._kept.code(self._known) or super().get_code(fullname)


class _Learning(SourceFileLoader):
    """Python's own, for a module whose code is noted."""

    def __init__(
        self, kept: ModuleCode, spec: ModuleSpec, searched: tuple[str, ...] | None
    ) -> None:
        super().__init__(spec.name, spec.origin or "")
        self._kept = kept
        self._spec = spec
        self._searched = searched

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of the module."""
        with suppress(OSError):
            # As it is before it is read: what changes meanwhile is not taken for what was read.
            known = _known(self._spec, self._searched)
            code = super().get_code(fullname)
            if code is not None:
                self._kept.note(fullname, known, code)
            return code
        return super().get_code(fullname)


def _known(spec: ModuleSpec, searched: tuple[str, ...] | None) -> Known:
    """Return what is to be known of a module, but for its code; raise OSError."""
    origin = spec.origin or ""
    is_package = spec.submodule_search_locations is not None
    return Known(
        origin=origin,
        compiled=spec.cached,
        is_package=is_package,
        searched=searched,
        state=cache_file.state_of(origin),
        beside=cache_file.state_of(_folder(origin, is_package=is_package)),
        start=0,
        end=0,
    )


def _folder(origin: str, *, is_package: bool) -> str:
    """Return the folder in which a module, or the folder of a package, is found."""
    folder = origin.rpartition(os.sep)[0]
    return folder.rpartition(os.sep)[0] if is_package else folder


def _searched_before(known: Known) -> list[str] | None:
    """Return what is searched before a module's own folder, None where that is not searched."""
    searched = sys.path if known.searched is None else known.searched
    with suppress(ValueError):
        return [*searched[: searched.index(_folder(known.origin, is_package=known.is_package))]]
    return None


@cache
def use(name: str) -> ModuleCode:
    """Find modules by what is kept under a name, until it is said that all is imported."""
    code = ModuleCode(name)
    finders = sys.meta_path
    if PathFinder in finders:
        finders.insert(finders.index(PathFinder), code)
    return code
