"""Documents as text and as Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.views.outline import (
    Block,
    Facts,
    Heading,
    Item,
    Part,
    Quote,
    Tick,
    as_markdown,
    as_text,
)
from tests.event_strategies import unhurried

TICKED: list[Part] = [
    Item(words=["well"], tick=Tick.DONE),
    Item(words=["not well"], tick=Tick.OPEN),
    Item(words=["[x] who knows"], tick=Tick.UNKNOWN),
]
DOCUMENT: list[Part] = [
    Heading(level=1, words=["A *title*"]),
    Facts(pairs=[("host", [Quote("web1")]), ("verdict", ["fine"])]),
    Heading(level=2, words=[Quote("web1"), ": well"]),
    Item(words=["one ", Quote("a`b")]),
    Item(words=["two"], depth=1),
    Block(text="x\n```\ny\n", language="diff", depth=1),
    Heading(level=3, words=["End"]),
]


def test_text_is_indented_and_bare() -> None:
    """As text, headings stand out by indentation and quotes are not marked."""
    assert as_text(DOCUMENT).splitlines() == [
        "A *title*",
        "  host     web1",
        "  verdict  fine",
        "",
        "web1: well",
        "    - one a`b",
        "      - two",
        "          x",
        "          ```",
        "          y",
        "",
        "  End",
    ]


def test_markdown_escapes_text_and_quotes_the_rest() -> None:
    """As Markdown, our words are escaped, and quotes get as many backticks as they need."""
    assert as_markdown(DOCUMENT).splitlines() == [
        "# A \\*title\\*",
        "",
        "- host: `web1`",
        "- verdict: fine",
        "",
        "## `web1`: well",
        "",
        "- one ``a`b``",
        "  - two",
        "    ````diff",
        "    x",
        "    ```",
        "    y",
        "    ````",
        "",
        "### End",
    ]


def test_ticks_are_boxes_in_markdown_alone() -> None:
    """A task list has boxes with an x or nothing in them; text cannot make one."""
    assert as_markdown(TICKED).splitlines() == [
        "- [x] well",
        "- [ ] not well",
        "- [ ] **?** \\[x\\] who knows",
    ]
    assert as_text(TICKED).splitlines() == ["    - well", "    - not well", "    - [x] who knows"]


@pytest.mark.parametrize("text", ["", " ", "`", "``", "a`", "`a", "a``b`c"])
def test_a_quote_is_one_code_span(text: str) -> None:
    """However many backticks a quote has, its span begins and ends outside of it."""
    span = as_markdown([Heading(level=1, words=[Quote(text)])]).removeprefix("# ")

    fence = span[: len(span) - len(span.lstrip("`"))]
    assert span.endswith(fence)
    assert fence not in span[len(fence) : -len(fence)].replace(fence + "`", "")
    assert text in span


@unhurried
@given(st.text(max_size=20))
def test_text_stays_on_its_line(text: str) -> None:
    """No text, ours or a host's, adds a line to a document."""
    parts: list[Part] = [
        Heading(level=1, words=[text, Quote(text)]),
        Item(words=[text, Quote(text)]),
    ]

    assert len(as_text(parts).split("\n")) == 2
    assert len(as_markdown(parts).split("\n")) == 3
