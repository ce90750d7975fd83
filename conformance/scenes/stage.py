"""A server on which scenes are played."""

from __future__ import annotations

import re
import socket
from typing import Final

from conformance.bench.client import encode
from conformance.resp import Connection
from conformance.scenes.scene import CLIENTS, Step

Address = tuple[str, int]

_FIRST_ID: Final = 1000
"""So that no number of a reply looks like the id of a client."""
_ROUNDS: Final = 3
"""After so many rounds of the server's loop all that a step leads to is done and written."""
_CLEARING: Final = (
    "CLIENT UNPAUSE",
    "CONFIG SET notify-keyspace-events ",
    "ACL DELUSER u",
    "SCRIPT FLUSH",
    "FLUSHALL",
)
END: Final = b"<end>"
"""Stands where a connection ends."""


class Stage:
    """The clients of one server, by their numbers."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._control = Connection(address)
        self._clients: dict[int, socket.socket] = {}
        self._ids: dict[bytes, int] = {}
        self._current: dict[int, bytes] = {}
        while self._id_of(opened := self._connect()) < _FIRST_ID:
            opened.close()

    def begin(self) -> None:
        """Have clients who have done nothing yet, and no data."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._ids.clear()
        self.settle()
        for line in _CLEARING:
            self._control(*line.split(" "))
        for number in range(CLIENTS):
            self._open(number)

    def send(self, step: Step) -> None:
        """Send what a client does in a step; one that has gone comes anew."""
        number, commands = step
        if number not in self._clients:
            self._open(number)
        try:
            self._clients[number].sendall(b"".join(encode(*map(self._filled, words)) for words in commands))
        except OSError:
            return  # it has been killed, which is seen when it is read

    def settle(self) -> None:
        """Wait until all is done that was sent."""
        for _ in range(_ROUNDS):
            self._control("PING")

    def told(self) -> dict[int, bytes]:
        """What each client has been told since it was asked last."""
        return {number: self._read(number) for number in list(self._clients)}

    def leave(self, number: int) -> None:
        """A client has gone."""
        self._clients.pop(number).close()

    def _open(self, number: int) -> None:
        client = self._connect()
        id = self._id_of(client)
        self._current[number] = b"%d" % id
        self._ids[b"%d" % id] = number
        client.setblocking(False)
        self._clients[number] = client

    def _connect(self) -> socket.socket:
        client = socket.create_connection(self._address, 30.0)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def _id_of(self, client: socket.socket) -> int:
        client.sendall(b"CLIENT ID\r\n")
        return int(client.recv(64)[1:-2])

    def _filled(self, word: str) -> bytes:
        return self._current[int(word[1])] if re.fullmatch(r"<\d>", word) else word.encode()

    def _read(self, number: int) -> bytes:
        pieces = []
        while True:
            try:
                piece = self._clients[number].recv(1 << 20)
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            pieces.append(piece or END)
            if not piece:
                break
        return self._without_ids(b"".join(pieces))

    def _without_ids(self, data: bytes) -> bytes:
        return re.sub(
            rb"\d{4,}", lambda match: b"<%d>" % self._ids[match[0]] if match[0] in self._ids else match[0], data
        )
