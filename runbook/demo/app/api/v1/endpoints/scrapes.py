"""Scrapes and their progress."""

from fastapi import APIRouter, Depends

from app.api.deps import get_current_user
from app.models import ScrapeSession
from app.models.user import AdminUser

router = APIRouter()


@router.get("/{session_id}")
def progress(
    session_id: int, current_user: AdminUser = Depends(get_current_user)
) -> ScrapeSession:
    """Say how far a scrape has come."""
    return ScrapeSession(id=session_id, url="https://webmagic.example/")
