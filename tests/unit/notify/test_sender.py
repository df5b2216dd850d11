"""Messages by the real Apprise to real servers on loopback."""

import socket
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.notify.plan import Target
from runbook.notify.sender import DeliveryError, check_target, send
from runbook.notify.wording import Wording
from tests.unit.notify.receivers import chat, mailbox

CHAT = Target(name="chat", variable="CHAT_URL")
WORDS = Wording(title="[run-1] fix-502", body="Failed on 1 host\nweb1: <b>{{ 7 * 7 }}</b> :fire:")


def test_a_message_arrives_as_it_is(tmp_path: Path) -> None:
    """By HTTP and by mail: title and text, in which nothing is markup, a template or an emoji."""
    kept = tmp_path / "url"
    with chat() as receiver, mailbox() as (url, mails):
        kept.write_text(url + "\n")
        send(CHAT, WORDS, {"CHAT_URL": receiver.url})
        send(Target(name="mail", file=str(kept)), WORDS)

    [message] = receiver.got
    assert (message["title"], message["message"]) == (WORDS.title, WORDS.body)
    [mail] = mails
    assert mail["Subject"] == WORDS.title
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip().splitlines() == WORDS.body.splitlines()


def test_a_receiver_that_fails_is_told_without_its_secret(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It refuses, it is not there: an error that says so, and nothing on the terminal."""
    with chat() as receiver:
        receiver.status = 500
        with pytest.raises(DeliveryError, match="500") as refused:
            send(CHAT, WORDS, {"CHAT_URL": receiver.url})
    with pytest.raises(DeliveryError) as gone:
        send(CHAT, WORDS, {"CHAT_URL": receiver.url})

    for error in (refused, gone):
        assert "5e2f9a1c" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_target_is_known_before_anything_is_sent(tmp_path: Path) -> None:
    """No variable, no file, no URL of Apprise's; the message has no part of the URL."""
    empty = tmp_path / "empty"
    empty.touch()
    for target, environ, reference, says in (
        (CHAT, {}, "no-target-url", "the environment variable CHAT_URL is not set"),
        (Target(name="x", file=str(tmp_path / "none")), {}, "no-target-url", "No such file"),
        (Target(name="x", file=str(empty)), {}, "no-target-url", "is empty"),
        (CHAT, {"CHAT_URL": "carrier-pigeon://token-31337"}, "bad-target-url", "chat"),
    ):
        with pytest.raises(RunbookError, match=says) as caught:
            check_target(target, environ)
        assert caught.value.problems[0].reference == reference
        assert "31337" not in caught.value.render()


def test_nothing_but_the_receiver_is_waited_for() -> None:
    """A receiver that takes the connection and is silent is given up, within Apprise's time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=0.2"
        with pytest.raises(DeliveryError):
            send(CHAT, WORDS, {"CHAT_URL": url})
