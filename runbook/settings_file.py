"""The settings file: finding it, reading it, and saying where in it something is wrong."""

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import Location, Problem, RunbookError, Severity

FILE = "runbook.toml"
PROJECT_FILE = "pyproject.toml"
_TABLE = "tool.runbook"
_SPEAKS_OF_US = re.compile(r"""tool\s*\.\s*["']?runbook""")
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingsFile:
    """One file's settings as written: `values` are not checked, `lines` are those of the file."""

    path: Path
    values: Mapping[str, object]
    lines: tuple[str, ...]

    def where(self, key: str) -> Location:
        """Return the place of a key, as far as a search for it finds it; else the file's start."""
        inside = self.path.name == FILE
        pattern = re.compile(rf"""\s*(?:tool\.runbook\.)?["']?({re.escape(key)})["']?\s*[=.]""")
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
            if header:
                name = header[1].replace('"', "")
                inside = name == _TABLE
                if name in (key, f"{_TABLE}.{key}"):
                    return Location(path=str(self.path), line=number, text=line)
            found = pattern.match(line)
            if found and (inside or "tool.runbook." in found[0]):
                return Location(
                    path=str(self.path), line=number, column=found.start(1) + 1, text=line
                )
        return Location(path=str(self.path))


def find_settings_file(
    cwd: Path, home: Path, known: tuple[str, ...]
) -> tuple[SettingsFile | None, list[Problem]]:
    """Return the nearest settings file, and warnings about those passed over.

    Raises RunbookError for one that is not TOML or has keys other than `known`.
    """
    notes: list[Problem] = []
    for folder in _upwards(cwd, home):
        for name in (FILE, PROJECT_FILE):
            path = folder / name
            if not path.is_file():
                continue
            file = _read(path)
            if file is None:
                continue
            if folder.stat().st_mode & stat.S_IWOTH:
                notes.append(
                    Problem(
                        reference="unsafe-folder",
                        message=f"{path} is passed over: everybody may write to its folder",
                        hint="Move it, or take the permission away: chmod o-w.",
                        severity=Severity.WARNING,
                    )
                )
                continue
            _check(file, known)
            return file, notes
    return None, notes


def _upwards(cwd: Path, home: Path) -> Iterator[Path]:
    for folder in (cwd, *cwd.parents):
        yield folder
        if folder == home or (folder / ".git").exists():
            return


def _read(path: Path) -> SettingsFile | None:
    """Return what a file says to us; None if it is a project's that does not speak of us."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if path.name == PROJECT_FILE:
            return None
        raise RunbookError.of("bad-settings-file", f"cannot read {path}: {error}") from error
    if path.name == PROJECT_FILE and not _SPEAKS_OF_US.search(text):
        return None
    import tomllib  # noqa: PLC0415  # most starts find no settings

    lines = tuple(text.split("\n"))
    try:
        values: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if path.name == PROJECT_FILE:
            return None
        raise _not_toml(path, lines, str(error)) from error
    if path.name == PROJECT_FILE:
        for part in _TABLE.split("."):
            values = values.get(part) if isinstance(values, dict) else None
        if values is None:
            return None
    if not isinstance(values, dict):
        raise RunbookError.of("bad-settings-file", f"{path}: {_TABLE} is not a table")
    return SettingsFile(path=path, values=values, lines=lines)


def _not_toml(path: Path, lines: tuple[str, ...], message: str) -> RunbookError:
    place = _PLACE.search(message)
    where = Location(path=str(path), line=len(lines))
    if place:
        line = int(place[1])
        where = Location(
            path=str(path), line=line, column=int(place[2]), text=lines[line - 1].rstrip("\r")
        )
    said = _PLACE.sub("", message.replace(" (at end of document)", ""))
    return RunbookError.of("bad-settings-file", f"not valid TOML: {said}", where=where)


def _check(file: SettingsFile, known: tuple[str, ...]) -> None:
    from difflib import get_close_matches  # noqa: PLC0415

    problems = []
    for key in file.values:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.6)
            problems.append(
                Problem(
                    reference="unknown-setting",
                    message=f'there is no setting "{key}"',
                    where=file.where(key),
                    hint=f'Did you mean "{near[0]}"?' if near else f"There are {', '.join(known)}.",
                )
            )
    if problems:
        raise RunbookError(*problems)
