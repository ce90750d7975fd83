"""Playing a recording again, against any server: what is answered otherwise than it was.

``python -m emulator.replay host:port < lines`` plays lines of redis-cli and prints the answers.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

from emulator.monitor import REDACTED
from emulator.protocol.inline import split_inline
from emulator.recording import Recorded

_AGGREGATES = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}


class Difference(NamedTuple):
    """A call, the answer that was recorded, and the answer of now."""

    call: Recorded
    recorded: bytes
    answered: bytes


def encoded(words: Sequence[bytes]) -> bytes:
    """A command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def answer(stream: BinaryIO) -> bytes:
    """The next reply, whole and as it came; raises EOFError where there is none."""
    line = stream.readline()
    if not line:
        raise EOFError("the server has closed the connection")
    kind, size = line[:1], line[1:-2]
    if kind in (b"$", b"=") and size != b"-1":
        return line + stream.read(int(size) + 2)
    if kind in _AGGREGATES and size != b"-1":
        parts = [answer(stream) for _ in range(int(size) * _AGGREGATES[kind])]
        return line + b"".join(parts) + (answer(stream) if kind == b"|" else b"")
    return line


def replay(commands: Iterable[Recorded], host: str, port: int) -> list[Difference]:
    """Play a recording, each client on a connection of its own; calls without a recorded answer are not compared.

    Calls whose secrets were left out are not played.
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
                if answered != call.answer:
                    differences.append(Difference(call, call.answer, answered))
    finally:
        for connection, stream in connections.values():
            stream.close()
            connection.close()
    return differences


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
