"""Drawing a runbook's decision tree: for a terminal, for Mermaid, for Graphviz."""

from collections.abc import Iterable

from runbook.model.definition import End, Fix, Goto, Runbook, Step, StepKind, Target
from runbook.views.paths import KINDS, Way, say_target, ways
from runbook.views.safe_text import printable

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


def tree(runbook: Runbook) -> list[str]:
    """Return lines of a tree.

    A step that several ways lead to is drawn where the first one does; the others name it, as
    `back to` where that closes a cycle. A fix's results that end under their own name, as in
    `declined` to `end(declined)`, are left out.
    """
    lines = [_headline(runbook.steps[runbook.start])]
    drawn = {runbook.start}
    # Way by way with a stack of our own: a runbook may be longer than Python's recursion limit.
    pending = _branches(runbook.steps[runbook.start], "", (runbook.start,))
    while pending:
        lead, way, last, above = pending.pop()
        text = f"{lead}{'└─' if last else '├─'} {_results(way)} → "
        if not isinstance(way.target, Goto):
            lines.append(text + say_target(way.target))
        elif way.target.step in drawn:
            where = "back to {}" if way.target.step in above else "{}, as above"
            lines.append(text + where.format(way.target.step))
        else:
            step = runbook.steps[way.target.step]
            drawn.add(step.id)
            lines.append(text + _headline(step))
            pending += _branches(step, lead + ("   " if last else "│  "), (*above, step.id))
    return lines


def mermaid(runbook: Runbook) -> str:
    """Return a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    lines = ["flowchart TD"]
    names = _names(runbook)
    for step in runbook.steps.values():
        opening, closing, _ = _SHAPES[KINDS[type(step)]]
        text = "<br>".join(line.translate(_MERMAID) for line in _label(step))
        lines.append(f'  {names[Goto(step=step.id)]}{opening}"{text}"{closing}')
    for target, name in names.items():
        if isinstance(target, End):
            lines.append(f'  {name}(["{say_target(target).translate(_MERMAID)}"])')
    for step in runbook.steps.values():
        for way in ways(step):
            text = _results(way).translate(_MERMAID)
            lines.append(f'  {names[Goto(step=step.id)]} -->|"{text}"| {names[way.target]}')
    destructive = [names[Goto(step=step.id)] for step in runbook.steps.values() if _breaks(step)]
    if destructive:
        lines += [
            "  classDef destructive stroke-width:4px",
            f"  class {','.join(destructive)} destructive",
        ]
    return "\n".join(lines)


def graphviz(runbook: Runbook) -> str:
    """Return a graph in Graphviz's DOT language (https://graphviz.org/doc/info/lang.html)."""
    lines = [f"digraph {_quoted([runbook.name])} {{"]
    names = _names(runbook)
    for step in runbook.steps.values():
        shape = _SHAPES[KINDS[type(step)]][2]
        heavy = ", penwidth=3" if _breaks(step) else ""
        lines.append(
            f"  {names[Goto(step=step.id)]} [shape={shape}, label={_quoted(_label(step))}{heavy}];"
        )
    for target, name in names.items():
        if isinstance(target, End):
            lines.append(f"  {name} [shape=oval, label={_quoted([say_target(target)])}];")
    for step in runbook.steps.values():
        lines += [
            f"  {names[Goto(step=step.id)]} -> {names[way.target]} [label={_quoted([_results(way)])}];"
            for way in ways(step)
        ]
    return "\n".join([*lines, "}"])


_Branch = tuple[str, Way, bool, tuple[str, ...]]
"""What goes before it, the way, whether it is its step's last, the steps from the root to it."""


def _branches(step: Step, lead: str, above: tuple[str, ...]) -> list[_Branch]:
    """Return the branches of a step for a stack: the first is the last of the list."""
    shown = [way for way in ways(step) if not (isinstance(step, Fix) and _says_itself(way))]
    return [(lead, way, way is shown[-1], above) for way in reversed(shown)]


def _says_itself(way: Way) -> bool:
    end = way.target
    return isinstance(end, End) and end.cause is None and way.results == (end.verdict.value,)


def _names(runbook: Runbook) -> dict[Target, str]:
    """Return an identifier for every step and end: ids of steps may be words of those languages."""
    names: dict[Target, str] = {
        Goto(step=step): f"s{number}" for number, step in enumerate(runbook.steps, 1)
    }
    reached = (way.target for step in runbook.steps.values() for way in ways(step))
    for number, end in enumerate(dict.fromkeys(t for t in reached if isinstance(t, End)), 1):
        names[end] = f"e{number}"
    return names


def _breaks(step: Step) -> bool:
    return isinstance(step, Fix) and step.destructive


def _label(step: Step) -> list[str]:
    note = " (destructive)" if _breaks(step) else ""
    return [f"{KINDS[type(step)]} {step.id}{note}", printable(step.title)]


def _headline(step: Step) -> str:
    label, title = _label(step)
    return f"{label}: {title}"


def _results(way: Way) -> str:
    return printable(", ".join(way.results))


def _quoted(lines: Iterable[str]) -> str:
    return '"' + "\\n".join(line.translate(_GRAPHVIZ) for line in lines) + '"'
