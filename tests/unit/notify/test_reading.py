"""The file of notifications: what it says, and what is wrong with it, as a person reads it."""

import re
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.notify.plan import Kind, Plan, Target, Tier
from runbook.notify.reading import load_plan

DOCS = Path(__file__).parents[3] / "docs"
GOLDEN = Path(__file__).parents[2] / "golden" / "notify"


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("*.yml")))
def test_problems_read_as_written_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems at once, each at its place: tests/golden/notify/NAME.txt."""
    monkeypatch.chdir(GOLDEN)

    with pytest.raises(RunbookError) as caught:
        load_plan(Path(name))

    assert caught.value.render() + "\n" == Path(name).with_suffix(".txt").read_text("utf-8")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error says which file, and why."""
    with pytest.raises(RunbookError, match="No such file") as caught:
        load_plan(tmp_path / "notify.yml")

    assert caught.value.problems[0].reference == "notify-unreadable"


def test_the_notifications_of_the_documentation_are_sound(tmp_path: Path) -> None:
    """What how-to/notifications.md shows is read without a problem."""
    page = (DOCS / "how-to" / "notifications.md").read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "notify.yml").write_text(shown)

    plan = load_plan(tmp_path / "notify.yml")

    assert [tier.name for tier in plan.tiers] == ["the team", "who is on call"]


def test_what_is_written_is_meant(tmp_path: Path) -> None:
    """Every key arrives, and what is left out has the value that the schema promises."""
    path = tmp_path / "notify.yml"
    path.write_text(
        """\
notify: on call
targets:
  chat: {env: CHAT_URL}
  pager: {file: $CREDENTIALS_DIRECTORY/pager}
tiers:
  - {tier: first, targets: [chat, chat]}
  - tier: second
    targets: [pager]
    about: [still_failing, resolved]
    after: 30m
    when: {runbook: fix-*, host: [web1, web2], by: schedule}
    collapse: 5m
    burst: 2
templates: {title: "{{ incident }}", body: "{{ said }}"}
"""
    )

    assert load_plan(path) == Plan(
        name="on call",
        targets={
            "chat": Target(name="chat", variable="CHAT_URL"),
            "pager": Target(name="pager", file="$CREDENTIALS_DIRECTORY/pager"),
        },
        tiers=(
            Tier(name="first", targets=("chat",), about=frozenset(Kind) - {Kind.STARTED}),
            Tier(
                name="second",
                targets=("pager",),
                about=frozenset({Kind.STILL_FAILING, Kind.RESOLVED}),
                after_s=1800,
                runbooks=("fix-*",),
                hosts=("web1", "web2"),
                by=("schedule",),
                collapse_s=300,
                burst=2,
            ),
        ),
        title="{{ incident }}",
        body="{{ said }}",
    )
