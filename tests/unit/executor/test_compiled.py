"""Texts that are compiled once come to what they would come to if compiled each time."""

import marshal
from pathlib import Path

import pytest
from jinja2 import Environment, pass_environment

from runbook import cache_file
from runbook.executor import compiled

TEMPLATES = ("{{ one }} and {{ two }}", "{% if one %}yes{% endif %}", "plain")
EXPRESSIONS = ("one == 1", "one is defined and two | length > 1")


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which code is kept; nothing is remembered from other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled, "_codes", {})
    return tmp_path / "runbook"


def _come_to(environment: Environment, **variables: object) -> list[object]:
    return [environment.from_string(text).render(variables) for text in TEMPLATES] + [
        environment.compile_expression(text, False)(**variables)  # noqa: FBT003 -- as Ansible calls it
        for text in EXPRESSIONS
    ]


def test_each_environment_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered first, again, and by another environment, values decide and not who compiled."""
    expected = _come_to(Environment(), one=1, two="ab"), _come_to(Environment(), one=2, two="a")
    first, other = (compiled.remember(Environment()) for _ in range(2))

    assert (_come_to(first, one=1, two="ab"), _come_to(first, one=2, two="a")) == expected
    monkeypatch.setattr(Environment, "_generate", None)
    assert (_come_to(other, one=1, two="ab"), _come_to(other, one=2, two="a")) == expected


def test_other_delimiters_have_their_own_code() -> None:
    """An overlay, by which Jinja reads a text that chooses its delimiters, is left alone."""
    environment = compiled.remember(Environment())
    overlay = environment.overlay(variable_start_string="[[", variable_end_string="]]")

    assert environment.from_string("{{ one }} [[ one ]]").render(one=1) == "1 [[ one ]]"
    assert overlay.from_string("{{ one }} [[ one ]]").render(one=1) == "{{ one }} 1"


def test_an_expression_and_a_template_of_one_text_are_two() -> None:
    """`one` is a text as a template, and a value as an expression."""
    environment = compiled.remember(Environment())

    assert environment.from_string("one").render(one=1) == "one"
    assert environment.compile_expression("one")(one=1) == 1
    assert environment.from_string("one").render(one=1) == "one"


def test_what_was_got_ready_once_is_ready_in_the_next_process(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of a runbook's texts is kept, that of other texts never is; rubbish is left out."""
    environment = compiled.remember(Environment())
    environment.from_string("{{ 'inventory-s3cr3t' }}").render()
    compiled.get_ready(environment, [*TEMPLATES, "{{ broken"], EXPRESSIONS, "1.0")
    (file,) = kept.iterdir()
    assert b"s3cr3t" not in file.read_bytes()
    expected = _come_to(environment, one=1, two="ab")

    monkeypatch.setattr(compiled, "_codes", {})
    again = compiled.remember(Environment())
    with monkeypatch.context() as patched:
        patched.setattr(Environment, "_generate", None)
        compiled.get_ready(again, [*TEMPLATES, "{{ broken"], EXPRESSIONS, "1.0")
        assert _come_to(again, one=1, two="ab") == expected

    for rubbish in (b"", b"\xff" * 40, marshal.dumps(3)):
        monkeypatch.setattr(compiled, "_codes", {})
        cache_file.write(file.name, rubbish)
        compiled.get_ready(again, [*TEMPLATES, "{{ broken"], EXPRESSIONS, "1.0")
        assert _come_to(again, one=1, two="ab") == expected


def test_a_filter_that_another_version_gives_something_else_is_compiled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collection's filter or test may come to want Jinja's environment, and no longer want it."""
    texts = ["{{ 'ab' | shout }}"], ["'ab' is shouted"]

    @pass_environment
    def shout_with(environment: object, text: str) -> str:
        return f"{text.upper()} with {type(environment).__name__}"

    for shout, expected in ((str.upper, "AB"), (shout_with, "AB with Remembering")) * 2:
        monkeypatch.setattr(compiled, "_codes", {})
        environment = compiled.remember(Environment())
        environment.filters["shout"] = environment.tests["shouted"] = shout
        compiled.get_ready(environment, *texts, "1.0")
        assert environment.from_string(texts[0][0]).render() == expected
        assert environment.compile_expression(texts[1][0], False)() == expected  # noqa: FBT003 -- as above
