"""Clients that wait for a key.

Life cycle.  A command that finds nothing to take returns `Session.block(...)`.  In a transaction or a script, where
nothing may wait, that is just the answer for "nothing"; otherwise it is a `Block`, the dispatcher parks the session, and
the block stands in ``Database.blocked`` under each of its keys, oldest first, and in the timing wheel when it has a
timeout.  When the funnel sees such a key change it signals it here.  After the command (or transaction, or script) that
changed it, `Blocking.serve` lets the waiters of each signalled key try again, the oldest first; the answer of one that
succeeds is delivered and its session goes on.  A timeout, CLIENT UNBLOCK, a closed connection end a block as well.

A waiter is tried only while the key holds the kind of value it waits for.  With ``needs_key`` it is also tried when the
key has gone or become something else (XREADGROUP must then answer an error).

Source: Redis's documentation of blocking operations, "Order in which blocked clients are served".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emulator.expiry import Timer
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply

if TYPE_CHECKING:
    from emulator.engine import Engine
    from emulator.keyspace import Database
    from emulator.session import Session


class Block(Timer):
    """A session that waits for one of `keys`; as a timer it is the timeout.

    ``attempt`` tries the command again and returns its reply, or None while there is still nothing to answer.
    """

    __slots__ = ("attempt", "db", "keys", "kind", "needs_key", "session", "timeout_reply")

    def __init__(
        self,
        session: Session,
        keys: Sequence[bytes],
        kind: type,
        attempt: Callable[[], Reply | None],
        timeout_reply: Reply,
        needs_key: bool = False,
    ) -> None:
        super().__init__()
        self.session = session
        self.db = session.db
        self.keys = list(dict.fromkeys(keys))
        self.kind = kind
        self.attempt = attempt
        self.timeout_reply = timeout_reply
        self.needs_key = needs_key

    def fire(self) -> None:
        self.session.engine.blocking.finish(self, self.timeout_reply)


class Blocking:
    """The blocked clients of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.blocks: dict[Block, None] = {}
        self.ready: dict[tuple[Database, bytes], None] = {}

    def park(self, block: Block, deadline: int | None) -> None:
        """Let a session wait; `deadline` in milliseconds since the epoch, None for no timeout."""
        self.blocks[block] = None
        for key in block.keys:
            block.db.blocked.setdefault(key, {})[block] = None
        block.db.observe()
        if deadline is not None:
            self.engine.wheel.set(block, deadline)
        block.session.blocked = block

    def signal(self, db: Database, key: bytes) -> None:
        """A key on which somebody waits has changed: its waiters are served when the running command is done."""
        self.ready[db, key] = None
        self.engine.pending_work = True

    def serve(self) -> None:
        """Let the waiters of the signalled keys try again, until no key is signalled any more."""
        while self.ready:
            ready, self.ready = self.ready, {}
            for db, key in ready:
                for block in list(db.blocked.get(key, ())):
                    if block in self.blocks and self._concerns(block, db.peek(key)):
                        self._try(block)

    @staticmethod
    def _concerns(block: Block, value: object) -> bool:
        return isinstance(value, block.kind) or block.needs_key

    def _try(self, block: Block) -> None:
        try:
            reply = block.attempt()
        except CommandError as error:
            reply = error
        if reply is not None:
            self.finish(block, reply)

    def finish(self, block: Block, reply: Reply) -> None:
        """End a wait with an answer."""
        self.forget(block)
        block.session.resume(reply)

    def forget(self, block: Block) -> None:
        """End a wait without an answer (the session has gone)."""
        del self.blocks[block]
        block.session.blocked = None
        self.engine.wheel.cancel(block)
        db = block.db
        for key in block.keys:
            waiting = db.blocked[key]
            del waiting[block]
            if not waiting:
                del db.blocked[key]
        db.observe()
