"""OBJECT: how a value is kept, and how its key is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import INT32_MAX
from emulator.datatypes.types import Value
from emulator.keyspace.frequency import idle
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import is_integer
from emulator.table.keyspec import keys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("object", group="generic", since="2.2.3", acl="", help_since="6.2.0")


@command(
    "generic",
    container="object",
    since="2.2.3",
    flags="readonly",
    keys=[keys("RO", 2)],
    tips="nondeterministic_output",
    complexity="O(1)",
)
def object_encoding(client: Session, key: bytes) -> bytes | None:
    """Returns the internal encoding of a value, or null if the key does not exist."""
    entry = client.db.lookup_entry(key)
    return None if entry is None else entry.encoding_in(client.engine.config.edition.embedding)


@command(
    "generic",
    container="object",
    since="2.2.3",
    flags="readonly",
    keys=[keys("RO", 2)],
    tips="nondeterministic_output",
    complexity="O(1)",
)
def object_refcount(client: Session, key: bytes) -> int | None:
    """Returns the reference count of a value, which is 1; of small integers, which were shared before 8.2, 2147483647."""
    entry = client.db.lookup_entry(key)
    if entry is None:
        return None
    return INT32_MAX if _is_shared(client, entry.value) else 1


_SHARED_INTEGERS: Final = 10_000


def _is_shared(client: Session, value: Value) -> bool:
    """Whether a value is an integer that Redis shared before 8.2, where keys need no access times of their own."""
    config = client.engine.config
    if not config.edition.precedes("8.2.0") or (config.maxmemory and config.maxmemory_policy.endswith(("lru", "lfu"))):
        return False
    return value.__class__ is bytes and is_integer(value) and 0 <= int(value) < _SHARED_INTEGERS


@command(
    "generic",
    container="object",
    since="2.2.3",
    flags="readonly",
    keys=[keys("RO", 2)],
    tips="nondeterministic_output",
    complexity="O(1)",
)
def object_idletime(client: Session, key: bytes) -> int | None:
    """Returns the seconds since a key was last accessed, or null if the key does not exist."""
    entry = client.db.lookup_entry(key)
    if entry is None:
        return None
    if client.db.frequency is not None:
        raise CommandError(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
            "policies at runtime LRU and LFU data will take some time to adjust."
        )
    return idle(entry.access, client.engine.clock.now) // 1000


@command(
    "generic",
    container="object",
    since="4.0.0",
    flags="readonly",
    keys=[keys("RO", 2)],
    tips="nondeterministic_output",
    complexity="O(1)",
)
def object_freq(client: Session, key: bytes) -> int | None:
    """Returns the access frequency counter of a key; an error unless an LFU policy is in force."""
    entry, frequency = client.db.lookup_entry(key), client.db.frequency
    if entry is None:
        return None
    if frequency is None:
        raise CommandError(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
            "between policies at runtime LRU and LFU data will take some time to adjust."
        )
    return frequency.counter(entry.access)
