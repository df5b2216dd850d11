"""What a message says. What hosts printed is a value in it: it is never templated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from runbook.notify.collapse import Bundle
from runbook.notify.plan import Kind, Plan

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

SAID: Mapping[Kind, str] = {
    Kind.STARTED: "Being fixed",
    Kind.WAITING: "Waiting for a person",
    Kind.RESOLVED: "Resolved",
    Kind.FAILED: "Failed",
    Kind.GUARD_TRIPPED: "Held back by a guard",
    Kind.STILL_FAILING: "Still failing",
}
_TITLE = "[{{ incident or 'several incidents' }}] {{ runbook }}"
_BODY = """\
{{ said }} on {{ count }} {{ 'host' if count == 1 else 'hosts' }}
{% for notice in notices[:20] -%}
{{ notice.host }}: {{ notice.said ~ ': ' if several else '' }}{{ notice.text }}
{% endfor -%}
{% if notices | length > 20 %}and {{ notices | length - 20 }} more
{% endif -%}
{% for run in runs[:3] %}runbook report {{ run }}
{% endfor %}"""
_MOST_CHARACTERS = 4000
_LONGEST_TITLE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """The words of one message."""

    title: str
    body: str


def mistake(template: str) -> str | None:
    """Say what is wrong with a template; None if nothing is."""
    from jinja2 import TemplateError  # noqa: PLC0415 -- 60 ms the command line saves

    try:
        _environment().from_string(template).render(_example())
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return str(error)
    return None


def word(plan: Plan, bundle: Bundle, clean: Callable[[str], str]) -> Wording:
    """Return the words of a message. `clean` makes text of others harmless to show."""
    notices = [
        {
            "host": clean(one.notice.host),
            "text": _quiet(clean(one.notice.text)),
            "kind": one.notice.kind.value,
            "said": SAID[one.notice.kind],
            "run": one.notice.run,
            "incident": one.notice.incident,
            "runbook": clean(one.notice.runbook),
            "at": one.notice.at,
        }
        for one in bundle.held
    ]
    return _rendered(plan, _values(notices, bundle.incident))


def trial_words(plan: Plan, target: str) -> Wording:
    """Return the words of `runbook notify test`."""
    values = _example() | {"said": f"A test of the target {target}; nothing happened"}
    return _rendered(plan, values)


def _rendered(plan: Plan, values: Mapping[str, Any]) -> Wording:
    from jinja2 import TemplateError  # noqa: PLC0415 -- see above

    environment = _environment()
    try:
        title = environment.from_string(plan.title or _TITLE).render(values)
        body = environment.from_string(plan.body or _BODY).render(values)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError):
        # A template that fails on what really happened must not keep anybody from hearing of it.
        title = environment.from_string(_TITLE).render(values)
        body = environment.from_string(_BODY).render(values)
    return Wording(
        title=" ".join(title.split())[:_LONGEST_TITLE], body=body.strip()[:_MOST_CHARACTERS]
    )


def _values(notices: list[dict[str, Any]], incident: str | None) -> dict[str, Any]:
    hosts = list(dict.fromkeys(one["host"] for one in notices))
    kinds = list(dict.fromkeys(one["kind"] for one in notices))
    return {
        "kind": kinds[0] if len(kinds) == 1 else "several",
        "said": notices[0]["said"] if len(kinds) == 1 else "Several things happened",
        "several": len(kinds) > 1,
        "incident": incident,
        "runbook": ", ".join(dict.fromkeys(one["runbook"] for one in notices)),
        "hosts": hosts,
        "count": len(hosts),
        "notices": notices,
        "runs": list(dict.fromkeys(one["run"] for one in notices)),
    }


def _example() -> dict[str, Any]:
    notice = {
        "host": "web1",
        "text": "an example of what would be said here",
        "kind": Kind.FAILED.value,
        "said": SAID[Kind.FAILED],
        "run": "20260102-030405-9f3a",
        "incident": "20260102-030405-9f3a",
        "runbook": "fix-502",
        "at": 0.0,
    }
    return _values([notice], notice["incident"])  # type: ignore[arg-type]  # one of its texts


def _quiet(text: str) -> str:
    """Keep text of hosts from calling people: chats take @all and <!channel> for a shout."""
    return text.replace("@", "@\N{WORD JOINER}").replace("<", "<\N{WORD JOINER}")


@cache
def _environment() -> "SandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 -- see above
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
