"""Who lets go what has expired: the engine by itself, who meets it, or somebody else.

A replica leaves it to its master.  While clients are paused the data stay as they are, and in import mode (Valkey) they are
still on their way from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.table.registry import WRITE

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.keyspace.entry import Entry
    from emulator.keyspace.observed import Observed


class Expiration:
    """The rules of an engine.  ``active`` tells whether keys and fields go by themselves."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._on = self.active = True

    def switch(self, on: bool) -> None:
        """Let keys and fields go by themselves, or not; those that are overdue go when it is switched on again."""
        self._on = on
        self.refresh()

    def refresh(self) -> None:
        """Find out anew whether keys and fields go by themselves."""
        engine = self._engine
        follows = engine.replication.link is not None  # a replica's master says what has expired
        stays = self._pauses or follows or engine.config.import_mode
        self.active = self._on and not stays
        if self.active or len(engine.replication.own_keys):
            engine.wheel.release()

    @property
    def _pauses(self) -> bool:
        return self._engine.pause.active or self._engine.persistence.loading is not None

    def lets_go(self, db: Observed, entry: Entry) -> bool:
        """Whether a key goes by itself although others do not: a replica's own one, of which its master does not know."""
        return self._on and not self._pauses and self._engine.replication.own_keys.has(db, entry)

    @property
    def keeps(self) -> bool:
        """Whether what has expired stays although somebody meets it: on a replica where a client does not write to it, in
        import mode, and while clients are paused, but not in a transaction."""
        engine = self._engine
        link, current = engine.replication.link, engine.current
        if link is not None:
            command = current.last_command if current is not None and current.peer is not link else None
            return engine.config.replica_read_only or command is None or not command.flags & WRITE
        if engine.config.import_mode:
            return True
        return engine.pause.active and not (current is not None and current.deny_blocking)

    @property
    def shows(self) -> bool:
        """Whether what has expired is there for the client whose turn it is: in import mode it brings data from elsewhere."""
        engine = self._engine
        return engine.config.import_mode and engine.current is not None and engine.current.imports
