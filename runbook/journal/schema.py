"""The tables of the SQLite journal, as a list of steps from nothing to now.

`PRAGMA user_version` counts the steps taken. A step that has been released is never edited; a
change is a new step. Nothing here needs a SQLite later than 3.34 (the oldest that a supported
distribution with Python 3.11 ships).
"""

APPLICATION_ID = 0x52_55_4E_42  # "RUNB", so that another program's file is not taken for ours

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE runs (
          id TEXT PRIMARY KEY NOT NULL,
          runbook TEXT NOT NULL,
          mode TEXT NOT NULL,
          pattern TEXT NOT NULL,
          operator TEXT NOT NULL,
          started_at REAL NOT NULL,
          ended_at REAL,
          verdict TEXT,
          interrupted TEXT,
          holder TEXT NOT NULL,
          head_seq INTEGER NOT NULL,
          head_hash TEXT NOT NULL
        )
        """,
        "CREATE INDEX runs_by_start ON runs (started_at)",
        "CREATE INDEX runs_by_runbook ON runs (runbook, started_at)",
        "CREATE INDEX runs_by_verdict ON runs (verdict, started_at)",
        """
        CREATE TABLE entries (
          run TEXT NOT NULL REFERENCES runs (id),
          seq INTEGER NOT NULL,
          at REAL NOT NULL,
          who TEXT NOT NULL,
          event TEXT NOT NULL,
          hash TEXT NOT NULL,
          PRIMARY KEY (run, seq)
        )
        """,
        # Nothing of ours edits an entry; this keeps a slip of the hand from doing it.
        """
        CREATE TRIGGER entries_stay_as_written BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are never edited'); END
        """,
        # Row ids keep the order in which hosts and causes came.
        """
        CREATE TABLE run_hosts (
          run TEXT NOT NULL REFERENCES runs (id),
          host TEXT NOT NULL,
          PRIMARY KEY (host, run)
        )
        """,
        "CREATE INDEX run_hosts_by_run ON run_hosts (run)",
        """
        CREATE TABLE run_causes (
          run TEXT NOT NULL REFERENCES runs (id),
          cause TEXT NOT NULL,
          PRIMARY KEY (run, cause)
        )
        """,
        # Fixes begun whose end is not recorded.
        """
        CREATE TABLE open_fixes (
          run TEXT NOT NULL REFERENCES runs (id),
          host TEXT NOT NULL,
          PRIMARY KEY (run, host)
        ) WITHOUT ROWID
        """,
        # One live run per host: the key is what enforces it.
        """
        CREATE TABLE held_hosts (
          host TEXT PRIMARY KEY NOT NULL,
          run TEXT NOT NULL REFERENCES runs (id),
          since REAL NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX held_hosts_by_run ON held_hosts (run)",
    ),
    # The last runs of a host, or with a cause, are found without looking at any other run.
    (
        "ALTER TABLE run_hosts ADD COLUMN started_at REAL",
        "ALTER TABLE run_causes ADD COLUMN started_at REAL",
        "UPDATE run_hosts SET started_at = (SELECT started_at FROM runs WHERE id = run)",
        "UPDATE run_causes SET started_at = (SELECT started_at FROM runs WHERE id = run)",
        "CREATE INDEX run_hosts_by_start ON run_hosts (host, started_at)",
        "CREATE INDEX run_causes_by_start ON run_causes (cause, started_at)",
        "CREATE INDEX runs_by_operator ON runs (operator, started_at)",
    ),
    (
        # What the walks of hosts came to, found by runbook and host without reading all runs.
        """
        CREATE TABLE milestones (
          runbook TEXT NOT NULL,
          host TEXT NOT NULL,
          at REAL NOT NULL,
          run TEXT NOT NULL REFERENCES runs (id),
          seq INTEGER NOT NULL
        )
        """,
        "CREATE INDEX milestones_by_host ON milestones (runbook, host, at)",
        "CREATE INDEX milestones_by_time ON milestones (runbook, at)",
        "CREATE INDEX milestones_of_all ON milestones (at)",
        # Quotes inside a string are escaped, so the text finds types and nothing a host printed.
        """
        INSERT INTO milestones (runbook, host, at, run, seq)
        SELECT r.runbook, json_extract(e.event, '$.host'), e.at, e.run, e.seq
        FROM entries e JOIN runs r ON r.id = e.run
        WHERE e.event LIKE '%"type":"fix_intended"%' OR e.event LIKE '%"type":"fix_ended"%'
          OR e.event LIKE '%"type":"fix_concluded"%' OR e.event LIKE '%"type":"host_finished"%'
        ORDER BY e.rowid
        """,
    ),
    # Of the many walks that find nothing to mend, none is looked at where fixes are asked for.
    (
        "ALTER TABLE milestones ADD COLUMN fix INTEGER NOT NULL DEFAULT 0",
        """
        UPDATE milestones SET fix = 1 WHERE EXISTS (
          SELECT 1 FROM entries e WHERE e.run = milestones.run AND e.seq = milestones.seq
          AND (e.event LIKE '%"type":"fix_intended"%' OR e.event LIKE '%"type":"fix_ended"%'
            OR (e.event LIKE '%"type":"fix_concluded"%'
              AND e.event NOT LIKE '%"result":"declined"%'))
        )
        """,
        "CREATE INDEX milestones_of_fixes ON milestones (runbook, at) WHERE fix",
    ),
    # What is removed with a run is found without looking at any other run.
    ("CREATE INDEX milestones_by_run ON milestones (run)",),
)
