"""The pytest plugin: a Redis for each test that is there at once and empty.

``redis_server`` is one server for a session (with pytest-xdist one for each worker), ``redis_client`` and
``async_redis_client`` are clients on it emptied for the test.  ``--redis-emulator-url`` runs the same tests against a real
server.  Nothing is imported before a fixture is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from emulator.testing.pytest_marker import (
    MARKER,
    add_ini_options,
    asked,
    check,
    client_options,
    settings_of,
    wants_patched_time,
)

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from emulator.testing.cluster import Cluster
    from emulator.testing.embedded import Keyspace, Server
    from emulator.testing.handles import FaultHandles, TurnableClock
    from emulator.testing.remote import RemoteServer
    from emulator.testing.sentinel import Sentinel

    AnyServer = Server | Keyspace | RemoteServer

_URL = "redis-emulator-url"
_STRICT = "redis-emulator-strict"
_KEYSPACES = "redis-emulator-keyspaces"
_COMPAT = "redis-emulator-compat"


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
    help = "share one server between the workers of pytest-xdist, with a keyspace for each worker or for each test"
    group.addoption(f"--{_KEYSPACES}", choices=("worker", "test"), default=None, help=help)
    parser.addini(_KEYSPACES, help=help, default="")
    help = "which server the emulator stands for: 7.2 to 8.10 or valkey-9.1 (8.2)"
    group.addoption(f"--{_COMPAT}", metavar="VERSION", default=None, help=help)
    parser.addini(_COMPAT, help=help, default="")
    add_ini_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


def pytest_runtest_setup(item: pytest.Item) -> None:
    check(item)


def _setting(config: pytest.Config, name: str) -> str:
    return str(config.getoption(name.replace("-", "_")) or config.getini(name) or "")


# With pytest-xdist and keyspaces: the server is the controller's

_SHARED = pytest.StashKey["Server"]()
_SHARED_URL = "redis_emulator_url"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker is about to start: it is told of the server that all share."""
    config = node.config
    if not _setting(config, _KEYSPACES) or _setting(config, _URL):
        return
    if _SHARED not in config.stash:
        config.stash[_SHARED] = _new_server(_setting(config, _COMPAT)).__enter__()
    node.workerinput[_SHARED_URL] = config.stash[_SHARED].url


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SHARED in config.stash:
        config.stash[_SHARED].__exit__()


def _new_server(compat: str = "") -> Server:
    from emulator import Server

    edition: dict[str, Any] = {"compat": compat} if compat else {}
    return Server(enable_debug_command="yes", **edition)


# Servers

_REPLICAS = 2
_WATCH = pytest.StashKey[Any]()


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[Server | RemoteServer]:
    """A server with ``host``, ``port``, ``url`` and ``clock``: the worker's own, the one that all share, or the one given."""
    worker = getattr(request.config, "workerinput", {})
    url = _setting(request.config, _URL) or worker.get(_SHARED_URL)
    if not url:
        with _new_server(_setting(request.config, _COMPAT)) as server:
            yield server
        return
    from emulator.testing.remote import RemoteServer

    remote = RemoteServer(url)
    shared = _setting(request.config, _KEYSPACES) and remote.is_emulator
    yield remote.keyspace(worker.get("workerid", "main")) if shared else remote
    remote.close()


@pytest.fixture(scope="session")
def _redis_editions() -> Iterator[Callable[[str], Server]]:
    """Finds the session's server of another edition than `redis_server`; it starts when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda compat: stack.enter_context(_new_server(compat)))


def _server_of(request: pytest.FixtureRequest) -> Server | RemoteServer:
    """The session's server of the edition that the markers of a test or a module ask for."""
    server: Server | RemoteServer = request.getfixturevalue("redis_server")
    compat = asked(request.node).get("compat")
    if compat is None or compat == _setting(request.config, _COMPAT):
        return server
    if not server.is_emulator:
        pytest.skip(f"a real server is of the version that it is, not of {compat}")
    found: Server = request.getfixturevalue("_redis_editions")(compat)
    return found


@pytest.fixture
def redis_server_factory() -> Iterator[Callable[..., Server]]:
    """Starts further servers, each with its own settings, with ``rdb=path`` the data of a file; they end with the test."""
    from emulator.testing.embedded import Server

    with ExitStack() as stack:

        def start(rdb: str | os.PathLike[str] | None = None, **settings: Any) -> Server:
            server = stack.enter_context(Server(**settings))
            if rdb is not None:
                server.load(rdb)
            return server

        yield start


@pytest.fixture
def redis_replicas() -> Iterator[Server]:
    """A server of the test's own with two ``replicas``, each of which is a server with a link that can lag and be cut."""
    from emulator.testing.embedded import Server

    with Server(replicas=_REPLICAS, enable_debug_command="yes") as server:
        yield server


@pytest.fixture
def redis_sentinel() -> Iterator[Sentinel]:
    """A master with two replicas and a sentinel that watches them: ``connect()``, ``failover()``, ``stop_master()``."""
    from emulator.testing.sentinel import Sentinel

    with Sentinel(replicas=_REPLICAS, enable_debug_command="yes") as sentinel:
        yield sentinel


@pytest.fixture
def redis_cluster() -> Iterator[Cluster]:
    """A cluster of three masters with a replica each: ``connect()``, ``node_of(key)``, ``failover()``, ``stop_master()``."""
    from emulator.testing.cluster import Cluster

    with Cluster(enable_debug_command="yes") as cluster:
        yield cluster


@pytest.fixture
def _redis_ready(request: pytest.FixtureRequest) -> Iterator[AnyServer]:
    """The test's server: empty, at the machine's time, and with the settings of the test's marker."""
    from emulator.testing.watch import Watch

    with ExitStack() as stack:
        of_session = _server_of(request)
        server: AnyServer = of_session
        if _setting(request.config, _KEYSPACES) == "test" and server.is_emulator:
            worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
            server = of_session.keyspace(f"{worker}.{request.node.name}")
            stack.callback(server.drop)
        stack.enter_context(_at_python_s_time(request, server))
        watch = request.node.stash[_WATCH] = Watch(server, settings_of(request.node), _is_strict(request.config))
        yield server
        left = watch.left_behind()
        watch.end()
        if left:
            pytest.fail("left behind on the server: " + "; ".join(left), pytrace=False)


@contextmanager
def _at_python_s_time(request: pytest.FixtureRequest, server: AnyServer) -> Iterator[None]:
    """Where the test asks for it the server's clock follows freezegun and time-machine, from now until the test's end."""
    if not wants_patched_time(request):
        yield
        return
    if not hasattr(server, "follow_patched_time"):
        pytest.skip("a server elsewhere does not know the time of this process")
    server.follow_patched_time(True)
    yield
    server.follow_patched_time(False)


def _is_strict(config: pytest.Config) -> bool:
    return bool(config.getoption(_STRICT.replace("-", "_")) or config.getini(_STRICT))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test that fails tells what it did to the server."""
    outcome: Any = yield
    report = outcome.get_result()
    watch = item.stash.get(_WATCH, None)
    if report.when == "call" and report.failed and watch is not None:
        report.sections.append(("redis-emulator", watch.report()))


# What the tests of a module share


@pytest.fixture(scope="module")
def redis_module(request: pytest.FixtureRequest) -> Iterator[Keyspace | RemoteServer]:
    """A Redis that the tests of a module share, empty at its beginning: ``url``, ``connect()``, ``clock``, ``snapshot()``."""
    server = _server_of(request)
    if not server.is_emulator:
        pytest.skip("a real server has no keyspace for a module: it is emptied before each test")
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    shared = server.keyspace(f"{worker}.{request.node.nodeid}")
    shared.perform(*(("CONFIG", "SET", *setting) for setting in settings_of(request.node).items()))
    with _at_python_s_time(request, shared):
        yield shared
    shared.drop()


@pytest.fixture(scope="module")
def redis_module_client(request: pytest.FixtureRequest, redis_module: Keyspace | RemoteServer) -> Iterator[redis.Redis]:
    """A ``redis.Redis`` whose data stay from one test of a module to the next."""
    with redis_module.connect(**client_options(request)) as client:
        yield client


# What tests use


@pytest.fixture
def redis_client(request: pytest.FixtureRequest, _redis_ready: AnyServer) -> Iterator[redis.Redis]:
    """A ``redis.Redis`` on an empty server."""
    with _redis_ready.connect(**client_options(request)) as client:
        yield client


@pytest.fixture
def async_redis_client(request: pytest.FixtureRequest, _redis_ready: AnyServer) -> Iterator[redis.asyncio.Redis]:
    """A ``redis.asyncio.Redis`` on an empty server, for whichever loop the test runs on, by whichever plugin or none."""
    from emulator.testing.any_loop import client_for_any_loop

    with client_for_any_loop(_redis_ready.url, **client_options(request)) as client:
        yield client


@pytest.fixture
def redis_url(request: pytest.FixtureRequest, _redis_ready: AnyServer) -> str:
    """The URL of an empty server."""
    from emulator.testing.handles import url_of_database

    return url_of_database(_redis_ready.url, client_options(request).get("db"))


@pytest.fixture
def rest_url(_redis_ready: AnyServer) -> str:
    """The URL of the Upstash REST API over the same data; `rest_token` opens it."""
    return _with_rest(_redis_ready).rest_url


@pytest.fixture
def rest_token(_redis_ready: AnyServer) -> str:
    """The token for `rest_url`."""
    return _with_rest(_redis_ready).rest_token


def _with_rest(server: AnyServer) -> Server | Keyspace:
    if not hasattr(type(server), "rest_url"):
        pytest.skip("a server elsewhere has a REST API of its own, or none")
    pytest.importorskip("h11", reason="the REST API needs h11: pip install h11")
    return server  # type: ignore[return-value]


@pytest.fixture
def redis_faults(_redis_ready: AnyServer) -> Iterator[FaultHandles]:
    """The server's faults: ``add(effect, command=..., key=...)``; after the test there are none."""
    if not _redis_ready.is_emulator:
        pytest.skip("a real server has no faults to order")
    yield _redis_ready.faults
    _redis_ready.faults.clear()


@pytest.fixture
def redis_clock(_redis_ready: AnyServer) -> Iterator[TurnableClock]:
    """The server's clock: ``freeze``, ``advance(seconds)``, ``set``; after the test it shows the machine's time again."""
    if not _redis_ready.is_emulator:
        pytest.skip("a real server's clock cannot be turned")
    yield _redis_ready.clock
    _redis_ready.clock.reset()
