"""Finding runbooks by name, loading them, and checking whether they are sound."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from runbook.errors import Problem, RunbookError, Severity
from runbook.model.definition import Runbook
from runbook.spec.draft import Call, Draft
from runbook.spec.linker import link
from runbook.spec.lint import lint
from runbook.spec.parser import parse
from runbook.spec.places import find, locate, roles_path, runbook_files
from runbook.spec.reader import content_of


def load(name_or_path: str, search_path: Sequence[Path]) -> Runbook:
    """Return a sound, linked runbook by name, or by path where it is given with a suffix.

    `search_path` are the folders to find runbooks in, the first one that has it wins. Raises
    RunbookError with all problems of the file and of those it calls; warnings are passed over.
    """
    path = locate(name_or_path, search_path)
    library = _Library([path.parent, *search_path])
    draft = library.draft(path)
    errors = [problem for problem in library.problems() if problem.severity is Severity.ERROR]
    if errors or draft is None:
        raise RunbookError(*errors)
    return link(draft, library.find)


def check(paths: Iterable[Path], search_path: Sequence[Path] = ()) -> list[Problem]:
    """Return all problems of runbook files, or folders of them, in the order of their places.

    Runbooks that they call are looked for in their own folders first, then in `search_path`.
    """
    problems: dict[Problem, None] = {}
    for path in paths:
        files = runbook_files(path) if path.is_dir() else [path]
        for file in files:
            library = _Library([file.parent, *search_path])
            draft = library.draft(file)
            found = library.problems()
            if draft is not None and not any(p.severity is Severity.ERROR for p in found):
                try:
                    link(draft, library.find)
                except RunbookError as error:
                    found += error.problems
            problems |= dict.fromkeys(found)
    return sorted(problems, key=_place)


def _place(problem: Problem) -> tuple[str, int, int]:
    where = problem.where
    return (where.path, where.line, where.column) if where else ("", 0, 0)


class _Library:
    """The files that one runbook is made of, each read and linted once."""

    def __init__(self, search_path: Sequence[Path]) -> None:
        self._search_path = tuple(dict.fromkeys(search_path))
        self._read: dict[Path, tuple[Draft | None, list[Problem]]] = {}

    def draft(self, path: Path) -> Draft | None:
        """Read a file and, one after the other, those it calls."""
        pending = [path]
        while pending:
            current = pending.pop()
            if current in self._read:
                continue
            draft, problems = _read_file(current)
            if draft is not None:
                problems += lint(
                    draft,
                    find=self._unchecked,
                    roles=roles_path([current.parent, *self._search_path]),
                    searched=self._search_path,
                )
                pending += filter(None, map(self._path, _called(draft)))
            self._read[current] = (draft, problems)
        return self._read[path][0]

    def problems(self) -> list[Problem]:
        """Return the problems of all files read so far, in the order of their places."""
        return sorted((p for _, found in self._read.values() for p in found), key=_place)

    def find(self, name: str) -> Draft | None:
        """Return the draft of a runbook by name."""
        path = self._path(name)
        return self._read[path][0] if path in self._read else None

    def _unchecked(self, name: str) -> Draft | None:
        path = self._path(name)
        return _read_file(path)[0] if path else None

    def _path(self, name: str) -> Path | None:
        return find(name, self._search_path)


def _called(draft: Draft) -> list[str]:
    return [step.runbook for _, step in draft.sound if isinstance(step, Call)]


@lru_cache(maxsize=256)
def _parsed(content: bytes, path: str) -> tuple[Draft | None, tuple[Problem, ...]]:
    draft, problems = parse(content, path)
    return draft, tuple(problems)


def _read_file(path: Path) -> tuple[Draft | None, list[Problem]]:
    try:
        content = content_of(path)
    except OSError as error:
        problem = Problem(
            reference="unreadable-file", message=f"cannot read {path}: {error.strerror or error}"
        )
        return None, [problem]
    draft, problems = _parsed(content, str(path))
    return draft, list(problems)
