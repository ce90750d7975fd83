"""Strings that are changed only if they are what the client thinks: the conditions of SET, DELEX and DELIFEQ; DIGEST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import wrong_arity
from emulator.datatypes.string import STRINGS
from emulator.datatypes.xxh3 import xxh3
from emulator.protocol.errors import WRONGTYPE, CommandError
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.commands.options import Given
    from emulator.datatypes.types import Value
    from emulator.keyspace.database import Database

_DIGITS: Final = 16
CONDITIONS: Final = frozenset((b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"))
"""The options that ask for this value, another value, the value of this digest or one of another digest."""


def holds(condition: bytes, word: bytes, value: Value | None) -> bool:
    """Whether a string (None where there is no key) fulfils a condition of `CONDITIONS`.  Raises WRONGTYPE."""
    text = _string(value)
    wants_other = condition.endswith(b"NE")
    if condition in (b"IFEQ", b"IFNE"):
        return (text == word) != wants_other
    if text is None:
        return wants_other
    if len(word) != _DIGITS:
        raise CommandError("ERR must be exactly 16 hexadecimal characters")
    return (_digest(text) == word.lower()) != wants_other


def is_wanted(db: Database, key: bytes, chosen: Given) -> bool:
    """Whether a key is as the conditions of SET want it; where it is not, to have looked at it counts as a use."""
    entry = db.peek_for_writing(key)
    value = None if entry is None else entry.value
    unwanted = b"XX" if entry is None else b"NX"
    if unwanted not in chosen and all(holds(name, chosen[name], value) for name in CONDITIONS & chosen.keys()):
        return True
    if entry is not None:
        db.used(entry)
    return False


def _string(value: Value | None) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, STRINGS):
        raise CommandError(WRONGTYPE)
    return bytes(value)


def _digest(value: bytes) -> bytes:
    return b"%016x" % xxh3(value)


@command("string", since="8.4.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(N) for N bytes")
def digest(client: Session, key: bytes) -> bytes | None:
    """The XXH3 hash of a string as sixteen hexadecimal digits, null where there is none."""
    text = _string(client.db.lookup_read_any(key))
    return None if text is None else _digest(text)


def _key_of_delex(words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """DELEX reads the value only if it has a condition."""
    return [(words[1], "RW delete" if len(words) > 2 else "RM delete")]


@command(
    "string",
    since="8.4.0",
    flags="write fast",
    keys=[keys("RW delete variable_flags", 1)],
    key_finder=_key_of_delex,
    complexity="O(1), with a digest O(N) for N bytes",
)
def delex(client: Session, key: bytes, *condition: bytes) -> int:
    """Delete a key, if its string is as asked for; whether it was deleted."""
    if len(condition) not in (0, 2):
        raise wrong_arity("delex")
    entry = client.db.lookup_write_entry(key)
    if entry is None:
        return 0
    if condition:
        option, word = condition[0].upper(), condition[1]
        if not isinstance(entry.value, STRINGS):
            raise CommandError("ERR Key should be of string type if conditions are specified")
        if option not in CONDITIONS:
            raise CommandError("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
        if not holds(option, word, entry.value):
            return 0
    return int(client.db.delete(key))


@command("string", valkey="9.0.0", flags="write fast", keys=[keys("RM delete", 1)], complexity="O(1)")
def delifeq(client: Session, key: bytes, value: bytes) -> int:
    """Delete a key whose string is this; whether it was deleted."""
    entry = client.db.lookup_write_entry(key)
    if entry is None or not holds(b"IFEQ", value, entry.value):
        return 0
    return int(client.db.delete(key))
