"""The backlog: the end of the stream to replicas, for one that was away for a while."""

from __future__ import annotations


class Backlog:
    """The last bytes of a stream, at most `size` of them; ``first`` is the number of the first that is kept."""

    def __init__(self, size: int, first: int) -> None:
        self._size = size
        self._data = bytearray()
        self.first = first

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: bytes) -> None:
        """The stream goes on."""
        self._data += data
        self._trim()

    def resize(self, size: int) -> None:
        """Keep more or fewer bytes from now on."""
        self._size = size
        self._trim()

    def _trim(self) -> None:
        beyond = len(self._data) - self._size
        if beyond > 0:
            del self._data[:beyond]
            self.first += beyond

    def since(self, number: int) -> bytes | None:
        """The bytes from a number on, None where some of them are not kept or not there yet."""
        if not self.first <= number <= self.first + len(self._data):
            return None
        return bytes(self._data[number - self.first :])
