"""Bits of long strings: eight bytes at a time in LuaJIT, where lupa has it, else as large integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_, xor
from typing import Final

from emulator.lua import address, function

_IN_INTEGERS: Final[dict[str, Callable[[int, int], int]]] = {"AND": and_, "OR": or_, "XOR": xor}

_INVERTED: Final = bytes(range(255, -1, -1))
_FEW = 256
"""So many bytes are no reason to start Lua for."""


def count(text: bytes | bytearray, start: int, stop: int) -> int:
    """How many bits of the bytes from one to another, which is not included, are set.  O(n)."""
    quick = function("datatypes/bits", "count") if stop - start > _FEW else None
    if quick is None:
        return int.from_bytes(text[start:stop], "little").bit_count()
    return int(quick(address(text) + start, stop - start))


def inverted(text: bytes) -> bytes:
    """The text with every bit the other way round.  O(n)."""
    quick = function("datatypes/bits", "NOT") if len(text) > _FEW else None
    return bytes(quick(text)) if quick else text.translate(_INVERTED)


def combined(operation: str, texts: list[bytes]) -> bytes:
    """The texts, which are of the same length, combined bit by bit by ``AND``, ``OR`` or ``XOR``.  O(n)."""
    quick = function("datatypes/bits", operation) if len(texts[0]) > _FEW else None
    if quick:
        return reduce(quick, texts)
    numbers = [int.from_bytes(text, "little") for text in texts]
    return reduce(_IN_INTEGERS[operation], numbers).to_bytes(len(texts[0]), "little")
