"""Replication: the commands answer as a master without replicas does; there is no replication yet."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emulator.clients.blocking import Block
from emulator.commands.arguments import bounded, integer, milliseconds, positive
from emulator.commands.options import FLAG, Options, at_least, once, read_options
from emulator.persistence.append_log import OFF
from emulator.protocol.errors import NOT_INTEGER, SYNTAX, CommandError, as_text
from emulator.protocol.inline import split_inline
from emulator.protocol.replies import NO_REPLY, OK, Reply, Status
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNSUPPORTED = "ERR replication is not supported by redis-emulator"
_LONGEST_ADDRESS = 256
_TIPS = "request_policy:all_shards response_policy:agg_min"


@command("server", since="2.8.12", flags="noscript loading stale fast", acl="admin dangerous", complexity="O(1)")
def role(client: Session) -> list[Reply]:
    """Returns the role of the server in replication: master, its offset and its replicas."""
    return [b"master", 0, []]


@command("generic", since="3.0.0", flags="blocking", acl="connection", tips=_TIPS, complexity="O(1)")
def wait(client: Session, numreplicas: bytes, timeout: bytes) -> Reply | Block:
    """Waits until replicas have acknowledged the writes; returns how many did: always 0."""
    wanted = integer(numreplicas)
    most = milliseconds(client, timeout)
    if wanted <= 0:
        return 0
    return client.block((), most, object, lambda: None, timeout_reply=0)


@command("generic", since="7.2.0", flags="blocking", acl="connection", tips=_TIPS, complexity="O(1)")
def waitaof(client: Session, numlocal: bytes, numreplicas: bytes, timeout: bytes) -> Reply | Block:
    """Waits until the writes are in append-only files, here and of replicas; returns where they are, on replicas never."""
    local = _zero_or_one(numlocal)
    wanted = positive(numreplicas)
    most = milliseconds(client, timeout)
    log = client.engine.persistence.log
    if local and log.state == OFF:
        raise CommandError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    if log.holds_replies:
        log.flush()
    here = int(log.state != OFF and log.is_synced)
    found: list[Reply] = [here, 0]
    if wanted == 0 and here >= local:
        return found
    block = client.block((), most, object, lambda: None, timeout_reply=found)
    if wanted == 0 and isinstance(block, Block):
        log.wait(block)
    return block


def _zero_or_one(word: bytes) -> int:
    number = integer(word)
    if number not in (0, 1):
        raise CommandError("ERR value is out of range, value must between 0 and 1")
    return number


def _replicaof(host: bytes, port: bytes) -> Status:
    if (host.upper(), port.upper()) == (b"NO", b"ONE"):
        return OK
    bounded(port, 0, 65535, "ERR Invalid master port")
    raise CommandError(_UNSUPPORTED)


@command("server", since="5.0.0", flags="admin noscript stale no_async_loading", complexity="O(1)")
def replicaof(client: Session, host: bytes, port: bytes) -> Status:
    """Refuses to become a replica; NO ONE is accepted."""
    return _replicaof(host, port)


@command("server", since="1.0.0", flags="admin noscript stale no_async_loading", complexity="O(1)")
def slaveof(client: Session, host: bytes, port: bytes) -> Status:
    """Refuses to become a replica; NO ONE is accepted (old name of REPLICAOF)."""
    return _replicaof(host, port)


@command("server", since="3.0.0", flags="admin noscript loading stale allow_busy", complexity="O(1)")
def replconf(client: Session, *pairs: bytes) -> Reply:
    """Accepts what a replica reports before it asks for the data."""
    if len(pairs) % 2:
        raise CommandError(SYNTAX)
    known = _OF_VALKEY if client.engine.config.edition.is_valkey else _REPLCONF
    for option, value in zip(pairs[::2], pairs[1::2], strict=True):
        name = option.lower()
        if name in (b"ack", b"getack"):
            return NO_REPLY
        check = known.get(name)
        if check is None:
            raise CommandError(f"ERR Unrecognized REPLCONF option: {as_text(option)}")
        check(value)
    return OK


def _check_address(value: bytes) -> None:
    if len(value) >= _LONGEST_ADDRESS:
        raise CommandError(f"ERR REPLCONF ip-address provided by replica instance is too long: {len(value)} bytes")


def _check_filter(value: bytes) -> None:
    words = split_inline(value)
    if words is None:
        raise CommandError("ERR Missing rdb-filter-only values")
    for word in words:
        if word.lower() != b"functions":
            raise CommandError(f"ERR Unsupported rdb-filter-only option: {as_text(word)}")


def _check_main_channel(value: bytes) -> None:
    raise CommandError(f"ERR Unrecognized RDB client id: {integer(value)}")


_REPLCONF: Final[dict[bytes, Callable[[bytes], object]]] = {
    b"capa": bytes,
    b"ip-address": _check_address,
    b"listening-port": integer,
    b"main-ch-client-id": _check_main_channel,
    b"rdb-channel": _zero_or_one,
    b"rdb-filter-only": _check_filter,
    b"rdb-only": _zero_or_one,
}
"""The checks of the options that a replica may report; the options have no effect."""


def _check_version(value: bytes) -> None:
    if not re.fullmatch(rb"\d+\.\d+\.\d+", value):
        raise CommandError(f"ERR Unrecognized version format: {as_text(value)}")


def _refuse_dump(value: bytes) -> None:
    raise CommandError(f"ERR Unrecognized RDB client id {integer(value)}")


def _refuse_node(value: bytes) -> None:
    raise CommandError("ERR This instance has cluster support disabled")


_OF_VALKEY: Final = {
    **{name: check for name, check in _REPLCONF.items() if name != b"main-ch-client-id"},
    b"set-cluster-node-id": _refuse_node,
    b"set-rdb-client-id": _refuse_dump,
    b"version": _check_version,
}


@command("server", since="2.8.0", flags="admin noscript no_async_loading no_multi")
def psync(client: Session, replicationid: bytes, offset: bytes, *options: bytes) -> None:
    """Refuses to start replication."""
    raise CommandError(_UNSUPPORTED)


@command("server", since="1.0.0", flags="admin noscript no_async_loading no_multi")
def sync(client: Session) -> None:
    """Refuses to start replication in the old form."""
    raise CommandError(_UNSUPPORTED)


_FAILOVER_OPTIONS: Final[Options] = {
    b"TIMEOUT": at_least(1, "ERR FAILOVER timeout must be greater than 0", NOT_INTEGER),
    b"TO": (2, lambda host, port: integer(port)),
    b"FORCE": FLAG,
}
_FAILOVER_RULES: Final = once(b"TIMEOUT") | once(b"TO") | once(b"FORCE")


@command("server", since="6.2.0", flags="admin noscript stale", complexity="O(1)")
def failover(client: Session, *options: bytes) -> None:
    """Refuses to hand over to a replica, since there is none."""
    if [option.upper() for option in options] == [b"ABORT"]:
        raise CommandError("ERR No failover in progress.")
    read_options(options, _FAILOVER_OPTIONS, _FAILOVER_RULES)
    raise CommandError("ERR FAILOVER requires connected replicas.")
