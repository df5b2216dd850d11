"""What conditions and templates refer to."""

import pytest

from runbook.spec.expressions import condition_uses, template_uses


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("site.status == 200", ("site",)),
        ("site.status in allowed and not port.listening", ("site", "allowed", "port")),
        ("log.lines | select('search', pattern) | list | length > 0", ("log", "pattern")),
        ("site is defined", ("site",)),
        ("hostvars[other]['x'] == 'site'", ("hostvars", "other")),
        ("[a for a in b]", ()),
        ("true and none is none", ()),
        ("x if y else z", ("x", "y", "z")),
        ("dict(a=b) == {'k': v}", ("dict", "b", "v")),
    ],
)
def test_conditions_name_their_variables(text: str, names: tuple[str, ...]) -> None:
    """A condition's variables are those it reads; attributes, strings and keywords are none."""
    uses = condition_uses(text)

    if text.startswith("["):
        assert uses.error is not None
    else:
        assert set(uses.names) == set(names)
        assert uses.error is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no template", ()),
        ("{{ a }}-{{ b.c }}", ("a", "b")),
        ("{% for item in items %}{{ item }}{% endfor %}", ("items",)),
        ("{% set x = y %}{{ x }}", ("y",)),
        ("{# site #}", ()),
        ("{% raw %}{{ a }}{% endraw %}", ()),
    ],
)
def test_templates_name_their_variables(text: str, names: tuple[str, ...]) -> None:
    """A template's own loop variables and assignments are not asked of anybody else."""
    assert template_uses(text).names == names


@pytest.mark.parametrize(
    "text",
    ["a ==", "a b", "(a", "{{ a }}", "a and and", "'", "a is", "a | ", "((((" * 5000, "1 +* 2"],
)
def test_what_is_no_condition_is_an_error(text: str) -> None:
    """Text that Jinja cannot parse as one expression has an error with a line."""
    error = condition_uses(text).error

    assert error is not None
    assert error[1] >= 1


def test_an_error_names_its_line() -> None:
    """In a template of many lines the error says which one."""
    error = template_uses("one\ntwo {{ a }}\nthree {{ b").error

    assert error is not None
    assert error[1] == 3


@pytest.mark.parametrize(
    ("text", "lookups"),
    [
        ("{{ lookup('file', 'x') }}", ("file",)),
        ("{{ query('ansible.builtin.pipe', 'id') }}", ("ansible.builtin.pipe",)),
        ("{{ q(plugin) }}", (None,)),
        ("{% set get = lookup %}{{ get('pipe', 'id') }}", (None,)),
        ("{{ a | default(lookup('env', 'HOME')) }}", ("env",)),
    ],
)
def test_lookups_are_seen_under_any_name(text: str, lookups: tuple[str | None, ...]) -> None:
    """Each lookup is named by its plugin, or by None where that cannot be told from the text."""
    assert template_uses(text).lookups == lookups


@pytest.mark.parametrize(
    "text",
    ["now() > 1", "x | random", "x | shuffle", "x | ansible.builtin.shuffle", "'/x' is exists"],
)
def test_what_depends_on_more_than_variables_is_named(text: str) -> None:
    """The clock, chance and the controller's files are no facts of the host."""
    assert condition_uses(text).unsteady


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ls {{ a }}", ("a",)),
        ("ls {{ a | quote }}", ()),
        ("ls {{ a | default('x') }}", ("a",)),
        ("ls {{ a | default('x') | ansible.builtin.quote }}", ()),
        ("ls {{ a | int }}{# b #}", ()),
    ],
)
def test_unquoted_values_are_found(text: str, names: tuple[str, ...]) -> None:
    """A value enters a command as it is unless the last filter makes it one harmless word."""
    assert template_uses(text).unquoted == names
