"""Where the cards of a decision tree stand in a drawing, and the lines between them. Pure geometry.

The main way goes straight down in the first column; what branches off stands to the right of the
step it branches from. No two cards overlap, and no two lines cross: what is drawn elsewhere is only
named. Lengths are pixels at the natural size.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from runbook.model.sketch import SketchedStep, SketchedWay
from runbook.views.drawing import NOBODY, shown_ways, way_words
from runbook.views.spine import Placed, is_end, placed
from runbook.views.taken import Taken
from runbook.views.titles import written_title

CARD = 310.0
"""How wide a card is."""
LINE = 17.0
"""How high a line of text is."""
PAD = 10.0
"""What is left free around the text of a card."""
_CHARACTER = 7.3
"""How wide a character of the 12 px monospace font is at most."""
_COLUMNS = int((CARD - 2 * PAD) / _CHARACTER)
_GAP = 30.0
_GUTTER = 30.0
_LANE = 7.0
"""What is between two lines that go down side by side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A way in a card: its lines of text; `target` is a step drawn elsewhere that it refers to."""

    way: SketchedWay
    lines: tuple[str, ...]
    y: float
    target: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A step: kind and id in `head`, its title in `lines`, and a row for each of its ways."""

    step: SketchedStep
    head: str
    lines: tuple[str, ...]
    rows: tuple[Row, ...]
    x: float
    y: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """A line along `points` from the card of `step` to that of its way's target."""

    step: str
    way: SketchedWay
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A whole drawing."""

    cards: tuple[Card, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def lay_out(
    steps: Sequence[SketchedStep], titles: Mapping[str, str], *, taken: Taken = NOBODY
) -> Layout:
    """Return where everything stands."""
    places = placed(steps)
    cards: dict[str, Card] = {}
    lowest: dict[int, float] = {}
    lefts = _lefts(places)
    for name, place in places.items():
        y = lowest.get(place.column, 0.0)
        if place.above is not None and not place.straight:
            y = max(y, cards[place.above].y)
        # Level with what branches off, so that lines to the side never pass one another.
        beside = place
        while beside.sides:
            beside = places[beside.sides[0].target]
            y = max(y, lowest.get(beside.column, 0.0))
        card = _card(place, places, titles, taken, x=lefts[place.column], y=y)
        cards[name] = card
        lowest[place.column] = y + card.height + _GAP
    edges = [edge for place in places.values() for edge in _edges(place, cards)]
    return Layout(
        cards=tuple(cards.values()),
        edges=tuple(edges),
        width=max((card.x for card in cards.values()), default=0.0) + CARD,
        height=max((card.y + card.height for card in cards.values()), default=0.0),
    )


def _lefts(places: Mapping[str, Placed]) -> list[float]:
    """Return where each column begins: between two there is room for all lines side by side."""
    most: dict[int, int] = {}
    for place in places.values():
        most[place.column] = max(most.get(place.column, 0), len(place.sides))
    lefts = [0.0]
    for column in range(max(most, default=0)):
        lefts.append(lefts[-1] + CARD + _GUTTER + _LANE * most[column])
    return lefts


def _card(
    place: Placed,
    places: Mapping[str, Placed],
    titles: Mapping[str, str],
    taken: Taken,
    *,
    x: float,
    y: float,
) -> Card:
    step = place.step
    note = " (destructive)" if step.destructive else ""
    head = _fold(f"{step.kind} {step.id}{note}")
    title = _fold(written_title(titles.get(step.id, "")))
    top = y + PAD + LINE * (len(head) + len(title)) + PAD / 2
    rows: list[Row] = []
    ways = [way for way in shown_ways(step, taken) if way is not place.onward]
    for way in [*ways, *([place.onward] if place.onward is not None else [])]:
        drawn_here = way is place.onward or way in place.sides
        refers = not (drawn_here or is_end(way)) and way.target in places
        leads = "↓" if way is place.onward else "→" if drawn_here else f"→ {way.target}"
        said = f"{way_words(way)} {leads}"
        hosts = taken.by(step.id, way)
        if hosts:
            said = f"● {said}" if len(taken.hosts) == 1 else f"●{len(hosts)} {said}"
        lines = tuple(_fold(said))
        rows.append(Row(way=way, lines=lines, y=top, target=way.target if refers else None))
        top += LINE * len(lines)
    return Card(
        step=step,
        head=head[0],
        lines=(*head[1:], *title),
        rows=tuple(rows),
        x=x,
        y=y,
        height=top + PAD - y,
    )


def _edges(place: Placed, cards: Mapping[str, Card]) -> list[Edge]:
    card = cards[place.step.id]
    edges = []
    points: tuple[tuple[float, float], ...]
    for row in card.rows:
        if row.way is place.onward:
            below = cards[row.way.target]
            x = card.x + 2 * PAD
            points = ((x, card.y + card.height), (x, below.y))
        elif row.way in place.sides:
            beside = cards[row.way.target]
            # The later, the nearer to its own card: so none crosses an earlier one.
            lane = len(place.sides) - place.sides.index(row.way)
            x = card.x + CARD + _LANE * lane
            start, end = row.y + LINE * 0.6, beside.y + PAD + LINE * 0.4
            points = ((card.x + CARD, start), (x, start), (x, end), (beside.x, end))
        else:
            continue
        edges.append(Edge(step=place.step.id, way=row.way, points=points))
    return edges


def _fold(text: str) -> list[str]:
    """Return text in lines that a card has room for, whatever characters it is made of."""
    wide = any(east_asian_width(character) in "WF" for character in text)
    columns = _COLUMNS // 2 if wide else _COLUMNS
    return textwrap.wrap(text, columns, subsequent_indent="  ", break_on_hyphens=False)
