"""Models of the application."""

from models.scrape_session import ScrapeSession
from models.user import AdminUser

__all__ = ["AdminUser", "ScrapeSession"]
