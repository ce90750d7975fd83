"""Payloads as DUMP and FUNCTION DUMP make them: strings with their lengths, and at the end a version and a checksum.

Source: https://redis.io/docs/latest/commands/dump/, the RDB file format.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.datatypes.columns import columns, parted
from emulator.lua import function
from emulator.protocol.numbers import parse_integer
from emulator.rdb.crc64 import checksum
from emulator.rdb.errors import BadData
from emulator.rdb.lzf import compress, decompress

if TYPE_CHECKING:
    from emulator.datatypes.types import Text

RDB_VERSION = 12
FOOTER_SIZE = 10
_UNCHECKED_SINCE = 13

_COMPRESSED_FROM = 21
_LONGEST_NUMBER = 11
_LONG, _LONGER, _ENCODED = 0x40, 0x80, 0xC0
_HUGE = 0x81
_INTEGERS = {0: 1, 1: 2, 2: 4}
"""The encodings of integers in so many bytes."""
_BYTE, _SHORT_NUMBER, _NUMBER = (struct.Struct(form).pack for form in ("<Bb", "<Bh", "<Bi"))
"""An integer behind its encoding, in one, two and four bytes."""
_MOST = 1 << 31
_ZERO = ord("0")
_SHORT = [bytes((number,)) for number in range(_LONG)]
"""Lengths that take one byte."""
_LZF = 3
_SPAN: Final = 1 << 16
"""Bytes that Lua is given at a time to find strings in."""
_ONE_BY_ONE: Final = 100


COMPRESSED = bytes((_ENCODED | _LZF,))
"""What a compressed string begins with: two lengths and the bytes follow."""


def length(number: int) -> bytes:
    """A length in as few bytes as it takes."""
    if number < _LONG:
        return _SHORT[number]
    if number < 1 << 14:
        return bytes((_LONG | number >> 8, number & 0xFF))
    if number < 1 << 32:
        return bytes((_LONGER,)) + number.to_bytes(4)
    return bytes((_HUGE,)) + number.to_bytes(8)


def plain_string(text: bytes) -> bytes:
    """A string, as an integer of up to 4 bytes where it is the text of one."""
    size = len(text)
    if size <= _LONGEST_NUMBER and (text.isdigit() or text[:1] == b"-"):
        number = int(text) if text[0] > _ZERO else parse_integer(text)
        if number is not None and -_MOST <= number < _MOST:
            if -128 <= number < 128:
                return _BYTE(_ENCODED, number)
            return _SHORT_NUMBER(_ENCODED | 1, number) if -32768 <= number < 32768 else _NUMBER(_ENCODED | 2, number)
    return (_SHORT[size] if size < _LONG else length(size)) + text


def string(text: bytes) -> bytes:
    """A string, compressed where that makes it shorter."""
    if len(text) >= _COMPRESSED_FROM:
        packed = compress(text, len(text) - 4)
        if packed is not None:
            return COMPRESSED + length(len(packed)) + length(len(text)) + packed
    return plain_string(text)


def strings(texts: Sequence[bytes], text: Text, tails: bytes = b"") -> bytes:
    """Strings, each as `text` has one and with the same part of `tails` behind it."""
    if text is string and max(map(len, texts), default=0) >= _COMPRESSED_FROM:
        width = len(tails) // len(texts)
        return b"".join([text(each) + tails[place * width :][:width] for place, each in enumerate(texts)])
    packed: bytes = function("rdb/strings", "pack")(*columns(texts), tails)
    return packed


def sealed(*parts: bytes, version: int = RDB_VERSION) -> bytes:
    """A payload: what it holds, the version, the checksum."""
    whole = b"".join((*parts, version.to_bytes(2, "little")))
    return whole + checksum(whole)


OF_VALKEY: Final = 80
"""The first version of the format that is Valkey's own."""
_NEWEST_IN_COMMON: Final = 11


def unsealed(payload: bytes, version: int = RDB_VERSION, checks: bool = True) -> bytes | None:
    """What a payload holds; None where it is of a version newer than this, one of Redis's that Valkey has not, or damaged.

    Who `checks` sees the last by the checksum.  From version 13 on 0 stands for one that was not made, but not in Valkey.
    """
    if len(payload) < FOOTER_SIZE:
        return None
    whole, told = payload[:-8], payload[-8:]
    written = payload[-FOOTER_SIZE] | payload[-FOOTER_SIZE + 1] << 8
    if written > version or version >= OF_VALKEY > written > _NEWEST_IN_COMMON:
        return None
    if checks and told != checksum(whole) and (any(told) or not _UNCHECKED_SINCE <= version < OF_VALKEY):
        return None
    return whole[:-2]


class Reader:
    """Reads what a payload holds; raises `BadData` at its end and where it is not what it should be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place == len(self._data)

    def ahead(self, most: int) -> bytes:
        """Up to so many of the bytes that come next, which stay to be read."""
        return self._data[self._place : self._place + most]

    def take(self, count: int) -> bytes:
        """So many bytes."""
        piece = self._data[self._place : self._place + count]
        if len(piece) < count:
            raise BadData
        self._place += count
        return piece

    def byte(self) -> int:
        place = self._place
        if place == len(self._data):
            return self.take(1)[0]  # where what follows is still to be read
        self._place = place + 1
        return self._data[place]

    def integer(self, size: int) -> int:
        """An unsigned integer of so many bytes, the lowest first."""
        return int.from_bytes(self.take(size), "little")

    def length(self) -> int:
        """A length."""
        data, place = self._data, self._place
        if place + 1 < len(data) and data[place] < _LONGER:  # as most are
            first = data[place]
            if first < _LONG:
                self._place = place + 1
                return first
            self._place = place + 2
            return (first & 63) << 8 | data[place + 1]
        number, encoded = self._length(self.byte())
        if encoded:
            raise BadData
        return number

    def _length(self, first: int) -> tuple[int, bool]:
        """A length that begins with this byte, or the number of an encoding."""
        if first < _LONG:
            return first, False
        if first < _LONGER:
            return (first & 63) << 8 | self.byte(), False
        if first >= _ENCODED:
            return first & 63, True
        if first not in (_LONGER, _HUGE):
            raise BadData
        return int.from_bytes(self.take(8 if first == _HUGE else 4)), False

    def string(self) -> bytes:
        """A string, however it is written."""
        data, place = self._data, self._place
        if place < len(data) and data[place] < _LONG:
            end = place + 1 + data[place]
            if end <= len(data):
                self._place = end
                return data[place + 1 : end]
        size, encoded = self._length(self.byte())
        if not encoded:
            return self.take(size)
        if size in _INTEGERS:
            return b"%d" % int.from_bytes(self.take(_INTEGERS[size]), "little", signed=True)
        if size != _LZF:
            raise BadData
        packed, whole = self.length(), self.length()
        return decompress(self.take(packed), whole)

    def strings(self, count: int, width: int = 0) -> tuple[list[bytes], bytes]:
        """So many strings, and what is behind each in `width` bytes."""
        texts: list[bytes] = []
        tails: list[bytes] = []
        unpack = function("rdb/strings", "unpack")
        while (left := count - len(texts)) > 0:
            most = min(left, _SPAN)
            joined, lengths, behind, size = unpack(self.ahead(min(most * (_LONG + width), _SPAN)), most, width)
            self._place += int(size)
            texts += parted(joined, lengths)
            tails.append(behind)
            if not lengths:  # the next one is long, compressed or not here yet, as may be others
                for _ in range(min(left, _ONE_BY_ONE)):
                    texts.append(self.string())
                    tails.append(self.take(width))
        return texts, b"".join(tails)
