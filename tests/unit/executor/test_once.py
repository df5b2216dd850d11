"""What is rendered once for many hosts comes to what each of them would have it come to."""

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from runbook.executor import ObserveRequest, ansible_core
from runbook.executor.ansible_core import AnsibleTemplating
from runbook.executor.looking import CouldNotRenderError, Names, rehearse
from runbook.executor.once import CannotCompareError, Once, is_steady
from runbook.executor.plan import Plan
from runbook.executor.target import Target
from runbook.executor.work import compile_request
from runbook.model.definition import Branch, Check, Collect, Json
from runbook.spec.library import load

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
LIBRARY = sorted(
    path.name for path in RUNBOOKS.glob("*.yml") if not path.name.endswith(".rehearsal.yml")
)
ODD: tuple[Any, ...] = (
    *(None, True, 1, 1.0, "1", "", [], ["a", 1], {"b": None}, "{{ port }} unread"),
    trust_as_template("{{ inventory_hostname }}"),
    trust_as_template("{{ no_such_name }}"),
)


@pytest.mark.parametrize(
    "text",
    [
        "{{ port }}",
        "nginx's {{ port | default('80') }} isn't {{ other['a b'] }}",
        "{{ 'to ' ~ (names | join(', ')) if names else \"it's off\" }}",
        "{{ names | select('search', '^a') | list }}",
        "{{ path.split('/') | last }} {{ path is not in [1] }}",
    ],
)
def test_texts_of_plain_filters_are_steady(text: str) -> None:
    """What uses filters and tests that only see their values comes to the same each time."""
    assert is_steady(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ now() }}",
        "{{ names | random }}",
        "{{ names | map('random') | list }}",
        "it's {{ names | shuffle }}'s",
        "{{ '}}' ~ now() }}",
        '{{ "\\"" ~ now() ~ \'"\' }}',
        "{{ place is exists }}",
        "{{ names | my.own.filter }}",
        "{{ word | password_hash }}",
        "{% set a = now() %}{{ a }}",
        "{{ '{{ now() }}' }}",
        "#jinja2: variable_start_string:'[['\n[[ now() ]]{{ a }}",
    ],
)
def test_what_may_change_is_not_steady(text: str) -> None:
    """Time, chance, files, filters of others, and what is not seen through are left to each host."""
    assert not is_steady(text)


def _is_template(value: Json) -> bool:
    if value == "sealed":
        raise CannotCompareError
    return isinstance(value, str) and value.startswith("{{")


LEARNT: dict[str, Json] = {"one": 1, "two": {"a": ["b"]}, "led": "{{ two }}"}


@pytest.mark.parametrize(
    ("other", "known"),
    [
        ({}, True),
        ({"unused": 3}, True),
        ({"two": {"a": ["b"]}}, True),
        ({"one": True}, False),
        ({"one": 1.0}, False),
        ({"two": {"a": ["c"]}}, False),
        ({"led": "{{ one }}"}, False),
        ({"missing": 1}, False),
        ({"one": "sealed"}, False),
        ({"two": {"a": list(range(1000))}}, False),
        ({"two": object()}, False),
    ],
)
def test_only_equal_values_find_what_is_known(other: dict[str, Json], known: bool) -> None:
    """Each name that the text, or a value it leads to, uses has to hold the same, of the same type."""
    once = Once(is_template=_is_template)
    text = "{{ one }} {{ led }} {{ missing | default }}"
    once.keep(text, LEARNT, "what it came to")

    assert once.find(text, {**LEARNT, **other}) == (("what it came to",) if known else None)
    assert once.find("{{ one }}", LEARNT) is None
    assert once.find(text, LEARNT, expression=True) is None


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{{ now() }}", {}),
        ("{{ one }}", {"one": "{{ now() }}"}),
        ("{{ one }}", {"one": "sealed"}),
        ("{{ lookup('env', 'HOME') }}", {}),
    ],
)
def test_what_may_change_or_is_sealed_is_not_kept(text: str, variables: dict[str, Json]) -> None:
    """A text that, or whose values, may come to something else each time is rendered each time."""
    once = Once(is_template=_is_template)
    once.keep(text, variables, "now")

    assert once.find(text, variables) is None


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> Once:
    """Give what all templating of this test shares; nothing of it is there afterwards."""
    fresh = Once(is_template=ansible_core._is_template)
    monkeypatch.setattr(ansible_core, "_once", fresh)
    return fresh


@pytest.mark.parametrize("name", LIBRARY)
def test_a_host_gets_what_it_would_get_alone(
    name: str, once: Once, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the texts and conditions of each runbook, whatever odd values the params of a host have."""
    plan = _plan_of(name)
    first: dict[str, Any] = {"inventory_hostname": "web1", "port": 8000} | {
        param: param_.schema.get("default", f"some {param}")
        for param, param_ in plan.params.items()
    }
    learning = AnsibleTemplating(Templar(loader=DataLoader()))
    learning.get_ready(plan)
    learning.learns = True
    rehearse(Names(plan=plan, templating=learning, host=first), "web1")

    odd = {**first, "inventory_hostname": "web2"}
    odd |= {param: ODD[number % len(ODD)] for number, param in enumerate(plan.params)}
    hosts = [first, {**first, "inventory_hostname": "web2"}, odd]
    found = [_all_of(plan, host) for host in hosts]
    titles = [text.title for text in plan.texts.values() if not text.scope]
    known = [title for title in titles if "{" not in title or once.find(title, hosts[1])]
    assert len(known) >= 0.7 * len(titles)
    monkeypatch.setattr(ansible_core, "_once", Once(is_template=ansible_core._is_template))
    assert found == [_all_of(plan, host) for host in hosts]


def _plan_of(name: str) -> Plan:
    runbook = load(str(RUNBOOKS / name), [RUNBOOKS])
    steps = tuple(
        id_ for id_, step in runbook.steps.items() if isinstance(step, Check | Branch | Collect)
    )
    request = ObserveRequest(id="i", pattern="all", joining=True, steps=steps)
    return compile_request(runbook, Target(), "run-1", "ann", request).plan


def _all_of(plan: Plan, host: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what each text and condition comes to, with its type, or why it comes to nothing."""
    templating = AnsibleTemplating(Templar(loader=DataLoader()))
    variables = Names(plan=plan, templating=templating, host=host).of("")
    told = []
    for ask, texts in (
        (templating.render, plan.templates()),
        (templating.holds, plan.conditions()),
    ):
        for text in texts:
            try:
                result: Json = ask(text, variables)
            except CouldNotRenderError as error:
                result = error
            told.append((type(result).__name__, str(result)))
    return told
