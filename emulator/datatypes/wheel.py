"""Deadlines: a hierarchical timing wheel.

Everything that is to happen at a moment is a `Timer`: a key's or a hash field's expiry, the timeout of a blocked
client, the end of a pause.  An engine has two wheels: one for what is due at a time of day, one for waits, which go by the
time that has passed.  A wheel has levels of 256 slots; a slot of level 0 is one millisecond wide, of level 1 256
ms, and so on up to some 8,900 years.  A timer lies in the level whose width its distance needs; when the time reaches
its slot it fires or moves down.  Setting and cancelling are O(1), expiring amortised O(1); the next slot in use is found
through a bit mask for each level, so that time may jump far and an idle wheel costs nothing.

Timers fire in the order of their deadlines; those of one millisecond in the order in which they were set.

Source: G. Varghese, T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Final, Protocol, cast

logger = logging.getLogger("emulator")

NEVER: Final = 1 << 63

_BITS = 8
_SLOTS = 1 << _BITS
_MASK = _SLOTS - 1
_LEVELS = 6
_PORTION = 10_000  # timers copied at a time from a slot that is worked off
_HORIZON = 1 << (_BITS * _LEVELS)


class Due(Protocol):
    """What a wheel keeps: a `Timer`, or something like one."""

    deadline: int | None

    def fire(self) -> int | None: ...

    def failed(self, error: Exception) -> None: ...


class Timer:
    """Something with a deadline, in milliseconds of the clock of its wheel; a subclass says what happens then."""

    __slots__ = ("deadline",)

    def __init__(self) -> None:
        self.deadline: int | None = None

    def fire(self) -> int | None:
        """The deadline has come and the wheel has let go of the timer, which may be set anew.

        Where that takes as long as several steps of `Wheel.advance`, it tells how many more.
        """
        raise NotImplementedError

    def failed(self, error: Exception) -> None:
        """`fire` has raised, which is a bug: whoever waits for the timer is told so, and the other timers go on."""
        log_failure(error)


def log_failure(error: Exception) -> None:
    """A timer has raised."""
    logger.error("internal error in a timer", exc_info=error)


MANY: Final = 1 << 16
"""Timers of a slot from which on they are in several dicts: one that grew further would stop everything for too long."""


_ABSENT: Final = object()
"""What `pop` returns for a timer that is not there."""


class Divided:
    """A slot of very many timers: dicts of at most `MANY`."""

    __slots__ = ("_dicts", "_near")

    def __init__(self, first: dict[Due, None]) -> None:
        self._dicts = [first]
        self._near = first  # where one was found last, whose neighbours are often next

    def __setitem__(self, timer: Due, value: None) -> None:
        if len(self._dicts[-1]) >= MANY:
            self._dicts.append({})
        self._dicts[-1][timer] = None

    def pop(self, timer: Due, default: object) -> object:
        """Take a timer away; returns `default` where it is not there."""
        if timer not in self._near:
            for part in self._dicts:  # a generator would take longer than the few looks
                if timer in part:
                    self._near = part
                    break
            else:
                return default
        del self._near[timer]
        if not self._near and len(self._dicts) > 1:
            self._dicts.remove(self._near)
            self._near = self._dicts[0]
        return None

    def __contains__(self, timer: object) -> bool:
        return any(timer in part for part in self._dicts)

    def __iter__(self) -> Iterator[Due]:
        return chain.from_iterable(self._dicts)

    def __bool__(self) -> bool:
        return bool(self._dicts[-1])

    def __len__(self) -> int:
        return sum(map(len, self._dicts))


_Slot = dict[Due, None] | Divided
"""Timers in the order in which they were set."""

_UNUSED: Final = cast(list[_Slot | None], (None,) * _SLOTS)
"""The slots of a level that has never had a timer: there are many engines with little to do."""


class Wheel:
    """Deadlines by one clock.  `set`, `cancel`: O(1).  `advance`: O(timers that are due or move down).

    ``alarm`` is the moment at which the owner means to call `advance` next; a timer set for an earlier one calls
    ``on_earlier``.
    """

    __slots__ = (
        "_current",
        "_current_level",
        "_far",
        "_held",
        "_masks",
        "_now",
        "_pending",
        "_slots",
        "alarm",
        "count",
        "on_earlier",
    )

    def __init__(self, now: int) -> None:
        self.alarm = NEVER
        self.on_earlier: Callable[[], None] | None = None
        self._begin(now)

    def _begin(self, now: int) -> None:
        self._now = now
        self._slots: list[list[_Slot | None]] = [_UNUSED] * _LEVELS
        self._masks = [0] * _LEVELS
        self._far: _Slot = {}
        self._held: _Slot = {}
        self._current: _Slot = {}  # the slot being worked off
        self._current_level = 0
        self._pending: list[Due] = []  # the first of its timers, the next one last
        self.count = 0

    def set(self, timer: Due, deadline: int) -> None:
        """Let `timer` fire at `deadline`, wherever it was before."""
        slot, level, index = self._where(deadline)
        if timer.deadline is not None:
            if slot is not None and slot.pop(timer, _ABSENT) is not _ABSENT:  # it stays there, as the last that was set
                self.count -= 1
            else:
                self.cancel(timer)
                slot, level, index = self._where(deadline)
        timer.deadline = deadline
        self.count += 1
        if slot is None:
            slot = self._open(level, index)
        slot[timer] = None
        if slot.__class__ is dict and len(slot) > MANY:
            self._divide(slot, level, index)
        if deadline < self.alarm:
            self.alarm = deadline
            if self.on_earlier is not None:
                self.on_earlier()

    def cancel(self, timer: Due) -> None:
        """Forget the timer's deadline; nothing happens where it has none."""
        deadline = timer.deadline
        if deadline is None:
            return
        timer.deadline = None
        slot, level, index = self._where(deadline)
        if slot is None or slot.pop(timer, _ABSENT) is _ABSENT:
            slot = self._current
            if slot.pop(timer, _ABSENT) is _ABSENT:
                slot = self._held
                if slot.pop(timer, _ABSENT) is _ABSENT:
                    return  # it is firing
        self.count -= 1
        if not slot and level < _LEVELS and self._slots[level][index] is slot:
            self._masks[level] &= ~(1 << index)
            self._slots[level][index] = None

    def _where(self, deadline: int) -> tuple[_Slot | None, int, int]:
        """The slot of a timer, its level and index, as long as the time has not come to it: None where it is not in use."""
        now = self._now
        moment = deadline if deadline > now else now
        distance = moment ^ now
        if distance < _SLOTS:
            level = 0
        elif distance < _HORIZON:
            level = (distance.bit_length() - 1) // _BITS
        else:
            return self._far, _LEVELS, 0
        index = (moment >> (level * _BITS)) & _MASK
        return self._slots[level][index], level, index

    def rewind(self, now: int) -> None:
        """Go back to an earlier moment.  O(timers)."""
        used = [slot for level in self._slots for slot in level if slot is not None]
        timers = [timer for slot in (self._current, self._far, self._held, *used) for timer in slot]
        self._begin(now)
        for timer in timers:
            self._put_in(timer)

    def _put_in(self, timer: Due) -> None:
        """Let a timer that is in no slot fire at the deadline that it has."""
        deadline, timer.deadline = timer.deadline, None
        assert deadline is not None
        self.set(timer, deadline)

    def hold(self, timer: Due) -> None:
        """Keep a timer that has just fired, with its deadline, until `release`."""
        self._held[timer] = None
        self.count += 1
        if self._held.__class__ is dict and len(self._held) > MANY:
            self._held = Divided(self._held)

    def release(self) -> None:
        """Let the timers that were held fire once more."""
        held, self._held = self._held, {}
        self.count -= len(held)
        for timer in held:
            self._put_in(timer)

    def next_moment(self) -> int | None:
        """When `advance` has something to do next (a deadline, or a slot to be moved down); None for never."""
        if self._pending or self._current:
            return self._now
        found = self._next_slot()
        return None if found is None else found[0]

    def advance(self, now: int, most: int) -> bool:
        """Fire what is due at `now`, in at most `most` steps; whether more is left to do."""
        while most > 0:
            if self._pending:
                most = self._work_off(most)
                continue
            if not self._current:
                found = self._next_slot()
                if found is None or found[0] > now:
                    self._now = max(now, self._now)
                    return False
                self._now, level, index = found
                self._current, self._current_level = self._take(level, index), level
            self._pending = list(islice(self._current, _PORTION))
            self._pending.reverse()
        return True

    def _open(self, level: int, index: int) -> _Slot:
        """Begin to use a slot."""
        if self._slots[level] is _UNUSED:
            self._slots[level] = [None] * _SLOTS
        slot = self._slots[level][index] = {}
        self._masks[level] |= 1 << index
        return slot

    def _divide(self, slot: dict[Due, None], level: int, index: int) -> None:
        """A slot has very many timers from now on."""
        if level == _LEVELS:
            self._far = Divided(slot)
        else:
            self._slots[level][index] = Divided(slot)

    def _next_slot(self) -> tuple[int, int, int] | None:
        """Start, level and index of the first slot in use."""
        now = self._now
        for level, mask in enumerate(self._masks):
            shift = level * _BITS
            place = (now >> shift) & _MASK
            ahead = mask >> place
            if ahead:
                index = place + (ahead & -ahead).bit_length() - 1
                start = (now >> (shift + _BITS) << (shift + _BITS)) + (index << shift)
                return max(start, now), level, index
        if self._far:
            return (now // _HORIZON + 1) * _HORIZON, _LEVELS, 0
        return None

    def _take(self, level: int, index: int) -> _Slot:
        if level == _LEVELS:
            slot, self._far = self._far, {}
            return slot
        taken = self._slots[level][index]
        assert taken is not None
        self._slots[level][index] = None
        self._masks[level] &= ~(1 << index)
        return taken

    def _work_off(self, most: int) -> int:
        """Fire the timers of the current slot or, from a coarse one, move them down; the steps that are left."""
        pending, slot = self._pending, self._current
        due = self._current_level == 0
        while pending and most > 0:
            most -= 1
            timer = pending.pop()
            if slot.pop(timer, _ABSENT) is _ABSENT:
                continue
            deadline = timer.deadline
            assert deadline is not None
            if due:
                self.count -= 1
                most -= self._fire(timer)
            else:
                finer, level, index = self._where(deadline)
                if finer is None:
                    finer = self._open(level, index)
                finer[timer] = None
                if finer.__class__ is dict and len(finer) > MANY:
                    self._divide(finer, level, index)
        return most

    def _fire(self, timer: Due) -> int:
        """Let a timer fire, which has no deadline any more unless it gets one thereby; the further steps that took."""
        steps = 0
        try:
            steps = timer.fire() or 0
        except Exception as error:
            timer.failed(error)
        if timer.deadline is not None and not self._has(timer, timer.deadline):
            timer.deadline = None
        return steps

    def _has(self, timer: Due, deadline: int) -> bool:
        slot = self._where(deadline)[0]
        return timer in self._held or (slot is not None and timer in slot)
