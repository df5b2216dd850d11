"""The closure: one keyed hash over everything a run would execute.

An approval is bound to it, and a run is resumed only while it is the same: the runbook's files, all
that lies in the folders Ansible content is taken from, the inventory's files with their variables,
and the version of ansible-core and of every collection in the usual places. Keyed, so that it
cannot be used to guess at low-entropy secrets in those files. What an inventory script prints is
not part of it; what is approved shows each host's params.
"""

import hashlib
import hmac
import json
import os
import secrets
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from runbook.errors import RunbookError
from runbook.model.definition import Json, Runbook

CONTENT_FOLDERS = ("templates", "files", "tasks", "vars", "handlers", "library", "module_utils")
VARIABLE_FOLDERS = ("group_vars", "host_vars")
MAX_FILE_BYTES = 64 * 1024 * 1024


def closure_of(
    runbook: Runbook,
    roles: Iterable[Path],
    inventories: Iterable[str],
    given: Mapping[str, Json],
    key: bytes,
) -> str:
    """Return the keyed hash as hex; raise RunbookError `closure-unreadable`."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    digest.update(json.dumps(dict(given), sort_keys=True, default=str).encode())
    digest.update(f"ansible-core {metadata.version('ansible-core')}".encode())
    for path in sorted({*_files(runbook, roles), *_inventory_files(inventories), *_manifests()}):
        digest.update(str(path).encode("utf-8", "surrogateescape"))
        digest.update(_content(path))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    """Return what stands for a file: its hash, or size and time where it is very large."""
    try:
        found = path.stat()
        if found.st_size > MAX_FILE_BYTES:
            # A payload, not something that decides.
            return f"{found.st_size} {found.st_mtime_ns}".encode()
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise RunbookError.of(
            "closure-unreadable",
            f"cannot read {path}: {error.strerror}",
            context="It belongs to what the run would execute.",
            hint="make it readable, or take it out of that folder",
        ) from error


def _files(runbook: Runbook, roles: Iterable[Path]) -> Iterator[Path]:
    yield from (Path(source).resolve() for source in runbook.sources)
    for folder in (runbook.folder, *runbook.called_folders):
        for name in CONTENT_FOLDERS:
            yield from _below(Path(folder) / name)
    for path in roles:
        # All roles of the path, since a role may pull in its neighbours.
        yield from _below(path)


def _inventory_files(inventories: Iterable[str]) -> Iterator[Path]:
    """Yield the files of inventories that are files or folders; others are lists of hosts."""
    for inventory in inventories:
        path = Path(inventory)
        if path.is_file():
            yield path.resolve()
            for name in VARIABLE_FOLDERS:
                yield from _below(path.parent / name)
        elif path.is_dir():
            yield from _below(path)


def _manifests() -> Iterator[Path]:
    """Yield what names the version of each collection that is installed in the usual places."""
    roots = [
        Path(sysconfig.get_path("purelib")),
        Path("~/.ansible/collections").expanduser(),
        Path("/usr/share/ansible/collections"),
        *(Path(root).expanduser() for root in _configured_roots()),
    ]
    for root in roots:
        yield from (root / "ansible_collections").glob("*/*/MANIFEST.json")


def _configured_roots() -> list[str]:
    return [root for root in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":") if root]


def _below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, through links to other folders, each folder once."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in files:
            path = Path(place) / name
            # Editors lock files by links that lead nowhere.
            if not name.endswith(".pyc") and path.exists():
                yield path


def installation_key(folder: Path) -> bytes:
    """Return this installation's key, made at first use; raise RunbookError `state-unusable`."""
    path = folder / "key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_bytes(32))
        return path.read_bytes()
    except OSError as error:
        raise RunbookError.of(
            "state-unusable",
            f"cannot use the state folder {folder}: {error.strerror}",
            hint="free some space or fix its permissions, or set RUNBOOK_HOME",
        ) from error


def _write_once(path: Path, content: bytes) -> None:
    """Write a private file whole or not at all; the first of several writers wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
