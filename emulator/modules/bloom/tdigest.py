"""t-digests: quantiles of many numbers from a few centroids, which are smaller the nearer they are to either end.

Source: T. Dunning and O. Ertl, "Computing Extremely Accurate Quantiles Using t-Digests" (the merging variant, k2 scale).
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Final

from emulator.modules.bloom.node_order import ordered
from emulator.protocol.numbers import INT64_MIN

MOST_NODES: Final = 1 << 40
"""More the real server finds no memory for."""


_FEWEST: Final = 2
"""The scale knows no fewer numbers: it divides by the logarithm of how many there are."""


_NO_RANK: Final = INT64_MIN
"""What C makes of NaN as an integer."""


class TDigest:
    """A t-digest of a compression, with room for ``capacity`` nodes.

    The ``merged`` first nodes are centroids in order, those behind them are numbers yet to be merged.  Adding: O(log n) on
    average; questions: O(capacity log capacity) after something was added, else O(capacity).
    """

    __slots__ = (
        "_middles",
        "capacity",
        "compression",
        "compressions",
        "max",
        "means",
        "merged",
        "merged_weight",
        "min",
        "weights",
    )

    encoding = b"raw"

    def __init__(self, compression: int) -> None:
        self.compression = compression
        self.capacity = 6 * compression + 10
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.min = sys.float_info.max
        self.max = -sys.float_info.max
        self.means: list[float] = []
        self.weights: list[int] = []
        self.merged = self.merged_weight = self.compressions = 0
        self._middles: list[float] | None = None

    def __len__(self) -> int:
        return 1

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server."""
        return 16 * self.capacity + 8

    @property
    def unmerged_weight(self) -> int:
        """How many numbers are yet to be merged."""
        return sum(self.weights[self.merged :])

    @property
    def size(self) -> int:
        """How many numbers were added."""
        return self.merged_weight + self.unmerged_weight

    def copy(self) -> TDigest:
        """The same numbers, independent of these.  O(capacity)."""
        twin = TDigest(self.compression)
        for slot in TDigest.__slots__:
            setattr(twin, slot, getattr(self, slot))
        twin.means, twin.weights = list(self.means), list(self.weights)
        return twin

    # Adding

    def add(self, mean: float, weight: int = 1) -> None:
        """Add a number, or so many of them."""
        if len(self.means) >= self.capacity - 1:
            self.compress()
        if mean < self.min:
            self.min = mean
        if mean > self.max:
            self.max = mean
        self.means.append(mean)
        self.weights.append(weight)

    def add_all(self, numbers: Sequence[float]) -> None:
        """Add numbers, at least one, one after the other."""
        self.min, self.max = min(self.min, *numbers), max(self.max, *numbers)
        place = 0
        while place < len(numbers):
            if len(self.means) >= self.capacity - 1:
                self.compress()
            portion = numbers[place : place + self.capacity - 1 - len(self.means)] or numbers[place : place + 1]
            self.means += portion
            self.weights += [1] * len(portion)
            place += len(portion)

    def merge(self, other: TDigest) -> None:
        """Add what another has."""
        self.compress()
        other.compress()
        for mean, weight in zip(list(other.means), list(other.weights), strict=True):
            self.add(mean, weight)

    def compress(self) -> None:
        """Merge what was added into the centroids; a single number stays as it is, and so questions find nothing."""
        total = self.size
        if len(self.means) == self.merged or total < _FEWEST:
            return
        nodes = ordered(self.means, self.weights)
        means: list[float] = []
        weights: list[int] = []
        scale = self.compression / (2 * math.pi * total * math.log(total))
        before, limit = 0, 0.0
        mean, weight = nodes[0]
        for next_mean, next_weight in nodes[1:]:
            both = weight + next_weight
            size = both * scale
            if size <= limit:
                reached = (before + both) / total
                if size <= reached * (1 - reached):
                    weight = both
                    mean += (next_mean - mean) * next_weight / both
                    continue
            means.append(mean)
            weights.append(weight)
            before += weight
            limit = before / total
            limit *= 1 - limit
            mean, weight = next_mean, next_weight
        means.append(mean)
        weights.append(weight)
        self.means, self.weights = means, weights
        self.merged, self.merged_weight = len(means), total
        self.compressions += 1
        self._middles = None

    # Asking

    def quantile(self, fraction: float) -> float:
        """The number below which this fraction lies; NaN where there are none."""
        self.compress()
        if not self.merged:
            return math.nan
        if len(self.means) == 1:
            return self.means[0]
        return self._at(fraction * self.merged_weight)

    def _at(self, index: float) -> float:
        """The number of an index, from 0 to the number of all."""
        means, weights, total = self.means, self.weights, self.merged_weight
        left, right = weights[0], weights[-1]
        if left > 1 and index < left / 2:
            return self.min + _quotient(index - 1, left / 2 - 1) * (means[0] - self.min)
        if index > total - 1:
            return self.max
        if right > 1 and total - index <= right / 2:
            return self.max - _quotient(total - index - 1, right / 2 - 1) * (self.max - means[-1])
        reached = self._positions()
        place = max(bisect_right(reached, index) - 1, 0)
        if place < len(means) - 1:
            width = (weights[place] + weights[place + 1]) / 2
            index -= reached[place]
            return _between(means[place], weights[place], means[place + 1], weights[place + 1], index, width)
        outside = index - total - right / 2
        return _average(means[-1], outside, self.max, right / 2 - outside)

    def _positions(self) -> list[float]:
        """The index of each centroid's middle."""
        if self._middles is None:
            weights = self.weights
            widths = [(weight + following) / 2 for weight, following in pairwise(weights)]
            self._middles = list(accumulate(widths, initial=weights[0] / 2))
        return self._middles

    def cdf(self, number: float) -> float:
        """Which fraction lies below a number, half of those equal to it included; NaN where there are none."""
        self.compress()
        means, weights, total = self.means, self.weights, self.merged_weight
        if not self.merged:
            return math.nan
        if number < self.min:
            return 0.0
        if number > self.max:
            return 1.0
        if len(means) == 1:
            width = self.max - self.min
            return 0.5 if number - self.min <= width else (number - self.min) / width
        if number < means[0]:
            if number == self.min:
                return 0.5 / total
            return (1 + (number - self.min) / (means[0] - self.min) * (weights[0] / 2 - 1)) / total
        if number > means[-1]:
            if number == self.max:
                return 1 - 0.5 / total
            return 1 - (1 + (self.max - number) / (self.max - means[-1]) * (weights[-1] / 2 - 1)) / total
        return self._inner_cdf(number)

    def _inner_cdf(self, number: float) -> float:
        means, weights, total = self.means, self.weights, self.merged_weight
        before = 0
        for place in range(len(means) - 1):
            mean, weight = means[place], weights[place]
            if mean == number:
                equal = sum(one for one, at in zip(weights[place:], means[place:], strict=True) if at == number)
                return (before + equal / 2) / total
            if mean <= number < means[place + 1]:
                following = weights[place + 1]
                if weight == following == 1:
                    return (before + 1) / total
                left = 0.5 if weight == 1 else 0.0
                right = 0.5 if following == 1 else 0.0
                width = (weight + following) / 2 - left - right
                base = before + weight / 2 + left
                return (base + width * (number - mean) / (means[place + 1] - mean)) / total
            before += weight
        return 1 - 0.5 / total

    def trimmed_mean(self, low: float, high: float) -> float:
        """The mean without the lowest and the highest, which two fractions cut off; NaN where there are none."""
        self.compress()
        if not self.merged:
            return math.nan
        if len(self.means) == 1:
            return self.means[0]
        first, last = math.floor(self.merged_weight * low), math.ceil(self.merged_weight * high)
        done, count = 0, 0.0
        total = 0.0
        for mean, weight in zip(self.means, self.weights, strict=True):
            part = weight - min(max(0, first - done), weight)
            part = min(max(0, last - done), part)
            done += weight
            total += mean * part
            count += part
            if done >= last:
                break
        return total / count if count else math.nan

    def rank(self, number: float) -> int:
        """How many are less than a number; -1 below all, -2 where there are none."""
        size = self.size
        if not size:
            return -2
        if number < self.min:
            return -1
        if number > self.max:
            return size
        below = self.cdf(number) * size
        return _NO_RANK if math.isnan(below) else math.ceil(below - 0.5)

    def reverse_rank(self, number: float) -> int:
        """How many are greater than a number; -1 above all, -2 where there are none."""
        size = self.size
        if not size:
            return -2
        if number > self.max:
            return -1
        if number < self.min:
            return size
        below = self.cdf(number) * size
        return _NO_RANK if math.isnan(below) else size - math.floor(below + 0.5)

    def by_rank(self, rank: int) -> float:
        """The number of a rank from below; infinite behind the last, NaN where there are none."""
        size = self.size
        if not size:
            return math.nan
        if rank >= size:
            return math.inf
        return self.quantile(rank / size) if rank else self.min

    def by_reverse_rank(self, rank: int) -> float:
        """The number of a rank from above; minus infinite behind the last, NaN where there are none."""
        size = self.size
        if not size:
            return math.nan
        if rank >= size:
            return -math.inf
        if not rank:
            return self.max
        self.compress()
        return self.by_rank(size - rank - 1)


def _quotient(number: float, divisor: float) -> float:
    """A quotient, infinite or NaN where the divisor is 0."""
    if divisor:
        return number / divisor
    return math.copysign(math.inf, number) if number else math.nan


def _between(left: float, weight: int, right: float, following: int, index: float, width: float) -> float:
    """The number between two centroids at an index from the middle of the first: a single number owns the half beside it."""
    left_unit = right_unit = 0.0
    if weight == 1:
        if index < 0.5:
            return left
        left_unit = 0.5
    if following == 1:
        if width - index <= 0.5:
            return right
        right_unit = 0.5
    return _average(left, width - index - right_unit, right, index - left_unit)


def _average(one: float, weight: float, other: float, other_weight: float) -> float:
    """The weighted mean, which lies between the two."""
    if one > other:
        one, weight, other, other_weight = other, other_weight, one, weight
    return max(one, min((one * weight + other * other_weight) / (weight + other_weight), other))


def merged(sources: Iterable[TDigest], compression: int) -> TDigest:
    """A digest of what several have."""
    result = TDigest(compression)
    for source in sources:
        result.merge(source)
    return result
