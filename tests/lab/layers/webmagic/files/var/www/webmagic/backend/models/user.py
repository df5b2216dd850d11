"""People who may log in."""

from dataclasses import dataclass


@dataclass
class AdminUser:
    """An administrator."""

    id: int
    email: str
