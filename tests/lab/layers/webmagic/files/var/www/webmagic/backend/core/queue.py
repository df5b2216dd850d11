"""The queue of work for the Celery worker, if a Redis is configured."""

from redis import Redis
from redis.exceptions import RedisError

from core import settings

URL = settings.get("REDIS_URL")


def state() -> str:
    """Say how Redis is: connected, disconnected, or none is configured."""
    if URL is None:
        return "none"
    try:
        Redis.from_url(URL, socket_connect_timeout=2, socket_timeout=2).ping()
    except RedisError:
        return "disconnected"
    return "connected"
