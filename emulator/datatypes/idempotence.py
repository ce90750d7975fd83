"""What a stream knows of the messages that producers have sent, so that one sent again is not added again.

Source: Redis's documentation of XADD's IDMP and IDMPAUTO.
"""

from __future__ import annotations

from typing import Final

DURATION: Final = 100
MOST: Final = 100


class Idempotence:
    """Of each producer the latest messages: the idempotent ids by which they came, the ids of their entries, and when.

    A message is known for `duration` seconds, and only the latest `most` of a producer are.  ``added`` and ``duplicates``
    count those that were recorded and those that came again.
    """

    __slots__ = ("added", "duplicates", "duration", "most", "producers")

    def __init__(self, duration: int, most: int) -> None:
        self.duration = duration
        self.most = most
        self.producers: dict[bytes, dict[bytes, tuple[int, int]]] = {}
        self.added = self.duplicates = 0

    @property
    def messages(self) -> int:
        """How many messages are known."""
        return sum(map(len, self.producers.values()))

    def find(self, producer: bytes, message: bytes, now: int) -> int | None:
        """The id of the entry that a message has become, None where it is not known (any more)."""
        known = self.producers.get(producer, {}).get(message)
        if known is None or known[1] + self.duration * 1000 <= now:
            return None
        return known[0]

    def record(self, producer: bytes, message: bytes, id: int, now: int) -> None:
        """Know a message from now on; the oldest ones of its producer are forgotten."""
        known = self.producers.setdefault(producer, {})
        known.pop(message, None)
        known[message] = id, now
        self.added += 1
        while len(known) > self.most or next(iter(known.values()))[1] + self.duration * 1000 <= now:
            del known[next(iter(known))]

    def configure(self, duration: int, most: int) -> None:
        """Keep messages for another time, or another number of them; what is known is forgotten if either changes."""
        if (duration, most) != (self.duration, self.most):
            self.duration, self.most = duration, most
            self.producers = {}

    def copy(self) -> Idempotence:
        """The same, independent of this."""
        twin = Idempotence(self.duration, self.most)
        twin.producers = {producer: known.copy() for producer, known in self.producers.items()}
        twin.added, twin.duplicates = self.added, self.duplicates
        return twin
