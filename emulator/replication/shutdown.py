"""SHUTDOWN: before a server ends its replicas catch up, for at most ``shutdown-timeout`` seconds, while nobody writes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emulator.clients.pause import BY_SHUTDOWN
from emulator.datatypes.wheel import NEVER, Timer
from emulator.replication.replica import ONLINE
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.replication.host import HostOfReplication

logger = logging.getLogger("emulator")

_SECOND: Final = 1000


class Shutdown(Timer):
    """The end of an engine's server; as a timer it is the end of its patience with replicas."""

    __slots__ = ("_end", "_engine", "_failed")

    def __init__(self, engine: HostOfReplication) -> None:
        super().__init__()
        self._engine = engine
        self._end: Callable[[], bool] = lambda: True
        self._failed: list[Callable[[], object]] = []

    @property
    def is_under_way(self) -> bool:
        """Whether it waits for replicas."""
        return self.deadline is not None

    @property
    def milliseconds_left(self) -> int:
        """For how long it waits still."""
        return max((self.deadline or 0) - self._engine.clock.elapsed, 0)

    def begin(self, end: Callable[[], bool], failed: Callable[[], object], waits: bool = True) -> bool | None:
        """Do `end` when replicas have all or are not waited for any longer: whether it could, or None where that is to come.

        Then `failed` is called if it cannot, or is aborted.  Without `waits`, or while time stands still, nobody is waited
        for.
        """
        if self.is_under_way:
            self._failed.append(failed)
            return None
        logger.log(NOTICE, "User requested shutdown...")
        self._end, self._failed = end, [failed]
        engine, timeout = self._engine, self._engine.config.shutdown_timeout
        if not waits or not timeout or engine.clock.frozen or self._is_ready:
            self._tell_of_replicas()
            return end()
        logger.log(NOTICE, "Waiting for replicas before shutting down.")
        engine.pause.start(NEVER - 1, writes_only=True, reason=BY_SHUTDOWN)
        engine.waits.set(self, engine.clock.elapsed + _SECOND * timeout)
        return None

    @property
    def _is_ready(self) -> bool:
        stream = self._engine.replication.stream
        return all(replica.offset == stream.offset for replica in stream.replicas)

    def check(self) -> None:
        """A replica has told how far it is, or has gone."""
        if self.is_under_way and self._is_ready:
            self._engine.waits.cancel(self)
            self.fire()

    def fire(self) -> None:
        self._tell_of_replicas()
        if not self._end():
            self._give_up()

    def _tell_of_replicas(self) -> None:
        stream = self._engine.replication.stream
        lagging = [replica for replica in stream.replicas if replica.offset != stream.offset]
        for replica in lagging:
            logger.log(
                NOTICE,
                "Lagging replica %s reported offset %d behind master, lag=%d, state=%s.",
                replica.name,
                stream.offset - replica.offset,
                replica.lag if replica.state == ONLINE else 0,
                replica.state_name,
            )
        if count := len(stream.replicas):
            logger.log(NOTICE, "%d of %d replicas are in sync when shutting down.", count - len(lagging), count)

    def abort(self) -> bool:
        """Do not end after all; whether it was about to."""
        if not self.is_under_way:
            return False
        self._engine.waits.cancel(self)
        self._give_up()
        logger.log(NOTICE, "Shutdown manually aborted.")
        return True

    def _give_up(self) -> None:
        self._engine.pause.stop(BY_SHUTDOWN)
        failed, self._failed = self._failed, []
        for tell in failed:
            tell()
