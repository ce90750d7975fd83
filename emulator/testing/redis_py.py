"""What every client of redis-py is made with here.

The classes are held from the beginning: ``redis.Redis`` may later be patched by what we offer in its place.
"""

from __future__ import annotations

from functools import cache
from typing import Any

try:
    import redis
except ModuleNotFoundError as error:
    if error.name != "redis":
        raise
    needed = "redis-py is needed for a client: pip install redis (or this package with its extra 'client')"
    raise ModuleNotFoundError(needed, name="redis") from None
from redis._parsers import _AsyncRESP2Parser as AsyncParser
from redis._parsers import _RESP2Parser as Parser
from redis.asyncio.client import Redis as AsyncClient
from redis.asyncio.connection import Connection as AsyncConnection
from redis.asyncio.connection import ConnectionPool as AsyncPool
from redis.client import Redis as Client
from redis.connection import Connection
from redis.connection import ConnectionPool as Pool
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import ResponseError

__all__ = [
    "AsyncClient",
    "AsyncConnection",
    "AsyncParser",
    "AsyncPool",
    "Client",
    "Connection",
    "NotConnected",
    "Parser",
    "Pool",
    "ResponseError",
    "arguments",
    "is_observed",
]

try:
    from redis.observability.providers import get_observability_instance
except ModuleNotFoundError:  # before redis-py 7.2
    get_observability_instance = None  # type: ignore[assignment]


def is_observed() -> bool:
    """Whether redis-py is to measure each command for OpenTelemetry."""
    return get_observability_instance is not None and get_observability_instance().get_provider_manager() is not None


@cache
def _version() -> Any:
    """What redis-py takes for its own version."""
    return redis.DriverInfo().lib_version


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments for a client where these are `given`.

    redis-py reads its version from its package's metadata for each client, and in process for each connection, which takes
    longer than a dozen commands; here it is looked up once.
    """
    if not hasattr(redis, "DriverInfo") or not given.keys().isdisjoint(("driver_info", "lib_name", "lib_version")):
        return given
    return given | {"driver_info": redis.DriverInfo(lib_version=_version())}
