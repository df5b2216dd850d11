"""What grows: the inventory around a few targets, the runbook's tree, and what a host has to say."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import Contender, cpu_ms, in_turn
from benchmarks.rows import Row, row

PROGRAM = (sys.executable, "-m", "runbook")
STEPS = 500
HOSTS = 10_000
EVIDENCE_BYTES = 10_000_000

_LOOK = """
runbook: {name}
title: What a command prints
steps:
  - check: printed
    title: It prints so much
    probe: {{command: {{argv: [{python}, -c, "print('x' * {size})"]}}}}
    read_only: true
    passes: printed.rc == 0
    next: {{passed: end(healthy), failed: end(unresolved)}}
"""


def growth(folder: Path, rounds: int) -> list[Row]:
    """Compare a large inventory, tree and answer with small ones."""
    os.environ["RUNBOOK_HOME"] = str(folder / "home")
    return [*_inventory(folder, rounds), *_tree(folder, rounds), *_evidence(folder, rounds)]


def _inventory(folder: Path, rounds: int) -> list[Row]:
    """Diagnose ten hosts of this machine, among ten thousand and by themselves."""
    runbook = _looking(folder, "little", 10)
    few, many = (_hosts(folder, count) for count in (10, HOSTS))
    took = in_turn([_diagnosis(runbook, few, "ten"), _diagnosis(runbook, many, "many")], rounds)
    work = f"diagnose 10 of {HOSTS:,} hosts"
    return [row(work, "an inventory of those 10", took["many"], took["ten"], None, "s")]


def _tree(folder: Path, rounds: int) -> list[Row]:
    """Draw a long tree: the first time it is read and checked, then it is known."""
    long, short = (_tree_of(folder, count) for count in (STEPS, STEPS // 10))
    took = cpu_ms(
        {
            "lint long": (*PROGRAM, "lint", str(long)),
            "lint short": (*PROGRAM, "lint", str(short)),
            "show long": (*PROGRAM, "show", str(long)),
            "show short": (*PROGRAM, "show", str(short)),
        },
        rounds,
    )
    return [
        row(f"{name}, {STEPS} steps", f"{STEPS // 10} steps", took[f"{name} long"], one, 10.0, "ms")
        for name in ("lint", "show")
        for one in [took[f"{name} short"]]
    ]


def _evidence(folder: Path, rounds: int) -> list[Row]:
    """Diagnose a host whose answer is cut at 64 KiB, beside one that says little."""
    hosts = _hosts(folder, 1)
    runbooks = {"much": EVIDENCE_BYTES, "little": 10}
    took = in_turn(
        [_diagnosis(_looking(folder, name, size), hosts, name) for name, size in runbooks.items()],
        rounds,
    )
    work = f"an answer of {EVIDENCE_BYTES // 1_000_000} MB, cut"
    return [row(work, "one of 10 bytes", took["much"], took["little"], 1.5, "s")]


def _looking(folder: Path, name: str, size: int) -> Path:
    path = folder / f"{name}.yml"
    path.write_text(_LOOK.format(name=name, python=sys.executable, size=size))
    return path


def _tree_of(folder: Path, steps: int) -> Path:
    name = f"tree-{steps}"
    lines = [f"runbook: {name}", "title: A long way", "steps:"]
    for number in range(steps):
        last = number == steps - 1
        onward = "end(healthy)" if last else f"look_{number + 1}"
        lines += [
            f"  - check: look_{number}",
            f"    title: Number {number} answers",
            f"    probe: {{tcp: {{port: {number + 1}}}}}",
            f"    next: {{passed: {onward}, failed: end(unresolved)}}",
        ]
    path = folder / f"{name}.yml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _hosts(folder: Path, count: int) -> Path:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    names = [f"web{number}" for number in range(count)]
    groups = {"wanted": {"hosts": dict.fromkeys(names[:10]), "vars": here}}
    document = {"all": {"hosts": dict.fromkeys(names), "children": groups}}
    path = folder / f"hosts-{count}.json"
    path.write_text(json.dumps(document))
    return path


def _diagnosis(runbook: Path, inventory: Path, name: str) -> Contender:
    command: Sequence[str] = (
        *(*PROGRAM, "diagnose", str(runbook), "--host", "wanted", "-i", str(inventory)),
        "--json",
    )
    return Contender(name=name, command=command)
