"""Keep what was there before a change, so that it can be brought back."""
# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH118, PTH123 - for Python 3.8, without pathlib

from __future__ import annotations

import hashlib
import json
import os
from typing import Any
from urllib.parse import quote

_LONGEST_NAME = 200
_MOST_RECORDS = 20


class Kept:
    """Records of one thing that a role changes, the newest last, in a file only its owner reads.

    `thing` names what is changed, such as a path. Each application that changed something or failed
    adds one record, each undo takes one off: so an undo never takes back what an earlier
    application did. Of a great many records the oldest are forgotten.
    """

    def __init__(self, folder: str, thing: str) -> None:
        name = quote(thing, safe="")
        if len(name) > _LONGEST_NAME:
            name = hashlib.sha256(thing.encode()).hexdigest()
        self.folder = folder
        self.path = os.path.join(folder, name + ".json")
        self._added = False

    def records(self) -> list[dict[str, Any]]:
        """Return all records; none if nothing was ever kept."""
        try:
            with open(self.path, encoding="utf-8") as handle:
                return list(json.load(handle))
        except FileNotFoundError:
            return []

    def last(self) -> dict[str, Any] | None:
        """Return what the last application kept; None if it failed and left all as it was."""
        return next(reversed(self.records()), None) or None

    def add(self, record: dict[str, Any]) -> None:
        """Keep a record; on disk when this returns."""
        self._write([*self.records(), record][-_MOST_RECORDS:])
        self._added = True

    def drop(self) -> None:
        """Take the newest record off, if there is one."""
        self._write(self.records()[:-1])
        self._added = False

    def failed(self) -> None:
        """Note that this application failed, unless it kept something to be taken back."""
        if not self._added:
            self.add({})

    def _write(self, records: list[dict[str, Any]]) -> None:
        if not records:
            if os.path.exists(self.path):
                os.unlink(self.path)
            return
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        fresh = f"{self.path}.{os.getpid()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as handle:
            json.dump(records, handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(fresh, self.path)
