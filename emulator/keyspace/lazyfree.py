"""Freeing in slices: what was deleted is given back a little at a time, so that nobody waits for it.

Python frees a dict with all that is in it at once, which for a million elements takes longer than others should wait.
`LazyFree.add` takes such a value over, and `step` frees some thousand of its elements.  Any structure can be given to it:
what it is made of is found by looking, and only what nobody else holds is taken apart (a renamed key's value, or one that a
snapshot shares, is merely let go).
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sized
from functools import cache
from typing import Any, Final

from emulator.datatypes.run import PackedRun

LARGE: Final = 100
"""Elements from which on a value is worth the trouble."""
PORTION: Final = 1000
"""Elements that a job frees at most before it yields."""
_PORTIONS_A_STEP: Final = 4
_STEPS: Final = 500
"""In how many steps at most what is left is freed: clients could make it grow for ever else."""
_JOB: Final = 20
"""Elements in whose time a job is begun and ended."""
_ATOMS: Final = frozenset((bytes, bytearray, int, float, bool, str, tuple, type(None), PackedRun))
"""What has no parts that take long to free."""
_SHORT: Final = 8
_HELD_BY_US: Final = 3  # the stack, a variable, and the argument of getrefcount


class LazyFree:
    """What an engine has still to free: jobs, which tell time and again how much they have freed, and ``pending`` elements.

    ``begin`` is called when there is something to do: it is to call `step` time and again, with others' turns between,
    until that returns False.  Where it is None everything is freed at once.
    """

    def __init__(self) -> None:
        self._jobs: deque[Iterator[int]] = deque()
        self.pending = 0
        self.begin: Callable[[], None] | None = None

    def add(self, value: Sized) -> None:
        """Frees a value, which the caller lets go of now; a string goes with that."""
        if self.begin is not None and value.__class__ not in _ATOMS:
            self.run(len(value), _taken_apart(value))

    def run(self, elements: int, job: Iterator[int]) -> None:
        """Does a job that frees so many elements, of which it yields a number at a time."""
        if self.begin is None:
            deque(job, 0)
            return
        self.pending += elements
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self.begin()

    def step(self) -> bool:
        """Frees some elements; whether there are more."""
        jobs = self._jobs
        most = left = max(_PORTIONS_A_STEP * PORTION, self.pending // _STEPS)
        while jobs and left > 0:
            freed = next(jobs[0], None)
            if freed is None:
                jobs.popleft()
                freed = _JOB
            left -= freed
        self.pending = max(self.pending - most, 0) if jobs else 0
        return bool(jobs)


def _taken_apart(value: Any) -> Iterator[int]:
    """Frees a structure from its leaves on."""
    stack = [value]
    del value
    while stack:
        item = stack[-1]
        taken = _take(item) if sys.getrefcount(item) <= _HELD_BY_US else []
        if not taken:
            taken = _parts(item) if sys.getrefcount(item) <= _HELD_BY_US else []
            stack.pop()
        del item  # so that what it held is held by us alone
        if not _ATOMS.issuperset(map(type, taken)):
            stack += [element for element in taken if element.__class__ not in _ATOMS and not _is_small(element)]
        freed = len(taken)
        del taken
        yield freed


def _is_small(element: Any) -> bool:
    """Whether an element is a short list without parts, such as a list's nodes: not worth the trouble."""
    return element.__class__ is list and len(element) <= _SHORT and _ATOMS.issuperset(map(type, element))


def _take(container: Any) -> list[Any]:
    """Takes a portion out of a container; nothing where it is empty, or no container."""
    kind = container.__class__
    if kind is list:
        taken: list[Any] = container[-PORTION:]
        del container[-PORTION:]
        return taken
    count = min(PORTION, len(container)) if kind in (deque, set) or isinstance(container, dict) else 0
    if isinstance(container, dict):
        return [container.popitem()[1] for _ in range(count)]
    return [container.pop() for _ in range(count)]


def _parts(item: Any) -> list[Any]:
    """What the attributes of an object hold."""
    held = [getattr(item, name, None) for name in _slots_of(item.__class__)]
    return [*held, *getattr(item, "__dict__", {}).values()]


@cache
def _slots_of(kind: type) -> list[str]:
    """The names of all slots that a class has."""
    return [name for each in kind.__mro__ for name in getattr(each, "__slots__", ())]
