"""MULTI, EXEC, DISCARD, WATCH, UNWATCH.  Queuing itself is done by `emulator.core.dispatch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.acl.selector import BY_CHANNEL, BY_COMMAND, BY_KEY
from emulator.clients import transaction
from emulator.protocol.encoder import encode
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import (
    DROPPING,
    NO_REPLY,
    NULL_ARRAY,
    OK,
    REPLY_ON,
    Encoded,
    Head,
    NoReply,
    Replies,
    Reply,
    Status,
)
from emulator.table.keyspec import keys
from emulator.table.registry import Command, command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.clients.transaction import Queue

_REASONS: Final = {
    BY_COMMAND: "no permission to execute the command or subcommand",
    BY_KEY: "no permission to touch the specified keys",
    BY_CHANNEL: "no permission to access one of the channels used as arguments",
}


@command("transactions", since="1.2.0", flags="noscript loading stale fast allow_busy", complexity="O(1)")
def multi(client: Session) -> Status:
    """Starts a transaction: the commands that follow are queued until EXEC."""
    if client.queue is not None:
        raise CommandError("ERR MULTI calls can not be nested")
    client.open_queue()
    return OK


@command(
    "transactions",
    since="1.2.0",
    flags="noscript loading stale skip_slowlog",
    complexity="that of the queued commands",
)
def exec_(client: Session) -> Reply:
    """Runs the queued commands as one, unless a watched key has changed."""
    queue = client.queue
    if queue is None:
        raise CommandError("ERR EXEC without MULTI")
    failed = client.queue_failed
    stale = client.dirty_cas or transaction.watched_key_expired(client)
    if failed or stale:
        client.close_queue()
    if failed:
        raise CommandError("EXECABORT Transaction discarded because of previous errors.")
    if stale:
        return NULL_ARRAY
    transaction.unwatch(client)
    client.deny_blocking = True
    try:
        return _run(client, queue)
    finally:
        client.deny_blocking = False
        client.close_queue()


def _run(client: Session, queue: Queue) -> Reply:
    """Run the queued commands and return their replies, of which CLIENT REPLY may drop the head and any."""
    mode = client.reply_mode
    replies = _gathered(client, queue)
    if mode == client.reply_mode == REPLY_ON or not isinstance(replies, list):
        return replies
    head = [] if mode in DROPPING else [Head(len(queue))]
    return Replies([*head, *replies])


def _gathered(client: Session, queue: Queue) -> list[Reply] | NoReply:
    """Run the queued commands and return their replies.  Those beyond the client's output limit are not kept."""
    nested = client.engine.dispatch.nested
    if not client.output_limit:
        if queue.may_change_protocol:
            return [_spoken(client, queued, args) for queued, args in queue]
        return [
            nested(client, queued, args) if client.plain_queue is not None else _checked(client, queued, args)
            for queued, args in queue
        ]
    replies: list[Reply] = []
    gathered = 0
    for queued, args in queue:
        reply = (_spoken if queue.may_change_protocol else _checked)(client, queued, args)
        gathered += client.size_of(reply)
        if client.exceeds_limit(gathered):
            client.overrun()
            replies.clear()
        else:
            replies.append(reply)
    return NO_REPLY if client.exceeds_limit(gathered) else replies


def _checked(client: Session, queued: Command, args: Sequence[bytes]) -> Reply:
    """Run a queued command if the user still may.

    Of replies that CLIENT REPLY drops only the news of subscriptions stay; who has closed itself hears nothing more.
    """
    has_closed_itself = client.closing
    reply = _refusal(client, queued, args) or client.engine.dispatch.nested(client, queued, args)
    is_dropped = client.reply_mode in DROPPING and reply.__class__ is not Replies
    return NO_REPLY if is_dropped or has_closed_itself else reply


def _spoken(client: Session, queued: Command, args: Sequence[bytes]) -> Reply:
    """The same, the reply encoded by the protocol that is spoken after the command: HELLO may change it for the next ones."""
    reply = _checked(client, queued, args)
    return reply if reply is NO_REPLY else Encoded(encode(reply, client.protocol))


def _refusal(client: Session, queued: Command, args: Sequence[bytes]) -> CommandError | None:
    """Return the error of a queued command that the user may no longer run."""
    denial = client.check_user(client.user, queued, args)
    if denial is None:
        return None
    acl = client.engine.acl
    acl.refused(client, denial, b"multi")
    error = CommandError(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no "
        f"longer allowed for the following reason: {_REASONS[denial.reason]}"
    )
    client.engine.stats.count_error(str(error))
    return error


@command(
    "transactions",
    since="2.0.0",
    flags="noscript loading stale fast allow_busy",
    complexity="O(N) for N queued commands",
)
def discard(client: Session) -> Status:
    """Discards the queued commands and the watched keys."""
    if client.queue is None:
        raise CommandError("ERR DISCARD without MULTI")
    client.close_queue()
    return OK


@command(
    "transactions",
    since="2.2.0",
    flags="noscript loading stale fast allow_busy",
    keys=[keys("RO", 1, -1)],
    complexity="O(1) a key",
)
def watch(client: Session, key: bytes, *more: bytes) -> Status:
    """Watches keys: the next EXEC runs nothing if one of them has changed."""
    if client.queue is not None:
        raise CommandError("ERR WATCH inside MULTI is not allowed")
    if not client.dirty_cas:
        for name in (key, *more):
            transaction.watch(client, name)
    return OK


@command("transactions", since="2.2.0", flags="noscript loading stale fast allow_busy", complexity="O(1)")
def unwatch(client: Session) -> Status:
    """Stops watching keys."""
    transaction.unwatch(client)
    return OK
