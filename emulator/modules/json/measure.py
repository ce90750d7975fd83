"""How deep values are nested in one another, and what they would weigh in the real server's memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from emulator import lua

Json = Any
"""A document or a part of it: dict, list, str, int, float, bool or None."""

_POINTER: Final = 8
_SMALL: Final = range(-128, 384)
_SHORT: Final = range(-(1 << 23), 1 << 23)
_HEADER: Final = 24
"""What an array has beside its places, and an object; a place in an object is as large, and so is a double."""
_LEAST_ROOM: Final = 4


class Measure(NamedTuple):
    """How many ``levels`` of arrays and objects a value has, and how many bytes it takes, its own pointer included."""

    levels: int
    weight: int


def measure(value: Json, text: bytes) -> Measure:
    """The measure of a value that has just been read from a text.  O(n).

    LuaJIT goes through the text thirty times as quickly as Python through the value; that is what a large document waits
    for.
    """
    by_text = lua.function("modules/json/measure", "measure")
    return Measure(depth(value), weight(value)) if by_text is None else Measure(*map(int, by_text(text)))


def depth(value: Json) -> int:
    """How deep arrays and objects are nested in one another; 0 for a value without parts.  O(n)."""
    levels = 0
    level = [value] if value.__class__ in (dict, list) else []
    while level:
        levels += 1
        level = [
            part
            for container in level
            for part in (container.values() if container.__class__ is dict else container)
            if part.__class__ is dict or part.__class__ is list
        ]
    return levels


def weight(value: Json) -> int:
    """The bytes that a value takes, its own pointer included.  O(n)."""
    size = 0
    waiting: list[Iterable[Json]] = [(value,)]
    while waiting:
        for part in waiting.pop():
            kind = part.__class__
            if kind is str:
                size += _POINTER + text_size(part)
            elif kind is int:
                size += _POINTER if part in _SMALL else _POINTER + 4 if part in _SHORT else _POINTER + 16
            elif kind is dict and part:
                size += frame(dict, len(part)) + text_size("".join(part))
                waiting.append(part.values())
            elif kind is list and part:
                size += frame(list, len(part))
                waiting.append(part)
            else:
                size += _HEADER if kind is float else _POINTER
    return size


def frame(kind: type, count: int) -> int:
    """The bytes of an array (`list`) or an object with so many parts, without the parts themselves and their names."""
    if not count:
        return _POINTER
    return _HEADER + (_HEADER if kind is dict else _POINTER) * _room(count)


def text_size(text: str) -> int:
    """The bytes of a text."""
    return len(text) if text.isascii() else len(text.encode())


def _room(count: int) -> int:
    """For how many elements there is room: arrays and objects grow by doubling."""
    return max(1 << (count - 1).bit_length(), _LEAST_ROOM)
