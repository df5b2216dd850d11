"""A person at a terminal is asked, and only a typed yes is a yes."""

import re
from collections.abc import Sequence

import pytest
from pexpect.fdpexpect import fdspawn

from tests.unit.views.terminals import at_terminal

MODULE = "tests.unit.views.prompted"
ONE = r"Do this on web1\? \(Enter is no\): "
TWO = r"Do this on 2 hosts\? \(Enter is no\): "
NAMES = r"On which hosts \(names; Enter asks for one after the other\)\? "
END_OF_INPUT = "\x04"
_CODE = r"\x1b\[\d+m"


def replied(terminal: fdspawn) -> str:
    """Return the next reply."""
    terminal.expect(r"REPLY ([^\r\n]*)\.\r\n")
    return str(terminal.match[1])


@pytest.mark.parametrize(
    ("typed", "reply"),
    [
        (["y"], "yes=web1 by=ann why="),
        (["YES"], "yes=web1 by=ann why="),
        ([""], "yes= by=ann why="),
        (["n", ""], "yes= by=ann why="),
        (["n", "being deployed"], "yes= by=ann why=being deployed"),
        (["no, thanks", "n it is being deployed"], "yes= by=ann why=it is being deployed"),
        ([END_OF_INPUT], "yes= by=ann why=the input ended"),
        (["n", END_OF_INPUT], "yes= by=ann why="),
        (["q"], "yes= by=ann why=everything more was declined"),
        (["k: it is the disk"], "yes= by=ann why=skipped in this run: it is the disk"),
        (["a it is someone else's"], "EndRun ann it is someone else's"),
        (["retry"], "Recheck ann"),
        (["n: not now"], "yes= by=ann why=not now"),
        (["y: it is agreed"], "yes=web1 by=ann why=it is agreed"),
        (["yess", "y please", "yes, but not web2", "s", "x", ":", "y"], "yes=web1 by=ann why="),
    ],
)
def test_keys_and_what_they_mean(typed: Sequence[str], reply: str) -> None:
    """Typing y approves; n, Enter, q and the end of input decline; anything else is asked again."""
    with at_terminal(MODULE, "web1", "approve") as terminal:
        for answer in typed:
            terminal.expect([ONE, r"Why \(Enter: no reason\)\? "])
            terminal.send(answer if answer == END_OF_INPUT else f"{answer}\n")

        assert replied(terminal) == reply


def test_more_can_be_seen_before_answering() -> None:
    """Typing d, t, e, o or ? shows more: diff, tasks, evidence, documentation, the keys."""
    with at_terminal(MODULE, "web1", "approve") as terminal:
        terminal.expect(ONE)
        terminal.send("d\n")
        terminal.expect("cannot be previewed: ")
        terminal.expect(r"Wait until it answers \(not in check mode\)")
        terminal.expect(r"\+ExecStart=[^\r\n]*--port 8000")
        terminal.expect(ONE)
        terminal.send("t\n")
        terminal.expect(r"Install the unit \(would change\)")
        terminal.expect("dest: /etc/systemd/system/myapp.service")
        terminal.expect(ONE)
        terminal.send("o\n")
        terminal.expect("verified by +backend, site within")
        terminal.expect("the whole +runbook show fix-502")
        terminal.expect(ONE)
        terminal.send("e\n")
        terminal.expect("expected: site.answered and site.status not in")
        terminal.expect("state: FATAL")
        terminal.expect(ONE)
        terminal.send("?\n")
        terminal.expect("y  yes, do it on all of these hosts")
        terminal.expect(ONE)
        terminal.send("y\n")

        assert replied(terminal) == "yes=web1 by=ann why="


def test_the_screen_shows_what_a_yes_is_given_to() -> None:
    """Before the question stand the action, the hosts, the cause, the impact and the evidence."""
    with at_terminal(MODULE, "web1", "approve") as terminal:
        terminal.expect(ONE)
        shown = terminal.before
        terminal.send("\n")
        replied(terminal)

    for what in (
        "Restart myapp",
        "The backend service is not running",
        "70% of such incidents",
        "Requests in flight are dropped",
        "not running, state FATAL; expected backend.running",
        "by Ansible's check mode; nothing has been done yet",
    ):
        assert what in shown


def test_keys_fit_into_eighty_columns() -> None:
    """All keys stand above the question, for one host and for several."""
    for hosts, keys in (("web1", "ynkdteocrwaq?"), ("web1,web2", "ynskdteocrwaq?")):
        with at_terminal(MODULE, hosts, "approve") as terminal:
            terminal.expect(r"\[y\]es [^?]*\[\?\]")
            rows = str(terminal.after).splitlines()
            terminal.send("\n")
            replied(terminal)
        assert "".join(re.findall(r"\[(.)\]", " ".join(rows))) == keys
        assert max(len(re.sub(_CODE, "", row)) for row in rows) <= 80


def test_a_probe_and_a_note_leave_the_question_open() -> None:
    """Typing c looks by a probe that may only read, w writes down; both answer nothing."""
    with at_terminal(MODULE, "web1", "approve") as terminal:
        for wrong, told in (
            ("c command: reboot", "a command may do more than look"),
            ("c {http: {url: http://192.0.2.1/, method: POST}}", "sends a POST request"),
            ("c prot: 1", 'Did you mean “?"port'),
        ):
            terminal.expect(ONE)
            terminal.send(f"{wrong}\n")
            terminal.expect(told)
        terminal.expect(ONE)
        terminal.send("c\n")
        terminal.expect(r"Probe, such as port: 8000 \(Enter: none\): ")
        terminal.send("port: 8000\n")
        assert replied(terminal) == "OwnCheck ann port: 8000"
        terminal.expect(r"web1:\r\n  port: 8000")
        terminal.expect(ONE)
        terminal.send("w called the database team\n")
        assert replied(terminal) == "Note ann called the database team"
        terminal.expect("Written into the journal.")
        terminal.expect(ONE)
        terminal.send("\n")

        assert replied(terminal) == "yes= by=ann why="


@pytest.mark.parametrize(
    ("hosts", "where", "wanted", "typed"),
    [
        ("web1", "web1", "web1", ["web2", "y", "", "web1"]),
        ("web1,web2", "2 hosts: web1, web2", "prod", ["web1", "prod"]),
    ],
)
def test_a_name_has_to_be_typed_where_the_inventory_says_so(
    hosts: str, where: str, wanted: str, typed: Sequence[str]
) -> None:
    """On marked hosts a yes asks for the host's name, or its group's, and takes nothing else."""
    question = ONE if where == "web1" else TWO
    with at_terminal(MODULE, hosts, "marked", "approve") as terminal:
        for name in typed:
            terminal.expect(question)
            terminal.send("y: it is agreed\n")
            terminal.expect(f"To do it on {where}, type {wanted}: ")
            terminal.send(f"{name}\n")
            if name != typed[-1]:
                terminal.expect("That is not what was asked for; nothing is approved.")

        assert replied(terminal) == f"yes={hosts} by=ann why=it is agreed"


def test_a_skipped_fix_is_not_asked_about_again() -> None:
    """After k, hosts that come to the same fix later are declined without a question."""
    with at_terminal(MODULE, "web1", "approve", "approve") as terminal:
        terminal.expect(ONE)
        terminal.send("s\n")
        terminal.expect("nothing to split; k skips")
        terminal.expect(ONE)
        terminal.send("k\n")
        terminal.expect("Skipped: hosts that come to it later are not asked about it.")
        for _ in range(2):
            assert replied(terminal) == "yes= by=ann why=skipped in this run"


def test_hosts_can_be_chosen_by_name() -> None:
    """Typing s asks for names of hosts to approve; a name that is none of them is asked again."""
    with at_terminal(MODULE, "web1,web2", "approve") as terminal:
        terminal.expect(TWO)
        terminal.send("s\n")
        terminal.expect(NAMES)
        terminal.send("web2 web9\n")
        terminal.expect("“web9” is none of the hosts in question. Did you mean web2?")
        terminal.expect(NAMES)
        terminal.send("web2\n")
        terminal.expect("Approved on web2; declined on web1.")

        assert replied(terminal) == "yes=web2 by=ann why="


def test_hosts_can_be_chosen_one_by_one() -> None:
    """Typing s, then Enter, asks for each host by itself; Enter is no there as well."""
    with at_terminal(MODULE, "web1,web2", "approve") as terminal:
        terminal.expect(TWO)
        terminal.send("s\n")
        terminal.expect(NAMES)
        terminal.send("\n")
        terminal.expect(r"Do this on web1\? \[y\]es \[n\]o \(Enter is no\): ")
        terminal.send("y\n")
        terminal.expect(r"Do this on web2\? \[y\]es \[n\]o \(Enter is no\): ")
        terminal.send("\n")

        assert replied(terminal) == "yes=web1 by=ann why="


@pytest.mark.parametrize("typed", [["s", END_OF_INPUT], ["s", "", "y", END_OF_INPUT]])
def test_the_end_of_input_while_choosing_approves_nothing(typed: Sequence[str]) -> None:
    """Hosts said yes to before the input ended are declined with the others."""
    with at_terminal(MODULE, "web1,web2", "approve") as terminal:
        for answer in typed:
            terminal.expect([TWO, NAMES, r"\(Enter is no\): "])
            terminal.send(answer if answer == END_OF_INPUT else f"{answer}\n")

        assert replied(terminal).startswith("yes= by=ann")


def test_quitting_declines_all_that_comes_and_says_so() -> None:
    """After q no later fix is asked about, and each is said to be declined."""
    with at_terminal(MODULE, "web1", "approve", "approve") as terminal:
        terminal.expect(ONE)
        terminal.send("q\n")
        terminal.expect("Declined, and so is every later fix of this run.")
        shown = ""
        for _ in range(2):
            assert replied(terminal).startswith("yes= ")
            shown += terminal.before
        assert "Declined as you asked: Restart myapp on web1" in shown


def test_what_was_typed_before_the_question_is_no_answer() -> None:
    """A yes typed ahead, to whatever it was, approves nothing."""
    with at_terminal(MODULE, "web1", "ready", "approve") as terminal:
        terminal.send("y\n")
        terminal.expect(ONE)
        terminal.send("\n")

        assert replied(terminal) == "yes= by=ann why="


@pytest.mark.parametrize("typed", ["2", "leave"])
def test_a_choice_is_made_by_number_or_name(typed: str) -> None:
    """A question shows its choices numbered, its help and what happens without an answer."""
    with at_terminal(MODULE, "web1", "ask") as terminal:
        terminal.expect("Restart it although it listens")
        terminal.expect("Look twice.")
        terminal.expect(r"Without an answer within \d+ s|1 min it goes on with: escalated")
        terminal.expect("1  restart")
        terminal.expect("2  leave")
        for wrong in ("3", ""):
            terminal.expect(r"Which, 1 to 2 \(e: evidence\)\? ")
            terminal.send(f"{wrong}\n")
            terminal.expect("there is no answer by default")
        terminal.expect(r"Which, 1 to 2 \(e: evidence\)\? ")
        terminal.send(f"{typed}\n")

        assert replied(terminal) == "answer=leave by=ann note="


@pytest.mark.parametrize(
    ("typed", "reply"),
    [
        (["d", "took long"], "answer=done by=ann note=took long"),
        (["", "n", ""], "answer=not_done by=ann note="),
    ],
)
def test_work_by_hand_is_confirmed(typed: Sequence[str], reply: str) -> None:
    """An instruction stands with its commands, each on a line; done and not done take a note."""
    with at_terminal(MODULE, "web1", "manual") as terminal:
        terminal.expect("Log in to the host,\r\nand start the backend.")
        terminal.expect(rf"    ssh web1({_CODE})?\r\n")
        terminal.expect(rf"    systemctl start backend({_CODE})?\r\n")
        for answer in typed:
            terminal.expect(
                [r"Is it done\? \[d\]one \[n\]ot done \[e\]vidence: ", r"Note \(Enter: none\)\? "]
            )
            terminal.send(f"{answer}\n")

        assert replied(terminal) == reply


def test_a_question_can_wait_for_others() -> None:
    """Enter puts a question last while others wait, and it is asked again after them."""
    with at_terminal(MODULE, "web1", "manual", "approve") as terminal:
        terminal.expect(r"\[d\]one \[n\]ot done \[e\]vidence: ")
        terminal.send("\n")
        terminal.expect(ONE)
        terminal.send("y\n")
        terminal.expect(r"\[d\]one \[n\]ot done \[e\]vidence: ")
        said = str(terminal.before)
        terminal.send("d\n")
        terminal.expect("Note")
        said += str(terminal.before)
        terminal.send("\n")
        terminal.expect("REPLY answer=done")
        # The next question does not wait until the answer to the one before was taken in.
        assert "REPLY yes=web1" in said + str(terminal.before)


def test_a_question_whose_time_is_over_makes_way() -> None:
    """A question nobody answers in time is not answered, and the next one is put."""
    with at_terminal(MODULE, "web1", "expires", "approve") as terminal:
        terminal.expect(r"Which, 1 to 2 \(e: evidence\)\? ")
        terminal.expect("The time for an answer is over; the run goes on without it.")
        terminal.expect(ONE)
        terminal.send("y\n")

        assert replied(terminal) == "yes=web1 by=ann why="


def test_the_end_of_input_leaves_a_question_to_its_expiry() -> None:
    """No answer is made up for a question when the input ends; the next prompt is put."""
    with at_terminal(MODULE, "web1", "expires", "approve") as terminal:
        terminal.expect(r"Which, 1 to 2 \(e: evidence\)\? ")
        terminal.send(END_OF_INPUT)
        terminal.expect("No answer: the run waits until the time for one is over.")
        terminal.expect(ONE)
        terminal.send("\n")

        assert replied(terminal) == "yes= by=ann why="


def test_a_question_is_let_go_of_when_the_run_is_about_to_stop() -> None:
    """Nobody has to press a key for the screen to go on, and no further question is put."""
    with at_terminal(MODULE, "web1", "approve", "approve", "leave") as terminal:
        for _ in range(2):
            assert replied(terminal) == "yes= by=ann why=the input ended"
            assert len(re.findall(ONE, str(terminal.before))) <= 1


def test_a_terminal_that_closes_is_a_no() -> None:
    """When the terminal is gone, the run is not kept waiting: the program comes to its end."""
    with at_terminal(MODULE, "web1", "approve") as terminal:
        terminal.expect(ONE)
        terminal.close()
