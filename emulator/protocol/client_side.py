"""The other side of the protocol, for those who talk to a server: commands to bytes, and bytes to replies.

Numbers that Python would print otherwise than they came keep their text.  Source: the RESP specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from emulator.protocol.errors import CommandError, ProtocolError
from emulator.protocol.replies import Attributed, Named, Push, Reply, Set, Status, Verbatim


class Stream(Protocol):
    """Where replies are read from: a binary file, say.  Fewer bytes than asked for mean the end."""

    def readline(self) -> bytes: ...

    def read(self, size: int, /) -> bytes: ...


class Double(bytes):
    """A double as it was printed."""

    __slots__ = ()


class LargeNumber(bytes):
    """A big number as it was printed."""

    __slots__ = ()


_HEADS = [b"\r\n$%d\r\n" % size for size in range(256)]
"""What comes before a word of so many bytes: to look that up takes half the time of making it."""


def encoded(words: Sequence[bytes]) -> bytes:
    """A command as it is sent."""
    parts = [b"*%d" % len(words)]
    for word in words:
        size = len(word)
        parts += (_HEADS[size] if size < len(_HEADS) else b"\r\n$%d\r\n" % size), word
    parts.append(b"\r\n")
    return b"".join(parts)


def read_reply(stream: Stream) -> Reply:
    """The next reply.

    Besides the values of `replies` these are `Double` and `LargeNumber`; a map is `Named`, for its keys may be anything.
    Raises EOFError where the stream ends, `ProtocolError` for what is no reply.
    """
    try:
        return _reply(stream)
    except ValueError:
        raise ProtocolError("a length or a number is none") from None
    except RecursionError:
        raise ProtocolError("replies are nested too deeply") from None


def _reply(stream: Stream) -> Reply:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        return None if rest == b"-1" else _payload(stream, int(rest))
    if kind == b"+":
        return Status(rest)
    if kind == b":":
        return int(rest)
    if kind == b"-":
        return _error(rest)
    if kind == b"*":
        return None if rest == b"-1" else [_reply(stream) for _ in range(int(rest))]
    return _reply_of_resp3(stream, kind, rest)


def _reply_of_resp3(stream: Stream, kind: bytes, rest: bytes) -> Reply:
    if kind == b"%":
        return Named((_reply(stream), _reply(stream)) for _ in range(int(rest)))
    if kind == b"~":
        return Set(_reply(stream) for _ in range(int(rest)))
    if kind == b">":
        return Push(_reply(stream) for _ in range(int(rest)))
    if kind == b"_":
        return None
    if kind == b"#":
        return rest == b"t"
    if kind == b",":
        return Double(rest)
    if kind == b"(":
        return LargeNumber(rest)
    if kind == b"=":
        return Verbatim(_payload(stream, int(rest))[4:])
    if kind == b"!":
        return _error(_payload(stream, int(rest)))
    if kind == b"|":
        attributes = Named((_reply(stream), _reply(stream)) for _ in range(int(rest)))
        return Attributed(attributes, _reply(stream))
    raise ProtocolError(f'got "{kind.decode("latin-1")}" as reply type byte')


def _payload(stream: Stream, size: int) -> bytes:
    data = stream.read(size + 2)
    if len(data) < size + 2:
        raise EOFError
    return data[:-2]


def _error(text: bytes) -> CommandError:
    return CommandError(text.decode("utf-8", "surrogateescape"))
