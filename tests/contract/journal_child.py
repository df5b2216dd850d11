"""What other processes do to a journal in its tests: `python -m tests.contract.journal_child`.

Each command takes the journal's path or URL and talks by lines on its standard streams.
"""

import ctypes
import os
import resource
import signal
import sqlite3
import sys
from pathlib import Path

from runbook.errors import RunbookError
from runbook.journal import Journal, RunFilter, RunSummary
from runbook.journal.opening import open_journal
from runbook.journal.postgres import PostgresJournal
from runbook.model.event import HostJoined, Mode

BATCH = 7
_PR_CAPBSET_DROP = 24  # prctl(2)
_CAP_DAC_OVERRIDE = 1  # capabilities(7)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def begin(journal: Journal, run: str) -> None:
    """Begin a run of nothing in particular."""
    journal.begin(
        RunSummary(
            id=run,
            runbook="fix-502",
            mode=Mode.RUN,
            pattern="web*",
            operator="anna",
            started_at=1.0,
        )
    )


def append_for_ever(place: Path | str, run: str) -> None:
    """Append batches of events until killed."""
    journal = open_journal(place)
    begin(journal, run)
    say("ready")
    while True:
        events = [HostJoined(host=f"web{n}", params={"text": "x" * 3000}) for n in range(BATCH)]
        journal.append(run, events, at=1.0, who="anna")


def contend(place: Path | str, run: str, hosts: int) -> None:
    """Claim hosts one by one for a run, beginning with everybody else; name the ones won."""
    say("ready")
    sys.stdin.readline()
    journal = open_journal(place)
    begin(journal, run)
    won = [
        host
        for host in (f"web{n}" for n in range(hosts))
        if journal.claim(run, [host], at=1.0) is None
    ]
    say(" ".join(won))
    sys.stdin.readline()  # whoever is dead could be robbed


def hold(place: Path | str, run: str, host: str) -> None:
    """Claim a host and stay."""
    journal = open_journal(place)
    begin(journal, run)
    journal.claim(run, [host], at=1.0)
    say("ready")
    sys.stdin.readline()


def lock(place: Path | str) -> None:
    """Be in the midst of a write."""
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    say("ready")
    sys.stdin.readline()
    connection.close()


def be_alone(place: Path | str, run: str) -> None:
    """Be stopped, the first time, in the midst of what is done alone."""
    journal = open_journal(place)
    assert isinstance(journal, PostgresJournal)
    begin(journal, run)
    # A server gives up on a process that was stopped after 10 s, which no test has.
    journal._session.rows(
        "SELECT set_config('idle_in_transaction_session_timeout', '500ms', false)", ()
    )
    times = 0

    def work() -> None:
        nonlocal times
        times += 1
        journal.append(run, [HostJoined(host=f"child{times}")], at=1.0, who="anna")
        if times == 1:
            say("stopped")
            os.kill(os.getpid(), signal.SIGSTOP)

    journal.alone(run, work)
    say("done")


def outgrow(place: Path | str) -> None:
    """Append beyond the largest size a file may have here, then within it again."""
    journal = open_journal(place)
    begin(journal, "r1")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    written = 0
    try:
        while written < 1000:
            event = HostJoined(host="web1", params={"text": "x" * 3000})
            journal.append("r1", [event] * BATCH, at=1.0, who="anna")
            written += 1
    except RunbookError as error:
        say(error.problems[0].reference)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    say(str(journal.verify("r1").seq - written * BATCH))
    journal.append("r1", [HostJoined(host="web2")], at=1.0, who="anna")
    say(str(journal.verify("r1").seq - written * BATCH))


def use_without_privilege(place: Path | str) -> None:
    """Read and write as a user to whom file modes apply, root or not."""
    if os.environ.pop("JOURNAL_CHILD_PRIVILEGED", "yes") == "yes":
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)
        os.environ["JOURNAL_CHILD_PRIVILEGED"] = "no"
        module = "tests.contract.journal_child"
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])
    try:
        journal = open_journal(place)
        say(str(len(journal.runs(RunFilter()))))
        begin(journal, "r2")
    except RunbookError as error:
        say(error.render())


def main() -> None:
    """Do what the arguments say."""
    command, named, *rest = sys.argv[1:]
    place = named if named.startswith("postgresql://") else Path(named)
    match command, rest:
        case "append", [run]:
            append_for_ever(place, run)
        case "contend", [run, hosts]:
            contend(place, run, int(hosts))
        case "hold", [run, host]:
            hold(place, run, host)
        case "lock", []:
            lock(place)
        case "alone", [run]:
            be_alone(place, run)
        case "outgrow", []:
            outgrow(place)
        case "use", []:
            use_without_privilege(place)
        case _:
            raise SystemExit(f"unknown: {command}")


if __name__ == "__main__":
    main()
