"""Replies as they are read by those who talk to a server."""

import io

import pytest

from emulator.protocol.client_side import Double, LargeNumber, encoded, read_reply
from emulator.protocol.encoder import encode
from emulator.protocol.errors import CommandError, ProtocolError
from emulator.protocol.replies import Attributed, Named, Push, SetReply, Status, Verbatim


def read(data):
    stream = io.BytesIO(data)
    reply = read_reply(stream)
    assert stream.read() == b"", "the whole reply is read"
    return reply


VALUES = [None, 7, -(2**63), b"", b"a\r\nb", Status(b"OK"), [], [1, [b"x", [None]]], [[[]]]]
VALUES_OF_RESP3 = [
    True,
    False,
    Verbatim(b"a\nb"),
    SetReply([1, b"x"]),
    Push([b"message", 1]),
    Named([(b"k", [1]), ([b"k"], None)]),
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("protocol", [2, 3])
def test_what_is_encoded_is_read(value, protocol):
    reply = read(encode(value, protocol))
    assert reply == value and type(reply) is type(value)


@pytest.mark.parametrize("value", VALUES_OF_RESP3)
def test_so_is_what_only_resp3_has(value):
    reply = read(encode(value, 3))
    assert reply == value and type(reply) is type(value)


def test_numbers_keep_their_text():
    assert read(b",1.50e3\r\n") == Double(b"1.50e3")
    digits = b"1" * 5000
    assert read(b"(" + digits + b"\r\n") == LargeNumber(digits)


@pytest.mark.parametrize("data", [b"-ERR a \xff\r\n", b"!8\r\nERR a \xff\xfe\r\n"])
def test_errors_are_values(data):
    reply = read(b"*2\r\n" + data + b":1\r\n")
    assert isinstance(reply[0], CommandError) and str(reply[0]).startswith("ERR a \udcff")
    assert reply[1] == 1


def test_attributes_come_with_the_reply_that_they_are_of():
    reply = read(b"*1\r\n|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n")
    assert isinstance(reply[0], Attributed)
    assert (reply[0].attributes, reply[0].reply) == ([(b"ttl", 5)], b"x")


def test_null_arrays_are_null():
    assert read(b"*-1\r\n") is None and read(b"_\r\n") is None


@pytest.mark.parametrize("data", [b"", b"+OK", b"$5\r\nab", b"*2\r\n:1\r\n", b"%1\r\n:1\r\n", b"=8\r\ntxt:"])
def test_the_end_within_a_reply(data):
    with pytest.raises(EOFError):
        read_reply(io.BytesIO(data))


@pytest.mark.parametrize(
    "data", [b"?\r\n", b":x\r\n", b"$x\r\n", b"*\r\n", b":" + b"1" * 5000 + b"\r\n", b"*1\r\n" * 100_000]
)
def test_what_is_no_reply(data):
    with pytest.raises(ProtocolError):
        read_reply(io.BytesIO(data))


def test_commands_are_arrays_of_strings():
    assert encoded([b"SET", b"k", b""]) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"
