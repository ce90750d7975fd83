"""Playing a recording again, against any server: what is answered otherwise than it was.

``python -m emulator.replay host:port < lines`` plays lines of redis-cli and prints the answers.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

from emulator.clients.monitor import REDACTED
from emulator.controls.recording import Recorded
from emulator.protocol.client_side import encoded, read_reply
from emulator.protocol.inline import split_inline


class Difference(NamedTuple):
    """A call, the answer that was recorded, and the answer of now."""

    call: Recorded
    recorded: bytes
    answered: bytes


class _Copied:
    """A stream that keeps what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.parts: list[bytes] = []

    def readline(self) -> bytes:
        self.parts.append(self._stream.readline())
        return self.parts[-1]

    def read(self, size: int) -> bytes:
        self.parts.append(self._stream.read(size))
        return self.parts[-1]


def answer(stream: BinaryIO) -> bytes:
    """The next reply, whole and as it came; raises EOFError where there is none."""
    copied = _Copied(stream)
    read_reply(copied)
    return b"".join(copied.parts)


def replay(commands: Iterable[Recorded], host: str, port: int) -> list[Difference]:
    """Play a recording, each client on a connection of its own; calls without a recorded answer are not compared.

    Calls whose secrets were left out are not played.  Of HELLO, whose answer tells of the connection and of the server, only
    success is compared.
    """
    connections: dict[int, tuple[socket.socket, BinaryIO]] = {}
    differences = []
    try:
        for call in commands:
            if REDACTED in call.words:
                continue
            if call.client not in connections:
                connection = socket.create_connection((host, port))
                connections[call.client] = connection, connection.makefile("rb")
                preparation = [[b"SELECT", b"%d" % call.db]]
                if call.protocol == 3 and call.words[0].upper() != b"HELLO":
                    preparation.insert(0, [b"HELLO", b"3"])
                for words in preparation:
                    connection.sendall(encoded(words))
                    answer(connections[call.client][1])
            connection, stream = connections[call.client]
            connection.sendall(encoded(call.words))
            if call.answer:
                answered = answer(stream)
                if _differs(call, answered):
                    differences.append(Difference(call, call.answer, answered))
    finally:
        for connection, stream in connections.values():
            stream.close()
            connection.close()
    return differences


def _differs(call: Recorded, answered: bytes) -> bool:
    if call.words[0].upper() == b"HELLO":
        return answered.startswith(b"-") != call.answer.startswith(b"-")
    return answered != call.answer


def main(arguments: Sequence[str]) -> int:
    """Play the lines of standard input."""
    host, _, port = arguments[0].rpartition(":")
    with socket.create_connection((host or "127.0.0.1", int(port))) as connection, connection.makefile("rb") as stream:
        for line in sys.stdin.buffer:
            words = split_inline(line.strip())
            if words and REDACTED not in words:
                connection.sendall(encoded(words))
                sys.stdout.buffer.write(answer(stream))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
