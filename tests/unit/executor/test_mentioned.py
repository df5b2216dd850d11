"""What a text can come to use is all that it needs to come to what it comes to with everything."""

from typing import Any

import pytest

from runbook.executor.mentioned import Led, mentioned

VARIABLES: dict[str, Any] = {
    "port": 8000,
    "url": "http://{{ host }}:{{ port }}{% if path is defined %}{{ path }}{% endif %}",
    "host": "{{ names['first'] }}",
    "names": {"first": "{{ short }}.example", "others": ["{{ other }}"]},
    "short": "web1",
    "other": "web2",
    "odd": "#jinja2: variable_start_string:'[['\n[[ port ]]",
    "sealed": object(),
    "plain": "port and host, in words",
    "unused": "{{ url }}",
}


@pytest.mark.parametrize(
    ("value", "used"),
    [
        ("{{ port }}", {"port"}),
        ("port", set()),
        ("The host of {{ port }} and its names", {"port"}),
        ("unused {{ port }} plain {% if short %}..{% endif %} other", {"port", "plain", "short"}),
        ("{{ plain }}", {"plain"}),
        ({"a": ["{{ url }}"]}, {"url", "host", "port", "names", "short", "other"}),
        ("{{ missing | default(port) }}", {"port"}),
        ("{{ odd }}", {"odd", "port"}),
    ],
)
def test_what_is_named_and_what_that_names(value: object, used: set[str]) -> None:
    """Names count in templates alone, at any depth, and so do those in the values they lead to."""
    led: Led = {}

    for _ in range(2):
        assert mentioned(value, VARIABLES).keys() == used
        assert mentioned(value, VARIABLES, led=led).keys() == used


def test_an_expression_has_no_delimiters() -> None:
    """A condition's words are names as they stand, those in its texts included."""
    assert mentioned("port == 8000", VARIABLES, expression=True).keys() == {"port"}


@pytest.mark.parametrize(
    "text",
    [
        "{{ lookup('vars', 'po' ~ 'rt') }}",
        "{{ vars['port'] }}",
        "{{ hostvars[host].port }}",
        "{% include 'one.j2' %}",
        "{{ sealed }}",
    ],
)
def test_what_cannot_be_told_gets_everything(text: str) -> None:
    """Where variables are reached without their names, or are not seen through, none is left out."""
    assert mentioned(text, VARIABLES) is VARIABLES
