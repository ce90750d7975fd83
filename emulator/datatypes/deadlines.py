"""The deadlines of a hash's fields, and which comes first."""

from __future__ import annotations

from math import inf

from sortedcontainers import SortedList


class Deadlines:
    """Fields with the moments at which they expire, in milliseconds since the epoch.

    ``by_field`` is for reading; its order is that in which the deadlines were set.  Beside it they lie in their own order.
    Setting, removing and taking the first are O(log n) each time, never more: nothing is put off that one call would then
    have to do for all.
    """

    __slots__ = ("_order", "by_field")

    def __init__(self) -> None:
        self.by_field: dict[bytes, int] = {}
        self._order: SortedList[tuple[int, bytes]] = SortedList()

    def set(self, field: bytes, deadline: int) -> None:
        """Let a field expire, whatever deadline it had."""
        self.remove(field)
        self.by_field[field] = deadline
        self._order.add((deadline, field))

    def remove(self, field: bytes) -> bool:
        """Take a field's deadline away; whether it had one."""
        deadline = self.by_field.pop(field, None)
        if deadline is None:
            return False
        self._order.remove((deadline, field))
        return True

    def in_order(self, until: float = inf) -> list[bytes]:
        """The fields whose deadlines are no later, by these; of equal ones the latest set is first.  O(n log n)."""
        due = [field for field, deadline in self.by_field.items() if deadline <= until]
        order = sorted(due, key=self.by_field.__getitem__, reverse=True)
        order.reverse()
        return order

    @property
    def next(self) -> int | None:
        """The first deadline, None where there is none.  O(1)."""
        return self._order[0][0] if self.by_field else None

    def take_due(self, now: int, most: int) -> list[bytes]:
        """Up to `most` of the fields that have expired, the first one first, with their deadlines forgotten."""
        due: list[bytes] = []
        order = self._order
        while order and order[0][0] <= now and len(due) < most:
            field = order.pop(0)[1]
            del self.by_field[field]
            due.append(field)
        return due

    def shift(self, milliseconds: int) -> None:
        """Let everything expire so much later.  O(n)."""
        self.by_field = {field: deadline + milliseconds for field, deadline in self.by_field.items()}
        self._order = SortedList((deadline + milliseconds, field) for deadline, field in self._order)

    def copy(self) -> Deadlines:
        """The same deadlines once more.  O(n)."""
        twin = Deadlines()
        twin.by_field = self.by_field.copy()
        twin._order = self._order.copy()
        return twin

    def _check(self) -> None:
        self._order._check()
        assert list(self._order) == sorted((deadline, field) for field, deadline in self.by_field.items())
