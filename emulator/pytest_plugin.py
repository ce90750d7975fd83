"""The pytest plugin: a Redis for each test that is there at once and empty.

``redis_server`` is one server for a session (with pytest-xdist one for each worker), ``redis_client`` and
``async_redis_client`` are clients on it emptied for the test.  ``--redis-emulator-url`` runs the same tests against a real
server.  Nothing is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from emulator.embedded import Server, ServerFaults, TurnableClock
    from emulator.engine import Engine

_URL = "redis-emulator-url"
_MARKER = "redis(config={...}): settings of the server for this test, as CONFIG SET takes them"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("redis-emulator")
    help = (
        "run the tests that use redis-emulator's fixtures against this server instead; it is emptied before each test"
    )
    group.addoption(f"--{_URL}", metavar="URL", default=None, help=help)
    parser.addini(_URL, help=help, default="")
    help = "fail a test that leaves connections open, calls waiting or keys without an expiry behind"
    group.addoption(f"--{_STRICT}", action="store_true", default=False, help=help)
    parser.addini(_STRICT, help=help, type="bool", default=False)


_STRICT = "redis-emulator-strict"


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

    @contextmanager
    def prepared(self, settings: dict[str, object]) -> Iterator[None]:
        """The server empty and with settings, which are what they were in the end."""
        with self.connect(decode_responses=True, protocol=2) as client:
            client.flushall()
            before = {name: client.config_get(name)[name] for name in settings}
            for name, value in settings.items():
                client.config_set(name, str(value))
            yield
            for name, value in before.items():
                client.config_set(name, value)


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


_WATCH = pytest.StashKey["_Watch"]()
_SHOWN = 20
_LOOKS = 50
_BETWEEN_LOOKS = 0.01


def _is_strict(config: pytest.Config) -> bool:
    return bool(config.getoption(_STRICT.replace("-", "_")) or config.getini(_STRICT))


class _Watch:
    """What a test does to the server: its last commands, and what it leaves behind."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = server.run(self._begin)

    @staticmethod
    def _begin(engine: Engine) -> set[int]:
        engine.recording.start()
        return set(engine.sessions)

    def left_behind(self) -> list[str]:
        """Connections that were opened and are still there, calls that wait, keys that never expire."""
        for _ in range(_LOOKS):  # what was closed a moment ago takes a moment to be gone
            found = self._server.run(self._left_behind)
            if not found:
                break
            sleep(_BETWEEN_LOOKS)
        return found

    def _left_behind(self, engine: Engine) -> list[str]:
        sessions = [session for number, session in engine.sessions.items() if number not in self._before]
        own = [session for session in sessions if session.blocked is None]
        waiting = [session for session in sessions if session.blocked is not None]
        lasting = [entry.key for db in engine.databases for entry in db.live() if entry.deadline is None]
        found = []
        if own:
            found.append(f"{len(own)} open connections")
        if waiting:
            found.append(f"{len(waiting)} calls that wait")
        if lasting:
            found.append(f"{len(lasting)} keys without an expiry, such as {lasting[0]!r}")
        return found

    def report(self) -> str:
        """The last commands, the keys and the clients that wait."""
        return self._server.run(self._report)

    @staticmethod
    def _report(engine: Engine) -> str:
        commands = [f"  {call}"[:200] for call in engine.recording.commands[-_SHOWN:]]
        entries = [entry for db in engine.databases for entry in db.live()]
        keys = [f"  {entry.key!r} in database {entry.db.index}"[:200] for entry in entries[:_SHOWN]]
        waiting = [f"  {block.session.describe().decode(errors='replace')}" for block in engine.blocking.blocks]
        told = ["last commands:", *commands, f"keys ({len(entries)}):", *keys]
        return "\n".join([*told, "waiting clients:", *waiting] if waiting else told)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test that fails tells what it did to the server."""
    outcome: Any = yield
    report = outcome.get_result()
    watch = item.stash.get(_WATCH, None)
    if report.when == "call" and report.failed and watch is not None:
        report.sections.append(("redis-emulator", watch.report()))


@pytest.fixture
def _redis_ready(request: pytest.FixtureRequest, redis_server: Server | RealServer) -> Iterator[None]:
    """The server empty, at the machine's time, and with the settings of the test's marker."""
    marker = request.node.get_closest_marker("redis")
    settings: dict[str, object] = dict(marker.kwargs.get("config", {})) if marker is not None else {}
    if isinstance(redis_server, RealServer):
        with redis_server.prepared(settings):
            yield
        return
    before = redis_server.run(lambda engine: _prepare(engine, settings))
    watch = request.node.stash[_WATCH] = _Watch(redis_server)
    yield
    left = watch.left_behind() if _is_strict(request.config) else []
    redis_server.run(lambda engine: _tidy(engine, before))
    if left:
        pytest.fail("left behind on the server: " + "; ".join(left), pytrace=False)


def _prepare(engine: Engine, settings: dict[str, object]) -> dict[bytes, bytes]:
    """Empty the engine and apply settings; what they were before."""
    for db in engine.databases:
        db.clear()
    before = engine.config.get([name.encode() for name in settings])
    if settings:
        engine.config.set([word for name, value in settings.items() for word in (name.encode(), str(value).encode())])
    return before


def _tidy(engine: Engine, settings: dict[bytes, bytes]) -> None:
    """Give the settings and the clock back what they were."""
    if settings:
        engine.config.set([word for pair in settings.items() for word in pair])
    engine.reset_clock()


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
