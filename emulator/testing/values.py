"""Replies that are handed to redis-py as values: what its parsers would read from their bytes, before they decode it.

`VALUES` has tables like those of the encoder, whose entries make a `Value` instead of bytes.  What is no plain value (an
error, a push, a reply with attributes), or holds one, still becomes bytes, so that redis-py's own parser has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import chain
from types import NoneType
from typing import Any, Final

from emulator.protocol.encoder import RESP2, RESP3, Encoders
from emulator.protocol.numbers import format_double
from emulator.protocol.replies import (
    BigNumber,
    Entries,
    Named,
    NullArray,
    Pairs,
    PlainDouble,
    Reply,
    Rows,
    Samples,
    SetReply,
    Status,
    Verbatim,
)

Converter = Callable[[Any], Any]


class Value:
    """A reply that was not written: None, bytes, int, list, on RESP3 also float, bool, dict; nested, undecoded."""

    __slots__ = ("_encoders", "value")

    def __init__(self, value: Any, encoders: Encoders) -> None:
        self.value = value
        self._encoders = encoders

    def __len__(self) -> int:
        """The bytes that it would take."""
        return len(self.written())

    def written(self) -> bytes:
        """Bytes from which redis-py reads the same value."""
        return self._encoders[self.value.__class__](self.value)


def decoded(value: Any, decode: Callable[[bytes], Any]) -> Any:
    """A value with its strings decoded."""
    kind = value.__class__
    if kind is bytes:
        return decode(value)
    if kind is list:
        return [decode(each) if each.__class__ is bytes else decoded(each, decode) for each in value]
    if kind is dict:
        return {decoded(name, decode): decoded(each, decode) for name, each in value.items()}
    return value


def _itself(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None


def _flat(pairs: Iterable[tuple[Reply, Reply]]) -> list[Reply]:
    return list(chain.from_iterable(pairs))


class _Converter:
    """From replies to values; ``table`` has a function for each class, raises KeyError for what is no plain value."""

    def __init__(self, itself: Collection[type], others: dict[type, Converter]) -> None:
        self._itself = frozenset(itself)
        self.table: dict[type, Converter] = dict.fromkeys(itself, _itself) | {
            Status: bytes,
            bytearray: bytes,
            Verbatim: bytes,
            NullArray: _nothing,
            list: self.array,
            tuple: self.array,
            Entries: self.array,
            set: self.array,
            SetReply: self.array,
            Rows: self.array,
            Samples: self.array,
        }
        self.table |= others

    def array(self, values: Collection[Reply]) -> list[Any]:
        """The elements as a list of their own."""
        if self._itself.issuperset(map(type, values)):
            return list(values)
        table = self.table
        return [table[each.__class__](each) for each in values]

    def mapping(self, pairs: Iterable[tuple[Reply, Reply]]) -> dict[Any, Any]:
        """Pairs as a dict; raises TypeError for what cannot be a key."""
        names_and_values = _flat(pairs)
        values = self.array(names_and_values)
        return dict(zip(values[::2], values[1::2], strict=True))

    def dictionary(self, value: dict[Reply, Reply]) -> dict[Any, Any]:
        """A dict as one of its own; raises TypeError for what cannot be a key."""
        if self._itself.issuperset(map(type, chain(value, value.values()))):
            return value.copy()
        return self.mapping(value.items())

    def encoders(self, encoders: Encoders) -> Encoders:
        """The encoders, those replaced that can make values."""
        return encoders | {kind: _maker(convert, encoders[kind], encoders) for kind, convert in self.table.items()}


def _maker(convert: Converter, encoder: Callable[[Any], bytes], encoders: Encoders) -> Callable[[Any], Any]:
    def make(reply: Reply) -> Value | bytes:
        try:
            return Value(convert(reply), encoders)
        except (KeyError, TypeError, ValueError, RecursionError):
            return encoder(reply)

    return make


_TWO: Final = _Converter(
    (bytes, int, NoneType), {bool: int, float: format_double, PlainDouble: PlainDouble.text, BigNumber: bytes}
)
_TWO.table |= {
    dict: lambda value: _TWO.array(_flat(value.items())),
    Pairs: lambda value: _TWO.array(_flat(value)),
    Named: _TWO.array,
}
_THREE: Final = _Converter((bytes, int, NoneType, bool, float), {BigNumber: int, PlainDouble: float})
_THREE.table |= {Pairs: _THREE.array, Named: _THREE.mapping, dict: _THREE.dictionary}

VALUES: Final = {2: _TWO.encoders(RESP2), 3: _THREE.encoders(RESP3)}
"""For each version of RESP the encoders by which a session makes values."""
