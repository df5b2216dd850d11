"""The backend of webmagic: `uvicorn main:app`."""

from datetime import datetime, timezone

from fastapi import FastAPI

from api.v1.endpoints import auth, scrapes
from core import database, queue

VERSION = "2.0.0"

app = FastAPI(
    title="WebMagic",
    version=VERSION,
    docs_url="/api/v1/docs",
    openapi_url="/api/v1/openapi.json",
)
app.include_router(auth.router, prefix="/api/v1/auth")
app.include_router(scrapes.router, prefix="/api/v1/scrapes")


@app.get("/health")
def health() -> dict[str, str]:
    """Say that it is this application that answers, and how its servers are."""
    return {
        "status": "healthy",
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "version": VERSION,
        "database": database.state(),
        "redis": queue.state(),
    }
