"""What becomes of the samples of a bucket.

Sums are taken one after another in doubles, as in the real server.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, repeat
from operator import add, mul, sub
from typing import Final, NamedTuple

from emulator import lua
from emulator.protocol.errors import CommandError

_FEW: Final = 16
"""Samples for which it is not worth the while to ask Lua."""

Values = Sequence[float]


class Aggregation(NamedTuple):
    """One way to make a number of many.

    ``of`` is given the values in the order of time, and is None where their times count too; ``empty`` is what a bucket
    without samples has, None where that depends on those beside it; ``reduces`` says whether GROUPBY takes it.
    """

    name: bytes
    of: Callable[[Values], float] | None
    empty: float | None = math.nan
    reduces: bool = True


def _added_up(values: Values) -> float:
    return deque(accumulate(values, initial=0.0), maxlen=1)[0]


total: Final[Callable[[Values], float]] = sum if sys.version_info < (3, 12) else _added_up
"""The sum of some numbers, with the rounding of one addition after another: from Python 3.12 on `sum` corrects that."""


def _average(values: Values) -> float:
    whole = total(values)
    if math.isinf(whole):
        count = len(values)
        return math.fsum(value / count for value in values)
    return whole / len(values)


def _variance(values: Values) -> float:
    """The sum of squared differences from the mean."""
    count, whole = len(values), total(values)
    mean = whole / count
    return total([value * value for value in values]) - 2 * whole * whole / count + mean * mean * count


def _population_variance(values: Values) -> float:
    return _variance(values) / len(values)


def _sample_variance(values: Values) -> float:
    count = len(values)
    return 0.0 if count == 1 else _population_variance(values) * count / (count - 1)


AGGREGATIONS: Final = {
    one.name: one
    for one in (
        Aggregation(b"min", min),
        Aggregation(b"max", max),
        Aggregation(b"sum", total, 0.0),
        Aggregation(b"avg", _average),
        Aggregation(b"count", lambda values: float(len(values)), 0.0),
        Aggregation(b"first", lambda values: values[0], reduces=False),
        Aggregation(b"last", lambda values: values[-1], None, reduces=False),
        Aggregation(b"range", lambda values: max(values) - min(values)),
        Aggregation(b"std.p", lambda values: math.sqrt(_population_variance(values))),
        Aggregation(b"std.s", lambda values: math.sqrt(_sample_variance(values))),
        Aggregation(b"var.p", _population_variance),
        Aggregation(b"var.s", _sample_variance),
        Aggregation(b"twa", None, None, reduces=False),
    )
}
NUMBERS: Final = b"none min max sum avg count first last range std.p std.s var.p var.s twa".split()
"""The aggregations by the numbers that they have in payloads."""


def aggregation(name: bytes) -> Aggregation:
    """The aggregation of a name."""
    found = AGGREGATIONS.get(name.lower())
    if found is None:
        raise CommandError("ERR TSDB: Unknown aggregation type")
    return found


def bucket_of(moment: int, duration: int, align: int) -> int:
    """Where the bucket of a moment begins; the first may begin before 0."""
    return moment - (moment - align) % duration


def interpolated(times: Sequence[int], values: Values, moment: int) -> float:
    """What the line through two samples has at a moment."""
    return values[0] + (values[1] - values[0]) * (moment - times[0]) / (times[1] - times[0])


def time_weighted(times: Sequence[int], values: Values, start: int, end: int, turned: bool = False) -> float:
    """The mean over a span of time of the line through some samples; it counts as far as there is a line.

    The samples are those of the span and, where there is one, the one before it and the one behind it.  NaN where no line
    crosses the span.  With `turned` what is added up begins at the end.
    """
    first = bisect_left(times, start)
    last = bisect_left(times, end, first)
    inside, heights = times[first:last], values[first:last]
    span = min(times[-1], end) - max(times[0], start)
    if span <= 0:
        at_start = values[first : bisect_right(times, end, first)]
        return at_start[-1] if at_start else math.nan
    sides = [0.0, 0.0]
    if 0 < first < len(times) and times[first] > start:
        sides[0] = _edge(times, values, first - 1, start, end)
    if first < last < len(times):
        sides[1] = _edge(times, values, last - 1, start, end)
    if turned:
        sides.reverse()
    return (_area(inside, heights, sides[0], turned) + sides[1]) / span


def _area(times: Sequence[int], values: Values, before: float, turned: bool) -> float:
    """The area under the line through some samples, added to that `before` it; by LuaJIT where there is enough to do."""
    if isinstance(times, array) and isinstance(values, array) and len(times) > _FEW:
        area = lua.function("modules/timeseries/areas", "area")
        if area is not None:
            return float(area(times.tobytes(), values.tobytes(), before, turned))
    means = map(mul, map(add, values, values[1:]), repeat(0.5))
    areas = list(map(mul, means, map(sub, times[1:], times)))
    return total([before, *(reversed(areas) if turned else areas)])


def _edge(times: Sequence[int], values: Values, place: int, start: int, end: int) -> float:
    """The area under that part of the line from one sample to the next that is in a span."""
    moments, heights = times[place : place + 2], values[place : place + 2]
    first, last = max(moments[0], start), min(moments[1], end)
    left = heights[0] if first == moments[0] else interpolated(moments, heights, first)
    right = heights[1] if last == moments[1] < end else interpolated(moments, heights, last)
    return (left + right) / 2 * (last - first)
