"""INFO: facts and figures about the server, in sections of ``field:value`` lines.

Fields about things that this server lacks (forks, replication links, a fragmenting allocator) are included if clients read
them, with the values of an idle server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from emulator.clients.memory import usage
from emulator.commands import info_valkey
from emulator.commands.info_replication import replication
from emulator.keyspace.memory import MemoryFigures, resident_memory
from emulator.keyspace.weight import describe_sizes
from emulator.persistence.append_log import OFF
from emulator.protocol.replies import Verbatim
from emulator.protocol.text import to_bytes
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.core.engine import Engine as Engine
    from emulator.persistence.append_log import AppendLog
    from emulator.persistence.loading import Loading
    from emulator.persistence.replay import Replay
    from emulator.table.registry import Command

Fields = Iterable[tuple[str, object] | tuple[str, object, str]]
"""Names and values; what a later version than 7.2 has brought is followed by that version."""


def _human(size: int) -> str:
    """Return a size in readable form, such as 1.50M."""
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, 5)
    return f"{size / 1024**power:.2f}{'BKMGTP'[power]}"


def _server(engine: Engine) -> Fields:
    import platform  # takes 1 ms to be imported

    uptime = (engine.clock.now - engine.started) // 1000
    config = engine.config
    return [
        ("redis_version", engine.config.edition.redis_version),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", "0"),
        ("redis_mode", engine.mode),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("arch_bits", 64 if sys.maxsize > 2**32 else 32),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", "asyncio"),
        ("atomicvar_api", "none"),
        ("gcc_version", "0.0.0"),
        ("process_id", os.getpid()),
        ("process_supervised", "no"),
        ("run_id", engine.run_id),
        ("tcp_port", config.port),
        ("server_time_usec", engine.clock.micros()),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
        ("hz", config.hz),
        ("configured_hz", config.hz),
        ("lru_clock", engine.clock.now // 1000 & 0xFFFFFF),
        ("executable", sys.executable),
        ("config_file", config.file),
        ("io_threads_active", 0),
        *_shutdown(engine),
        *_listeners(engine),
    ]


def _shutdown(engine: Engine) -> Fields:
    shutdown = engine.replication.shutdown
    return [("shutdown_in_milliseconds", shutdown.milliseconds_left)] if shutdown.is_under_way else []


def _listeners(engine: Engine) -> Fields:
    config = engine.config
    addresses = ",".join(f"bind={address}" for address in config.bind.split())
    kinds = [(name, addresses, port) for name, port in (("tcp", config.port), ("tls", config.tls_port)) if port]
    told = [f"name={name},{where},port={port}" for name, where, port in kinds]
    if config.unixsocket:
        told.append(f"name=unix,bind={config.unixsocket}")
    return [(f"listener{number}", text) for number, text in enumerate(told)]


def _clients(engine: Engine) -> Fields:
    sessions = list(engine.sessions.values())
    usages = [usage(session) for session in sessions]
    return [
        ("connected_clients", sum(session.peer is None for session in sessions)),
        ("cluster_connections", 0),
        ("maxclients", engine.config.maxclients),
        ("client_recent_max_input_buffer", max((used.allocated for used in usages), default=0)),
        ("client_recent_max_output_buffer", max((used.output for used in usages), default=0)),
        ("blocked_clients", len(engine.blocking.blocks) + sum(session.paused for session in sessions)),
        ("tracking_clients", len(engine.tracking.clients)),
        ("pubsub_clients", sum(1 for session in sessions if session.subscriptions), "7.4.0"),
        ("watching_clients", sum(1 for session in sessions if session.watched), "7.4.0"),
        ("clients_in_timeout_table", sum(1 for block in engine.blocking.blocks if block.deadline is not None)),
        ("total_watched_keys", sum(len(db.watchers) for db in engine.databases), "7.4.0"),
        ("total_blocking_keys", sum(len(db.blocked) for db in engine.databases)),
        ("total_blocking_keys_on_nokey", engine.blocking.keys_on_no_key),
    ]


def _memory(engine: Engine) -> Fields:
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


def _persistence(engine: Engine) -> Fields:
    persistence = engine.persistence
    dumps, log, loading = persistence.dumps, persistence.log, persistence.loading
    saved, total = (0, 0) if dumps.image is None else (dumps.image.saved, dumps.image.total)
    return [
        ("loading", int(loading is not None)),
        ("async_loading", int(persistence.loading_aside is not None)),
        ("current_cow_peak", 0),
        ("current_cow_size", 0),
        ("current_cow_size_age", 0),
        ("current_fork_perc", f"{saved * 100 / (total or 1):.2f}"),
        ("current_save_keys_processed", saved),
        ("current_save_keys_total", total),
        ("rdb_changes_since_last_save", dumps.changes),
        ("rdb_bgsave_in_progress", int(dumps.image is not None)),
        ("rdb_last_save_time", dumps.last_save),
        ("rdb_last_bgsave_status", "err" if dumps.failed else "ok"),
        ("rdb_last_bgsave_time_sec", dumps.last_duration),
        ("rdb_current_bgsave_time_sec", dumps.duration),
        ("rdb_saves", dumps.count),
        ("rdb_saves_consecutive_failures", dumps.failures, "8.4.0"),
        ("rdb_last_cow_size", 0),
        ("rdb_last_load_keys_expired", persistence.expired_keys),
        ("rdb_last_load_keys_loaded", persistence.loaded_keys),
        ("aof_enabled", int(log.state != OFF)),
        ("aof_rewrite_in_progress", int(log.rewrite.image is not None)),
        ("aof_rewrite_scheduled", int(log.rewrite.scheduled)),
        ("aof_last_rewrite_time_sec", log.rewrite.last_duration),
        ("aof_current_rewrite_time_sec", log.rewrite.duration),
        ("aof_last_bgrewrite_status", "err" if log.rewrite.failures else "ok"),
        ("aof_rewrites", log.rewrite.count),
        ("aof_rewrites_consecutive_failures", log.rewrite.failures),
        ("aof_last_write_status", "err" if log.error else "ok"),
        ("aof_last_cow_size", 0),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
        ("backup_in_progress", int(persistence.backs_up_online), "8.10.0"),
        *([] if log.state == OFF else _log(log)),
        *([] if loading is None else _loading(engine, loading)),
    ]


def _log(log: AppendLog) -> Fields:
    return [
        ("aof_current_size", log.size),
        ("aof_base_size", log.base_size),
        ("aof_pending_rewrite", 0),
        ("aof_buffer_length", sum(map(len, log.unwritten))),
        ("aof_pending_bio_fsync", int(log.is_syncing)),
        ("aof_delayed_fsync", log.delayed_syncs),
    ]


def _loading(engine: Engine, loading: Loading | Replay) -> Fields:
    passed = engine.clock.now // 1000 - loading.began
    left = passed * (loading.total - loading.offset) // loading.offset if passed and loading.offset else 1
    return [
        ("loading_start_time", loading.began),
        ("loading_total_bytes", loading.total),
        ("loading_rdb_used_mem", loading.used_memory),
        ("loading_loaded_bytes", loading.offset),
        ("loading_loaded_perc", f"{loading.offset * 100 / (loading.total or 1):.2f}"),
        ("loading_eta_seconds", max(left, 0)),
    ]


def _threads(engine: Engine) -> Fields:
    stats = engine.stats
    return [("io_thread_0", f"clients={len(engine.sessions)},reads={stats.reads},writes={stats.writes}")]


def _stats(engine: Engine) -> Fields:
    yield from _traffic(engine)
    yield from _gone_keys(engine)
    yield from _lookups_and_forks(engine)
    yield from _clients_that_cache(engine)
    yield from _errors_and_io(engine)
    yield from _event_loop(engine)
    for reason, name in ((b"auth", "auth"), (b"command", "cmd"), (b"key", "key"), (b"channel", "channel")):
        yield f"acl_access_denied_{name}", engine.stats.acl_denied[reason]
    yield "acl_access_denied_tls_cert", 0, "8.6.0"


def _traffic(engine: Engine) -> Fields:
    stats, rate = engine.stats, engine.rates.mean()
    return [
        ("total_connections_received", stats.connections_received),
        ("total_commands_processed", stats.commands_processed),
        ("instantaneous_ops_per_sec", round(rate.commands)),
        ("total_net_input_bytes", stats.net_input_bytes),
        ("total_net_output_bytes", stats.net_output_bytes),
        ("total_net_repl_input_bytes", 0),
        ("total_net_repl_output_bytes", 0),
        ("instantaneous_input_kbps", f"{rate.received / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{rate.sent / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", "0.00"),
        ("instantaneous_output_repl_kbps", "0.00"),
        ("rejected_connections", stats.rejected_connections),
        ("sync_full", engine.replication.full),
        ("sync_partial_ok", engine.replication.partial),
        ("sync_partial_err", engine.replication.refused),
    ]


def _gone_keys(engine: Engine) -> Fields:
    """What has expired or was evicted."""
    stats = engine.stats
    return [
        ("expired_subkeys", stats.expired_fields, "7.4.0"),
        ("expired_subkeys_active", stats.expired_fields_active, "8.4.0"),
        ("expired_keys", stats.expired_keys),
        ("expired_keys_active", stats.expired_keys_active, "8.4.0"),
        ("expired_stale_perc", "0.00"),
        ("expired_time_cap_reached_count", 0),
        ("expire_cycle_cpu_milliseconds", 0),
        ("evicted_keys", stats.evicted_keys),
        ("evicted_clients", stats.evicted_clients),
        ("evicted_scripts", engine.scripting.evicted, "7.4.0"),
        ("total_eviction_exceeded_time", 0),
        ("current_eviction_exceeded_time", 0),
    ]


def _lookups_and_forks(engine: Engine) -> Fields:
    stats, pubsub = engine.stats, engine.pubsub
    return [
        ("keyspace_hits", stats.keyspace_hits),
        ("keyspace_misses", stats.keyspace_misses),
        ("pubsub_channels", len(pubsub.channels)),
        ("pubsub_patterns", len(pubsub.patterns)),
        ("pubsubshard_channels", len(pubsub.shards)),
        ("latest_fork_usec", 0),
        ("total_forks", 0),
        ("migrate_cached_sockets", 0),
        ("slave_expires_tracked_keys", len(engine.replication.own_keys)),
        ("active_defrag_hits", 0),
        ("active_defrag_misses", 0),
        ("active_defrag_key_hits", 0),
        ("active_defrag_key_misses", 0),
        ("total_active_defrag_time", 0),
        ("current_active_defrag_time", 0),
    ]


def _clients_that_cache(engine: Engine) -> Fields:
    tracking = engine.tracking
    return [
        ("tracking_total_keys", len(tracking.table)),
        ("tracking_total_items", tracking.items),
        ("tracking_total_prefixes", len(tracking.prefixes)),
    ]


def _errors_and_io(engine: Engine) -> Fields:
    stats = engine.stats
    return [
        ("unexpected_error_replies", stats.unexpected_errors),
        ("total_error_replies", stats.total_error_replies),
        ("dump_payload_sanitizations", 0),
        ("total_reads_processed", stats.reads),
        ("total_writes_processed", stats.writes),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        ("io_threaded_total_prefetch_batches", 0, "8.0.0"),
        ("io_threaded_total_prefetch_entries", 0, "8.0.0"),
        ("client_query_buffer_limit_disconnections", stats.query_limit_disconnections, "7.4.0"),
        ("client_output_buffer_limit_disconnections", stats.output_limit_disconnections, "7.4.0"),
        ("reply_buffer_shrinks", engine.reply_buffers.shrunk),
        ("reply_buffer_expands", engine.reply_buffers.grown),
    ]


def _event_loop(engine: Engine) -> Fields:
    rate = engine.rates.mean()
    busy = round(engine.commands.seconds_spent() * 1e6)
    return [
        ("eventloop_cycles", engine.stats.reads),
        ("eventloop_duration_sum", busy),
        ("eventloop_duration_cmd_sum", busy),
        ("instantaneous_eventloop_cycles_per_sec", round(rate.rounds)),
        ("instantaneous_eventloop_duration_usec", round(rate.busy / rate.rounds * 1e6) if rate.rounds else 0),
    ]


def _cpu(engine: Engine) -> Fields:
    times = os.times()
    return [
        ("used_cpu_sys", f"{times.system:.6f}"),
        ("used_cpu_user", f"{times.user:.6f}"),
        ("used_cpu_sys_children", f"{times.children_system:.6f}"),
        ("used_cpu_user_children", f"{times.children_user:.6f}"),
        ("used_cpu_sys_main_thread", f"{times.system:.6f}"),
        ("used_cpu_user_main_thread", f"{times.user:.6f}"),
    ]


def _modules(engine: Engine) -> Fields:
    for module in engine.config.edition.modules:
        yield (
            "module",
            f"name={module.name},ver={module.version},api=1,filters=0,usedby=[],using=[],options=[{module.options}]",
        )


def _commandstats(engine: Engine) -> Fields:
    for entry in _called(engine):
        calls, micros = entry.durations.calls, int(entry.durations.seconds * 1e6)
        yield (
            f"cmdstat_{entry.full_name.decode()}",
            f"calls={calls},usec={micros},usec_per_call={micros / (calls or 1):.2f},"
            f"rejected_calls={entry.rejected},failed_calls={entry.failed}",
        )


def _called(engine: Engine) -> Iterator[Command]:
    for entry in engine.commands.used():
        if entry.durations.calls or entry.rejected or entry.failed:
            yield entry


def _errorstats(engine: Engine) -> Fields:
    for code, count in sorted(engine.stats.errors.items()):
        yield f"errorstat_{code}", f"count={count}"


def _latencystats(engine: Engine) -> Fields:
    percentages = engine.config.latency_tracking_info_percentiles
    names = [f"p{percent:.6f}".rstrip("0").rstrip(".") for percent in percentages]
    for entry in engine.commands.used():
        durations = entry.durations
        if durations.buckets:
            found = durations.percentiles(percentages)
            told = [f"{name}={micros:.3f}" for name, micros in zip(names, found, strict=True)]
            yield f"latency_percentiles_usec_{entry.full_name.decode()}", ",".join(told)


def _cluster(engine: Engine) -> Fields:
    return [("cluster_enabled", int(engine.cluster is not None))]


def _keyspace(engine: Engine) -> Fields:
    edition = engine.config.edition
    with_deadlines = "keys_with_volatile_items" if edition.is_valkey else "subexpiry"
    for db in engine.databases:
        if len(db):
            yield (
                f"db{db.index}",
                f"keys={len(db)},expires={db.expiring},avg_ttl={db.average_ttl}"
                + ("" if edition.precedes("7.4.0") else f",{with_deadlines}={len(db.fields_with_expiry)}"),
            )


def _key_sizes(engine: Engine) -> Fields:
    for db in engine.databases:
        if len(db):
            db.weigh()
            for name, counts in describe_sizes(db.sizes):
                yield f"db{db.index}_distrib_{name}", counts


def _hotkeys(engine: Engine) -> Fields:
    if engine.hotkeys is not None:
        yield "hotkeys-tracking-active", int(engine.hotkeys.active)
        yield "hotkeys-cmd-cpu-time", 0


def _sentinel(engine: Engine) -> Fields:
    return () if engine.sentinel is None else engine.sentinel.figures()


_SECTIONS: dict[str, tuple[str, Callable[[Engine], Fields]]] = {
    "server": ("Server", _server),
    "clients": ("Clients", _clients),
    "memory": ("Memory", _memory),
    "persistence": ("Persistence", _persistence),
    "threads": ("Threads", _threads),
    "stats": ("Stats", _stats),
    "replication": ("Replication", replication),
    "cpu": ("CPU", _cpu),
    "modules": ("Modules", _modules),
    "commandstats": ("Commandstats", _commandstats),
    "errorstats": ("Errorstats", _errorstats),
    "latencystats": ("Latencystats", _latencystats),
    "cluster": ("Cluster", _cluster),
    "keyspace": ("Keyspace", _keyspace),
    "keysizes": ("Keysizes", _key_sizes),
    "hotkeys": ("Hotkeys", _hotkeys),
}
_OF_VALKEY = info_valkey.sections(_SECTIONS)
_OF_SENTINEL = {name: _SECTIONS[name] for name in ("server", "clients", "cpu", "stats")} | {
    "sentinel": ("Sentinel", _sentinel)
}
_LATER_SECTIONS: Final = {"threads": "8.0.0", "keysizes": "8.0.0", "hotkeys": "8.6.0"}
_NOT_DEFAULT = frozenset(("commandstats", "latencystats", "hotkeys"))


@command(
    "server",
    since="1.0.0",
    flags="loading stale",
    acl="dangerous",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    complexity="O(1)",
)
def info(client: Session, *sections: bytes) -> Verbatim:
    """Returns facts and figures about the server, by sections; ``all`` and ``everything`` ask for every section."""
    engine, edition = client.engine, client.engine.config.edition
    known = _OF_VALKEY if edition.is_valkey else _SECTIONS
    if engine.sentinel is not None:
        known = _OF_SENTINEL
    wanted: dict[str, None] = {}
    for word in sections or (b"default",):
        name = word.lower().decode("utf-8", "replace")
        if name in ("all", "everything"):
            wanted |= dict.fromkeys(name for name in known if name != "hotkeys")
        elif name == "default":
            wanted |= dict.fromkeys(name for name in known if name not in _NOT_DEFAULT)
        elif name in known:
            wanted[name] = None
    wanted = {name: None for name in wanted if edition.includes(_LATER_SECTIONS.get(name, "0.0.0"))}
    engine.count_durations()
    texts = []
    for name, (title, fields) in known.items():
        if name in wanted:
            told = [f"{told[0]}:{told[1]}" for told in fields(engine) if len(told) == 2 or edition.includes(told[2])]
            texts.append("\r\n".join([f"# {title}", *told]) + "\r\n")
    return Verbatim(to_bytes("\r\n".join(texts)))
