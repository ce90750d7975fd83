"""Ranges of samples: what is asked for, and what is found."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from emulator.commands.arguments import bounded, integer, wrong_arity
from emulator.modules.timeseries.aggregation import (
    Aggregation,
    Values,
    aggregation,
    bucket_of,
    interpolated,
    time_weighted,
)
from emulator.modules.timeseries.series import Sample, Series, pick
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX, parse_double, parse_integer

START, END, MIDDLE = range(3)
_STAMPS: Final = {b"-": START, b"START": START, b"+": END, b"END": END, b"~": MIDDLE, b"MID": MIDDLE}
_MOST_MOMENTS: Final = 128
_SMALL_BUCKET: Final = 32
_LARGE_BUCKET: Final = 100
"""So many samples in a bucket are few, or many."""
_MOST_EMPTY: Final = 2_000_000
"""The real server goes on until its memory is full."""


@dataclass
class Range:
    """What is asked of a series: samples from ``start`` to ``end``, or with an aggregation a sample for each bucket."""

    start: int
    end: int
    count: int = -1
    latest: bool = False
    moments: list[int] | None = None
    values: tuple[float, float] | None = None
    aggregation: Aggregation | None = None
    duration: int = 0
    align: int = 0
    stamp: int = START
    empty: bool = False
    named: bytes = field(default=b"")


def _error(text: str) -> CommandError:
    return CommandError(f"ERR TSDB: {text}")


def _find(names: Sequence[bytes], name: bytes, start: int = 0) -> int:
    """The place of a word, -1 where it is not."""
    try:
        return names.index(name, start)
    except ValueError:
        return -1


def span(start: bytes, end: bytes) -> tuple[int, int]:
    """The first and the last moment of a range."""
    first = 0 if start == b"-" else bounded(start, 0, INT64_MAX, "ERR TSDB: wrong fromTimestamp")
    last = INT64_MAX if end == b"+" else bounded(end, 0, INT64_MAX, "ERR TSDB: wrong toTimestamp")
    return first, last


def asked(words: Sequence[bytes], command: str) -> Range:
    """What the words of a command behind the key say."""
    first, last = span(words[0], words[1])
    wanted = Range(first, last)
    options = words[2:]
    names = [word.upper() for word in options]
    wanted.latest = b"LATEST" in names
    _read_count(wanted, options, names)
    _read_aggregation(wanted, options, names, command)
    _read_filters(wanted, options, names)
    _read_alignment(wanted, words, names, command)
    return wanted


def _read_count(wanted: Range, options: Sequence[bytes], names: Sequence[bytes]) -> None:
    place = _find(names, b"COUNT")
    for before in (b"AGGREGATION", b"REDUCE"):  # of which COUNT is a kind
        if place > 0 and place - 1 == _find(names, before):
            place = _find(names, b"COUNT", place + 1)
    if place < 0:
        return
    if place + 1 == len(options):
        raise _error("COUNT argument is missing")
    wanted.count = integer(options[place + 1], "ERR TSDB: Couldn't parse COUNT")
    if wanted.count < 1:
        raise _error("Invalid COUNT value")


def _read_aggregation(wanted: Range, options: Sequence[bytes], names: Sequence[bytes], command: str) -> None:
    place = _find(names, b"AGGREGATION")
    if place < 0:
        return
    if place + 2 >= len(options):
        raise _error("Couldn't parse AGGREGATION")
    wanted.named = options[place + 1].lower()
    wanted.aggregation, wanted.duration = read_aggregation(options[place + 1], options[place + 2])
    empty = _find(names, b"EMPTY")
    if empty >= 0 and empty - place not in (3, 5):
        raise _error("EMPTY flag should be the 3rd or 5th flag after AGGREGATION flag")
    wanted.empty = empty >= 0
    stamp = _find(names, b"BUCKETTIMESTAMP")
    if stamp >= 0:
        if stamp - place not in (3, 4):
            raise _error("BUCKETTIMESTAMP flag should be the 3rd or 4th flag after AGGREGATION flag")
        if stamp + 1 == len(names):
            raise wrong_arity(command)
        if names[stamp + 1] not in _STAMPS:
            raise _error("unknown BUCKETTIMESTAMP parameter")
        wanted.stamp = _STAMPS[names[stamp + 1]]


def read_aggregation(name: bytes, duration: bytes) -> tuple[Aggregation, int]:
    """An aggregation and how long its buckets are."""
    length = integer(duration, "ERR TSDB: Couldn't parse AGGREGATION")
    found = aggregation(name)
    if length < 1:
        raise _error("bucketDuration must be greater than zero")
    return found, length


def _read_filters(wanted: Range, options: Sequence[bytes], names: Sequence[bytes]) -> None:
    place = _find(names, b"FILTER_BY_VALUE")
    if place >= 0:
        if place + 2 >= len(options):
            raise _error("FILTER_BY_VALUE one or more arguments are missing")
        wanted.values = (_bound(options[place + 1], "MIN"), _bound(options[place + 2], "MAX"))
    place = _find(names, b"FILTER_BY_TS")
    if place >= 0:
        moments = []
        for word in options[place + 1 : place + 1 + _MOST_MOMENTS]:
            moment = parse_integer(word)
            if moment is None or moment < 0:
                break
            moments.append(moment)
        if not moments:
            raise _error("FILTER_BY_TS one or more arguments are missing")
        wanted.moments = sorted(set(moments))


def _bound(text: bytes, name: str) -> float:
    number = parse_double(text)
    if number is None:
        raise _error(f"Couldn't parse {name}")
    return number


def _read_alignment(wanted: Range, words: Sequence[bytes], names: Sequence[bytes], command: str) -> None:
    place = _find(names, b"ALIGN") + 1
    if not place:
        return
    if place == len(names):
        raise wrong_arity(command)
    word = names[place]
    at_start, at_end = word in (b"-", b"START"), word in (b"+", b"END")
    number = parse_integer(word)
    if not at_start and not at_end and (number is None or number < 0):
        raise _error("unknown ALIGN parameter")
    if wanted.aggregation is None:
        raise _error("ALIGN parameter can only be used with AGGREGATION")
    if at_start and words[0] == b"-":
        raise _error("start alignment can only be used with explicit start timestamp")
    if at_end and words[1] == b"+":
        raise _error("end alignment can only be used with explicit end timestamp")
    wanted.align = wanted.start if at_start else wanted.end if number is None else number


# Finding


def found(series: Series, wanted: Range, backwards: bool, open_bucket: Sample | None) -> list[Sample]:
    """The samples that are asked for; ``open_bucket`` is one more at the end, of a bucket that is not yet closed.

    O(log n + samples of the range).
    """
    first, last = series.span(wanted.start, wanted.end)
    whole = wanted.moments is None and wanted.values is None
    if whole and wanted.aggregation is None and open_bucket is None:
        return _plain(series, first, last, wanted.count, backwards)
    times, values = _samples(series, first, last, wanted)
    if open_bucket is not None and _passes(open_bucket, wanted):
        times, values = [*times, open_bucket[0]], [*values, open_bucket[1]]
    if wanted.aggregation is None:
        samples = list(zip(times, values, strict=True))
    else:
        unchanged = whole and open_bucket is None
        around = (series.times, series.values, first, last) if unchanged else (times, values, 0, len(times))
        if not whole and wanted.aggregation.of is None and times:
            around = _beside(series, times, values)
        samples = _aggregated(around, wanted, backwards)
    if backwards:
        samples.reverse()
    return samples if wanted.count < 0 else samples[: wanted.count]


def _passes(sample: Sample, wanted: Range) -> bool:
    """Whether a sample is in the range and passes the filters."""
    moment, value = sample
    if not wanted.start <= moment <= wanted.end or (wanted.moments is not None and moment not in wanted.moments):
        return False
    return wanted.values is None or wanted.values[0] <= value <= wanted.values[1]


def _plain(series: Series, first: int, last: int, count: int, backwards: bool) -> list[Sample]:
    if count >= 0:
        first, last = (max(first, last - count), last) if backwards else (first, min(last, first + count))
    samples = list(zip(series.times[first:last], series.values[first:last], strict=True))
    if backwards:
        samples.reverse()
    return samples


def _samples(series: Series, first: int, last: int, wanted: Range) -> tuple[Sequence[int], Sequence[float]]:
    """Times and values of the samples that pass the filters."""
    times, values = series.times, series.values
    if wanted.moments is not None:
        places = [bisect_left(times, moment, first, last) for moment in wanted.moments]
        places = [
            place
            for place, moment in zip(places, wanted.moments, strict=True)
            if place < last and times[place] == moment
        ]
    elif wanted.values is not None:
        places = list(range(first, last))
    else:
        return times[first:last], values[first:last]
    if wanted.values is not None:
        least, most = wanted.values
        places = [place for place in places if least <= values[place] <= most]
    return pick(times, values, places)


def _beside(series: Series, times: Sequence[int], values: Sequence[float]) -> Around:
    """Samples that have passed filters, between those of the series that come before and behind: a line leads to these."""
    first, last = bisect_left(series.times, times[0]), bisect_right(series.times, times[-1])
    before, behind = slice(max(first - 1, 0), first), slice(last, last + 1)
    moments = [*series.times[before], *times, *series.times[behind]]
    heights = [*series.values[before], *values, *series.values[behind]]
    place = min(first, 1)
    return moments, heights, place, place + len(times)


Around = tuple[Sequence[int], Sequence[float], int, int]
"""Times and values, and the places of the range in them."""


def _unpacked(around: Around, duration: int) -> Around:
    """The same as lists where there are many buckets: elements of lists are had quicker than those of arrays."""
    times, values, first, last = around
    if last <= first or (times[last - 1] - times[first]) // duration * _LARGE_BUCKET < last - first:
        return around
    start, end = max(first - 1, 0), last + 1
    return list(times[start:end]), list(values[start:end]), first - start, last - start


def _aggregated(around: Around, wanted: Range, backwards: bool) -> list[Sample]:
    """A sample for each bucket, in the order of time.

    Within a bucket the order is that which is asked for.
    """
    assert wanted.aggregation is not None
    of, duration, align = wanted.aggregation.of, wanted.duration, wanted.align
    times, values, first, last = around = _unpacked(around, duration)
    most = wanted.count if not backwards and wanted.count >= 0 else -1
    samples: list[Sample] = []
    if of is not None and not backwards and not wanted.empty:
        return _stamped(_buckets(around, wanted, of, most), wanted)
    place, expected = first, _first_expected(around, wanted)
    while place < last and len(samples) != most:
        moment = times[place]
        start = moment - (moment - align) % duration
        end = start + duration
        if wanted.empty and expected is not None:
            _fill(samples, around, wanted, place, (expected, start), backwards)
        near = place + _SMALL_BUCKET
        behind = bisect_left(times, end, place, near if near < last and times[near] >= end else last)
        if of is None:
            value = _weighted(around, wanted, place, behind, start, backwards)
        else:
            value = of(values[place:behind][::-1] if backwards else values[place:behind])
        samples.append((start, value))
        place, expected = behind, end
    if wanted.empty and of is None and 0 < last < len(times) and len(samples) != most:
        end = bucket_of(wanted.end, duration, align) + duration
        _fill(samples, around, wanted, last, (expected if expected is not None else end, end), backwards)
    return _stamped(samples, wanted)


def _buckets(around: Around, wanted: Range, of: Callable[[Values], float], most: int) -> list[Sample]:
    """The buckets that have samples, in the order of time, so many at the most unless that is negative."""
    times, values, place, last = around
    duration, align = wanted.duration, wanted.align
    samples: list[Sample] = []
    while place < last and len(samples) != most:
        start = times[place]
        start -= (start - align) % duration
        end, near = start + duration, place + _SMALL_BUCKET
        behind = bisect_left(times, end, place, near if near < last and times[near] >= end else last)
        samples.append((start, of(values[place:behind])))
        place = behind
    return samples


def _stamped(samples: list[Sample], wanted: Range) -> list[Sample]:
    """Buckets with the moment that is told of each."""
    shift = (0, wanted.duration, wanted.duration // 2)[wanted.stamp]
    if shift or (samples and samples[0][0] < 0):
        return [(max(start, 0) + shift, value) for start, value in samples]
    return samples


def _first_expected(around: Around, wanted: Range) -> int | None:
    """Where the first bucket begins if it is told of though it may be empty: a line comes into the range from before."""
    assert wanted.aggregation is not None
    if wanted.aggregation.of is None and around[2] > 0:
        return bucket_of(wanted.start, wanted.duration, wanted.align)
    return None


def _weighted(around: Around, wanted: Range, place: int, behind: int, start: int, turned: bool) -> float:
    """The time-weighted mean of a bucket, as far as it is in the range, with the samples beside it."""
    times, values = around[:2]
    before, after = max(place - 1, 0), min(behind + 1, len(times))
    first, end = max(start, wanted.start), min(start + wanted.duration, wanted.end)
    return time_weighted(times[before:after], values[before:after], first, end, turned)


def _fill(
    samples: list[Sample], around: Around, wanted: Range, place: int, gap: tuple[int, int], backwards: bool
) -> None:
    """Enter the buckets without samples from one on to another, which are before the sample of a place."""
    start, end = gap
    assert wanted.aggregation is not None
    if (end - start) // wanted.duration + len(samples) > _MOST_EMPTY:
        raise _error("too many empty buckets")
    times, values = around[:2]
    value = wanted.aggregation.empty
    for bucket in range(start, end, wanted.duration):
        if wanted.aggregation.of is None:
            beside = times[place - 1 : place + 1], values[place - 1 : place + 1]
            first, last = max(bucket, wanted.start), min(bucket + wanted.duration, wanted.end)
            value = (interpolated(*beside, first) + interpolated(*beside, last)) / 2
        if value is None:  # what was met last goes on
            value = values[place if backwards else place - 1]
        samples.append((bucket, value))
