"""A replica of this server, as its master knows it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.clients.description import output_limits
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.replication.host import HostOfReplication

logger = logging.getLogger("emulator")

ANNOUNCED: Final = 0
"""It has told something of itself, and has asked for nothing yet."""
WAITING: Final = 1
RECEIVING: Final = 2
LOADING: Final = 3
"""It has all of the data and is to tell that it has loaded them."""
ONLINE: Final = 4
TO_OPEN_CHANNEL: Final = 5
"""It is to ask for the data over another connection."""
STREAMING: Final = 6
"""It is sent the stream, while another connection of it is sent the data."""

_STATES: Final = {
    WAITING: "wait_bgsave",
    RECEIVING: "wait_bgsave",
    LOADING: "online",
    ONLINE: "online",
    TO_OPEN_CHANNEL: "wait_rdb_channel",
    STREAMING: "send_bulk_and_stream",
}


class Replica:
    """What is known of a replica.

    ``began_at`` is how far the stream was when the data that it is sent were taken, ``offset`` and ``synced`` are how much of
    the stream it has said to have, and to have on its disk; ``heard`` is when it last told so, in milliseconds of
    `Clock.elapsed`.  ``knows_end_mark``, ``knows_new_ids`` and ``knows_channel`` are what it is capable of;
    ``is_channel``: it is only for the data of another one, ``main``, which gets the stream; ``asked_for_id``: by
    PSYNC, not by SYNC.  With ``only_dump`` it wants the data and no stream; a filter says which parts of the data it
    wants.  Until it is online the stream is held for it.
    """

    def __init__(self, session: Session, engine: HostOfReplication) -> None:
        self._engine = engine
        self._held: list[bytes] = []
        self._held_size = 0
        self.session = session
        self.state = ANNOUNCED
        self.port = 0
        self.ip = b""
        self.knows_end_mark = self.knows_new_ids = self.knows_channel = False
        self.is_channel = False
        self.main: Replica | None = None
        self.asked_for_id = True
        self.only_dump = self.takes_file = False
        self.wants_keys = self.wants_functions = True
        self.offset = self.synced = self.began_at = 0
        self.heard = engine.clock.elapsed

    @property
    def kind(self) -> bytes:
        """Its type, as CLIENT LIST knows it: until it asks for the stream it is a client as others are."""
        return b"replica" if self.state != ANNOUNCED else b"normal"

    @property
    def parts(self) -> tuple[bool, bool]:
        """Whether it wants the keys, and the functions."""
        return self.wants_keys, self.wants_functions

    @property
    def capabilities(self) -> set[str]:
        """What it is capable of, in the words of REPLCONF CAPA."""
        known = {"eof": self.knows_end_mark, "psync2": self.knows_new_ids, "rdb-channel-repl": self.knows_channel}
        return {word for word, is_known in known.items() if is_known}

    @property
    def flag(self) -> bytes:
        """The letter of CLIENT LIST."""
        if self.state == ANNOUNCED:
            return b""
        return b"SC" if self.is_channel else b"S"

    @property
    def state_name(self) -> str:
        """Its state as INFO has it."""
        return "send_bulk" if self.takes_file and self.state == RECEIVING else _STATES[self.state]

    @property
    def host(self) -> bytes:
        """Its address: what it has told, else that of the connection."""
        return self.ip or self.session.address.rpartition(b":")[0].strip(b"[]")

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"{self.host.decode('utf-8', 'replace')}:{self.port or '<unknown-replica-port>'}"

    @property
    def lag(self) -> int:
        """Seconds since it was last heard of."""
        return max(self._engine.clock.elapsed - self.heard, 0) // 1000

    def gone(self) -> None:
        """Its connection has ended: so does the other one, unless that needs it no more."""
        self._engine.replication.forget_replica(self)
        others = [replica for replica in self._engine.replication.stream.replicas if replica.main is self]
        for replica in (*others, *([self.main] if self.main is not None else [])):
            replica.session.abort_in_turn()

    def begin(self, offset: int) -> None:
        """It is sent the data of this moment, at which the stream is so far."""
        self.state = RECEIVING
        self.began_at = offset
        if self.main is not None:
            self.main.state = STREAMING
            self.main.heard = self._engine.clock.elapsed

    def join(self, other: Replica) -> None:
        """It is sent the data that another one is to get, and of the stream what is held for that one."""
        self.begin(other.began_at)
        if not self.only_dump:
            self._held, self._held_size = other._held.copy(), other._held_size

    def feed(self, data: bytes) -> None:
        """The stream goes on."""
        if self.state in (ONLINE, STREAMING):
            self.session.send(data)
        elif self.state in (RECEIVING, LOADING) and not self.only_dump:
            self._held.append(data)
            self._held_size += len(data)
            hard = output_limits(self.session)[0]
            if hard and self._held_size >= hard:
                self.session.overrun()

    def acknowledge(self, offset: int, synced: int | None) -> None:
        """It has so much of the stream."""
        self.offset = max(offset, self.offset)
        if synced is not None:
            self.synced = max(synced, self.synced)
        self.heard = self._engine.clock.elapsed
        if self.state in (LOADING, STREAMING):
            self.go_online()

    def go_online(self) -> None:
        """It has the data: from now on the stream goes to it at once."""
        self.state = ONLINE
        self.heard = self._engine.clock.elapsed
        held, self._held, self._held_size = self._held, [], 0
        if held:
            self.session.send(b"".join(held))
        logger.log(NOTICE, "Synchronization with replica %s succeeded", self.name)
        self._engine.replication.replicas_changed()


def those_who_wait(replicas: Sequence[Replica]) -> list[Replica]:
    """The replicas that a full synchronization has to be begun for."""
    return [replica for replica in replicas if replica.state == WAITING]
