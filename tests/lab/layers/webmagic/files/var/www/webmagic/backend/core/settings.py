"""Settings: the file .env in the working directory, NAME=value on each line."""

from pathlib import Path

_FILE = Path(".env")


def get(name: str) -> str | None:
    """Return a setting, None if it is not there."""
    lines = _FILE.read_text().splitlines() if _FILE.exists() else []
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key: value for key, _, value in pairs}.get(name)
