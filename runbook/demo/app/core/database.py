"""The application's database: one SQLite file in its working directory."""

import sqlite3


def connected() -> bool:
    """Tell whether the database answers a query."""
    try:
        with sqlite3.connect("webmagic.db", timeout=1) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except sqlite3.Error:
        return False
