"""CLUSTER FAILOVER: a master lets its clients wait until a replica has all of its data, and then the replica is elected."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.clients.pause import BY_FAILOVER
from emulator.cluster.packet import MFSTART
from emulator.cluster.told import told
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus
    from emulator.cluster.state import Node

logger = logging.getLogger("emulator")

_TIMEOUT: Final = 5000
_PAUSE: Final = 2
"""How long clients wait at most, in the time that a failover may take."""


class ManualFailover:
    """The failover by hand that a node takes part in.

    ``_end`` is until when, 0 where there is none; ``candidate`` is the replica that has asked this master for it.
    ``can_begin`` is whether this replica has all of the master's data, whose stream has ended at ``_offset`` (-1 before).
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._end = 0
        self._offset = -1
        self.candidate: Node | None = None
        self.can_begin = False

    @property
    def is_under_way(self) -> bool:
        return self._end != 0

    @property
    def holds_clients(self) -> bool:
        """Whether this is a master whose clients wait."""
        return self.candidate is not None

    def _begin(self) -> None:
        self.reset()
        config = self._bus.engine.config
        self._end = self._bus.now + (config.cluster_manual_failover_timeout if config.edition.is_valkey else _TIMEOUT)

    def reset(self) -> None:
        """There is none any more."""
        if self.candidate is not None:
            self._bus.engine.pause.stop(BY_FAILOVER)
        self._end, self._offset = 0, -1
        self.candidate, self.can_begin = None, False

    def check_timeout(self) -> None:
        """Give up one that takes too long."""
        if self._end and self._end < self._bus.now:
            logger.warning("Manual failover timed out.")
            self.reset()

    # The replica

    def request(self, how: bytes) -> None:
        """Take the master's place as an administrator wants it: with its consent, or with FORCE or TAKEOVER without."""
        bus = self._bus
        master = bus.state.myself.master
        assert master is not None
        self._begin()
        if how == b"TAKEOVER":
            logger.log(NOTICE, "Taking over the master (user request).")
            bus.state.bump_epoch()
            bus.election.take_masters_place()
        elif how == b"FORCE":
            logger.log(NOTICE, "Forced failover user request accepted.")
            self.can_begin = True
            bus.election.proceed()
        else:
            logger.log(NOTICE, "Manual failover user request accepted.")
            bus.send(master.link, MFSTART)

    def master_has_paused(self, sender: Node, offset: int) -> None:
        """The master's clients wait: its stream is at an end at this offset."""
        if self._end and self._offset == -1 and self._bus.state.myself.master is sender:
            self._offset = offset
            logger.log(NOTICE, "Received replication offset for paused master manual failover: %d", offset)
            self.proceed()

    def proceed(self) -> None:
        """See whether all of the master's data are here."""
        if not self._end or self.can_begin or self._offset != self._bus.engine.replication.stream.offset:
            return
        self.can_begin = True
        logger.log(NOTICE, "All master replication stream processed, manual failover can start.")
        self._bus.election.proceed()

    # The master

    def requested_by(self, sender: Node) -> None:
        """A replica of this master asks for its place."""
        bus = self._bus
        if sender.master is not bus.state.myself:
            return
        self._begin()
        self.candidate = sender
        patience = self._end - bus.now
        bus.engine.pause.start(bus.engine.clock.elapsed + patience * _PAUSE, True, BY_FAILOVER)
        logger.warning("Manual failover requested by replica %s.", told(sender))
        bus.greetings.greet_node(sender)
