"""A scrape and how far it has come."""

from dataclasses import dataclass


@dataclass
class ScrapeSession:
    """One scrape of one site."""

    id: int
    url: str
    pages: int
    pages_done: int = 0
