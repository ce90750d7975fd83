"""What a call has to pass before it is run, in Redis's order: each guard raises the error that refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emulator.acl.users import explanation
from emulator.clients.description import kind_of
from emulator.clients.session import Session
from emulator.keyspace.eviction import OUT_OF_MEMORY
from emulator.protocol.errors import LOADING, MASTER_DOWN, NO_REPLICAS, READ_ONLY_REPLICA, CommandError
from emulator.table.lookup import check_arity, find
from emulator.table.registry import (
    ALLOW_BUSY,
    DENYOOM,
    MAY_REPLICATE,
    MAY_WHILE_LOADING,
    NO_AUTH,
    NO_MULTI,
    PROTECTED,
    READONLY,
    STALE,
    WRITE,
    Command,
)

_NOAUTH: Final = "NOAUTH Authentication required."
CROSS_PROTOCOL: Final = frozenset((b"post", b"host:"))
"""What a browser's request begins with."""
_FOR_SUBSCRIBERS: Final = frozenset(
    b"subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe ping quit reset".split()
)


def found(session: Session, args: Sequence[bytes]) -> Command:
    """The command that is called; in Valkey those who have to say first who they are do not hear what there is."""
    engine = session.engine
    must_tell = not session.authenticated and not engine.acl.open_to_all and engine.config.edition.is_valkey
    try:
        command = find(engine.commands, args)
    except CommandError:
        if must_tell and args[0].lower() not in CROSS_PROTOCOL:
            raise CommandError(_NOAUTH) from None
        raise
    if must_tell and not command.flags & NO_AUTH:
        raise CommandError(_NOAUTH)
    return command


def check(session: Session, command: Command, flags: int, args: Sequence[bytes]) -> None:
    """The guards in the order in which Redis has them."""
    check_arity(command, args)
    engine = session.engine
    if flags & PROTECTED:
        session.check_protected((command.parent or command).name.decode())
    if session.fast_path or (session.plain_queue is not None and not flags & NO_MULTI):  # nothing of what follows is so
        return
    acl = engine.acl
    if not session.authenticated and not command.flags & NO_AUTH and not acl.open_to_all:
        raise CommandError(_NOAUTH)
    if session.queue is not None and command.flags & NO_MULTI:
        refused = engine.config.edition.wording.not_in_transactions
        raise CommandError(refused.format(command.full_name.decode()))
    denial = session.check_user(session.user, command, args)
    if denial is not None:
        acl.refused(session, denial, b"toplevel" if session.queue is None else b"multi")
        raise CommandError(f"NOPERM {explanation(session.user, denial)}")
    if engine.cluster is not None and not session.is_obeyed:
        engine.cluster.requests.check(session, command, args)
    if engine.config.maxmemory and engine.busy is None:
        engine.out_of_memory = engine.eviction.make_room()
        if engine.pending_work:
            engine.deliver_all()  # who is told of keys that were evicted hears of them before the reply
        if engine.out_of_memory and _may_need_memory(session, command, flags):
            raise CommandError(OUT_OF_MEMORY)
    if engine.tracking.crowded:
        engine.tracking.trim()
        if engine.pending_work:
            engine.deliver_all()
    if (misconf := engine.persistence.refusal_of_writes()) is not None and (
        command.name == b"ping" or _may(session, command, flags, WRITE)
    ):
        raise CommandError(misconf)
    if engine.lacks_replicas and _may(session, command, flags, WRITE):
        raise CommandError(NO_REPLICAS)
    follows = engine.replication.needs_guards
    if follows and engine.replication.is_read_only and not command.hidden and _may(session, command, flags, WRITE):
        raise CommandError(READ_ONLY_REPLICA)
    if session.protocol == 2 and session.subscriptions and command.full_name not in _FOR_SUBSCRIBERS:
        raise CommandError(
            f"ERR Can't execute '{command.full_name.decode()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
            "RESET are allowed in this context"
        )
    if follows and engine.replication.is_stale and _is_for_fresh_data(session, command, flags):
        raise CommandError(MASTER_DOWN)
    loads = engine.persistence.loading is not None or (follows and engine.replication.is_loading)
    if loads and not command.flags & MAY_WHILE_LOADING:
        raise CommandError(LOADING)
    if engine.busy is not None and not command.flags & ALLOW_BUSY:
        raise engine.scripting.busy_error(engine.busy)
    if flags & (READONLY | WRITE | MAY_REPLICATE) and (
        session in engine.monitor.sessions or (session.peer is not None and kind_of(session) == b"replica")
    ):
        raise CommandError("ERR Replica can't interact with the keyspace")


def _is_for_fresh_data(session: Session, command: Command, flags: int) -> bool:
    """Whether a call, or with EXEC one that is queued, makes no sense where data may be old."""
    if command.name == b"exec" and session.queue is not None:
        return not all(queued.flags & STALE for queued, _ in session.queue)
    return not flags & STALE


def _may(session: Session, command: Command, flags: int, flag: int) -> bool:
    """Whether a call, or with EXEC one that is queued, has a flag: DENYOOM for those that may need more memory."""
    if command.name == b"exec" and session.queue is not None:
        return any(queued.flags & flag for queued, _ in session.queue)
    return bool(flags & flag)


def _may_need_memory(session: Session, command: Command, flags: int) -> bool:
    """Whether a call may need more memory; before 7.4 whatever is queued counted."""
    if _may(session, command, flags, DENYOOM):
        return True
    is_queued = session.queue is not None and command.name not in (b"exec", b"discard", b"quit", b"reset")
    return is_queued and session.engine.config.edition.precedes("7.4.0")
