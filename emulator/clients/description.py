"""What is told of a client: its line in CLIENT LIST, its type."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from emulator.clients.memory import usage

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.config.edition import Edition

_UNAUTHENTICATED: Final = 1025
"""Beyond its reply buffer nothing waits for a client that has yet to say who it is."""


def describe(session: Session, ended: bool = False) -> bytes:
    """The line of CLIENT LIST for a session, perhaps one whose connection has `ended`."""
    now = session.engine.clock.now
    used = usage(session)
    edition = session.engine.config.edition
    values: tuple[int | bytes, ...] = (
        session.id,
        session.address,
        session.local_address,
        session.fd,
        session.name,
        (now - session.created) // 1000,
        (now - session.active) // 1000,
        flags_of(session, ended),
        *((capabilities(session),) if edition.is_valkey else ()),
        session.db.index,
        len(session.channels),
        len(session.patterns),
        len(session.shards),
        _queued(session),
        *(() if edition.precedes("7.4.0") else (len(session.watched),)),
        used.input,
        used.free,
        used.arguments,
        used.queued,
        used.size,
        used.peak,
        used.filled,
        used.blocks,
        used.output,
        used.total,
        b"rw" if session.buffers().unsent else b"r",
        session.last_command.full_name if session.last_command else b"NULL",
        b"(superuser)" if kind_of(session) == b"master" else session.user.name,
        -1 if session.tracked is None else session.tracked.redirect,
        session.protocol,
        session.lib_name,
        session.lib_version,
        *(() if edition.precedes("8.0.0") else (session.total_input, session.total_output, session.total_commands)),
    )
    words = _words(edition)
    line = words % values
    if b"\0" in line:  # it ends the value that it is in
        line = words % tuple([value.partition(b"\0")[0] if isinstance(value, bytes) else value for value in values])
    return line


@cache
def _words(edition: Edition) -> bytes:
    """The line with places for the values."""
    totals = b"tot-net-in=%d tot-net-out=%d tot-cmds=%d"
    parts = (
        b"id=%d addr=%b laddr=%b fd=%d name=%b age=%d idle=%d flags=%b",
        b"capa=%b" if edition.is_valkey else b"",
        b"db=%d sub=%d psub=%d ssub=%d multi=%d",
        b"" if edition.precedes("7.4.0") else b"watch=%d",
        b"qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=%d rbp=%d obl=%d oll=%d omem=%d tot-mem=%d",
        b"events=%b cmd=%b user=%b redir=%d resp=%d lib-name=%b lib-ver=%b",
        b"" if edition.precedes("8.0.0") else totals if edition.is_valkey else b"io-thread=0 " + totals,
    )
    return b" ".join(filter(None, parts))


def _queued(session: Session) -> int:
    """How many commands are queued, -1 outside of a transaction; Valkey tells that only until the first one or WATCH."""
    if session.queue is not None:
        return len(session.queue)
    return 0 if session.has_multi_state and session.engine.config.edition.is_valkey else -1


def capabilities(session: Session) -> bytes:
    """What a client has said that it is able to do, in letters."""
    return b"r" if session.redirects else b""


def flags_of(session: Session, ended: bool = False) -> bytes:
    """What holds for a client, in letters; its connection may have `ended`."""
    flags = b"" if session.peer is None else session.peer.flag
    if session in session.engine.monitor.sessions:
        flags += b"O"
    if session.subscriptions:
        flags += b"P"
    if session.queue is not None:
        flags += b"x"
    if session.blocked is not None or session.paused:
        flags += b"b"
    if session.tracked is not None:
        flags += b"t"
        if session.tracked.broken:
            flags += b"R"
        if session.tracked.prefixes is not None:
            flags += b"B"
    if session.dirty_cas:
        flags += b"d"
    if session.unblocked:
        flags += b"u"
    if session.closing:
        flags += b"c"
    if ended:
        flags += b"A"
    if session.address.endswith(b":0"):
        flags += b"U"
    if session.reads_replicas:
        flags += b"r"
    if session.no_evict:
        flags += b"e"
    if session.no_touch:
        flags += b"T"
    if session.imports:
        flags += b"I"
    return flags or b"N"


def kind_of(session: Session) -> bytes:
    """The type of a client, by which CLIENT LIST and the limits of buffers go."""
    if session.peer is not None:
        return session.peer.kind
    return b"pubsub" if session.subscriptions else b"normal"


def output_limits(session: Session) -> tuple[int, int, int]:
    """Of ``client-output-buffer-limit`` what holds for a client: bytes hard, bytes soft, and the seconds for these."""
    config, kind = session.engine.config, kind_of(session)
    if kind == b"master":
        return 0, 0, 0
    limits = config.client_output_buffer_limit["slave" if kind == b"replica" else kind.decode()]
    if kind == b"replica":  # what may be in the backlog may also be on its way
        return limits[0] and max(limits[0], config.repl_backlog_size), *limits[1:]
    if session.authenticated or session.engine.acl.open_to_all:
        return limits
    return min(limits[0] or _UNAUTHENTICATED, _UNAUTHENTICATED), *limits[1:]
