"""How much memory an engine uses, in the real server's terms, and how much its process has in fact."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from emulator.clients.memory import CLIENT
from emulator.datatypes.footprint import POINTER, buckets
from emulator.keyspace.weight import SLOT

if TYPE_CHECKING:
    from emulator.keyspace.host import HostOfData

AT_REST: Final = 690_000
"""What the real server uses before the first key."""


def used_memory(engine: HostOfData) -> int:
    """What counts against ``maxmemory``.  O(databases), beside what has to be weighed after changes."""
    total = AT_REST + CLIENT * len(engine.sessions) + engine.client_memory.beyond()
    for db in engine.databases:
        if db.entries:
            total += db.weigh()
    return total


def resident_memory() -> int:
    """Bytes that the process has in memory, 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class MemoryFigures:
    """The figures of a moment, for INFO and MEMORY STATS."""

    def __init__(self, engine: HostOfData) -> None:
        scripting = engine.scripting
        self.used = engine.used_memory
        self.peak = engine.stats.peak_memory
        self.startup = AT_REST
        databases = [db for db in engine.databases if db.entries]
        self.keys = sum(map(len, databases))
        self.clients = engine.client_memory.totals().total
        self.scripts = scripting.scripts_memory
        self.functions = scripting.functions_memory
        self.tables = sum(POINTER * buckets(len(db)) for db in databases)
        self.overhead = AT_REST + self.clients + SLOT * (self.keys + sum(db.expiring for db in databases))
        self.dataset = max(self.used - self.overhead, 0)
        self.dataset_share = self.dataset * 100 / max(self.used - AT_REST, 1)
