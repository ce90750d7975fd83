"""Time series: samples by their moments, labels, and the rules by which other series follow."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from emulator.modules.timeseries.aggregation import Aggregation, Values, bucket_of, time_weighted
from emulator.modules.timeseries.chunks import Layout

Sample = tuple[int, float]

POLICIES: Final = (b"block", b"last", b"first", b"min", b"max", b"sum")
"""What becomes of a sample for a moment that has one, in the order of their numbers."""

_RULE: Final = 64
_LABEL: Final = 9


class Duplicate(Exception):
    """There is a sample for this moment, and the policy wants no other."""


class TooOld(Exception):
    """A sample is older than the series keeps any."""


class Rule:
    """Another series has an aggregation of each bucket of this one.

    ``bucket`` is where the open bucket begins, None before the first sample; ``since`` is from when on its samples count:
    what was there before the rule does not.
    """

    __slots__ = ("aggregation", "align", "bucket", "destination", "duration", "since")

    def __init__(self, destination: bytes, aggregation: Aggregation, duration: int, align: int) -> None:
        self.destination = destination
        self.aggregation = aggregation
        self.duration = duration
        self.align = align
        self.bucket: int | None = None
        self.since = 0

    def copy(self) -> Rule:
        twin = Rule(self.destination, self.aggregation, self.duration, self.align)
        twin.bucket, twin.since = self.bucket, self.since
        return twin

    def start_of(self, moment: int) -> int:
        """Where the bucket of a moment begins, from 0 on."""
        return max(bucket_of(moment, self.duration, self.align), 0)

    def end_of(self, start: int) -> int:
        """Where the bucket ends that begins there."""
        return bucket_of(start, self.duration, self.align) + self.duration


class Series:
    """One time series, of the key ``key``.

    Appending: O(1); another moment: O(n), quick; looking up: O(log n).  ``policy`` is one of `POLICIES`, None where the
    server's counts; ``ignored`` says how near in time and value a sample is to the last one to be ignored, with the policy
    last.
    """

    __slots__ = (
        "ignored",
        "key",
        "labels",
        "layout",
        "policy",
        "retention",
        "rules",
        "source",
        "times",
        "values",
    )

    encoding = b"raw"

    def __init__(self, key: bytes, chunk_size: int, compressed: bool) -> None:
        self.key = key
        self.times = array("q")
        self.values = array("d")
        self.retention = 0
        self.policy: bytes | None = None
        self.ignored: tuple[int, float] = (0, 0.0)
        self.labels: tuple[tuple[bytes, bytes], ...] = ()
        self.rules: list[Rule] = []
        self.source: bytes | None = None
        self.layout = Layout(chunk_size, compressed)

    def __len__(self) -> int:
        return 1

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server, as TS.INFO tells them."""
        labels = sum(len(word) + _LABEL for pair in self.labels for word in pair)
        return self.layout.footprint(self.times, self.values) + labels + _RULE * len(self.rules)

    def copy(self) -> Series:
        """The same samples, independent of these.  O(n)."""
        twin = Series(self.key, self.layout.size, self.layout.compressed)
        twin.times, twin.values = self.times[:], self.values[:]
        twin.retention, twin.policy, twin.ignored = self.retention, self.policy, self.ignored
        twin.labels, twin.source = self.labels, self.source
        twin.rules = [rule.copy() for rule in self.rules]
        twin.layout = self.layout.copy()
        return twin

    @property
    def last(self) -> Sample | None:
        """The last sample."""
        return (self.times[-1], self.values[-1]) if self.times else None

    @property
    def oldest(self) -> int:
        """The first moment that is kept."""
        return max(self.times[-1] - self.retention, 0) if self.retention and self.times else 0

    # Changing

    def ignores(self, moment: int, value: float, policy: bytes) -> bool:
        """Whether a sample is so near to the last one that it is not worth keeping."""
        span, difference = self.ignored
        if not self.times or policy != b"last":
            return False
        last = self.times[-1]
        return moment >= last and moment - last <= span and abs(value - self.values[-1]) <= difference

    def add(self, moment: int, value: float, policy: bytes) -> bool:
        """Add a sample; whether it is the last one now.  Raises `Duplicate`, `TooOld`."""
        times = self.times
        if not times or moment > times[-1]:
            times.append(moment)
            self.values.append(value)
            if self.retention and times[0] < moment - self.retention:
                self._trim(moment - self.retention)
            return True
        if moment < self.oldest:
            raise TooOld
        place = bisect_left(times, moment)
        if place < len(times) and times[place] == moment:
            self.values[place] = _resolved(policy, self.values[place], value)
        else:
            times.insert(place, moment)
            self.values.insert(place, value)
        self.layout.disturb(place)
        return False

    def _trim(self, oldest: int) -> None:
        """Let whole chunks go that are older than all that is kept."""
        count = self.layout.expired(self.times, self.values, oldest)
        if count:
            del self.times[:count], self.values[:count]

    def delete(self, start: int, end: int) -> int:
        """Delete the samples of a span, its end included; how many there were."""
        first, last = bisect_left(self.times, start), bisect_right(self.times, end)
        if last > first:
            del self.times[first:last], self.values[first:last]
            self.layout.disturb(first)
        return max(last - first, 0)

    # Looking

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The places of the samples of a span of time, its end included."""
        return bisect_left(self.times, max(start, self.oldest)), bisect_right(self.times, end)

    def bucket(self, rule: Rule, start: int, since: int = 0) -> float | None:
        """The aggregation of the bucket that begins there, None where it has no samples."""
        first = bisect_left(self.times, max(start, since))
        last = bisect_left(self.times, rule.end_of(start))
        if first >= last:
            return None
        if rule.aggregation.of is not None:
            return rule.aggregation.of(self.values[first:last])
        return self.weighted(first, last, start, rule.end_of(start), since)

    def weighted(self, first: int, last: int, start: int, end: int, since: int = 0) -> float:
        """The time-weighted mean of a span whose samples have these places."""
        before = first - 1 if first and self.times[first - 1] >= since else first
        behind = min(last + 1, len(self.times))
        return time_weighted(self.times[before:behind], self.values[before:behind], start, end)

    def latest(self, rule: Rule) -> Sample | None:
        """The open bucket of a rule as a sample, None where it has no samples."""
        if rule.bucket is None:
            return None
        value = self.bucket(rule, rule.bucket, rule.since)
        return None if value is None else (rule.bucket, value)


def _resolved(policy: bytes, old: float, new: float) -> float:
    """The value of a moment for which there is one already."""
    if policy == b"block":
        raise Duplicate
    if policy == b"last":
        return new
    if policy == b"first":
        return old
    if policy == b"sum":
        return old + new
    return min(old, new) if policy == b"min" else max(old, new)


def pick(times: Sequence[int], values: Values, places: Sequence[int]) -> tuple[list[int], list[float]]:
    """The samples at some places."""
    return [times[place] for place in places], [values[place] for place in places]
