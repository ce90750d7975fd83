"""What every client of redis-py is made with here."""

from __future__ import annotations

from functools import cache
from typing import Any

import redis


@cache
def _version() -> Any:
    """What redis-py takes for its own version."""
    return redis.DriverInfo().lib_version


@cache
def _retry(client: Any) -> Any:
    """How often a client tries again unless it is told otherwise."""
    return client().connection_pool.connection_kwargs.get("retry")


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments for a client where these are `given`.

    redis-py reads its version from its package's metadata for each client, and in process for each connection, which takes
    longer than a dozen commands; here it is looked up once.
    """
    if not hasattr(redis, "DriverInfo") or not given.keys().isdisjoint(("driver_info", "lib_name", "lib_version")):
        return given
    return given | {"driver_info": redis.DriverInfo(lib_version=_version())}


def for_pool(given: dict[str, Any], client: Any) -> dict[str, Any]:
    """The arguments for a pool that is to be as the one that `client`, a class of redis-py, makes itself.

    A client tries again what failed by its connection, and a pool of its own does not.
    """
    return {"retry": _retry(client)} | arguments(given)
