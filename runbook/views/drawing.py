"""Drawing a decision tree: for a terminal, for Mermaid, for Graphviz.

Where a run is given (`taken`), the ways that its hosts took are marked, and how many took each.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runbook.model.definition import StepKind
from runbook.model.sketch import SketchedStep, SketchedWay
from runbook.views.safe_text import printable
from runbook.views.spine import Placed, is_end, placed
from runbook.views.taken import Taken
from runbook.views.titles import written_title
from runbook.views.words import count

_SHAPES = {
    StepKind.CHECK: ("{{", "}}", "hexagon"),
    StepKind.BRANCH: ("{", "}", "diamond"),
    StepKind.FIX: ("[", "]", "box"),
    StepKind.ASK: ("[/", "/]", "parallelogram"),
    StepKind.MANUAL: ("[/", "/]", "parallelogram"),
    StepKind.WATCH: ("{{", "}}", "hexagon"),
    StepKind.COLLECT: ("[(", ")]", "cylinder"),
}
"""For each kind of step: brackets in Mermaid, shape in Graphviz."""

_MERMAID = str.maketrans({character: f"#{ord(character)};" for character in '"#<>&`\\{}[]()|'})
_GRAPHVIZ = str.maketrans({'"': '\\"', "\\": "\\\\"})
_LEAST_TEXT = 24
"""How many columns a line of text gets at least, however deep it stands."""

NOBODY = Taken()


def tree(
    steps: Sequence[SketchedStep],
    titles: Mapping[str, str],
    *,
    taken: Taken = NOBODY,
    width: int | None = None,
) -> list[str]:
    """Return lines of a tree, the first of `steps` at its top; those over `width` are folded.

    What goes straight on stays in its column, below what branches off. A step that several ways
    lead to is drawn once and named elsewhere, as `back to` where that closes a cycle. A fix's
    results that end under their own name, as in `declined` to `end(declined)`, are left out.
    """
    places = placed(steps)
    drawn: set[str] = set()
    lines: list[str] = []
    # With a stack of our own: a runbook may be longer than Python's recursion limit.
    pending = [_Line(step=steps[0].id)] if steps else []
    while pending:
        line = pending.pop()
        if line.refers_to is not None:
            said = line.said + _reference(line.refers_to, line.step, places, drawn)
            lines += _folded(line.first, line.lead, said, width)
        elif line.step in drawn:
            lines += _folded(line.first, line.lead, line.said, width)
        else:
            place = places[line.step]
            drawn.add(line.step)
            ways = [way for way in shown_ways(place.step, taken) if way is not place.onward]
            below = line.lead + ("│  " if ways or place.onward else "   ")
            said = line.said + headline(place.step, titles)
            lines += _folded(line.first, below, said, width)
            pending += reversed(list(_branches(place, ways, line.lead, taken)))
    return lines


def mermaid(
    steps: Sequence[SketchedStep], titles: Mapping[str, str], *, taken: Taken = NOBODY
) -> str:
    """Return a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    lines = ["flowchart TD"]
    names = _names(steps)
    for step in steps:
        opening, closing, _ = _SHAPES[step.kind]
        text = "<br>".join(line.translate(_MERMAID) for line in _label(step, titles))
        lines.append(f'  {names[step.id]}{opening}"{text}"{closing}')
    for target, name in names.items():
        if target.startswith("end("):
            lines.append(f'  {name}(["{target.translate(_MERMAID)}"])')
    walked = []
    for number, (step, way) in enumerate(_edges(steps)):
        hosts = taken.by(step.id, way)
        text = _counted(way, hosts, taken).translate(_MERMAID)
        arrow = "==>" if hosts else "-->"
        lines.append(f'  {names[step.id]} {arrow}|"{text}"| {names[way.target]}')
        walked += [str(number)] if hosts else []
    for style, members in (
        ("destructive stroke-width:4px", [names[step.id] for step in steps if step.destructive]),
        ("taken stroke:#1a7f37", [names[step.id] for step in steps if step.id in taken.steps]),
    ):
        if members:
            lines += [f"  classDef {style}", f"  class {','.join(members)} {style.split()[0]}"]
    if walked:
        lines.append(f"  linkStyle {','.join(walked)} stroke:#1a7f37")
    return "\n".join(lines)


def graphviz(
    name: str,
    steps: Sequence[SketchedStep],
    titles: Mapping[str, str],
    *,
    taken: Taken = NOBODY,
) -> str:
    """Return a graph in Graphviz's DOT language (https://graphviz.org/doc/info/lang.html)."""
    lines = [f"digraph {_quoted([name])} {{"]
    names = _names(steps)
    for step in steps:
        shape = _SHAPES[step.kind][2]
        heavy = ", penwidth=3" if step.destructive else ""
        walked = ', color="#1a7f37"' if step.id in taken.steps else ""
        label = _quoted(_label(step, titles))
        lines.append(f"  {names[step.id]} [shape={shape}, label={label}{heavy}{walked}];")
    for target, short in names.items():
        if target.startswith("end("):
            lines.append(f"  {short} [shape=oval, label={_quoted([target])}];")
    for step, way in _edges(steps):
        hosts = taken.by(step.id, way)
        label = _quoted([_counted(way, hosts, taken)])
        walked = ', color="#1a7f37", penwidth=3' if hosts else ""
        lines.append(f"  {names[step.id]} -> {names[way.target]} [label={label}{walked}];")
    return "\n".join([*lines, "}"])


def shown_ways(step: SketchedStep, taken: Taken = NOBODY) -> list[SketchedWay]:
    """Return a step's ways but those of a fix that say nothing else than their result's name."""
    return [
        way
        for way in step.ways
        if step.kind is not StepKind.FIX
        or way.target != f"end({way_words(way)})"
        or taken.by(step.id, way)
    ]


def way_words(way: SketchedWay) -> str:
    """Return a way's results in words of the language, printable."""
    return printable(way.words or ", ".join(way.results))


def headline(step: SketchedStep, titles: Mapping[str, str]) -> str:
    """Return a step's kind, id and title on one line, printable."""
    return ": ".join(_label(step, titles))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A line to come: `first` goes before it, `lead` before what is folded of it or hangs below.

    It says of `step` where a way `refers_to`; else, where that is not drawn yet, it draws the step.
    """

    step: str
    first: str = ""
    lead: str = ""
    said: str = ""
    refers_to: str | None = None


def _branches(
    place: Placed, ways: Sequence[SketchedWay], lead: str, taken: Taken
) -> Iterator[_Line]:
    """Yield the lines below a step, those that draw others among them."""
    name = place.step.id
    for way in ways:
        last = place.onward is None and way is ways[-1]
        tip, rest = lead + ("└─ " if last else "├─ "), lead + ("   " if last else "│  ")
        said = f"{_marked(place, way, taken)} → "
        if way in place.sides:
            yield _Line(first=tip, lead=rest, said=said, step=way.target)
        else:
            yield _Line(first=tip, lead=rest, said=said, step=name, refers_to=way.target)
    if place.onward is not None:
        said = f"{_marked(place, place.onward, taken)} ↓"
        yield _Line(first=lead + "└─ ", lead=lead + "   ", said=said, step=name)
        yield _Line(first=lead, lead=lead, step=place.onward.target)


def _folded(first: str, lead: str, text: str, width: int | None) -> list[str]:
    if width is None:
        return [first + text]
    room = max(_LEAST_TEXT, width - max(len(first), len(lead)))
    head, *rest = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    return [first + head, *(lead + line for line in rest)]


def _reference(target: str, step: str, places: Mapping[str, Placed], drawn: set[str]) -> str:
    """Say where a way leads that ends here for the eye."""
    if target not in places:
        return target
    above: str | None = step
    while above is not None:
        if above == target:
            return f"back to {target}"
        above = places[above].above
    return f"{target}, as above" if target in drawn else f"{target}, below"


def _marked(place: Placed, way: SketchedWay, taken: Taken) -> str:
    hosts = taken.by(place.step.id, way)
    return f"● {_counted(way, hosts, taken)}" if hosts else way_words(way)


def _counted(way: SketchedWay, hosts: Sequence[str], taken: Taken) -> str:
    """Return a way's results, with how many hosts took it where that says anything."""
    words = way_words(way)
    return f"{words} ({count(len(hosts), 'host')})" if hosts and len(taken.hosts) > 1 else words


def _edges(steps: Sequence[SketchedStep]) -> Iterator[tuple[SketchedStep, SketchedWay]]:
    """Yield the ways between steps that are drawn, and to ends."""
    drawn = {step.id for step in steps}
    for step in steps:
        yield from ((step, way) for way in step.ways if is_end(way) or way.target in drawn)


def _names(steps: Sequence[SketchedStep]) -> dict[str, str]:
    """Return an identifier for every step and end: ids of steps may be words of those languages."""
    names = {step.id: f"s{number}" for number, step in enumerate(steps, 1)}
    ends = (way.target for _, way in _edges(steps) if is_end(way))
    for number, end in enumerate(dict.fromkeys(ends), 1):
        names[end] = f"e{number}"
    return names


def _label(step: SketchedStep, titles: Mapping[str, str]) -> list[str]:
    note = " (destructive)" if step.destructive else ""
    title = written_title(titles.get(step.id, ""))
    return [f"{step.kind} {step.id}{note}", *([title] if title else [])]


def _quoted(lines: Iterable[str]) -> str:
    return '"' + "\\n".join(line.translate(_GRAPHVIZ) for line in lines) + '"'
