"""A JSON document as the value of a key, and what it would weigh in the real server's memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from emulator.datatypes.digest import Digest
from emulator.datatypes.types import Payload, Text, Type, register
from emulator.modules.json.fault import MOST_LEVELS
from emulator.modules.json.measure import Json, depth, measure, weight
from emulator.modules.json.text import copied, parse, written, written_in_pieces
from emulator.protocol.errors import CommandError
from emulator.rdb import module
from emulator.rdb.errors import BadData

if TYPE_CHECKING:
    from emulator.rdb.payload import Reader

_VERSION: Final = 3
_MOST_LEVELS: Final = 480
"""Python's own stack bounds what can be printed; one text brings far fewer levels, so that only who nests one document in
another time and again meets this."""
_MOST_TEXT: Final = 512 << 20
_AT_ONCE: Final = 10_000
"""Bytes of text from which on a document is weighed when it is set: to weigh many such ones together would take long."""
_BYTES_A_PART: Final = 16_000
"""So that what is freed a little at a time is what would take milliseconds."""


class Document:
    """A document; ``root`` is its value, which commands change in place.

    They say by how many bytes it has grown (`grew`), which need not be worked out unless it ``is_weighed``, or that they do
    not know (`changed`).

    ``text`` is how many bytes of text have come into it so far: at least what it would be printed as, but for numbers.
    """

    __slots__ = ("_levels", "_size", "root", "text")

    encoding = b"raw"

    def __init__(self, root: Json, text: bytes) -> None:
        self.reset(root, text)

    def reset(self, root: Json, text: bytes) -> None:
        """Become the document that a text has."""
        self.root = root
        self.text = len(text)
        self._levels = MOST_LEVELS
        self._size = measure(root, text).weight if self.text > _AT_ONCE else None

    def __len__(self) -> int:
        """Its parts, about, as those need to know who free it."""
        return 1 + self.text // _BYTES_A_PART

    @property
    def is_weighed(self) -> bool:
        """Whether its bytes are known."""
        return self._size is not None

    def grew(self, size: int) -> None:
        """It takes so many bytes more than before."""
        if self._size is not None:
            self._size += size

    @property
    def footprint(self) -> int:
        """O(n) where it has not been weighed since a change of unknown size, else O(1)."""
        if self._size is None:
            self._size = weight(self.root)
        return self._size

    def copy(self) -> Document:
        twin = Document.__new__(Document)
        twin.root, twin.text = copied(self.root), self.text
        twin._levels, twin._size = self._levels, self._size
        return twin

    def changed(self) -> None:
        """It is not what it was, and nobody knows how large."""
        self._size = None

    def admit(self, value: Json, text: int, copies: int) -> None:
        """Raise where the document would be nested too deeply, or grow too large, with copies of a value of such text.

        O(n) of the value, as a rule.
        """
        if text * copies > _MOST_TEXT:
            raise CommandError("ERR the document would be too large")
        levels = depth(value)
        if levels and self._levels + levels > _MOST_LEVELS:
            self._levels = depth(self.root)
            if self._levels + levels > _MOST_LEVELS:
                raise CommandError("ERR recursion limit exceeded")
        self._levels += levels
        self.text += text * copies

    def _check(self) -> None:
        assert self._size is None or self._size >= weight(self.root)  # more where a name came twice
        assert depth(self.root) <= self._levels <= _MOST_LEVELS


def _digest(value: Document, digest: Digest) -> None:
    digest.mix(written(value.root))


def _save(value: Document, text: Text) -> Iterable[bytes]:
    gathered = []
    for piece in written_in_pieces(value.root):
        gathered.append(piece)
        yield b""
    yield from module.room(b"".join(gathered), text)


def _load(reader: Reader, version: int) -> Document:
    if version != _VERSION:
        raise BadData
    text = module.read_string(reader)
    try:
        return Document(parse(text), text)
    except CommandError:
        raise BadData from None


register(
    Type(
        b"ReJSON-RL",
        (Document,),
        _digest,
        payload=Payload(module.type_id("ReJSON-RL", _VERSION), _save, _load, "ReJSON"),
    )
)
