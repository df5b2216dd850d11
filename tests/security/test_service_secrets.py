"""Secrets come to the service by calls, reasons, hosts and processes; looked for in all it keeps and says."""

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

from runbook.journal.sqlite import open_journal
from runbook.model.definition import CheckResult
from runbook.model.policy import Source
from runbook.notify.notice_file import FILE as NOTICES
from runbook.notify.notice_file import NoticeFile
from runbook.notify.notifier import Notifier
from runbook.notify.outbox import Outbox
from runbook.notify.sender import send
from runbook.schedule.approvals import AboutHost, Approvals, Ask, Vote
from runbook.schedule.hooks import Scheme
from runbook.schedule.intake import Intake
from runbook.schedule.listener import Listener
from runbook.schedule.pages import Pages
from runbook.schedule.pause import Pause, Switch
from runbook.schedule.process import Process
from runbook.schedule.queue import Queue
from runbook.schedule.reception import receiving
from runbook.schedule.requests import Request, Stage
from runbook.schedule.state import FILE, FileState
from runbook.views.safe_text import printable
from tests.acceptance.program import Program, wait_until
from tests.security.sweeping import Sweep
from tests.security.test_secrets import LINES, SHAPED
from tests.unit.driver.stage import FAULTY, host
from tests.unit.driver.stage import Stage as Play
from tests.unit.notify.receivers import chat
from tests.unit.notify.test_notifier import PLAN, TIMELESS
from tests.unit.schedule.notifications import alert, notification
from tests.unit.schedule.test_intake import DEPLOYS, HOOK

TOKEN = "0123456789abcdef"
LIBRARY = Path(__file__).parents[2] / "runbooks"
SWEEP = Sweep(secrets=SHAPED)
TEXTS = [line for line in LINES.splitlines() if SWEEP.found_in(line) - {"a private key"}]
"""One line each; that of a key tells itself only along with those around it."""


def _call(address: str, path: str, content: bytes | None = None) -> str:
    connection = HTTPConnection(address, timeout=60)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connection.request("GET" if content is None else "POST", path, content, headers)
    with closing(connection):
        return connection.getresponse().read().decode()


def _calls(text: str) -> list[tuple[str, bytes]]:
    """Return calls that bring a secret in each place whose content is used."""
    named = alert("web1") | {"fingerprint": text}
    noted = alert("web1")
    noted["annotations"] = {"summary": text, "backend.port": text}
    alerts = (alert(text), alert("web1", severity=text), alert("x", alertname=text), named, noted)
    event = json.dumps({"event": {"id": text, "status": "failed", "target": "web1"}})
    return [
        *(("/hooks/am", notification(each)) for each in alerts),
        ("/hooks/deploys", event.encode()),
        ("/hooks/am", text.encode()),
        ("/hooks/no", text.encode()),
    ]


def test_no_secret_stays_with_what_is_told(tmp_path: Path) -> None:
    """Calls from outside: what looks like a secret is neither kept nor answered, logged or shown."""
    said: list[str] = []

    def log(what: str, details: Mapping[str, str]) -> None:
        said.append(f"{what} {details}")

    token = TOKEN.encode()
    hooks = (
        replace(HOOK, secret=token),
        replace(DEPLOYS, secret=token, scheme=Scheme.BEARER),
    )
    with closing(FileState(tmp_path / FILE)) as state:
        pages = Pages(
            journal=open_journal(tmp_path / "journal.sqlite"),
            queue=Queue(state),
            is_paused=lambda: False,
            undelivered=lambda: 0,
            clock=lambda: 1.0,
        )
        receive = receiving(Intake(state), log, lambda: datetime.now(tz=UTC))
        with closing(Listener("127.0.0.1", 0, hooks, receive, pages.page)) as listener:
            for text in (*TEXTS, LINES):
                for path, content in _calls(text):
                    said.append(_call(listener.address, path, content))
            said += [_call(listener.address, f"/{page}") for page in ("metrics", "healthz", "x")]
            pages.journal.close()
        asked = Queue(state).latest(1000)
        refused = Intake(state).refused(1000)

    assert SWEEP.found_in("\n".join([*said, repr(asked), repr(refused)])) == set()
    assert SWEEP.found_below(tmp_path) == {}
    assert any("looks like a secret" in each for each in said)
    assert "web1,&web" in {kept.request.pattern for kept in asked}, "nothing was taken in"


def test_no_secret_stays_with_what_people_and_processes_say(tmp_path: Path) -> None:
    """Reasons of pauses and votes, and the last words of a run that did not begin."""
    now = datetime.now(tz=UTC)
    ask = Ask(
        run="r", runbook="b", fix="f", title="t", impact="", cause="c", rule="x", people=1,
        hosts={"web1": AboutHost(digest="d")}, asked=now, expires=now + timedelta(hours=1),
    )  # fmt: skip
    request = Request(
        key="k", source=Source.TRIGGER, asker="a", runbook="b", pattern="p", line="l", due=now
    )
    (tmp_path / "words").write_text(f"{LINES}{'and so on ' * 30}")
    code = f"import sys; sys.stderr.write(open({str(tmp_path / 'words')!r}).read())"
    process = Process([sys.executable, "-c", code], None)
    wait_until(lambda: process.code is not None)
    home = tmp_path / "home"
    with closing(FileState(home / FILE)) as state:
        switch, approvals, queue = Switch(state), Approvals(state), Queue(state)
        switch.pause(Pause(since=now, until=now + timedelta(hours=1), by="ann", reason=LINES))
        voted = approvals.vote(approvals.put(ask).id, Vote(who="ann", yes=False, reason=LINES), now)
        queue.put(request, now)
        queue.move(queue.latest(1)[0], Stage.LOST, process.last_words, now)
        queue.put(replace(request, key="k2"), now)
        queue.move(queue.latest(1)[0], Stage.LOST, LINES, now)
        told = [repr(switch.lasting(now)), repr(voted), repr(queue.latest(9)), process.last_words]

    assert SWEEP.found_in((tmp_path / "words").read_text()) == SHAPED.keys()
    assert process.last_words.endswith("and so on")
    assert "********" in process.last_words
    assert SWEEP.found_in("\n".join(told)) == set()
    assert SWEEP.found_below(home) == {}


def test_no_secret_is_sent_to_anybody(tmp_path: Path) -> None:
    """What a host says of its trouble is told without them, and so it lies in the outbox."""
    looks = {"up": [replace(FAULTY, result=CheckResult.UNKNOWN, reason=LINES)]}
    with (
        chat() as receiver,
        closing(open_journal(tmp_path / "journal.sqlite")) as journal,
        closing(Outbox(NoticeFile(tmp_path / NOTICES))) as outbox,
    ):
        notifier = Notifier(
            plan=replace(PLAN, body="{% for one in notices %}{{ one.text }}{% endfor %}"),
            journal=journal,
            outbox=outbox,
            log=lambda _what, _details: None,
            clean=printable,
            clock=lambda: 1000.0,
            deliver=partial(send, environ={"CHAT_URL": receiver.url}),
        )
        notifier.turn()
        Play(
            journal=journal, run="run-1", now=1000.0, runbook=TIMELESS, hosts={"web1": host(looks)}
        ).play()
        notifier.turn()
        while notifier.send_due(PLAN.targets["chat"]):
            pass
        told = repr(receiver.got)

    assert "********" in told, "nothing was told of what the host said"
    assert SWEEP.found_in(told) == set()
    assert SWEEP.found_below(tmp_path) == {}


def test_the_queue_keeps_no_secret(tmp_path: Path) -> None:
    """A value that looks like one is refused, by `trigger` and in the file of `serve` alike."""
    program = Program(
        home=tmp_path / "home", folder=tmp_path, environment={"RUNBOOK_LIBRARY": str(LIBRARY)}
    )
    value = f"server_name=https://app:{SHAPED['a password in a URL']}@db.example/"
    (tmp_path / "serve.yml").write_text(
        "service: s\nschedules:\n  - schedule: s\n    runbook: fix-502\n    host: all\n"
        f"    every: 1h\n    set: {{server_name: '{value.partition('=')[2]}'}}\n"
    )

    for call in (("trigger", "fix-502", "--host", "web1", "--set", value), ("serve", "serve.yml")):
        done = program(*call)
        assert done.code == 2
        assert "secret-in-queue" in done.stderr
        assert SWEEP.found_in(done.stdout + done.stderr) == set()
    assert SWEEP.found_below(tmp_path / "home") == {}
