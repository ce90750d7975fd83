"""A conversation with a server that is watched: commands and their replies, one after another; or its messages."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emulator.protocol.client_side import encoded, read_reply
from emulator.protocol.errors import ProtocolError
from emulator.protocol.replies import Received
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.replication.host import Dial, Wire

Words = Sequence[bytes]
Answer = Callable[[Received], object]

_MOST_UNREAD = 1 << 20
"""Bytes of a reply at which it is given up: nothing that is asked for is that long."""


class Talk:
    """One connection, which is made by `open` and made anew by the next one; what is said while there is none is lost.

    ``greeting`` is said first, replies that nobody waits for go to ``on_message``.
    """

    def __init__(
        self,
        dial: Dial,
        host: str,
        port: int,
        greeting: Callable[[], Sequence[Words]],
        on_message: Answer | None = None,
    ):
        self._dial = dial
        self._host, self._port = host, port
        self._greeting = greeting
        self._on_message = on_message
        self._wire: Wire | None = None
        self._give_up: Callable[[], None] | None = None
        self._unread = b""
        self._awaited: deque[Answer | None] = deque()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._wire is not None

    @property
    def pending(self) -> int:
        """Commands that were not answered yet."""
        return len(self._awaited)

    def open(self) -> None:
        """Make a connection, unless there is one or one is being made."""
        if self._wire is None and self._give_up is None:
            self._give_up = self._dial(self._host, self._port, self)

    def close(self) -> None:
        """End it."""
        if self._give_up is not None:
            self._give_up()
        if self._wire is not None:
            self._wire.close()
        self.lost("")

    def say(self, words: Words, answer: Answer | None = None) -> bool:
        """Send a command; `answer` is told the reply.  Whether there is a connection."""
        if self._wire is None:
            return False
        self._awaited.append(answer)
        self._wire.write(encoded(words))
        return True

    # The receiver

    def connected(self, wire: Wire) -> None:
        """There is a connection."""
        self._wire, self._give_up = wire, None
        for words in self._greeting():
            self.say(words)

    def received(self, data: bytes) -> None:
        """Replies, or a part of one."""
        self._unread += data
        stream = io.BytesIO(self._unread)
        read = 0
        try:
            while read < len(self._unread):
                reply = read_reply(stream)
                read = stream.tell()
                self._take(reply)
        except EOFError:
            pass
        except ProtocolError:
            self.close()
            return
        self._unread = self._unread[read:]
        if len(self._unread) > _MOST_UNREAD:
            self.close()

    def _take(self, reply: Received) -> None:
        answer = self._awaited.popleft() if self._awaited else self._on_message
        if answer is not None:
            told = answer
            behind_wall(lambda: told(reply), "what is made of a watched server's answer")

    def lost(self, reason: str) -> None:
        """There is no connection any more."""
        self._wire = self._give_up = None
        self._unread = b""
        self._awaited.clear()
