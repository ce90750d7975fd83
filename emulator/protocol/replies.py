"""The types of replies that commands return besides Python's own.

``None`` is null, ``bytes`` a bulk string, ``int`` an integer, ``float`` a double, ``bool`` a boolean, ``list`` and
``tuple`` an array, ``dict`` a map, ``set`` a set, a `CommandError` an error in its place.  The types below are the rest.
Source: the RESP specification, sections on RESP2 and RESP3 types.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from emulator.protocol.errors import CommandError

Reply: TypeAlias = (
    "bool | int | float | bytes | bytearray | CommandError | Collection[Reply] | Mapping[Any, Reply] | Attributed"
    " | Samples | NullArray | NoReply | None"
)
"""Anything the encoder knows; nested without limit."""

Received: TypeAlias = Any
"""A reply that another server has sent: whatever that answers."""


class Status(bytes):
    """A simple string, ``+OK``."""

    __slots__ = ()


class Verbatim(bytes):
    """A verbatim string in text format; a bulk string on RESP2."""

    format = b"txt"


class BigNumber(bytes):
    """The digits of an integer of any size; a bulk string on RESP2."""

    __slots__ = ()


class PlainDouble(float):
    """A double whose text has no exponent, and up to 17 digits after the point."""

    __slots__ = ()

    def text(self) -> bytes:
        """The digits."""
        return (b"%.17f" % self).rstrip(b"0").rstrip(b".")


class SetReply(list["Reply"]):
    """A set whose members keep their order; an array on RESP2."""

    __slots__ = ()


class Push(list["Reply"]):
    """Out-of-band data, ``>``; an array on RESP2."""

    __slots__ = ()


class Pairs(Collection[tuple["Reply", "Reply"]]):
    """Pairs such as member and score, in two columns: one flat array on RESP2, an array of two-element arrays on RESP3."""

    __slots__ = ("firsts", "seconds")

    def __init__(self, firsts: Sequence[Reply] = (), seconds: Sequence[Reply] = ()) -> None:
        self.firsts = firsts
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self.firsts)

    def __iter__(self) -> Iterator[tuple[Reply, Reply]]:
        return zip(self.firsts, self.seconds, strict=True)

    def __contains__(self, pair: object) -> bool:
        return any(pair == each for each in self)


class Entries(Collection[tuple[bytes, tuple[bytes, ...]]]):
    """An array of pairs of an id and an array of strings, in columns, as which many are encoded quickly.

    ``chunks`` have each the ids of some pairs, and then the first strings of their arrays, the second ones and so on.
    """

    __slots__ = ("chunks",)

    def __init__(self, chunks: Sequence[Sequence[Sequence[bytes]]]) -> None:
        self.chunks = chunks

    def __len__(self) -> int:
        return sum([len(chunk[0]) for chunk in self.chunks])

    def __iter__(self) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        for ids, *columns in self.chunks:
            yield from zip(ids, zip(*columns, strict=True), strict=True)

    def __contains__(self, pair: object) -> bool:
        return any(pair == each for each in self)


class Rows(Collection["Reply"]):
    """Rows of a value for each column: an array of arrays; a column may be `Rows` itself, and has an array for each row."""

    __slots__ = ("columns",)

    def __init__(self, *columns: Collection[Reply]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[list[Reply]]:
        return map(list, zip(*self.columns, strict=True))

    def __contains__(self, row: object) -> bool:
        return any(row == each for each in self)


class Named(list[tuple["Reply", "Reply"]]):
    """Pairs of a name, which may repeat, and a reply: an array of two-element arrays on RESP2, a map on RESP3."""

    __slots__ = ()


class Samples:
    """Samples of a time series in columns: an array of a moment and a simple string each."""

    __slots__ = ("moments", "texts")

    def __init__(self, moments: Sequence[int], texts: Sequence[bytes]) -> None:
        self.moments = moments
        self.texts = texts

    def __len__(self) -> int:
        return len(self.moments)

    def __iter__(self) -> Iterator[Reply]:
        return ([moment, Status(text)] for moment, text in zip(self.moments, self.texts, strict=True))


class Replies(list["Reply"]):
    """Several consecutive replies to one command (SUBSCRIBE answers once for each channel)."""

    __slots__ = ()


class Nested(list["Reply"]):
    """One reply as a flat list of its parts in printing order: a `Head` precedes the elements of its aggregate.

    This allows scripts to nest replies deeper than Python's calls.
    """

    __slots__ = ()


class Head(int):
    """Opens an array with a number of elements within a `Nested`."""

    __slots__ = ()


class SetHead(Head):
    """Opens a set with a number of members."""

    __slots__ = ()


class MapHead(Head):
    """Opens a map with a number of pairs."""

    __slots__ = ()


class Attributed:
    """A reply with attributes, which RESP2 omits; attributes to be sent are a dict, those that were read are `Named`."""

    __slots__ = ("attributes", "reply")

    def __init__(self, attributes: Any, reply: Reply) -> None:
        self.attributes = attributes
        self.reply = reply


class NullArray:
    """The RESP2 null array, ``*-1``; plain null on RESP3."""

    __slots__ = ()


class Encoded(bytes):
    """A part of a reply that is encoded already, by another protocol than the rest."""

    __slots__ = ()


class NoReply:
    """Returned by commands that send no reply."""

    __slots__ = ()


REPLY_ON: Final = 0
REPLY_OFF: Final = 1
REPLY_SKIP_NEXT: Final = 2
REPLY_SKIP: Final = 3
"""The modes of CLIENT REPLY; SKIP_NEXT becomes SKIP after its own command."""
DROPPING: Final = (REPLY_OFF, REPLY_SKIP)
"""Those in which replies are dropped."""

OK: Final = Status(b"OK")
QUEUED: Final = Status(b"QUEUED")
PONG: Final = Status(b"PONG")
NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()
