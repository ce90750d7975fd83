"""Streams thrown at servers over sockets, the emulator and the oracle alike."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from conformance.resp import Connection
from conformance.servers import Address
from conformance.torn.inside import Wrong
from emulator.protocol.parser import RequestParser

_PATIENCE = 5.0


_CLIENT_ID = re.compile(rb"(\$2\r\nid\r\n):\d+")


def until_closed(pieces: Sequence[bytes]) -> list[bytes]:
    """The pieces up to the one at which the server closes: to send more would make a reset of it, and lose replies."""
    parser = RequestParser()
    for number, piece in enumerate(pieces, 1):
        quits = any(words[0].lower() == b"quit" for words in parser.feed(piece) if words)
        if quits or parser.error is not None:
            return list(pieces[:number])
    return list(pieces)


class Outside:
    """A server's address, and a well-behaved client that must be served whatever the others do."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._witness = Connection(address, _PATIENCE)

    def play(self, pieces: Sequence[bytes]) -> bytes:
        """Everything that a client receives which sends these pieces and then no more; its id is left out."""
        self._witness("FLUSHALL")
        with socket.create_connection(self.address, _PATIENCE) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = self._talk(client, pieces)
        if self._witness("PING").value != b"PONG":
            raise Wrong("another client is not served")
        return _CLIENT_ID.sub(rb"\1", received)

    @staticmethod
    def _talk(client: socket.socket, pieces: Sequence[bytes]) -> bytes:
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
            received += b"(reset)"
        return bytes(received)
