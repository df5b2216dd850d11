"""Looking for secrets wherever a program may leave them: files, processes, what it printed."""

import json
import os
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

EVERY_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is looked for, by name, in every form in which it could be written down."""

    secrets: Mapping[str, str]
    _forms: dict[str, frozenset[bytes]] = field(init=False)

    def __post_init__(self) -> None:
        found = {name: frozenset(forms(value)) for name, value in self.secrets.items()}
        object.__setattr__(self, "_forms", found)

    def found_in(self, content: bytes | str) -> set[str]:
        """Return the names of the secrets that a text or file holds."""
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        return {name for name, known in self._forms.items() if any(form in data for form in known)}

    def found_below(self, folder: Path) -> dict[str, set[str]]:
        """Return the secrets in the files below a folder, and in their names, by path."""
        found: dict[str, set[str]] = {}
        for path in files_below(folder):
            try:
                content = path.read_bytes()
            except OSError:  # Gone meanwhile, or a pipe.
                content = b""
            names = self.found_in(content) | self.found_in(path.name)
            if names:
                found[str(path)] = names
        return found

    def found_in_process(self, pid: int) -> dict[str, set[str]]:
        """Return the secrets in what `ps` shows of a process, and in its environment."""
        found = {}
        for what in ("cmdline", "environ", "comm"):
            try:
                content = Path(f"/proc/{pid}/{what}").read_bytes()
            except OSError:
                continue
            if names := self.found_in(content):
                found[f"{what} of a process: {content[:80]!r}"] = names
        return found


@dataclass(kw_only=True)
class Watch:
    """What a sweep finds while a program runs; `cores` how large images of processes may be."""

    files: dict[str, set[str]] = field(default_factory=dict)
    processes: dict[str, set[str]] = field(default_factory=dict)
    modes: set[int] = field(default_factory=set)
    cores: set[str] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)


def forms(secret: str) -> Iterator[bytes]:
    """Yield the forms of a secret: as it is, escaped, quoted, encoded; each line of a long one."""
    for text in {secret, *(line for line in secret.splitlines() if len(line) > 20)}:
        yield text.encode()
        yield json.dumps(text)[1:-1].encode()
        yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
        yield quote(text, safe="").encode()
        yield b64encode(text.encode()).rstrip(b"=")


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder; links are not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if not path.is_symlink() and path.is_file():
                yield path


def descendants(pid: int) -> set[int]:
    """Return the processes that a process started, and those that these started."""
    found: set[int] = set()
    pending = [pid]
    while pending:
        tasks = Path(f"/proc/{pending.pop()}/task")
        try:
            threads = list(tasks.iterdir())
        except OSError:  # Gone meanwhile.
            continue
        for thread in threads:
            try:
                children = set(map(int, (thread / "children").read_text().split()))
            except OSError:  # As above.
                continue
            pending += children - found
            found |= children
    return found


def core_limit(pid: int) -> set[str]:
    """Return how large an image of its memory a process may leave, as proc(5) has it, if it lives."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    except OSError:  # Gone meanwhile.
        return set()
    return {line.split()[4] for line in lines if line.startswith("Max core file size")}


@contextmanager
def watching(sweep: Sweep, pid: int, folders: Iterable[Path]) -> Iterator[Watch]:
    """Look again and again, through a process's life, at what it starts and at files below folders."""
    watch = Watch()
    over = threading.Event()
    places = list(folders)

    def look() -> None:
        if watch.seen:  # Before that it may not have come to its first line.
            watch.cores |= core_limit(pid)
        for child in descendants(pid):
            watch.seen.add(child)
            watch.cores |= core_limit(child)
            watch.processes |= sweep.found_in_process(child)
        for folder in places:
            for path, names in sweep.found_below(folder).items():
                watch.files.setdefault(path, set()).update(names)
                try:
                    watch.modes |= {
                        Path(path).stat().st_mode & 0o077,
                        Path(path).parent.stat().st_mode & 0o077,
                    }
                except OSError:
                    continue

    def keep_looking() -> None:
        while not over.wait(EVERY_S):
            look()

    thread = threading.Thread(target=keep_looking)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
