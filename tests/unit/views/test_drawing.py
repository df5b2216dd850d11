"""Drawings show every step once and every way; golden files show how they look."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from runbook.model.definition import (
    Check,
    CheckResult,
    End,
    FixResult,
    Goto,
    Probe,
    Runbook,
    Target,
)
from runbook.model.event import Event, FixConcluded, Mode, RunStarted, StepConcluded
from runbook.model.verdict import Verdict
from runbook.spec.library import load
from runbook.views import drawing
from runbook.views.drawing import shown_ways
from runbook.views.paths import sketched, titles_of
from runbook.views.report_story import account_of
from runbook.views.taken import Taken, taken_by, walked_tree
from runbook.views.tree_layout import CARD, Layout, lay_out
from runbook.views.tree_svg import tree_page
from tests.unit.views.report_scenes import incident, written

ROOT = Path(__file__).parents[3]
RUNBOOKS = [
    load("all-kinds", [ROOT / "tests/runbooks"]),
    load("loop", [ROOT / "tests/golden/cli/runbooks"]),
    load("fix-502", [ROOT / "runbooks"]),
]


def chain(length: int) -> Runbook:
    """Return a runbook that is one long way."""
    steps = {}
    for number in range(length):
        onward: Target = Goto(step=f"s{number + 1}")
        if number == length - 1:
            onward = End(verdict=Verdict.HEALTHY)
        steps[f"s{number}"] = Check(
            id=f"s{number}",
            title=f"Number {number}",
            look=Probe(type="load", arguments={}),
            next=dict.fromkeys(CheckResult, onward),
        )
    return Runbook(name="long", title="Long", start="s0", steps=steps)


def tree(runbook: Runbook, width: int | None = None) -> list[str]:
    """Return a runbook's tree for a terminal."""
    return drawing.tree(sketched(runbook), titles_of(runbook), width=width)


def mermaid(runbook: Runbook) -> str:
    """Return a runbook's tree for Mermaid."""
    return drawing.mermaid(sketched(runbook), titles_of(runbook))


def graphviz(runbook: Runbook) -> str:
    """Return a runbook's tree for Graphviz."""
    return drawing.graphviz(runbook.name, sketched(runbook), titles_of(runbook))


def laid_out(runbook: Runbook) -> Layout:
    """Return where the cards of a runbook stand."""
    return lay_out(sketched(runbook), titles_of(runbook))


def test_a_tree_has_every_step_once() -> None:
    """Each step's headline stands on exactly one line."""
    for runbook in RUNBOOKS:
        lines = tree(runbook)
        for step in runbook.steps.values():
            headline = re.compile(rf"(^|→ |[│ ] )[a-z]+ {re.escape(step.id)}( \(destructive\))?: ")
            assert len([line for line in lines if headline.search(line)]) == 1, step.id


def test_a_tree_has_every_way() -> None:
    """There is a line for each way, and one more for each step that is gone straight on to."""
    for runbook in RUNBOOKS:
        lines = tree(runbook)
        shown = sum(len(shown_ways(step)) for step in sketched(runbook))

        straight = [line for line in lines if line.endswith(" ↓")]
        assert len([line for line in lines if "├─ " in line or "└─ " in line]) == shown
        assert len(lines) == 1 + shown + len(straight)


def test_what_a_tree_names_is_where_it_says() -> None:
    """`as above` and `below` are true, and `back to` names a step on the way there."""
    for runbook in RUNBOOKS:
        lines = tree(runbook)
        drawn = {
            step: next(
                number
                for number, line in enumerate(lines)
                if re.search(rf"(^|→ |[│ ] )[a-z]+ {re.escape(step)}( \(destructive\))?: ", line)
            )
            for step in runbook.steps
        }
        for number, line in enumerate(lines):
            if found := re.search(r"→ (?:back to (\S+)|(\S+), as above)$", line):
                assert drawn[found[1] or found[2]] <= number
            elif found := re.search(r"→ (\S+), below$", line):
                assert drawn[found[1]] > number


def test_a_tree_fits_the_terminal() -> None:
    """In 80 columns the tree of the largest runbook is folded, and no word is lost."""
    for runbook in RUNBOOKS:
        narrow = tree(runbook, width=80)
        assert max(map(len, narrow)) <= 80

        def words(lines: list[str]) -> list[str]:
            return " ".join(line.strip("│├└─ ") for line in lines).split()

        assert words(narrow) == words(tree(runbook))


def test_a_very_long_runbook_is_drawn() -> None:
    """Length is bounded by no recursion."""
    long = chain(3000)

    assert len(tree(long)) == 6000
    assert mermaid(long).count("-->") == 3000
    assert graphviz(long).count("->") == 3000
    assert len(laid_out(long).cards) == 3000


def test_every_name_in_a_graph_is_defined() -> None:
    """In Mermaid and Graphviz each way joins two nodes that have a label, and none is left out."""
    for runbook in RUNBOOKS:
        count = sum(len(step.ways) for step in sketched(runbook))
        for text, defined, joined in (
            (mermaid(runbook), r'^  (\w+)[\[({/]+"', r'^  (\w+) -->\|".*"\| (\w+)$'),
            (graphviz(runbook), r"^  (\w+) \[shape", r'^  (\w+) -> (\w+) \[label=".*"\];$'),
        ):
            nodes = set(re.findall(defined, text, re.MULTILINE))
            edges = re.findall(joined, text, re.MULTILINE)
            assert {name for edge in edges for name in edge} == nodes
            assert len(edges) == count


def test_no_text_ends_a_label_early() -> None:
    """Quotes, brackets and backslashes of titles are escaped in each language's own way."""
    loop = RUNBOOKS[1]

    for line in mermaid(loop).splitlines():
        assert line.count('"') in (0, 2)
    for line in graphviz(loop).splitlines():
        assert len(re.findall(r'(?<!\\)(?:\\\\)*"', line)) % 2 == 0


def test_cards_do_not_overlap_and_all_text_is_within() -> None:
    """Each step has a card, no two share any ground, and the main way goes straight down."""
    for runbook in RUNBOOKS:
        layout = laid_out(runbook)
        cards = layout.cards

        assert sorted(card.step.id for card in cards) == sorted(runbook.steps)
        for number, one in enumerate(cards):
            for other in cards[number + 1 :]:
                beside = one.x + CARD <= other.x or other.x + CARD <= one.x
                assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
            for text in (one.head, *one.lines, *(line for row in one.rows for line in row.lines)):
                assert len(text) <= 39
        assert max(card.x + CARD for card in cards) == layout.width
        below = [edge for edge in layout.edges if len(edge.points) == 2]
        assert all(edge.points[0][0] == edge.points[1][0] for edge in below)


def test_lines_cross_neither_each_other_nor_a_card() -> None:
    """Whoever follows a line with the finger comes to one card."""
    for runbook in RUNBOOKS:
        layout = laid_out(runbook)
        lines = [
            (number, min(pair), max(pair))
            for number, edge in enumerate(layout.edges)
            for pair in zip(edge.points, edge.points[1:], strict=False)
        ]
        upright = [line for line in lines if line[1][0] == line[2][0]]
        level = [line for line in lines if line[1][1] == line[2][1]]

        for number, (x, top), (_, bottom) in upright:
            for other, (left, y), (right, _) in level:
                assert number == other or not (left < x < right and top < y < bottom)
            for card in layout.cards:
                assert not (
                    card.x < x < card.x + CARD and top < card.y + card.height and bottom > card.y
                ), card.step.id


def followed(runbook: Runbook) -> Taken:
    """Return what two hosts took of the runbook `loop`: one goes round by a fix, one is well."""
    walk: list[Event] = [
        StepConcluded(host="web1", step="site", result="failed", next=Goto(step="end")),
        StepConcluded(host="web1", step="end", result="case 1", next=Goto(step="restart")),
        FixConcluded(
            host="web1", step="restart", result=FixResult.CAUSE_REMOVED, next=Goto(step="site")
        ),
        StepConcluded(host="web1", step="site", result="passed", next=End(verdict=Verdict.HEALTHY)),
        StepConcluded(host="web2", step="site", result="passed", next=End(verdict=Verdict.HEALTHY)),
    ]
    return taken_by(account_of(*written([(0, "anna", walk)])).hosts.values())


def test_the_ways_taken_are_marked_in_every_form() -> None:
    """Ways of one host and of several are marked and counted; the others are as they were."""
    loop = RUNBOOKS[1]
    steps, titles, taken = sketched(loop), titles_of(loop), followed(loop)

    text = drawing.tree(steps, titles, taken=taken)
    assert "├─ ● passed (2 hosts) → end(healthy)" in text
    assert "└─ ● failed, unknown (1 host) ↓" in text
    assert [line.count("●") for line in text].count(1) == 4
    flowchart = drawing.mermaid(steps, titles, taken=taken)
    assert flowchart.count("==>") == 4
    assert '==>|"passed #40;2 hosts#41;"|' in flowchart
    graph = drawing.graphviz("loop", steps, titles, taken=taken)
    assert graph.count('"#1a7f37", penwidth=3];') == 4
    picture = tree_page("loop", steps, titles, taken=taken)
    assert "●2 passed" in picture
    assert picture.count('class="way taken"') == 4


def test_a_run_that_wrote_no_tree_down_shows_what_was_walked() -> None:
    """A journal of an earlier version has steps and ways enough for what its hosts did."""
    account = account_of(*incident())

    steps = walked_tree(account)

    assert {step.id for step in steps} == {"site", "backend_state", "restart", "imports", "repair"}
    lines = drawing.tree(steps, account.titles, taken=taken_by(account.hosts.values()))
    assert "● resolved (1 host) → end(resolved, backend_stopped)" in "\n".join(lines)


def test_a_run_is_drawn_as_its_runbook_was() -> None:
    """The tree that a run began with is what is drawn of it."""
    loop = RUNBOOKS[1]
    started = RunStarted(
        runbook="loop", closure="0", pattern="all", mode=Mode.RUN, tree=sketched(loop)
    )

    assert walked_tree(account_of(*written([(0, "anna", [started])]))) == sketched(loop)


def test_a_part_of_a_tree_is_drawn_by_itself() -> None:
    """Steps that are left out are named where a way leads to them, and nowhere else."""
    loop = RUNBOOKS[1]
    taken = followed(loop)
    steps, titles = [step for step in sketched(loop) if step.id in taken.steps], titles_of(loop)

    assert [step.id for step in steps] == ["site", "end", "restart"]
    assert '├─ mode == "safe" → inner/site' in drawing.tree(steps, titles, taken=taken)
    assert "inner" not in drawing.mermaid(steps, titles, taken=taken)
    assert "inner" not in drawing.graphviz("loop", steps, titles, taken=taken)
    assert "→ inner/site" in tree_page("loop", steps, titles, taken=taken)


def test_a_picture_is_one_piece_and_inert() -> None:
    """It is well-formed, loads nothing, has no script, and its links lead to its own cards."""
    for runbook in RUNBOOKS:
        root = ElementTree.fromstring(
            tree_page("<b> & \x07", sketched(runbook), titles_of(runbook))
        )
        names = {element.get("id") for element in root.iter()} - {None}
        links = [element.get("href", "") for element in root.iter() if element.tag.endswith("}a")]
        kinds = {element.tag.rpartition("}")[2] for element in root.iter()}

        assert root[0].text == "<b> & \\x07"
        assert kinds <= {"svg", "title", "style", "g", "rect", "text", "path", "a"}
        assert {link.removeprefix("#") for link in links} <= names
        assert len(names) == len(runbook.steps)
        assert "url(" not in (root[1].text or "")


GOLDEN = Path(__file__).parents[2] / "golden" / "graph"
DRAWN: dict[str, Callable[[Runbook, Taken], str]] = {
    "taken.txt": lambda book, taken: "\n".join(
        drawing.tree(sketched(book), titles_of(book), taken=taken, width=80)
    ),
    "taken.mmd": lambda book, taken: drawing.mermaid(sketched(book), titles_of(book), taken=taken),
    "taken.dot": lambda book, taken: drawing.graphviz(
        book.name, sketched(book), titles_of(book), taken=taken
    ),
    "taken.svg": lambda book, taken: tree_page(
        book.name, sketched(book), titles_of(book), taken=taken
    ).rstrip("\n"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_drawings_look_as_written_down(name: str) -> None:
    """The tree of a run is the golden file in each form."""
    drawn = DRAWN[name](RUNBOOKS[1], followed(RUNBOOKS[1]))

    assert drawn + "\n" == (GOLDEN / name).read_text(encoding="utf-8")
