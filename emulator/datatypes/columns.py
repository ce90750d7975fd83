"""Many texts as Lua takes and gives them: one behind the other, and their lengths in four bytes each, the lowest first.

What is given to Lua has the lengths in one byte each where none takes more.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

_SHORT: Final = 256


def columns(texts: Sequence[bytes]) -> tuple[bytes, bytes, int]:
    """Texts as Lua takes them: one behind the other, their lengths, how many there are."""
    sizes = list(map(len, texts))
    if max(sizes, default=0) < _SHORT:
        return b"".join(texts), bytes(sizes), len(sizes)
    lengths = array("I", sizes)
    if sys.byteorder == "big":
        lengths.byteswap()
    return b"".join(texts), lengths.tobytes(), len(sizes)


def parted(texts: bytes, lengths: bytes) -> list[bytes]:
    """Texts as Lua gives them, with a line break behind each; where there are others in them their lengths tell."""
    elements = texts.split(b"\n")
    elements.pop()
    if len(elements) == len(lengths) // 4:
        return elements
    sizes = array("I", lengths)
    if sys.byteorder == "big":
        sizes.byteswap()
    return [texts[start : end - 1] for start, end in pairwise(accumulate((size + 1 for size in sizes), initial=0))]
