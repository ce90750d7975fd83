"""The classes of keyspace notifications, and ``notify-keyspace-events`` as text.

Source: https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
"""

from __future__ import annotations

from typing import Final

KEYSPACE: Final = 1 << 0
KEYEVENT: Final = 1 << 1
GENERIC: Final = 1 << 2
STRING: Final = 1 << 3
LIST: Final = 1 << 4
SET: Final = 1 << 5
HASH: Final = 1 << 6
ZSET: Final = 1 << 7
EXPIRED: Final = 1 << 8
EVICTED: Final = 1 << 9
STREAM: Final = 1 << 10
KEY_MISS: Final = 1 << 11
MODULE: Final = 1 << 13
NEW: Final = 1 << 14
OVERWRITTEN: Final = 1 << 15
TYPE_CHANGED: Final = 1 << 16
ARRAY: Final = MODULE
"""The letter of arrays is not documented."""
ALL: Final = GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE
"""What ``A`` stands for: every class but `KEY_MISS`, `NEW`, `OVERWRITTEN` and `TYPE_CHANGED`."""

_CLASSES: Final = {
    "g": GENERIC,
    "$": STRING,
    "l": LIST,
    "s": SET,
    "h": HASH,
    "z": ZSET,
    "x": EXPIRED,
    "e": EVICTED,
    "t": STREAM,
    "d": MODULE,
    "n": NEW,
    "o": OVERWRITTEN,
    "c": TYPE_CHANGED,
}
_EVERYWHERE: Final = {"K": KEYSPACE, "E": KEYEVENT, "m": KEY_MISS}
_LETTERS: Final = {"A": ALL} | _CLASSES | _EVERYWHERE


def parse_flags(text: str) -> int | None:
    """The classes that the letters name, or None where one names none."""
    flags = 0
    for letter in text:
        if letter not in _LETTERS:
            return None
        flags |= _LETTERS[letter]
    return flags


def format_flags(flags: int) -> str:
    """The letters in Redis's order; beside ``A`` it does not tell `NEW`, `OVERWRITTEN` and `TYPE_CHANGED`."""
    letters = "A" if flags & ALL == ALL else "".join(letter for letter, bit in _CLASSES.items() if flags & bit)
    return letters + "".join(letter for letter, bit in _EVERYWHERE.items() if flags & bit)
