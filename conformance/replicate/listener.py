"""A replica that only listens: what a server sends of its changes."""

import socket
from collections.abc import Iterator

from conformance.resp import Closed

_PATIENCE = 60.0
"""Seconds in which a master that is busy with its disk has saved its data."""


class Link:
    """A link to a master that copies by way of its disk; `read` returns one command of its stream after another.

    A replica that has to wait is sent empty lines.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, _PATIENCE)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(b"PSYNC ? -1\r\n")
        assert self._told().startswith(b"+FULLRESYNC")
        self._file.read(int(self._told()[1:]))

    def _told(self) -> bytes:
        """The next line that is not empty."""
        while not (line := self._line()):
            continue
        return line

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line:
            raise Closed
        return line.rstrip(b"\r\n")

    def read(self) -> list[bytes]:
        """The next command; raises `Closed` where the connection has ended."""
        count = int(self._line()[1:])
        words = []
        for _ in range(count):
            size = int(self._line()[1:])
            words.append(self._file.read(size))
            self._line()
        return words

    def until(self, marker: bytes) -> Iterator[list[bytes]]:
        """The commands up to a message that is published on the channel `marker`, without it."""
        self._socket.sendall(b"REPLCONF ACK 0\r\n")  # it is still there
        while True:
            words = self.read()
            if words[:2] == [b"PUBLISH", marker]:
                return
            yield words

    def close(self) -> None:
        self._file.close()
        self._socket.close()
