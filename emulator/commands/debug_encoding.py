"""The words of DEBUG that tell how values are encoded: OBJECT, SDSLEN, LISTPACK, QUICKLIST, HTSTATS, HTSTATS-KEY."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer
from emulator.commands.debug import debug_word
from emulator.datatypes.footprint import buckets, string_size
from emulator.datatypes.list import List
from emulator.keyspace.entry import Entry
from emulator.keyspace.frequency import bits, idle
from emulator.keyspace.weight import weigh
from emulator.protocol.errors import NO_SUCH_KEY, CommandError
from emulator.protocol.replies import Reply, Status, Verbatim
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.clients.session import Session

logger = logging.getLogger("emulator")

_LOWEST_FILL: Final = -5
_HIGHEST_FILL: Final = 32767


def _entry(client: Session, key: bytes) -> Entry:
    entry = client.db.entries.get(key)  # be it one that has expired
    if entry is None:
        raise CommandError(NO_SUCH_KEY)
    return entry


@debug_word
def _object(client: Session, key: bytes) -> Reply:
    """Returns how a value is stored."""
    from emulator.rdb import payload, save

    entry = _entry(client, key)
    value = entry.value
    length = len(save.save(value, payload.string)[1])
    now = client.engine.clock.now
    encoding = entry.encoding_in(client.engine.config.edition.embedding).decode()
    text = (
        f"Value at:{id(value):#x} refcount:1 encoding:{encoding} serializedlength:{length} "
        f"lru:{bits(entry.access)} lru_seconds_idle:{idle(entry.access, now) // 1000}"
    )
    if isinstance(value, List) and value.nodes is not None:
        nodes, limit = len(value.nodes), max(min(value.fill, _HIGHEST_FILL), _LOWEST_FILL)
        text += (
            f" ql_nodes:{nodes} ql_avg_node:{len(value) / nodes:.2f} ql_listpack_max:{limit} ql_compressed:0 "
            f"ql_uncompressed_size:{value.stored}"
        )
    return Status(text.encode())


@debug_word
def _sdslen(client: Session, key: bytes) -> Reply:
    """Returns the lengths and the allocations of a key and its string."""
    entry = _entry(client, key)
    kind = entry.encoding
    if kind not in (b"raw", b"embstr"):
        raise CommandError("ERR Not an sds encoded string.")
    room = string_size(len(entry.value)) if kind == b"raw" else 0
    whole = weigh(key, entry.value, entry.deadline is not None) - room
    return Status(
        b"key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:%d, val_zmalloc: %d"
        % (len(key), whole, len(entry.value), max(room - len(entry.value) - 4, 0), room)
    )


@debug_word
def _listpack(client: Session, key: bytes) -> Reply:
    """Writes the contents of a listpack to the log."""
    entry = _entry(client, key)
    if not entry.encoding.startswith(b"listpack"):
        raise CommandError("ERR Not a listpack encoded object.")
    logger.log(NOTICE, "%s %r of %d elements", entry.encoding.decode(), key, len(entry.value))
    return Status(b"Listpack structure printed on stdout")


@debug_word
def _quicklist(client: Session, key: bytes, full: bytes = b"0") -> Reply:
    """Writes the nodes of a quicklist to the log."""
    value = _entry(client, key).value
    if not isinstance(value, List) or value.nodes is None:
        raise CommandError("ERR Not a quicklist encoded object.")
    logger.log(NOTICE, "quicklist %r: values and bytes of each node %s", key, list(value.nodes))
    return Status(b"Quicklist structure printed on stdout")


def _table(title: str, count: int) -> str:
    if not count:
        return f"[{title}]\nNo stats available for empty dictionaries\n" if title else ""
    head = f"[{title}]\n" if title else ""
    size = buckets(count)
    return f"{head}Hash table 0 stats (main hash table):\n table size: {size}\n number of elements: {count}\n"


@debug_word
def _htstats(client: Session, dbid: bytes, full: bytes = b"") -> Reply:
    """Returns the sizes that the hash tables of a database have in the real server."""
    index = integer(dbid)
    if not 0 <= index < len(client.engine.databases):
        raise CommandError("ERR Out of range database")
    db = client.engine.databases[index]
    text = _table("Dictionary HT", len(db)) + _table("Expires HT", db.expiring)
    return Verbatim(text.encode())


@debug_word
def _htstats_key(client: Session, key: bytes, full: bytes = b"") -> Reply:
    """Returns the size that the hash table of a value has in the real server."""
    entry = _entry(client, key)
    if entry.encoding not in (b"hashtable", b"skiplist"):
        raise CommandError("ERR The value stored at the specified key is not represented using an hash table")
    return Verbatim(_table("", len(entry.value)).encode())
