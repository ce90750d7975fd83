"""``--daemonize``: a server goes on in the background, and the command that started it returns when it is ready.

Until then what goes wrong, warnings of the log and tracebacks, comes to the process that was started, over a pipe.  That
process ends with status 0 once the server is ready, having printed what there is to print; else with status 1 and the reason.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from emulator.protocol.text import to_bytes
from emulator.system import hush

_READY = b"\0"
_PIECE = 4096


class Starter:
    """The process that started this one, as seen from the background."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._warnings = logging.StreamHandler()
        self._warnings.setLevel(logging.WARNING)
        logging.getLogger("emulator").addHandler(self._warnings)

    def ready(self, lines: Sequence[str]) -> None:
        """The server is there: the process that started it prints these lines and ends."""
        logging.getLogger("emulator").removeHandler(self._warnings)
        hush(2)
        os.write(self._pipe, _READY + to_bytes("".join(f"{line}\n" for line in lines)))
        os.close(self._pipe)


def go_to_background() -> Starter:
    """Go on in the background, away from the terminal.  Only the new process returns."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        os._exit(_wait_until_ready(reading))
    os.close(reading)
    os.setsid()
    hush(0, 1)
    os.dup2(writing, 2)
    return Starter(writing)


def _wait_until_ready(pipe: int) -> int:
    """Tell what the process in the background has to say; the exit status."""
    said = b""
    while piece := os.read(pipe, _PIECE):
        said += piece
    trouble, ready, lines = said.partition(_READY)
    stream = sys.stdout if ready else sys.stderr
    stream.buffer.write(lines if ready else trouble)
    stream.flush()
    return 0 if ready else 1
