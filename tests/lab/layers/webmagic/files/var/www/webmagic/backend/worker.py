"""The Celery worker: `celery --app worker worker`."""

from celery import Celery

from core import queue
from services.progress import done_share

app = Celery("webmagic", broker=queue.URL, backend=queue.URL)


@app.task(name="webmagic.scrape")
def scrape(pages: int) -> float:
    """Scrape some pages; return the share of them that is done."""
    return done_share(pages, pages)
