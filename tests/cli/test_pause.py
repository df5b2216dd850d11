"""`runbook pause` and `runbook unpause`: the switch, as a person sets it and finds it."""

from datetime import datetime

from tests.acceptance.program import Program


def test_a_pause_is_set_found_and_lifted(program: Program) -> None:
    """It says until when, by whom and why; alone it shows what lasts; lifting it says what it was."""
    assert program("pause", "--json").document == {"paused": False}

    held = program("pause", "--for", "2h", "--reason", "moving house")
    shown = program("pause", "--json").document
    lifted = program("unpause")
    again = program("unpause", "--json")

    assert held.code == 0
    assert held.stdout.startswith("Everything is paused by ")
    assert held.stdout.endswith(": moving house\n")
    lasts = datetime.fromisoformat(shown["until"]) - datetime.fromisoformat(shown["since"])
    assert (shown["paused"], shown["reason"], lasts.total_seconds()) == (True, "moving house", 7200)
    assert lifted.stdout == held.stdout.replace("Everything is", "No longer")
    assert again.document == {"paused": False, "lifted": None}


def test_a_pause_without_end_or_reason_is_refused(program: Program) -> None:
    """Whoever finds it has to know how long and why; nothing is held by a mistake."""
    for call, said in (
        (("--for", "2h"), "go together"),
        (("--reason", "x"), "go together"),
        (("--for", "2 hours", "--reason", "x"), "is no span of time"),
        (("--for", "0m", "--reason", "x"), "is no span of time"),
        (("--for", "40d", "--reason", "x"), "at most 31 days"),
    ):
        done = program("pause", *call)
        assert (done.code, done.stdout) == (2, "")
        assert said in done.stderr
    assert program("pause").stdout == "Not paused.\n"
