"""ACL LOG: what was refused lately.  What happens again within a minute is counted, not entered anew."""

from __future__ import annotations

from collections import deque

from emulator.protocol.replies import Reply

_SAME_FOR = 60_000


class Refusal:
    """An entry: `reason` is command, key, channel or auth, `context` toplevel, multi or lua; times in milliseconds."""

    __slots__ = ("context", "count", "created", "id", "info", "object", "reason", "updated", "username")

    def __init__(
        self, number: int, reason: bytes, context: bytes, what: bytes, username: bytes, info: bytes, now: int
    ) -> None:
        self.id = number
        self.count = 1
        self.reason = reason
        self.context = context
        self.object = what
        self.username = username
        self.info = info
        self.created = self.updated = now

    def fields(self, now: int) -> dict[bytes, Reply]:
        """The entry as ACL LOG tells it."""
        return {
            b"count": self.count,
            b"reason": self.reason,
            b"context": self.context,
            b"object": self.object,
            b"username": self.username,
            b"age-seconds": (now - self.created) / 1000,
            b"client-info": self.info,
            b"entry-id": self.id,
            b"timestamp-created": self.created,
            b"timestamp-last-updated": self.updated,
        }


class Journal:
    """The entries, the newest first."""

    def __init__(self) -> None:
        self.entries: deque[Refusal] = deque()
        self._next_id = 0

    def add(
        self, reason: bytes, context: bytes, what: bytes, username: bytes, info: bytes, now: int, most: int
    ) -> None:
        """Enter a refusal; of the entries `most` are kept."""
        for entry in list(self.entries)[:10]:
            same = (entry.reason, entry.context, entry.object, entry.username) == (reason, context, what, username)
            if same and abs(now - entry.created) <= _SAME_FOR:
                entry.count += 1
                entry.updated = now
                entry.info = info
                self.entries.remove(entry)
                self.entries.appendleft(entry)
                return
        self.entries.appendleft(Refusal(self._next_id, reason, context, what, username, info, now))
        self._next_id += 1
        while len(self.entries) > most:
            self.entries.pop()
