"""What every executor promises; `carry_out` holds each request to the general part of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runbook.executor import (
    OWN_LOOK,
    Ending,
    Executor,
    FixRequest,
    HostActed,
    HostsResolved,
    Invocation,
    LookRequest,
    ObserveRequest,
    PreviewRequest,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.scripted import ScriptedExecutor, ScriptedFix, ScriptedHost
from runbook.model.definition import CheckResult, FixResult, Json, Probe, Runbook
from runbook.model.event import Acted
from runbook.model.observation import Observation, TaskChange, Verification
from tests.executor_harness import (
    Stage,
    Told,
    carry_out,
    local,
    observe,
    refusing_port,
    request_id,
    unreachable,
    until,
)

RUNBOOK = """
runbook: contract
title: Two marks have to be there
params:
  place: {type: string}
  count: {type: integer, default: 3, minimum: 1}
  code: {type: string, default: open sesame, secret: true}
  deeds: {type: array, items: {type: string}, default: []}
  stumbles: {type: boolean, default: false}
  relapses: {type: boolean, default: false}
causes:
  no_mark: {title: The mark is gone}
steps:
  - check: symptom
    title: The place looks well
    probe: {file: {path: "{{ place }}/symptom"}}
    next: {passed: steady, failed: cause}
  - check: cause
    title: The mark is there
    probe: {command: {shell: "echo seen | tee '{{ place }}.looked-at'; test -e '{{ place }}/cause'"}}
    read_only: true
    passes: cause.rc == 0
    next: {passed: dark, failed: mend}
  - check: dark
    title: Nobody can see this
    probe: {file: {path: "{{ hostvars[inventory_hostname].never_defined }}"}}
    next: {passed: end(healthy), failed: slow}
  - watch: steady
    title: It stays well
    repeats: symptom
    for: 300ms
    every: 100ms
    next: {passed: end(healthy), failed: end(unresolved)}
  - check: slow
    title: It takes its time
    probe: {command: {argv: [sleep, "300"]}}
    read_only: true
    passes: slow.rc == 0
    timeout: 310s
    lazy: true
    next: {passed: end(healthy), failed: linger}
  - fix: mend
    title: Mend it
    cause: no_mark
    tasks:
      - name: Do something
        ansible.builtin.copy: {content: "x", dest: "{{ place }}/something", mode: "0600"}
        when: deeds != []
      - name: Set the marks
        ansible.builtin.file: {path: "{{ place }}/{{ item }}", state: touch, mode: "0600"}
        loop: "{{ deeds }}"
      - name: Stumble
        ansible.builtin.fail: {msg: the ladder broke}
        when: stumbles
      - name: Let it relapse
        ansible.builtin.shell: |
          rm -f '{{ place }}.looked-at'
          (until [ -e '{{ place }}.looked-at' ]; do sleep 0.1; done
           sleep 0.7; rm '{{ place }}/symptom') </dev/null >/dev/null 2>&1 &
        when: relapses
    verify: {cause: cause, symptom: symptom, within: 500ms, hold: 2s, every: 200ms}
    undo:
      tasks:
        - name: Stumble
          ansible.builtin.fail: {msg: cannot go back}
          when: stumbles
        - name: Put it back
          ansible.builtin.copy: {content: "y", dest: "{{ place }}/something", mode: "0600"}
  - fix: linger
    title: Take long
    cause: no_mark
    tasks:
      - name: Sleep
        ansible.builtin.command: {argv: [sleep, "300"]}
    verify: {symptom: symptom}
"""

HOSTS = ("well", "ill", "half", "stubborn", "clumsy", "relapsing", "gone")


@dataclass(frozen=True, kw_only=True)
class World:
    """The same hosts for every executor."""

    make: Callable[..., Executor]
    touches_nothing: Callable[[], bool]


def _seen(*results: str) -> tuple[Observation, ...]:
    return tuple(Observation(result=CheckResult(result), reason="why") for result in results)


def _tried(acted: str, result: str = "resolved", reason: str | None = None) -> list[ScriptedFix]:
    return [
        ScriptedFix(
            acted=Acted(acted),
            verification=Verification(result=FixResult(result)),
            changes=(TaskChange(name="Do something", status="changed"),),
            reason=reason,
        )
    ]


GROUPS = {"boxes": HOSTS[:-1], "sick": HOSTS[1:-1]}


def _script() -> dict[str, ScriptedHost]:
    params: dict[str, Json] = {"place": "/somewhere", "count": 3, "code": "********"}
    params |= {"deeds": [], "stumbles": False, "relapses": False}
    copy = "ansible.builtin.copy:\n  content: x\n"
    marks = "ansible.builtin.file:\n  path: /somewhere/cause\n"
    previews = {
        "mend": (
            TaskChange(name="Do something", status="changed", diff="+x", rendered=copy),
            TaskChange(name="Set the marks", status="changed", rendered=marks),
        )
    }
    own = Observation(result=CheckResult.PASSED, facts={"exists": True})

    def host(
        symptom: str, cause: str, tried: list[ScriptedFix], undone: str = "changed"
    ) -> ScriptedHost:
        return ScriptedHost(
            params=params,
            looks={
                "symptom": _seen(symptom),
                "cause": _seen(cause),
                "steady": _seen(symptom),
                OWN_LOOK: [own],
            },
            fixes={"mend": tried},
            undos={"mend": _tried(undone, reason="cannot go back")},
            groups=("boxes", "sick") if symptom == "failed" else ("boxes",),
            previews=previews,
            stuck=frozenset(["slow", "linger"]),
        )

    return {
        "well": host("passed", "passed", _tried("unchanged")),
        "ill": replace(host("failed", "failed", _tried("changed")), typed=True),
        "half": host("failed", "failed", _tried("changed", "cause_removed")),
        "stubborn": host("failed", "failed", _tried("changed", "no_effect")),
        "clumsy": host("failed", "failed", _tried("failed", reason="the ladder broke"), "failed"),
        "relapsing": host("failed", "failed", _tried("changed", "recurred")),
        "gone": ScriptedHost(params=params, unreachable="no route to host"),
    }


def _scripted(problems: Mapping[str, Mapping[str, str]]) -> ScriptedExecutor:
    hosts = _script()
    for host, told in problems.items():
        hosts[host] = ScriptedHost(params=hosts[host].params, problems=told)
    return ScriptedExecutor(hosts=hosts)


class _Ansible:
    """Real hosts: seven names of this machine, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder=folder)
        self.runbook: Runbook = self.stage.runbook(RUNBOOK)
        deeds = {
            "well": [],
            "ill": ["cause", "symptom"],
            "half": ["cause"],
            "relapsing": ["cause", "symptom"],
        }
        self.hosts: dict[str, dict[str, Json]] = {}
        for host in HOSTS:
            place = folder / host
            place.mkdir()
            if host == "well":
                (place / "symptom").touch()
                (place / "cause").touch()
            self.hosts[host] = local(
                place=str(place),
                deeds=deeds.get(host, ["anything"]),
                stumbles=host == "clumsy",
                relapses=host == "relapsing",
                runbook_lease_path=str(folder / f"{host}.lease"),
            )
        self.hosts["gone"] = unreachable(
            refusing_port(), place=str(folder / "gone"), deeds=["anything"]
        )

    def files(self) -> set[str]:
        return {str(path) for host in HOSTS for path in (self.stage.folder / host).iterdir()}


@pytest.fixture(params=["scripted", "ansible"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Give the hosts, by each executor."""
    if request.param == "scripted":
        yield World(make=lambda **problems: _scripted(problems), touches_nothing=lambda: True)
        return
    real = _Ansible(tmp_path)
    before = real.files()

    def make(**problems: Mapping[str, str]) -> Executor:
        hosts = {name: dict(variables) for name, variables in real.hosts.items()}
        hosts["ill"]["runbook_confirm"] = "typed"
        hosts["half"]["runbook_confirm"] = "simple"
        for host, told in problems.items():
            hosts[host] |= {param: _wrong(param) for param in told if param != "place"}
            if "place" in told:
                del hosts[host]["place"]
        inventory = real.stage.inventory(hosts, groups=GROUPS)
        return real.stage.executor(real.runbook, inventory)

    yield World(make=make, touches_nothing=lambda: real.files() == before)


def _wrong(param: str) -> Json:
    return {"count": 0, "code": ["s3cr3t-word"], "runbook_confirm": "typd"}[param]


def test_a_target_set_is_looked_at(world: World) -> None:
    """Joining names all hosts first, with their params; each is seen as it is, none left out.

    It tells on which of them a name has to be typed.
    """
    told = carry_out(world.make(), observe("symptom", "cause", "dark"))

    assert told.resolved.hosts == HOSTS
    assert told.resolved.problems == ()
    assert told.resolved.groups == {
        "well": ("boxes",),
        **dict.fromkeys(HOSTS[1:-1], ("boxes", "sick")),
        "gone": ("ungrouped",),
    }
    assert told.resolved.typed == {"ill"}
    names = ("place", "count", "code", "deeds", "stumbles", "relapses")
    assert all(tuple(told.resolved.params[host]) == names for host in HOSTS)
    assert all(params["count"] == 3 for params in told.resolved.params.values())
    assert all(params["code"] == "********" for params in told.resolved.params.values())
    results = {host: told.result(host, "symptom").value for host in HOSTS}
    assert results == {
        "well": "passed",
        "ill": "failed",
        "half": "failed",
        "stubborn": "failed",
        "clumsy": "failed",
        "relapsing": "failed",
        "gone": "unknown",
    }
    assert {told.result(host, "dark") for host in HOSTS} == {CheckResult.UNKNOWN}
    assert all(told.seen(host, "dark").reason for host in HOSTS)
    assert "unreachable" in (told.seen("gone", "cause").reason or "")
    assert told.ended.ending is Ending.COMPLETED
    assert world.touches_nothing()


def test_a_pattern_that_names_nobody_is_an_empty_set(world: World) -> None:
    """No host is resolved, none observed: never everybody."""
    told = carry_out(world.make(), observe("symptom", pattern="all:!all"))

    assert told.resolved.hosts == ()
    assert [type(report).__name__ for report in told.reports] == [
        "HostsResolved",
        "InvocationEnded",
    ]


def test_a_target_set_that_is_too_large_is_only_named(world: World) -> None:
    """Of more hosts than were wanted there are the names, in their order; none is looked at.

    One of just as many is looked at as any other.
    """
    crowd = replace(observe("cause"), at_most=len(HOSTS) - 1)

    told = carry_out(world.make(), crowd)

    assert told.reports == [HostsResolved(request=crowd.id, hosts=HOSTS), told.ended]
    assert told.ended.ending is Ending.COMPLETED
    few = carry_out(world.make(), replace(observe("cause", pattern="well"), at_most=1))
    assert few.result("well", "cause") is CheckResult.PASSED


def test_params_that_cannot_be_used_are_named(world: World) -> None:
    """A missing param, one out of bounds and a secret of the wrong type are told of their host."""
    problems = {
        "well": {"place": "it has no value"},
        "ill": {"count": "0 is less than 1"},
        "stubborn": {"runbook_confirm": "it can be typed or simple, not typd"},
        "half": {"code": "the value is not of type string"},
    }

    told = carry_out(world.make(**problems), observe("symptom", pattern="well:ill:stubborn:half"))

    found = {(item.host, item.param): item.message for item in told.resolved.problems}
    assert found == {
        (host, param): message
        for host, params in problems.items()
        for param, message in params.items()
    }
    assert "s3cr3t" not in repr(told.reports)


def test_each_host_is_asked_for_its_own_steps(world: World) -> None:
    """Without joining, `wants` says which steps are wanted of which host."""
    request = ObserveRequest(
        id=request_id(),
        pattern="ill:gone:well",
        wants={"ill": ("cause",), "gone": ("symptom", "cause"), "well": ("symptom",)},
    )

    told = carry_out(world.make(), request)

    assert told.result("ill", "cause") is CheckResult.FAILED
    assert told.result("well", "symptom") is CheckResult.PASSED
    assert told.result("gone", "symptom") is CheckResult.UNKNOWN


def test_a_fix_is_judged_by_what_is_seen_after_it(world: World) -> None:
    """Every outcome of a fix: by its action where that failed, else by looking again."""
    told = carry_out(world.make(), FixRequest(id=request_id(), fix="mend", hosts=HOSTS))

    assert {host: told.acted(host).acted.value for host in HOSTS} == {
        "well": "unchanged",
        "ill": "changed",
        "half": "changed",
        "stubborn": "changed",
        "clumsy": "failed",
        "relapsing": "changed",
        "gone": "withheld",
    }
    judged = {host: told.verified(host).verification for host in (*HOSTS[:4], "relapsing")}
    assert {host: item.result.value for host, item in judged.items()} == {
        "well": "resolved",
        "ill": "resolved",
        "half": "cause_removed",
        "stubborn": "no_effect",
        "relapsing": "recurred",
    }
    assert "the ladder broke" in (told.acted("clumsy").reason or "")
    assert "unreachable" in (told.acted("gone").reason or "")
    assert told.acted("clumsy").changes[0].status == "changed"
    assert told.ended.ending is Ending.COMPLETED


def test_a_fix_can_be_judged_without_doing_it(world: World) -> None:
    """A verification alone looks as after the fix; of a host that is gone nothing is known."""
    hosts = ("well", "gone")

    told = carry_out(world.make(), VerifyRequest(id=request_id(), fix="mend", hosts=hosts))

    assert told.verified("well").verification.result is FixResult.RESOLVED
    assert told.verified("gone").verification.result is FixResult.UNKNOWN
    assert told.verified("gone").verification.reason
    assert world.touches_nothing()


def test_a_preview_predicts_and_changes_nothing(world: World) -> None:
    """What would change is told for each task, as rendered and with its diff; all is as before."""
    hosts = ("ill", "gone")

    told = carry_out(world.make(), PreviewRequest(id=request_id(), fix="mend", hosts=hosts))

    changes = {change.name: change for change in told.previewed("ill").changes}
    assert changes["Do something"].status == "changed"
    assert "+x" in changes["Do something"].diff
    assert told.previewed("ill").failed is None
    rendered = changes["Do something"].rendered
    assert rendered.startswith("ansible.builtin.copy:\n")
    assert "  content: x\n" in rendered
    assert "_ansible_" not in rendered
    marks = changes["Set the marks"].rendered
    assert re.search(r"^  path: /\S+/cause$", marks, re.MULTILINE)
    assert "{{" not in marks
    assert "unreachable" in (told.previewed("gone").failed or "")
    assert world.touches_nothing()


def test_a_probe_of_ones_own_is_carried_out(world: World) -> None:
    """A probe that no step has, params in it, brings each host's answer and judges nothing."""
    hosts = ("well", "gone")
    probe = Probe(type="file", arguments={"path": "{{ place }}/cause"})

    told = carry_out(world.make(), LookRequest(id=request_id(), probe=probe, hosts=hosts))

    assert told.seen("well", OWN_LOOK).facts["exists"] is True
    assert told.result("well", OWN_LOOK) is CheckResult.PASSED
    assert told.result("gone", OWN_LOOK) is CheckResult.UNKNOWN
    assert "unreachable" in (told.seen("gone", OWN_LOOK).reason or "")
    assert world.touches_nothing()


def test_a_watch_passes_only_if_all_looks_pass(world: World) -> None:
    """A watch is reported under its own step, once for each host."""
    hosts = ("well", "ill", "gone")

    told = carry_out(world.make(), WatchRequest(id=request_id(), step="steady", hosts=hosts))

    assert told.result("well", "steady") is CheckResult.PASSED
    assert told.result("ill", "steady") is CheckResult.FAILED
    assert told.result("gone", "steady") is CheckResult.UNKNOWN
    assert told.seen("gone", "steady").reason


def test_an_undo_says_what_it_did(world: World) -> None:
    """The undo of a fix is reported like its action, and nothing is verified."""
    hosts = ("ill", "clumsy", "gone")

    told = carry_out(world.make(), UndoRequest(id=request_id(), fix="mend", hosts=hosts))

    assert told.acted("ill").acted is Acted.CHANGED
    assert told.acted("clumsy").acted is Acted.FAILED
    assert "cannot go back" in (told.acted("clumsy").reason or "")
    assert told.acted("gone").acted is Acted.WITHHELD


def test_a_cancelled_look_is_unknown(world: World) -> None:
    """Cancelling ends a look within seconds; what had not been seen by then is unknown."""
    request = ObserveRequest(id=request_id(), pattern="ill", wants={"ill": ("slow",)})

    told = carry_out(world.make(), request, meanwhile=_cancel_soon)

    assert told.result("ill", "slow") is CheckResult.UNKNOWN
    assert "stopped" in (told.seen("ill", "slow").reason or "")
    assert told.ended.ending is Ending.CANCELLED
    assert told.times[-1] < 200


def test_a_cancelled_fix_is_unknown(world: World) -> None:
    """Nobody knows what a fix had done that was stopped half-way."""
    request = FixRequest(id=request_id(), fix="linger", hosts=("ill",))

    told = carry_out(world.make(), request, meanwhile=_cancel_when_acting)

    assert told.acted("ill").acted is Acted.UNKNOWN
    assert "stopped" in (told.acted("ill").reason or "")
    assert told.ended.ending is Ending.CANCELLED
    assert told.times[-1] < 200


def test_requests_run_side_by_side(world: World) -> None:
    """Two requests under way at once report each their own."""
    executor = world.make()
    first: list[Told] = []

    def start_another(_: Invocation, __: Told) -> None:
        request = ObserveRequest(id=request_id(), pattern="well", wants={"well": ("symptom",)})
        first.append(carry_out(executor, request))

    second = carry_out(
        executor,
        ObserveRequest(id=request_id(), pattern="ill", wants={"ill": ("symptom",)}),
        meanwhile=start_another,
    )

    assert first[0].result("well", "symptom") is CheckResult.PASSED
    assert second.result("ill", "symptom") is CheckResult.FAILED


def test_no_invocation_of_another_process_is_at_work(world: World) -> None:
    """An id nobody ever used is no orphan."""
    assert not world.make().orphan("never-was")


def _cancel_soon(invocation: Invocation, told: Told) -> None:
    assert not invocation.wait(1.5)
    invocation.cancel()


def _cancel_when_acting(invocation: Invocation, told: Told) -> None:
    scripted = type(invocation).__name__ == "ScriptedInvocation"
    until(lambda: scripted or any(not isinstance(item, HostActed) for item in told.reports))
    invocation.cancel()
