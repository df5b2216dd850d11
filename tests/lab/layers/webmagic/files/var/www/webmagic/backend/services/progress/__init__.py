"""How far a scrape has come."""


def done_share(done: int, pages: int) -> float:
    """Return the share of pages that are done, from 0 to 1."""
    return done / pages if pages else 1.0
