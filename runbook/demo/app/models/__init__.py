"""Models of the application."""

from app.models.scrape_session import ScrapeSession
from app.models.user import AdminUser

__all__ = ["AdminUser", "ScrapeSession"]
