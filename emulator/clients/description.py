"""What is told of a client: its line in CLIENT LIST, its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.clients.memory import usage

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNAUTHENTICATED: Final = 1025
"""Beyond its reply buffer nothing waits for a client that has yet to say who it is."""


def describe(session: Session, ended: bool = False) -> bytes:
    """The line of CLIENT LIST for a session, perhaps one whose connection has `ended`."""
    now = session.engine.clock.now
    used = usage(session)
    edition = session.engine.config.edition
    is_valkey = edition.is_valkey
    command_name = session.last_command.full_name if session.last_command else b"NULL"
    fields = {
        b"id": b"%d" % session.id,
        b"addr": session.address,
        b"laddr": session.local_address,
        b"fd": b"%d" % session.fd,
        b"name": session.name,
        b"age": b"%d" % ((now - session.created) // 1000),
        b"idle": b"%d" % ((now - session.active) // 1000),
        b"flags": flags_of(session, ended),
        **({b"capa": capabilities(session)} if is_valkey else {}),
        b"db": b"%d" % session.db.index,
        b"sub": b"%d" % len(session.channels),
        b"psub": b"%d" % len(session.patterns),
        b"ssub": b"%d" % len(session.shards),
        b"multi": b"%d" % _queued(session),
        **({} if edition.precedes("7.4.0") else {b"watch": b"%d" % len(session.watched)}),
        b"qbuf": b"%d" % used.input,
        b"qbuf-free": b"%d" % used.free,
        b"argv-mem": b"%d" % used.arguments,
        b"multi-mem": b"%d" % used.queued,
        b"rbs": b"%d" % used.size,
        b"rbp": b"%d" % used.peak,
        b"obl": b"%d" % used.filled,
        b"oll": b"%d" % used.blocks,
        b"omem": b"%d" % used.output,
        b"tot-mem": b"%d" % used.total,
        b"events": b"rw" if used.blocks else b"r",
        b"cmd": command_name,
        b"user": b"(superuser)" if kind_of(session) == b"master" else session.user.name,
        b"redir": b"%d" % (-1 if session.tracked is None else session.tracked.redirect),
        b"resp": b"%d" % session.protocol,
        b"lib-name": session.lib_name,
        b"lib-ver": session.lib_version,
        **({} if edition.precedes("8.0.0") else _totals(session, is_valkey)),
    }
    line = b" ".join(map(b"=".join, fields.items()))
    if b"\0" in line:  # it ends the value that it is in
        line = b" ".join([name + b"=" + value.partition(b"\0")[0] for name, value in fields.items()])
    return line


def _totals(session: Session, is_valkey: bool) -> dict[bytes, bytes]:
    return {
        **({} if is_valkey else {b"io-thread": b"0"}),
        b"tot-net-in": b"%d" % session.total_input,
        b"tot-net-out": b"%d" % session.total_output,
        b"tot-cmds": b"%d" % session.total_commands,
    }


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
