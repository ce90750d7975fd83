"""Replication: the words of replicas and masters, and how a server becomes the one or the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emulator.clients.blocking import Block
from emulator.commands.arguments import bounded, integer, milliseconds, positive, refuse_in_cluster
from emulator.commands.cluster import cluster_of, node_named
from emulator.commands.options import FLAG, Options, at_least, once, read_options
from emulator.persistence.append_log import OFF
from emulator.protocol.errors import NOT_INTEGER, SYNTAX, CommandError, as_text
from emulator.protocol.inline import split_inline
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import NO_REPLY, OK, Reply, Status
from emulator.protocol.text import to_text
from emulator.replication.replica import ANNOUNCED, Replica
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_LONGEST_ADDRESS = 256
_TIPS = "request_policy:all_shards response_policy:agg_min"


@command("server", since="2.8.12", flags="noscript loading stale fast", acl="admin dangerous", complexity="O(1)")
def role(client: Session) -> list[Reply]:
    """Returns the role of the server in replication: a master's offset and replicas, or a replica's master and state."""
    replication = client.engine.replication
    link, stream = replication.link, replication.stream
    if replication.played == b"REPLICA":
        return [b"slave", b"127.0.0.1", client.engine.config.port, b"connected", stream.offset]
    if link is not None:
        offset = stream.offset if link.is_up else -1
        return [b"slave", link.host.encode(), link.port, link.state.encode(), offset]
    replicas: list[Reply] = [
        [replica.host, b"%d" % replica.port, b"%d" % replica.offset] for replica in replication.online
    ]
    return [b"master", stream.offset, replicas]


@command("generic", since="3.0.0", flags="blocking", acl="connection", tips=_TIPS, complexity="O(1)")
def wait(client: Session, numreplicas: bytes, timeout: bytes) -> Reply | Block:
    """Waits until replicas have acknowledged the writes; returns how many did."""
    _check_master(client, "WAIT")
    wanted = integer(numreplicas)
    most = milliseconds(client, timeout)
    return client.engine.replication.acknowledgements.wait(client, wanted, most)


@command("generic", since="7.2.0", flags="blocking", acl="connection", tips=_TIPS, complexity="O(1)")
def waitaof(client: Session, numlocal: bytes, numreplicas: bytes, timeout: bytes) -> Reply | Block:
    """Waits until the writes are in append-only files, here and of replicas; returns on how many disks they are."""
    local = _zero_or_one(numlocal)
    wanted = positive(numreplicas)
    most = milliseconds(client, timeout)
    _check_master(client, "WAITAOF")
    log = client.engine.persistence.log
    if local and log.state == OFF:
        raise CommandError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    if log.always:
        log.flush()
    block = client.engine.replication.acknowledgements.wait(client, wanted, most, local)
    if isinstance(block, Block):
        log.wait()
    return block


def _check_master(client: Session, name: str) -> None:
    if client.engine.replication.link is not None:
        since = "since Redis 4.0 if a replica is configured to be writable (which is not the default) "
        raise CommandError(
            f"ERR {name} cannot be used with replica instances. Please also note that {since if name == 'WAIT' else ''}"
            "writes to replicas are just local and are not propagated."
        )


def _zero_or_one(word: bytes) -> int:
    number = integer(word)
    if number not in (0, 1):
        raise CommandError("ERR value is out of range, value must between 0 and 1")
    return number


def _replicaof(client: Session, host: bytes, port: bytes) -> Status:
    refuse_in_cluster(client, "ERR REPLICAOF not allowed in cluster mode.")
    replication = client.engine.replication
    if replication.failover.is_under_way:
        raise CommandError("ERR REPLICAOF not allowed while failing over.")
    if (host.upper(), port.upper()) == (b"NO", b"ONE"):
        replication.promote()
        return OK
    if client.peer is not None and client.peer.kind == b"replica":
        raise CommandError("ERR Command is not valid when client is a replica.")
    number = bounded(port, 0, 65535, "ERR Invalid master port")
    link = replication.link
    if link is not None and (link.host.lower(), link.port) == (to_text(host).lower(), number):
        return Status(b"OK Already connected to specified master")
    replication.follow(to_text(host), number)
    return OK


@command("server", since="5.0.0", flags="admin noscript stale no_async_loading", complexity="O(1)")
def replicaof(client: Session, host: bytes, port: bytes) -> Status:
    """Makes the server a replica of another one, or with NO ONE a master."""
    return _replicaof(client, host, port)


@command("server", since="1.0.0", flags="admin noscript stale no_async_loading", complexity="O(1)")
def slaveof(client: Session, host: bytes, port: bytes) -> Status:
    """Makes the server a replica of another one, or with NO ONE a master (old name of REPLICAOF)."""
    return _replicaof(client, host, port)


# What replicas say


@command("server", since="3.0.0", flags="admin noscript loading stale allow_busy", complexity="O(1)")
def replconf(client: Session, *pairs: bytes) -> Reply:
    """Takes what a replica reports of itself, and how much of the stream it has."""
    if len(pairs) % 2:
        raise CommandError(SYNTAX)
    edition = client.engine.config.edition
    known = _OF_VALKEY if edition.is_valkey else _BEFORE_8_0 if edition.precedes("8.0.0") else _REPLCONF
    for option, value in zip(pairs[::2], pairs[1::2], strict=True):
        name = option.lower()
        if name in (b"ack", b"getack"):
            if name == b"ack":
                _acknowledge(client, pairs)
            return NO_REPLY
        take = known.get(name)
        if take is None:
            raise CommandError(f"ERR Unrecognized REPLCONF option: {as_text(option)}")
        take(client.engine.replication.replica_of(client), value)
    return OK


def _acknowledge(client: Session, pairs: tuple[bytes, ...]) -> None:
    replica, replication = client.peer, client.engine.replication
    if not isinstance(replica, Replica) or replica.state == ANNOUNCED:
        return
    told = {word.lower(): parse_integer(value) for word, value in zip(pairs[::2], pairs[1::2], strict=True)}
    offset = told[b"ack"]
    if offset is not None:
        replica.acknowledge(offset, told.get(b"fack"))
        replication.replicas_changed()
        replication.failover.check()


def _take_capability(replica: Replica, value: bytes) -> None:
    if value.lower() == b"eof":
        replica.knows_end_mark = True
    elif value.lower() == b"psync2":
        replica.knows_new_ids = True
    elif value.lower() == b"rdb-channel-repl":
        replica.knows_channel = True


def _take_address(replica: Replica, value: bytes) -> None:
    if len(value) >= _LONGEST_ADDRESS:
        raise CommandError(f"ERR REPLCONF ip-address provided by replica instance is too long: {len(value)} bytes")
    replica.ip = value


def _take_port(replica: Replica, value: bytes) -> None:
    replica.port = integer(value)


def _take_only_dump(replica: Replica, value: bytes) -> None:
    replica.only_dump = bool(_zero_or_one(value))


def _take_filter(replica: Replica, value: bytes) -> None:
    words = split_inline(value)
    if words is None:
        raise CommandError("ERR Missing rdb-filter-only values")
    replica.wants_keys = replica.wants_functions = False
    for word in words:
        if word.lower() != b"functions":
            raise CommandError(f"ERR Unsupported rdb-filter-only option: {as_text(word)}")
        replica.wants_functions = True


def _take_main_channel(replica: Replica, value: bytes) -> None:
    number = integer(value)
    if not replica.session.engine.replication.synchronization.open_channel(replica, number):
        raise CommandError(f"ERR Unrecognized RDB client id: {number}")


def _take_channel(replica: Replica, value: bytes) -> None:
    _zero_or_one(value)


_REPLCONF: Final[dict[bytes, Callable[[Replica, bytes], object]]] = {
    b"capa": _take_capability,
    b"ip-address": _take_address,
    b"listening-port": _take_port,
    b"main-ch-client-id": _take_main_channel,
    b"rdb-channel": _take_channel,
    b"rdb-filter-only": _take_filter,
    b"rdb-only": _take_only_dump,
}
"""What a replica may report."""


def _take_version(replica: Replica, value: bytes) -> None:
    if not re.fullmatch(rb"\d+\.\d+\.\d+", value):
        raise CommandError(f"ERR Unrecognized version format: {as_text(value)}")


def _refuse_dump(replica: Replica, value: bytes) -> None:
    raise CommandError(f"ERR Unrecognized RDB client id {integer(value)}")


def _take_node(replica: Replica, value: bytes) -> None:
    node_named(cluster_of(replica.session), value)


_BEFORE_8_0: Final = {
    name: take for name, take in _REPLCONF.items() if name not in (b"main-ch-client-id", b"rdb-channel")
}
_OF_VALKEY: Final = {
    **{name: take for name, take in _REPLCONF.items() if name != b"main-ch-client-id"},
    b"set-cluster-node-id": _take_node,
    b"set-rdb-client-id": _refuse_dump,
    b"version": _take_version,
}


@command("server", since="2.8.0", flags="admin noscript no_async_loading no_multi")
def psync(client: Session, replicationid: bytes, offset: bytes, *options: bytes) -> Reply:
    """Makes the client a replica, which is sent what it has missed or else all data, and then every change."""
    if _is_served(client):
        return NO_REPLY
    number = integer(offset)
    id = replicationid.decode("latin-1")
    replication = client.engine.replication
    if [option.upper() for option in options] == [b"FAILOVER"]:
        if replication.link is None:
            raise CommandError("ERR PSYNC FAILOVER can't be sent to a master.")
        if id.lower() != replication.stream.id:
            raise CommandError("ERR PSYNC FAILOVER replid must match my replid.")
        replication.promote()
    replication.synchronization.begin(replication.replica_of(client), id.lower(), number)
    return NO_REPLY


@command("server", since="1.0.0", flags="admin noscript no_async_loading no_multi")
def sync(client: Session) -> Reply:
    """Makes the client a replica in the old form: it is sent all data, and then every change."""
    if _is_served(client):
        return NO_REPLY
    replication = client.engine.replication
    replication.synchronization.begin(replication.replica_of(client), None, 0)
    return NO_REPLY


def _is_served(client: Session) -> bool:
    """Whether the client is sent the stream or what others do already: then it does not become a replica."""
    is_replica = isinstance(client.peer, Replica) and client.peer.state != ANNOUNCED
    return is_replica or client in client.engine.monitor.sessions


_FAILOVER_OPTIONS: Final[Options] = {
    b"TIMEOUT": at_least(1, "ERR FAILOVER timeout must be greater than 0", NOT_INTEGER),
    b"TO": (2, lambda host, port: (to_text(host), integer(port))),
    b"FORCE": FLAG,
}
_FAILOVER_RULES: Final = once(b"TIMEOUT") | once(b"TO") | once(b"FORCE")


@command("server", since="6.2.0", flags="admin noscript stale", complexity="O(1)")
def failover(client: Session, *options: bytes) -> Status:
    """Lets a replica catch up while nobody writes, and then changes places with it; ABORT gives that up."""
    refuse_in_cluster(client, "ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.")
    process = client.engine.replication.failover
    if [option.upper() for option in options] == [b"ABORT"]:
        process.abort()
        return OK
    given = read_options(options, _FAILOVER_OPTIONS, _FAILOVER_RULES)
    target, timeout, force = given.get(b"TO"), given.get(b"TIMEOUT", 0), b"FORCE" in given
    process.begin(target, timeout, force)
    return OK
