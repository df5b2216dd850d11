"""Titles that hosts share, and titles as they are written."""

import pytest

from runbook.views.titles import common_title, written_title


@pytest.mark.parametrize(
    ("written", "rendered", "title"),
    [
        ("Port {{ port }} is open", ["Port 80 is open", "Port 80 is open"], "Port 80 is open"),
        ("Port {{ port }} is open", ["Port 80 is open", "Port 81 is open"], "Port … is open"),
        ("Stop {% if a %}one{% else %}all{% endif %} now", ["Stop one now", "x"], "Stop … now"),
        ("{{ a }}: {{ b }}{# c #}", ["web: up", "api: up"], "web: up"),
        ("Written\x1b[2J", ["one", "other"], "Written\\x1b[2J"),
    ],
)
def test_a_title_of_several_hosts_shows_no_template(
    written: str, rendered: list[str], title: str
) -> None:
    """Where renderings differ, an ellipsis stands for what differs, and all of it is printable."""
    assert common_title(written, rendered) == title


def test_a_title_as_written_shows_short_templates_alone() -> None:
    """A name stays as it is; of an expression that nobody reads in a tree an ellipsis is left."""
    expression = "{{ [" + ", ".join(f"step.fact_{number}" for number in range(9)) + "] | join }}"

    assert written_title("Start {{ service }}\x1b") == "Start {{ service }}\\x1b"
    assert written_title(f"It is {expression}; why?") == "It is …; why?"
