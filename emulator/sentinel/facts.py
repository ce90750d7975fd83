"""What SENTINEL MASTER and its kin tell of a server."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.protocol.replies import Reply
from emulator.protocol.text import to_bytes
from emulator.sentinel.instance import MASTER, REPLICA, SENTINEL, Instance


def facts_of(instance: Instance, now: int) -> Reply:
    """Fields and values, all as text."""
    return {name.encode(): to_bytes(str(value)) for name, value in _facts(instance, now)}


def _flags(instance: Instance) -> str:
    flags = []
    if instance.is_down:
        flags.append("s_down")
    if instance.kind == MASTER and instance.master.is_agreed_down:
        flags.append("o_down")
    flags.append(instance.kind)
    if instance.says_down:
        flags.append("master_down")
    if instance.kind == MASTER and instance.master.failover.is_under_way:
        flags.append("failover_in_progress")
    if instance is instance.master.failover.promoted:
        flags.append("promoted")
    if not instance.talk.is_open:
        flags.append("disconnected")
    if instance.reconfigured:
        flags.append(f"reconf_{instance.reconfigured}")
    return ",".join(flags)


def _facts(instance: Instance, now: int) -> Iterator[tuple[str, object]]:
    master = instance.master
    yield "name", instance.name
    yield "ip", instance.host
    yield "port", instance.port
    yield "runid", instance.id
    yield "flags", _flags(instance)
    yield "link-pending-commands", instance.talk.pending
    yield "link-refcount", 1
    if instance.kind == MASTER and master.failover.is_under_way:
        yield "failover-state", master.failover.state
    yield "last-ping-sent", now - instance.unanswered if instance.unanswered else 0
    yield "last-ok-ping-reply", now - instance.answered
    yield "last-ping-reply", now - instance.heard
    if instance.is_down:
        yield "s-down-time", now - instance.down_since
    if instance.kind == MASTER and master.is_agreed_down:
        yield "o-down-time", now - master.agreed_down_since
    yield "down-after-milliseconds", master.down_after
    if instance.kind == SENTINEL:
        yield "last-hello-message", now - instance.greeted
        yield "voted-leader", instance.vote or "?"
        yield "voted-leader-epoch", instance.vote_epoch
        return
    yield "info-refresh", now - instance.informed if instance.informed else 0
    yield "role-reported", instance.role
    yield "role-reported-time", now - instance.role_since
    yield from _of_replica(instance) if instance.kind == REPLICA else _of_master(instance)


def _of_master(instance: Instance) -> Iterator[tuple[str, object]]:
    master = instance.master
    yield "config-epoch", master.config_epoch
    yield "num-slaves", len(master.replicas)
    yield "num-other-sentinels", len(master.sentinels)
    yield "quorum", master.quorum
    yield "failover-timeout", master.failover_timeout
    yield "parallel-syncs", master.parallel_syncs


def _of_replica(instance: Instance) -> Iterator[tuple[str, object]]:
    host, port = instance.its_master
    yield "master-link-down-time", 1000 * instance.number("master_link_down_since_seconds")
    yield "master-link-status", "ok" if instance.facts.get("master_link_status") == "up" else "err"
    yield "master-host", host
    yield "master-port", port
    yield "slave-priority", instance.number("slave_priority", 100)
    yield "slave-repl-offset", instance.number("slave_repl_offset")
    yield "replica-announced", instance.number("replica_announced", 1)
