"""Consumer groups of a stream: who has got which entries and not acknowledged them yet.

Source: https://redis.io/docs/latest/commands/xreadgroup/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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


class Held:
    """What somebody has pending, by id; ``weight`` is what that took when it was weighed last, 0 before."""

    __slots__ = ("pending", "weight")

    def __init__(self) -> None:
        self.pending: SortedDict[int, Pending] = SortedDict()
        self.weight = 0

    def weighed(self) -> int:
        """Bytes that it takes in the real server.  O(1)."""
        return tree_size(self.pending.keys())


class Consumer(Held):
    """One consumer of a group; moments are in milliseconds, ``active`` is `NEVER_ACTIVE` until it has got something."""

    __slots__ = ("active", "name", "seen")

    def __init__(self, name: bytes, seen: int) -> None:
        super().__init__()
        self.name = name
        self.seen = seen
        self.active = NEVER_ACTIVE

    def weighed(self) -> int:
        return _CONSUMER + len(self.name) + super().weighed()


class _Nobody(Consumer):
    """Who has what is released, for which the real server has no tree."""

    __slots__ = ()

    def weighed(self) -> int:
        return 0


class _All(Held):
    """What is pending in a group, whoever has it."""

    __slots__ = ()

    def weighed(self) -> int:
        return _GROUP + super().weighed() + len(self.pending) * _PENDING


class Weights:
    """What the groups and the consumers of a stream weigh, each weighed anew only once it has changed.

    Who is new, or has changed, is put into ``changed`` until somebody asks.  It does not know these weights in turn: a circle
    would outlive both.
    """

    __slots__ = ("_known", "changed")

    def __init__(self) -> None:
        self._known = 0
        self.changed: set[Held] = set()

    def leave(self, held: Held) -> None:
        """This one is no longer there."""
        self.changed.discard(held)
        self._known -= held.weight

    def total(self) -> int:
        """Bytes of all.  O(those that have changed)."""
        for held in self.changed:
            weight = held.weighed()
            self._known += weight - held.weight
            held.weight = weight
        self.changed.clear()
        return self._known


class Group:
    """A consumer group; ``read`` is how many entries were read up to ``last_id``, `UNKNOWN` where nobody can tell.

    What is pending is found by id, for the group and for each consumer, in O(log n); by the moment of its delivery too, from
    the first time on that somebody asks for it so.
    """

    __slots__ = ("_all", "_released", "_times", "_turn", "_weights", "consumers", "last_id", "pending", "read")

    def __init__(self, weights: Weights, last_id: int, read: int) -> None:
        self._weights = weights
        self.last_id = last_id
        self.read = read
        self._all = _All()
        self.pending = self._all.pending
        self.consumers: SortedDict[bytes, Consumer] = SortedDict()
        self._released: Consumer | None = None  # few groups ever need it
        self._times: SortedList[tuple[int, int, int]] | None = None
        self._turn = 0
        weights.changed.add(self._all)

    @property
    def released(self) -> Consumer:
        """Stands for the consumer of what is pending with nobody."""
        if self._released is None:
            self._released = _Nobody(b"", 0)
        return self._released

    @property
    def weight(self) -> int:
        """What it weighed last without its consumers."""
        return self._all.weight

    def create(self, name: bytes, seen: int) -> Consumer:
        """Add a consumer."""
        consumer = self.consumers[name] = Consumer(name, seen)
        self._weights.changed.add(consumer)
        return consumer

    def leave(self) -> None:
        """The stream has this group no more.  O(consumers)."""
        self._weights.leave(self._all)
        for consumer in self.consumers.values():
            self._weights.leave(consumer)

    def deliver(self, ids: Iterable[int], consumer: Consumer, now: int) -> None:
        """Enter entries as delivered for the first time, whoever had them before."""
        name = self._name_of(consumer)
        for id in ids:
            known = self.pending.get(id)
            if known is not None:
                owner = self._owner(known)
                del owner.pending[id]
                self._weights.changed.add(owner)
                if self._times is not None:
                    self._forget_time(id, known)
            self.pending[id] = consumer.pending[id] = pending = Pending(name, now)
            if self._times is not None:
                self._note_time(id, pending)
        changed = self._weights.changed
        changed.add(self._all)
        changed.add(consumer)

    def enter(self, consumer: Consumer, pending: Iterable[tuple[int, Pending]]) -> None:
        """Have entries pending with a consumer, in a group that is being made: nobody has asked for its weight or times."""
        entries = dict(pending)
        consumer.pending.update(entries)
        self.pending.update(entries)

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
        return None if consumer is self._released else consumer.name

    def give(self, id: int, consumer: Consumer) -> None:
        """Let a consumer have what is pending with another."""
        pending = self.pending[id]
        owner = self._owner(pending)
        if owner is not consumer:
            del owner.pending[id]
            consumer.pending[id] = pending
            changed = self._weights.changed
            changed.add(owner)
            changed.add(consumer)
            pending.consumer = self._name_of(consumer)

    def acknowledge(self, id: int) -> bool:
        """Have an entry pending no more; whether it was."""
        pending = self.pending.pop(id, None)
        if pending is None:
            return False
        owner = self._owner(pending)
        del owner.pending[id]
        changed = self._weights.changed
        changed.add(self._all)
        changed.add(owner)
        if self._times is not None:
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
        self._weights.leave(consumer)
        self._weights.changed.add(self._all)
        return len(consumer.pending)

    def copy(self, weights: Weights) -> Group:
        """The same group, independent of this one; what it weighs goes to the weights of its own stream."""
        twin = Group(weights, self.last_id, self.read)
        for name, consumer in self.consumers.items():
            other = twin.create(name, consumer.seen)
            other.active = consumer.active
            twin.enter(other, _copied(consumer))
        if self._released is not None:
            twin.enter(twin.released, _copied(self._released))
        return twin

    def _check(self) -> None:
        times = sorted((item.delivered, item.turn, id) for id, item in self.pending.items())
        assert self._times is None or list(self._times) == times
        owned = sum(len(consumer.pending) for consumer in self.consumers.values())
        assert owned + len(self.released.pending) == len(self.pending)
        for id, pending in self.pending.items():
            assert self._owner(pending).pending[id] is pending


def _copied(consumer: Consumer) -> Iterator[tuple[int, Pending]]:
    """What a consumer has pending, independent of it."""
    for id, pending in consumer.pending.items():
        yield id, Pending(pending.consumer, pending.delivered, pending.count)
