"""Scrapes and their progress."""

from fastapi import APIRouter, Depends

from api.deps import get_current_user
from models import ScrapeSession
from models.user import AdminUser
from services.progress import done_share

router = APIRouter()


@router.get("/{session_id}/progress")
def progress(session_id: int, current_user: AdminUser = Depends(get_current_user)) -> float:
    """Say how far a scrape has come, from 0 to 1."""
    session = ScrapeSession(id=session_id, url="https://webmagic.example/", pages=1)
    return done_share(session.pages_done, session.pages)
