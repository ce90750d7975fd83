"""MEMORY: the memory of keys, and memory by its use.

The figures are those of the real server's allocator for the same data (`emulator.keyspace.weight`); the memory of the
Python process is reported as the resident set size.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

from emulator.commands.options import at_least, read_options
from emulator.keyspace.exact_weight import exact_weight
from emulator.keyspace.memory import MemoryFigures, resident_memory
from emulator.keyspace.weight import weight_of_parts
from emulator.protocol.errors import NOT_INTEGER, SYNTAX
from emulator.protocol.replies import OK, Reply, Status, Verbatim
from emulator.table.keyspec import keys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("memory", group="server", since="4.0.0", acl="", help_since="4.0.0", help_acl="")

_TIPS = "nondeterministic_output request_policy:all_shards response_policy:special"


_OPTIONS: Final = {b"SAMPLES": at_least(0, SYNTAX, NOT_INTEGER)}


@command("server", container="memory", since="4.0.0", flags="readonly", keys=[keys("RO", 2)], acl="", complexity="O(1)")
def memory_usage(client: Session, key: bytes, *options: bytes) -> int | None:
    """Returns the approximate memory of a key and its value, in bytes."""
    read_options(options, _OPTIONS)
    entry = client.db.peek_entry(key)
    if entry is None:
        return None
    edition = client.engine.config.edition
    if edition.precedes("8.2.0"):
        return weight_of_parts(key, entry.value)
    if edition.includes("8.6.0"):
        return exact_weight(key, entry.value, entry.deadline is not None)
    client.db.weigh()
    return entry.weight[0]


_SINCE: Final = {
    b"replica.fullsync.buffer": "8.0.0",
    b"script.VMs": "8.0.0",
    b"overhead.db.hashtable.lut": "7.4.0",
    b"overhead.db.hashtable.rehashing": "7.4.0",
    b"db.dict.rehashing.count": "7.4.0",
    b"allocator.muzzy": "7.4.0",
}
"""With which version of Redis a figure came that not all of them have."""


@command("server", container="memory", since="4.0.0", acl="", tips=_TIPS, complexity="O(1)")
def memory_stats(client: Session) -> dict[bytes, Reply]:
    """Returns what the memory is used for."""
    engine = client.engine
    memory = MemoryFigures(engine)
    resident = resident_memory()
    edition = engine.config.edition
    databases: dict[bytes, Reply] = {}
    for db in engine.databases:
        if len(db):
            databases[b"db.%d" % db.index] = of_database = {
                b"overhead.hashtable.main": db.overhead,
                b"overhead.hashtable.expires": db.expires_overhead,
            }
            if edition.precedes("7.4.0"):
                of_database[b"overhead.hashtable.slot-to-keys"] = 0
    figures: dict[bytes, Reply] = {
        b"peak.allocated": memory.peak,
        b"total.allocated": memory.used,
        b"startup.allocated": memory.startup,
        b"replication.backlog": 0,
        b"replica.fullsync.buffer": 0,
        b"clients.slaves": 0,
        b"clients.normal": memory.clients,
        b"cluster.links": 0,
        b"aof.buffer": 0,
        b"lua.caches": memory.scripts,
        b"functions.caches": memory.functions,
        b"script.VMs": sum(engine.scripting.vm_memory),
        **databases,
        b"overhead.db.hashtable.lut": memory.tables,
        b"overhead.db.hashtable.rehashing": 0,
        b"overhead.total": memory.overhead,
        b"db.dict.rehashing.count": 0,
        b"keys.count": memory.keys,
        b"keys.bytes-per-key": (memory.used - memory.startup) // memory.keys if memory.keys else 0,
        b"dataset.bytes": memory.dataset,
        b"dataset.percentage": memory.dataset_share,
        b"peak.percentage": memory.used * 100 / memory.peak,
        b"allocator.allocated": memory.used,
        b"allocator.active": resident,
        b"allocator.resident": resident,
        b"allocator.muzzy": 0,
        b"allocator-fragmentation.ratio": 1.0,
        b"allocator-fragmentation.bytes": 0,
        b"allocator-rss.ratio": 1.0,
        b"allocator-rss.bytes": 0,
        b"rss-overhead.ratio": 1.0,
        b"rss-overhead.bytes": 0,
        b"fragmentation": resident / memory.used,
        b"fragmentation.bytes": resident - memory.used,
    }
    return {name: figure for name, figure in figures.items() if not edition.precedes(_SINCE.get(name, "0.0.0"))}


@command("server", container="memory", since="4.0.0", acl="", tips=_TIPS, complexity="O(1)")
def memory_doctor(client: Session) -> Verbatim:
    """Returns a report on problems of memory usage."""
    if MemoryFigures(client.engine).used < 5 << 20:
        return Verbatim(
            b"Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these "
            b"conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back "
            b"to our programming as soon as I finished rebooting.\n"
        )
    return Verbatim(
        b"Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
    )


@command("server", container="memory", since="4.0.0", acl="", tips=_TIPS, complexity="O(1)")
def memory_malloc_stats(client: Session) -> Verbatim:
    """Returns the statistics of Python's allocator."""
    counts = ", ".join(map(str, gc.get_count()))
    return Verbatim(f"Allocator: Python's. Objects watched by the collector, by generation: {counts}.\n".encode())


@command(
    "server",
    container="memory",
    since="4.0.0",
    acl="",
    tips="request_policy:all_shards response_policy:all_succeeded",
    complexity="O(N) for N objects",
)
def memory_purge(client: Session) -> Status:
    """Releases memory that is no longer needed."""
    gc.collect()
    return OK
