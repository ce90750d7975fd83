"""Top-K: which items were counted most often, by HeavyKeeper.

Source: J. Gong et al., "HeavyKeeper: An Accurate Algorithm for Finding Top-k Elephant Flows", USENIX ATC 2018.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

from emulator.modules.bloom.hashes import fingerprint_of, places
from emulator.modules.bloom.room import copied, zeroed

MOST_INCREMENT: Final = 100_000
MOST_DEPTH: Final = 4096
"""More rows would only keep others waiting at each item."""
WIDTH, DEPTH, DECAY = 8, 7, 0.9
"""What a list is made with unless it is told otherwise."""

_POWERS: Final = 256
_NEVER: Final = 1e-30
_MOST: Final = (1 << 32) - 1


class Entry:
    """An item of the list, with its place in the heap."""

    __slots__ = ("count", "fingerprint", "item", "place")

    def __init__(self, item: bytes, fingerprint: int, count: int, place: int) -> None:
        self.item = item
        self.fingerprint = fingerprint
        self.count = count
        self.place = place


class TopK:
    """The ``k`` items counted most often, over counters in ``depth`` rows of ``width`` cells.

    A cell is a fingerprint and a count, two integers beside one another: ``prints`` and ``counts`` have them.  ``heap`` has
    the entries by their places in a heap of k, the smallest first; a place that is not there counts 0.  Raises `NoRoom`.
    Counting: O(depth * increment + log k).
    """

    __slots__ = ("counts", "decay", "depth", "entries", "heap", "k", "powers", "prints", "room", "width")

    encoding = b"raw"

    def __init__(self, k: int, width: int, depth: int, decay: float) -> None:
        self.k = k
        self.width = width
        self.depth = depth
        self.decay = decay
        self.room = zeroed(width * depth * 8)
        self._divide()
        self.entries: dict[bytes, Entry] = {}
        self.heap: dict[int, Entry] = {}
        self.powers = [decay**count for count in range(_POWERS)]

    def _divide(self) -> None:
        cells = memoryview(self.room).cast("I")
        self.prints, self.counts = cells[::2], cells[1::2]

    def __len__(self) -> int:
        return 1

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server, as that counts them: without the items."""
        return 40 + 8 * _POWERS + 8 * self.width * self.depth + 24 * self.k

    def copy(self) -> TopK:
        """The same counts, independent of these.  O(width * depth + k)."""
        twin = TopK.__new__(TopK)
        twin.k, twin.width, twin.depth = self.k, self.width, self.depth
        twin.decay, twin.powers = self.decay, self.powers
        twin.room = copied(self.room)
        twin._divide()
        twin.heap = {
            place: Entry(entry.item, entry.fingerprint, entry.count, place) for place, entry in self.heap.items()
        }
        twin.entries = {entry.item: entry for entry in twin.heap.values()}
        return twin

    def add(self, item: bytes, increment: int, random: Random) -> bytes | None:
        """Count an item; the one that had to leave the list for it."""
        fingerprint = fingerprint_of(item)
        prints, counts, best = self.prints, self.counts, 0
        for place in places(item, self.depth, self.width):
            count = counts[place]
            if not count:
                prints[place], count = fingerprint, increment
                counts[place] = count
            elif prints[place] == fingerprint:
                count = counts[place] = count + increment & _MOST
            else:
                count = self._wear(place, fingerprint, increment, random)
            if count > best:
                best = count
        entry = self.entries.get(item)
        if entry is not None:
            entry.count = best
            self._sift(entry)
            return None
        smallest = self.heap.get(0)
        if smallest is not None and best < smallest.count:
            return None
        return self._replace_smallest(item, fingerprint, best)

    def _wear(self, place: int, fingerprint: int, increment: int, random: Random) -> int:
        """Wear another item's count away; how much of the increment is left where it has gone, else 0.

        Each unit takes one away with a chance that falls with the count; how many units do not is drawn at once.
        """
        counts = self.counts
        count = counts[place]
        if increment == 1 and count > 1:
            if random.random() < self._chance(count):
                counts[place] = count - 1
            return 0
        while increment:
            chance = self._chance(count)
            if chance < 1:
                increment -= _failures(chance, increment, random)
                if not increment:
                    break
            count -= 1
            if not count:
                self.prints[place], counts[place] = fingerprint, increment
                return increment
            increment -= 1
        counts[place] = count
        return 0

    def _chance(self, count: int) -> float:
        """How likely it is that a unit wears a count away by one."""
        powers = self.powers
        return powers[count] if count < _POWERS else powers[-1] ** (count // 255) * powers[count % 255]

    def _replace_smallest(self, item: bytes, fingerprint: int, count: int) -> bytes | None:
        left = self.heap.get(0)
        if left is not None:
            del self.entries[left.item]
        entry = self.entries[item] = self.heap[0] = Entry(item, fingerprint, count, 0)
        self._sift(entry)
        return None if left is None else left.item

    def _sift(self, entry: Entry) -> None:
        """Bring an entry down to where those below it count no less; among equals it goes all the way."""
        heap, k = self.heap, self.k
        place = start = entry.place
        while 2 * place + 1 < k:
            child = 2 * place + 1
            first, second = heap.get(child), heap.get(child + 1)
            count = first.count if first is not None else 0
            if child + 1 < k:
                other = second.count if second is not None else 0
                if count > other:
                    child, first, count = child + 1, second, other
            if count > entry.count or (count == entry.count and place != start):
                break
            self._put(place, first)
            place = child
        self._put(place, entry)

    def _put(self, place: int, entry: Entry | None) -> None:
        if entry is None:
            self.heap.pop(place, None)
        else:
            self.heap[place] = entry
            entry.place = place

    def count(self, item: bytes) -> int:
        """How often an item was counted, about."""
        entry = self.entries.get(item)
        if entry is not None:
            return entry.count
        fingerprint, prints = fingerprint_of(item), self.prints
        cells = places(item, self.depth, self.width)
        return max((self.counts[place] for place in cells if prints[place] == fingerprint), default=0)

    def ranked(self) -> list[Entry]:
        """The list, the item counted most often first.  O(k log k)."""
        entries = [self.heap[place] for place in sorted(self.heap)]
        return sorted((entry for entry in entries if entry.count), key=lambda entry: -entry.count)


def _failures(chance: float, most: int, random: Random) -> int:
    """How many of so many draws fail before the first that does not."""
    if chance < _NEVER:
        return most
    return min(int(math.log(1 - random.random()) / math.log1p(-chance)), most)
