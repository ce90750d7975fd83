"""Clients that wait for a key.

Life cycle.  A command that finds nothing to take returns `Session.block(...)`.  In a transaction or a script, where
nothing may wait, that is just the answer for "nothing"; otherwise it is a `Block`, the session is blocked, and
the block stands in ``Database.blocked`` under each of its keys, oldest first, and in a timing wheel when it has a
timeout.  When the funnel sees such a key come to be it signals it here.  After the command (or transaction, or script)
that made it, `Blocking.serve` lets the waiters of each signalled key try again, the oldest first; the answer of one that
succeeds is delivered and its session goes on.  A timeout, CLIENT UNBLOCK, a closed connection end a block as well.

A waiter is tried only while the key holds the kind of value it waits for.  A value put in the place of another (SET, SORT
STORE, ZUNIONSTORE) does not count as a key that has come to be, just as in Redis: who waits for it goes on waiting.  With
``needs_key`` a waiter is also tried when the key has gone or become something else (XREADGROUP must then answer an error).

Source: Redis's documentation of blocking operations, "Order in which blocked clients are served".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from emulator.datatypes.wheel import Timer
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session
    from emulator.keyspace.database import Database


class Block(Timer):
    """A session that waits for one of `keys`; as a timer it is the timeout.  With ``wants_more`` one element is not enough.

    ``attempt`` tries the command again and returns its reply, or None while there is still nothing to answer.  ``spent`` are
    the seconds that the command has run so far, ``timeout`` the milliseconds that it may wait, 0 for ever.
    """

    __slots__ = (
        "attempt",
        "db",
        "keys",
        "kind",
        "needs_key",
        "retry",
        "session",
        "spent",
        "timeout",
        "timeout_reply",
        "wants_more",
    )

    def __init__(
        self,
        session: Session,
        keys: Sequence[bytes],
        kind: type,
        attempt: Callable[[], Reply | None],
        timeout_reply: Reply,
        needs_key: bool = False,
        due: Callable[[], int] | None = None,
    ) -> None:
        super().__init__()
        self.session = session
        self.db = session.db
        self.keys = list(dict.fromkeys(keys))
        self.kind = kind
        self.attempt = attempt
        self.timeout_reply = timeout_reply
        self.needs_key = needs_key
        self.spent = 0.0
        self.timeout = 0
        self.wants_more = False
        self.retry = None if due is None else Retry(self, due)

    def fire(self) -> None:
        self.session.engine.blocking.finish(self, self.on_timeout())

    def on_timeout(self) -> Reply:
        """The answer when the time is over."""
        return self.timeout_reply

    def failed(self, error: Exception) -> None:
        self.session.engine.blocking.fail(self, error)


class Retry(Timer):
    """The moment at which a block is tried again by itself; ``due`` tells in how many milliseconds."""

    __slots__ = ("_block", "_due")

    def __init__(self, block: Block, due: Callable[[], int]) -> None:
        super().__init__()
        self._block = block
        self._due = due

    def schedule(self) -> None:
        """Try again when it is due by what there is now."""
        engine = self._block.session.engine
        engine.waits.set(self, engine.clock.elapsed + max(self._due(), 1))

    def fire(self) -> None:
        self._block.session.engine.blocking.try_again(self._block)

    def failed(self, error: Exception) -> None:
        self._block.failed(error)


class Blocking:
    """The blocked clients of an engine."""

    def __init__(self, engine: HostOfClients) -> None:
        self.engine = engine
        self.blocks: dict[Block, None] = {}
        self.kinds: dict[type, int] = {}
        self.needing_key = 0
        """How many wait who want to hear that a key has gone."""
        self.ready: dict[tuple[Database, bytes], bool | None] = {}
        """The keys that have come to be (True), have gone (False), or have but grown (None)."""
        self.postponed: dict[Block, None] = {}
        """Those whom CLIENT PAUSE holds back although they could be served."""

    @property
    def keys_on_no_key(self) -> int:
        """How many keys somebody waits for who wants to hear that they have gone."""
        waiting = (blocks for db in self.engine.databases for blocks in db.blocked.values())
        return sum(any(block.needs_key for block in blocks) for blocks in waiting)

    def block(self, block: Block, timeout: int) -> None:
        """Let a session wait; `timeout` in milliseconds, 0 for none."""
        self.blocks[block] = None
        self.kinds[block.kind] = self.kinds.get(block.kind, 0) + 1
        self.needing_key += block.needs_key
        for key in block.keys:
            block.db.blocked.setdefault(key, {})[block] = None
        block.db.observe()
        block.timeout = timeout
        self._begin_timeout(block)
        if block.retry is not None:
            block.retry.schedule()
        block.session.blocked = block

    def _begin_timeout(self, block: Block) -> None:
        if block.timeout:
            self.engine.waits.set(block, self.engine.clock.elapsed + block.timeout)

    def signal(self, db: Database, key: bytes, kind: type | None) -> None:
        """A key on which somebody waits has come to be, or with None has gone.

        Its waiters are tried when the running command is done; not where nobody waits for any key of that kind.
        """
        if kind is None or self.kinds.get(kind):
            self.ready[db, key] = kind is not None or bool(self.ready.get((db, key)))
            self.engine.pending_work = True

    def grown(self, db: Database, key: bytes) -> None:
        """A list on which somebody waits has more elements: of its waiters those are tried that want more than one."""
        if any(block.wants_more for block in db.blocked[key]):
            self.ready.setdefault((db, key), None)
            self.engine.pending_work = True

    def serve(self) -> None:
        """Let the waiters of the signalled keys try again, until no key is signalled any more."""
        while self.ready:
            ready, self.ready = self.ready, {}
            for (db, key), exists in ready.items():
                for block in list(db.blocked.get(key, ())):
                    if exists and not self.needing_key and key not in db.entries:
                        break  # the first have taken it all, and those behind them may be thousands
                    try:
                        concerned = block.wants_more if exists is None else block.needs_key
                        concerned = concerned or bool(exists and isinstance(db.peek(key), block.kind))
                        if concerned and block in self.blocks:
                            self._try(block)
                    except Exception as error:
                        self.fail(block, error)

    def try_again(self, block: Block) -> None:
        """Let a waiter try although nobody has signalled its keys."""
        self._try(block)
        if block in self.blocks and block.retry is not None:
            block.retry.schedule()

    def _try(self, block: Block) -> None:
        block.session.blocked = None  # as ACL LOG has it
        refusal = self.engine.dispatch.refusal(block.session)
        block.session.blocked = block
        if refusal is not None:
            self._answer(block, refusal)
            return
        command = block.session.last_command
        if command is not None and self.engine.pause.suspends(command, command.flags, block.session):
            self._postpone(block)
            return
        started = perf_counter()
        with self.engine.turn_of(block.session):
            try:
                reply = self._attempt(block)
            except CommandError as error:
                reply = error.alone()
        block.spent += perf_counter() - started
        if reply is not None:
            self.finish(block, reply)
        self.engine.tell_what_was_done()

    def _postpone(self, block: Block) -> None:
        """A client could be served, but not in a pause: until its end nothing else ends the wait."""
        self.postponed[block] = None
        self.engine.waits.cancel(block)

    def resume(self) -> None:
        """A pause has ended: those whom it has held back try again, and from now on may wait as long as they said."""
        postponed, self.postponed = self.postponed, {}
        for block in postponed:
            self._begin_timeout(block)
            for key in block.keys:
                self.signal(block.db, key, block.kind)

    def _attempt(self, block: Block) -> Reply | None:
        session, propagation = block.session, self.engine.propagation
        if not propagation.active or session.last_command is None:
            return block.attempt()
        return propagation.follow(session, session.last_command, session.words, lambda *_: block.attempt())

    def finish(self, block: Block, reply: Reply) -> None:
        """End a wait with an answer."""
        self.engine.dispatch.unblocked(block.session, block.spent, reply)
        self._answer(block, reply)

    def _answer(self, block: Block, reply: Reply) -> None:
        self.forget(block)
        block.session.resume(reply)

    def fail(self, block: Block, error: Exception) -> None:
        """A bug in a wait: it ends, and its client is told."""
        answer = internal_error(error, "a blocked client's command")
        if block in self.blocks:
            self.finish(block, answer)

    def forget(self, block: Block) -> None:
        """End a wait without an answer (the session has gone)."""
        del self.blocks[block]
        self.postponed.pop(block, None)
        self.kinds[block.kind] -= 1
        self.needing_key -= block.needs_key
        block.session.blocked = None
        self.engine.waits.cancel(block)
        if block.retry is not None:
            self.engine.waits.cancel(block.retry)
        db = block.db
        for key in block.keys:
            waiting = db.blocked[key]
            del waiting[block]
            if not waiting:
                del db.blocked[key]
        db.observe()
