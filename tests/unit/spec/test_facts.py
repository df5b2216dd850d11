"""Facts and escapes in expressions, found by parsing them."""

import pytest

from runbook.spec.expressions import condition_uses, template_uses


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        ("load.load1 < 4", (("load", "load1"),)),
        ("load['load1'] < load.cpus", (("load", "load1"), ("load", "cpus"))),
        ("site.headers.server is defined", (("site", "headers"),)),
        ("site[name] and sites[0]", ()),
        ("[1] | map(attribute='x') | list", ()),
    ],
)
def test_facts_are_what_is_looked_up_in_a_name(
    condition: str, facts: tuple[tuple[str, str], ...]
) -> None:
    """The first name looked up in a variable, by either notation; what is computed is not known."""
    assert sorted(condition_uses(condition).facts) == sorted(facts)


def test_only_backslashes_that_escape_nothing_are_told() -> None:
    """Each once, and only in strings: a doubled one is a backslash, outside it is another error."""
    text = r"a is search('\s\\d\n\x41\s') or b is search(" + r'"\.")'

    assert condition_uses(text).bad_escapes == (r"\s", r"\.")
    assert template_uses("\\s {{ '" + r"\w" + "' }}").bad_escapes == (r"\w",)
    assert condition_uses(r"a is search('\\s')").bad_escapes == ()
