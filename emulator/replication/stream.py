"""The stream to replicas: every effect as bytes, numbered from the beginning of a history, whose end is kept for a while.

A history has an id; a server that is promoted begins a new one and remembers the id of the old one, so that those who have
followed that may go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from emulator.persistence.host import StreamPosition
from emulator.protocol.client_side import encoded
from emulator.replication.backlog import Backlog
from emulator.replication.replica import ONLINE, Replica

if TYPE_CHECKING:
    from emulator.replication.host import HostOfReplication

NO_ID: Final = "0" * 40
_MOST_PENDING: Final = 1000
"""Parts of the stream of one round of the loop that are sent together."""


class Stream:
    """What goes to replicas.

    ``id`` is that of the history; ``second_id`` that of the history before, which is
    the same up to ``second_offset``.  ``db`` is the database that the stream has selected, None where it has to say so anew.
    """

    def __init__(self, engine: HostOfReplication) -> None:
        self._engine = engine
        self.id = self._new_id()
        self.second_id, self.second_offset = NO_ID, -1
        self._offset = 0
        self._pending: list[bytes] = []
        self.db: int | None = None
        self.backlog: Backlog | None = None
        self.replicas: list[Replica] = []

    def _new_id(self) -> str:
        return self._engine.random.randbytes(20).hex()

    @property
    def offset(self) -> int:
        """The number of the last byte."""
        if self._pending:
            self.flush()
        return self._offset

    @offset.setter
    def offset(self, offset: int) -> None:
        self._pending.clear()
        self._offset = offset

    @property
    def position(self) -> StreamPosition | None:
        """Where the stream is, if anybody may ask for what comes next."""
        return None if self.backlog is None else StreamPosition(self.db or 0, self.id, self.offset)

    @property
    def first(self) -> int:
        """The number of the first byte kept, 0 without a backlog."""
        return 0 if self.backlog is None else self.backlog.first

    def open_backlog(self) -> None:
        """Keep the end of the stream from now on."""
        if self.backlog is None:
            self.backlog = Backlog(self._engine.config.repl_backlog_size, self.offset + 1)
            by_stream = not self._engine.config.cluster_enabled  # else the bus has them
            self._engine.propagation.listen(self, messages=by_stream)

    def close_backlog(self) -> None:
        """Keep it no more: nobody can go on where he was."""
        if self.backlog is not None:
            self.backlog = None
            self._engine.propagation.leave(self)

    def begin_history(self) -> None:
        """What follows has nothing to do with what was before."""
        self.id = self._new_id()
        self.second_id, self.second_offset = NO_ID, -1

    def branch_off(self) -> None:
        """What follows is a history of its own, which begins where the old one is now."""
        self.second_id, self.second_offset = self.id, self.offset + 1
        self.id = self._new_id()

    def take(self, unit: list[Any]) -> None:
        """Add what has changed together."""
        self._gather(encoded(*self._engine.propagation.as_stream(unit, self.db)), unit[-1].db)

    def take_each(self, db: int, commands: Sequence[Sequence[bytes]], data: bytes) -> None:
        """Add commands, each of which has changed something by itself."""
        self._gather(data if db == self.db else encoded([b"SELECT", b"%d" % db]) + data, db)

    def _gather(self, data: bytes, db: int) -> None:
        """Add bytes after which the database is `db`; where this server is a replica, its master has said it all."""
        if self._engine.replication.link is not None:
            return
        is_first = not self._pending
        self._pending.append(data)
        self.db = db
        if is_first:
            self._engine.soon(self.flush)
        elif len(self._pending) > _MOST_PENDING:
            self.flush()

    def flush(self) -> None:
        """Send what has gathered in a round of the loop."""
        if self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self.feed(data)

    def add(self, commands: Iterable[Sequence[bytes]]) -> None:
        """Add commands that concern the stream itself."""
        self.feed(encoded(*commands))

    def feed(self, data: bytes) -> None:
        """Add bytes, and send them to those who are to have them."""
        self.flush()
        self._offset += len(data)
        if self.backlog is not None:
            self.backlog.add(data)
        for replica in tuple(self.replicas):
            replica.feed(data)

    def continued(self, id: str, number: int) -> bytes | None:
        """What follows for one who has everything of a history before a byte; None where that cannot be told."""
        self.flush()  # what is not in the backlog yet would be neither missed nor come later
        known = id == self.id or (id == self.second_id and number <= self.second_offset)
        return self.backlog.since(number) if known and self.backlog is not None else None

    def acknowledged(self, offset: int) -> int:
        """How many replicas have so much of the stream."""
        return sum(replica.offset >= offset for replica in self.replicas if replica.state == ONLINE)

    def synced(self, offset: int) -> int:
        """How many replicas have so much of the stream on their disks."""
        return sum(replica.synced >= offset for replica in self.replicas if replica.state == ONLINE)
