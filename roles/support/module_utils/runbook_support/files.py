"""Replace text files as a whole."""
# ruff: noqa: PTH123 - for Python 3.8, without pathlib

from __future__ import annotations

import hashlib
import os
import tempfile
from typing import Any

from ansible.module_utils.runbook_support.errors import RefusedError


def read_text(path: str) -> str:
    """Return a file's text, byte for byte; raise RefusedError if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as handle:
            return handle.read()
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror}") from None


def write_text(module: Any, path: str, text: str, mode: int | None = None) -> None:
    """Replace a file in one go; an existing one keeps its owner, mode and label.

    `module` is the AnsibleModule, which knows how.
    """
    folder, name = os.path.split(path)
    descriptor, fresh = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    module.atomic_move(fresh, path)
    if mode is not None:
        os.chmod(path, mode)  # noqa: PTH101


def digest(text: str) -> str:
    """Return what tells whether a text is still the same."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
