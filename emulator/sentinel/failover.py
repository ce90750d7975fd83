"""A failover: a leader is elected, the best replica promoted, and the others are told to follow it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from emulator.sentinel.instance import MASTER, Instance
from emulator.sentinel.periods import ELECTION, INFO, PING

if TYPE_CHECKING:
    from emulator.sentinel.master import Master
    from emulator.sentinel.sentinel import Sentinel

NONE: Final = ""
WAIT_START: Final = "wait_start"
SELECT: Final = "select_slave"
SEND_NO_ONE: Final = "send_slaveof_noone"
WAIT_PROMOTION: Final = "wait_promotion"
RECONFIGURE: Final = "reconf_slaves"
_DESYNCHRONIZED: Final = 1_000

SENT: Final = "sent"
IN_PROGRESS: Final = "inprog"
DONE: Final = "done"


class Failover:
    """The failover of one master, in a ``state`` as SENTINEL MASTER names it."""

    def __init__(self, sentinel: Sentinel, master: Master, last_begun: int | None = None) -> None:
        self._sentinel = sentinel
        self._master = master
        self.state = NONE
        self.epoch = 0
        self.forced = False
        self.promoted: Instance | None = None
        self.last_begun = last_begun
        self._since = 0
        self._begins_at = 0

    @property
    def is_under_way(self) -> bool:
        """Whether there is one."""
        return self.state != NONE

    def asks(self, other: Instance) -> bool:
        """Whether another sentinel was not asked for its vote yet in this election."""
        return self.state == WAIT_START and other.vote_epoch != self.epoch and other.asked < self._since

    def put_off(self) -> None:
        """Another sentinel leads a failover: begin none for a while."""
        self.last_begun = self._sentinel.now + self._sentinel.random.randrange(_DESYNCHRONIZED)

    def begin(self, forced: bool = False) -> None:
        """Begin one, as soon as this sentinel has been elected; one that is `forced` needs no election."""
        sentinel, master = self._sentinel, self._master
        self.state, self.forced = WAIT_START, forced
        self.epoch = sentinel.epoch + 1
        sentinel.begin_epoch(self.epoch)
        sentinel.tell("+try-failover", master.top.told)
        self._since = self.last_begun = sentinel.now

    def _enter(self, state: str, of: Instance) -> None:
        self.state, self._since = state, self._sentinel.now
        self._sentinel.tell(f"+failover-state-{state.replace('_', '-')}", of.told)

    def abort(self, reason: str) -> None:
        """Give it up."""
        self._sentinel.tell(f"-failover-abort-{reason}", self._master.top.told)
        self.state, self.promoted = NONE, None

    # What is due

    def tend(self) -> None:
        """Go on."""
        if self.state == NONE:
            self._begin_where_needed()
        if self.state == WAIT_START:
            self._elect()
        if self.state == SELECT:
            self._select()
        if self.state == SEND_NO_ONE:
            self._send_no_one()
        elif self.state == WAIT_PROMOTION:
            self._await_promotion()
        elif self.state == RECONFIGURE:
            self._reconfigure()

    def _begin_where_needed(self) -> None:
        """Begin when the master is agreed to be dead; not all sentinels at once, so that one has the others' votes."""
        master, now = self._master, self._sentinel.now
        recent = self.last_begun is not None and now - self.last_begun < 2 * master.failover_timeout
        if not master.is_agreed_down or recent:
            self._begins_at = 0
        elif not self._begins_at and master.sentinels:
            self._begins_at = now + self._sentinel.random.randrange(min(_DESYNCHRONIZED, master.down_after))
        elif now >= self._begins_at:
            self.begin()
            master.ask_others()

    def _elect(self) -> None:
        master, sentinel = self._master, self._sentinel
        if self.forced or self._leader() == sentinel.id:
            sentinel.tell("+elected-leader", master.top.told)
            self._enter(SELECT, master.top)
        elif sentinel.now - self._since > min(sentinel.periods[ELECTION], master.failover_timeout):
            self.abort("not-elected")

    def _leader(self) -> str:
        """The sentinel that most have voted for, if these are enough; this one votes like the others, else for itself."""
        master, sentinel = self._master, self._sentinel
        votes = Counter(
            other.vote for other in master.sentinels.values() if other.vote and other.vote_epoch == self.epoch
        )
        first = votes.most_common(1)[0][0] if votes else sentinel.id
        own, epoch = master.vote(first, self.epoch)
        if own and epoch == self.epoch:
            votes[own] += 1
        leader, count = votes.most_common(1)[0] if votes else ("", 0)
        return leader if count >= max(master.majority, master.quorum) else ""

    def _select(self) -> None:
        master, sentinel = self._master, self._sentinel
        good = [replica for replica in master.replicas.values() if self._is_good(replica)]
        if not good:
            self.abort("no-good-slave")
            return
        self.promoted = min(good, key=lambda each: (each.number("slave_priority", 100), -_offset(each), each.id))
        sentinel.tell("+selected-slave", self.promoted.told)
        self._enter(SEND_NO_ONE, self.promoted)

    def _is_good(self, replica: Instance) -> bool:
        now, periods = self._sentinel.now, self._sentinel.periods
        return bool(
            not replica.is_down
            and replica.talk.is_open
            and now - replica.answered <= 5 * periods[PING]
            and replica.number("slave_priority", 100)
            and replica.informed
            and now - replica.informed <= 3 * periods[INFO]
        )

    def _send_no_one(self) -> None:
        assert self.promoted is not None
        if self.promoted.follow("NO", 0):
            self._enter(WAIT_PROMOTION, self.promoted)
            self.promoted.ask_info()
        elif self._sentinel.now - self._since > self._master.failover_timeout:
            self.abort("slave-timeout")

    def _await_promotion(self) -> None:
        assert self.promoted is not None
        if self._sentinel.now - self._since > self._master.failover_timeout:
            self.abort("slave-timeout")
        else:
            self.promoted.ask_info()

    def informed(self, instance: Instance) -> bool:
        """One of the replicas has told of itself; whether that concerned the failover."""
        if instance is self.promoted:
            if self.state == WAIT_PROMOTION and instance.role == MASTER:
                self._master.config_epoch = self.epoch
                self._sentinel.save()
                self._sentinel.tell("+promoted-slave", instance.told)
                self._enter(RECONFIGURE, self._master.top)
                self._sentinel.greet_soon(self._master)
            return True
        if self.state != RECONFIGURE or self.promoted is None or instance.reconfigured not in (SENT, IN_PROGRESS):
            return False
        if instance.reconfigured == SENT and instance.its_master == (self.promoted.host, self.promoted.port):
            self._note(instance, IN_PROGRESS)
        if instance.reconfigured == IN_PROGRESS and instance.facts.get("master_link_status") == "up":
            self._note(instance, DONE)
        return True

    def _note(self, instance: Instance, progress: str) -> None:
        instance.reconfigured, instance.reconfigured_at = progress, self._sentinel.now
        self._sentinel.tell(f"+slave-reconf-{progress}", instance.told)

    def _reconfigure(self) -> None:
        """Let the others follow the promoted one, a few at a time."""
        master, sentinel = self._master, self._sentinel
        assert self.promoted is not None
        promoted = self.promoted
        others = [each for each in master.replicas.values() if each is not promoted]
        timed_out = sentinel.now - self._since > master.failover_timeout
        if timed_out or all(each.reconfigured == DONE or each.is_down for each in others):
            if timed_out:
                sentinel.tell("+failover-end-for-timeout", master.top.told)
            sentinel.tell("+failover-end", master.top.told)
            master.switch(promoted.host, promoted.port)
            return
        busy = sum(each.reconfigured in (SENT, IN_PROGRESS) for each in others)
        for each in others:
            if each.reconfigured in (SENT, IN_PROGRESS):
                each.ask_info()
            elif (
                each.reconfigured != DONE
                and not each.is_down
                and busy < master.parallel_syncs
                and each.follow(promoted.host, promoted.port)
            ):
                busy += 1
                self._note(each, SENT)


def _offset(replica: Instance) -> int:
    return replica.number("slave_repl_offset")
