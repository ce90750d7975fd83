"""Strings are ``bytes``; one that has been edited in place is a ``bytearray`` and keeps the encoding ``raw``."""

from __future__ import annotations

from emulator.protocol.numbers import parse_integer

_EMBEDDED_LIMIT = 44


class Embedded(bytes):
    """A number's text that Redis keeps as text: its encoding is never ``int``."""

    __slots__ = ()


def encoding(value: bytes | bytearray) -> bytes:
    """What OBJECT ENCODING answers: ``int``, ``embstr`` up to 44 bytes, or ``raw``."""
    if isinstance(value, bytearray):
        return b"raw"
    if not isinstance(value, Embedded) and parse_integer(value) is not None:
        return b"int"
    return b"embstr" if len(value) <= _EMBEDDED_LIMIT else b"raw"
