"""A master that is watched, under its name, with its replicas and the other sentinels that watch it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.protocol.replies import Received
from emulator.protocol.text import to_bytes
from emulator.sentinel.failover import Failover
from emulator.sentinel.instance import MASTER, REPLICA, SENTINEL, Instance
from emulator.sentinel.periods import ASK, DOWN_AFTER, FAILOVER_TIMEOUT, INFO, PUBLISH

if TYPE_CHECKING:
    from emulator.sentinel.sentinel import Sentinel

_VOTES_HOLD: Final = 5
"""Times the period in which other sentinels are asked."""


class Master:
    """What is watched under a name: ``top`` is the master at present.  Times are in milliseconds."""

    def __init__(self, sentinel: Sentinel, name: str, host: str, port: int, quorum: int) -> None:
        self._sentinel = sentinel
        self.name = name
        self.quorum = quorum
        self.down_after = sentinel.periods[DOWN_AFTER]
        self.failover_timeout = sentinel.periods[FAILOVER_TIMEOUT]
        self.parallel_syncs = 1
        self.auth_user = self.auth_pass = ""
        self.config_epoch = 0
        self.leader = ""
        self.leader_epoch = 0
        self.agreed_down_since = 0
        self.replicas: dict[tuple[str, int], Instance] = {}
        self.sentinels: dict[str, Instance] = {}
        self.failover = Failover(sentinel, self)
        self.top = Instance(sentinel, self, MASTER, host, port)

    @property
    def instances(self) -> Iterator[Instance]:
        """Everybody who is watched under this name."""
        yield self.top
        yield from list(self.replicas.values())
        yield from list(self.sentinels.values())

    @property
    def at_present(self) -> Instance:
        """The server that clients are to take for the master."""
        promoted = self.failover.promoted
        return promoted if promoted is not None and self.config_epoch == self.failover.epoch else self.top

    @property
    def is_agreed_down(self) -> bool:
        """Whether as many sentinels as are asked for take the master for dead."""
        return self.agreed_down_since != 0

    @property
    def majority(self) -> int:
        """How many sentinels are more than half of all there are."""
        return (len(self.sentinels) + 1) // 2 + 1

    def forget(self) -> None:
        """Watch nobody any more."""
        for instance in self.instances:
            instance.end()

    def reset(self, host: str, port: int, replicas: Iterable[tuple[str, int]] = ()) -> None:
        """The master is at this address, and has these replicas; nothing else is known of them."""
        for instance in (self.top, *self.replicas.values()):
            instance.end()
        self.replicas = {}
        self.agreed_down_since = 0
        self.failover = Failover(self._sentinel, self, self.failover.last_begun)
        self.top = Instance(self._sentinel, self, MASTER, host, port)
        for address in replicas:
            self._add_replica(address)
        self._sentinel.save()

    def know_replica(self, address: tuple[str, int]) -> Instance | None:
        """A replica is known of; None where it was."""
        if address in self.replicas or address == (self.top.host, self.top.port):
            return None
        replica = self.replicas[address] = Instance(self._sentinel, self, REPLICA, *address)
        return replica

    def _add_replica(self, address: tuple[str, int]) -> None:
        replica = self.know_replica(address)
        if replica is not None:
            self._sentinel.tell("+slave", replica.told)
            self._sentinel.save_soon()

    def add_sentinel(self, id: str, host: str, port: int) -> Instance:
        """Another sentinel watches the master."""
        for other in [
            each for each in self.sentinels.values() if (each.host, each.port) == (host, port) or each.id == id
        ]:
            if (other.host, other.port, other.id) == (host, port, id):
                return other
            other.end()
            del self.sentinels[other.id]
        found = self.know_sentinel(id, host, port)
        self._sentinel.tell("+sentinel", found.told)
        self._sentinel.save_soon()
        return found

    def know_sentinel(self, id: str, host: str, port: int) -> Instance:
        """Another sentinel is known of, which was not."""
        found = self.sentinels[id] = Instance(self._sentinel, self, SENTINEL, host, port, id)
        return found

    # What is due

    def tend(self) -> None:
        """Look after everybody, and do what is to be done about a master that is dead."""
        for instance in self.instances:
            instance.tend()
        self.ask_others()
        self._agree()
        self.failover.tend()

    def ask_others(self) -> None:
        """Ask the other sentinels whether the master is dead for them too, and perhaps for their votes."""
        if not self.top.is_down:
            return
        now, sentinel = self._sentinel.now, self._sentinel
        voting = sentinel.id if self.failover.is_under_way else "*"
        for other in self.sentinels.values():
            if now - other.says_down_at > _VOTES_HOLD * sentinel.periods[ASK]:
                other.says_down, other.vote = False, ""
            if now - other.asked >= sentinel.periods[ASK] or (voting != "*" and self.failover.asks(other)):
                other.asked = now
                question = f"SENTINEL IS-MASTER-DOWN-BY-ADDR {self.top.host} {self.top.port} {sentinel.epoch} {voting}"
                other.talk.say(to_bytes(question).split(), partial(self._answered, other))

    def _answered(self, other: Instance, reply: Received) -> None:
        if not isinstance(reply, list) or len(reply) != 3:
            return
        down, leader, epoch = reply
        other.says_down_at = self._sentinel.now
        other.says_down = down == 1
        if leader != b"*":
            if other.vote_epoch != epoch or other.vote != leader.decode():
                self._sentinel.log(f"{other.name} voted for {leader.decode()} {epoch}")
            other.vote, other.vote_epoch = leader.decode(), epoch

    def _agree(self) -> None:
        votes = self.top.is_down + sum(other.says_down for other in self.sentinels.values())
        agreed = self.top.is_down and votes >= self.quorum
        if agreed and not self.agreed_down_since:
            self.agreed_down_since = self._sentinel.now
            self._sentinel.tell("+odown", f"{self.top.told} #quorum {votes}/{self.quorum}")
        elif not agreed and self.agreed_down_since:
            self.agreed_down_since = 0
            self._sentinel.tell("-odown", self.top.told)

    # What the servers say

    def informed(self, instance: Instance) -> None:
        """One of the servers has told of itself."""
        if instance is self.top:
            for address in instance.replicas:
                self._add_replica(address)
            return
        if self.failover.informed(instance):
            return
        now, periods = self._sentinel.now, self._sentinel.periods
        settled = 4 * periods[PUBLISH]
        top = self.top
        sane = not top.is_down and top.role == MASTER and top.informed and now - top.informed < 2 * periods[INFO]
        if self.failover.is_under_way or not sane or now - instance.role_since < settled:
            return
        if instance.role == MASTER:
            if instance.follow(top.host, top.port):
                self._sentinel.tell("+convert-to-slave", instance.told)
        elif instance.its_master != (top.host, top.port) and now - instance.greeted > settled:
            instance.greeted = now
            if instance.follow(top.host, top.port):
                self._sentinel.tell("+fix-slave-config", instance.told)

    def switch(self, host: str, port: int) -> None:
        """Another server is the master."""
        old = self.top.host, self.top.port
        others = [address for address in self.replicas if address != (host, port)]
        self._sentinel.tell("+switch-master", f"{self.name} {old[0]} {old[1]} {host} {port}")
        self.reset(host, port, [*others, *([old] if old != (host, port) else [])])

    def vote(self, candidate: str, epoch: int) -> tuple[str, int]:
        """The sentinel that this one votes for: whoever asks first in an epoch; and the epoch of that vote."""
        sentinel = self._sentinel
        if epoch > sentinel.epoch:
            sentinel.begin_epoch(epoch)
        if self.leader_epoch < epoch and sentinel.epoch <= epoch:
            self.leader, self.leader_epoch = candidate, sentinel.epoch
            sentinel.tell("+vote-for-leader", f"{candidate} {epoch}")
            sentinel.save()
            if candidate != sentinel.id:
                self.failover.put_off()
        return self.leader, self.leader_epoch
