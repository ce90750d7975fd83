"""A JSON document as the value of a key, and what it would weigh in the real server's memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from emulator.datatypes.digest import Digest
from emulator.datatypes.types import Payload, Text, Type, register
from emulator.modules.json.text import Json, copied, depth, parse, written
from emulator.protocol.errors import CommandError
from emulator.rdb import module
from emulator.rdb.lzf import BadData

if TYPE_CHECKING:
    from emulator.rdb.payload import Reader

_VERSION: Final = 3
_MOST_LEVELS: Final = 480
"""Python's own stack bounds what can be printed; one text brings at most 127 levels, so that only who nests one document in
another time and again meets this."""
_AT_ONCE: Final = 10_000
"""Bytes of text from which on a document is weighed when it is set: many such ones to be weighed would take long."""
_BYTES_A_PART: Final = 16

_POINTER: Final = 8
_SMALL: Final = range(-128, 384)
_SHORT: Final = range(-(1 << 23), 1 << 23)
_HEADER: Final = 24
_LEAST_ROOM: Final = 4


class Document:
    """A document; ``root`` is its value, which commands change in place and then call `changed`."""

    __slots__ = ("_levels", "_size", "_text", "root")

    encoding = b"raw"

    def __init__(self, root: Json, text: int = 0) -> None:
        self.root = root
        self._size: int | None = None
        self._levels = 127
        self._text = text
        if text > _AT_ONCE:
            self._size = weight(root)

    def __len__(self) -> int:
        """Its parts, about, as those need to know who free it."""
        return 1 + self._text // _BYTES_A_PART

    @property
    def footprint(self) -> int:
        """O(n) after a change, else O(1)."""
        if self._size is None:
            self._size = weight(self.root)
        return self._size

    def copy(self) -> Document:
        twin = Document(copied(self.root))
        twin._size, twin._levels, twin._text = self._size, self._levels, self._text
        return twin

    def changed(self, text: int = 0) -> None:
        """It is not what it was: a value of so many bytes of text was put into it."""
        self._size = None
        self._text += text

    def admit(self, value: Json) -> None:
        """Raise where the document would be nested too deeply with another value in it.  O(n) of the value, as a rule."""
        levels = depth(value)
        if levels and self._levels + levels > _MOST_LEVELS:
            self._levels = depth(self.root)
            if self._levels + levels > _MOST_LEVELS:
                raise CommandError("ERR recursion limit exceeded")
        self._levels += levels

    def _check(self) -> None:
        assert self._size is None or self._size == weight(self.root)
        assert depth(self.root) <= self._levels <= _MOST_LEVELS


def weight(value: Json) -> int:
    """The bytes that a value takes, its own pointer included.  O(n)."""
    kind = value.__class__
    if kind is str:
        return _POINTER + (len(value) if value.isascii() else len(value.encode()))
    if kind is int:
        return _POINTER + (0 if value in _SMALL else 4 if value in _SHORT else 16)
    if kind is float:
        return _POINTER + 16
    if kind is list and value:
        return _POINTER + 16 + _POINTER * _room(len(value)) + sum(map(weight, value))
    if kind is dict and value:
        names = "".join(value)
        size = len(names) if names.isascii() else len(names.encode())
        return _HEADER + _HEADER * _room(len(value)) + size + sum(map(weight, value.values()))
    return _POINTER


def _room(count: int) -> int:
    """For how many elements there is room: arrays and objects grow by doubling."""
    return max(1 << (count - 1).bit_length(), _LEAST_ROOM)


def _digest(value: Document, digest: Digest) -> None:
    digest.mix(written(value.root))


def _save(value: Document, text: Text) -> Iterable[bytes]:
    yield module.string(written(value.root), text)


def _load(reader: Reader, version: int) -> Document:
    if version != _VERSION:
        raise BadData
    text = module.read_string(reader)
    try:
        return Document(parse(text), len(text))
    except CommandError:
        raise BadData from None


register(
    Type(
        b"ReJSON-RL",
        (Document,),
        _digest,
        parts=len,
        payload=Payload(module.type_id("ReJSON-RL", _VERSION), _save, _load, "ReJSON"),
    )
)
