"""Long strings to bytes, a portion at a time: what is mostly zero, as a filter that nobody has filled, takes hardly any room.

Each portion is compressed by itself, which LZF allows; so the bytes are not LibLZF's, but mean the same.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import cache
from typing import Final, Protocol

from emulator.rdb.lzf import compress
from emulator.rdb.payload import COMPRESSED, length

LONG: Final = 1 << 20
"""Bytes from which on a string is long."""
_PORTION: Final = 1 << 16
_TRIED: Final = 1 << 24
"""Bytes after which one knows whether compression is worth it."""
_LITERALS: Final = 32
_ZEROS: Final = bytes(_PORTION)


class Content(Protocol):
    """Bytes, or a room of them."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes | bytearray: ...


def pieces(content: Content, compresses: bool) -> Iterator[bytes]:
    """The string's length and its bytes; empty ones while it is being compressed.  O(n)."""
    size = len(content)
    packed: Sequence[bytes] = ()
    if compresses:
        packed = yield from _compressed(content, size)
    if packed:
        yield COMPRESSED + length(sum(map(len, packed))) + length(size)
        yield from packed
        return
    yield length(size)
    for start in range(0, size, _PORTION):
        yield bytes(content[start : start + _PORTION])


def _compressed(content: Content, size: int) -> Generator[bytes, None, Sequence[bytes]]:
    """The portions compressed, none where that is not worth it; yields nothing but pauses."""
    packed: list[bytes] = []
    total = 0
    for start in range(0, size, _PORTION):
        portion = bytes(content[start : start + _PORTION])
        packed.append(_nothing() if portion == _ZEROS else compress(portion, len(portion) - 4) or _literal(portion))
        total += len(packed[-1])
        behind = start + len(portion)
        if total >= behind and (behind >= _TRIED or behind == size):
            return []
        yield b""
    return packed


@cache
def _nothing() -> bytes:
    """A portion of zeros."""
    packed = compress(_ZEROS, len(_ZEROS))
    assert packed is not None
    return packed


def _literal(portion: bytes) -> bytes:
    """A portion that compression makes no shorter, in its form."""
    runs = [portion[start : start + _LITERALS] for start in range(0, len(portion), _LITERALS)]
    return b"".join([bytes((len(run) - 1,)) + run for run in runs])
