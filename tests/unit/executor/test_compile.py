"""Requests as playbooks; the golden files are written anew by `tests.golden.rewrite_playbooks`."""

from pathlib import Path

import pytest
import yaml

from runbook.executor import (
    FixRequest,
    ObserveRequest,
    PreviewRequest,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.compile import delegates, dump
from runbook.executor.target import Target
from runbook.executor.work import Work, compile_request
from runbook.model.definition import AnsibleRole, AnsibleTasks, Check, Runbook
from runbook.model.yaml_nodes import UNSAFE, VAULT, Tagged
from runbook.spec.library import load

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "tests" / "runbooks"
GOLDEN = ROOT / "tests" / "golden" / "playbooks"
HOSTS = ("web1.example", "web2.example")

REQUESTS: dict[str, Request] = {
    "observe": ObserveRequest(
        id="i",
        pattern="web:!web3.example",
        joining=True,
        steps=("site", "backend_port_open", "unit_file", "unit_state", "which", "imports/site"),
    ),
    "fix": FixRequest(id="i", fix="restart", hosts=HOSTS),
    "undo": UndoRequest(id="i", fix="restart", hosts=HOSTS),
    "preview": PreviewRequest(id="i", fix="restart", hosts=HOSTS),
    "verify": VerifyRequest(id="i", fix="restart", hosts=HOSTS),
    "watch": WatchRequest(id="i", step="steady", hosts=HOSTS),
    "called-fix": FixRequest(id="i", fix="imports/restart", hosts=HOSTS),
}


def all_kinds() -> Runbook:
    """Return the runbook that has one step of each kind."""
    return load(str(RUNBOOKS / "all-kinds.yml"), [RUNBOOKS])


def compiled(request: Request, target: Target | None = None) -> Work:
    """Compile a request."""
    return compile_request(all_kinds(), target or Target(), "run-1", "ann", request)


def playbook(request: Request) -> str:
    """Return the playbook of a request."""
    return dump([compiled(request).play("/somewhere/plan.json")])


@pytest.mark.parametrize("name", REQUESTS)
def test_playbooks_are_as_golden(name: str) -> None:
    """What Ansible is asked to do is in the files, for a reader to judge."""
    assert playbook(REQUESTS[name]) == (GOLDEN / f"{name}.yml").read_text("utf-8")


@pytest.mark.parametrize("name", REQUESTS)
def test_nothing_a_host_said_is_in_a_playbook(name: str) -> None:
    """What was seen reaches plugins as data, by the plan alone."""
    request = REQUESTS[name]
    lure = {host: {"site": {"body": "{{ lookup('pipe', 'id') }}"}} for host in HOSTS}
    known = type(request)(
        **{key: getattr(request, key) for key in request.__slots__ if key != "known"}, known=lure
    )

    assert "lookup" not in playbook(known)
    assert compiled(known).plan.known == lure


def test_sealed_and_unsafe_values_keep_their_tags() -> None:
    """Without them a secret would be text, and data a template."""
    sealed = Tagged(tag=VAULT, value="$ANSIBLE_VAULT;1.1;AES256\n6531\n")
    raw = Tagged(tag=UNSAFE, value="{{ not a template }}")

    text = dump([{"hosts": "all", "vars": {"sealed": sealed, "raw": raw, "yes": "no", "n": [1]}}])

    assert "sealed: !vault |" in text
    assert 'raw: !unsafe "{{ not a template }}"' in text
    loader = yaml.SafeLoader(text)
    events = [event for event in iter(loader.get_event, None) if getattr(event, "tag", None)]
    assert {event.tag: event.value for event in events} == {
        VAULT: sealed.value,
        UNSAFE: raw.value,
    }
    plain = yaml.safe_load(text.replace("!vault", "").replace("!unsafe", ""))
    assert plain[0]["vars"]["yes"] == "no"


def test_a_command_that_reads_runs_and_all_other_checks_only_predict() -> None:
    """Check mode would skip a command; nothing else may run outside of it."""
    runbook = all_kinds()
    assert isinstance(runbook.steps["unit_file"], Check)
    (play,) = yaml.safe_load(playbook(REQUESTS["observe"]))

    (task,) = [each for each in play["tasks"] if "ansible.builtin.copy" in each]
    assert task["check_mode"] is True
    assert task["ignore_errors"] is True
    assert play["strategy"] == "free"


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([{"debug": {}}], ()),
        ([{"debug": {}, "delegate_to": "lb"}, {"debug": {}, "delegate_to": "lb"}], ("lb",)),
        ([{"debug": {}, "delegate_to": "{{ balancer }}"}], ("{{ balancer }}",)),
        ([{"debug": {}, "delegate_to": "{{ item }}", "loop": [1]}], ()),
        ([{"debug": {}, "delegate_to": "{{ item }}", "with_items": [1]}], ()),
        ([{"block": [{"debug": {}, "delegate_to": "lb"}]}], ("lb",)),
        ([{"block": [], "rescue": [{"debug": {}, "delegate_to": "lb"}]}], ("lb",)),
        ([{"debug": {}, "local_action": {"module": "x"}}], ()),
    ],
)
def test_delegates_are_found_wherever_they_stand(
    bodies: list[dict[str, object]], expected: tuple[str, ...]
) -> None:
    """Also in blocks; one that depends on a loop's item cannot be known ahead."""
    assert delegates(AnsibleTasks(bodies=tuple(bodies))) == expected
    assert delegates(AnsibleRole(name="x")) == ()


def test_the_lease_outlives_all_that_its_fix_may_take() -> None:
    """With more hosts than forks everything takes several turns, which the lease has to cover."""
    few = compiled(REQUESTS["fix"], Target(forks=2)).plan.lease_s
    many = compiled(REQUESTS["fix"], Target(forks=1)).plan.lease_s

    assert few > 120 + 30 + 5
    assert many > 2 * (120 + 30 + 5)
