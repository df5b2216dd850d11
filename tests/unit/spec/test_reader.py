"""Reading YAML: data, places, bounds."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook.model.definition import Json
from runbook.model.yaml_nodes import Tagged
from runbook.spec.document import Document, Path
from runbook.spec.reader import MAX_BYTES, read


def _ours(content: str | bytes) -> Document:
    encoded = content.encode() if isinstance(content, str) else content
    return read(encoded, "a.yml", foreign=lambda path: False)


def _ansible(content: str) -> Document:
    return read(content.encode(), "a.yml", foreign=lambda path: path == ("task",))


def _references(document: Document) -> list[str]:
    return [problem.reference for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("true", True),
        ("FALSE", False),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("0644", "0644"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("0x1f", "0x1f"),
        ("2024-01-01", "2024-01-01"),
        ("y", "y"),
        ('"yes"', "yes"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_mean_what_the_core_schema_says(text: str, value: Json) -> None:
    """Of ours, only null, true, false and decimal numbers are not text; no YAML 1.1 surprises."""
    document = _ours(f"a: {text}")

    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)
    assert not document.problems


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off"])
def test_boolean_words_are_refused_as_keys_and_as_values(word: str) -> None:
    """A word that YAML 1.1 reads as a boolean is a problem unless it is quoted."""
    assert _references(_ours(f"{word}: 1")) == ["yaml-boolean-word"]
    assert _references(_ours(f"a: [{word}]")) == ["yaml-boolean-word"]
    assert _references(_ours(f"'{word}': \"{word}\"")) == []


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "off",
        "0644",
        "0o17",
        "1:30",
        "0x1f",
        "1_000",
        "1.5",
        ".inf",
        "~",
        "",
        "true",
        "'yes'",
    ],
)
def test_ansible_content_reads_as_ansible_reads_it(text: str) -> None:
    """Below a task, scalars are PyYAML's, so that a task means the same as in a playbook."""
    document = _ansible(f"task: {{a: {text}}}")

    assert document.data == yaml.safe_load(f"task: {{a: {text}}}")
    assert not document.problems


def test_dates_in_ansible_content_stay_text() -> None:
    """A date stays the text it was written as: JSON has none, and neither have module arguments."""
    assert _ansible("task: {a: 2024-01-01}").data == {"task": {"a": "2024-01-01"}}


def test_tags_survive_in_ansible_content() -> None:
    """`!vault` and `!unsafe` are kept with their text, to be written out again."""
    document = _ansible(
        "task:\n  a: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n  b: !unsafe '{{ x }}'\n"
    )

    assert document.data["task"] == {
        "a": Tagged(tag="!vault", value="$ANSIBLE_VAULT;1.1;AES256\n"),
        "b": Tagged(tag="!unsafe", value="{{ x }}"),
    }
    assert not document.problems


def test_merge_keys_add_what_is_not_there() -> None:
    """`<<` brings the keys of one or more mappings; the mapping's own and the earlier ones win."""
    document = _ours(
        "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}\nd: {<<: *a}\n"
    )

    assert document.data["c"] == {"x": 0, "y": 1, "z": 2}
    assert document.data["d"] == {"x": 1, "y": 1}
    assert not document.problems


def test_an_alias_repeats_its_anchor() -> None:
    """An alias stands for what its anchor holds."""
    assert _ours("a: &a [1, 2]\nb: *a\n").data == {"a": [1, 2], "b": [1, 2]}


def test_aliases_of_aliases_are_bounded() -> None:
    """A few lines that expand to billions of values are refused before they are expanded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    assert _references(_ours("\n".join(lines))) == ["yaml-too-large"]


def test_merges_of_merges_are_bounded() -> None:
    """The bound holds for merge keys as well."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]

    assert _references(_ours("\n".join(lines))) == ["yaml-too-large"]


def test_nesting_is_bounded() -> None:
    """A hundred thousand brackets are a problem, not a crash."""
    assert _references(_ours("[" * 100_000)) == ["yaml-too-deep"]
    assert _references(_ours("- " * 10_000)) == ["yaml-too-deep"]


def test_large_files_are_refused() -> None:
    """A file above the limit is not even parsed."""
    assert _references(_ours(b"#" * (MAX_BYTES + 1))) == ["file-too-large"]
    assert _references(_ours(b"a: 1\n" + b"#" * (MAX_BYTES - 5))) == []


def test_other_encodings_are_refused() -> None:
    """Bytes that are not UTF-8 are a problem with the line they stand on."""
    (problem,) = _ours("a: 1\nb: caf\xe9\n".encode("latin-1")).problems

    assert problem.reference == "not-utf-8"
    assert problem.where is not None
    assert problem.where.line == 2


def test_a_byte_order_mark_is_passed_over() -> None:
    """An editor's byte order mark is no part of the first key."""
    document = _ours(b"\xef\xbb\xbfa: 1\n")

    assert document.data == {"a": 1}
    assert document.key(("a",)).column == 1


def test_a_place_does_not_carry_control_characters() -> None:
    """The line that a message quotes cannot speak to the terminal."""
    location = _ours('a: "\x1b[31m"').at(1)

    assert location.text is not None
    assert "\x1b" not in location.text


def test_places_point_at_keys_and_values() -> None:
    """Keys, items and values have the line and column of their first character."""
    document = _ours("a:\n  - b: one\n    c:   two\n  - |\n    text\n")

    def at(location: object) -> str:
        return str(location).removeprefix("a.yml:")

    assert at(document.key(("a",))) == "1:1"
    assert at(document.key(("a", 0, "c"))) == "3:5"
    assert at(document.value(("a", 0, "c"))) == "3:10"
    assert at(document.key(("a", 1))) == "4:5"
    assert at(document.inside(("a", 1), 1)) == "5:5"
    assert at(document.key(("a", 0, "nowhere", 3))) == "2:5"


def test_a_word_is_found_within_its_value_only() -> None:
    """A name used in a condition is pointed at where it stands as a word of that value."""
    document = _ours("port: x\nwhen: >-\n  import == 1\n  and port == 2\n")

    assert str(document.word(("when",), "port")) == "a.yml:4:7"


_keys = st.text("abcdefgh_", min_size=1, max_size=8).filter(lambda text: text not in {"no", "on"})
# To YAML 1.1 NEL is a line break, and PyYAML writes it where it reads it back as a space; 1e3 is a
# text, which PyYAML writes without quotes, and which we read as the number that it is to YAML 1.2.
_text = st.text(
    st.characters(exclude_characters="\x85", exclude_categories=["Cs"]), max_size=20
).filter(lambda text: not re.fullmatch(r"[-+]?[0-9.]+[eE][-+]?[0-9]+", text))
_data = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=20,
)


@given(_data, st.booleans())
def test_data_comes_back_from_any_way_of_writing_it(data: Json, flow: bool) -> None:
    """What PyYAML writes is read back as the same data, and every value has a place in the text."""
    text = yaml.safe_dump({"a": data}, default_flow_style=flow, allow_unicode=True)
    document = _ours(text)

    assert document.data == {"a": data}
    assert not document.problems
    for path in document.values:
        location = document.value(path)
        assert 1 <= location.line <= len(document.lines)
        assert location.column <= len(document.lines[location.line - 1]) + 1


@given(st.dictionaries(_keys, st.integers(0, 9) | st.dictionaries(_keys, st.just(1), max_size=3)))
def test_a_keys_place_is_where_the_key_is_written(data: dict[str, Json]) -> None:
    """At the place of a key the text continues with that key."""
    document = _ours(yaml.safe_dump(data))

    paths: list[Path] = [path for path in document.keys if isinstance(path[-1], str)]
    assert len(paths) == len(data) + sum(len(v) for v in data.values() if isinstance(v, dict))
    for path in paths:
        place = document.key(path)
        assert (place.text or "")[place.column - 1 :].startswith(str(path[-1]))
