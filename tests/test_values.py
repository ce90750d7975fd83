"""Replies that are handed to redis-py as values: each is what its parser reads from the bytes."""

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
    Named,
    Nested,
    Pairs,
    Set,
    Verbatim,
)
from emulator.testing.local import Local
from emulator.testing.values import VALUES, Value

SCALARS = [
    None, b"", b"text", b"\xff\x00\r\n", OK, bytearray(b"edited"), 0, -(2**63), True, False, 1.5, -0.0, 1e23,
    float("inf"), Verbatim(b"told"), BigNumber(b"123456789012345678901234567890"), NULL_ARRAY,
]  # fmt: skip
AGGREGATES = [
    [], [b"a", b"b"], [b"a", 1, None], (b"a", OK), SCALARS, [[b"a"], [[1.5, True]], NULL_ARRAY], {b"a"}, Set([b"a", b"b"]),
    {}, {b"a": b"b"},
    {b"a": {b"b": [OK, 2.5]}, 1: None}, Pairs([(b"a", 1.5), (b"b", b"c")]), Named([(b"a", 1), (b"a", [OK])]),
    Pairs(), [Pairs([(b"a", {b"b": True})])],
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
@pytest.mark.parametrize("reply", SCALARS + AGGREGATES, ids=repr)
def test_a_value_is_what_the_parser_reads(protocol, decoding, reply):
    client = emulator.connect(protocol=protocol, **decoding)
    connection = client.connection_pool.get_connection()
    for options in ({}, {"disable_decoding": True}):
        value = VALUES[protocol][reply.__class__](reply)
        assert value.__class__ is Value
        expected = outcome(connection, encode(reply, protocol), **options)
        assert outcome(connection, value, **options) == expected
        assert outcome(connection, value.written(), **options) == expected


@pytest.mark.parametrize("reply", NO_VALUES, ids=repr)
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


CASES = [case for case, _ in select([], "", [2]) if case.group not in ("config", "protocol", "debug")]


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
    assert compared
