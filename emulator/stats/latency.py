"""Latency: how long each command takes as a rule, and what took too long.

Commands.  Dispatch only notes the duration of each call, with one ``list.append``; what has gathered is counted later by
operations on bytes as a whole.  What is noted is the duration plus `OFFSET`, a power of two so large that the second byte
of the sum's binary form counts steps of 2**-20 seconds, a little less than a microsecond: slices of an array of them
are then the durations, rounded down.

Events.  With ``latency-monitor-threshold`` the worst of each second is kept for each event, 160 seconds of them: commands, a
round of expiry (``expire-cycle``) or of eviction (``eviction-cycle``), and within them the deletion of one key.

Source: Redis's documentation of latency monitoring, of LATENCY HISTOGRAM and of INFO latencystats.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from struct import pack
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emulator.clock import Clock

OFFSET: Final = 2.0**24
"""Seconds added to each duration that is noted."""

GATHERED_AT_MOST: Final = 8192
"""After so many commands what has been noted is counted."""

_STEP: Final = 2.0**-20
_MICROS: Final = _STEP * 1e6
_LONG: Final = 256 * _STEP
_STEPS_BYTE, *_LONG_BYTES = (1, 2, 3) if sys.byteorder == "little" else (6, 5, 4)
_MOST_STEPS: Final = (1 << 20) - 1
_SAMPLES = 160


def _width(steps: int) -> int:
    """How many steps of 2**-20 seconds share a bucket: two significant digits are told apart."""
    return 1 if steps < 256 else 1 << steps.bit_length() - 8


class Durations:
    """The durations of one command's calls, in buckets as an HdrHistogram has them, of 2**-20 seconds and more.

    Dispatch appends the seconds of each call and `OFFSET` to ``noted``.  `count` brings ``calls``, ``seconds`` and
    ``buckets`` (the first step of each, and how many calls fell into it) up to date with it.
    """

    __slots__ = ("_found", "buckets", "calls", "noted", "seconds")

    def __init__(self) -> None:
        self._found: tuple[Sequence[float], list[float]] | None = None
        self.noted: list[float] = []
        self.calls = 0
        self.seconds = 0.0
        self.buckets: dict[int, int] = {}

    def count(self, tracking: bool) -> None:
        """Count what has been noted; in buckets only with `tracking`."""
        noted = self.noted
        self.calls += len(noted)
        self.seconds += sum(noted) - len(noted) * OFFSET
        if tracking:
            self._sort_in(noted)
        noted.clear()

    def _sort_in(self, noted: Sequence[float]) -> None:
        self._found = None
        data, buckets = pack(f"{len(noted)}d", *noted), self.buckets
        if any(data[byte::8].strip(b"\0") for byte in _LONG_BYTES):
            short = [moment for moment in noted if moment < OFFSET + _LONG]
            data = pack(f"{len(short)}d", *short)
            for moment in noted:
                if moment >= OFFSET + _LONG:
                    steps = min(int((moment - OFFSET) / _STEP), _MOST_STEPS)
                    first = steps // _width(steps) * _width(steps)
                    buckets[first] = buckets.get(first, 0) + 1
        each = data[_STEPS_BYTE::8]
        for steps in set(each):
            buckets[steps] = buckets.get(steps, 0) + each.count(steps)

    @property
    def tracked(self) -> int:
        """How many calls are in the buckets."""
        return sum(self.buckets.values())

    def by_powers(self) -> dict[int, int]:
        """Calls that took at most so many microseconds, in steps of powers of two of which each adds calls.

        The microseconds are those at which an HdrHistogram of nanoseconds has its steps.
        """
        found: dict[int, int] = {}
        calls = 0
        for first, count in sorted(self.buckets.items()):
            calls += count
            nanos = 1 << (10 + first.bit_length())
            found[min(nanos + nanos // 128 - 1, 1 << 30) // 1000] = calls
        return found

    def percentiles(self, percents: Sequence[float]) -> list[float]:
        """Microseconds within which so many per cent of the calls were done; with 0 the least there was.

        There must be calls in the buckets.  O(buckets) where there was a call since they were asked for last.
        """
        if self._found is None or self._found[0] is not percents:
            self._found = percents, self._percentiles(percents)
        return self._found[1]

    def _percentiles(self, percents: Sequence[float]) -> list[float]:
        buckets = self.buckets
        firsts = sorted(buckets)
        reached = list(accumulate(map(buckets.__getitem__, firsts)))
        calls, found = reached[-1], []
        for percent in percents:
            first = firsts[bisect_left(reached, int(percent / 100 * calls + 0.5) or 1)]
            found.append((first + _width(first) if percent else first) * _MICROS)
        return found


class Event:
    """The samples of one event, the oldest first: second since the epoch and milliseconds of its worst; `worst` of all.

    ``count`` tells how often it was, ``total`` how many milliseconds it took in all.
    """

    __slots__ = ("count", "samples", "total", "worst")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)
        self.worst = self.count = self.total = 0

    def add(self, second: int, millis: int) -> None:
        """Note that it took so long; of the same second only the worst is kept."""
        self.worst = max(self.worst, millis)
        self.count, self.total = self.count + 1, self.total + millis
        if self.samples and self.samples[-1][0] == second:
            millis = max(millis, self.samples.pop()[1])
        self.samples.append((second, millis))


class Latency:
    """The events of an engine; ``threshold`` is in milliseconds, 0 where nothing is noted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.threshold = 0
        self.events: dict[bytes, Event] = {}

    @contextmanager
    def watch(self, name: bytes) -> Iterator[None]:
        """Note how long something takes; to be called where there is a threshold."""
        started = perf_counter()
        try:
            yield
        finally:
            self.note(name, perf_counter() - started)

    def note(self, name: bytes, seconds: float) -> None:
        """Something took so long, which may be too long."""
        millis = int(seconds * 1000)
        if 0 < self.threshold <= millis:
            self.add(name, self._clock.now // 1000, millis)

    def add(self, name: bytes, second: int, millis: int) -> None:
        """Note an event that took too long."""
        self.events.setdefault(name, Event()).add(second, millis)

    def forget(self, names: Iterable[bytes]) -> int:
        """Forget events by name; how many there were."""
        return sum(self.events.pop(name, None) is not None for name in names)


_GRAPH_COLUMNS = 80
_GRAPH_ROWS = 4
_STEPS = "_o#"


def graph(event: Event, now: int) -> Iterator[str]:
    """Lines of a picture of an event's samples, each a column with its age below."""
    samples = list(event.samples)
    low = min(millis for _, millis in samples)
    span = max(millis for _, millis in samples) - low or 1
    for start in range(0, len(samples), _GRAPH_COLUMNS):
        if start:
            yield ""
        part = samples[start : start + _GRAPH_COLUMNS]
        most = len(_STEPS) * _GRAPH_ROWS
        heights = [min((millis - low) * most // span, most - 1) for _, millis in part]
        for row in range(_GRAPH_ROWS - 1, -1, -1):
            yield "".join(_cell(height - row * len(_STEPS)) for height in heights)
        yield " " * len(part)
        ages = [_age(now - second) for second, _ in part]
        for position in range(max(map(len, ages))):
            yield "".join(age[position : position + 1] or " " for age in ages)


def _cell(height: int) -> str:
    if height < 0:
        return " "
    return _STEPS[height] if height < len(_STEPS) else "|"


def _age(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
