"""Samples of several series one after another, in the order in which the real module comes to those of the same moment.

It matters where rounding depends on the order of additions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emulator.modules.timeseries.series import Sample


def merged(series: Sequence[Sequence[Sample]], backwards: bool) -> Iterator[Sample]:
    """Yield the samples of several series, each in order, by time.  O(samples * log series)."""
    sign = -1 if backwards else 1
    heap: list[tuple[int, Sample, Iterator[Sample]]] = []
    for one in series:
        _offer(heap, iter(one), sign)
    while heap:
        _, sample, rest = _polled(heap)
        yield sample
        _offer(heap, rest, sign)


def _offer(heap: list[tuple[int, Sample, Iterator[Sample]]], rest: Iterator[Sample], sign: int) -> None:
    """Enter the next sample of a series; it comes before others of its moment that it meets on its way up."""
    sample = next(rest, None)
    if sample is None:
        return
    new, place = (sign * sample[0], sample, rest), len(heap)
    heap.append(new)
    while place and new[0] <= heap[(place - 1) // 2][0]:
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = new


def _polled(heap: list[tuple[int, Sample, Iterator[Sample]]]) -> tuple[int, Sample, Iterator[Sample]]:
    """Take the first sample out; the last of the heap takes its place and goes down below those that are earlier."""
    first, last = heap[0], heap.pop()
    if not heap:
        return first
    place, count = 0, len(heap)
    while (child := 2 * place + 1) < count:
        if child + 1 < count and heap[child][0] > heap[child + 1][0]:
            child += 1
        if last[0] <= heap[child][0]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = last
    return first
