"""Keys with an expiry that clients have written to a replica (``replica-read-only no``): its master knows nothing of them.

So the replica deletes them itself, whatever else it leaves to its master.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.replication.player import SET_DEADLINES

if TYPE_CHECKING:
    from emulator.keyspace.database import Database
    from emulator.keyspace.entry import Entry
    from emulator.keyspace.observed import Observed
    from emulator.replication.host import HostOfReplication


_MAY_SET: Final = SET_DEADLINES | frozenset(b"copy move rename renamenx exec eval evalsha fcall".split())
"""Commands after which a key may have another deadline."""


class OwnKeys:
    """Those of an engine; it listens to changes while the engine is a replica that may be written to, or was one."""

    def __init__(self, engine: HostOfReplication) -> None:
        self._engine = engine
        self._listens = False
        self._entries: dict[tuple[Observed, bytes], Entry] = {}
        self._changed: set[tuple[Observed, bytes]] = set()  # keys that may be given a deadline until their command ends

    def __len__(self) -> int:
        self._settle()
        return len(self._entries)

    @property
    def _may_come(self) -> bool:
        return self._engine.replication.link is not None and not self._engine.config.replica_read_only

    def look(self) -> None:
        """The role has changed, or whether a replica may be written to."""
        self._settle()
        if self._engine.replication.link is None and self._listens:
            self._engine.leave(self._note)
            self._listens = False
            self._entries.clear()
        elif self._may_come and not self._listens:
            self._engine.listen(self._note)
            self._listens = True

    def _note(self, db: Observed, key: bytes) -> None:
        current = self._engine.current
        if current is not None and current.peer is not self._engine.replication.link and self._may_come:
            command = current.last_command
            if command is not None and command.name in _MAY_SET:
                if not self._changed:
                    self._engine.soon(self._settle)
                self._changed.add((db, key))
        if self._entries:
            entry = db.entries.get(key)
            if entry is None or entry.deadline is None:
                self._entries.pop((db, key), None)

    def _settle(self) -> None:
        """The commands that have changed keys are over."""
        changed, self._changed = self._changed, set()
        for db, key in changed:
            entry = db.entries.get(key)
            if entry is not None and entry.deadline is not None:
                self._entries[db, key] = entry

    def has(self, db: Observed, entry: Entry) -> bool:
        """Whether a key is one of them."""
        self._settle()
        return self._entries.get((db, entry.key)) is entry

    def flushed(self, databases: Sequence[Database]) -> None:
        """Databases have been emptied."""
        self._settle()
        if self._entries:
            self._entries = {place: entry for place, entry in self._entries.items() if place[0] not in databases}
