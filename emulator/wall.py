"""The wall that an error in our own code does not pass: it is logged with its traceback, and answered as an error.

Redis has nothing like it, since a bug there ends the server.  Here the one whose call it was is told so, and everybody else's
clients, timers and waits go on.  Whoever calls what others have left behind (a timer, a waiter's second attempt, a background
job, a listener) calls it behind this wall.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from emulator.protocol.errors import CommandError

logger = logging.getLogger("emulator")


def internal_error(error: Exception, where: str) -> CommandError:
    """Logs an error that should not have been, and returns what its client is told."""
    logger.error("internal error in %s", where, exc_info=error)
    return CommandError(f"ERR internal error: {type(error).__name__}: {error}")


def behind_wall(work: Callable[[], object], where: str) -> None:
    """Does something whose errors concern nobody but the log."""
    try:
        work()
    except Exception as error:
        internal_error(error, where)
