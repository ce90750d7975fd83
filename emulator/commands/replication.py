"""Replication, as a master answers it that has no replicas, and never can: this server replicates neither way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from emulator.clients.blocking import Block
from emulator.commands.arguments import bounded, integer, milliseconds
from emulator.persistence.append_log import OFF
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.inline import split_inline
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import NO_REPLY, OK, Reply, Status
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNSUPPORTED = "ERR replication is not supported by redis-emulator"
_LONGEST_ADDRESS = 256
_TIPS = "request_policy:all_shards response_policy:agg_min"


@command("server", since="2.8.12", flags="noscript loading stale fast", acl="admin dangerous", complexity="O(1)")
def role(client: Session) -> list[Reply]:
    """What the server is in replication: a master, its offset and its replicas."""
    return [b"master", 0, []]


@command("generic", since="3.0.0", flags="blocking", acl="connection", tips=_TIPS, complexity="O(1)")
def wait(client: Session, numreplicas: bytes, timeout: bytes) -> Reply | Block:
    """Wait until so many replicas have what was written; how many do: always none."""
    wanted = integer(numreplicas)
    most = milliseconds(client, timeout)
    if wanted <= 0:
        return 0
    return client.block((), most, object, lambda: None, timeout_reply=0)


@command("generic", since="7.2.0", flags="blocking", acl="connection", tips=_TIPS, complexity="O(1)")
def waitaof(client: Session, numlocal: bytes, numreplicas: bytes, timeout: bytes) -> Reply | Block:
    """Wait until what was written is in append-only files, here and of replicas, of which there are none."""
    local = _zero_or_one(numlocal)
    wanted = bounded(numreplicas, 0, INT64_MAX, "ERR value is out of range, must be positive")
    most = milliseconds(client, timeout)
    log = client.engine.persistence.log
    if local and log.state == OFF:
        raise CommandError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    if log.holds_replies:
        log.flush()
    found: list[Reply] = [int(log.state != OFF and log.is_synced), 0]
    if wanted == 0 and found[0] >= local:
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
    """Become a replica, which is refused, or with NO ONE stay a master."""
    return _replicaof(host, port)


@command("server", since="1.0.0", flags="admin noscript stale no_async_loading", complexity="O(1)")
def slaveof(client: Session, host: bytes, port: bytes) -> Status:
    """Become a replica, which is refused, or with NO ONE stay a master; an old name."""
    return _replicaof(host, port)


@command("server", since="3.0.0", flags="admin noscript loading stale allow_busy", complexity="O(1)")
def replconf(client: Session, *pairs: bytes) -> Reply:
    """What a replica says of itself before it asks for data; there it ends."""
    if len(pairs) % 2:
        raise CommandError(SYNTAX)
    for option, value in zip(pairs[::2], pairs[1::2], strict=True):
        name = option.lower()
        if name in (b"ack", b"getack"):
            return NO_REPLY
        check = _REPLCONF.get(name)
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
"""What checks the value of each option that a replica may tell; there is nothing to be done about it."""


@command("server", since="2.8.0", flags="admin noscript no_async_loading no_multi")
def psync(client: Session, replicationid: bytes, offset: bytes, *options: bytes) -> None:
    """Ask for data as a replica does, which is refused."""
    raise CommandError(_UNSUPPORTED)


@command("server", since="1.0.0", flags="admin noscript no_async_loading no_multi")
def sync(client: Session) -> None:
    """Ask for data as an old replica does, which is refused."""
    raise CommandError(_UNSUPPORTED)


@command("server", since="6.2.0", flags="admin noscript stale", complexity="O(1)")
def failover(client: Session, *options: bytes) -> None:
    """Hand over to a replica, of which there is none."""
    if [option.upper() for option in options] == [b"ABORT"]:
        raise CommandError("ERR No failover in progress.")
    _check_failover(options)
    raise CommandError("ERR FAILOVER requires connected replicas.")


def _check_failover(options: Sequence[bytes]) -> None:
    position = 0
    while position < len(options):
        option = options[position].upper()
        left = len(options) - position - 1
        if option == b"TIMEOUT" and left:
            if integer(options[position + 1]) <= 0:
                raise CommandError("ERR FAILOVER timeout must be greater than 0")
            position += 2
        elif option == b"TO" and left >= 2:
            integer(options[position + 2])
            position += 3
        elif option == b"FORCE":
            position += 1
        else:
            raise CommandError(SYNTAX)
