"""What clients take in memory, and `maxmemory-clients`: beyond it those that take the most are disconnected.

Source: https://redis.io/docs/latest/develop/reference/clients/#client-eviction
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from emulator.engine import Engine
    from emulator.session import Session

logger = logging.getLogger("emulator")

CLIENT: Final = 1920
"""What the real server needs for a client that does nothing."""


class Usage(NamedTuple):
    """Bytes: of what was sent and has not been run, of what has not been read, of the commands queued by MULTI."""

    input: int
    output: int
    queued: int

    @property
    def total(self) -> int:
        """All of it, with the client's own."""
        return CLIENT + self.input + self.output + self.queued


def usage(session: Session) -> Usage:
    """What a client takes.  O(queued commands)."""
    waiting, unread = session.buffers()
    queued = sum(len(word) for _, words in session.queue or () for word in words)
    return Usage(waiting, unread + sum(map(len, session.out)), queued)


class ClientEviction:
    """Watches over what all clients take; ``limit`` is 0 where there is none."""

    def __init__(self, engine: Engine) -> None:
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
        self._measure(session)
        if self._total > self.limit:
            self._evict()

    def forget(self, session: Session) -> None:
        """The client has gone."""
        self._total -= self._sizes.pop(session, 0)

    def _measure(self, session: Session) -> None:
        size = usage(session).total
        self._total += size - self._sizes.get(session, 0)
        self._sizes[session] = size

    def _evict(self) -> None:
        for session in self._engine.sessions.values():
            if not session.closing:
                self._measure(session)
        for session in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            if self._total <= self.limit:
                break
            if not session.no_evict:
                logger.warning("Evicting client: %s", session.describe().decode("utf-8", "replace"))
                self._engine.stats.evicted_clients += 1
                self.forget(session)
                session.kill()
