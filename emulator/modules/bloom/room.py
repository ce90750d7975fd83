"""Zeroed memory for filters: what a client only asks for costs nothing before it is written to, as with C's calloc."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from typing import Final

Room = bytearray | mmap.mmap

_SMALL: Final = 1 << 16
_PORTION: Final = 1 << 16
_EMPTY: Final = bytes(_PORTION)
_SET: Final = re.compile(rb"[\1-\xff]")
_MOST_MAPS: Final = 10_000
"""A process may have some 65,000, and Python needs them for other things."""


class NoRoom(Exception):
    """There is not so much memory."""


class _Pages(mmap.mmap):
    """Pages of memory, which are counted."""

    number = 0

    def __init__(self, *size: int) -> None:
        _Pages.number += 1

    def __del__(self) -> None:
        _Pages.number -= 1


def zeroed(size: int) -> Room:
    """So many bytes, all zero.  Raises `NoRoom`."""
    if size < _SMALL:
        return bytearray(size)
    if _Pages.number >= _MOST_MAPS:
        raise NoRoom
    try:
        return _Pages(-1, size)
    except (OSError, OverflowError, ValueError):
        raise NoRoom from None


def copied(room: Room) -> Room:
    """The same bytes in a room of their own.  O(n), but what was never written takes no memory in the copy either."""
    if isinstance(room, bytearray):
        return bytearray(room)
    twin = zeroed(len(room))
    for start, portion in _written(room):
        twin[start : start + len(portion)] = portion
    return twin


def occupied(room: Room) -> Iterator[tuple[int, int]]:
    """The places whose byte is not zero, each with that byte.  What is written meanwhile may be there or not."""
    for start, portion in _written(room):
        for match in _SET.finditer(portion):
            yield start + match.start(), match[0][0]


def _written(room: Room) -> Iterator[tuple[int, bytes | bytearray]]:
    """Where portions begin that are not empty, and the bytes of each.  O(n)."""
    for start in range(0, len(room), _PORTION):
        portion = room[start : start + _PORTION]
        if portion != _EMPTY[: len(portion)]:
            yield start, portion
