"""RDB files: the records that they are made of, and how those are written.  `file_reader` reads them.

A file is a magic word with a version, records, an end and the checksum of it all; each record begins with a byte that says
what it is, a key's with the kind of its value.  Nothing here does any I/O.

Source: the RDB file format, version 12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from emulator.rdb.payload import OF_VALKEY, RDB_VERSION, length

if TYPE_CHECKING:
    from emulator.config.edition import Edition

MAGIC: Final = b"REDIS"
VALKEY_MAGIC: Final = b"VALKEY"
HEADER_SIZE: Final = 9
CHECKSUM_SIZE: Final = 8

SLOT: Final = 0xF4
LIBRARY: Final = 0xF5
DRAFT_LIBRARY: Final = 0xF6
MODULE_DATA: Final = 0xF7
IDLE: Final = 0xF8
FREQUENCY: Final = 0xF9
AUX: Final = 0xFA
SIZES: Final = 0xFB
DEADLINE: Final = 0xFC
DEADLINE_IN_SECONDS: Final = 0xFD
DATABASE: Final = 0xFE
END: Final = 0xFF

Text = Callable[[bytes], bytes]
"""How strings are written: `payload.string`, which compresses, or `payload.plain_string`."""


class Aux(NamedTuple):
    """Something about the file: who wrote it, when, what for."""

    name: bytes
    value: bytes


class Library(NamedTuple):
    """A library of functions."""

    code: bytes


class DatabaseBegins(NamedTuple):
    """The keys that follow are of this database."""

    number: int


class Sizes(NamedTuple):
    """How many keys the database has, and how many of them expire."""

    keys: int
    expiring: int


class Slot(NamedTuple):
    """The keys that follow are of this slot of a cluster, which has so many."""

    slot: int
    keys: int
    expiring: int


class ModuleData(NamedTuple):
    """What a module that is not here has in the file beside keys."""

    module: str


class Key(NamedTuple):
    """A key; `value` is None where it has no elements.  The deadline is in milliseconds, the idle time in seconds."""

    key: bytes
    kind: int
    value: Any
    deadline: int | None
    idle: int | None
    frequency: int | None


Record = ModuleData | Aux | Library | DatabaseBegins | Sizes | Slot | Key


def header(version: int = RDB_VERSION) -> bytes:
    """The beginning of a file of a version of the format, of which Valkey has those from 80 on."""
    return VALKEY_MAGIC + b"%03d" % version if version >= OF_VALKEY else MAGIC + b"%04d" % version


def version_name(edition: Edition) -> bytes:
    """The field in which a file tells the version of who wrote it."""
    return b"valkey-ver" if edition.is_valkey else b"redis-ver"


def aux(name: bytes, value: bytes, text: Text) -> bytes:
    return bytes((AUX,)) + text(name) + text(value)


def library(code: bytes, text: Text) -> bytes:
    return bytes((LIBRARY,)) + text(code)


def database(index: int, keys: int, expiring: int) -> bytes:
    """The beginning of a database."""
    return select(index) + sizes(keys, expiring)


def select(index: int) -> bytes:
    """The number of the database whose keys follow."""
    return bytes((DATABASE,)) + length(index)


def sizes(keys: int, expiring: int) -> bytes:
    """How many keys the database has."""
    return bytes((SIZES,)) + length(keys) + length(expiring)


def key(
    name: bytes,
    kind: int,
    body: bytes,
    text: Text,
    deadline: int | None = None,
    idle: int | None = None,
    frequency: int | None = None,
) -> bytes:
    """A key, whose value is of a kind and has these bytes."""
    before = b"" if deadline is None else bytes((DEADLINE,)) + deadline.to_bytes(8, "little", signed=True)
    if idle is not None:
        before += bytes((IDLE,)) + length(idle)
    if frequency is not None:
        before += bytes((FREQUENCY, frequency))
    return before + bytes((kind,)) + text(name) + body


def end(checksum: int) -> bytes:
    """What follows the byte `END`: the checksum of all that was before, or with 0 none."""
    return checksum.to_bytes(CHECKSUM_SIZE, "little")
