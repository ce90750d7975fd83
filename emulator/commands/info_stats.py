"""INFO stats: what has been done since the start or CONFIG RESETSTAT."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.commands.info import Engine, Fields


def stats(engine: Engine) -> Fields:
    """The fields of the section."""
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
        ("sync_full", engine.replication.synchronization.full),
        ("sync_partial_ok", engine.replication.synchronization.partial),
        ("sync_partial_err", engine.replication.synchronization.refused),
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
