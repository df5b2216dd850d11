"""Entry point: `uvicorn app.main:app`."""

from datetime import UTC, datetime

import webmagic_pricing
from fastapi import FastAPI

from app.api.v1.endpoints import auth, scrapes
from app.core import database

VERSION = "1.0.0"

app = FastAPI(
    title="WebMagic",
    version=VERSION,
    docs_url="/api/v1/docs",
    openapi_url="/api/v1/openapi.json",
)
app.include_router(auth.router, prefix="/api/v1/auth")
app.include_router(scrapes.router, prefix="/api/v1/scrapes")


@app.get("/api/v1/price")
def price() -> dict[str, int]:
    """Say what a scrape costs."""
    return {"cents": webmagic_pricing.PRICE_CENTS}


@app.get("/health")
def health() -> dict[str, str]:
    """Say that it is this application that answers, and whether its database does."""
    return {
        "status": "healthy",
        "timestamp": datetime.now(UTC).isoformat(),
        "version": VERSION,
        "database": "connected" if database.connected() else "disconnected",
    }
