"""Fixtures: an engine with a manual clock and sessions without sockets; a server in the test's own loop, over loopback."""

import asyncio
import contextlib
import functools
import gc
import logging
import os
from collections import defaultdict

import pytest

from conformance import oracles, servers
from emulator import lua
from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.protocol.inline import split_inline
from emulator.rdb import crc64
from emulator.scripting import functions
from emulator.sockets import rounds
from tests import nursery

if nursery.FORKS:
    servers.begin = nursery.begin_server

SLOW = frozenset(
    """
    acl
    append_log
    bench
    cli
    cli_prompt
    client_features
    clients
    cloud_tour
    cluster_group
    cluster_migration
    cluster_nodes
    cluster_process
    cluster_real
    coming_from_fakeredis
    conformance
    container
    daemon
    deploy
    emulator_command
    funnel
    fuzz
    image
    isolation
    keyspaces
    lua
    main
    memory_usage
    package
    propagation
    protocol_fuzz
    pytest_asyncio
    pytest_plugin
    pytest_redis
    python_mistakes
    rdb_tool
    readme
    redis_om
    replica_channel
    replica_hostile
    replica_manners
    replica_parts
    replicas
    replication
    rest_conformance
    rest_gateway
    rest_http
    sample_project
    saving
    script_safety
    scenes
    script_users
    sentinel
    sentinel_file
    sentinel_node
    tls
    upstash_browser
    upstash_cli
    upstash_mcp
    upstash_node
    upstash_production
    upstash_python
    upstash_surface
    values
    """.split()
)
"""Files whose tests start processes, play every case, or need another program: ``--quick`` leaves them out, as it
does tests with this mark of their own, which take seconds."""


WAITING = ("[cluster_nodes", "[restart", "outlasts_kills")
"""Tests that wait for half a minute until nodes find one another dead, or servers start anew: a third of the workers begin
with them, while the others have work for the processors."""
LONG = ("test_conformance", "test_propagation", "test_upstash_cli", "test_cloud_tour")
"""Files with tests of many seconds, which come before the rest: else all would wait for the last of them in the end."""
BUSY = ("test_image", "test_values", "test_isolation", "test_funnel", "test_rest_conformance")
"""Files whose tests wait for nothing: half of the workers begin with them, since the long ones wait much of the time."""


class FailuresAtOnce:
    """Names each test when it fails: a long run may be ended before pytest comes to tell of it."""

    def __init__(self, reporter):
        self._reporter = reporter

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._reporter.write_line(f" {report.nodeid} ({report.when}) failed")


def pytest_sessionstart(session):
    plugins = session.config.pluginmanager
    if reporter := plugins.get_plugin("terminalreporter"):
        plugins.register(FailuresAtOnce(reporter))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """The tests that are found stay, and to look through them for what may go takes longer than to find them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem.removeprefix("test_") in SLOW:
            item.add_marker("slow")
    items[:] = in_order(items, workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def in_order(items, workers):
    """The tests in such an order that xdist, which gives each worker as many in a row, gives it its share of the long ones
    first."""
    of_kind = defaultdict(list)
    for item in items:
        of_kind[kind_of(item)].append(item)
    ordered = []
    for worker in range(workers):
        ordered += share(of_kind["waiting"], worker, -(-workers // 3))
        for kind in ("long", "busy", "other") if worker < workers // 2 else ("busy", "long", "other"):
            ordered += share(of_kind[kind], worker, workers)
    return ordered


def kind_of(item):
    """What a test is for the order of all."""
    if any(words in item.name for words in WAITING):
        return "waiting"
    return "long" if item.path.stem in LONG else "busy" if item.path.stem in BUSY else "other"


def share(items, worker, workers):
    """The tests of one worker where so many workers have all of them."""
    return items[len(items) * worker // workers : len(items) * (worker + 1) // workers]


collect_ignore = ["sample_project"]  # run as a project of its own by test_sample_project


@pytest.fixture(autouse=True)
def nobody_has_the_log():
    """A server that was run in this process by an earlier test may have taken it for itself."""
    logger = logging.getLogger("emulator")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


class Client:
    """A session driven by hand: `play` runs a line of words as redis-cli would take it and returns the reply's bytes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.session = Session(engine)

    def play(self, line: str | bytes) -> bytes:
        words = split_inline(line.encode() if isinstance(line, str) else line)
        run(self.session, [words], 0, 1)
        return self.received()

    def received(self) -> bytes:
        data = b"".join(self.session.out)
        self.session.out.clear()
        return data


def _forget_lua():
    for kept in (lua.function, lua._module, lua._execute, crc64._in_lua):
        kept.cache_clear()


@pytest.fixture
def plain_lua(monkeypatch):
    """What runs over bytes does so in the Lua that is there where LuaJIT is not."""
    monkeypatch.setattr(lua, "_LUAS", ("lua51",))
    _forget_lua()
    yield
    _forget_lua()


@pytest.fixture(params=["the quickest", "plain"])
def some_lua(request):
    """Once in the quickest Lua that there is, once in the plain one."""
    if request.param == "plain":
        request.getfixturevalue("plain_lua")


@pytest.fixture
def impatient(monkeypatch):
    """A library that loads without end is given up sooner: whenever all cases are played it would take half a second."""
    monkeypatch.setattr(functions, "_LOAD_SECONDS", 0.1)


@pytest.fixture
def engine():
    return Engine(Config(), ManualClock())


@pytest.fixture
def client(engine):
    return Client(engine)


@pytest.fixture
def another(engine):
    return Client(engine)


@pytest.fixture
def pass_time(engine):
    """Turn the manual clock and let expire what is due."""

    def turn(milliseconds: int) -> None:
        engine.clock.advance(milliseconds / 1000)
        while engine.timers.advance():
            pass

    return turn


@pytest.fixture
def serve(request):
    """``serve(scenario, **config)``: run ``await scenario(server)`` against a server in a loop of its own.

    It goes in rounds, unless it is parametrized with another way to run a loop.
    """
    run_loop = getattr(request, "param", rounds.run)

    def play(scenario, clock=None, **settings):
        from emulator.server.server import NetworkServer

        async def main():
            config = Config()
            config.bind = "127.0.0.1"
            config.port = servers.free_port()
            for name, value in settings.items():
                setattr(config, name, value)
            async with NetworkServer(Engine(config, clock)) as server:
                async with asyncio.timeout(60):
                    await scenario(server)

        run_loop(main())

    return play


def skip_without_oracle(error):
    """Without an oracle a visible skip, in CI a failure."""
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def oracle_present():
    try:
        servers.oracle_binary()
    except servers.NoOracle as error:
        skip_without_oracle(error)


@contextlib.contextmanager
def with_modules(modules=(), edition="8.2", options=()):
    """A subject and an oracle of an edition with the same modules and options."""
    with contextlib.ExitStack() as stack:
        try:
            oracle = stack.enter_context(servers.oracle(oracles.binary(edition), *options, modules=modules))
        except servers.NoOracle as error:
            skip_without_oracle(error)
        yield stack.enter_context(servers.emulator(None, "--compat", edition, *options, modules=modules)), oracle


@pytest.fixture(scope="module")
def pairs():
    """``pairs(modules, edition, options)``: the servers of `with_modules`, kept for who asks for the same in this file."""
    with contextlib.ExitStack() as stack:
        kept = functools.cache(lambda *which: stack.enter_context(with_modules(*which)))
        yield lambda modules=(), edition="8.2", options=(): kept(modules, edition, options)


@pytest.fixture(scope="module")
def addresses(pairs):
    """The base servers."""
    return pairs()
