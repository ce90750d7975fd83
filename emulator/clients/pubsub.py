"""Publish and subscribe: channels, patterns and shard channels.

Each kind is a dict from name to the sessions subscribed, in the order in which they came.
Source: https://redis.io/docs/latest/develop/interact/pubsub/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.datatypes.glob import matcher
from emulator.protocol.replies import Push

if TYPE_CHECKING:
    from emulator.clients.session import Session

Subscribers = dict[bytes, dict["Session", None]]


class PubSub:
    """The subscriptions of an engine."""

    def __init__(self) -> None:
        self.channels: Subscribers = {}
        self.patterns: Subscribers = {}
        self.shards: Subscribers = {}

    @staticmethod
    def subscribe(table: Subscribers, own: dict[bytes, None], name: bytes, session: Session) -> None:
        """Enter a subscription in one of the tables and in the session's `own` list of that kind."""
        own[name] = None
        table.setdefault(name, {})[session] = None

    @staticmethod
    def unsubscribe(table: Subscribers, own: dict[bytes, None], name: bytes, session: Session) -> None:
        """Take a subscription back; nothing happens where there is none."""
        if own.pop(name, False) is None:
            del table[name][session]
            if not table[name]:
                del table[name]

    def drop(self, session: Session) -> None:
        """Forget everything that a session has subscribed to."""
        for table, own in (
            (self.channels, session.channels),
            (self.patterns, session.patterns),
            (self.shards, session.shards),
        ):
            for name in list(own):
                self.unsubscribe(table, own, name, session)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Deliver a message; the number of sessions (once for each pattern that matched, too) which got it."""
        receivers = 0
        if channel in self.channels:
            receivers += _deliver(self.channels[channel], Push([b"message", channel, message]))
        for pattern, sessions in list(self.patterns.items()):
            if matcher(pattern)(channel):
                receivers += _deliver(sessions, Push([b"pmessage", pattern, channel, message]))
        return receivers

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        """Deliver a message to the subscribers of a shard channel."""
        if channel not in self.shards:
            return 0
        return _deliver(self.shards[channel], Push([b"smessage", channel, message]))


def _deliver(sessions: dict[Session, None], message: Push) -> int:
    """Send a message to each session, encoded once for each table of encoders."""
    encoded: dict[int, bytes] = {}
    for session in list(sessions):
        encoders = session.encoders
        data = encoded.get(id(encoders))
        if data is None:
            data = encoded[id(encoders)] = encoders[Push](message)
        session.send(data)
    return len(sessions)
