"""The buffer in which the real server gathers a client's replies: how large it is, by what the client is sent.

It begins with 16 KB.  From time to time it is halved or better where it never was half full, and doubled where it was full;
every five seconds its peak is forgotten.  Nothing of this is done here: it is worked out when somebody asks, from the largest
reply since the peak was last forgotten.  What does not fit goes to a list of blocks of 16 KB or more.
"""

from __future__ import annotations

from typing import Final

from emulator.datatypes.footprint import allocated

PATIENCE: Final = 5000
"""Milliseconds after which a peak is forgotten, as long as nobody says otherwise."""
NEVER: Final = 1 << 60
_LEAST: Final = 1024
MOST: Final = 16384
"""The largest buffer, in bytes."""
_BLOCK_HEAD: Final = 16
_NODE: Final = 24
_BLOCK: Final = allocated(MOST + _BLOCK_HEAD) - _BLOCK_HEAD


class ReplyBuffers:
    """What holds for all clients of an engine.

    ``step`` is in milliseconds how often buffers are looked at, ``patience`` after how long a peak is forgotten; ``resizing``
    whether they are looked at at all.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        self.patience = PATIENCE
        self.resizing = True
        self.shrunk = self.grown = 0


class ReplyBuffer:
    """The buffer of one client; times are in milliseconds.

    Replies that may matter are told to `note`: those larger than ``peak``, and the first one after ``forgets_at``.
    """

    __slots__ = ("_all", "_looked_at", "forgets_at", "peak", "size")

    def __init__(self, buffers: ReplyBuffers, now: int) -> None:
        self._all = buffers
        self._looked_at = now
        self.size = self.peak = MOST
        self.forgets_at = now

    def note(self, length: int, now: int) -> None:
        """Replies of so many bytes are sent."""
        self.settle(now)
        self.peak = max(self.peak, min(length, self.size))

    def settle(self, now: int) -> None:
        """Work out what has become of it.  O(1) after a long time."""
        if not self._all.resizing:
            self._looked_at = now
        while self._looked_at + self._all.step <= now:
            self._looked_at += self._all.step
            if not self._look():  # nothing will change until the peak is forgotten, if there is one
                self._looked_at = max(self._looked_at, min(now, self.forgets_at) if self.peak else now)
            if self.forgets_at < self._looked_at:
                self.peak = 0
                self.forgets_at = self._looked_at + self._all.patience

    def _look(self) -> bool:
        """Resize the buffer where it is too large or too small; whether it was."""
        if self.size // 2 >= _LEAST and self.peak < self.size // 2:
            self.size = max(_LEAST, allocated(self.peak + 1))
            self._all.shrunk += 1
            return True
        if self.size < MOST and self.peak == self.size:
            self.size = min(MOST, self.size * 2)
            self._all.grown += 1
            return True
        return False

    def beyond(self, length: int) -> tuple[int, int, int]:
        """Of so many bytes that wait: how many are in the buffer, how many blocks hold the others, and what these take."""
        rest = length - self.size
        if rest <= 0:
            return length, 0, 0
        blocks = -(-rest // _BLOCK)
        return self.size, blocks, blocks * (_BLOCK + _BLOCK_HEAD + _NODE)
