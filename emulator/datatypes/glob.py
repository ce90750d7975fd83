"""Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET know them: ``*  ?  [abc]  [^a-z]  \\x``.

A pattern is compiled once.  Between its stars there are pieces, each of a fixed number of bytes; they are looked for from
the left, each at the first place where it is found, so that nothing is tried twice.  Plain pieces are left to `bytes.find`;
for one with question marks or brackets an integer has a bit for each place of the name, and is shifted once for each byte of
the piece.  So it takes at most O(bytes of the pattern times bytes of the name / 64).

A pattern that is asked about many names becomes a regular expression, which is ten times quicker.  There each piece is an
atomic group, so that there too nothing is tried twice; but it looks at each place byte by byte, so long names are left out.

A long pattern is read no further than a name can go, and nothing of it is kept: it may be as large as a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

Matcher = Callable[[bytes], bool]


class Glob(NamedTuple):
    """A compiled pattern: what tells whether a name matches, and what finds those ``among`` some names that do."""

    matches: Matcher
    among: Callable[[list[bytes]], list[bytes]]


_SPECIAL = b"*?[\\"
_TOKEN = re.compile(rb"(?P<stars>\*+)|(?P<any>\?+)|\[(?P<class>)|(?P<plain>(?:[^*?[\\]+|\\.){1,1000}+|\\)", re.DOTALL)
_CLASS_PARTS = rb"(?:\\.|[^\]\\-]+(?!-)){1,1000}+|(?:[^\]\\]-.)++|[^\]]"  # letters, ranges, and what is neither
_CLASS_PART, _CLASS = re.compile(_CLASS_PARTS, re.DOTALL), re.compile(rb"(\^?)((?:%b)*+)" % _CLASS_PARTS, re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MOST_STARS = 1000
"""With more of them, one at the end aside, a pattern matches nothing, as in Redis."""

_Class = bytes
"""The bytes that a bracket expression allows: 256 digits, 1 for those.  By it `translate` makes binary digits of a name."""

_IS_ALLOWED = 0x31
_LOWER = bytes(range(256)).lower()
_BACKSLASH = 0x5C
_NEVER = b"(?!)"


def matcher(pattern: bytes, ignore_case: bool = False) -> Matcher:
    """A function that tells whether a name matches."""
    return compiled(pattern, ignore_case).matches


def compiled(pattern: bytes, ignore_case: bool = False) -> Glob:
    """A pattern as it can be asked."""
    return (_kept if len(pattern) <= _SHORT else _made)(pattern, ignore_case)


def _made(pattern: bytes, ignore_case: bool) -> Glob:
    if pattern == b"*":
        return Glob(lambda name: True, lambda names: names)
    if not ignore_case:
        if _is_plain(pattern):
            return _one_by_one(pattern.__eq__)
        if pattern.endswith(b"*") and _is_plain(pattern[:-1]):
            prefix = pattern[:-1]
            return _one_by_one(lambda name: name.startswith(prefix))
        if pattern.startswith(b"*") and _is_plain(suffix := pattern[1:]):
            return _one_by_one(lambda name: name.endswith(suffix))
        if pattern.startswith(b"*") and pattern.endswith(b"*") and _is_plain(part := pattern[1:-1]):
            return _one_by_one(lambda name: part in name)
    if len(pattern) > _SHORT:
        return _one_by_one(_as_far_as_names_go(pattern, ignore_case))
    pieces = _compile(pattern, ignore_case, len(pattern))
    if pieces is None:
        return _one_by_one(lambda name: False)
    if ignore_case or len(pattern) > _SHORT_PATTERN:
        return _one_by_one(lambda name: _match(pieces, name))
    return _quicker_with_use(pieces)


def _is_plain(pattern: bytes) -> bool:
    return not any(byte in pattern for byte in _SPECIAL)


def _as_far_as_names_go(pattern: bytes, ignore_case: bool) -> Matcher:
    """What compiles a pattern again for twice as long names when one comes that it may still match."""
    longest = -1
    pieces: list[_Piece] | None = None

    def matches(name: bytes) -> bool:
        nonlocal longest, pieces
        if pieces is None and len(name) > longest:
            longest = 2 * len(name)
            pieces = _compile(pattern, ignore_case, longest)
        return pieces is not None and _match(pieces, name)

    return matches


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
_SHORT = 256  # what is kept takes up to a hundred times as much
_kept = lru_cache(maxsize=1024)(_made)


def _compile(pattern: bytes, ignore_case: bool, most: int) -> list[_Piece] | None:
    """What is between the stars, before the first and after the last; None where it matches no name of up to `most` bytes."""
    pieces = [_Piece()]
    position = size = 0
    while size <= most and len(pieces) <= _MOST_STARS + 2 and (token := _TOKEN.match(pattern, position)) is not None:
        position = token.end()
        piece, before = pieces[-1], pieces[-1].size
        if token.lastgroup == "stars":
            pieces.append(_Piece())
        elif token.lastgroup == "any":
            piece.size += position - token.start()
        elif token.lastgroup == "class":
            allowed, position = _class(pattern, position, ignore_case)
            piece.add(allowed)
        else:
            text = _unescaped(token[0])
            if len(text) > most - size:
                return None
            if ignore_case:
                for byte in text:
                    piece.add(_EITHER_CASE[byte])
            else:
                piece.add_plain(text)
        size += piece.size - before
    has_too_many_stars = len(pieces) - 1 - (not pieces[-1].size) > _MOST_STARS
    return None if size > most or has_too_many_stars else pieces


def _class(pattern: bytes, position: int, ignore_case: bool) -> tuple[_Class, int]:
    """The bytes that a bracket expression allows and the position after it; one left open ends with the pattern."""
    found = _CLASS.match(pattern, position)
    assert found is not None
    allowed: set[int] = set()
    for part in set(_CLASS_PART.findall(found[2])):
        if part[1:2] == b"-" and part[0] != _BACKSLASH:
            for low, high in set(zip(part[::3], part[2::3], strict=True)):
                allowed.update(_range(low, high, ignore_case))
        elif ignore_case:
            letters = bytes(set(_ESCAPED.sub(b"", part)))  # the others have their case in Redis
            allowed.update(letters.lower() + letters.upper() + b"".join(_ESCAPED.findall(part)))
        else:
            allowed.update(_unescaped(part))
    return _digits(allowed, negated=bool(found[1])), found.end() + 1


def _digits(allowed: Iterable[int], negated: bool = False) -> _Class:
    no, yes = b"10" if negated else b"01"
    digits = bytearray((no,)) * 256
    for byte in allowed:
        digits[byte] = yes
    return bytes(digits)


_ONLY = [_digits((byte,)) for byte in range(256)]
_EITHER_CASE = [_digits(bytes((byte,)).lower() + bytes((byte,)).upper()) for byte in range(256)]


def _unescaped(text: bytes) -> bytes:
    """Plain bytes without the backslashes before them; one before nothing stands for itself."""
    if text == b"\\":
        return text
    return b"\\".join([part.replace(b"\\", b"") for part in text.split(b"\\\\")])


def _range(low: int, high: int, ignore_case: bool) -> Iterable[int]:
    """The bytes between two; where their case is ignored they are put in order before that, as in Redis."""
    low, high = sorted((low, high))
    if not ignore_case:
        return range(low, high + 1)
    low, high = bytes((low, high)).lower()
    return [byte for byte, lower in enumerate(_LOWER) if low <= lower <= high]


class _Piece:
    """What is between two stars: ``size`` bytes, of which ``wanted`` has the places that are not open to any byte.

    Plain bytes that follow one another are one part of it.
    """

    __slots__ = ("size", "wanted")

    def __init__(self) -> None:
        self.size = 0
        self.wanted: list[tuple[int, _Class | bytearray]] = []

    def add(self, allowed: _Class) -> None:
        """One more byte, which has to be one of these."""
        if allowed.count(_IS_ALLOWED) == 1:
            return self.add_plain(bytes((allowed.index(_IS_ALLOWED),)))
        self.wanted.append((self.size, allowed))
        self.size += 1
        return None

    def add_plain(self, text: bytes) -> None:
        """More bytes as they are."""
        if self.wanted:
            place, last = self.wanted[-1]
            if isinstance(last, bytearray) and place + len(last) == self.size:
                last += text
                self.size += len(text)
                return
        self.wanted.append((self.size, bytearray(text)))
        self.size += len(text)

    @property
    def literal(self) -> bytes | bytearray | None:
        """All of it where it is just plain bytes."""
        if not self.size:
            return b""
        part = self.wanted[0][1] if self.wanted else b""
        return part if isinstance(part, bytearray) and len(part) == self.size else None

    def expression(self) -> bytes:
        """The piece as a regular expression."""
        parts = [b"."] * self.size
        for place, part in self.wanted:
            for offset, allowed in enumerate(_classes(part), place):
                found = [b"\\x%02x" % byte for byte in range(256) if allowed[byte] == _IS_ALLOWED]
                parts[offset] = b"[%b]" % b"".join(found) if found else _NEVER
        return b"".join(parts)

    def is_at(self, name: bytes, position: int) -> bool:
        """Whether the piece is at a place of a name, which has bytes enough."""
        for offset, part in self.wanted:
            if isinstance(part, bytearray):
                if not name.startswith(part, position + offset):
                    return False
            elif part[name[position + offset]] != _IS_ALLOWED:
                return False
        return True

    def find(self, name: bytes, position: int, places: dict[_Class, int]) -> int:
        """The first place from a position on where the piece is, or -1; `places` keeps where classes of bytes are."""
        if (literal := self.literal) is not None:
            return name.find(literal, position)
        room = len(name) - self.size + 1 - position
        found = ((1 << max(room, 0)) - 1) << position
        for place, part in self.wanted:
            for offset, allowed in enumerate(_classes(part), place):
                if not found:
                    return -1
                if allowed not in places:
                    places[allowed] = int(name[::-1].translate(allowed), 2)
                found &= places[allowed] >> offset
        return (found & -found).bit_length() - 1


def _classes(part: _Class | bytearray) -> Iterable[_Class]:
    """For each byte of a part the bytes that it may be."""
    return map(_ONLY.__getitem__, part) if isinstance(part, bytearray) else (part,)


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
