"""The fixtures of pytest-redis for those who switch: ``pytest_plugins = ["emulator.pytest_redis_compat"]``.

Loaded on purpose only, so that pytest-redis and this project's plugin can be installed side by side.  Where pytest-redis is
installed nevertheless, these fixtures come before its own, whose options stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from emulator.testing.embedded import Server
    from emulator.testing.remote import RemoteServer


def pytest_configure(config: pytest.Config) -> None:
    """What was loaded last is taken: raises UsageError where pytest-redis's fixtures would hide these."""
    loaded = [getattr(plugin, "__name__", "") for _, plugin in config.pluginmanager.list_name_plugin()]
    if "pytest_redis.plugin" in loaded[loaded.index(__name__) :]:
        raise pytest.UsageError(
            f"{__name__} was loaded before pytest-redis, which hides it: name it in pytest_plugins of conftest.py"
        )


@pytest.fixture(scope="session")
def redis_proc(redis_server: Server | RemoteServer) -> Server | RemoteServer:
    """The server of the session, with ``host`` and ``port``."""
    return redis_server


@pytest.fixture(scope="session")
def redis_noproc(redis_server: Server | RemoteServer) -> Server | RemoteServer:
    """The same: with ``--redis-emulator-url`` it is one that was there before."""
    return redis_server


@pytest.fixture
def redisdb(redis_proc: Server | RemoteServer) -> Iterator[redis.Redis]:
    """A ``redis.Redis``, whose server is emptied after the test."""
    with redis_proc.connect() as client:
        yield client
        client.flushall()


@pytest.fixture
def redisdb_async(redis_proc: Server | RemoteServer) -> Iterator[redis.asyncio.Redis]:
    """The same for asyncio, for whichever loop the test runs on."""
    from emulator.testing.any_loop import client_for_any_loop

    with client_for_any_loop(redis_proc.url) as client:
        yield client
    redis_proc.command("FLUSHALL")
