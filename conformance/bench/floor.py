"""``python -m conformance.bench.floor PORT``: the least that a server in Python on asyncio needs for a command.

It has the shape of the emulator and none of its meaning: a protocol, one split of what arrives, a dict to get from and to
set in, one write for each read.  PING, GET and LRANGE are answered as by Redis, everything else is kept under its first
argument.  What the emulator needs beyond that is what its semantics cost.
"""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar, cast


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


class Floor(asyncio.Protocol):
    """One connection; all share ``values``, which has the arguments behind a key."""

    values: ClassVar[dict[bytes, list[bytes]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        lines = (self._rest + data).split(b"\r\n")
        position, last = 0, len(lines) - 1
        replies: list[bytes] = []
        while position < last:
            end = position + 2 * int(lines[position][1:]) + 1
            if end > last:
                break
            replies.append(self._reply(lines[position + 2 : end : 2]))
            position = end
        self._rest = b"\r\n".join(lines[position:])
        self._transport.write(b"".join(replies))

    def _reply(self, words: list[bytes]) -> bytes:
        if words[0] == b"PING":
            return b"+PONG\r\n"
        if words[0] == b"GET":
            found = self.values.get(words[1])
            return b"$-1\r\n" if found is None else _bulk(found[0])
        if words[0] == b"LRANGE":
            found = self.values.get(words[1], [])
            return b"*%d\r\n%b" % (len(found), b"".join(map(_bulk, found)))
        self.values[words[1]] = words[2:]
        return b"+OK\r\n"


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
