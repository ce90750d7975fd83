"""Who hears of a change of a key: those who watch it, listeners, clients that wait for it, subscribers of its events."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING

from emulator.clients.transaction import unwatch
from emulator.config.notifications import OVERWRITTEN, SUBKEYS, TYPE_CHANGED
from emulator.datatypes.types import Value, type_name
from emulator.keyspace.entry import Entry

if TYPE_CHECKING:
    from emulator.clients.blocking import Block
    from emulator.clients.session import Session
    from emulator.keyspace.host import HostOfData

Listener = Callable[["Observed", bytes], object]
"""Who is told of each change of a key, when it has happened; see `Engine.listen`."""


class Observed:
    """Numbered keys with those who want to hear of them.

    ``watchers`` and ``blocked`` have, by key, the sessions that WATCH it and the waits for it; ``has_listeners`` is whether
    anybody at all is to be told of changes.
    """

    __slots__ = ("blocked", "clock", "engine", "entries", "has_listeners", "index", "listeners", "watchers")

    def __init__(self, engine: HostOfData, index: int) -> None:
        self.belong_to(engine)
        self.index = index
        self.entries: MutableMapping[bytes, Entry] = {}
        self.watchers: dict[bytes, set[Session]] = {}
        self.blocked: dict[bytes, dict[Block, None]] = {}
        self.listeners: Sequence[Listener] = engine.listeners
        self.has_listeners = False

    def belong_to(self, engine: HostOfData) -> None:
        """Be one of the databases of this engine from now on."""
        self.engine = engine
        self.clock = engine.clock

    def observe(self) -> None:
        """Find out anew whether anybody listens; to be called when a watcher, a blocked client or the config changes."""
        engine = self.engine
        self.listeners = [self._tell_watchers, *engine.listeners] if self.watchers else engine.listeners
        self.has_listeners = bool(self.listeners or self.blocked or engine.notify_flags)

    def touch(self, key: bytes) -> None:
        """Tell whoever listens that a key has changed, those who watch it first."""
        for listener in self.listeners:
            listener(self, key)

    def _tell_watchers(self, db: Observed, key: bytes) -> None:
        """Tell those who watch a key, but not of one which had expired before they watched it, until it has gone."""
        place = (self, key)
        for session in tuple(self.watchers.get(key, ())):
            if session.watched[place]:
                session.watched[place] = key in self.entries
            else:
                unwatch(session)  # one is enough
                session.spoil()

    def exchanged(self, key: bytes, existed: bool) -> None:
        """Tell those who watch a key that all keys have gone or been exchanged; `existed`: it was one of those before."""
        entry = self.entries.get(key)
        expired = entry is not None and entry.deadline is not None and entry.deadline <= self.clock.now
        for session in self.watchers.get(key, ()):
            if expired and (session.watched[self, key] or not existed):
                session.watched[self, key] = True
            elif entry is None and session.watched[self, key]:
                session.watched[self, key] = False
            else:
                session.spoil()

    def signal(self, key: bytes, kind: type | None) -> None:
        """Tell those blocked on a key that it holds a `kind` now, or with None that it has gone."""
        raise NotImplementedError

    def notify(self, event_class: int, event: bytes, key: bytes) -> None:
        """Send a keyspace notification where the configuration asks for its class."""
        if self.engine.notify_flags & event_class:
            self.engine.publish_event(event_class, event, key, self.index)

    def notify_subkeys(self, event: bytes, key: bytes, subkeys: Sequence[bytes]) -> None:
        """Tell which fields of a hash an event is about, where the configuration asks for that (Redis 8.8)."""
        if self.engine.notify_flags & SUBKEYS and subkeys:
            self.engine.publish_subkeys(event, key, subkeys, self.index)

    def notify_overwritten(self, key: bytes, old: Value, new: Value) -> None:
        """Tell that a key has a new value in place of an old one."""
        if key in self.blocked:
            self.signal(key, None)
        self.notify_replaced(key, old, new)

    def notify_replaced(self, key: bytes, old: Value, new: Value) -> None:
        """Send the notifications of a new value in place of an old one."""
        self.notify(OVERWRITTEN, b"overwritten", key)
        if type_name(old) != type_name(new):
            self.notify(TYPE_CHANGED, b"type_changed", key)
