"""Redis's log: ``pid:role dd Mon yyyy HH:MM:SS.mmm # message``, to standard output or to ``logfile``.

The server and asyncio write to loggers of `logging`; `Log` is the handler behind them.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from emulator.config.directives import Config
from emulator.protocol.errors import ProtocolError
from emulator.system import hush

NOTICE = 25
"""Between ``logging.INFO``, which is Redis's verbose, and ``logging.WARNING``."""

_LEVELS = {
    "debug": logging.DEBUG,
    "verbose": logging.INFO,
    "notice": NOTICE,
    "warning": logging.WARNING,
    "nothing": 100,
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Log(logging.Handler):
    """Writes each record as a line, at once; ``role`` is ``C`` until the server runs, then ``M``."""

    def __init__(self, config: Config, stream: TextIO | None = None, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.config = config
        self.role = "C"
        self._stream = stream or sys.stdout
        self._now = now
        self._loggers: list[logging.Logger] = []

    def attach(self, *names: str) -> None:
        """Take what these loggers are told, down to ``loglevel``."""
        self._loggers = [logging.getLogger(name) for name in names]
        for logger in self._loggers:
            logger.addHandler(self)
            logger.propagate = False
        self.config.on_change("loglevel", self._apply_level)
        self._apply_level()

    def detach(self) -> None:
        """Leave the loggers as they were."""
        for logger in self._loggers:
            logger.removeHandler(self)
            logger.propagate = True
            logger.setLevel(logging.NOTSET)
        self._loggers = []

    def _apply_level(self) -> None:
        for logger in self._loggers:
            logger.setLevel(_LEVELS[self.config.loglevel])

    def line(self, level: int, text: str) -> None:
        """Log a text as it is."""
        logging.getLogger("emulator").log(level, "%s", text)

    def warn(self, text: str) -> None:
        """Log a warning."""
        self.line(logging.WARNING, text)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            self.write(f"{os.getpid()}:{self.role} {self._moment()} {_mark(record.levelno)} {text}\n")
        except Exception:
            self.handleError(record)

    def _moment(self) -> str:
        now = self._now()
        local = time.localtime(now)
        clock = f"{local.tm_hour:02d}:{local.tm_min:02d}:{local.tm_sec:02d}.{int(now * 1000) % 1000:03d}"
        return f"{local.tm_mday:02d} {_MONTHS[local.tm_mon - 1]} {local.tm_year} {clock}"

    def signal(self, text: str) -> None:
        """What a signal handler has to say, in the shorter form that Redis has for it."""
        if _LEVELS[self.config.loglevel] <= logging.WARNING:
            self.write(f"{os.getpid()}:signal-handler ({int(self._now())}) {text}\n")

    def write(self, line: str) -> None:
        """Write a line; the file is opened anew each time, so that it may be rotated.  What cannot be written is lost."""
        if self.config.logfile:
            with suppress(OSError), open(self._path, "a", errors="surrogateescape") as file:
                file.write(line)
        else:
            self._print(line)

    @property
    def _path(self) -> str:
        return os.path.join(self.config.dir, self.config.logfile)

    def say(self, *lines: str) -> None:
        """Print lines that are no log's, wherever the log goes."""
        self._print("".join(f"{line}\n" for line in lines))

    def _print(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # nobody reads it any more (a pipe into head), nor what is to come
            hush(self._stream.fileno())


_FAULTS = {
    "invalid multibulk length": "invalid mbulk count",
    "unauthenticated multibulk length": "unauth mbulk count",
    "unauthenticated bulk length": "unauth bulk length",
}
"""Faults of the protocol as the log names them, where it does so otherwise than the answer."""
_SHOWN = 128


def told_of_fault(error: ProtocolError) -> tuple[str, str]:
    """What the log says of a fault of the protocol: its name, and what there was to read, in part."""
    text = str(error)
    name = "expected $ but got something else" if text.startswith("expected '$'") else _FAULTS.get(text, text)
    unread, half = error.unread, _SHOWN // 2
    sample = f"'{_printable(unread)}'"
    if len(unread) >= _SHOWN:
        sample = (
            f"'{_printable(unread[:half])}' (... more {len(unread) - _SHOWN} bytes ...) '{_printable(unread[-half:])}'"
        )
    return name, f"Query buffer during protocol error: {sample}"


def _printable(data: bytes) -> str:
    """As C prints a string, up to a zero byte, with dots for what cannot be seen."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data.partition(b"\0")[0])


def _mark(level: int) -> str:
    if level >= logging.WARNING:
        return "#"
    if level >= NOTICE:
        return "*"
    return "-" if level >= logging.INFO else "."
