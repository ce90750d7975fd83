"""INFO replication: the role, the master, the replicas, the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.commands.info import Fields
    from emulator.replication.host import HostOfReplication
    from emulator.replication.link import MasterLink


def replication(engine: HostOfReplication) -> Fields:
    """The fields of the section."""
    state, config = engine.replication, engine.config
    plays = state.played == b"REPLICA"
    yield "role", "slave" if plays or state.link is not None else "master"
    if plays and state.link is None:
        yield from (("master_host", "127.0.0.1"), ("master_port", config.port), ("master_link_status", "up"))
    elif state.link is not None:
        yield from _master(engine, state.link)
    yield from _replicas(engine)
    yield "master_failover_state", state.failover.state
    stream = state.stream
    yield "master_replid", stream.id
    yield "master_replid2", stream.second_id
    yield "master_repl_offset", stream.offset
    yield "second_repl_offset", stream.second_offset
    yield "repl_backlog_active", int(stream.backlog is not None)
    yield "repl_backlog_size", config.repl_backlog_size
    yield "repl_backlog_first_byte_offset", stream.first
    yield "repl_backlog_histlen", len(stream.backlog or ())


def _master(engine: HostOfReplication, link: MasterLink) -> Fields:
    config, now = engine.config, engine.clock.elapsed
    yield "master_host", link.host
    yield "master_port", link.port
    yield "master_link_status", "up" if link.is_up else "down"
    yield "master_last_io_seconds_ago", (now - link.heard) // 1000 if link.is_up else -1
    yield "master_sync_in_progress", int(link.transfer is not None)
    yield "slave_read_repl_offset", link.read_offset
    yield "slave_repl_offset", link.offset
    yield "replica_full_sync_buffer_size", link.held
    yield "replica_full_sync_buffer_peak", link.most_held
    if link.transfer is not None:
        total, taken = max(link.transfer.size, 0), link.transfer.taken
        yield "master_sync_total_bytes", total
        yield "master_sync_read_bytes", taken
        yield "master_sync_left_bytes", total - taken
        yield "master_sync_perc", f"{taken * 100 / (total or 1):.2f}"
        yield "master_sync_last_io_seconds_ago", (now - link.heard) // 1000
    if not link.is_up:
        yield "master_link_down_since_seconds", (now - link.since) // 1000
    yield "master_current_sync_attempts", link.attempts
    yield "master_total_sync_attempts", link.total_attempts
    if link.is_up:
        yield "master_link_up_since_seconds", (now - link.since) // 1000
    yield "total_disconnect_time_sec", link.down_total // 1000
    yield "slave_priority", config.replica_priority
    yield "slave_read_only", int(config.replica_read_only)
    yield "replica_announced", int(config.replica_announced)


def _replicas(engine: HostOfReplication) -> Fields:
    replicas = [replica for replica in engine.replication.stream.replicas if not replica.is_channel]
    yield "connected_slaves", len(replicas)
    if engine.config.min_replicas_to_write and engine.config.min_replicas_max_lag:
        yield "min_slaves_good_slaves", engine.replication.good_replicas
    edition = engine.config.edition
    kind = ",type=replica" if edition.is_valkey else ",io-thread=0" if edition.includes("8.6.0") else ""
    for number, replica in enumerate(replicas):
        where = f"ip={replica.host.decode('utf-8', 'replace')},port={replica.port},state={replica.state_name}"
        yield f"slave{number}", f"{where},offset={replica.offset},lag={replica.lag}{kind}"
    if edition.is_valkey:
        yield "replicas_waiting_psync", 0
