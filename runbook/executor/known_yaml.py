"""The YAML that comes with Ansible, read once: its settings, its plugins' options, its names.

At each start it reads 30 texts, 0.2 s of CPU. What they came to is kept; a text that has changed is
another one, and so is each where Ansible or Python has another version.
"""

import hashlib
import marshal
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import Any

import yaml

from runbook import cache_file

_Load = Callable[[Any, Any], Any]


@contextmanager
def known() -> Iterator[None]:
    """Have `yaml.load` take, meanwhile, what the same text came to before.

    Each caller gets what nobody else has.
    """
    versions = (sys.version, yaml.__version__, metadata.version("ansible-core"))
    name = f"yaml-{hashlib.sha256(repr(versions).encode()).hexdigest()[:32]}"
    reading = _Reading(yaml.load, _kept(cache_file.read(name)))
    vars(yaml)["load"] = reading.load
    try:
        yield
    finally:
        vars(yaml)["load"] = reading.read
        reading.is_over = True
        if reading.is_new:
            cache_file.write(name, marshal.dumps(reading.used))


class _Reading:
    def __init__(self, read: _Load, kept: dict[bytes, bytes]) -> None:
        self.read = read
        self.used: dict[bytes, bytes] = {}
        self.is_new = False
        self.is_over = False
        self._kept = kept

    def load(self, stream: Any, Loader: Any) -> Any:  # noqa: N803 -- as it is called
        """Do what `yaml.load` does."""
        is_text = isinstance(stream, str | bytes)
        # Ansible's own loaders mark each value with the name of the file. And who took this from the
        # module meanwhile still has it when that is over.
        if self.is_over or not (is_text or Loader.__module__.startswith("yaml.")):
            return self.read(stream, Loader)
        text = stream if is_text else stream.read()
        # Where a text is from, and whether it is trusted, its values inherit: a text of Ansible's
        # carries that, also when it is pickled.
        asked = pickle.dumps((Loader.__module__, Loader.__qualname__, text))
        key = hashlib.sha256(asked).digest()
        # Ansible from its repository changes its classes, and is of the same version.
        with suppress(Exception):
            value = pickle.loads(self._kept[key])  # noqa: S301 -- only we wrote it
            self.used[key] = self._kept[key]
            return value
        self.is_new = True
        self.used[key] = pickle.dumps(self.read(text, Loader), pickle.HIGHEST_PROTOCOL)
        return pickle.loads(self.used[key])  # noqa: S301 -- made just now


def _kept(content: bytes | None) -> dict[bytes, bytes]:
    with suppress(EOFError, TypeError, ValueError):
        found = marshal.loads(content or b"")  # noqa: S302 -- only we wrote it
        return found if isinstance(found, dict) else {}
    return {}
