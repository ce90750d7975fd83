"""What becomes of the samples of a bucket.

Sums are taken one after another in doubles, as in the real server: `sum` corrects its rounding errors.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from emulator.protocol.errors import CommandError

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


def total(values: Values) -> float:
    """The sum, with the rounding of one addition after another."""
    return deque(accumulate(values, initial=0.0), maxlen=1)[0]


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
    return total([value * value for value in values]) - 2 * whole * mean + mean * mean * count


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


def time_weighted(times: Sequence[int], values: Values, start: int, end: int) -> float:
    """The mean over a span of time of the line through some samples; it counts as far as there is a line.

    The samples are those of the span and, where there is one, the one before it and the one behind it.  NaN where no line
    crosses the span.
    """
    area, span = 0.0, 0
    for place in range(len(times) - 1):
        left, right = times[place], times[place + 1]
        one, other = values[place], values[place + 1]
        first, last = max(left, start), min(right, end)
        if last <= first:
            continue
        slope = (other - one) / (right - left)
        at_first = one + slope * (first - left) if first > left else one
        at_last = one + slope * (last - left) if last < right else other
        area += (at_first + at_last) / 2 * (last - first)
        span += last - first
    if span:
        return area / span
    inside = [value for moment, value in zip(times, values, strict=True) if start <= moment < end]
    return inside[-1] if inside else math.nan
