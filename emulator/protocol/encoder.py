"""Replies to bytes: one table of encoders for RESP2 and one for RESP3, keyed by the class of the value.

The tables are public so that the dispatch loop finds the encoder of the commonest replies with one lookup; everybody
else calls `encode`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import format_double
from emulator.protocol.replies import (
    Attributed,
    BigNumber,
    Named,
    NoReply,
    NullArray,
    Pairs,
    Push,
    Replies,
    Reply,
    Set,
    Status,
    Verbatim,
)

Encoders = dict[type, Callable[[Any], bytes]]

_BULK_HEADS = [b"$%d\r\n" % length for length in range(1024)]
_SMALL_INTEGERS = [b":%d\r\n" % number for number in range(1024)]


def _bulk(value: bytes) -> bytes:
    length = len(value)
    if length < 1024:
        return _BULK_HEADS[length] + value + b"\r\n"
    return b"$%d\r\n%b\r\n" % (length, value)


def _integer(value: int) -> bytes:
    if 0 <= value < 1024:
        return _SMALL_INTEGERS[value]
    return b":%d\r\n" % value


def _status(value: bytes) -> bytes:
    return b"+%b\r\n" % value


def _error(value: CommandError) -> bytes:
    """An error is one line: line breaks in it (they come from the client's own words) become spaces, at its end nothing."""
    text = str(value).encode("utf-8", "surrogateescape").rstrip(b"\r\n")
    return b"-%b\r\n" % text.replace(b"\r", b" ").replace(b"\n", b" ")


def _no_reply(value: NoReply) -> bytes:
    return b""


class _Encoder:
    """The two protocols share everything but the heads of aggregates and a few scalar forms."""

    def __init__(self) -> None:
        self.table: Encoders = {
            bytes: _bulk,
            bytearray: _bulk,
            int: _integer,
            Status: _status,
            CommandError: _error,
            list: self._array,
            tuple: self._array,
            Replies: self._replies,
            NoReply: _no_reply,
        }

    def _elements(self, head: bytes, values: Iterable[Reply]) -> bytes:
        parts = [head]
        append = parts.append
        table = self.table
        for value in values:
            kind = value.__class__
            if kind is bytes and len(value) < 1024:
                append(_BULK_HEADS[len(value)] + value + b"\r\n")
            else:
                append(table[kind](value))
        return b"".join(parts)

    def _array(self, values: list[Reply]) -> bytes:
        return self._elements(b"*%d\r\n" % len(values), values)

    def _replies(self, values: Replies) -> bytes:
        return self._elements(b"", values)


class _Resp2(_Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.table |= {
            type(None): lambda _: b"$-1\r\n",
            NullArray: lambda _: b"*-1\r\n",
            bool: lambda value: b":1\r\n" if value else b":0\r\n",
            float: lambda value: _bulk(format_double(value)),
            BigNumber: lambda value: _bulk(b"%d" % value),
            Verbatim: _bulk,
            dict: lambda value: self._elements(b"*%d\r\n" % (2 * len(value)), _flat(value.items())),
            set: self._array,
            Set: self._array,
            Push: self._array,
            Pairs: lambda value: self._elements(b"*%d\r\n" % (2 * len(value)), _flat(value)),
            Named: self._array,
            Attributed: lambda value: self._elements(b"", (value.reply,)),
        }


class _Resp3(_Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.table |= {
            type(None): lambda _: b"_\r\n",
            NullArray: lambda _: b"_\r\n",
            bool: lambda value: b"#t\r\n" if value else b"#f\r\n",
            float: lambda value: b",%b\r\n" % format_double(value),
            BigNumber: lambda value: b"(%d\r\n" % value,
            Verbatim: lambda value: b"=%d\r\ntxt:%b\r\n" % (len(value) + 4, value),
            dict: lambda value: self._elements(b"%%%d\r\n" % len(value), _flat(value.items())),
            set: lambda value: self._elements(b"~%d\r\n" % len(value), value),
            Set: lambda value: self._elements(b"~%d\r\n" % len(value), value),
            Push: lambda value: self._elements(b">%d\r\n" % len(value), value),
            Pairs: self._array,
            Named: lambda value: self._elements(b"%%%d\r\n" % len(value), _flat(value)),
            Attributed: self._attributed,
        }

    def _attributed(self, value: Attributed) -> bytes:
        head = b"|%d\r\n" % len(value.attributes)
        return self._elements(head, (*_flat(value.attributes.items()), value.reply))


def _flat(pairs: Iterable[tuple[Reply, Reply]]) -> list[Reply]:
    return [value for pair in pairs for value in pair]


RESP2: Encoders = _Resp2().table
RESP3: Encoders = _Resp3().table


def encode(value: Reply, protocol: int) -> bytes:
    """The bytes of a reply on RESP `protocol` 2 or 3.  Raises KeyError for a value of a class that is no reply."""
    return (RESP3 if protocol == 3 else RESP2)[value.__class__](value)
