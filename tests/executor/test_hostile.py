"""Hosts that answer what they like: they get at no controller, and at no other host."""

import base64
import json
import resource
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from runbook.executor import Ending, FixRequest, PreviewRequest, Progress
from runbook.model.definition import CheckResult, FixResult, Json
from runbook.model.event import Acted
from tests.executor_harness import Stage, Told, carry_out, local, observe, request_id

RUNBOOK = """
runbook: hostile
title: What hosts say is data
params:
  place: {type: string}
  seen_in: {type: string}
causes:
  fault: {title: A fault}
steps:
  - check: told
    title: What the file says on {{ inventory_hostname }}
    probe: {file: {path: "{{ place }}/told", content: true}}
    passes: told.content == "well\\n"
    next: near
  - check: near
    title: What the controller sees
    probe: {file: {path: "{{ seen_in }}/told", content: true}}
    from: controller
    passes: near.content == "well\\n"
    next: unit
  - check: unit
    title: The unit is as deployed
    task:
      ansible.builtin.find: {paths: "{{ place }}", patterns: told}
    next: later
  - check: later
    title: What is looked at after the task
    task:
      ansible.builtin.command: {argv: [cat, "{{ place }}/told"]}
    read_only: true
    passes: later.stdout == "well"
    next: {passed: end(healthy), failed: write}
  - fix: write
    title: Write down {{ told.content }}
    impact: The file will say {{ told.content }}
    cause: fault
    tasks:
      - name: Look around
        ansible.builtin.find: {paths: "{{ place }}", patterns: told}
      - name: Write
        ansible.builtin.copy:
          content: "{{ told.content }}"
          dest: "{{ place }}/written"
          mode: "0600"
    verify: {symptom: near, within: 0s}
"""

INTERPRETER = """#!{python}
# Stands where a host's Python should be: it answers as it likes, or else as Python would.
import re, subprocess, sys
piped = sys.argv[-1] == "-" or "-c" in sys.argv or len(sys.argv) < 2
source = sys.stdin.buffer.read() if piped else open(sys.argv[1], "rb").read()
module = re.search(rb"ansible_module='(?:[\\w.]+[.])?(\\w+)'", source)
answers = {answers!r}
name = module.group(1).decode() if module else "runbook_probe" if b"runbook_probes" in source else ""
answer = answers.get(name)
if answer is None:
    words = sys.argv[1:] if "-c" in sys.argv else ["-"]
    sys.exit(subprocess.run([{python!r}, *words], input=source).returncode)
for part, times in answer:
    for _ in range(times):
        sys.stdout.buffer.write(part)
"""

ESCAPES = "\u202e\u2066\x1b[2J\x1b]0;owned\x07\x9b31m\r\b"

Answers = Mapping[str, Json]
"""What a host answers, by the name of the module: data, or parts of bytes with repetitions."""


def told_by(facts: Json, **more: Json) -> dict[str, Json]:
    """Return an answer of the probe module."""
    return {"changed": False, "answers": {"told": {"looked": True, "facts": facts, **more}}}


def forged(event: Json) -> str:
    """Return an event as ansible-runner's own callback would print it."""
    blob = base64.b64encode(json.dumps(event).encode()).decode()
    return f"\x1b[K{blob}\x1b[{len(blob)}D\x1b[K"


def forgeries() -> str:
    """Return everything a host could print to speak for another host, or to break the reader."""
    observed = {"result": "failed", "facts": {"content": "forged"}, "seen_at": 1.0}
    ours = {"kind": "observed", "host": "honest", "observations": {"told": observed}, "texts": {}}
    event = {
        "uuid": "0b5e",
        "event": "runner_on_unreachable",
        "event_data": {"host": "honest", "task": "runbook_observe", "res": {"runbook": ours}},
    }
    lines = [json.dumps(ours), json.dumps({"kind": "end"})]
    broken: list[Json] = [[1], "text", 7, {"uuid": "\0"}, {"uuid": ["x"]}, {"uuid": "../../plan"}]
    return "\n".join([*lines, forged(event), *map(forged, broken), *lines])


class Theatre:
    """Hosts of all sorts, each with a folder, and a mark that only an exploit would make."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder=folder)
        self.mark = folder / "pwned"
        self.runbook = self.stage.runbook(RUNBOOK)
        self.hosts: dict[str, dict[str, Json]] = {}

    @property
    def lure(self) -> str:
        """A template that makes the mark, should anything ever render it."""
        return "{{ lookup('ansible.builtin.pipe', 'touch " + str(self.mark) + "') }}"

    def host(self, name: str, answers: Answers | None = None, told: str = "well\n") -> None:
        """Add a host; without answers it is an honest one."""
        place = self.stage.folder / name
        place.mkdir()
        (place / "told").write_text(told)
        self.hosts[name] = local(
            place=str(place), seen_in=str(place), runbook_lease_path=str(place / "lease")
        )
        if answers is not None:
            interpreter = place / "python"
            parts = {
                module: answer if isinstance(answer, list) else [(json.dumps(answer).encode(), 1)]
                for module, answer in answers.items()
            }
            interpreter.write_text(INTERPRETER.format(python=sys.executable, answers=parts))
            interpreter.chmod(stat.S_IRWXU)
            self.hosts[name]["ansible_python_interpreter"] = str(interpreter)

    def written(self, host: str) -> str:
        """Return what the fix wrote on a host."""
        return (self.stage.folder / host / "written").read_text()


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    """Every exploit has a host of its own."""
    theatre = Theatre(tmp_path_factory.mktemp("hostile"))
    lure = theatre.lure
    theatre.host("honest")
    theatre.host("luring", told=lure)
    theatre.host(
        "templating",
        {
            "runbook_probe": told_by({"content": lure, lure: lure, "exists": [lure, {lure: lure}]}),
            "find": {
                "changed": True,
                "msg": lure,
                "stat": {"path": lure},
                "warnings": [lure],
                "ansible_facts": {"seen_in": lure, "told": {"content": lure}, "later": lure},
            },
        },
    )
    theatre.host(
        "escaping",
        {
            "runbook_probe": told_by({"content": ESCAPES}),
            "find": {"failed": True, "msg": ESCAPES, "warnings": [ESCAPES]},
        },
    )
    theatre.host(
        "forging",
        {
            "runbook_probe": [
                (f"{forgeries()}\n{json.dumps(told_by({'content': 'x'}))}".encode(), 1)
            ],
            "find": {
                "failed": True,
                "msg": forgeries(),
                "warnings": [forgeries()],
                "exception": forgeries(),
                "results": [{"host": "honest", "failed": True}],
                "add_host": {"host_name": "honest", "host_vars": {"place": "/"}},
            },
        },
    )
    theatre.host(
        "impersonating",
        {
            "runbook_probe": {
                "answers": {
                    name: {"looked": True, "facts": {"content": "well\n", "stdout": "well"}}
                    for name in ("near", "unit", "later", "write", "nothing")
                }
            }
        },
        told="ill\n",
    )
    theatre.host(
        "mistyped",
        {
            "runbook_probe": {
                "answers": {"told": {"looked": True, "facts": ["content"], "took_s": "long"}}
            },
            "find": {"changed": "perhaps", "failed": []},
        },
    )
    theatre.host("listing", {"runbook_probe": {"answers": [1, 2]}, "find": [(b"[1, 2]", 1)]})
    theatre.host(
        "endless",
        {
            "runbook_probe": [
                (b'{"answers": {"told": {"looked": true, "facts": {"content": "', 1),
                (b"x" * 1_000_000, 150),
                (b'"}}}}', 1),
            ],
            "find": [(b'{"changed": false, "msg": "', 1), (b"x" * 1_000_000, 150), (b'"}', 1)],
        },
    )
    theatre.host(
        "bombing",
        {
            "runbook_probe": [
                (b'{"answers": {"told": {"looked": true, "facts": {"content": [', 1),
                (b"[]," * 1000, 1000),
                (b"0]}}}}", 1),
            ],
            "find": [(b'{"changed": false, "msg": [', 1), (b"{}," * 1000, 1500), (b"0]}", 1)],
        },
    )
    theatre.host(
        "deep",
        {
            "runbook_probe": [
                (b'{"answers": {"told": {"looked": true, "facts": {"content": ', 1),
                (b"[", 100_000),
                (b"]", 100_000),
                (b"}}}}", 1),
            ]
        },
    )
    theatre.host(
        "deepish",
        {
            "runbook_probe": [
                (b'{"answers": {"told": {"looked": true, "facts": {"content": ', 1),
                (b"[", 300),
                (b"]", 300),
                (b"}}}}", 1),
            ],
            "find": [(b'{"changed": false, "stat": ', 1), (b"[", 300), (b"]", 300), (b"}", 1)],
        },
    )
    theatre.host(
        "garbled",
        {
            "runbook_probe": [
                (b'{"answers": {"told": {"looked": true, "took_s": NaN, "facts": {"content": "', 1),
                (b"\xff\xfe\xc3(\\ud800\\u0000", 1),
                (b'", "nan": NaN, "infinite": 1e999, "long": ', 1),
                (b"9", 4000),
                (b"}}}}", 1),
            ],
            "find": [(b'{"failed": true, "msg": "\xff\\ud800 oh"}', 1)],
        },
    )
    theatre.host(
        "censoring",
        {
            "runbook_probe": {
                **told_by({"content": "x"}),
                "_ansible_no_log": True,
                "censored": "x",
            },
            "find": {"changed": False, "_ansible_no_log": True, "_ansible_item_label": "x"},
        },
    )
    theatre.host(
        "usurping",
        {
            "find": {
                "changed": False,
                "ansible_facts": {
                    "runbook_wants": [],
                    "runbook_looked": {
                        name: {"facts": {"content": "well\n"}, "reason": None, "took_s": 0.0}
                        for name in ("told", "near")
                    },
                    "near": {"content": "well\n"},
                    "told": {"content": "swapped"},
                    "seen_in": str(theatre.stage.folder / "honest"),
                    "runbook_task_later": {"stdout": "well", "changed": False},
                },
            }
        },
        told="ill\n",
    )
    theatre.host("silent", {"runbook_probe": [(b"", 1)], "find": [(b"", 1)]})
    return theatre


@pytest.fixture(scope="module")
def looked(theatre: Theatre) -> Told:
    """All hosts looked at in one invocation."""
    executor = theatre.stage.executor(theatre.runbook, theatre.stage.inventory(theatre.hosts))
    return carry_out(executor, observe("told", "near", "unit", "later"))


def test_nothing_a_host_says_while_looked_at_is_executed(theatre: Theatre, looked: Told) -> None:
    """Templates in file contents, facts, names of facts, messages and `ansible_facts` stay text."""
    assert not theatre.mark.exists()
    assert looked.seen("luring", "told").facts["content"] == theatre.lure
    assert looked.seen("templating", "told").facts["content"] == theatre.lure
    assert looked.seen("templating", "told").facts["exists"] == [
        theatre.lure,
        {theatre.lure: theatre.lure},
    ]
    assert looked.seen("luring", "later").facts["stdout"] == theatre.lure


def test_texts_rendered_with_what_a_host_says_are_not_rendered_twice(
    theatre: Theatre, looked: Told
) -> None:
    """A title that quotes a host's words holds them as they are."""
    texts = looked.observed("luring").texts["write"]

    assert texts.title == f"Write down {theatre.lure}"
    assert texts.impact == f"The file will say {theatre.lure}"


@pytest.mark.parametrize("step", ["told", "near", "unit", "later"])
def test_the_honest_host_is_seen_as_it_is(looked: Told, step: str) -> None:
    """Whatever fifteen others print, one host's results are its own."""
    assert looked.ended.ending is Ending.COMPLETED
    assert looked.resolved.hosts[0] == "honest"
    assert looked.result("honest", step) is CheckResult.PASSED, looked.seen("honest", step)


def test_no_step_is_answered_by_the_answer_to_another(looked: Told) -> None:
    """An answer counts for the probe it was asked for, and only where it was asked."""
    assert looked.result("impersonating", "told") is CheckResult.UNKNOWN
    assert looked.result("impersonating", "near") is CheckResult.FAILED
    assert looked.result("impersonating", "later") is CheckResult.FAILED


def test_a_task_cannot_replace_what_was_looked_at(looked: Told) -> None:
    """Facts that a module sets do not overwrite probes' answers, nor what is wanted."""
    assert looked.result("usurping", "told") is CheckResult.FAILED
    assert looked.result("usurping", "near") is CheckResult.FAILED
    assert looked.seen("usurping", "near").facts["content"] == "ill\n"
    assert looked.result("usurping", "unit") is CheckResult.PASSED
    assert looked.result("usurping", "later") is CheckResult.FAILED
    assert looked.seen("usurping", "later").facts["stdout"] == "ill"


@pytest.mark.parametrize(
    "host", ["mistyped", "listing", "endless", "bombing", "deep", "deepish", "silent"]
)
def test_answers_of_the_wrong_shape_are_unknown(looked: Told, host: str) -> None:
    """An answer that is none is unknown, with the reason, and is not passed on."""
    seen = looked.seen(host, "told")

    assert seen.result is CheckResult.UNKNOWN
    assert seen.reason
    assert len(seen.reason) < 3000
    assert not seen.facts


def test_an_endless_answer_does_not_fill_the_memory(looked: Told) -> None:
    """150 MB from one host, or millions of values, cost no process of ours more than a part of that.

    That holds for probes as for ordinary tasks of Ansible, which fail: nothing is known.
    """
    peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024

    assert "too long" in (looked.seen("endless", "told").reason or "")
    for host in ("endless", "bombing"):
        assert looked.result(host, "unit") is CheckResult.UNKNOWN
        assert "too long" in (looked.seen(host, "unit").reason or "")
    assert peak_bytes < 300_000_000


def test_garbled_answers_can_be_written_down(looked: Told) -> None:
    """Bytes that are no UTF-8, lone surrogates and numbers JSON has not: all leave as JSON."""
    for report in looked.reports:
        text = repr(report)
        assert text.encode("utf-8")
    facts = looked.seen("garbled", "told").facts
    json.dumps(facts, allow_nan=False).encode()
    str(facts.get("content", "")).encode("utf-8")
    (looked.seen("garbled", "unit").reason or "").encode("utf-8")


def test_a_host_cannot_hide_its_results(looked: Told) -> None:
    """What hides a result is the runbook's `no_log`, not a key in the answer."""
    assert looked.result("censoring", "told") is CheckResult.FAILED
    assert looked.result("censoring", "unit") is CheckResult.PASSED
    assert looked.result("censoring", "later") is CheckResult.PASSED


def test_reasons_and_progress_hold_no_terminal_escapes(looked: Told) -> None:
    """Words meant for the eye cannot move the cursor; facts are data and stay as they are."""
    assert looked.seen("escaping", "told").facts["content"] == ESCAPES
    reason = looked.seen("escaping", "unit").reason or ""
    assert reason
    words = [reason, *(item.text for item in looked.reports if isinstance(item, Progress))]
    assert all(
        character.isprintable() or character in "\n\t" for word in words for character in word
    )


def test_what_was_seen_is_data_in_a_later_fix(theatre: Theatre) -> None:
    """A fix that writes what an earlier invocation saw writes it letter by letter."""
    theatre.host("repeating")
    theatre.host("refusing", {"runbook_lease": {"failed": True, "msg": theatre.lure + ESCAPES}})
    theatre.host(
        "lying",
        {
            "runbook_lease": {"changed": False, "taken": True},
            "copy": {
                "failed": True,
                "msg": theatre.lure + forgeries(),
                "warnings": [forgeries()],
                "diff": {"before": 1, "after": [theatre.lure]},
            },
        },
    )
    theatre.host("plain")
    hosts = ("repeating", "refusing", "lying", "usurping", "plain")
    known = {host: {"told": {"content": theatre.lure}} for host in hosts}
    known["plain"] = {"told": {"content": "well\n"}}
    executor = theatre.stage.executor(theatre.runbook, theatre.stage.inventory(theatre.hosts))

    preview = carry_out(
        executor, PreviewRequest(id=request_id(), fix="write", hosts=("repeating",), known=known)
    )
    told = carry_out(executor, FixRequest(id=request_id(), fix="write", hosts=hosts, known=known))

    assert not theatre.mark.exists()
    assert theatre.lure in preview.previewed("repeating").changes[1].diff
    assert theatre.written("repeating") == theatre.lure
    assert theatre.written("usurping") == theatre.lure
    assert theatre.written("plain") == "well\n"
    assert told.acted("refusing").acted is Acted.WITHHELD
    assert told.acted("lying").acted is Acted.FAILED
    assert told.acted("plain").acted is Acted.CHANGED
    assert told.verified("plain").verification.result is FixResult.RESOLVED
    judged = told.verified("usurping").verification
    assert judged.result is FixResult.UNKNOWN, "a host chose what the controller looks at"
    for host in ("refusing", "lying"):
        words = [
            told.acted(host).reason or "",
            *(change.message for change in told.acted(host).changes),
        ]
        assert all(c.isprintable() or c in "\n\t" for word in words for c in word)
