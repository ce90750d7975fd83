"""A sequence that grows and shrinks at both ends, and whose every place is reached at once.

It is two lists: ``front`` is turned round, so that the first value stands at its end, and ``back`` goes on behind it.  Where
one of them is used up it gets half of the other, but no more than can be moved while others wait: each value taken pays for
one that is moved, so the ends are amortised O(1).

Once it was copied there are chunks of equal size between the two, the ``middle``, which both copies have: so a further copy,
what is taken from an end of one, is a matter of chunks.  One in which a value changes is first replaced by an `Own` one.
What comes from a payload is kept as it was read, chunk by chunk, until somebody looks at one (`Unread`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

_FEW: Final = 64
"""So many values are shifted by one more quickly than parted."""
_MOVED: Final = 1 << 16
"""So many values are moved in 2 to 4 ms."""
_CHUNK: Final = 8192
"""Values of a chunk: many for reading, few for cutting one."""


class Own(list[bytes]):
    """A chunk that no copy has."""

    __slots__ = ()


class Unread(bytes):
    """A chunk that nobody has looked at since it was read: its values with a line break behind each."""

    __slots__ = ()


class Texts(NamedTuple):
    """So many values without line breaks, with one behind each."""

    joined: bytes
    amount: int

    def parted(self) -> list[bytes]:
        """The values.  O(values)."""
        return _parted(self.joined)


def _parted(joined: bytes) -> list[bytes]:
    values = joined.split(b"\n")
    values.pop()
    return values


class TwoEnded:
    """Values in order.  ``front`` and ``back`` may be extended, and are else for reading.

    The ends and any place: O(1), but the first change of a value in each chunk; inserting and deleting: O(n), by moving
    blocks of memory.
    """

    __slots__ = ("back", "front", "middle")

    def __init__(self, values: Iterable[bytes] = ()) -> None:
        self.front: list[bytes] = []
        self.middle: list[list[bytes] | Unread] = []
        self.back = list(values)

    @classmethod
    def read(cls, pieces: Iterable[list[bytes] | Texts]) -> TwoEnded:
        """The values of some pieces, of which those of `Texts` are parted when they are looked at.  O(bytes)."""
        new = cls()
        joined, count = b"", 0
        for piece in pieces:
            if new.back or not isinstance(piece, Texts):  # what is behind it is no chunk any more
                new.back += _parted(joined)
                new.back += piece.parted() if isinstance(piece, Texts) else piece
                joined, count = b"", 0
                continue
            joined, count = joined + piece.joined, count + piece.amount
            while count >= _CHUNK:
                count -= _CHUNK
                end = len(joined.rsplit(b"\n", count + 1)[0]) + 1
                new.middle.append(Unread(joined[:end]))
                joined = joined[end:]
        new.back += _parted(joined)
        return new

    def _chunk(self, number: int) -> list[bytes]:
        """The values of a chunk."""
        chunk = self.middle[number]
        if isinstance(chunk, Unread):
            chunk = self.middle[number] = _parted(chunk)
        return chunk

    def __len__(self) -> int:
        return len(self.front) + _CHUNK * len(self.middle) + len(self.back)

    def __iter__(self) -> Iterator[bytes]:
        if not self.middle:
            return chain(reversed(self.front), self.back)
        chunks = map(self._chunk, range(len(self.middle)))
        return chain(reversed(self.front), chain.from_iterable(chunks), self.back)

    def __reversed__(self) -> Iterator[bytes]:
        if not self.middle:
            return chain(reversed(self.back), self.front)
        chunks = map(self._chunk, range(len(self.middle) - 1, -1, -1))
        return chain(reversed(self.back), chain.from_iterable(map(reversed, chunks)), self.front)

    def copy(self) -> TwoEnded:
        """The same values, each for itself.  O(values that are in no shared chunk yet)."""
        self._gather()
        twin = TwoEnded(self.back)
        twin.front = self.front.copy()
        twin.middle = self.middle.copy()
        return twin

    def _gather(self) -> None:
        """Make chunks that can be shared of all values but a few at the ends."""
        ahead, behind = len(self.front) // _CHUNK * _CHUNK, len(self.back) // _CHUNK * _CHUNK
        before = [self.front[place - _CHUNK : place] for place in range(ahead, 0, -_CHUNK)]
        for chunk in before:
            chunk.reverse()
        after = [self.back[place : place + _CHUNK] for place in range(0, behind, _CHUNK)]
        within = [list(chunk) if chunk.__class__ is Own else chunk for chunk in self.middle]
        self.middle = [*before, *within, *after]
        del self.front[:ahead]
        del self.back[:behind]

    def _join(self) -> None:
        """Have no chunks.  O(n)."""
        if self.middle:
            self.front, self.middle, self.back = [], [], list(self)

    # Ends

    def pop_left(self) -> bytes:
        """Take the first value; raises IndexError where there is none."""
        if not self.front:
            if self.middle:
                self.front.extend(reversed(self._chunk(0)))
                del self.middle[0]
            elif len(self.back) <= _FEW:
                return self.back.pop(0)
            else:
                self._fill_front(0)
        return self.front.pop()

    def pop_right(self) -> bytes:
        """Take the last value; raises IndexError where there is none."""
        if not self.back:
            if self.middle:
                self.back.extend(self._chunk(len(self.middle) - 1))
                del self.middle[-1]
            elif len(self.front) <= _FEW:
                return self.front.pop(0)
            else:
                self._fill_back(0)
        return self.back.pop()

    def take_left(self, count: int) -> list[bytes]:
        """Take some of the first values, of which there must be as many, the first one first.  O(count), amortised."""
        if self.middle:
            first = self.slice(0, count)
            self.drop_left(count)
            return first
        if len(self.front) < count:
            self._fill_front(count)
        front = self.front
        taken = front[len(front) - count :]
        del front[len(front) - count :]
        taken.reverse()
        return taken

    def take_right(self, count: int) -> list[bytes]:
        """Take some of the last values, the last one first."""
        if self.middle:
            last = self.slice(len(self) - count, len(self))
            self.drop_right(count)
            last.reverse()
            return last
        if len(self.back) < count:
            self._fill_back(count)
        back = self.back
        taken = back[len(back) - count :]
        del back[len(back) - count :]
        taken.reverse()
        return taken

    def drop_left(self, count: int) -> None:
        """Give up some of the first values, of which there must be as many."""
        kept = len(self.front) - count
        del self.front[max(kept, 0) :]
        beyond = max(-kept, 0)
        if beyond and self.middle:
            chunks, part = divmod(beyond, _CHUNK)
            beyond = max(beyond - _CHUNK * len(self.middle), 0)
            if part and not beyond:
                self.front.extend(reversed(self._chunk(chunks)[part:]))
            del self.middle[: chunks + bool(part)]
        del self.back[:beyond]

    def drop_right(self, count: int) -> None:
        """Give up some of the last values."""
        kept = len(self.back) - count
        del self.back[max(kept, 0) :]
        beyond = max(-kept, 0)
        if beyond and self.middle:
            chunks, part = divmod(beyond, _CHUNK)
            beyond = max(beyond - _CHUNK * len(self.middle), 0)
            if part and not beyond:
                self.back.extend(self._chunk(len(self.middle) - 1 - chunks)[: _CHUNK - part])
            del self.middle[max(len(self.middle) - chunks - bool(part), 0) :]
        del self.front[:beyond]

    def _fill_front(self, least: int) -> None:
        """Move values from the back to the front, and so many that it has `least`."""
        moved = max(min((len(self.back) + 1) // 2, _MOVED), least - len(self.front))
        self.front = self.back[moved - 1 :: -1] + self.front
        del self.back[:moved]

    def _fill_back(self, least: int) -> None:
        moved = max(min((len(self.front) + 1) // 2, _MOVED), least - len(self.back))
        self.back = self.front[moved - 1 :: -1] + self.back
        del self.front[:moved]

    # Places, which negative indexes count from the end

    def __getitem__(self, index: int) -> bytes:
        values, place = self._place(index)
        return values[place]

    def __setitem__(self, index: int, value: bytes) -> None:
        if self.middle:
            number = (index % len(self) - len(self.front)) // _CHUNK
            if 0 <= number < len(self.middle) and self.middle[number].__class__ is not Own:
                self.middle[number] = Own(self._chunk(number))
        values, place = self._place(index)
        values[place] = value

    def __delitem__(self, index: int) -> None:
        self._join()
        values, place = self._place(index)
        del values[place]

    def _place(self, index: int) -> tuple[list[bytes], int]:
        """The list that has the value of an index, and where; raises IndexError."""
        ahead = len(self.front)
        size = ahead + _CHUNK * len(self.middle) + len(self.back)
        if not -size <= index < size:
            raise IndexError(index)
        index %= size
        if index < ahead:
            return self.front, ahead - 1 - index
        index -= ahead
        if self.middle:
            number, place = divmod(index, _CHUNK)
            if number < len(self.middle):
                return self._chunk(number), place
            index -= _CHUNK * len(self.middle)
        return self.back, index

    def insert(self, index: int, value: bytes) -> None:
        """Put a value where it has an index from 0 to the number of values."""
        self._join()
        ahead = len(self.front)
        if index < ahead:
            self.front.insert(ahead - index, value)
        else:
            self.back.insert(index - ahead, value)

    def slice(self, start: int, stop: int) -> list[bytes]:
        """The values from start up to stop, which lie between 0 and the number of values.  O(values)."""
        ahead = len(self.front)
        if not self.middle and start >= ahead:
            return self.back[start - ahead : stop - ahead]
        found = self.front[max(ahead - stop, 0) : max(ahead - start, 0)]
        found.reverse()
        behind = ahead + _CHUNK * len(self.middle)
        place, end = max(start - ahead, 0), min(stop, behind) - ahead
        while place < end:
            number, offset = divmod(place, _CHUNK)
            found += self._chunk(number)[offset : offset + end - place]
            place = _CHUNK * (number + 1)
        return found + self.back[max(start - behind, 0) : stop - behind] if stop > behind else found
