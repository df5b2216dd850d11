"""The closure: one keyed hash over everything a run would execute.

An approval is bound to it, and a run is resumed only while it is the same: the runbook's files, all
that lies in the folders Ansible content is taken from, and the version of ansible-core and of every
collection. Keyed, so that it cannot be used to guess at low-entropy secrets in those files.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from runbook.errors import RunbookError
from runbook.model.definition import Json, Runbook

CONTENT_FOLDERS = ("templates", "files", "tasks", "vars", "handlers", "library", "module_utils")
MAX_FILE_BYTES = 64 * 1024 * 1024


def closure_of(
    runbook: Runbook, roles: Iterable[Path], given: Mapping[str, Json], key: bytes
) -> str:
    """Return the keyed hash as hex; raise RunbookError `closure-unreadable`."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    digest.update(json.dumps(dict(given), sort_keys=True, default=str).encode())
    digest.update(f"ansible-core {metadata.version('ansible-core')}".encode())
    for path in _files(runbook, tuple(roles)):
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                continue  # A payload, not something that decides; its size and time stand for it.
            content = path.read_bytes()
        except OSError as error:
            raise RunbookError.of(
                "closure-unreadable",
                f"cannot read {path}: {error.strerror}",
                context="It belongs to what the run would execute.",
                hint="make it readable, or take it out of the runbook's folder",
            ) from error
        digest.update(str(path).encode("utf-8", "surrogateescape"))
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _files(runbook: Runbook, roles: tuple[Path, ...]) -> list[Path]:
    found = {Path(source).resolve() for source in runbook.sources}
    for name in CONTENT_FOLDERS:
        found.update(_below(Path(runbook.folder) / name))
    for folder in roles:
        # All roles of the path, since a role may pull in its neighbours.
        found.update(_below(folder))
    return sorted(found)


def _below(folder: Path) -> Iterable[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        yield from ((Path(place) / name).resolve() for name in files if not name.endswith(".pyc"))


def installation_key(folder: Path) -> bytes:
    """Return this installation's key, made at first use; raise RunbookError `state-unusable`."""
    path = folder / "key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes()
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        return path.read_bytes()
    except OSError as error:
        raise RunbookError.of(
            "state-unusable",
            f"cannot use the state folder {folder}: {error.strerror}",
            hint="free some space or fix its permissions, or set RUNBOOK_HOME",
        ) from error
