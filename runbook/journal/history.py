"""How SQLite is asked for runs, so that the work does not grow with the number of all runs.

Whatever a run is chosen by has an index that also holds its start. The rarest of what is asked for is
walked from its newest run backwards, and each run is looked at for the rest.
"""

import sqlite3
from dataclasses import dataclass

from runbook.journal import RunFilter

# Two answers that are both more frequent than this are as good as each other to begin with.
_MANY = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trait:
    """What runs are chosen by: the value of a column, which `index` has with the start."""

    table: str
    column: str
    index: str
    value: str

    @property
    def condition(self) -> str:
        if self.table == "runs":
            return f"runs.{self.column} = ?"
        return f"EXISTS (SELECT 1 FROM {self.table} WHERE {self.column} = ? AND run = runs.id)"  # noqa: S608


def chosen(
    connection: sqlite3.Connection, which: RunFilter
) -> tuple[str, str, str, tuple[object, ...]]:
    """Return what follows FROM, the column of the start, the conditions, and their values.

    The conditions are "" or end in a space; order and limit are left to the caller.
    """
    traits = list(_traits(which))
    source, conditions, values = "runs", list[str](), list[object]()
    start = "runs.started_at"
    if traits:
        first = min(traits, key=lambda trait: _frequency(connection, trait))
        traits.remove(first)
        source = f"{first.table} INDEXED BY {first.index}"
        start = f"{first.table}.started_at"
        conditions.append(f"{first.table}.{first.column} = ?")
        values.append(first.value)
        if first.table != "runs":
            # CROSS keeps SQLite from beginning with the other table.
            source += f" CROSS JOIN runs ON runs.id = {first.table}.run"
    conditions += [trait.condition for trait in traits]
    values += [trait.value for trait in traits]
    for sign, value in ((">=", which.since), ("<=", which.until)):
        if value is not None:
            conditions.append(f"{start} {sign} ?")
            values.append(value)
    return source, start, f"WHERE {' AND '.join(conditions)} " if conditions else "", tuple(values)


def _traits(which: RunFilter) -> list[_Trait]:
    asked = (
        ("runs", "runbook", "runs_by_runbook", which.runbook),
        ("runs", "verdict", "runs_by_verdict", which.verdict and which.verdict.value),
        ("runs", "operator", "runs_by_operator", which.who),
        ("run_hosts", "host", "run_hosts_by_start", which.host),
        ("run_causes", "cause", "run_causes_by_start", which.cause),
    )
    return [
        _Trait(table=table, column=column, index=index, value=value)
        for table, column, index, value in asked
        if value is not None
    ]


def _frequency(connection: sqlite3.Connection, trait: _Trait) -> int:
    """Return how many runs there are with a trait, counting no further than what is many."""
    (number,) = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {trait.table} INDEXED BY {trait.index}"  # noqa: S608
        f" WHERE {trait.column} = ? LIMIT {_MANY})",
        (trait.value,),
    ).fetchone()
    return int(number)
