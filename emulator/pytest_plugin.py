"""The pytest plugin: a Redis for each test that is there at once and empty.

``redis_server`` is one server for a session (with pytest-xdist one for each worker), ``redis_client`` and
``async_redis_client`` are clients on it emptied for the test.  ``--redis-emulator-url`` runs the same tests against a real
server.  Nothing is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from emulator.embedded import Server, ServerFaults, TurnableClock

_URL = "redis-emulator-url"
_MARKER = "redis(config={...}): settings of the server for this test, as CONFIG SET takes them"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("redis-emulator")
    help = (
        "run the tests that use redis-emulator's fixtures against this server instead; it is emptied before each test"
    )
    group.addoption(f"--{_URL}", metavar="URL", default=None, help=help)
    parser.addini(_URL, help=help, default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


class RealServer:
    """A server that was there before, with as much of `emulator.Server` as any server has."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 6379

    def connect(self, **kwargs: Any) -> redis.Redis:
        """A ``redis.Redis`` connected to it; arguments are those of ``redis.Redis.from_url``."""
        import redis

        return redis.Redis.from_url(self.url, **kwargs)


def _url(config: pytest.Config) -> str:
    return str(config.getoption(_URL.replace("-", "_")) or config.getini(_URL) or "")


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[Server | RealServer]:
    """A server with ``host``, ``port``, ``url``, ``engine`` and ``clock``; the real one where a URL is given."""
    if url := _url(request.config):
        yield RealServer(url)
        return
    from emulator.embedded import Server

    with Server(enable_debug_command="yes") as server:
        yield server


@pytest.fixture
def redis_server_factory() -> Iterator[Callable[..., Server]]:
    """Starts further servers, each with its own settings; they end with the test."""
    from emulator.embedded import Server

    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Server(**settings))


@pytest.fixture
def _redis_ready(request: pytest.FixtureRequest, redis_server: Server | RealServer) -> Iterator[None]:
    """The server empty, at the machine's time, and with the settings of the test's marker."""
    marker = request.node.get_closest_marker("redis")
    settings: dict[str, object] = dict(marker.kwargs.get("config", {})) if marker is not None else {}
    with redis_server.connect(decode_responses=True, protocol=2) as client:
        client.flushall()
        before = {name: client.config_get(name)[name] for name in settings}
        for name, value in settings.items():
            client.config_set(name, str(value))
        yield
        for name, value in before.items():
            client.config_set(name, value)
    if not isinstance(redis_server, RealServer):
        redis_server.run(lambda engine: engine.reset_clock())


@pytest.fixture
def redis_client(_redis_ready: None, redis_server: Server | RealServer) -> Iterator[redis.Redis]:
    """A ``redis.Redis`` on an empty server."""
    with redis_server.connect() as client:
        yield client


@pytest.fixture
async def async_redis_client(
    _redis_ready: None, redis_server: Server | RealServer
) -> AsyncIterator[redis.asyncio.Redis]:
    """A ``redis.asyncio.Redis`` on an empty server; for pytest-asyncio or anyio, which run asynchronous fixtures."""
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def redis_url(_redis_ready: None, redis_server: Server | RealServer) -> str:
    """The URL of an empty server."""
    return redis_server.url


@pytest.fixture
def redis_faults(_redis_ready: None, redis_server: Server | RealServer) -> Iterator[ServerFaults]:
    """The server's faults: ``add(effect, command=..., key=...)``; after the test there are none."""
    if isinstance(redis_server, RealServer):
        pytest.skip("a real server has no faults to order")
    yield redis_server.faults
    redis_server.faults.clear()


@pytest.fixture
def redis_clock(_redis_ready: None, redis_server: Server | RealServer) -> TurnableClock:
    """The server's clock: ``freeze``, ``advance(seconds)``, ``set``; after the test it shows the machine's time again."""
    if isinstance(redis_server, RealServer):
        pytest.skip("a real server's clock cannot be turned")
    return redis_server.clock
