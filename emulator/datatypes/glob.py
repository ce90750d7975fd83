"""Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET know them: ``*  ?  [abc]  [^a-z]  \\x``.

A pattern is compiled once.  Between its stars there are pieces, each of a fixed number of bytes; they are looked for from
the left, each at the first place where it is found, so that nothing is tried twice.  Plain pieces are left to `bytes.find`;
for one with question marks or brackets an integer has a bit for each place of the name, and is shifted once for each byte of
the piece.  So it takes at most O(bytes of the pattern times bytes of the name / 64).

A pattern that is asked about many names becomes a regular expression, which is ten times quicker.  There each piece is an
atomic group, so that there too nothing is tried twice; but it looks at each place byte by byte, so long names are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

Matcher = Callable[[bytes], bool]


class Glob(NamedTuple):
    """A compiled pattern: what tells whether a name matches, and what finds those ``among`` some names that do."""

    matches: Matcher
    among: Callable[[list[bytes]], list[bytes]]


_SPECIAL = frozenset(b"*?[\\")
_TOKEN = re.compile(rb"\*+|\?+|\\.?|\[|[^*?[\\]+", re.DOTALL)
_MOST_STARS = 1000
"""With more of them, one at the end aside, a pattern matches nothing, as in Redis."""

_Class = frozenset[int]
_NEVER = b"(?!)"
_BYTES = [frozenset((byte,)) for byte in range(256)]


def matcher(pattern: bytes, ignore_case: bool = False) -> Matcher:
    """A function that tells whether a name matches."""
    return compiled(pattern, ignore_case).matches


def compiled(pattern: bytes, ignore_case: bool = False) -> Glob:
    """A pattern as it can be asked."""
    return (_kept if len(pattern) <= _SHORT else _kept_long)(pattern, ignore_case)


def _made(pattern: bytes, ignore_case: bool) -> Glob:
    if pattern == b"*":
        return Glob(lambda name: True, lambda names: names)
    if not ignore_case:
        if _SPECIAL.isdisjoint(pattern):
            return _one_by_one(pattern.__eq__)
        if pattern.endswith(b"*") and _SPECIAL.isdisjoint(pattern[:-1]):
            prefix = pattern[:-1]
            return _one_by_one(lambda name: name.startswith(prefix))
        if pattern.startswith(b"*") and _SPECIAL.isdisjoint(suffix := pattern[1:]):
            return _one_by_one(lambda name: name.endswith(suffix))
        if pattern.startswith(b"*") and pattern.endswith(b"*") and _SPECIAL.isdisjoint(part := pattern[1:-1]):
            return _one_by_one(lambda name: part in name)
    pieces = _compile(pattern.lower() if ignore_case else pattern, ignore_case)
    if len(pieces) - 1 - (not pieces[-1].size) > _MOST_STARS:
        return _one_by_one(lambda name: False)
    if ignore_case:
        return _one_by_one(lambda name: _match(pieces, name.lower()))
    if len(pattern) > _SHORT_PATTERN:
        return _one_by_one(lambda name: _match(pieces, name))
    return _quicker_with_use(pieces)


def _one_by_one(matches: Matcher) -> Glob:
    return Glob(matches, lambda names: list(filter(matches, names)))


def _quicker_with_use(pieces: list[_Piece]) -> Glob:
    """What tells by a regular expression once it has been asked often enough to make up for one."""
    asked = 0
    found: Callable[[bytes], object] | None = None

    def matches(name: bytes) -> bool:
        nonlocal asked, found
        if found is not None and len(name) <= _SHORT_NAME:
            return found(name) is not None
        asked += 1
        if asked == _OFTEN:
            found = re.compile(_expression(pieces), re.DOTALL).fullmatch
        return _match(pieces, name)

    def among(names: list[bytes]) -> list[bytes]:
        is_quick = found is not None and max(map(len, names), default=0) <= _SHORT_NAME
        return list(filter(found if is_quick else matches, names))

    return Glob(matches, among)


def _expression(pieces: list[_Piece]) -> bytes:
    """The pieces as a regular expression for a whole name."""
    first, *middle = [piece.expression() for piece in pieces]
    if not middle:
        return first
    last = middle.pop()
    return first + b"".join(b"(?>.*?%b)" % piece for piece in middle) + b".*" + last


_OFTEN = 20
_SHORT_PATTERN = 64
_SHORT_NAME = 256
_SHORT = 1024
_kept = lru_cache(maxsize=1024)(_made)
_kept_long = lru_cache(maxsize=16)(_made)  # so that nobody fills the memory with patterns


def _compile(pattern: bytes, ignore_case: bool) -> list[_Piece]:
    """What is between the stars, before the first and after the last; not all of it where there are too many stars."""
    pieces = [_Piece()]
    position = 0
    while len(pieces) <= _MOST_STARS + 2 and (token := _TOKEN.match(pattern, position)) is not None:
        text, position = token[0], token.end()
        if text[0] == 0x2A:
            pieces.append(_Piece())
        elif text[0] == 0x3F:
            pieces[-1].size += len(text)
        elif text[0] == 0x5B:
            allowed, position = _class(pattern, position, ignore_case)
            pieces[-1].add(allowed)
        else:
            for byte in text[-1:] if text[0] == 0x5C else text:
                pieces[-1].add(_BYTES[byte])
    for piece in pieces:
        piece.finish()
    return pieces


def _class(pattern: bytes, position: int, ignore_case: bool) -> tuple[frozenset[int], int]:
    """The bytes that a bracket expression allows and the position after it; one left open ends with the pattern."""
    negated = pattern[position : position + 1] == b"^"
    position += negated
    allowed: set[int] = set()
    size = len(pattern)
    while position < size and pattern[position] != 0x5D:
        byte = pattern[position]
        if byte == 0x5C and position + 1 < size:
            allowed.add(pattern[position + 1])
            position += 2
        elif position + 2 < size and pattern[position + 1] == 0x2D:
            low, high = sorted((byte, pattern[position + 2]))
            allowed.update(range(low, high + 1))
            position += 3
        else:
            allowed.add(byte)
            position += 1
    if ignore_case:
        allowed |= {byte + 32 for byte in allowed if 65 <= byte <= 90}
    return frozenset(range(256)) - allowed if negated else frozenset(allowed), position + 1


class _Piece:
    """What is between two stars: ``size`` bytes, of which ``wanted`` has the places that are not open to any byte.

    ``literal`` is None where it is not just plain bytes.
    """

    __slots__ = ("literal", "size", "wanted")

    def __init__(self) -> None:
        self.size = 0
        self.wanted: list[tuple[int, _Class]] = []
        self.literal: bytes | None = None

    def add(self, allowed: _Class) -> None:
        """One more byte, which has to be one of these."""
        self.wanted.append((self.size, allowed))
        self.size += 1

    def finish(self) -> None:
        """There are no more bytes."""
        if len(self.wanted) == self.size and all(len(allowed) == 1 for _, allowed in self.wanted):
            self.literal = bytes(byte for _, allowed in self.wanted for byte in allowed)

    def expression(self) -> bytes:
        """The piece as a regular expression."""
        parts = [b"."] * self.size
        for place, allowed in self.wanted:
            parts[place] = b"[%b]" % b"".join(b"\\x%02x" % byte for byte in allowed) if allowed else _NEVER
        return b"".join(parts)

    def is_at(self, name: bytes, position: int) -> bool:
        """Whether the piece is at a place of a name, which has bytes enough."""
        if self.literal is not None:
            return name.startswith(self.literal, position)
        return all(name[position + offset] in allowed for offset, allowed in self.wanted)

    def find(self, name: bytes, position: int, places: dict[_Class, int]) -> int:
        """The first place from a position on where the piece is, or -1; `places` keeps where classes of bytes are."""
        if self.literal is not None:
            return name.find(self.literal, position)
        room = len(name) - self.size + 1 - position
        found = ((1 << max(room, 0)) - 1) << position
        for offset, allowed in self.wanted:
            if not found:
                break
            if allowed not in places:
                places[allowed] = int(name[::-1].translate(_table(allowed)), 2)
            found &= places[allowed] >> offset
        return (found & -found).bit_length() - 1


@lru_cache(maxsize=1024)
def _table(allowed: _Class) -> bytes:
    """What makes binary digits of a name: 1 for the bytes that are allowed."""
    return bytes(0x30 + (byte in allowed) for byte in range(256))


def _match(pieces: list[_Piece], name: bytes) -> bool:
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return len(name) == first.size and first.is_at(name, 0)
    end = len(name) - last.size
    if end < first.size or not first.is_at(name, 0) or not last.is_at(name, end):
        return False
    position = first.size
    places: dict[_Class, int] = {}
    for piece in pieces[1:-1]:
        position = piece.find(name, position, places)
        if position < 0:
            return False
        position += piece.size
    return position <= end
