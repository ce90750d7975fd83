"""The client's side of the protocol: encodes commands and reads replies.

Numbers that Python would print differently keep their text.  Source: the RESP specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from emulator.protocol.errors import CommandError, ProtocolError
from emulator.protocol.replies import Attributed, Named, Push, Received, SetReply, Status, Verbatim
from emulator.protocol.text import to_text


class ByteStream(Protocol):
    """A source of replies, such as a binary file.  A read that returns too few bytes means the end."""

    def readline(self) -> bytes: ...

    def read(self, size: int, /) -> bytes: ...


class Double(bytes):
    """A double in its original text."""

    __slots__ = ()


class LargeNumber(bytes):
    """A big number in its original text."""

    __slots__ = ()


class _Texts(dict[int, bytes]):
    """A number as the protocol has it; to look up a small one takes half the time of making it."""

    def __init__(self, form: bytes) -> None:
        super().__init__((number, form % number) for number in range(256))
        self._form = form

    def __missing__(self, number: int) -> bytes:
        return self._form % number


_COUNTS = _Texts(b"*%d")
_SIZES = _Texts(b"\r\n$%d\r\n")


def encoded(*commands: Sequence[bytes]) -> bytes:
    """Return the bytes of commands."""
    parts: list[bytes] = []
    for words in commands:
        if len(words) == 3:  # most of a log: spelt out it takes half the time
            name, key, value = words
            parts += b"*3", _SIZES[len(name)], name, _SIZES[len(key)], key, _SIZES[len(value)], value, b"\r\n"
            continue
        parts.append(_COUNTS[len(words)])
        for word in words:
            parts += _SIZES[len(word)], word
        parts.append(b"\r\n")
    return b"".join(parts)


def read_reply(stream: ByteStream) -> Received:
    """Read the next reply.

    The values are those of `replies`, `Double` and `LargeNumber`; a map is `Named`, since its keys may be of any type.
    Raises EOFError if the stream ends, `ProtocolError` for bytes that are no reply.
    """
    try:
        return _reply(stream)
    except ValueError:
        raise ProtocolError("a length or a number is none") from None
    except RecursionError:
        raise ProtocolError("replies are nested too deeply") from None


def _reply(stream: ByteStream) -> Received:
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


def _reply_of_resp3(stream: ByteStream, kind: bytes, rest: bytes) -> Received:
    if kind == b"%":
        return Named((_reply(stream), _reply(stream)) for _ in range(int(rest)))
    if kind == b"~":
        return SetReply(_reply(stream) for _ in range(int(rest)))
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


def _payload(stream: ByteStream, size: int) -> bytes:
    data = stream.read(size + 2)
    if len(data) < size + 2:
        raise EOFError
    return data[:-2]


def _error(text: bytes) -> CommandError:
    return CommandError(to_text(text))
