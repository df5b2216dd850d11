"""Events as plain data and back, without loss.

The plain form names its type and version: `{"type": "fix_ended", "v": 1, "host": ...}`, every field
written, defaults too. A record inside a field has its fields only; where several records are
possible (`Goto | End`) it also has a `type`. What a class looks like is read once from its
annotations.

Figures JSON has no word for (NaN, infinities) are written as Python writes them; reports turn them
into text.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from runbook.errors import RunbookError
from runbook.model.definition import Json
from runbook.model.event import Event

VERSION = 1
"""The version of every event type. An entry of a later one is refused, never guessed at."""

Mask = Callable[[Json], Json]
"""Takes plain data and returns it with secrets hidden; strings stay strings."""

# Fields that hold names of ours, which other entries refer to: masking one would break the record.
_NAMES = frozenset({
    "answer", "cause", "causes", "closure", "digest", "groups", "guard", "host", "hosts", "id",
    "invocation", "result", "results", "runbook", "status", "step", "target",
})  # fmt: skip

_Write = Callable[[Any, Mask | None], Json]
_Read = Callable[[Json, str], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Form:
    """How values of one annotation are written and read; `write` None means as they are."""

    write: _Write | None
    read: _Read


def get_ready() -> None:
    """Work out what all events look like, for processes that are forked and will write some."""
    _events()


def encode(event: Event, mask: Mask | None = None) -> dict[str, Json]:
    """Return the plain form of an event, its free text and data masked, its names as they are."""
    form = _record(type(event))
    return {"type": form.name, "v": VERSION, **form.write(event, mask)}


def decode(plain: Json) -> Event:
    """Return the event of a plain form.

    Raise `journal-newer` for a type, version, field or word this version does not know, and
    `journal-broken` for what no version ever wrote.
    """
    if not isinstance(plain, dict) or not isinstance(name := plain.get("type"), str):
        raise _broken("an event", "is no event")
    record = _events().get(name)
    if record is None:
        raise _newer(f'events of the type "{name}"')
    if plain.get("v") != VERSION:
        raise _newer(f'version {plain.get("v")!r} of "{name}"')
    event: Event = record.read({key: plain[key] for key in plain if key not in {"type", "v"}}, name)
    return event


def to_text(event: Event, mask: Mask | None = None) -> str:
    """Return an event as canonical JSON text."""
    return canonical(encode(event, mask))


def from_text(text: str) -> Event:
    """Return the event of a text; raise what `decode` raises."""
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise _broken("an event", "is no JSON") from error
    return decode(data)


def plain(record: Any) -> dict[str, Json]:
    """Return the fields of any record of the model as plain data, as inside an event."""
    return _record(type(record)).write(record, None)


def canonical(value: Json) -> str:
    """Return JSON text that is the same for equal values: sorted keys, no spaces, ASCII only."""
    return _CANONICAL.encode(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True, slots=True)
class _RecordForm:
    """How records of one class are named, written and read."""

    name: str
    write: Callable[[Any, Mask | None], dict[str, Json]]
    read: _Read


_RECORDS: dict[type, _RecordForm] = {}


def _record(kind: type) -> _RecordForm:
    form = _RECORDS.get(kind)
    if form is None:
        form = _RECORDS[kind] = _new_record(kind)
    return form


@cache
def _events() -> Mapping[str, _RecordForm]:
    return {form.name: form for form in map(_record, get_args(Event))}


def _new_record(kind: Any) -> _RecordForm:
    hints = get_type_hints(kind)
    forms = tuple(
        (item.name, _form(hints[item.name], masked=item.name not in _NAMES))
        for item in fields(kind)
    )
    required = frozenset(
        item.name
        for item in fields(kind)
        if item.default is MISSING and item.default_factory is MISSING
    )
    readers = {name: form.read for name, form in forms}
    writers = tuple((name, form.write) for name, form in forms)

    def write(record: Any, mask: Mask | None) -> dict[str, Json]:
        written: dict[str, Json] = {}
        for name, writer in writers:
            value = getattr(record, name)
            written[name] = value if writer is None or value is None else writer(value, mask)
        return written

    def read(data: Json, where: str) -> Any:
        if not isinstance(data, dict):
            raise _broken(where, "is no record")
        values = {}
        for name, value in data.items():
            reader = readers.get(name)
            if reader is None:
                raise _newer(f'the field "{name}" of "{where}"')
            values[name] = reader(value, name)
        if missing := required - values.keys():
            raise _broken(where, f'lacks "{min(missing)}"')
        return kind(**values)

    name = re.sub(r"(?<=.)([A-Z])", r"_\1", kind.__name__).lower()
    return _RecordForm(name=name, write=write, read=read)


def _form(hint: Any, *, masked: bool) -> _Form:
    """Return how values of an annotation are written and read."""
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return _union(hint, masked=masked)
    if origin is tuple:
        return _tuple(_form(get_args(hint)[0], masked=masked))
    if origin is not None and issubclass(origin, Mapping):
        item = get_args(hint)[1]
        if item is Any:
            return _Form(write=_masked_mapping, read=_exactly(dict))
        return _mapping(_form(item, masked=masked))
    if is_dataclass(hint) and isinstance(hint, type):
        record = _record(hint)
        return _Form(write=record.write, read=record.read)
    return _leaf(hint, masked=masked)


def _leaf(hint: Any, *, masked: bool) -> _Form:
    if hint is Any:
        return _Form(write=_masked, read=lambda data, _: data)
    if hint is str:
        return _Form(write=_masked if masked else None, read=_exactly(str))
    if hint is float:
        return _Form(write=lambda value, _: float(value), read=_float)
    if issubclass(hint, StrEnum):
        return _enum(hint)
    if hint in {bool, int}:
        return _Form(write=None, read=_exactly(hint))
    raise TypeError(f"an event cannot hold {hint!r}")


def _masked(value: Json, mask: Mask | None) -> Json:
    return value if mask is None else mask(value)


def _masked_mapping(value: Json, mask: Mask | None) -> Json:
    return dict(value) if mask is None else mask(value)


def _union(hint: Any, *, masked: bool) -> _Form:
    members = [member for member in get_args(hint) if member is not type(None)]
    optional = len(members) < len(get_args(hint))
    if len(members) == 1:
        inner = _form(members[0], masked=masked)
        read_inner = inner.read
        write = inner.write
    else:
        records = {form.name: form for form in map(_record, members)}

        def write(value: Any, mask: Mask | None) -> Json:
            form = _record(type(value))
            return {"type": form.name, **form.write(value, mask)}

        def read_inner(data: Json, where: str) -> Any:
            if not isinstance(data, dict) or not isinstance(name := data.get("type"), str):
                raise _broken(where, "does not say its type")
            if name not in records:
                raise _newer(f'the type "{name}" in "{where}"')
            return records[name].read({key: data[key] for key in data if key != "type"}, name)

    def read(data: Json, where: str) -> Any:
        return None if data is None and optional else read_inner(data, where)

    return _Form(write=write, read=read)


def _tuple(item: _Form) -> _Form:
    def write(value: Any, mask: Mask | None) -> Json:
        return list(value) if item.write is None else [item.write(each, mask) for each in value]

    def read(data: Json, where: str) -> Any:
        if not isinstance(data, list):
            raise _broken(where, "is no list")
        return tuple(item.read(each, where) for each in data)

    return _Form(write=write, read=read)


def _mapping(item: _Form) -> _Form:
    def write(value: Any, mask: Mask | None) -> Json:
        if item.write is None:
            return dict(value)
        return {key: item.write(each, mask) for key, each in value.items()}

    def read(data: Json, where: str) -> Any:
        if not isinstance(data, dict):
            raise _broken(where, "is no mapping")
        return {key: item.read(each, where) for key, each in data.items()}

    return _Form(write=write, read=read)


def _enum(kind: type[StrEnum]) -> _Form:
    words = {member.value: member for member in kind}

    def read(data: Json, where: str) -> Any:
        if not isinstance(data, str):
            raise _broken(where, "is no word")
        if data not in words:
            raise _newer(f'the word "{data}" for "{where}"')
        return words[data]

    return _Form(write=lambda value, _: value.value, read=read)


def _exactly(kind: type) -> _Read:
    def read(data: Json, where: str) -> Any:
        if type(data) is not kind:
            raise _broken(where, f"is no {kind.__name__}")
        return data

    return read


def _float(data: Json, where: str) -> float:
    if type(data) not in {float, int}:
        raise _broken(where, "is no number")
    return float(data)


def _newer(what: str) -> RunbookError:
    return RunbookError.of(
        "journal-newer",
        f"the journal holds {what}, which this version does not know",
        context="It was written by a later version of runbook.",
        hint="Read it with the version that wrote it, or upgrade this one.",
    )


def _broken(where: str, what: str) -> RunbookError:
    return RunbookError.of(
        "journal-broken",
        f'an entry of the journal cannot be read: "{where}" {what}',
        hint="Something other than runbook wrote to the journal; restore it from a backup.",
    )
