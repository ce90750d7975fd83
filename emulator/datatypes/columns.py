"""Many texts as Lua takes and gives them: one behind the other, and their lengths in four bytes each, the lowest first.

What is given to Lua has a line break between texts, and then no lengths, where there are no others in them; else it has the
lengths in one byte each where none takes more.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Final

_SHORT: Final = 256


def columns(texts: Sequence[bytes]) -> tuple[bytes, bytes, int]:
    """Texts as Lua takes them: one behind the other, their lengths, how many there are."""
    joined = b"\n".join(texts)
    if joined.count(b"\n") == len(texts) - 1:
        return joined, b"", len(texts)
    sizes = list(map(len, texts))
    lengths = bytes(sizes) if max(sizes, default=0) < _SHORT else counts(sizes)
    return b"".join(texts), lengths, len(texts)


def in_turns(firsts: Collection[bytes], seconds: Collection[bytes]) -> list[bytes]:
    """The texts of two columns of equal length, fields and values or members and scores, one of each at a time."""
    both = [b""] * (2 * len(firsts))
    both[::2] = firsts
    both[1::2] = seconds
    return both


def counts(numbers: Iterable[int]) -> bytes:
    """Numbers in four bytes each."""
    return _ordered(array("I", numbers)).tobytes()


def counted(data: bytes) -> array[int]:
    """The same numbers again."""
    return _ordered(array("I", data))


def _ordered(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def parted(texts: bytes, lengths: bytes) -> list[bytes]:
    """Texts as Lua gives them, with a line break behind each; where there are others in them their lengths tell."""
    elements = texts.split(b"\n")
    elements.pop()
    if len(elements) == len(lengths) // 4:
        return elements
    ends = accumulate((size + 1 for size in counted(lengths)), initial=0)
    return [texts[start : end - 1] for start, end in pairwise(ends)]
