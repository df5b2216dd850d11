"""Drawings show every step once and every way; golden files show how they look."""

import re
from pathlib import Path

from runbook.model.definition import (
    Check,
    CheckResult,
    End,
    Fix,
    Goto,
    Probe,
    Runbook,
    Target,
)
from runbook.model.verdict import Verdict
from runbook.spec.library import load
from runbook.views.drawing import graphviz, mermaid, tree
from runbook.views.paths import say_target, ways

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


def test_a_tree_has_every_step_once() -> None:
    """Each step's headline stands on exactly one line."""
    for runbook in RUNBOOKS:
        lines = tree(runbook)
        for step in runbook.steps.values():
            headline = re.compile(rf"(^|→ )[a-z]+ {re.escape(step.id)}( \(destructive\))?: ")
            assert len([line for line in lines if headline.search(line)]) == 1, step.id


def test_a_tree_has_every_way() -> None:
    """There is a line for the start and for each way, but what a fix's result says by its name."""
    for runbook in RUNBOOKS:
        shown = 1
        for step in runbook.steps.values():
            for way in ways(step):
                implied = (
                    isinstance(step, Fix) and say_target(way.target) == f"end({way.results[0]})"
                )
                shown += not (implied and len(way.results) == 1)
        assert len(tree(runbook)) == shown, runbook.name


def test_a_very_long_runbook_is_drawn() -> None:
    """Length is bounded by no recursion."""
    long = chain(3000)

    assert len(tree(long)) == 3001
    assert mermaid(long).count("-->") == 3000
    assert graphviz(long).count("->") == 3000


def test_every_name_in_a_graph_is_defined() -> None:
    """In Mermaid and Graphviz each way joins two nodes that have a label, and none is left out."""
    for runbook in RUNBOOKS:
        count = sum(len(ways(step)) for step in runbook.steps.values())
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
