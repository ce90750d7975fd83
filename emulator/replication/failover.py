"""FAILOVER: a master lets one of its replicas catch up while nobody writes, and then changes places with it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.clients.pause import BY_FAILOVER
from emulator.datatypes.wheel import NEVER, Timer
from emulator.protocol.errors import CommandError
from emulator.replication.replica import ONLINE, Replica
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.replication.host import HostOfReplication

logger = logging.getLogger("emulator")

NONE: Final = "no-failover"
WAITING: Final = "waiting-for-sync"
UNDER_WAY: Final = "failover-in-progress"

Target = tuple[str, int]


class Failover(Timer):
    """The failover of an engine, as INFO names its `state`; as a timer it is the end of its patience."""

    __slots__ = ("_engine", "_forced", "_target", "state")

    def __init__(self, engine: HostOfReplication) -> None:
        super().__init__()
        self._engine = engine
        self._target: Target | None = None
        self._forced = False
        self.state = NONE

    @property
    def is_under_way(self) -> bool:
        """Whether there is one."""
        return self.state != NONE

    def begin(self, target: Target | None, timeout: int, force: bool) -> None:
        """Hand over to a replica, or to the first that has caught up; `timeout` in milliseconds, 0 for none."""
        engine = self._engine
        if self.state != NONE:
            raise CommandError("ERR FAILOVER already in progress.")
        if engine.replication.link is not None:
            raise CommandError("ERR FAILOVER is not valid when server is a replica.")
        if not engine.replication.stream.replicas:
            raise CommandError("ERR FAILOVER requires connected replicas.")
        if force and not (target and timeout):
            raise CommandError("ERR FAILOVER with force option requires both a timeout and target HOST and IP.")
        if target is not None:
            replica = self._find(target)
            if replica is None:
                raise CommandError("ERR FAILOVER target HOST and PORT is not a replica.")
            if replica.state != ONLINE:
                raise CommandError("ERR FAILOVER target replica is not online.")
        logger.log(NOTICE, "FAILOVER requested to %s.", "any replica" if target is None else f"{target[0]}:{target[1]}")
        self.state, self._target, self._forced = WAITING, target, force
        engine.pause.start(NEVER - 1, writes_only=True, reason=BY_FAILOVER)
        if timeout:
            engine.waits.set(self, engine.clock.elapsed + timeout)
        self.check()

    def _find(self, target: Target) -> Replica | None:
        replicas = self._engine.replication.stream.replicas
        return next((each for each in replicas if (each.host.decode(), each.port) == target), None)

    def check(self) -> None:
        """A replica has told how far it is."""
        if self.state != WAITING:
            return
        stream = self._engine.replication.stream
        for replica in self._engine.replication.online:
            if replica.offset == stream.offset and self._target in (None, (replica.host.decode(), replica.port)):
                self._hand_over((replica.host.decode(), replica.port))
                return

    def fire(self) -> None:
        if self.state == WAITING and self._forced and self._target is not None:
            self._hand_over(self._target)
        elif self.state == WAITING:
            logger.log(NOTICE, "Replica never caught up before timeout")
            self.abort()

    def _hand_over(self, target: Target) -> None:
        logger.log(NOTICE, "Failover target is synced, failing over.")
        self.state = UNDER_WAY
        self._engine.replication.follow(*target)

    def accepted(self) -> None:
        """The replica is a master now, and has taken this server as its own replica."""
        if self.state == UNDER_WAY:
            self._end()

    def abort(self) -> None:
        """Be the master still."""
        if self.state == NONE:
            raise CommandError("ERR No failover in progress.")
        was_under_way = self.state == UNDER_WAY
        self._end()
        if was_under_way:
            self._engine.replication.promote()

    def _end(self) -> None:
        self.state, self._target = NONE, None
        self._engine.waits.cancel(self)
        self._engine.pause.stop(BY_FAILOVER)
