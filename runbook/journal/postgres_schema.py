"""The tables on Postgres, the journal's and the service's, as a list of steps from nothing to now.

All lies in the schema `runbook` of the database, whose table `steps` has a row for each step taken.
Only `runbook db upgrade` takes steps. A step that has been released is never edited; a change is a
new step.

So that two versions of the program can work side by side, a step adds: tables, indexes, columns that
have a default. `oldest` says which programs go on working after it, by the last step these know. A
step that takes something away comes a release after the one that no longer uses it.
"""

from dataclasses import dataclass

SCHEMA = "runbook"

STEPS_TABLE: tuple[str, ...] = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    """
    CREATE TABLE IF NOT EXISTS steps (
      number INTEGER PRIMARY KEY,
      oldest INTEGER NOT NULL,
      program TEXT NOT NULL,
      at TIMESTAMPTZ NOT NULL DEFAULT now()
    )
    """,
)
"""What the steps themselves are written down in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A change of the tables; `oldest` is the last step that a program has to know at least."""

    statements: tuple[str, ...]
    oldest: int


STEPS: tuple[Step, ...] = (
    Step(
        oldest=1,
        statements=(
            # Names are compared by their bytes, as Python and SQLite do. `place` keeps the order of
            # what the clock says of as the same.
            """
            CREATE TABLE runs (
              place BIGINT GENERATED ALWAYS AS IDENTITY,
              id TEXT COLLATE "C" PRIMARY KEY,
              runbook TEXT COLLATE "C" NOT NULL,
              mode TEXT NOT NULL,
              pattern TEXT NOT NULL,
              operator TEXT COLLATE "C" NOT NULL,
              started_at DOUBLE PRECISION NOT NULL,
              ended_at DOUBLE PRECISION,
              verdict TEXT COLLATE "C",
              interrupted TEXT,
              holder TEXT NOT NULL,
              head_seq BIGINT NOT NULL,
              head_hash TEXT NOT NULL
            )
            """,
            "CREATE INDEX runs_by_start ON runs (started_at, place)",
            "CREATE INDEX runs_by_runbook ON runs (runbook, started_at)",
            "CREATE INDEX runs_by_verdict ON runs (verdict, started_at)",
            "CREATE INDEX runs_by_operator ON runs (operator, started_at)",
            # TEXT and not JSONB: the chain's hash is over the very bytes.
            """
            CREATE TABLE entries (
              run TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
              seq BIGINT NOT NULL,
              at DOUBLE PRECISION NOT NULL,
              who TEXT NOT NULL,
              event TEXT NOT NULL,
              hash TEXT NOT NULL,
              PRIMARY KEY (run, seq)
            )
            """,
            # Nothing of ours edits an entry; this keeps a slip of the hand from doing it.
            """
            CREATE FUNCTION entries_are_never_edited() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'entries are never edited'; END $$
            """,
            """
            CREATE TRIGGER entries_stay_as_written BEFORE UPDATE ON entries
            FOR EACH ROW EXECUTE FUNCTION entries_are_never_edited()
            """,
            """
            CREATE TABLE run_hosts (
              place BIGINT GENERATED ALWAYS AS IDENTITY,
              run TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
              host TEXT COLLATE "C" NOT NULL,
              started_at DOUBLE PRECISION NOT NULL,
              PRIMARY KEY (run, host)
            )
            """,
            "CREATE INDEX run_hosts_by_start ON run_hosts (host, started_at)",
            """
            CREATE TABLE run_causes (
              place BIGINT GENERATED ALWAYS AS IDENTITY,
              run TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
              cause TEXT COLLATE "C" NOT NULL,
              started_at DOUBLE PRECISION NOT NULL,
              PRIMARY KEY (run, cause)
            )
            """,
            "CREATE INDEX run_causes_by_start ON run_causes (cause, started_at)",
            # Fixes begun whose end is not recorded.
            """
            CREATE TABLE open_fixes (
              run TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
              host TEXT COLLATE "C" NOT NULL,
              PRIMARY KEY (run, host)
            )
            """,
            # One live run per host: the key is what enforces it.
            """
            CREATE TABLE held_hosts (
              host TEXT COLLATE "C" PRIMARY KEY,
              run TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
              since DOUBLE PRECISION NOT NULL
            )
            """,
            "CREATE INDEX held_hosts_by_run ON held_hosts (run)",
            # What the walks of hosts came to, found by runbook and host without reading all runs.
            """
            CREATE TABLE milestones (
              place BIGINT GENERATED ALWAYS AS IDENTITY,
              runbook TEXT COLLATE "C" NOT NULL,
              host TEXT COLLATE "C" NOT NULL,
              at DOUBLE PRECISION NOT NULL,
              run TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
              seq BIGINT NOT NULL,
              fix BOOLEAN NOT NULL
            )
            """,
            "CREATE INDEX milestones_by_host ON milestones (runbook, host, at)",
            "CREATE INDEX milestones_by_time ON milestones (runbook, at)",
            "CREATE INDEX milestones_of_all ON milestones (at)",
            "CREATE INDEX milestones_of_fixes ON milestones (runbook, at) WHERE fix",
            "CREATE INDEX milestones_by_run ON milestones (run)",
        ),
    ),
    Step(
        oldest=1,
        # What services share: the same columns as in a file (`schedule.state`), booleans as there.
        statements=(
            """
            CREATE TABLE kept (
              schedule TEXT COLLATE "C" PRIMARY KEY,
              last DOUBLE PRECISION NOT NULL
            )
            """,
            """
            CREATE TABLE pauses (
              id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
              since DOUBLE PRECISION NOT NULL,
              until DOUBLE PRECISION NOT NULL,
              by TEXT NOT NULL,
              reason TEXT NOT NULL,
              lifted DOUBLE PRECISION,
              lifted_by TEXT
            )
            """,
            """
            CREATE TABLE requests (
              id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
              key TEXT COLLATE "C" NOT NULL UNIQUE,
              source TEXT NOT NULL,
              asker TEXT NOT NULL,
              runbook TEXT NOT NULL,
              pattern TEXT NOT NULL,
              line TEXT NOT NULL,
              due DOUBLE PRECISION NOT NULL,
              diagnose INTEGER NOT NULL,
              given TEXT NOT NULL,
              overlap TEXT NOT NULL,
              severity TEXT NOT NULL,
              stage TEXT NOT NULL,
              told TEXT NOT NULL,
              run TEXT COLLATE "C" NOT NULL DEFAULT '',
              holder TEXT NOT NULL DEFAULT '',
              tries INTEGER NOT NULL DEFAULT 0,
              joined INTEGER NOT NULL DEFAULT 0,
              at DOUBLE PRECISION NOT NULL
            )
            """,
            "CREATE INDEX requests_by_stage ON requests (stage, due)",
            "CREATE INDEX requests_by_run ON requests (run)",
            """
            CREATE TABLE alerts (
              hook TEXT COLLATE "C" NOT NULL,
              fingerprint TEXT COLLATE "C" NOT NULL,
              starts DOUBLE PRECISION NOT NULL,
              firing INTEGER NOT NULL,
              told TEXT NOT NULL,
              line TEXT COLLATE "C" NOT NULL,
              host TEXT COLLATE "C" NOT NULL,
              request BIGINT,
              times INTEGER NOT NULL,
              at DOUBLE PRECISION NOT NULL,
              PRIMARY KEY (hook, fingerprint)
            )
            """,
            "CREATE INDEX alerts_by_line ON alerts (line, host)",
            "CREATE INDEX alerts_by_request ON alerts (request)",
            """
            CREATE TABLE signatures (
              signature TEXT COLLATE "C" PRIMARY KEY,
              at DOUBLE PRECISION NOT NULL
            )
            """,
            """
            CREATE TABLE approvals (
              id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
              run TEXT COLLATE "C" NOT NULL,
              runbook TEXT NOT NULL,
              fix TEXT NOT NULL,
              title TEXT NOT NULL,
              impact TEXT NOT NULL,
              cause TEXT NOT NULL,
              rule TEXT NOT NULL,
              people INTEGER NOT NULL,
              hosts TEXT NOT NULL,
              asked DOUBLE PRECISION NOT NULL,
              expires DOUBLE PRECISION NOT NULL,
              stand TEXT NOT NULL,
              told TEXT NOT NULL,
              taken_up INTEGER NOT NULL DEFAULT 0,
              at DOUBLE PRECISION NOT NULL,
              choices TEXT NOT NULL
            )
            """,
            "CREATE INDEX approvals_by_run ON approvals (run)",
            "CREATE INDEX approvals_by_stand ON approvals (stand, taken_up)",
            """
            CREATE TABLE votes (
              approval BIGINT NOT NULL,
              who TEXT COLLATE "C" NOT NULL,
              yes INTEGER NOT NULL,
              reason TEXT NOT NULL,
              at DOUBLE PRECISION NOT NULL,
              answer TEXT NOT NULL,
              PRIMARY KEY (approval, who)
            )
            """,
        ),
    ),
    Step(
        oldest=1,
        # Which changes of the jobs' tables were taken; those themselves are made with this step
        # (`journal.job_tables`).
        statements=(
            """
            CREATE TABLE job_steps (
              name TEXT COLLATE "C" PRIMARY KEY,
              program TEXT NOT NULL,
              at TIMESTAMPTZ NOT NULL DEFAULT now()
            )
            """,
        ),
    ),
    Step(
        oldest=1,
        # What was told to whom, and is to be: the same columns as in a file (`notify.notice_file`).
        statements=(
            (
                "CREATE TABLE following (one INTEGER PRIMARY KEY CHECK (one = 1),"
                " since DOUBLE PRECISION NOT NULL)"
            ),
            'CREATE TABLE followed (run TEXT COLLATE "C" PRIMARY KEY, seq BIGINT NOT NULL)',
            """
            CREATE TABLE troubles (
              runbook TEXT COLLATE "C" NOT NULL,
              host TEXT COLLATE "C" NOT NULL,
              incident TEXT NOT NULL,
              by TEXT NOT NULL,
              run TEXT NOT NULL,
              since DOUBLE PRECISION NOT NULL,
              told TEXT NOT NULL,
              late TEXT NOT NULL,
              text TEXT NOT NULL,
              PRIMARY KEY (runbook, host)
            )
            """,
            """
            CREATE TABLE notices (
              id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
              tier TEXT NOT NULL,
              kind TEXT NOT NULL,
              incident TEXT NOT NULL,
              runbook TEXT NOT NULL,
              host TEXT NOT NULL,
              run TEXT NOT NULL,
              at DOUBLE PRECISION NOT NULL,
              text TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE bundles (
              id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
              at DOUBLE PRECISION NOT NULL,
              tier TEXT NOT NULL,
              incident TEXT,
              kind TEXT
            )
            """,
            """
            CREATE TABLE messages (
              id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
              at DOUBLE PRECISION NOT NULL,
              target TEXT NOT NULL,
              incident TEXT,
              kind TEXT,
              title TEXT NOT NULL,
              body TEXT NOT NULL,
              state TEXT NOT NULL,
              attempts INTEGER NOT NULL,
              due DOUBLE PRECISION NOT NULL,
              busy_until DOUBLE PRECISION NOT NULL,
              told TEXT NOT NULL
            )
            """,
            "CREATE INDEX messages_by_state ON messages (state, target, id)",
            (
                'CREATE TABLE about (run TEXT COLLATE "C" NOT NULL, message BIGINT NOT NULL,'
                " PRIMARY KEY (run, message))"
            ),
            (
                'CREATE TABLE journaled (run TEXT COLLATE "C" NOT NULL, message BIGINT NOT NULL,'
                " state TEXT NOT NULL, PRIMARY KEY (run, message))"
            ),
        ),
    ),
)
