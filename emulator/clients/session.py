"""What the server knows of one client.

A session knows no socket: what it has to say gathers in ``out``, and whoever owns it (a connection, the in-process
client) is told through ``on_wake`` that there is something to write or that a wait has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from emulator.acl.user import User, password_hash
from emulator.clients.blocking import Block
from emulator.clients.description import describe, output_limits
from emulator.clients.memory import Buffers
from emulator.clients.reply_buffer import MOST, ReplyBuffer
from emulator.clients.transaction import Queue, unwatch
from emulator.datatypes.wheel import Timer
from emulator.protocol.encoder import Encoders
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import DROPPING, NO_REPLY, REPLY_ON, REPLY_SKIP, REPLY_SKIP_NEXT, NoReply, Reply
from emulator.protocol.reply_size import SHORTEST, size_of
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.acl.selector import Denial
    from emulator.clients.host import Peer
    from emulator.clients.tracking import Tracked
    from emulator.core.engine import Engine
    from emulator.keyspace.database import Database
    from emulator.keyspace.observed import Observed
    from emulator.table.registry import Command


R = TypeVar("R")

_MOST_REPEATED = 10_000_000
"""The real server goes on until its memory is full."""


class Session:
    """One client.

    ``fast_path`` is true while nothing special holds for it; dispatch may take the short way then; ``plain_queue`` is the
    queue where only MULTI is in its way, so that commands are merely queued.  ``followed`` says that somebody is told of
    what its commands change.  ``words`` are those of the last command that took the long way, sub-commands among them.
    ``buffers`` tells the owner's figures, ``replies`` is the buffer that the real server would have for replies.
    ``output_limit`` is how many bytes may wait to be sent, 0 for any number, ``pushed`` how many were sent out of turn and
    not written yet.  ``paused`` says that CLIENT PAUSE holds a command back; ``suspension`` is the call that a fault
    delays, ``fault_passed`` that the next one has been delayed already.  ``peer`` is set where the other side is a server:
    a replica of this one, or its master.  ``proof`` is the hash of the password by which it became its user, empty where
    it gave none.  ``upstash`` is set for the REST API: nothing waits, and scripts may do what they may with that service.
    ``asking`` and ``reads_replicas`` are ASKING and READONLY in cluster mode.
    ``large_requests`` have come, are to be logged, and have not been run yet.
    """

    __slots__ = (
        "active",
        "address",
        "asking",
        "authenticated",
        "blocked",
        "buffers",
        "channels",
        "closing",
        "created",
        "db",
        "deny_blocking",
        "dirty_cas",
        "encoders",
        "engine",
        "fast_path",
        "fault_passed",
        "fd",
        "fieldsets",
        "followed",
        "has_multi_state",
        "id",
        "imports",
        "large_requests",
        "last_command",
        "lib_name",
        "lib_version",
        "local_address",
        "name",
        "no_evict",
        "no_touch",
        "on_abort",
        "on_move",
        "on_overrun",
        "on_wake",
        "out",
        "output_limit",
        "patterns",
        "paused",
        "peer",
        "plain_queue",
        "proof",
        "protocol",
        "pushed",
        "queue",
        "queue_failed",
        "reads_replicas",
        "redirects",
        "replies",
        "reply_mode",
        "running",
        "shards",
        "suspension",
        "total_commands",
        "total_input",
        "total_output",
        "tracked",
        "unblocked",
        "upstash",
        "user",
        "watched",
        "words",
    )

    def __init__(self, engine: Engine, address: bytes = b"", local_address: bytes = b"", fd: int = -1) -> None:
        self.engine = engine
        self.id = engine.next_client_id()
        self.address = address
        self.local_address = local_address
        self.fd = fd
        self.created = self.active = engine.clock.now
        self.name = self.lib_name = self.lib_version = b""
        self.db: Database = engine.databases[0]
        self.out: list[bytes] = []
        self.on_wake: Callable[[], None] | None = None
        self.on_abort: Callable[[], None] | None = None
        self.on_move: Callable[[Session], None] | None = None
        self.on_overrun: Callable[[], None] | None = None
        self.pushed = 0
        self.buffers: Callable[[], Buffers] = Buffers
        self.replies = ReplyBuffer(engine.reply_buffers, engine.clock.now)
        self.suspension: Timer | None = None
        self.fault_passed = False
        self.running = False
        self.closing = False
        self.blocked: Block | None = None
        self.paused = self.unblocked = False
        self.last_command: Command | None = None
        self.words: Sequence[bytes] = ()
        self.large_requests: Sequence[Sequence[bytes]] = ()
        self.total_commands = self.total_input = self.total_output = 0
        self.watched: dict[tuple[Observed, bytes], bool] = {}
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shards: dict[bytes, None] = {}
        self.deny_blocking = False
        self.peer: Peer | None = None
        self.queue: Queue | None = None
        self.queue_failed = self.dirty_cas = False
        self.fieldsets: dict[bytes, tuple[bytes, ...]] | None = None
        self.asking = self.reads_replicas = False
        self.no_evict = self.no_touch = self.upstash = self.redirects = self.imports = self.has_multi_state = False
        self.reply_mode = REPLY_ON
        self.tracked: Tracked | None = None
        self.forget_user()
        self.set_protocol(2)
        engine.sessions[self.id] = self

    def set_protocol(self, version: int) -> None:
        """Speak RESP `version` 2 or 3 from now on."""
        self.protocol = version
        self.encoders: Encoders = self.engine.sizes.encoders[version]
        self.refresh()

    def refresh(self) -> None:
        """Find out anew whether the short way is open; to be called when anything that counts for it has changed."""
        is_limited = self.on_overrun is not None and self.reply_mode not in DROPPING
        self.output_limit = output_limits(self)[0] if is_limited else 0
        simple = (
            not self.output_limit
            and self.user.unrestricted
            and (self.authenticated or self.engine.acl.open_to_all)
            and not self.closing
            and self.reply_mode == REPLY_ON
            and not self.no_touch
            and not self.large_requests
            and self.peer is None
            and (self.tracked is None or self.tracked.prefixes is not None)
            and (self.protocol == 3 or not self.subscriptions)
            and not self.engine.needs_guards
        )
        self.followed = self.engine.propagation.active
        self.plain_queue = self.queue if simple and not self.must_abort else None
        self.fast_path = simple and self.queue is None

    def end_large_request(self, args: Sequence[bytes]) -> None:
        """A command has been run: if it was a large request the short way may be open again."""
        if self.large_requests[0] is args:
            self.large_requests = self.large_requests[1:]
            self.refresh()

    def check_user(self, user: User, command: Command, args: Sequence[bytes]) -> Denial | None:
        """Why a user may not make a call in the database that the session is in, or None."""
        return user.check(command, args, self.db.index, len(self.engine.databases))

    def open_queue(self) -> Queue:
        """Queue the commands that follow, as MULTI does."""
        self.queue = Queue(self.engine.config.edition.queued_word)
        self.has_multi_state = True
        self.queue_failed = False
        if self.fast_path and not self.dirty_cas:  # nothing else has changed
            self.fast_path, self.plain_queue = False, self.queue
        else:
            self.refresh()
        return self.queue

    @property
    def must_abort(self) -> bool:
        """Whether EXEC will run nothing: a command was refused, or a watched key has changed."""
        return self.queue_failed or self.dirty_cas

    def fail_queue(self) -> None:
        """A command was refused: nothing more is kept for EXEC."""
        self.queue_failed = True
        self._keep_no_more()

    def spoil(self) -> None:
        """A watched key has changed: nothing more is kept for EXEC."""
        self.dirty_cas = True
        self._keep_no_more()

    def _keep_no_more(self) -> None:
        self.plain_queue = None
        if self.queue is not None and self.engine.config.edition.is_valkey:  # it drops what was queued as well
            self.queue = Queue(self.engine.config.edition.queued_word)

    def close_queue(self) -> None:
        """The transaction is over, and with it what is watched."""
        self.queue = None
        self.queue_failed = False
        unwatch(self)
        if self.plain_queue is not None:
            self.fast_path, self.plain_queue = True, None
        else:
            self.refresh()

    @property
    def suspended(self) -> bool:
        """Whether a command is held back, by CLIENT PAUSE or by a fault."""
        return self.paused or self.suspension is not None

    @property
    def awaits_replies(self) -> bool:
        """Whether there are replies still to be sent to it: the head of a transaction's is one."""
        return any(self.out) or self.deny_blocking or self.buffers().unsent > 0

    @property
    def subscriptions(self) -> int:
        """Channels, patterns and shard channels subscribed to."""
        return len(self.channels) + len(self.patterns) + len(self.shards)

    def send(self, data: bytes) -> None:
        """Send encoded data out of turn; while the session runs a command it waits for the reply to be sent first.

        A session that is being closed receives nothing more.
        """
        if self.closing:
            return
        if self.output_limit:
            self.pushed += len(data)
            if self.pushed >= self.output_limit and self.exceeds_limit(self.pushed):
                self.overrun()
                return
        if self.running:
            self.engine.defer(self, data)
        else:
            self.out.append(data)
            self.wake()

    def exceeds_limit(self, more: int) -> bool:
        """Whether so many bytes more, beside those written and not sent yet, exceed the client's output limit."""
        return self.replies.beyond(self.buffers().unsent + more)[2] >= self.output_limit

    def overrun(self) -> None:
        """More waits for the client than may: drop what waits, and disconnect it."""
        if not self.closing and self.on_overrun is not None:
            self.on_overrun()
            self.out.clear()
            self.close()

    def within_limit(self, reply: R) -> R | NoReply:
        """The reply, or nothing where it is too much for the client.  To be called where there is a limit."""
        if self.exceeds_limit(sum(map(len, self.out)) + self.size_of(reply)):
            self.overrun()
            return NO_REPLY
        return reply

    def size_of(self, reply: object) -> int:
        """The size of a reply in bytes, counted no further than to where it certainly exceeds the limit."""
        return size_of(reply, self.output_limit + MOST)

    def producible(self, count: int) -> int:
        """How many of `count` elements to produce, negative where some may come twice: then no more than exceed the limit.

        Raises `CommandError` where there is no limit and so many would fill the memory.
        """
        if self.output_limit:
            return max(count, -(self.output_limit + MOST) // SHORTEST)
        if count < -_MOST_REPEATED:
            raise CommandError(f"ERR at most {_MOST_REPEATED} elements are repeated in a reply")
        return count

    def drops_reply(self) -> bool:
        """Whether CLIENT REPLY drops the reply to the command that has been run; a SKIP goes on to the next one or ends."""
        mode = self.reply_mode
        if mode == REPLY_SKIP_NEXT:
            self.reply_mode = REPLY_SKIP
            self.refresh()
        elif mode == REPLY_SKIP and not self.closing:
            self.reply_mode = REPLY_ON
            self.refresh()
        return mode in DROPPING

    def wake(self) -> None:
        """Tell the owner that there is something to do."""
        if self.on_wake is not None:
            self.on_wake()

    def block(
        self,
        keys: Sequence[bytes],
        timeout: int,
        kind: type,
        attempt: Callable[[], Reply | None],
        timeout_reply: Reply = None,
        needs_key: bool = False,
        due: Callable[[], int] | None = None,
    ) -> Reply | Block:
        """Wait for a key that holds a `kind`: what a command returns when `attempt` has found nothing to answer.

        `timeout` is in milliseconds, 0 for none.  Where nothing may wait the answer is `timeout_reply` at once.  `due` tells
        after how many milliseconds to try again although nothing has happened.
        """
        if self.deny_blocking or self.upstash:
            return timeout_reply
        block = Block(self, keys, kind, attempt, timeout_reply, needs_key, due)
        self.engine.blocking.block(block, timeout)
        return block

    def resume(self, reply: Reply) -> None:
        """A wait has ended with this answer: deliver it and go on."""
        self.unblocked = self.on_wake is not None
        if self.reply_mode != REPLY_ON and self.drops_reply():
            self.wake()
            return
        try:
            data = self.encoders[reply.__class__](reply)
        except Exception as error:
            data = self.encoders[CommandError](internal_error(error, "the answer to a blocked client"))
        self.send(data)

    def close(self) -> None:
        """Close once what is to be sent has been sent; no further command is run."""
        self.closing = True
        self.refresh()
        if not self.running:
            self.wake()

    def abort(self) -> None:
        """Close at once."""
        self.close()
        if self.on_abort is not None:
            self.on_abort()

    def move(self, engine: Engine, user: User, proof: bytes) -> Session:
        """Move the client to another engine, as a user of it that the caller has authenticated; return its session there.

        This session ends.  Raises `CommandError` where the client cannot be moved.
        """
        if self.on_move is None or self.deny_blocking:
            raise CommandError("ERR this client cannot change its keyspace here")
        other = Session(engine, self.address, self.local_address, self.fd)
        other.user, other.proof = user, proof
        other.out = self.out
        other.name, other.lib_name, other.lib_version = self.name, self.lib_name, self.lib_version
        other.authenticated = True
        other.set_protocol(self.protocol)
        self.forget()
        self.on_move(other)
        return other

    def abort_in_turn(self) -> None:
        """Close at once, or after the answer where the client's own command asks for it."""
        if self.running:
            self.close()
        else:
            self.abort()

    # Who it is

    @property
    def is_obeyed(self) -> bool:
        """Whether it is the master or a log, whose commands have been checked where they were first run."""
        return self.peer is not None and self.peer.kind == b"master"

    @property
    def is_local(self) -> bool:
        """Whether the client's connection is from this machine: by the loopback interface or a unix socket."""
        host = self.address.rpartition(b":")[0].strip(b"[]")
        return not host or host.startswith((b"127.", b"/")) or host in (b"::1", b"::ffff:127.0.0.1")

    def check_protected(self, name: str) -> None:
        """Raise unless the configuration lets the client use a command such as DEBUG."""
        config = self.engine.config
        permission: str = getattr(config, f"enable_{name}_command")
        if not config.allows(permission, self.is_local):
            raise CommandError(
                f"ERR {name.upper()} command not allowed. If the enable-{name}-command option is set to "
                '"local", you can run it from a local connection, otherwise you need to set this option in the '
                "configuration file, and then restart the server."
            )

    def forget_user(self) -> None:
        """Be the default user, as a new connection is."""
        self.user = self.engine.acl.default
        self.proof = b""
        self.authenticated = self.engine.acl.open_to_all

    def authenticate(self, name: bytes, password: bytes) -> bool:
        """Become a user; whether there is one with this name and password."""
        user = self.engine.acl.table.get(name)
        proof = password_hash(password)
        if user is None or not user.accepts_hash(proof):
            return False
        self.user, self.proof = user, proof
        self.authenticated = True
        self.refresh()
        return True

    def abort_without_user(self) -> None:
        """Disconnect a client whose user was deleted."""
        self.forget_user()
        self.authenticated = False
        self.abort_in_turn()

    def describe(self) -> bytes:
        """The client's line in CLIENT LIST."""
        return describe(self)

    def forget(self) -> None:
        """The client has gone: leave no trace of it in the engine."""
        engine = self.engine
        if self.blocked is not None:
            engine.blocking.forget(self.blocked)
        unwatch(self)
        if self.suspension is not None:
            engine.waits.cancel(self.suspension)
        engine.pause.forget(self)
        engine.tracking.end(self)
        engine.monitor.end(self)
        engine.pubsub.drop(self)
        engine.sessions.pop(self.id, None)
        engine.client_eviction.forget(self)
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.gone()
