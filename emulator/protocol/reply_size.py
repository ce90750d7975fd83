"""How much a reply comes to, found out before it is turned into bytes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from emulator.protocol.replies import Attributed

_FRAME: Final = 3
SHORTEST: Final = 6
"""The bytes of an empty string."""


def size_of(reply: object, most: int) -> int:
    """The bytes that a reply takes in RESP at least.  Whoever wants to know whether it is more than `most` waits no longer
    than it takes to find that out.
    """
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
    """What an aggregate holds; None for anything else."""
    if isinstance(value, list | tuple | set | frozenset):
        return iter(value)
    if isinstance(value, dict):
        return chain.from_iterable(value.items())
    return iter((value.reply,)) if isinstance(value, Attributed) else None
