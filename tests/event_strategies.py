"""Hypothesis strategies for every event, read off the annotations of the model."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from runbook.model.event import Event

# A host's output decoded with `surrogateescape` holds halves of surrogate pairs in this range.
text = st.text(
    st.one_of(
        st.characters(max_codepoint=0xD7FF),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
        st.characters(min_codepoint=0xE000),
    ),
    max_size=20,
)
numbers = st.one_of(st.integers(), st.floats(allow_nan=False))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


_leaves: dict[Any, st.SearchStrategy[Any]] = {
    Any: json_values,
    str: text,
    float: st.floats(allow_nan=False),
    int: st.integers(),
    bool: st.booleans(),
    type(None): st.none(),
}


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of an annotation."""
    if hint in _leaves:
        return _leaves[hint]
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return st.one_of([of(member) for member in get_args(hint)])
    if origin is tuple:
        return st.lists(of(get_args(hint)[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(text, of(get_args(hint)[1]), max_size=3)
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        return st.builds(hint, **{item.name: of(hints[item.name]) for item in fields(hint)})
    if issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    raise TypeError(hint)


kinds: tuple[type, ...] = get_args(Event)
events: st.SearchStrategy[Event] = st.one_of([of(kind) for kind in kinds])

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no reason for a test to fail."""
