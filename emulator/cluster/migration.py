"""A migration of slots with their keys from one node to another, as either of them tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from emulator.cluster.state import range_words

if TYPE_CHECKING:
    from emulator.cluster.state import Node

WAITING: Final = "waiting"
SENDING: Final = "sending"
CATCHING_UP: Final = "catching up"
HANDING_OVER: Final = "handing over"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELED: Final = "canceled"
"""The phases that both nodes go through."""

_REDIS: Final = {
    False: {
        WAITING: b"wait-rdbchannel",
        SENDING: b"send-bulk-and-stream",
        CATCHING_UP: b"send-stream",
        HANDING_OVER: b"stream-eof",
    },
    True: {
        WAITING: b"handshake-reply",
        SENDING: b"accumulate-buffer",
        CATCHING_UP: b"wait-stream-eof",
        HANDING_OVER: b"takeover",
    },
}
_VALKEY: Final = {
    False: {
        WAITING: b"waiting-to-snapshot",
        SENDING: b"snapshotting",
        CATCHING_UP: b"replicating",
        HANDING_OVER: b"failover-paused",
    },
    True: {
        WAITING: b"waiting-for-ack",
        SENDING: b"receiving-snapshot",
        CATCHING_UP: b"waiting-for-paused",
        HANDING_OVER: b"failover-requested",
    },
}
_ENDS_IN_REDIS: Final = {DONE: b"completed", FAILED: b"failed", CANCELED: b"canceled"}
_ENDS_IN_VALKEY: Final = {DONE: b"success", FAILED: b"failed", CANCELED: b"cancelled"}
"""The words for phases, by whether the node imports."""


@dataclass(slots=True, eq=False)
class Migration:
    """The part of one node in it: where ``is_import``, it gets the slots.

    ``slots`` is a bitmap; moments are milliseconds since the epoch, -1 or 0 for those that are still to come.  ``heard`` is
    when the other node last said something, ``paused`` since when writes wait, and ``pause`` how long they did.
    """

    id: bytes
    slots: int
    source: Node
    target: Node
    is_import: bool
    created: int
    phase: str = WAITING
    error: str = ""
    retries: int = 0
    started: int = 0
    ended: int = -1
    heard: int = 0
    paused: int = 0
    pause: int = 0

    @property
    def other(self) -> Node:
        """The node at the other end."""
        return self.source if self.is_import else self.target

    @property
    def is_active(self) -> bool:
        return self.phase not in (DONE, FAILED, CANCELED)

    @property
    def state(self) -> bytes:
        """The state as Redis names it."""
        return _ENDS_IN_REDIS.get(self.phase) or _REDIS[self.is_import][self.phase]

    def for_redis(self) -> dict[bytes, bytes | int]:
        """What CLUSTER MIGRATION STATUS tells."""
        return {
            b"id": self.id,
            b"slots": range_words(self.slots),
            b"source": self.source.id,
            b"dest": self.target.id,
            b"operation": b"import" if self.is_import else b"migrate",
            b"state": self.state,
            b"last_error": self.error.encode(),
            b"retries": self.retries,
            b"create_time": self.created,
            b"start_time": self.started,
            b"end_time": self.ended,
            b"write_pause_ms": self.pause,
        }

    def for_valkey(self) -> dict[bytes, bytes | int]:
        """What CLUSTER GETSLOTMIGRATIONS tells."""
        return {
            b"name": self.id,
            b"operation": b"IMPORT" if self.is_import else b"EXPORT",
            b"slot_ranges": range_words(self.slots),
            b"target_node": self.target.id,
            b"source_node": self.source.id,
            b"create_time": self.created // 1000,
            b"last_update_time": max(self.heard, self.ended, self.created) // 1000,
            b"last_ack_time": max(self.heard, self.created) // 1000,
            b"state": _ENDS_IN_VALKEY.get(self.phase) or _VALKEY[self.is_import][self.phase],
            b"message": self.error.encode(),
            b"cow_size": 0,
            b"remaining_repl_size": 0,
        }
