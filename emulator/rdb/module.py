"""What modules' types have in payloads and RDB files: an id, numbers and strings with a code before each, and an end.

Source: the RDB file format, module values of the second kind.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from emulator.config.edition import load_module
from emulator.datatypes.types import TYPES, Structure, Text, payload_of
from emulator.protocol.numbers import wrapped
from emulator.rdb import kinds
from emulator.rdb.errors import BadData
from emulator.rdb.long_string import LONG, Content, pieces
from emulator.rdb.payload import length
from emulator.rdb.payload import string as compressing

if TYPE_CHECKING:
    from emulator.config.edition import Edition
    from emulator.rdb.payload import Reader

_END, _SIGNED, _UNSIGNED, _FLOAT, _DOUBLE, _STRING = range(6)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_MASK: Final = (1 << 64) - 1


def type_id(name: str, version: int) -> int:
    """The id of a type of nine letters, six bits each, with the version of its form from 0 to 1023."""
    id = 0
    for letter in name:
        id = id << 6 | _LETTERS.index(letter)
    return id << 10 | version


# Writing


def unsigned(number: int) -> bytes:
    """An integer below 2**64."""
    return length(_UNSIGNED) + length(number)


def signed(number: int) -> bytes:
    """An integer of 64 bits."""
    return length(_SIGNED) + length(number & _MASK)


def single(number: float) -> bytes:
    """A double that is kept in four bytes."""
    return length(_FLOAT) + struct.pack("<f", number)


def double(number: float) -> bytes:
    """A double."""
    return length(_DOUBLE) + struct.pack("<d", number)


def string(content: bytes, text: Text) -> bytes:
    """A string."""
    return length(_STRING) + text(content)


def save(value: Structure, text: Text) -> tuple[int, bytes]:
    """The kind and the bytes of a value whose type is a module's.  O(n)."""
    payload = TYPES[value.__class__].payload
    assert payload is not None
    return kinds.MODULE, b"".join(framed(value, payload.save(value, text)))


def framed(value: Structure, parts: Iterable[bytes]) -> Iterable[bytes]:
    """What a type has made of a value, between its id and the end."""
    payload = TYPES[value.__class__].payload
    assert payload is not None
    return chain((length(payload.id),), parts, (length(_END),))


def room(content: Content, text: Text) -> Iterator[bytes]:
    """A string that may be very long, in pieces."""
    if len(content) < LONG:
        yield string(bytes(content[:]), text)
        return
    yield length(_STRING)
    yield from pieces(content, compresses=text is compressing)


# Reading; each raises `BadData` where something else comes


def _expect(reader: Reader, code: int) -> None:
    if reader.length() != code:
        raise BadData


def read_unsigned(reader: Reader) -> int:
    """An integer below 2**64."""
    _expect(reader, _UNSIGNED)
    return reader.length()


def read_signed(reader: Reader) -> int:
    """An integer of 64 bits."""
    _expect(reader, _SIGNED)
    return wrapped(reader.length())


def read_single(reader: Reader) -> float:
    """A double that was kept in four bytes."""
    _expect(reader, _FLOAT)
    number: float = struct.unpack("<f", reader.take(4))[0]
    return number


def read_double(reader: Reader) -> float:
    """A double."""
    _expect(reader, _DOUBLE)
    number: float = struct.unpack("<d", reader.take(8))[0]
    return number


def read_string(reader: Reader) -> bytes:
    """A string."""
    _expect(reader, _STRING)
    return reader.string()


class Server(Protocol):
    """Who reads."""

    @property
    def edition(self) -> Edition: ...


def load(reader: Reader, server: Server) -> Structure:
    """A value of the type whose id comes next; its module is imported if need be.  O(n)."""
    id, edition = reader.length(), server.edition
    for module in edition.modules:
        if any(type_id(name, 0) >> 10 == id >> 10 for name in module.types):
            load_module(module)
    payload, version = payload_of(id)
    if payload is None or not edition.has(payload.module):
        raise BadData
    value = payload.load(reader, version)
    _expect(reader, _END)
    return value


def skip(reader: Reader) -> None:
    """Read what any module has written, up to its end, and forget it.  Raises `BadData`."""
    while (code := reader.length()) != _END:
        if code in (_SIGNED, _UNSIGNED):
            reader.length()
        elif code in (_FLOAT, _DOUBLE):
            reader.take(4 if code == _FLOAT else 8)
        elif code == _STRING:
            reader.string()
        else:
            raise BadData
