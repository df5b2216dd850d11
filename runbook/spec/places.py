"""Where runbooks and their roles are."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from runbook.errors import RunbookError

SUFFIXES = (".yml", ".yaml")


def runbook_files(folder: Path) -> list[Path]:
    """Return the files of a folder that hold runbooks, by name; none if it cannot be read."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        path
        for path in entries
        # What lies beside a runbook, as NAME.rehearsal.yml, is not one: its name has no dot.
        if path.suffix in SUFFIXES and "." not in path.stem.lstrip(".") and path.is_file()
    ]


def roles_path(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return where roles of runbooks are looked for: within their folders, and beside them."""
    found = (path for folder in folders for path in (folder / "roles", folder.parent / "roles"))
    return tuple(dict.fromkeys(found))


def locate(name_or_path: str, search_path: Sequence[Path]) -> Path:
    """Return the file that is meant; raise RunbookError `unknown-runbook`."""
    if name_or_path.endswith(SUFFIXES) or "/" in name_or_path:
        return Path(name_or_path)
    found = find(name_or_path, search_path)
    if found is not None:
        return found
    from runbook.spec.validation import did_you_mean  # noqa: PLC0415 -- for a mistake only

    looked = ", ".join(str(folder) for folder in search_path) or "nowhere"
    names = [path.stem for folder in search_path for path in runbook_files(folder)]
    raise RunbookError.of(
        "unknown-runbook",
        f'there is no runbook "{name_or_path}"',
        context=f"Looked in: {looked}.",
        hint=did_you_mean(name_or_path, names) or "`runbook list` shows what there is.",
    )


def find(name: str, search_path: Sequence[Path]) -> Path | None:
    """Return the file of a runbook in the first folder that has it."""
    for folder in search_path:
        for suffix in SUFFIXES:
            path = folder / f"{name}{suffix}"
            if path.is_file():
                return path
    return None
