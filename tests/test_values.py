"""Replies that are handed to redis-py as values: each is what its parser reads from the bytes."""

import asyncio

import pytest
import redis

import emulator
from conformance.__main__ import select
from emulator.clock import ManualClock
from emulator.protocol.encoder import encode
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import (
    NULL_ARRAY,
    OK,
    Attributed,
    BigNumber,
    Entries,
    Named,
    Nested,
    Pairs,
    Rows,
    SetReply,
    Verbatim,
)
from emulator.testing.local import Local
from emulator.testing.values import VALUES, Value

SCALARS = [
    None, b"", b"text", b"\xff\x00\r\n", OK, bytearray(b"edited"), 0, -(2**63), True, False, 1.5, -0.0, 1e23,
    float("inf"), Verbatim(b"told"), BigNumber(b"123456789012345678901234567890"), NULL_ARRAY,
]  # fmt: skip
AGGREGATES = [
    [], [b"a", b"b"], [b"a", 1, None], (b"a", OK), SCALARS, [[b"a"], [[1.5, True]], NULL_ARRAY], {b"a"},
    SetReply([b"a", b"b"]),
    {}, {b"a": b"b"},
    {b"a": {b"b": [OK, 2.5]}, 1: None}, Pairs([b"a", b"b"], [1.5, b"c"]), Named([(b"a", 1), (b"a", [OK])]),
    Rows([]), Rows([b"a", b"b"], [1, None], Rows([1.5, 2.5], [b"", OK])),
    Entries([]), Entries([[[b"1-1", b"2-1"], [b"f", b"f"], [b"a", b"b"]]]), Pairs(), [Pairs([b"a"], [{b"b": True}])],
]  # fmt: skip
NO_VALUES = [CommandError("ERR no"), [b"a", CommandError("ERR no")], Attributed({b"a": 1}, b"b"), Nested([b"a"])]


def outcome(connection, reply, **options):
    """What is read, or how reading fails; and the class of each thing, since 1 is True."""
    connection._sock.received.append(reply)
    try:
        return repr(connection.read_response(disconnect_on_error=False, **options))
    except (redis.RedisError, UnicodeDecodeError) as error:
        connection._sock.received.clear()
        connection._parser._buffer._buffer.truncate(0)
        connection._parser._buffer._buffer.seek(0)
        return repr(error)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request):
    return request.param


@pytest.mark.parametrize(
    "decoding", [{}, {"decode_responses": True}, {"decode_responses": True, "encoding": "latin-1"}]
)
@pytest.mark.parametrize("reply", SCALARS + AGGREGATES, ids=lambda reply: type(reply).__name__)
def test_a_value_is_what_the_parser_reads(protocol, decoding, reply):
    client = emulator.connect(protocol=protocol, **decoding)
    connection = client.connection_pool.get_connection()
    for options in ({}, {"disable_decoding": True}):
        value = VALUES[protocol][reply.__class__](reply)
        assert value.__class__ is Value
        expected = outcome(connection, encode(reply, protocol), **options)
        assert outcome(connection, value, **options) == expected
        assert outcome(connection, value.written(), **options) == expected


@pytest.mark.parametrize("reply", NO_VALUES, ids=lambda reply: type(reply).__name__)
def test_what_is_no_plain_value_becomes_bytes(protocol, reply):
    table = VALUES[protocol]
    assert table[reply.__class__](reply) == encode(reply, protocol)


def test_a_value_is_its_readers_own(protocol):
    client = emulator.connect(protocol=protocol)
    client.hset("hash", "field", "text")
    client.hgetall("hash")[b"field"] = b"other"
    client.sadd("set", "member")
    client.smembers("set").clear()
    assert client.hgetall("hash") == {b"field": b"text"} and client.smembers("set") == {b"member"}


def test_a_map_whose_names_are_no_keys_is_read_as_over_a_socket():
    reply = Named([([b"a"], 1)])
    assert VALUES[3][Named](reply) == encode(reply, 3)


def test_a_value_behind_bytes_is_read_in_its_turn(protocol):
    connection = emulator.connect(protocol=protocol).connection_pool.get_connection()
    received = connection._sock.received
    received.extend([b"+one\r\n+two\r\n", VALUES[protocol][bytes](b"three"), VALUES[protocol][bytes](b"four")])
    assert connection.can_read()
    assert [connection.read_response() for _ in range(4)] == [b"one", b"two", b"three", b"four"]


@pytest.mark.parametrize("decoding", [False, True])
def test_on_a_loop_values_and_bytes_come_in_their_order(protocol, decoding):
    async def play():
        client = emulator.aconnect(protocol=protocol, decode_responses=decoding)
        text = str if decoding else str.encode
        await client.rpush("list", "a", "b")
        assert await client.lrange("list", 0, -1) == [text("a"), text("b")]
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.lrange("list", 0, -1).incr("list").hset("hash", "f", "v").hgetall("hash")
            first, error, count, fields = await pipeline.execute(raise_on_error=False)
        assert (first, count, fields) == ([text("a"), text("b")], 1, {text("f"): text("v")})
        assert isinstance(error, redis.ResponseError)
        async with client.pipeline() as pipeline:
            assert await pipeline.lrange("list", 0, -1).get("none").execute() == [[text("a"), text("b")], None]
        await client.set("bytes", b"\xff")
        if decoding:
            with pytest.raises(UnicodeDecodeError):
                await client.get("bytes")
        assert await client.llen("list") == 2
        await client.aclose()

    asyncio.run(play())


def test_on_a_loop_who_waits_for_a_message_gets_the_answer_to_another_tasks_command():
    async def play():
        client = emulator.aconnect(protocol=3)
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("channel")
            await pubsub.get_message(timeout=1)
            waiting = asyncio.create_task(pubsub.get_message(timeout=10))
            await asyncio.sleep(0)
            await pubsub.ping("hello")
            assert (await waiting)["data"] == b"hello"
            await client.publish("channel", "text")
            assert (await pubsub.get_message(timeout=10))["data"] == b"text"
        await client.aclose()

    asyncio.run(play())


def test_on_a_loop_a_reply_nobody_has_read_is_seen():
    async def play():
        client = emulator.aconnect()
        connection = await client.connection_pool.get_connection()
        assert not await connection.can_read()
        await connection.send_command("GET", "key")
        assert await connection.can_read() and await connection.read_response() is None
        await client.connection_pool.release(connection)
        await client.aclose()

    asyncio.run(play())


LEFT_OUT = ("config", "protocol", "debug", "string_conditions")  # the last has nothing but errors on 8.2
CASES = [case for case, _ in select([], "", [2]) if case.group not in LEFT_OUT and not case.restarts]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", sorted({case.group for case in CASES}))
def test_every_reply_of_the_cases_is_read_as_from_its_bytes(protocol, group, monkeypatch):
    """The values made of all replies, and those that a reader makes of the bytes which the encoder makes of them."""
    reader = emulator.connect(protocol=protocol).connection_pool.get_connection()
    table, compared = VALUES[protocol], 0

    def checked(make):
        def check(reply):
            nonlocal compared
            value = make(reply)
            if value.__class__ is Value:
                compared += 1
                assert outcome(reader, value) == outcome(reader, encode(reply, protocol))
            return value

        return check

    monkeypatch.setitem(VALUES, protocol, {kind: checked(make) for kind, make in table.items()})
    for case in CASES:
        if case.group == group and "slow" not in case.name:
            local, sockets = Local(ManualClock()), {}
            for step in case.steps:
                if step.action == "command" and b"${" not in b" ".join(step.words):
                    socket = sockets.get(step.connection)
                    if socket is None or socket.closed:
                        socket = sockets[step.connection] = local.socket()
                        socket.submit([[b"HELLO", b"%d" % protocol]])
                    socket.submit([step.words])
                    socket.received.clear()
            assert not local.engine.stats.unexpected_errors
    assert compared or group.startswith("valkey_")  # of which 8.2 knows nothing
