"""What the doctor found, as people and programs get it."""

from runbook.doctor import Finding, State
from runbook.views.doctor import findings_document, findings_text

FOUND = (
    Finding(check="python", title="Python", state=State.GOOD, seen="3.11.2"),
    Finding(
        check="inventory",
        title="Inventory",
        state=State.BAD,
        seen="inv.yml:3:7: it is not what it should be\x1b[2J and that takes many words to say",
        remedy="ansible-inventory -i /a/path/that/is/longer/than/the/window/is/wide --list",
    ),
    Finding(check="also-here", title="Also here", state=State.NOTE, seen="rebooted", host="web1"),
    Finding(
        check="reachable",
        title="Reachable",
        state=State.UNREACHABLE,
        seen="timed out",
        remedy="ansible -m ping",
        host="web2",
    ),
)


def test_each_line_has_its_mark_and_its_remedy_below() -> None:
    """Machines apart, titles in a column, what hosts say without controls, the sum at the end."""
    assert findings_text(FOUND).splitlines() == [
        "This machine",
        "✓ Python     3.11.2",
        "✗ Inventory  inv.yml:3:7: it is not what it should be\\x1b[2J and that takes many words to say",
        "             → ansible-inventory -i /a/path/that/is/longer/than/the/window/is/wide --list",
        "",
        "web1",
        "! Also here  rebooted",
        "",
        "web2",
        "✗ Reachable  timed out",
        "             → ansible -m ping",
        "",
        "1 unreachable host, 1 thing to mend, 1 thing to know.",
    ]


def test_in_a_window_only_what_was_seen_is_wrapped() -> None:
    """No line of words is wider than the window; a remedy is one line, to be copied."""
    lines = findings_text(FOUND, columns=40).splitlines()

    remedies = [line for line in lines if "→" in line]
    told = [line for line in lines[:-1] if line not in remedies]
    assert all(len(line) <= 40 for line in told)
    assert remedies[0].endswith("/is/longer/than/the/window/is/wide --list")
    assert "             that takes many words to" in lines


def test_the_document() -> None:
    """Programs get every finding by its stable name, and whether all is ready."""
    document = findings_document(FOUND)

    assert (document["ready"], document["exit_code"]) == (False, 4)
    assert [one["host"] for one in document["findings"]] == [None, None, "web1", "web2"]
    assert document["findings"][1] == {
        "check": "inventory",
        "host": None,
        "state": "bad",
        "title": "Inventory",
        "seen": FOUND[1].seen,
        "remedy": FOUND[1].remedy,
    }
