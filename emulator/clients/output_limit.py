"""What a client has not read yet, and ``client-output-buffer-limit``: beyond the hard limit, or beyond the soft one for
its number of seconds, the client is closed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from emulator.clients.description import output_limits
from emulator.datatypes.wheel import Timer

if TYPE_CHECKING:
    from asyncio import Transport

    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session

    class Connection(Protocol):
        """What has a limit: a connection, or a stream of events."""

        session: Session
        transport: Transport

        @property
        def engine(self) -> HostOfClients: ...


logger = logging.getLogger("emulator")


class OutputLimit(Timer):
    """The limit of one connection; as a timer it is the end of the soft limit's patience."""

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection

    def check(self) -> None:
        """To be called after each write."""
        if not self.connection.transport.get_write_buffer_size() and self.deadline is None:
            return
        engine = self.connection.engine
        hard, soft, seconds = output_limits(self.connection.session)
        size = self._size()
        if hard and size >= hard:
            self.overrun()
        elif not soft or size < soft:
            engine.waits.cancel(self)
        elif self.deadline is None:
            engine.waits.set(self, engine.clock.elapsed + seconds * 1000)

    def fire(self) -> None:
        self.deadline = None
        soft = output_limits(self.connection.session)[1]
        if soft and self._size() >= soft:
            self.overrun()

    def release(self) -> None:
        """The connection has gone."""
        self.connection.engine.waits.cancel(self)

    def _size(self) -> int:
        """What the real server would count: what is beyond the client's reply buffer."""
        return self.connection.session.replies.beyond(self.connection.transport.get_write_buffer_size())[2]

    def overrun(self) -> None:
        """The client has too much that it has not read: disconnect it."""
        engine = self.connection.engine
        engine.waits.cancel(self)
        engine.stats.output_limit_disconnections += 1
        logger.warning(
            "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.",
            self.connection.session.describe().decode("utf-8", "replace"),
        )
        self.connection.transport.abort()
