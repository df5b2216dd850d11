"""A probe that an operator types on one line."""

import pytest

from runbook.errors import RunbookError
from runbook.spec.own_probe import read_own_probe


@pytest.mark.parametrize(
    ("typed", "kind", "arguments"),
    [
        ("port: 8000", "port", {"port": 8000}),
        (" http: http://127.0.0.1/ ", "http", {"url": "http://127.0.0.1/"}),
        ("{port: {port: 8000}}", "port", {"port": 8000}),
        ("{http: {url: http://127.0.0.1/, method: HEAD}}", "http", None),
        ("port: {{ backend_port }}", "port", {"port": "{{ backend_port }}"}),
        ("memory", "memory", {}),
    ],
)
def test_a_probe_may_be_typed_short(
    typed: str, kind: str, arguments: dict[str, object] | None
) -> None:
    """A value that stands alone is the main argument; the words of a runbook do as well."""
    probe = read_own_probe(typed)

    assert probe.type == kind
    assert arguments is None or probe.arguments == arguments


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("command: reboot", "a command may do more than look"),
        ("{command: {argv: [reboot]}}", "a command may do more than look"),
        ("{http: {url: http://127.0.0.1/, method: POST}}", "sends a POST request"),
        ("python_imports: {python: python3, modules: [app]}", "which is more than to look"),
        ("port: {{ lookup('pipe', 'reboot') }}", "a lookup may do more than look"),
        ("prot: 8000", 'unknown key "prot" in a probe'),
        ("port: 8000, http: x", "mapping"),
        ("{port: 1, tcp: 2}", "takes one key"),
        ("port: 0", "port"),
        ("8000", "8000"),
        ("", "empty"),
        ("'open", "not valid YAML"),
        ("port: 1\nport: 2", "given twice"),
    ],
)
def test_what_is_no_harmless_probe_is_refused(typed: str, told: str) -> None:
    """Whatever may act, and whatever is no probe, is refused in words."""
    with pytest.raises(RunbookError) as caught:
        read_own_probe(typed)

    (problem,) = caught.value.problems
    assert problem.reference == "bad-probe"
    assert told in problem.message
