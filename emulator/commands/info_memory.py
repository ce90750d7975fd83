"""INFO memory: what the real server would need, and what the process has."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from emulator.keyspace.memory import MemoryFigures, resident_memory

if TYPE_CHECKING:
    from emulator.commands.info import Engine, Fields


def memory(engine: Engine) -> Fields:
    """The fields of the section."""
    memory, limit, resident = MemoryFigures(engine), engine.config.maxmemory, resident_memory()
    system = _system_memory()
    backlog = 0 if engine.replication.stream.backlog is None else len(engine.replication.stream.backlog)
    return [
        ("used_memory", memory.used),
        ("used_memory_human", _human(memory.used)),
        ("used_memory_rss", resident),
        ("used_memory_rss_human", _human(resident)),
        ("used_memory_peak", memory.peak),
        ("used_memory_peak_human", _human(memory.peak)),
        ("used_memory_peak_time", engine.stats.peak_moment // 1000, "8.2.0"),
        ("used_memory_peak_perc", f"{memory.used * 100 / memory.peak:.2f}%"),
        ("used_memory_overhead", memory.overhead),
        ("used_memory_startup", memory.startup),
        ("used_memory_dataset", memory.dataset),
        ("used_memory_dataset_perc", f"{memory.dataset_share:.2f}%"),
        ("allocator_allocated", memory.used),
        ("allocator_active", resident),
        ("allocator_resident", resident),
        ("allocator_muzzy", 0, "7.4.0"),
        ("total_system_memory", system),
        ("total_system_memory_human", _human(system)),
        *_script_memory(engine, memory),
        ("maxmemory", limit),
        ("maxmemory_human", _human(limit)),
        ("maxmemory_policy", engine.config.maxmemory_policy),
        ("allocator_frag_ratio", "1.00"),
        ("allocator_frag_bytes", 0),
        ("allocator_rss_ratio", "1.00"),
        ("allocator_rss_bytes", 0),
        ("rss_overhead_ratio", "1.00"),
        ("rss_overhead_bytes", 0),
        ("mem_fragmentation_ratio", f"{resident / memory.used:.2f}"),
        ("mem_fragmentation_bytes", resident - memory.used),
        ("mem_not_counted_for_evict", 0),
        ("mem_replication_backlog", backlog),
        ("mem_total_replication_buffers", 0),
        ("mem_replica_full_sync_buffer", 0, "8.0.0"),
        ("mem_clients_slaves", 0),
        ("mem_clients_normal", memory.clients),
        ("mem_cluster_slot_migration_output_buffer", 0, "8.4.0"),
        ("mem_cluster_slot_migration_input_buffer", 0, "8.4.0"),
        ("mem_cluster_slot_migration_input_buffer_peak", 0, "8.4.0"),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", 0),
        ("mem_allocator", "python"),
        ("mem_overhead_db_hashtable_rehashing", 0, "7.4.0"),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", 0),
        ("lazyfreed_objects", engine.stats.lazily_freed),
    ]


@cache
def _system_memory() -> int:
    """Return the machine's memory in bytes, 0 if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _script_memory(engine: Engine, memory: MemoryFigures) -> Fields:
    evaluated, called = engine.scripting.vm_memory
    libraries, functions = engine.scripting.counts
    return [
        ("used_memory_lua", evaluated),
        ("used_memory_vm_eval", evaluated),
        ("used_memory_lua_human", _human(evaluated)),
        ("used_memory_scripts_eval", memory.scripts),
        ("number_of_cached_scripts", len(engine.scripting.scripts)),
        ("number_of_functions", functions),
        ("number_of_libraries", libraries),
        ("used_memory_vm_functions", called),
        ("used_memory_vm_total", evaluated + called),
        ("used_memory_vm_total_human", _human(evaluated + called)),
        ("used_memory_functions", memory.functions),
        ("used_memory_scripts", memory.scripts + memory.functions),
        ("used_memory_scripts_human", _human(memory.scripts + memory.functions)),
    ]


def _human(size: int) -> str:
    """Return a size in readable form, such as 1.50M."""
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, 5)
    return f"{size / 1024**power:.2f}{'BKMGTP'[power]}"
