"""`runbook notify`: whether messages arrive, through the real program."""

from dataclasses import replace

from tests.acceptance.program import Program
from tests.unit.notify.receivers import chat

PLAN = """\
notify: on call
targets: {chat: {env: CHAT_URL}, pager: {env: PAGER_URL}}
tiers: [{tier: all, targets: [chat, pager]}]
"""


def test_each_target_gets_one_message(program: Program) -> None:
    """One is reached, one is not there: both are told, the URL is not; the exit code is 1."""
    (program.folder / "notify.yml").write_text(PLAN)
    with chat() as receiver, chat() as gone:
        pass
    with chat() as receiver:
        urls = {"CHAT_URL": receiver.url, "PAGER_URL": gone.url, "RUNBOOK_NOTIFY": "notify.yml"}
        program = replace(program, environment={**program.environment, **urls})
        done = program("notify", "test")

    assert done.code == 1
    chat_line, pager_line = done.stdout.splitlines()
    assert chat_line == "chat: delivered"
    assert pager_line.startswith("pager: not reached: ")
    assert "5e2f9a1c" not in done.stdout + done.stderr
    [message] = receiver.got
    assert message["message"].startswith("A test of the target chat; nothing happened")


def test_what_is_missing_is_said(program: Program) -> None:
    """No file, a target that does not exist; and a log in which nothing is yet. Nothing is sent."""
    unset = program("notify", "test")
    (program.folder / "notify.yml").write_text(PLAN)
    named = {**program.environment, "RUNBOOK_NOTIFY": "notify.yml"}
    program = replace(program, environment=named)
    unknown = program("notify", "test", "chta")
    log = program("notify", "log")

    assert (unset.code, "no-notify" in unset.stderr) == (2, True)
    assert (unknown.code, 'Did you mean "chat"?' in unknown.stderr) == (2, True)
    assert (log.code, log.stdout) == (0, "Nothing was told to anybody yet.\n")
