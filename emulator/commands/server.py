"""The server group: whole databases, time, slow log, shutdown.  COMMAND, CONFIG and INFO have modules of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.clients.blocking import Block
from emulator.commands.arguments import INT32_MAX, INT32_MIN, bounded, refuse_in_cluster, wrong_subcommand_arity
from emulator.keyspace.exchange import swap
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import NO_REPLY, OK, Reply, Status
from emulator.stats.slowlog import CommandLog, LoggedCommand
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.database import Database


@command(
    "server",
    since="1.0.0",
    flags="readonly fast",
    acl="keyspace",
    tips="request_policy:all_shards response_policy:agg_sum",
    complexity="O(1)",
)
def dbsize(client: Session) -> int:
    """Returns the number of keys in the database."""
    return len(client.db)


def _flush(client: Session, databases: Sequence[Database], mode: Sequence[bytes]) -> Status:
    if len(mode) > 1 or (mode and mode[0].upper() not in (b"SYNC", b"ASYNC")):
        raise CommandError(SYNTAX)
    count = sum([db.clear() for db in databases])
    client.engine.dirty += count
    lazy = mode[0].upper() == b"ASYNC" if mode else client.engine.config.lazyfree_lazy_user_flush
    waits = not lazy and not client.deny_blocking
    if lazy or waits:
        client.engine.stats.lazily_freed += count
    client.engine.tracking.flushed()
    if waits and client.engine.config.edition.includes("7.4.0"):
        _tell_before_reply(client)
    client.engine.replication.own_keys.flushed(databases)
    if client.engine.cluster is not None:
        client.engine.cluster.bus.migrations.flushed()
    return OK


def _tell_before_reply(client: Session) -> None:
    """Send what comes after a reply otherwise: this client waits for its own."""
    engine = client.engine
    engine.tell_what_was_done()
    engine.tracking.broadcast()
    engine.deliver()


@command(
    "server",
    since="1.0.0",
    flags="write",
    acl="keyspace dangerous",
    tips="request_policy:all_shards response_policy:all_succeeded",
    complexity="O(N) for N keys",
)
def flushall(client: Session, *mode: bytes) -> Status:
    """Deletes all keys of all databases."""
    reply = _flush(client, client.engine.databases, mode)
    client.engine.persistence.dumps.flushed()
    return reply


@command(
    "server",
    since="1.0.0",
    flags="write",
    acl="keyspace dangerous",
    tips="request_policy:all_shards response_policy:all_succeeded",
    complexity="O(N) for N keys",
)
def flushdb(client: Session, *mode: bytes) -> Status:
    """Deletes all keys of the database."""
    return _flush(client, [client.db], mode)


@command("server", since="4.0.0", flags="write fast", acl="keyspace dangerous", complexity="O(N) for N clients waiting")
def swapdb(client: Session, index1: bytes, index2: bytes) -> Status:
    """Swaps the contents of two databases."""
    refuse_in_cluster(client, "ERR SWAPDB is not allowed in cluster mode")
    first = bounded(index1, INT32_MIN, INT32_MAX, "ERR invalid first DB index")
    second = bounded(index2, INT32_MIN, INT32_MAX, "ERR invalid second DB index")
    if not all(0 <= index < len(client.engine.databases) for index in (first, second)):
        raise CommandError("ERR DB index is out of range")
    swap(client.engine, first, second)
    client.engine.dirty += 1
    return OK


@command("server", since="2.6.0", flags="loading stale fast", tips="nondeterministic_output", complexity="O(1)")
def time(client: Session) -> list[bytes]:
    """Returns the time as seconds since the epoch and microseconds."""
    seconds, micros = divmod(client.engine.clock.micros(), 1_000_000)
    return [b"%d" % seconds, b"%d" % micros]


@command(
    "server",
    since="1.0.0",
    flags="admin noscript loading stale no_multi allow_busy",
    complexity="O(1) without saving",
)
def shutdown(client: Session, *options: bytes) -> Reply | Block:
    """Stops the server, when its replicas have all that was written."""
    chosen = {word.upper() for word in options}
    if not chosen <= {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"} or {b"SAVE", b"NOSAVE"} <= chosen:
        raise CommandError(SYNTAX)
    if b"ABORT" in chosen:
        if chosen != {b"ABORT"}:
            raise CommandError(SYNTAX)
        if not client.engine.replication.shutdown.abort():
            raise CommandError("ERR No shutdown in progress.")
        return OK
    if b"NOW" not in chosen and client.deny_blocking:
        raise CommandError("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
    if b"NOSAVE" not in chosen:
        client.engine.scripting.check_quiet()
    save = True if b"SAVE" in chosen else False if b"NOSAVE" in chosen else None
    engine = client.engine
    block = Block(client, (), object, lambda: None, None)
    failure = CommandError("ERR Errors trying to SHUTDOWN. Check logs.")

    def failed() -> None:
        if block in engine.blocking.blocks:
            engine.blocking.finish(block, failure)

    end = partial(engine.request_shutdown, save, b"FORCE" in chosen)
    ended = engine.replication.shutdown.begin(end, failed, waits=b"NOW" not in chosen)
    if ended is None:
        engine.blocking.block(block, 0)
        return block
    if not ended:
        raise failure
    client.close()
    return NO_REPLY


@command("server", since="1.0.0", flags="admin noscript loading stale")
def monitor(client: Session) -> Reply:
    """Streams all commands that the server runs from now on."""
    if client.deny_blocking:
        raise CommandError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    if client in client.engine.monitor.sessions:
        return NO_REPLY
    client.engine.monitor.begin(client)
    return OK


container("slowlog", group="server", since="2.2.12", acl="", help_since="6.2.0", help_acl="")


@command(
    "server",
    container="slowlog",
    since="2.2.12",
    flags="admin loading stale",
    tips="request_policy:all_nodes nondeterministic_output",
    complexity="O(N) for N entries",
)
def slowlog_get(client: Session, *count: bytes) -> list[Reply]:
    """Returns the newest entries of the slow log; -1 asks for all."""
    if len(count) > 1:
        raise wrong_subcommand_arity(client)
    most = 10
    if count:
        most = bounded(count[0], -1, INT64_MAX, "ERR count should be greater than or equal to -1")
    return _newest(
        client.engine.slowlog, most, _COUNTED if client.engine.config.edition.includes("8.10.0") else _COUNTED - 1
    )


_COUNTED: Final = len(LoggedCommand._fields)
"""The fields of an entry where the number of arguments is one of them."""


def _newest(log: CommandLog, most: int, fields: int = _COUNTED - 1) -> list[Reply]:
    entries = list(log.entries)
    return [entry[:fields] for entry in (entries if most < 0 else entries[:most])]


@command(
    "server",
    container="slowlog",
    since="2.2.12",
    flags="admin loading stale",
    tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
    complexity="O(1)",
)
def slowlog_len(client: Session) -> int:
    """Returns the number of entries in the slow log."""
    return len(client.engine.slowlog.entries)


@command(
    "server",
    container="slowlog",
    since="2.2.12",
    flags="admin loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    complexity="O(N) for N entries",
)
def slowlog_reset(client: Session) -> Status:
    """Deletes all entries of the slow log."""
    client.engine.slowlog.entries.clear()
    return OK


# COMMANDLOG: the same of requests and replies that are large

container("commandlog", group="server", since="", valkey="8.1.0", acl="", help_since="", help_acl="")


def _log(client: Session, kind: bytes) -> CommandLog:
    engine = client.engine
    sizes = engine.sizes
    known = {b"slow": engine.slowlog, b"large-request": sizes.requests, b"large-reply": sizes.replies}
    log = known.get(kind.lower())
    if log is None:
        raise CommandError("ERR type should be one of the following: slow, large-request, large-reply")
    return log


@command(
    "server",
    container="commandlog",
    valkey="8.1.0",
    flags="admin loading stale",
    tips="request_policy:all_nodes nondeterministic_output",
    complexity="O(N) for N entries",
)
def commandlog_get(client: Session, count: bytes, type: bytes) -> list[Reply]:
    """Returns the newest entries of a log: slow, large-request or large-reply; -1 asks for all."""
    most = bounded(count, -1, INT64_MAX, "ERR count should be greater than or equal to -1")
    return _newest(_log(client, type), most)


@command(
    "server",
    container="commandlog",
    valkey="8.1.0",
    flags="admin loading stale",
    tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
    complexity="O(1)",
)
def commandlog_len(client: Session, type: bytes) -> int:
    """Returns the number of entries in a log."""
    return len(_log(client, type).entries)


@command(
    "server",
    container="commandlog",
    valkey="8.1.0",
    flags="admin loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    complexity="O(N) for N entries",
)
def commandlog_reset(client: Session, type: bytes) -> Status:
    """Deletes all entries of a log."""
    _log(client, type).entries.clear()
    return OK
