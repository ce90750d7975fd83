"""What clients take in memory, as the real server counts it, and `maxmemory-clients`: beyond it those that take the most go.

A client's memory is worked out when somebody asks.  What its connection holds is told by ``Session.buffers``; the buffers
that the real server would have for it are modelled here and in `reply_buffer`.

Source: https://redis.io/docs/latest/develop/reference/clients/#client-eviction
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sized
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.datatypes.footprint import DICT_ENTRY, POINTER, allocated, buckets

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session

logger = logging.getLogger("emulator")

_STRUCTURE: Final = 896
CLIENT: Final = _STRUCTURE + 1024
"""What the real server needs for a client that does nothing."""
SHARED: Final = 16384
"""What is asked for the buffer that clients share, or take over with a command that is not complete."""
_WORTH_TRIMMING: Final = 4096
_LARGE: Final = 32768
_EXEC: Final = (b"exec",)
_PATIENCE: Final = 2
_OFTEN: Final = 50
_EACH_MILLISECOND: Final = 10
"""What all clients take is found out every so many milliseconds, and one more for so many clients."""
_FEW: Final = 10
_EACH_SECOND: Final = 10_000
"""Who asks for what they take sees it as it is while they are few; of many, so many are looked at in a second."""
_QUEUED_COMMAND: Final = 24
_WATCHED_KEY: Final = 80
_TREE_NODE: Final = 32


class Buffers(NamedTuple):
    """What a connection holds.

    ``waiting``: bytes that have arrived and were not run; ``read``: bytes of what is being run, as it arrived; ``arguments``
    and ``begun``: size and number of the arguments of the command that has begun; ``room``: what the client's own buffer was
    made for, 0 where it needs none; ``unsent``: bytes of replies that the client has not taken.
    """

    waiting: int = 0
    read: int = 0
    arguments: int = 0
    begun: int = 0
    room: int = 0
    unsent: int = 0


class Usage(NamedTuple):
    """Bytes, as CLIENT LIST has them.

    ``input`` and ``free`` of the query buffer, which takes ``allocated``; of ``arguments``, of commands that are ``queued``;
    of the reply buffer its ``size``, ``peak`` and what is ``filled``; ``blocks`` beyond it (their number), which take
    ``output``; ``total``, and what of it is ``beyond`` the client itself and its reply buffer.
    """

    input: int
    free: int
    allocated: int
    arguments: int
    queued: int
    size: int
    peak: int
    filled: int
    blocks: int
    output: int
    beyond: int
    total: int


class Totals(NamedTuple):
    """Bytes: the largest query buffer, the largest list of blocks of replies, and what all clients take."""

    query_buffer: int
    output: int
    total: int


def usage(session: Session) -> Usage:
    """What a client takes.  O(prefixes that it is told of)."""
    held = session.buffers()
    replies = session.replies
    replies.settle(session.engine.clock.now)
    if not (session.running or _has_more(session, held) or session.engine.config.edition.precedes("8.0.0")):
        return Usage(0, 0, 0, 0, 0, replies.size, replies.peak, 0, 0, 0, 0, _STRUCTURE + replies.size)
    used, free, query = _query_buffer(session, held)
    arguments, count = held.arguments, held.begun
    if session.running or session.blocked is not None or session.suspended:
        words = session.words if session.queue is None else _EXEC
        arguments += sum(map(len, words))
        count += len(words)
    queue = session.queue
    queued = 0 if queue is None else queue.size
    filled, blocks, output = replies.beyond(held.unsent + sum(map(len, session.out)))
    beyond = query + arguments + POINTER * count + queued + output + _beside(session)
    return Usage(
        input=used,
        free=free,
        allocated=query,
        arguments=arguments,
        queued=queued,
        size=replies.size,
        peak=max(replies.peak, filled),
        filled=0 if held.unsent else filled,
        blocks=blocks,
        output=output,
        beyond=beyond,
        total=_STRUCTURE + replies.size + beyond,
    )


def _capacity(length: int) -> tuple[int, int]:
    """What a string is given that is to have so many bytes, and how many it has room for."""
    head = 4 if length < 256 else 6 if length < 65536 else 10
    room = allocated(length + head)
    return room, room - head


def _query_buffer(session: Session, held: Buffers) -> tuple[int, int, int]:
    """Bytes used, free and allocated."""
    used = held.read if session.running else held.waiting
    if not used and not held.room:
        return _own_buffer(session) if session.engine.config.edition.precedes("8.0.0") else (0, 0, 0)
    room, capacity = _capacity(max(held.room, SHARED, used))
    now = session.engine.clock.now
    if capacity - used > _WORTH_TRIMMING and not session.running:
        if now // 1000 - session.active // 1000 > _PATIENCE:
            room, capacity = _capacity(used) if used else (0, 0)
        elif not used and held.room > _LARGE and now - session.active >= session.engine.reply_buffers.step:
            room, capacity = _capacity(0)
    if not used and capacity < _WORTH_TRIMMING and session.engine.config.edition.precedes("8.0.0"):
        return 0, 0, room
    return used, capacity - used, room


def _own_buffer(session: Session) -> tuple[int, int, int]:
    """The same for an empty buffer where clients do not share one: it is kept for a while."""
    if not session.total_input:
        room, capacity = _capacity(0)
        return 0, capacity, room
    if session.engine.clock.now // 1000 - session.active // 1000 > _PATIENCE:
        return 0, 0, _capacity(0)[0]
    room, capacity = _capacity(SHARED)
    return 0, capacity, room


def _beside(session: Session) -> int:
    """What a client takes beside its buffers: the commands queued, what it watches and what it is to be told of."""
    total = _WATCHED_KEY * len(session.watched)
    if session.queue:
        total += _QUEUED_COMMAND * max(2, 1 << (len(session.queue) - 1).bit_length())
    if session.subscriptions:
        total += sum(map(_table, (session.channels, session.patterns, session.shards)))
    if session.tracked is not None and session.tracked.prefixes is not None:
        total += _TREE_NODE * _tree_nodes(session.tracked.prefixes)
    return total


def _table(names: Sized) -> int:
    return DICT_ENTRY * len(names) + POINTER * buckets(len(names)) if len(names) else 0


def _tree_nodes(words: Collection[bytes]) -> int:
    """How many nodes a radix tree has for words of which no two begin alike; where some do it has fewer."""
    if len(words) == 1:
        return 2 if any(words) else 1
    return 1 + sum(1 + (len(word) > 1) for word in words)


class ClientMemory:
    """What the clients of an engine take together, as of a moment ago."""

    def __init__(self, engine: HostOfClients) -> None:
        self._engine = engine
        self._beyond = 0
        self._totals = Totals(0, 0, 0)
        self._beyond_again_at = 0
        self._totals_again_at = 0.0

    def beyond(self) -> int:
        """Bytes beside the clients themselves; what runs just now is left out.  O(clients), but not often."""
        now = self._engine.clock.now
        if now >= self._beyond_again_at:
            sessions = self._sessions()
            self._beyond = sum(
                usage(session).beyond
                for session in sessions
                if not session.running and _has_more(session, session.buffers())
            )
            self._beyond_again_at = now + _OFTEN + len(sessions) // _EACH_MILLISECOND
        return self._beyond

    def totals(self) -> Totals:
        """What they take.  O(clients), but where there are many not often."""
        now = monotonic()
        if now >= self._totals_again_at:
            usages = [usage(session) for session in self._sessions()]
            self._totals = Totals(
                max((used.allocated for used in usages), default=0),
                max((used.output for used in usages), default=0),
                sum(used.total for used in usages),
            )
            if len(usages) > _FEW:
                self._totals_again_at = now + len(usages) / _EACH_SECOND
        return self._totals

    def _sessions(self) -> list[Session]:
        """The clients; some may go meanwhile, by Python's own garbage collection."""
        return list(self._engine.sessions.values())


def _has_more(session: Session, held: Buffers) -> bool:
    """Whether a client may take anything beside itself, which is quicker to find out than how much."""
    return bool(
        held.waiting
        or held.begun
        or held.room
        or held.unsent
        or session.queue
        or session.out
        or session.watched
        or session.blocked
        or session.tracked
        or session.channels
        or session.patterns
        or session.shards
        or session.suspended
    )


class ClientEviction:
    """Watches over what all clients take; ``limit`` is 0 where there is none."""

    def __init__(self, engine: HostOfClients) -> None:
        self._engine = engine
        self._sizes: dict[Session, int] = {}
        self._total = 0
        self.limit = 0

    def configure(self) -> None:
        """Take the limit from the configuration: bytes, or a share of ``maxmemory``."""
        config = self._engine.config
        wanted = config.maxmemory_clients
        self.limit = config.maxmemory * -wanted // 100 if wanted < 0 else wanted
        if self.limit:
            self._evict()
        else:
            self._sizes.clear()
            self._total = 0

    def note(self, session: Session) -> None:
        """A client has sent or has been sent something; to be called where there is a limit."""
        if session.closing:
            return
        self._measure(session)
        if self._total > self.limit:
            self._evict()

    def forget(self, session: Session) -> None:
        """The client has gone."""
        self._total -= self._sizes.pop(session, 0)

    def sizes(self) -> list[int]:
        """What each client takes that may be disconnected, beside the command that it is running.  O(clients)."""
        sessions = [session for session in list(self._engine.sessions.values()) if not session.no_evict]
        found = [(usage(session), session.running) for session in sessions]
        return [used.total - used.beyond if running else used.total for used, running in found]

    def _measure(self, session: Session) -> None:
        size = usage(session).total
        self._total += size - self._sizes.get(session, 0)
        self._sizes[session] = size

    def _evict(self) -> None:
        for session in list(self._engine.sessions.values()):
            if not session.closing:
                self._measure(session)
        for session in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            if self._total <= self.limit:
                break
            if not session.no_evict:
                logger.warning("Evicting client: %s", session.describe().decode("utf-8", "replace"))
                self._engine.stats.evicted_clients += 1
                self.forget(session)
                session.abort()
