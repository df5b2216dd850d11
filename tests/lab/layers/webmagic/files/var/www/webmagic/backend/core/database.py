"""The database, if one is configured."""

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from core import settings

_URL = settings.get("DATABASE_URL")

engine = (
    create_engine(_URL, pool_pre_ping=True, connect_args={"connect_timeout": 2}) if _URL else None
)


def state() -> str:
    """Say how the database is: connected, disconnected, or none is configured."""
    if engine is None:
        return "none"
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except SQLAlchemyError:
        return "disconnected"
    return "connected"
