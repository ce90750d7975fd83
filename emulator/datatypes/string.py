"""Strings are ``bytes``; one that has been edited in place is a ``bytearray`` and keeps the encoding ``raw``."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypeVar

from emulator.protocol.numbers import is_integer

V = TypeVar("V")

STRINGS = (bytes, bytearray)
EMBEDDED_LIMIT = 41
_EXPIRY_SIZE = 8
_EMBEDDED_BY_VALKEY = 113
EMBEDDED_ALONE = 44
_SHORT_KEY, _LONG_KEY = 31, 2
"""The length of a key up to which its own size is told in one byte, and the bytes that it takes beyond that."""


class Embedded(bytes):
    """A number's text that Redis keeps as text: its encoding is never ``int``."""

    __slots__ = ()


Embedding: TypeAlias = Literal["alone", "with key", "valkey"]
"""How a string is embedded in its object."""


def encoding(value: bytes | bytearray, key: bytes, expires: bool, embedding: Embedding = "with key") -> bytes:
    """What OBJECT ENCODING answers: ``int``, ``embstr`` or ``raw``.

    Redis 8.2 embeds a string where it fits in 64 bytes together with the key and the expiry, if there is one; Valkey in 128,
    where it stays when an expiry comes; before, it was embedded alone.
    """
    if isinstance(value, bytearray):
        return b"raw"
    if value.__class__ is not Embedded and is_integer(value):
        return b"int"
    if embedding == "alone":
        return b"embstr" if len(value) <= EMBEDDED_ALONE else b"raw"
    size = len(key) + len(value) + (_EXPIRY_SIZE if expires else 0)
    if embedding == "valkey":
        return b"embstr" if _size_in_valkey(key, value) <= _EMBEDDED_BY_VALKEY else b"raw"
    return b"embstr" if size <= EMBEDDED_LIMIT else b"raw"


def beside_expiry(key: bytes, value: V) -> V | bytearray:
    """A value for a key that has an expiry in Valkey: one that is too long to stand beside it is kept apart from the key."""
    if value.__class__ is not bytes or not isinstance(value, bytes) or is_integer(value):
        return value
    room = _EMBEDDED_BY_VALKEY - _size_in_valkey(key, value)
    return bytearray(value) if 0 <= room < _EXPIRY_SIZE else value


def _size_in_valkey(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + (_LONG_KEY if len(key) > _SHORT_KEY else 0)
