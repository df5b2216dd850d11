"""A decision tree as SVG: a page of its own, or a part of one.

All text is escaped, links lead nowhere but to other cards, and nothing is loaded from elsewhere.
Colour only repeats what words and the weight of lines say.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from runbook.model.sketch import SketchedStep
from runbook.views.drawing import NOBODY
from runbook.views.safe_text import printable
from runbook.views.taken import Taken
from runbook.views.tree_layout import CARD, LINE, PAD, Card, Edge, Row, lay_out

STYLE = """\
.tree { --paper: #fff; --ink: #1f2328; --faint: #59636e; --line: #8c959f; --card: #f6f8fa;
  --mark: #1a7f37; --fix: #9a6700;
  font: 12px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; background: var(--paper); }
.tree text { fill: var(--ink); white-space: pre; }
.tree .head { font-weight: bold; }
.tree .way text { fill: var(--faint); }
.tree rect { fill: var(--card); stroke: var(--line); }
.tree .breaks rect { stroke: var(--fix); stroke-width: 3; }
.tree path { fill: none; stroke: var(--line); stroke-width: 1.5; }
.tree a text { text-decoration: underline; }
.tree :target rect { stroke-dasharray: 6 3; }
.tree .taken > rect { stroke: var(--mark); stroke-width: 4; }
.tree path.taken { stroke: var(--mark); stroke-width: 4; }
.tree .way.taken text { fill: var(--ink); font-weight: bold; }
@media (prefers-color-scheme: dark) { .tree { --paper: #0d1117; --ink: #f0f6fc; --faint: #b1bac4;
  --line: #6e7681; --card: #161b22; --mark: #3fb950; --fix: #d29922; } }
@media print { .tree { --paper: #fff; --ink: #000; --faint: #333; --line: #777; --card: #fff;
  --mark: #000; --fix: #000; } }
"""
"""What the classes of a drawing look like, on light and dark screens and on paper."""

_MARGIN = 20.0

Classes = Callable[[tuple[str, ...]], str]
"""Gives further classes of what some hosts came to or took."""


def tree_page(
    title: str,
    steps: Sequence[SketchedStep],
    titles: Mapping[str, str],
    *,
    taken: Taken = NOBODY,
) -> str:
    """Return a whole SVG file."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + "\n".join(_drawn(title, steps, titles, taken, _plain, style=STYLE))
        + "\n"
    )


def tree_part(
    title: str,
    steps: Sequence[SketchedStep],
    titles: Mapping[str, str],
    *,
    taken: Taken = NOBODY,
    classes: Classes,
    prefix: str = "step",
) -> str:
    """Return an `svg` element for an HTML page that has `STYLE` among its own.

    The ids of its cards begin with `prefix`.
    """
    return "\n".join(_drawn(title, steps, titles, taken, classes, prefix=prefix))


def _plain(hosts: tuple[str, ...]) -> str:
    return " taken" if hosts else ""


def _drawn(
    title: str,
    steps: Sequence[SketchedStep],
    titles: Mapping[str, str],
    taken: Taken,
    classes: Classes,
    *,
    prefix: str = "step",
    style: str = "",
) -> Iterator[str]:
    layout = lay_out(steps, titles, taken=taken)
    names = {card.step.id: f"{prefix}-{number}" for number, card in enumerate(layout.cards, 1)}
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tree" width="{width:g}"'
        f' height="{height:g}" viewBox="{-_MARGIN:g} {-_MARGIN:g} {width:g} {height:g}">'
    )
    yield f"<title>{_escaped(title)}</title>"
    if style:
        yield f"<style>\n{style}</style>"
    for edge in layout.edges:
        yield _edge(edge, classes(taken.by(edge.step, edge.way)))
    for card in layout.cards:
        yield from _card(card, names, taken, classes)
    yield "</svg>"


def _edge(edge: Edge, marks: str) -> str:
    (x, y), *rest = edge.points
    line = " ".join(f"L{px:g} {py:g}" for px, py in rest)
    down = edge.points[-1][0] == edge.points[-2][0]
    tip = "m-4 -7l4 7l4 -7" if down else "m-7 -4l7 4l-7 4"
    return f'<path class="edge{marks}" d="M{x:g} {y:g}{line}{tip}"/>'


def _card(card: Card, names: Mapping[str, str], taken: Taken, classes: Classes) -> Iterator[str]:
    breaks = " breaks" if card.step.destructive else ""
    marks = classes(taken.steps.get(card.step.id, ()))
    yield f'<g class="step{breaks}{marks}" id="{names[card.step.id]}">'
    yield (
        f'<rect x="{card.x:g}" y="{card.y:g}" width="{CARD:g}" height="{card.height:g}" rx="6"/>'
    )
    y = card.y + PAD + LINE * 0.7
    yield _text(card.x + PAD, y, card.head, "head")
    for number, line in enumerate(card.lines, 1):
        yield _text(card.x + PAD, y + LINE * number, line)
    for row in card.rows:
        yield from _row(card, row, names, classes(taken.by(card.step.id, row.way)))
    yield "</g>"


def _row(card: Card, row: Row, names: Mapping[str, str], marks: str) -> Iterator[str]:
    texts = "".join(
        _text(card.x + PAD, row.y + LINE * (number + 0.7), line)
        for number, line in enumerate(row.lines)
    )
    if row.target is not None:
        texts = f'<a href="#{names[row.target]}">{texts}</a>'
    yield f'<g class="way{marks}">{texts}</g>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:g}" y="{y:g}">{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return escape(printable(text))
