"""What runbooks there are, read as cheaply as can be: `runbook list` has to answer at once.

Nothing is checked here, and a file is read only as far as its steps. What that came to is kept
(`cache_file`) for as long as the files are the same, since importing YAML takes longer than all else.
"""

import json
import re
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook import cache_file
from runbook.spec.places import runbook_files


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What `runbook list` shows. `name` is the file's stem; `title` is "" if it cannot be read."""

    name: str
    title: str
    symptoms: tuple[str, ...]
    path: Path


def symptoms_in(one: Summary, text: str) -> tuple[str, ...]:
    """Return the symptoms of a runbook that a text names, whatever its case.

    One is named where it stands in the text, as in an error message, or has all words of the text.
    """
    sought = text.casefold()
    return tuple(
        symptom
        for symptom in one.symptoms
        if _stands_in(symptom.casefold(), sought)
        or all(_stands_in(word, symptom.casefold()) for word in sought.split())
    )


def _stands_in(words: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


def summaries(search_path: Sequence[Path]) -> list[Summary]:
    """Return what there is to run, by name; of two with the same name, the one found first."""
    found: dict[str, Path] = {}
    for folder in search_path:
        for path in runbook_files(folder):
            found.setdefault(path.stem, path)
    files = [found[name] for name in sorted(found)]
    place = f"listing-{zlib.crc32(repr(files).encode()):08x}"
    state = [_state(path) for path in (*files, *_CODE)]
    kept = _kept(place, state)
    if kept is None:
        from runbook.spec.heads import title_and_symptoms  # noqa: PLC0415 -- it imports YAML

        kept = [title_and_symptoms(path) for path in files]
        cache_file.write(place, json.dumps([state, kept]).encode())
    return [
        Summary(name=path.stem, title=title, symptoms=tuple(symptoms), path=path)
        for path, (title, symptoms) in zip(files, kept, strict=True)
    ]


_CODE = (Path(__file__), Path(__file__).with_name("heads.py"))


def _state(path: Path) -> list[str | int]:
    """Return by what a change of a file shows; never the same twice if it cannot be told."""
    try:
        return [str(path), *cache_file.state_of(path)]
    except OSError:
        return [str(path), time.time_ns()]


def _kept(place: str, state: list[list[str | int]]) -> list[tuple[str, Sequence[str]]] | None:
    """Return titles and symptoms as they were read when the files were in this state."""
    try:
        before, kept = json.loads(cache_file.read(place) or b"")
        found = [(str(title), list(map(str, symptoms))) for title, symptoms in kept]
    except (ValueError, TypeError):
        return None
    return list(found) if before == state else None
