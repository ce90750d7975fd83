"""Ctrl-C at the prompt: it ends whatever waits for the server.

A signal that comes after Python has last looked for one and before the system begins to wait is not seen before the wait
ends, which for a stream may be never.  So its number is written to a socket too, and that is waited for beside the others.
"""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Sequence
from typing import Protocol

_told: socket.socket | None = None
"""Has something to read once a signal has come; None as long as Ctrl-C ends the program."""


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


def raise_at_ctrl_c() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, out of `readable` too."""
    global _told
    _told, teller = socket.socketpair()
    teller.setblocking(False)
    signal.set_wakeup_fd(teller.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def readable(sources: Sequence[_HasFileno | int], timeout: float | None = None) -> Sequence[_HasFileno | int]:
    """Those of the sources that can be read: waits for the first, at most `timeout` seconds."""
    if _told is None:
        return select.select(sources, [], [], timeout)[0]
    while _told in (found := select.select([*sources, _told], [], [], timeout)[0]):
        _told.recv(4096)  # of a signal that has been seen, or is before the next step
    return found
