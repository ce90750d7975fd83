"""The deadlines of a hash's fields, and which comes first."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf

_SLACK = 16


class Deadlines:
    """Fields with the moments at which they expire, in milliseconds since the epoch.

    Beside the dict, whose order is that in which they were set, there is a heap.  A deadline that was changed or taken
    away stays in it, stale, until it comes to the top or the stale ones are the most.  Setting is O(log n), O(1) where
    deadlines come in order; removing O(1), both amortised.
    """

    __slots__ = ("_heap", "by_field")

    def __init__(self) -> None:
        self.by_field: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []

    def set(self, field: bytes, deadline: int) -> None:
        """Let a field expire, whatever deadline it had."""
        self.by_field.pop(field, None)
        self.by_field[field] = deadline
        heappush(self._heap, (deadline, field))
        self._sweep()

    def remove(self, field: bytes) -> bool:
        """Take a field's deadline away; whether it had one."""
        if self.by_field.pop(field, None) is None:
            return False
        self._sweep()
        return True

    def _sweep(self) -> None:
        if len(self._heap) > 2 * len(self.by_field) + _SLACK:
            self._heap = [(deadline, field) for field, deadline in self.by_field.items()]
            heapify(self._heap)

    def in_order(self, until: float = inf) -> list[bytes]:
        """The fields whose deadlines are no later, by these; of equal ones the latest set is first.  O(n log n)."""
        due = [field for field, deadline in self.by_field.items() if deadline <= until]
        order = sorted(due, key=self.by_field.__getitem__, reverse=True)
        order.reverse()
        return order

    @property
    def next(self) -> int | None:
        """The first deadline, None where there is none.  Amortised O(log n)."""
        heap = self._heap
        while heap:
            deadline, field = heap[0]
            if self.by_field.get(field) == deadline:
                return deadline
            heappop(heap)
        return None

    def take_due(self, now: int, most: int) -> list[bytes]:
        """Up to `most` of the fields that have expired, the first one first, with their deadlines forgotten."""
        due: list[bytes] = []
        while len(due) < most:
            deadline = self.next
            if deadline is None or deadline > now:
                break
            field = heappop(self._heap)[1]
            del self.by_field[field]
            due.append(field)
        self._sweep()
        return due

    def shift(self, milliseconds: int) -> None:
        """Let everything expire so much later.  O(n)."""
        self.by_field = {field: deadline + milliseconds for field, deadline in self.by_field.items()}
        self._heap = [(deadline + milliseconds, field) for deadline, field in self._heap]

    def copy(self) -> Deadlines:
        """The same deadlines once more.  O(n)."""
        twin = Deadlines()
        twin.by_field = self.by_field.copy()
        twin._heap = self._heap.copy()
        return twin

    def _check(self) -> None:
        assert len(self._heap) <= 2 * len(self.by_field) + _SLACK
        assert {(deadline, field) for field, deadline in self.by_field.items()} <= set(self._heap)
        assert all(self._heap[(place - 1) // 2] <= self._heap[place] for place in range(1, len(self._heap)))
