"""Which slots nodes claim in their greetings: the newer configuration, that is the greater epoch, holds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from emulator.cluster.packet import UPDATE, Claim, Header
from emulator.cluster.state import Node, bitmap, members
from emulator.cluster.told import told
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus

logger = logging.getLogger("emulator")


class Claims:
    """The claims that a bus hears of.

    ``_given_up`` are slots that their owners do not claim any more: they stay with them, so that nobody is told that
    nobody has them, until somebody else claims them with whatever epoch.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._given_up = 0

    def take(self, sender: Node, header: Header) -> None:
        """A node has told its slots, or a replica those of its master."""
        bus, state = self._bus, self._bus.state
        master = sender if sender.is_master else sender.master
        if master is None or master.slots == header.slots:
            self._settle_collision(sender, header)
            return
        if sender.is_master:
            self._claim(sender, header.config_epoch, header.slots)
        for node in state.nodes.values():
            contested = node.slots & header.slots & ~self._given_up
            if node is not sender and node is not master and contested and node.config_epoch > header.config_epoch:
                text = "Node %s has old slots configuration, sending an UPDATE message about %s"
                logger.debug(text, told(sender), told(node))
                bus.send(sender.link, UPDATE, Claim(node.config_epoch, node.id, node.slots))
                break
        self._settle_collision(sender, header)

    def _claim(self, claimant: Node, epoch: int, slots: int) -> None:
        """Give a node the slots that it claims, where nobody has them by a newer configuration."""
        bus, state = self._bus, self._bus.state
        me = state.myself
        if claimant is me:
            return
        mine = me if me.is_master else me.master
        before = mine.slots if mine is not None else 0
        self._given_up = self._given_up & ~(slots & claimant.slots) | claimant.slots & ~slots
        wanted = slots & ~claimant.slots & ~bitmap(state.importing)
        granted = wanted
        for node in state.nodes.values():
            if node.config_epoch >= epoch:
                granted &= ~node.slots | self._given_up
        if not granted:
            return
        taken_from_me = granted & me.slots
        for slot in members(granted & bitmap(state.migrating)):
            del state.migrating[slot]
        state.assign(claimant, members(granted))
        self._given_up &= ~granted
        bus.changed()
        if mine is not None and before and not mine.slots and self._may_follow(slots, before):
            logger.log(NOTICE, "Configuration change detected. Reconfiguring myself as a replica of %s", told(claimant))
            bus.become_replica(claimant)
        elif taken_from_me:
            bus.delete_keys(taken_from_me)

    def _may_follow(self, slots: int, before: int) -> bool:
        """Whether this node is to follow who took the last of its shard's slots: where replicas do not migrate, only who has
        no other slots."""
        return self._bus.engine.config.cluster_allow_replica_migration or not slots & ~before

    def hear_of_other(self, claim: Claim) -> None:
        """UPDATE: a node that claims slots has learnt that another one has them by a newer configuration."""
        bus, state = self._bus, self._bus.state
        node = state.nodes.get(claim.node)
        if node is None or node is state.myself or node.config_epoch >= claim.epoch:
            return
        if not node.is_master:
            state.set_master(node, None)
        node.config_epoch = claim.epoch
        bus.changed()
        self._claim(node, claim.epoch, claim.slots)

    def _settle_collision(self, sender: Node, header: Header) -> None:
        """Of two masters with the same epoch the one with the lesser id takes another one."""
        state = self._bus.state
        me = state.myself
        if not (me.is_master and sender.is_master) or header.config_epoch != me.config_epoch or sender.id <= me.id:
            return
        state.current_epoch += 1
        me.config_epoch = state.current_epoch
        logger.debug("configEpoch collision with node %s. Updating to %d", told(sender), me.config_epoch)
        self._bus.changed()
