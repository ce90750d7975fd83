"""The classes of keyspace notifications, and ``notify-keyspace-events`` as text.

Source: https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
SUBKEYSPACE: Final = 1 << 17
SUBKEYEVENT: Final = 1 << 18
SUBKEYSPACE_ITEM: Final = 1 << 19
SUBKEYSPACE_EVENT: Final = 1 << 20
SUBKEYS: Final = SUBKEYSPACE | SUBKEYEVENT | SUBKEYSPACE_ITEM | SUBKEYSPACE_EVENT
"""Channels that tell which fields of a hash an event is about (Redis 8.8)."""
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
_OF_SUBKEYS: Final = {"S": SUBKEYSPACE, "T": SUBKEYEVENT, "I": SUBKEYSPACE_ITEM, "V": SUBKEYSPACE_EVENT}
OF_SUBKEYS: Final = "".join(_OF_SUBKEYS)
_LETTERS: Final = {"A": ALL} | _CLASSES | _EVERYWHERE | _OF_SUBKEYS


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
    return letters + "".join(letter for letter, bit in (_EVERYWHERE | _OF_SUBKEYS).items() if flags & bit)


def of_subkeys(
    flags: int, event: bytes, key: bytes, subkeys: Sequence[bytes], index: int
) -> Iterator[tuple[bytes, bytes]]:
    """The channels and messages of an event of certain fields of a key, of those kinds that the flags ask for."""
    told = b",".join([b"%d:%b" % (len(subkey), subkey) for subkey in subkeys])
    if flags & SUBKEYSPACE and b"|" not in event:
        yield b"__subkeyspace@%d__:%b" % (index, key), event + b"|" + told
    if flags & SUBKEYEVENT:
        yield b"__subkeyevent@%d__:%b" % (index, event), b"%d:%b|%b" % (len(key), key, told)
    if flags & SUBKEYSPACE_ITEM and b"\n" not in key:
        for subkey in subkeys:
            yield b"__subkeyspaceitem@%d__:%b\n%b" % (index, key, subkey), event
    if flags & SUBKEYSPACE_EVENT and b"|" not in event:
        yield b"__subkeyspaceevent@%d__:%b|%b" % (index, event, key), told
