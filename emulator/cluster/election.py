"""Elections: a replica asks the masters for their votes to take its failed master's place, and a master votes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.cluster.packet import AUTH_ACK, AUTH_REQUEST, FORCE_ACK, Header
from emulator.cluster.state import NOFAILOVER, Node, members
from emulator.cluster.told import told
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus

logger = logging.getLogger("emulator")

_LEAST_TIMEOUT: Final = 2000
_DELAY: Final = 500
_DELAY_BY_RANK: Final = 1000


class Election:
    """A node's part in elections; times are milliseconds since the epoch.

    ``_begins`` is when the last election that this replica stood in began or is to begin, ``_epoch`` its epoch.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._begins = 0
        self._rank = 0
        self._epoch = 0
        self._has_asked = False
        self._votes = 0

    # A replica

    def proceed(self) -> None:
        """Do what is due for the place of the master, if it is to be taken."""
        if not self._may_stand():
            return
        bus, now = self._bus, self._bus.now
        timeout = max(bus.node_timeout * 2, _LEAST_TIMEOUT)
        if now - self._begins > timeout * 2:
            self._announce()
            return
        if not self._has_asked and not bus.manual_failover.is_under_way:
            self._look_at_rank()
        if now < self._begins or now - self._begins > timeout:
            return
        if not self._has_asked:
            self._ask()
        elif self._votes >= bus.state.size // 2 + 1:
            self._win()

    def _may_stand(self) -> bool:
        """Whether there is a place to be taken, and this replica's data are new enough."""
        bus = self._bus
        me, config = bus.state.myself, bus.engine.config
        master = me.master
        if master is None or not master.slots:
            return False
        if bus.manual_failover.can_begin:
            return True
        if not master.has_failed or config.cluster_replica_no_failover:
            return False
        factor = config.cluster_replica_validity_factor
        limit = config.repl_ping_replica_period * 1000 + bus.node_timeout * factor
        return not factor or self._age_of_data() <= limit

    def _age_of_data(self) -> int:
        """Milliseconds since the data were the master's, without the time that a failure takes to be noticed."""
        bus = self._bus
        link = bus.engine.replication.link
        if link is None:
            return 0
        age = bus.engine.clock.elapsed - (link.heard if link.is_up else link.since)
        return age - bus.node_timeout if age > bus.node_timeout else age

    def _announce(self) -> None:
        """Let an election begin soon: later the more other replicas have newer data."""
        bus = self._bus
        self._has_asked, self._votes = False, 0
        self._rank = self._own_rank()
        self._begins = bus.now + _DELAY + bus.engine.random.randrange(_DELAY) + self._rank * _DELAY_BY_RANK
        if bus.manual_failover.is_under_way:
            self._begins, self._rank = bus.now, 0
        logger.log(
            NOTICE,
            "Start of election delayed for %d milliseconds (rank #%d, offset %d).",
            self._begins - bus.now,
            self._rank,
            bus.engine.replication.stream.offset,
        )
        master = bus.state.myself.master
        bus.greetings.answer_all(master.replicas if master is not None else [])
        if bus.manual_failover.is_under_way:
            self.proceed()

    def _own_rank(self) -> int:
        """How many of the master's other replicas have newer data."""
        me = self._bus.state.myself
        own = self._bus.engine.replication.stream.offset
        others = me.master.replicas if me.master is not None else []
        return sum(each.replication_offset > own for each in others if each is not me and not each.flags & NOFAILOVER)

    def _look_at_rank(self) -> None:
        rank = self._own_rank()
        if rank > self._rank:
            delay = (rank - self._rank) * _DELAY_BY_RANK
            self._begins += delay
            self._rank = rank
            logger.log(NOTICE, "Replica rank updated to #%d, added %d milliseconds of delay.", rank, delay)

    def _ask(self) -> None:
        bus, state = self._bus, self._bus.state
        state.current_epoch += 1
        self._epoch = state.current_epoch
        self._has_asked = True
        logger.log(NOTICE, "Starting a failover election for epoch %d.", self._epoch)
        bus.broadcast(AUTH_REQUEST, flags=FORCE_ACK if bus.manual_failover.is_under_way else 0)
        bus.changed()

    def count_vote(self, sender: Node, header: Header) -> None:
        """A node has voted for this one."""
        if sender.is_master and sender.slots and header.current_epoch >= self._epoch and self._has_asked:
            self._votes += 1
            self.proceed()

    def _win(self) -> None:
        me = self._bus.state.myself
        logger.log(NOTICE, "Failover election won: I'm the new master.")
        if me.config_epoch < self._epoch:
            me.config_epoch = self._epoch
            logger.log(NOTICE, "configEpoch set to %d after successful failover", self._epoch)
        self._has_asked = False
        self.take_masters_place()

    def take_masters_place(self) -> None:
        """Be the master of the slots that were the master's, and let everybody know."""
        bus, state = self._bus, self._bus.state
        old = state.myself.master
        assert old is not None
        state.set_master(state.myself, None)
        bus.engine.replication.promote()
        state.assign(state.myself, members(old.slots))
        bus.changed()
        bus.manual_failover.reset()
        bus.settle()
        bus.greetings.answer_all()

    # A master

    def vote(self, sender: Node, header: Header) -> None:
        """A replica asks for this master's vote: it gets it, unless there is a reason against it."""
        bus, state = self._bus, self._bus.state
        me = state.myself
        if not me.is_master or not me.slots:
            return
        refusal = self._reason_against(sender, header)
        if refusal:
            logger.log(NOTICE, "Failover auth denied to %s: %s", told(sender), refusal)
            return
        assert sender.master is not None
        sender.master.voted_time = bus.now
        state.last_vote_epoch = state.current_epoch
        bus.changed()
        bus.settle()
        bus.send(sender.link, AUTH_ACK)
        logger.log(NOTICE, "Failover auth granted to %s for epoch %d", told(sender), state.current_epoch)

    def _reason_against(self, sender: Node, header: Header) -> str:
        bus, state = self._bus, self._bus.state
        master = sender.master
        if header.current_epoch < state.current_epoch:
            return f"reqEpoch ({header.current_epoch}) < curEpoch({state.current_epoch})"
        if state.last_vote_epoch == state.current_epoch:
            return f"already voted for epoch {state.current_epoch}"
        if sender.is_master:
            return "it is a master node"
        if master is None:
            return "I don't know its master"
        if not master.has_failed and not header.message_flags & FORCE_ACK:
            return "its master is up"
        wait = bus.node_timeout * 2 - (bus.now - master.voted_time)
        if wait > 0:
            return f"can't vote about this master before {wait} milliseconds"
        for node in state.nodes.values():
            contested = node.slots & header.slots
            if contested and node.config_epoch > header.config_epoch:
                slot = next(members(contested))
                return f"slot {slot} epoch ({node.config_epoch}) > reqEpoch ({header.config_epoch})"
        return ""
