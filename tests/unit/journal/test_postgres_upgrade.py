"""Versions of the program side by side on one database, and what each says of tables not its own."""

from collections.abc import Callable
from threading import Thread

import psycopg
import pytest

from runbook.errors import RunbookError
from runbook.journal import job_tables, postgres_schema, postgres_upgrade
from runbook.journal.job_tables import JobTables, Migration
from runbook.journal.postgres import open_journal
from runbook.journal.postgres_schema import STEPS, Step
from runbook.journal.postgres_upgrade import Tables, look_at, upgrade
from tests.contract.journals import STARTED, WALK, run
from tests.postgres import Server

ADDING = Step(statements=("ALTER TABLE runs ADD COLUMN ticket TEXT",), oldest=1)
TAKING_AWAY = Step(statements=("ALTER TABLE runs DROP COLUMN pattern",), oldest=len(STEPS) + 1)


def later(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> Callable[[str], Tables]:
    """Return `upgrade` of a later version, which has more steps; this version stays as it is."""

    def of_later_version(url: str) -> Tables:
        with monkeypatch.context() as patch:
            patch.setattr(postgres_upgrade, "STEPS", (*STEPS, *steps))
            return upgrade(url)

    return of_later_version


def refused(url: str) -> str:
    """Open a journal that cannot be used; return what the error says."""
    with pytest.raises(RunbookError) as caught:
        open_journal(url, patience_s=1)
    assert [problem.reference for problem in caught.value.problems] == ["journal-unusable"]
    return caught.value.render()


def test_tables_are_made_on_demand_only(postgres_server: Server) -> None:
    """A database of nothing is left alone by all but `upgrade`, which says how far it was before."""
    url = postgres_server.empty()

    assert "it has no tables" in refused(url)
    assert "runbook db upgrade" in refused(url)
    assert look_at(url).taken == 0
    assert upgrade(url).taken == 0
    assert upgrade(url) == look_at(url)
    assert (look_at(url).taken, look_at(url).fit) == (len(STEPS), True)
    open_journal(url).close()


def test_who_upgrades_at_once_takes_each_step_once(postgres_server: Server) -> None:
    """Of several that make the tables at the same time one does; the others find them made."""
    url = postgres_server.empty()
    before: list[int] = []
    threads = [Thread(target=lambda: before.append(upgrade(url).taken)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(before) == [0, *[len(STEPS)] * 3]


def test_two_versions_work_side_by_side(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes on while a later version adds to the tables, and this version begins more."""
    url = postgres_server.empty()
    upgrade(url)
    journal = open_journal(url)
    journal.begin(run("r1"))
    journal.append("r1", WALK[:3], at=1.0, who="anna")

    later(monkeypatch, ADDING)(url)
    journal.append("r1", WALK[3:], at=2.0, who="anna")
    journal.begin(run("r2"))
    again = open_journal(url)

    assert again.verify("r1") == journal.verify("r1")
    assert look_at(url).taken == len(STEPS) + 1
    assert look_at(url).fit
    assert upgrade(url).taken == len(STEPS) + 1
    for each in (journal, again):
        each.close()


def test_a_version_that_is_too_old_begins_nothing(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a step cannot be worked with, the old program says so when it opens, and before a run."""
    url = postgres_server.empty()
    upgrade(url)
    with_it_open = open_journal(url)

    later(monkeypatch, TAKING_AWAY)(url)

    assert "a later version of runbook changed its tables" in refused(url)
    with pytest.raises(RunbookError, match="later version"):
        with_it_open.begin(run("r1"))
    assert not look_at(url).fit
    with_it_open.close()


def test_a_version_that_is_too_new_names_the_remedy(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is ahead of the tables does not touch them unasked."""
    url = postgres_server.empty()
    upgrade(url)
    monkeypatch.setattr(postgres_upgrade, "KNOWN", len(STEPS) + 1)

    assert "its tables are older than this version" in refused(url)
    assert look_at(url).missing == 1


def test_a_step_that_fails_leaves_nothing(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are taken all or none: what went before the one that failed is not there either."""
    url = postgres_server.empty()
    upgrade(url)
    broken = Step(statements=("ALTER TABLE nowhere ADD COLUMN ticket TEXT",), oldest=1)

    with pytest.raises(RunbookError, match="journal on Postgres"):
        later(monkeypatch, ADDING, broken)(url)

    assert look_at(url).taken == len(STEPS)
    journal = open_journal(url)
    journal.begin(run("r1"))
    journal.append("r1", [STARTED], at=1.0, who="anna")
    journal.close()


def test_every_step_can_be_worked_with_by_the_version_before() -> None:
    """So that machines are upgraded one after the other; `oldest` never says more than there is."""
    for number, step in enumerate(postgres_schema.STEPS[1:], start=2):
        assert step.oldest < number
    assert postgres_schema.STEPS[0].oldest == 1


def test_jobs_tables_are_those_of_procrastinates_own_migrations(postgres_server: Server) -> None:
    """A database that took every change one by one is the same as one made at once."""

    def columns(url: str) -> list[tuple[object, ...]]:
        with psycopg.connect(url) as connection:
            return connection.execute(
                "SELECT table_name, column_name, data_type FROM information_schema.columns"
                " WHERE table_schema = 'runbook' AND table_name LIKE 'procrastinate%'"
                " ORDER BY table_name, column_name"
            ).fetchall()

    at_once, one_by_one = postgres_server.empty(), postgres_server.empty()
    upgrade(at_once)
    upgrade(one_by_one)
    with psycopg.connect(one_by_one, autocommit=True) as connection:
        connection.execute(
            "DROP SCHEMA runbook CASCADE; CREATE SCHEMA runbook; SET search_path TO runbook;"
        )
        for each in job_tables.shipped():
            connection.execute(each.statements.encode())

    assert len(job_tables.shipped()) > 30
    assert columns(at_once) == columns(one_by_one) != []
    assert look_at(at_once).jobs == JobTables(taken=len(job_tables.shipped()))


def test_changes_of_jobs_tables_are_taken_in_order_and_the_closing_ones_last(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions of Procrastinate work side by side until somebody says that the old one is gone.

    Each is noted as it is taken, so one that fails is taken again later, and none twice.
    """
    url = postgres_server.empty()
    upgrade(url)
    now = job_tables.shipped()

    def migration(name: str, statements: str) -> Migration:
        return Migration(name=name, statements=statements, closing="_post_" in name)

    adding = migration("99.00.00_01_pre_a", "ALTER TABLE procrastinate_jobs ADD COLUMN a INTEGER")
    closing = migration("99.00.00_50_post_b", "ALTER TABLE procrastinate_jobs DROP COLUMN a")
    broken = migration("99.01.00_01_pre_c", "ALTER TABLE nowhere ADD COLUMN c INTEGER")
    mended = migration("99.01.00_01_pre_c", "ALTER TABLE procrastinate_jobs ADD COLUMN a TEXT")

    monkeypatch.setattr(job_tables, "shipped", lambda: (*now, adding, closing))
    assert look_at(url).jobs == JobTables(taken=len(now), missing=1, closing=1)
    assert not look_at(url).fit
    upgrade(url)
    assert upgrade(url).jobs == JobTables(taken=len(now) + 1, closing=1)
    assert look_at(url).fit

    monkeypatch.setattr(job_tables, "shipped", lambda: (*now, adding, closing, broken))
    upgrade(url)
    assert look_at(url).jobs == JobTables(taken=len(now) + 1, missing=2, closing_first=True)
    with pytest.raises(RunbookError, match="journal on Postgres"):
        upgrade(url, closing=True)
    assert look_at(url).jobs == JobTables(taken=len(now) + 2, missing=1)
    monkeypatch.setattr(job_tables, "shipped", lambda: (*now, adding, closing, mended))
    upgrade(url)
    assert look_at(url).jobs == JobTables(taken=len(now) + 3)
