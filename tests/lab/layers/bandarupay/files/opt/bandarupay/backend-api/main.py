"""The backend of bandarupay: `python main.py`."""

from datetime import datetime, timezone

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from core import database
from services.auth import auth

VERSION = "1.0.0"

app = FastAPI(title="BandaruPay", version=VERSION)
app.add_middleware(
    CORSMiddleware,
    allow_origins=["https://backend.bandarupay.example"],
    allow_methods=["*"],
    allow_headers=["*"],
)
app.include_router(auth.router, prefix="/api/v1")
app.include_router(auth.router, prefix="/api/v1/auth")


@app.on_event("startup")
def initialize_database() -> None:
    """Refuse to start without the database that is configured."""
    database.initialize()


@app.get("/health")
@app.get("/api/v1/health")
def health() -> dict[str, str]:
    """Say that it is this application that answers, and whether its database does."""
    return {
        "status": "healthy",
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "version": VERSION,
        "database": database.state(),
    }


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)
