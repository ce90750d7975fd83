"""Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET know them: ``*  ?  [abc]  [^a-z]  \\x``.

A pattern is compiled once, to a test for a prefix, a suffix or a part where it is that simple, else to an iterative matcher
that backtracks to the last star only (so that no pattern takes exponential time).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[bytes], bool]

_STAR = -1
_SPECIAL = frozenset(b"*?[\\")


@lru_cache(maxsize=1024)
def matcher(pattern: bytes, ignore_case: bool = False) -> Matcher:
    """A function that tells whether a name matches."""
    if pattern == b"*":
        return lambda name: True
    if not ignore_case:
        if _SPECIAL.isdisjoint(pattern):
            return pattern.__eq__
        if pattern.endswith(b"*") and _SPECIAL.isdisjoint(pattern[:-1]):
            prefix = pattern[:-1]
            return lambda name: name.startswith(prefix)
        if pattern.startswith(b"*") and _SPECIAL.isdisjoint(suffix := pattern[1:]):
            return lambda name: name.endswith(suffix)
        if pattern.startswith(b"*") and pattern.endswith(b"*") and _SPECIAL.isdisjoint(part := pattern[1:-1]):
            return lambda name: part in name
    items = _compile(pattern.lower() if ignore_case else pattern, ignore_case)
    if ignore_case:
        return lambda name: _match(items, name.lower())
    return lambda name: _match(items, name)


def _compile(pattern: bytes, ignore_case: bool) -> list[frozenset[int] | int]:
    """One item for each byte to match, a set of the bytes allowed; `_STAR` for any run of bytes."""
    items: list[frozenset[int] | int] = []
    position = 0
    while position < len(pattern):
        byte = pattern[position]
        position += 1
        if byte == 0x2A:
            if not items or items[-1] != _STAR:
                items.append(_STAR)
        elif byte == 0x3F:
            items.append(frozenset(range(256)))
        elif byte == 0x5B:
            allowed, position = _class(pattern, position, ignore_case)
            items.append(allowed)
        else:
            if byte == 0x5C and position < len(pattern):
                byte = pattern[position]
                position += 1
            items.append(frozenset((byte,)))
    return items


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


def _match(items: list[frozenset[int] | int], name: bytes) -> bool:
    item = position = 0
    star, retry = -1, 0
    while position < len(name):
        wanted = items[item] if item < len(items) else None
        if wanted == _STAR:
            star, retry = item, position
            item += 1
        elif isinstance(wanted, frozenset) and name[position] in wanted:
            item += 1
            position += 1
        elif star >= 0:
            retry += 1
            item, position = star + 1, retry
        else:
            return False
    return all(wanted == _STAR for wanted in items[item:])
