"""Streams thrown at servers over sockets, the emulator and the oracle alike."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from typing import NamedTuple

from conformance.resp import Connection
from conformance.servers import Address

_PATIENCE = 5.0


_CLIENT_ID = re.compile(rb"(\$2\r\nid\r\n):\d+")


class Wrong(Exception):
    """A server did what it must not do."""


class Answer(NamedTuple):
    """What a server said until it closed; where it closed before it had read all, the end may be lost on the way."""

    data: bytes
    reset: bool

    def agrees(self, other: Answer) -> bool:
        """Whether both may be the same answer."""
        if self.reset or other.reset:
            return self.data.startswith(other.data) or other.data.startswith(self.data)
        return self.data == other.data


class Outside:
    """A server's address, and a well-behaved client that must be served whatever the others do."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._witness = Connection(address, _PATIENCE)

    def play(self, pieces: Sequence[bytes]) -> Answer:
        """Everything that a client receives which sends these pieces and then no more; its id is left out."""
        self._witness("FLUSHALL")
        with socket.create_connection(self.address, _PATIENCE) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = self._talk(client, pieces)
        if self._witness("PING").value != b"PONG":
            raise Wrong("another client is not served")
        return received._replace(data=_CLIENT_ID.sub(rb"\1", received.data))

    @staticmethod
    def _talk(client: socket.socket, pieces: Sequence[bytes]) -> Answer:
        received = bytearray()
        try:
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            while data := client.recv(1 << 16):
                received += data
        except TimeoutError:
            raise Wrong("the server neither answers nor closes") from None
        except OSError:
            return Answer(bytes(received), True)
        return Answer(bytes(received), False)
