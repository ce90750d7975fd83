"""Who does not answer: a node may have failed for this one (PFAIL), and has failed where most masters say so (FAIL)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.cluster.packet import FAIL as TELL_FAILURE
from emulator.cluster.packet import Failure
from emulator.cluster.state import FAIL, HANDSHAKE, MYSELF, NOADDR, PFAIL, Node
from emulator.cluster.told import told
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus

logger = logging.getLogger("emulator")

_REPORT_LASTS: Final = 2
_FAILURE_LASTS: Final = 2
"""Both in node timeouts."""


class Health:
    """What a bus makes of silence."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def tick(self) -> None:
        """Look who has not answered for too long."""
        bus, now = self._bus, self._bus.now
        for node in list(bus.state.nodes.values()):
            if node.flags & (MYSELF | HANDSHAKE | NOADDR) or not node.ping_sent:
                continue
            silent = min(now - node.ping_sent, now - node.data_received)
            if node.link is not None and silent > bus.node_timeout / 2 and now - node.link.created > bus.node_timeout:
                bus.hang_up(node)  # the connection alone may be what has failed
            if silent > bus.node_timeout and not node.may_have_failed:
                node.flags |= PFAIL
                bus.changed()
                logger.debug("*** NODE %s possibly failing", told(node))
                self._judge(node)

    def has_answered(self, node: Node) -> None:
        """A node has answered a greeting."""
        node.pong_received = self._bus.now
        node.ping_sent = 0
        if node.flags & PFAIL:
            node.flags &= ~PFAIL
            self._bus.changed()
        elif node.flags & FAIL:
            self._clear(node)

    def _clear(self, node: Node) -> None:
        """Take back that a node has failed: a master with slots only when nobody has taken its place in time."""
        what = ""
        if node.is_replica:
            what = "replica"
        elif not node.slots:
            what = "master without slots"
        if what:
            logger.log(NOTICE, "Clear FAIL state for node %s: %s is reachable again.", told(node), what)
        elif self._bus.now - node.fail_time > self._bus.node_timeout * _FAILURE_LASTS:
            text = "Clear FAIL state for node %s: is reachable again and nobody is serving its slots after some time."
            logger.log(NOTICE, text, told(node))
        else:
            return
        node.flags &= ~FAIL
        self._bus.changed()

    def hear_report(self, sender: Node, node: Node, fails: bool) -> None:
        """A master tells how it finds a node."""
        reports = node.fail_reports
        if fails:
            if sender not in reports:
                logger.log(NOTICE, "Node %s reported node %s as not reachable.", told(sender), told(node))
            reports[sender] = self._bus.now
            self._judge(node)
        elif reports.pop(sender, None) is not None:
            logger.log(NOTICE, "Node %s reported node %s is back online.", told(sender), told(node))

    def _judge(self, node: Node) -> None:
        """Mark a node as failed if this one and most masters find so."""
        bus, state = self._bus, self._bus.state
        if not node.flags & PFAIL:
            return
        oldest = bus.now - bus.node_timeout * _REPORT_LASTS
        node.fail_reports = {reporter: time for reporter, time in node.fail_reports.items() if time >= oldest}
        votes = sum(bool(reporter.slots) for reporter in node.fail_reports)
        votes += bool(state.myself.is_master and state.myself.slots)
        if votes < state.size // 2 + 1:
            return
        logger.log(NOTICE, "Marking node %s as failing (quorum reached).", told(node))
        self._fail(node)
        bus.broadcast(TELL_FAILURE, Failure(node.id))

    def _fail(self, node: Node) -> None:
        node.flags = node.flags & ~PFAIL | FAIL
        node.fail_time = self._bus.now
        self._bus.changed()

    def hear_of_failure(self, sender: Node, name: bytes) -> None:
        """A node tells that another has failed."""
        node = self._bus.state.nodes.get(name)
        if node is None or node.flags & (FAIL | MYSELF):
            return
        logger.log(NOTICE, "FAIL message received from %s about %s", told(sender), told(node))
        self._fail(node)
