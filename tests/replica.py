"""A replica that only listens: what a real server sends of its changes."""

import socket
from collections.abc import Iterator

from emulator.core.propagation import Listener


class Link:
    """A link to a master that copies by way of its disk; `read` returns one command of its stream after another."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, 10.0)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(b"PSYNC ? -1\r\n")
        assert self._line().startswith(b"+FULLRESYNC")
        while not (head := self._line()):
            continue
        self._file.read(int(head[1:]))

    def _line(self) -> bytes:
        return self._file.readline().rstrip(b"\r\n")

    def read(self) -> list[bytes]:
        """The next command."""
        count = int(self._line()[1:])
        words = []
        for _ in range(count):
            size = int(self._line()[1:])
            words.append(self._file.read(size))
            self._line()
        return words

    def until(self, marker: bytes) -> Iterator[list[bytes]]:
        """The commands up to a message that is published on the channel `marker`, without it."""
        while True:
            words = self.read()
            if words[:2] == [b"PUBLISH", marker]:
                return
            yield words

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Heard(Listener):
    """What a listener of effects has been told, as units."""

    def __init__(self):
        self.units = []

    def take(self, unit):
        self.units.append(unit)
