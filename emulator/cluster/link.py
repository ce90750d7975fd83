"""One connection of the cluster bus: bytes are gathered until they are a packet."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.cluster.packet import (
    HEADER_SIZE,
    MODULE,
    PREFIX_SIZE,
    PUBLISH,
    PUBLISHSHARD,
    BadPacket,
    decode,
    length_of,
    sender_of,
    type_of,
)
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus
    from emulator.cluster.state import Node
    from emulator.replication.host import Wire

logger = logging.getLogger("emulator")

_MOST_OF_A_GREETING: Final = 1 << 20
"""Bytes of a packet that may be longer only as a message of a node that is known: some 10,000 entries of gossip."""
_MOST_UNREAD_PONGS: Final = 1 << 20
"""Bytes that wait for a node that greets and does not read, at which its connection is ended."""


class BusLink:
    """A connection to `node`, or where ``is_inbound`` from one, which is None until it is known.

    It is a `Receiver`; ``created`` is in milliseconds since the epoch.
    """

    def __init__(self, bus: Bus, node: Node | None, is_inbound: bool, created: int) -> None:
        self._bus = bus
        self.node = node
        self.is_inbound = is_inbound
        self.created = created
        self.wire: Wire | None = None
        self.give_up: Callable[[], None] | None = None
        self._unread = bytearray()

    # As CLUSTER LINKS tells of it

    @property
    def events(self) -> bytes:
        return b"rw" if self.send_buffer_used else b"r"

    @property
    def send_buffer_used(self) -> int:
        return self.wire.unsent if self.wire is not None else 0

    @property
    def send_buffer_allocated(self) -> int:
        return self.send_buffer_used

    # The connection

    def connected(self, wire: Wire) -> None:
        self.wire = wire
        self.give_up = None
        behind_wall(lambda: self._bus.connected(self), "a connection of the cluster bus")

    def received(self, data: bytes) -> None:
        unread = self._unread
        unread += data
        try:
            while len(unread) >= PREFIX_SIZE and self.wire is not None:
                length = length_of(unread)
                if length > _MOST_OF_A_GREETING and len(unread) >= HEADER_SIZE:
                    self._check_sender_of_much(length)
                if len(unread) < length:
                    return
                packet = decode(bytes(unread[:length]))
                del unread[:length]
                if packet is not None:
                    behind_wall(partial(self._bus.take, self, packet), "a packet of the cluster bus")
        except BadPacket as bad:
            logger.warning("%s", bad)
            self._bus.drop(self)

    def _check_sender_of_much(self, length: int) -> None:
        if type_of(self._unread) not in (PUBLISH, PUBLISHSHARD, MODULE) or not self._bus.takes(
            sender_of(self._unread), length
        ):
            raise BadPacket("Bad message length or signature received from the Cluster bus.")

    def lost(self, reason: str) -> None:
        self.wire = None
        behind_wall(lambda: self._bus.lost(self), "a connection of the cluster bus")

    def send(self, data: bytes) -> None:
        """Send a packet; while the connection is only being made it is lost, as in Redis."""
        if self.wire is None:
            return
        if self.is_inbound and self.wire.unsent > _MOST_UNREAD_PONGS:
            self._bus.drop(self)
            return
        self.wire.write(data)

    def close(self) -> None:
        """End it; the bus hears nothing more of it."""
        if self.give_up is not None:
            self.give_up()
        if self.wire is not None:
            self.wire.close()
        self.wire = self.give_up = None
        self._unread.clear()

    # Addresses

    @property
    def peer_ip(self) -> bytes:
        """The address at the other end."""
        return _host(self.wire.address) if self.wire is not None else b""

    @property
    def own_ip(self) -> bytes:
        """The address at this end."""
        return _host(self.wire.local_address) if self.wire is not None else b""


def _host(address: bytes) -> bytes:
    return address.rpartition(b":")[0].strip(b"[]")
