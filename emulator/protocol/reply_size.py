"""Measures replies before they are encoded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from emulator.protocol.replies import Attributed, Entries, Pairs

_FRAME: Final = 3
SHORTEST: Final = 6
"""The size of an empty string in bytes."""


def size_of(reply: object, most: int) -> int:
    """Return the least number of bytes that a reply takes in RESP.  Counting stops once it exceeds `most`."""
    size = 0
    for value in _leaves(reply):
        size += _FRAME + (len(value) if isinstance(value, bytes | bytearray) else 0)
        if size > most:
            break
    return size


def _leaves(reply: object) -> Iterator[object]:
    open_ones = [iter((reply,))]
    while open_ones:
        for value in open_ones[-1]:
            elements = _elements(value)
            if elements is not None:
                open_ones.append(elements)
                break
            yield value
        else:
            open_ones.pop()


def _elements(value: object) -> Iterator[object] | None:
    """Return the values in an aggregate; None for other values."""
    if isinstance(value, list | tuple | set | frozenset | Pairs | Entries):
        return iter(value)
    if isinstance(value, dict):
        return chain.from_iterable(value.items())
    return iter((value.reply,)) if isinstance(value, Attributed) else None
