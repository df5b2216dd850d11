"""The report as a page: well-formed, in one piece, and inert whatever a host printed."""

import re
from base64 import b64encode
from datetime import UTC
from hashlib import sha256
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.model.definition import End, Goto
from runbook.model.event import Event, HostFinished, HostJoined, Mode, RunStarted
from runbook.model.verdict import Verdict
from runbook.spec.library import load
from runbook.views.outline import Block, Facts, Heading, Item, Quote
from runbook.views.outline_html import as_html
from runbook.views.paths import sketched, titles_of
from runbook.views.report_html import report_html
from tests.event_strategies import events, unhurried
from tests.unit.views.report_scenes import ANSWERED, BAD_GATEWAY, HOSTILE, concluded, written
from tests.unit.views.test_report import ROOT, SCENES, Run

HTML = "{http://www.w3.org/1999/xhtml}"
LOADING = frozenset({
    "audio", "base", "embed", "frame", "iframe", "img", "image", "link", "object", "script",
    "source", "use", "video",
})  # fmt: skip


def page(run: Run) -> str:
    """Return the page of a run."""
    return report_html(*run, zone=UTC)


def tree_of(text: str) -> ElementTree.Element:
    """Return a page as XML, which is stricter than a browser."""
    return ElementTree.fromstring(text)


def fleet() -> Run:
    """Give a run of 40 hosts that go five different ways, with its tree written down."""
    loop = load("loop", [ROOT / "golden/cli/runbooks"])
    started = RunStarted(
        runbook="loop",
        closure="0",
        pattern="all",
        mode=Mode.RUN,
        title=loop.title,
        steps=titles_of(loop),
        tree=sketched(loop),
    )
    walk: list[Event] = [started]
    for number in range(40):
        host = f"web{number}"
        walk.append(HostJoined(host=host))
        if number % 5:
            way = Goto(step="end") if number % 5 < 3 else End(verdict=Verdict.ESCALATED)
            walk.append(concluded(host, "site", BAD_GATEWAY, way))
        else:
            walk.append(concluded(host, "site", ANSWERED, End(verdict=Verdict.HEALTHY)))
        walk.append(HostFinished(host=host, verdict=list(Verdict)[number % 5]))
    return written([(0, "anna", walk)])


class Nesting(HTMLParser):
    """Reads a page as a browser does; notes its tags and that each is closed."""

    VOID = frozenset({"input", "meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag; those that can have no content are never closed."""
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag without content."""
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Check that it was the last one opened."""
        assert self.open.pop() == tag


@pytest.mark.parametrize("scene", [*SCENES.values(), fleet])
def test_a_page_is_well_formed_and_loads_nothing(scene: object) -> None:
    """As XML and as HTML it has a sound structure; it refers to nothing but its own cards."""
    assert callable(scene)
    text = page(scene())
    root = tree_of(text)
    reader = Nesting()
    reader.feed(text)

    assert reader.open == []
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not kinds & LOADING
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for name, value in reader.attributes:
        assert name not in {"style", "src", "srcset", "action"}
        assert not name.startswith("on")
        if name == "href":
            assert (value or "").removeprefix("#") in ids
    for label in root.iter(f"{HTML}label"):
        assert label.get("for") in ids


def test_the_policy_allows_its_own_style_and_nothing_else() -> None:
    """The hash is the one a browser works out of the one style element; no script is allowed."""
    text = page(SCENES["incident"]())
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (policy,) = re.findall(r'"Content-Security-Policy" content="([^"]*)"', text)

    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "<" not in style
    assert "&" not in style
    assert "url(" not in style
    assert "@import" not in style


def test_what_a_host_printed_is_text() -> None:
    """Markup and controls in outputs, messages and names end up as letters."""
    started = RunStarted(
        runbook="x", closure="0", pattern="all", mode=Mode.RUN, title="<script>1</script>"
    )
    host = '"><img src=x onerror=alert(1)>\x1b'
    run = written([
        (0, "<i>", [
            started,
            concluded(host, "</style>", BAD_GATEWAY, End(verdict=Verdict.ESCALATED)),
            HostFinished(host=host, verdict=Verdict.ESCALATED, reason=HOSTILE),
            HostFinished(host="web2", verdict=Verdict.UNRESOLVED, reason=HOSTILE),
        ])
    ])  # fmt: skip

    root = tree_of(page(run))

    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not kinds & {"script", "img", "i", "b"}
    said = "".join(root.itertext())
    assert '"><img src=x onerror=alert(1)>\\x1b' in said
    assert "<b>|*x*|</b> @all" in said
    assert "\u202e" not in said


@given(st.lists(events, max_size=6))
@unhurried
def test_any_run_has_a_sound_page(walk: list[Event]) -> None:
    """Whatever a journal can hold, the page is well-formed."""
    tree_of(page(written([(1, "anna", walk)])))


def test_each_way_through_the_tree_can_be_chosen() -> None:
    """There is a button for all hosts and for each group, and a rule that hides the others."""
    text = page(fleet())
    root = tree_of(text)

    buttons = [element.get("id") for element in root.iter(f"{HTML}input")]
    labels = ["".join(element.itertext()) for element in root.iter(f"{HTML}label")]
    assert buttons == ["all", "w1", "w2", "w3", "w4", "w5"]
    assert labels[0] == "all hosts"
    assert labels[1] == "8 hosts: web0, web5, web10 and 5 more: healthy"
    for name in buttons[1:]:
        assert f"#{name}:checked ~ main section:not(.of-{name})" in text
    sections = [element.get("class") for element in root.iter(f"{HTML}section")]
    assert sections.count("of-all of-w2") == 8
    assert "●8 passed" in text
    assert "●32 failed" not in text


def test_the_whole_tree_is_there_to_unfold() -> None:
    """The way taken has the steps that hosts came to; the whole tree has them all, folded away."""
    root = tree_of(page(fleet()))

    (details,) = root.iter(f"{HTML}details")
    taken, whole = (
        [element.get("id") for element in svg.iter() if element.get("id")]
        for svg in root.iter("{http://www.w3.org/2000/svg}svg")
    )
    assert taken == ["way-1", "way-2"]
    assert len(whole) == 6
    assert details.get("open") is None


def test_a_document_as_html() -> None:
    """Headings, facts, nested items and blocks become what HTML has for them."""
    text = as_html([
        Heading(level=1, words=["A <title>"]),
        Facts(pairs=[("host", [Quote("web1")])]),
        Item(words=["one ", Quote("a&b")]),
        Item(words=["deep"], depth=2),
        Block(text="--- a\n+<b>\n c", language="diff", depth=2),
        Item(words=["two"]),
        Block(text="plain\n+not added", depth=0),
        Heading(level=2, words=["End"]),
    ])  # fmt: skip

    ElementTree.fromstring(f"<body>{text}</body>")
    assert text.splitlines() == [
        "<h1>A &lt;title&gt;</h1>",
        "<dl>",
        "<dt>host</dt><dd><code>web1</code></dd>",
        "</dl>",
        "<ul>",
        "<li>one <code>a&amp;b</code>",
        "<ul><li>",
        "<ul>",
        "<li>deep",
        '<pre><span class="removed">--- a</span>',
        '<span class="added">+&lt;b&gt;</span>',
        " c</pre>",
        "</li></ul>",
        "</li></ul>",
        "</li>",
        "<li>two",
        "<pre>plain",
        "+not added</pre>",
        "</li></ul>",
        "<h2>End</h2>",
    ]
