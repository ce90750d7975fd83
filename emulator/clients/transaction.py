"""Transactions: the commands that MULTI queues, and the keys that WATCH has an eye on for the next EXEC."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.table.registry import Command


class Queue(list["tuple[Command, list[bytes]]"]):
    """The commands of a MULTI, which are only ever added; with HELLO they have replies by several protocols."""

    __slots__ = ("_for_each", "_measured", "_size", "_written", "may_change_protocol")

    def __init__(self, for_each: int) -> None:
        self.may_change_protocol = False
        self._for_each = for_each
        self._measured = self._size = self._written = 0

    def add(self, command: Command, words: list[bytes]) -> None:
        """Queue a command that may be any."""
        self.append((command, words))
        if command.name == b"hello":
            self.may_change_protocol = True

    @property
    def size(self) -> int:
        """What the words take in the real server, each so many bytes beside its own.  O(commands that were added since)."""
        for _, words in self[self._measured :]:
            self._size += sum(map(len, words)) + self._for_each * len(words)
        self._measured = len(self)
        return self._size

    def wrote(self, size: int) -> int:
        """A command of EXEC has a reply of so many bytes; how many EXEC has written by now."""
        self._written = (self._written or len(b"*%d\r\n" % len(self))) + size
        return self._written


def watch(session: Session, key: bytes) -> None:
    """Let a change of `key` abort the next transaction; one that has expired already counts as absent."""
    place = (session.db, key)
    if place in session.watched:
        return
    entry = session.db.entries.get(key)
    expired = entry is not None and entry.deadline is not None and entry.deadline <= session.engine.clock.now
    session.watched[place] = expired
    session.has_multi_state = True
    session.db.watchers.setdefault(key, set()).add(session)
    session.db.observe()


def unwatch(session: Session) -> None:
    """Forget every watched key."""
    session.dirty_cas = False
    if not session.watched:
        return
    for db, key in session.watched:
        watchers = db.watchers[key]
        watchers.discard(session)
        if not watchers:
            del db.watchers[key]
            db.observe()
    session.watched.clear()


def watched_key_expired(session: Session) -> bool:
    """Whether a watched key has expired since it was watched and nobody has noticed yet."""
    now = session.engine.clock.now
    for (db, key), was_expired in session.watched.items():
        if not was_expired:
            entry = db.entries.get(key)
            if entry is not None and entry.deadline is not None and entry.deadline <= now:
                return True
    return False
