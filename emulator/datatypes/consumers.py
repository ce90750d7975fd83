"""Consumer groups of a stream: who has got which entries and not acknowledged them yet.

Source: https://redis.io/docs/latest/commands/xreadgroup/
"""

from __future__ import annotations

from collections.abc import Iterator

from sortedcontainers import SortedDict, SortedList

from emulator.datatypes.radix import tree_size

NEVER_ACTIVE = -1
_GROUP = 40
_CONSUMER = 32
_PENDING = 24
UNKNOWN = -1
_LARGEST_COUNT = (1 << 63) - 1


def next_count(count: int) -> int:
    """One more; counts are signed 64-bit numbers, of which the one after the largest is the smallest."""
    return count + 1 if count < _LARGEST_COUNT else ~_LARGEST_COUNT


class Pending:
    """An entry delivered to a consumer and not acknowledged; ``delivered`` is the moment, in milliseconds.

    ``consumer`` is a name, since the consumer has this in turn and a circle would outlive both; None where it is released.
    ``turn`` orders what was delivered in the same millisecond.
    """

    __slots__ = ("consumer", "count", "delivered", "turn")

    def __init__(self, consumer: bytes | None, delivered: int, count: int = 1) -> None:
        self.consumer = consumer
        self.delivered = delivered
        self.count = count
        self.turn = 0


class Consumer:
    """One consumer of a group; moments are in milliseconds, ``active`` is `NEVER_ACTIVE` until it has got something."""

    __slots__ = ("active", "name", "pending", "seen")

    def __init__(self, name: bytes, seen: int) -> None:
        self.name = name
        self.seen = seen
        self.active = NEVER_ACTIVE
        self.pending: SortedDict[int, Pending] = SortedDict()


class Group:
    """A consumer group; ``read`` is how many entries were read up to ``last_id``, `UNKNOWN` where nobody can tell.

    ``released`` stands for the consumer of what is pending with nobody.  What is pending is found by id, for the group and
    for each consumer, in O(log n); by the moment of its delivery too, from the first time on that somebody asks for it so.
    """

    __slots__ = ("_times", "_turn", "consumers", "last_id", "pending", "read", "released")

    def __init__(self, last_id: int, read: int) -> None:
        self.last_id = last_id
        self.read = read
        self.pending: SortedDict[int, Pending] = SortedDict()
        self.consumers: SortedDict[bytes, Consumer] = SortedDict()
        self.released = Consumer(b"", 0)
        self._times: SortedList[tuple[int, int, int]] | None = None
        self._turn = 0

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server.  O(consumers)."""
        consumers = sum(
            _CONSUMER + len(consumer.name) + tree_size(consumer.pending.keys()) for consumer in self.consumers.values()
        )
        return _GROUP + tree_size(self.pending.keys()) + len(self.pending) * _PENDING + consumers

    def deliver(self, id: int, consumer: Consumer, now: int) -> None:
        """Enter an entry as delivered for the first time, whoever had it before."""
        known = self.pending.get(id)
        if known is not None:
            del self._owner(known).pending[id]
            self._forget_time(id, known)
        self.pending[id] = consumer.pending[id] = pending = Pending(self._name_of(consumer), now)
        self._note_time(id, pending)

    def redeliver(self, id: int, moment: int, again: bool = True) -> None:
        """Let what is pending have been delivered at a moment; `again` counts it as another delivery."""
        pending = self.pending[id]
        self._forget_time(id, pending)
        pending.delivered = moment
        if again:
            pending.count = next_count(pending.count)
        self._note_time(id, pending)

    def delivered_until(self, moment: int) -> Iterator[int]:
        """What is pending since a moment or longer, the longest first; not to be changed meanwhile."""
        return (id for _, _, id in self._by_time().irange(maximum=(moment + 1,), inclusive=(True, False)))

    def first_delivered_after(self, moment: int) -> int | None:
        """The earliest delivery after a moment of what is pending; None where there is none."""
        later = next(self._by_time().irange(minimum=(moment + 1,)), None)
        return None if later is None else later[0]

    def _by_time(self) -> SortedList[tuple[int, int, int]]:
        """The moments of delivery, the turns and the ids of what is pending.  O(n*log(n)) the first time."""
        if self._times is None:
            self._times = SortedList((item.delivered, item.turn, id) for id, item in self.pending.items())
        return self._times

    def _note_time(self, id: int, pending: Pending) -> None:
        if self._times is not None:
            self._turn += 1
            pending.turn = self._turn
            self._times.add((pending.delivered, pending.turn, id))

    def _forget_time(self, id: int, pending: Pending) -> None:
        if self._times is not None:
            self._times.remove((pending.delivered, pending.turn, id))

    def _owner(self, pending: Pending) -> Consumer:
        """Who has something pending."""
        return self.released if pending.consumer is None else self.consumers[pending.consumer]

    def _name_of(self, consumer: Consumer) -> bytes | None:
        return None if consumer is self.released else consumer.name

    def give(self, id: int, consumer: Consumer) -> None:
        """Let a consumer have what is pending with another."""
        pending = self.pending[id]
        owner = self._owner(pending)
        if owner is not consumer:
            del owner.pending[id]
            consumer.pending[id] = pending
            pending.consumer = self._name_of(consumer)

    def acknowledge(self, id: int) -> bool:
        """Have an entry pending no more; whether it was."""
        pending = self.pending.pop(id, None)
        if pending is None:
            return False
        del self._owner(pending).pending[id]
        self._forget_time(id, pending)
        return True

    def release(self, id: int, count: int) -> None:
        """Let what is pending be with nobody, as if delivered long ago and so often."""
        self.give(id, self.released)
        self.redeliver(id, 0, again=False)
        self.pending[id].count = count

    def remove(self, consumer: Consumer) -> int:
        """Take a consumer out of the group, and what it has pending; how many entries that was."""
        for id, pending in consumer.pending.items():
            del self.pending[id]
            self._forget_time(id, pending)
        del self.consumers[consumer.name]
        return len(consumer.pending)

    def copy(self) -> Group:
        """The same group, independent of this one."""
        twin = Group(self.last_id, self.read)
        for name, consumer in self.consumers.items():
            other = twin.consumers[name] = Consumer(name, consumer.seen)
            other.active = consumer.active
            other.pending.update(
                (id, Pending(name, pending.delivered, pending.count)) for id, pending in consumer.pending.items()
            )
            twin.pending.update(other.pending)
        for id, pending in self.released.pending.items():
            own = Pending(None, pending.delivered, pending.count)
            twin.pending[id] = twin.released.pending[id] = own
        return twin

    def _check(self) -> None:
        times = sorted((item.delivered, item.turn, id) for id, item in self.pending.items())
        assert self._times is None or list(self._times) == times
        owned = sum(len(consumer.pending) for consumer in self.consumers.values())
        assert owned + len(self.released.pending) == len(self.pending)
        for id, pending in self.pending.items():
            assert self._owner(pending).pending[id] is pending
