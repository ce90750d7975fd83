"""Clients of redis-py on an engine of this process: no socket, no thread of its own, waits that wake by events."""

import asyncio
import gc
import itertools
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import emulator
from emulator.clients.memory import usage
from emulator.clock import ManualClock
from emulator.testing.local import Local


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(request):
    with emulator.connect(protocol=request.param, decode_responses=True) as client:
        yield client


def test_it_is_a_real_client(client):
    assert isinstance(client, redis.Redis)
    assert client.set("k", "v", ex=100) and client.get("k") == "v"
    assert client.hset("h", mapping={"a": 1}) == 1 and client.hgetall("h") == {"a": "1"}
    assert client.eval("return redis.call('incrby', KEYS[1], 5)", 1, "n") == 5
    assert client.get("x" * 100_000) is None
    client.set("large", "y" * 3_000_000)
    assert len(client.get("large")) == 3_000_000
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.lpush("k", 1)
    with client.pipeline() as pipeline:
        assert pipeline.incr("p").incr("p").execute() == [1, 2]


@pytest.mark.filterwarnings("ignore:.*lib_name:DeprecationWarning")
def test_a_client_says_what_it_is_unless_it_is_told_otherwise():
    local = emulator.Local()
    with emulator.Server() as server:
        for handle in (local, server):
            told = handle.connect().client_info()
            assert (told["lib-name"], told["lib-ver"]) == ("redis-py", redis.__version__)
            assert handle.connect(lib_name="other").client_info()["lib-name"] == "other"


def test_who_names_the_same_engine_shares_its_data():
    one, other, stranger = emulator.connect("shared"), emulator.connect("shared"), emulator.connect()
    one.set("k", "v")
    assert other.get("k") == b"v" and stranger.get("k") is None
    local = emulator.Local()
    local.connect().set("k", "w")
    assert emulator.connect(local).get("k") == b"w" and one.get("k") == b"v"
    one.flushall()


def test_settings_are_those_of_redis_conf():
    local = emulator.Local(maxmemory="10mb", maxmemory_policy="allkeys-lru", requirepass="secret")
    with pytest.raises(redis.AuthenticationError):
        local.connect(password=None, retry=None).ping()
    client = local.connect(password="secret", decode_responses=True)
    assert client.config_get("maxmemory*")["maxmemory"] == str(10 << 20)


def test_a_watched_key_that_changes_ends_a_transaction(client):
    local = client.connection_pool.connection_kwargs["local"]
    with client.pipeline() as pipeline:
        pipeline.watch("k")
        local.connect().set("k", "changed")
        pipeline.multi()
        pipeline.get("k")
        with pytest.raises(redis.WatchError):
            pipeline.execute()


def test_who_waits_is_woken_by_another_thread(client):
    local = client.connection_pool.connection_kwargs["local"]
    waiting = threading.Event()

    def push():
        other = local.connect()
        waiting.set()
        while not other.info("clients")["blocked_clients"]:
            time.sleep(0.001)
        other.rpush("later", "x")

    thread = threading.Thread(target=push)
    thread.start()
    assert list(client.blpop("later", 10)) == ["later", "x"]
    thread.join()
    assert client.blpop("never", 0.01) is None


def test_messages_and_events_arrive_without_anybody_asking(client):
    client.config_set("notify-keyspace-events", "KEA")
    with client.pubsub() as pubsub:
        pubsub.psubscribe("__keyevent@0__:*")
        assert pubsub.get_message(timeout=60)["type"] == "psubscribe"
        client.set("k", "v", px=20)
        channels = [pubsub.get_message(timeout=60)["channel"] for _ in range(3)]
        assert [channel.rpartition(":")[2] for channel in channels] == ["set", "expire", "expired"]
        assert pubsub.get_message(timeout=0.001) is None


def test_time_can_be_in_the_test_s_hand():
    clock = ManualClock()
    client = emulator.Local(clock).connect()
    client.set("k", "v", ex=100)
    clock.advance(99.999)
    assert client.get("k") == b"v"
    clock.advance(0.001)
    assert client.get("k") is None


def test_a_client_tries_as_often_as_one_with_a_socket_does():
    local = emulator.Local()

    async def asynchronous():
        async with local.aconnect() as here, redis.asyncio.Redis() as there:
            return here.get_retry(), there.get_retry()

    for here, there in ((local.connect().get_retry(), redis.Redis().get_retry()), asyncio.run(asynchronous())):
        assert here.get_retries() == there.get_retries() > 0
    fault = local.faults.add("drop-before", command="get", times=1)
    assert local.connect().get("k") is None and fault.fired == 1
    local.faults.add("drop-before", command="get", times=1)
    with pytest.raises(redis.ConnectionError):
        local.connect(retry=None).get("k")


@pytest.mark.parametrize("retries", [0, 1, 3, 5])
@pytest.mark.parametrize("effect", ["drop-before", "drop-after", "error"])
def test_it_is_tried_again_as_often_as_over_a_network(effect, retries):
    figures = []
    with emulator.Server() as server:
        for handle in (emulator.Local(), server):
            retry = Retry(NoBackoff(), retries)
            given = {"error": "LOADING soon"} if effect == "error" else {}
            fault = handle.faults.add(effect, command="incr*", times=3, **given)
            client = handle.connect(retry=retry, retry_on_error=[redis.exceptions.BusyLoadingError])
            try:
                outcome = client.incr("n")
            except redis.RedisError as error:
                outcome = type(error)
            figures.append((outcome, fault.fired, client.get("n")))
            client.close()
    assert figures[0] == figures[1] and figures[0][1] == min(retries + 1, 3)


def test_redis_py_measures_commands_where_it_is_told_to(monkeypatch):
    client, told = emulator.connect(), []
    monkeypatch.setattr(emulator.testing.client, "is_observed", lambda: True)
    monkeypatch.setattr(redis.client, "record_operation_duration", lambda **what: told.append(what["command_name"]))
    client.set("k", "v")
    assert told[-1] == "SET"


@pytest.mark.parametrize("name", ["COMMAND COUNT", b"COMMAND COUNT", "command  count ", b" command  count"])
def test_a_name_may_be_of_several_words(name):
    assert emulator.connect().execute_command(name) > 300


def test_a_killed_client_connects_anew(client):
    local = client.connection_pool.connection_kwargs["local"]
    number = client.client_id()
    assert local.connect().client_kill_filter(_id=number) == 1
    assert client.ping() and client.client_id() != number


def test_many_threads_at_once():
    local = emulator.Local()

    def work():
        client = local.connect()
        for _ in range(300):
            client.incr("n")
            client.rpush("q", "x")
            client.blpop("q", 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert local.connect().get("n") == b"2400"


@pytest.mark.parametrize("protocol", [2, 3])
def test_asyncio(protocol):
    local = emulator.Local()
    client = local.aconnect(protocol=protocol, decode_responses=True)

    async def scenario():
        assert isinstance(client, redis.asyncio.Redis)
        assert await client.set("k", "v") and await client.get("k") == "v"
        assert await client.pipeline().incr("n").incr("n").execute() == [1, 2]
        popping = asyncio.create_task(client.blpop("later", 10))
        await asyncio.sleep(0)
        await local.aconnect().rpush("later", "x")
        assert list(await popping) == ["later", "x"]
        assert await client.blpop("never", 0.01) is None
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("c")
            assert (await pubsub.get_message(timeout=60))["type"] == "subscribe"
            await client.publish("c", "x")
            assert (await pubsub.get_message(timeout=60))["data"] == "x"
        await client.aclose()

    asyncio.run(scenario())


def test_an_asyncio_client_is_woken_by_a_thread():
    local = emulator.Local()

    async def scenario():
        client = local.aconnect()
        popping = asyncio.create_task(client.blpop("later", 10))
        await asyncio.to_thread(local.connect().rpush, "later", "x")
        assert list(await popping) == [b"later", b"x"]
        await client.aclose()

    asyncio.run(scenario())


def test_one_client_serves_one_loop_after_another():
    local = emulator.Local()
    for number in range(3):

        async def scenario(number=number):
            client = local.aconnect()
            assert await client.incr("n") == number + 1
            await client.aclose()

        asyncio.run(scenario())


def test_scripts_and_waits_leave_nothing_behind():
    client = emulator.connect(protocol=2)
    local = client.connection_pool.connection_kwargs["local"]
    for number in range(200):
        client.eval(f"return {number}", 0)
        client.blpop("never", 0.0001)
    gc.collect()
    assert len(local.engine.sessions) == 1
    assert local.engine.wheel.count == 0 and not local.engine.blocking.blocks


@pytest.mark.slow
def test_scripts_and_waits_that_are_woken_leave_no_objects_behind():
    local = emulator.Local()
    client, numbers = local.connect(), itertools.count()
    client.config_set("slowlog-log-slower-than", -1)  # on a busy machine some are slow, and would be kept there

    def scripts():
        for _ in range(600):  # more than are kept
            client.eval(f"return {next(numbers)}", 0)

    def reads_woken_by_a_thread():
        with local.connect() as reader, ThreadPoolExecutor(1) as thread:
            for number in range(100):
                reading = thread.submit(reader.blpop, "list", 0)
                while not client.info("clients")["blocked_clients"]:
                    time.sleep(0)
                client.rpush("list", number)
                assert list(reading.result()) == [b"list", b"%d" % number]

    def reads_woken_by_a_task():
        async def scenario():
            async with local.aconnect() as reader, local.aconnect() as writer:
                for number in range(100):
                    reading = asyncio.create_task(reader.blpop("list", 0))
                    await asyncio.sleep(0)
                    await writer.rpush("list", number)
                    assert list(await reading) == [b"list", b"%d" % number]

        asyncio.run(scenario())

    for work in (scripts, reads_woken_by_a_thread, reads_woken_by_a_task):
        work()
        gc.collect()
        before = len(gc.get_objects())
        work()
        work()
        gc.collect()
        assert len(gc.get_objects()) - before < 50, work.__name__
    assert client.info("memory")["number_of_cached_scripts"] == 500


def test_what_only_scripts_need_is_imported_by_the_first_script():
    program = (
        "import emulator, sys\n"
        "client = emulator.connect()\n"
        "client.set('k', 'v')\n"
        "assert 'lupa' not in sys.modules\n"
        "client.eval('return 1', 0)\n"
        "assert 'lupa' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_of_garbage_is_as_it_was_when_all_is_imported(collects):
    program = f"import gc, emulator; ({collects} or gc.disable()); emulator.connect().ping(); print(gc.isenabled())"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == str(collects)


def test_clients_that_nobody_holds_any_more_may_go_while_all_are_looked_at(monkeypatch):
    local = Local()
    lost = [local.socket() for _ in range(3)]

    def look(session):
        if lost:
            lost.pop().close()
        return usage(session)

    monkeypatch.setattr("emulator.clients.memory.usage", look)
    told = local.perform((b"INFO", b"clients"), (b"INFO", b"memory"))
    assert [isinstance(text, bytes) for text in told] == [True, True]
