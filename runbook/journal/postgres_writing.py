"""What a write of the journal does to the tables on Postgres, within its transaction."""

from collections.abc import Sequence

from runbook.journal import Head, problems
from runbook.journal.chain import Row
from runbook.journal.postgres_session import Connection
from runbook.journal.postgres_text import kept
from runbook.journal.tally import Standing, Tally, is_of_fix
from runbook.model.codec import Mask
from runbook.model.event import Event, Milestone


def head_of(connection: Connection, run: str, *, locked: bool = False) -> tuple[Head, str]:
    """Return the head of a run's chain, and the text of its holder; raise `unknown-run`.

    `locked` keeps all others from writing to the run until the transaction ends.
    """
    query = "SELECT head_seq, head_hash, holder FROM runs WHERE id = %s"
    row = connection.execute(
        f"{query} FOR UPDATE".encode() if locked else query.encode(), (run,)
    ).fetchone()
    if row is None:
        raise problems.unknown_run(run)
    return Head(seq=row[0], hash=row[1]), row[2]


def add_entries(connection: Connection, run: str, rows: Sequence[Row], head: Head) -> None:
    """Add rows to a run's chain, which then ends with `head`."""
    connection.execute(
        "INSERT INTO entries (run, seq, at, who, event, hash)"
        " SELECT %s, seq, at, who, event, hash FROM unnest(%s::bigint[],"
        " %s::double precision[], %s::text[], %s::text[], %s::text[])"
        " AS written (seq, at, who, event, hash)",
        (
            run,
            [row.seq for row in rows],
            [row.at for row in rows],
            [kept(row.who) for row in rows],
            [row.event for row in rows],
            [row.hash for row in rows],
        ),
    )
    connection.execute(
        "UPDATE runs SET head_seq = %s, head_hash = %s WHERE id = %s", (head.seq, head.hash, run)
    )


def add_milestones(
    connection: Connection, run: str, rows: Sequence[Row], events: Sequence[Event]
) -> None:
    """Add the milestones among events, each of which stands in the row of the same place."""
    marks = [
        (row.seq, row.at, kept(event.host), is_of_fix(event))
        for row, event in zip(rows, events, strict=True)
        if isinstance(event, Milestone)
    ]
    if not marks:
        return
    connection.execute(
        "INSERT INTO milestones (runbook, host, at, run, seq, fix)"
        " SELECT r.runbook, m.host, m.at, r.id, m.seq, m.fix FROM runs r, unnest(%s::bigint[],"
        " %s::double precision[], %s::text[], %s::boolean[]) AS m (seq, at, host, fix)"
        " WHERE r.id = %s ORDER BY m.seq",
        (*map(list, zip(*marks, strict=True)), run),
    )


def fold(connection: Connection, run: str, tally: Tally, mask: Mask) -> None:
    """Add what was written to the summary of a run."""
    for table, column, names in (
        ("run_hosts", "host", tally.hosts),
        ("run_causes", "cause", tally.causes),
    ):
        if names:
            connection.execute(
                f"INSERT INTO {table} (run, {column}, started_at)"  # noqa: S608
                " SELECT r.id, n.name, r.started_at FROM runs r,"
                " unnest(%s::text[]) WITH ORDINALITY AS n (name, place)"
                " WHERE r.id = %s ORDER BY n.place ON CONFLICT DO NOTHING".encode(),
                ([kept(name) for name in names], run),
            )
    begun = [kept(host) for host, acting in tally.acting.items() if acting]
    if begun:
        connection.execute(
            "INSERT INTO open_fixes (run, host)"
            " SELECT %s, host FROM unnest(%s::text[]) host ON CONFLICT DO NOTHING",
            (run, begun),
        )
    ended = [kept(host) for host, acting in tally.acting.items() if not acting]
    if ended:
        connection.execute("DELETE FROM open_fixes WHERE run = %s AND host = ANY(%s)", (run, ended))
    if tally.finished:
        let_go(connection, run, [kept(host) for host in tally.finished])
    if tally.standing is not None:
        _stand(connection, run, tally.standing, mask)


def let_go(connection: Connection, run: str, hosts: list[str]) -> None:
    """Let hosts go that a run holds; `hosts` are names as they are kept."""
    connection.execute("DELETE FROM held_hosts WHERE run = %s AND host = ANY(%s)", (run, hosts))


def _stand(connection: Connection, run: str, standing: Standing, mask: Mask) -> None:
    """Write down how a run as a whole stands."""
    if standing.verdict is not None:
        connection.execute("DELETE FROM held_hosts WHERE run = %s", (run,))
    interrupted = None if standing.interrupted is None else kept(str(mask(standing.interrupted)))
    connection.execute(
        "UPDATE runs SET verdict = %s, ended_at = %s, interrupted = %s WHERE id = %s",
        (
            None if standing.verdict is None else standing.verdict.value,
            standing.ended_at,
            interrupted,
            run,
        ),
    )
