"""What the module keeps in RDB files of the open bucket of a rule: for each aggregation what it has gathered so far."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.modules.timeseries.aggregation import interpolated, total
from emulator.rdb.errors import BadData
from emulator.rdb.module import double, read_double, read_unsigned, unsigned

if TYPE_CHECKING:
    from emulator.modules.timeseries.series import Rule, Series
    from emulator.rdb.payload import Reader

_MOST: Final = sys.float_info.max


class _Open(NamedTuple):
    """The samples of an open bucket, with the one before it if that counts, and where it begins and ends."""

    times: Sequence[int]
    values: Sequence[float]
    before: tuple[int, float] | None
    start: int
    end: int


class Gathered(NamedTuple):
    """What a file tells of samples: how many were gathered, or from which moment on; None where it does not."""

    number: int | None = None
    first: int | None = None


def save(series: Series, rule: Rule) -> Iterator[bytes]:
    """The numbers of a rule's open bucket."""
    found = _open_bucket(series, rule)
    name, values = rule.aggregation.name, found.values
    if name in (b"min", b"max", b"range"):
        yield double(-_MOST if name == b"min" else max(values, default=-_MOST))
        yield double(_MOST if name == b"max" else min(values, default=_MOST))
    elif name == b"avg":
        yield double(total(values))
        yield double(float(len(values)))
        yield unsigned(0)
    elif name in (b"sum", b"count"):
        yield double(total(values) if name == b"sum" else float(len(values)))
    elif name == b"first":
        yield double(values[0] if values else 0.0)
        yield unsigned(not values)
    elif name == b"last":
        yield double(values[-1] if values else 0.0)
    elif name == b"twa":
        yield from _time_weighted(found)
    else:
        yield double(total(values))
        yield double(total([value * value for value in values]))
        yield unsigned(len(values))


def _open_bucket(series: Series, rule: Rule) -> _Open:
    if rule.bucket is None:
        return _Open((), (), None, 0, 0)
    end = rule.end_of(rule.bucket)
    place, behind = series.span(max(rule.bucket, rule.since), end - 1)
    before = None
    if place and series.times[place - 1] >= rule.since:
        before = series.times[place - 1], series.values[place - 1]
    return _Open(series.times[place:behind], series.values[place:behind], before, rule.bucket, end)


def _time_weighted(found: _Open) -> Iterator[bytes]:
    times, values = list(found.times), list(found.values)
    if times and found.before is not None:
        moment, value = found.before
        height = interpolated((moment, times[0]), (value, values[0]), found.start)
        times, values = [found.start, *times], [height, *values]
    areas = [
        (values[place] + values[place + 1]) / 2 * (times[place + 1] - times[place]) for place in range(len(times) - 1)
    ]
    yield double(total(areas))
    yield unsigned(times[-1] if times else 0)
    yield double(values[-1] if values else 0.0)
    first, last = (times[0], times[-1]) if times else (0, 0)
    yield from map(unsigned, (found.start, found.end, first, last, found.before is None, len(found.times), 0))


_FORMS: Final = {
    b"avg": "ddu",
    b"sum": "d",
    b"count": "d",
    b"first": "du",
    b"last": "d",
    b"twa": "duduuuuuuu",
} | dict.fromkeys((b"min", b"max", b"range"), "dd")
"""Doubles and unsigned integers; those that are not here have two doubles and a count."""


def load(reader: Reader, name: bytes) -> Gathered:
    """Read them; raises `BadData`."""
    numbers = [read_double(reader) if code == "d" else read_unsigned(reader) for code in _FORMS.get(name, "ddu")]
    if name == b"twa":
        first, is_first = int(numbers[5]), numbers[7]
        return Gathered(first=first) if is_first else Gathered()
    if name in (b"avg", b"count") or name not in _FORMS:
        count = {b"avg": 1, b"count": 0}.get(name, 2)
        if not 0 <= numbers[count] <= 1 << 53:
            raise BadData
        return Gathered(number=int(numbers[count]))
    return Gathered()


def settle(series: Series, rule: Rule, gathered: Gathered) -> None:
    """Let those samples of the open bucket count that were gathered."""
    if rule.bucket is None:
        return
    place, behind = series.span(rule.bucket, rule.end_of(rule.bucket) - 1)
    if gathered.first is not None:
        rule.since = gathered.first
    elif gathered.number is not None and gathered.number < behind - place:
        rule.since = series.times[behind - gathered.number] if gathered.number else series.times[behind - 1] + 1
