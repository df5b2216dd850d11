"""Records, as `typing` has them, without it: it takes as long to import as some probes to look."""

from __future__ import annotations

from collections import namedtuple

__all__ = ["Record"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:

    class _Kind(type):
        def __new__(cls, name, bases, space):
            """Return a class of tuples with the fields that are annotated."""
            if not bases:
                return super().__new__(cls, name, bases, space)
            fields = space.pop("__annotations__")
            defaults = [space.pop(field) for field in fields if field in space]
            module = space.pop("__module__")
            record = namedtuple(name, fields, defaults=defaults, module=module)  # noqa: PYI024
            for key, value in space.items():
                setattr(record, key, value)
            return record

    class Record(metaclass=_Kind):
        """The base of all records: `class Place(Record)` with annotated fields, as a NamedTuple."""
