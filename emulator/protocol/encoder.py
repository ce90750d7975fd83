"""Encodes replies: one table of encoders for RESP2 and one for RESP3, keyed by the class of the value.

The tables are public so that the dispatch loop finds an encoder with one lookup; other callers use `encode`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat, starmap
from typing import Any

from emulator.protocol.errors import CommandError, one_line
from emulator.protocol.numbers import format_double, format_doubles
from emulator.protocol.replies import (
    OK,
    Attributed,
    BigNumber,
    Encoded,
    Entries,
    Head,
    MapHead,
    Named,
    Nested,
    NoReply,
    NullArray,
    Pairs,
    PlainDouble,
    Push,
    Replies,
    Reply,
    Rows,
    Samples,
    SetHead,
    SetReply,
    Status,
    Verbatim,
)

Encoders = dict[type, Callable[[Any], bytes]]

_STRINGS_ONLY = {bytes}
_LISTS_ONLY = {list}
_TUPLES_ONLY = {tuple}
SHORT = 1024
_BULK_HEADS = [b"$%d\r\n" % length for length in range(SHORT)]
_LATER_HEADS = [b"\r\n" + head for head in _BULK_HEADS]
"""Heads of bulk strings that follow another one, with its line break in front."""
_PAIR_HEADS = [b"\r\n*2" + head for head in _LATER_HEADS]
"""The same for the first string of a pair."""
_ARRAY_HEADS = [b"*%d\r\n" % length for length in range(SHORT)]
_SOME = 8
"""The number of elements from which a check whether all are short strings pays off,"""
_MANY = 10
"""and that from which one pays off whether all are pairs, or entries of a stream."""
_MANY_PAIRS = 4
"""The same for pairs, whose numbers are printed together then."""
_LONG = 200
"""The number of elements from which on it pays off to look at their types and lengths before anything else is done."""
_PORTION = 2000
"""The number of elements joined at a time: small enough for the processor's cache."""
_SAMPLE = b"*2\r\n:%d\r\n+%b\r\n"
_SMALL_INTEGERS = [b":%d\r\n" % number for number in range(1024)]


def bulk(encode_long: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return an encoder of strings, which has those of `SHORT` bytes and more done by another one."""

    def encode_bulk(value: bytes) -> bytes:
        length = len(value)
        if length < SHORT:
            return _BULK_HEADS[length] + value + b"\r\n"
        return encode_long(value)

    return encode_bulk


def long_bulk(value: bytes) -> bytes:
    """Encode a string of any length."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


_bulk = bulk(long_bulk)


def _double(value: float) -> bytes:
    text = format_double(value)
    return _BULK_HEADS[len(text)] + text + b"\r\n"


def _integer(value: int) -> bytes:
    if 0 <= value < 1024:
        return _SMALL_INTEGERS[value]
    return b":%d\r\n" % value


def _status(value: bytes) -> bytes:
    return b"+OK\r\n" if value is OK else b"+%b\r\n" % value


def _error(value: CommandError) -> bytes:
    return b"-%b\r\n" % one_line(value)


def _no_reply(value: NoReply) -> bytes:
    return b""


def _array_head(length: int) -> bytes:
    return _ARRAY_HEADS[length] if length < SHORT else b"*%d\r\n" % length


Opened = tuple[bytes, Collection[Reply]]
"""The head of an aggregate, and the values that follow it."""


class _Encoder:
    """Base of both protocols, which differ only in the heads of aggregates and a few scalars.

    ``table`` has an encoder for each class of values; ``aggregates`` has the classes of nested values, which are walked
    with an explicit stack, since scripts may nest them deeper than Python's calls.
    """

    def __init__(self) -> None:
        self.aggregates: dict[type, Callable[[Any], Opened]] = {
            list: _array,
            tuple: _array,
            Replies: lambda values: (b"", values),
            Nested: lambda values: (b"", values),
            Entries: lambda entries: _whole_entries(entries),
            Samples: _samples,
            Rows: self._rows,
        }
        self.table: Encoders = {
            bytes: _bulk,
            bytearray: _bulk,
            int: _integer,
            Status: _status,
            CommandError: _error,
            Head: _array_head,
            Encoded: bytes,
            NoReply: _no_reply,
        }

    def complete(self) -> Encoders:
        """Return the table with the aggregates added."""
        for kind, opener in self.aggregates.items():
            self.table[kind] = self._list if opener is _array else self._writer(opener)
        self.table[dict] = self._dict
        return self.table

    def _writer(self, opener: Callable[[Any], Opened]) -> Callable[[Any], bytes]:
        write = self._write
        return lambda value: write(*opener(value))

    def _rows(self, rows: Rows) -> Opened:
        """Encode many rows column by column."""
        if len(rows) < _MANY:
            return _array(list(rows))
        return b"".join([_array_head(len(rows)), *self._encoded(rows)]), ()

    def _encoded(self, column: Collection[Any]) -> Iterable[bytes]:
        """Each value of a column of `Rows`, or each row of one that is `Rows` itself."""
        if isinstance(column, Rows):
            head = repeat(_array_head(len(column.columns)), len(column))
            return map(b"".join, zip(head, *map(self._encoded, column.columns), strict=True))
        table = self.table
        kinds = set(map(type, column))
        if kinds == {float}:
            return self._doubles(format_doubles(list(column)))
        if kinds == _STRINGS_ONLY:
            return _bulks(column)
        encode = table[kinds.pop()] if len(kinds) == 1 else lambda value: table[value.__class__](value)
        return map(encode, column)

    def _doubles(self, texts: list[bytes]) -> Iterable[bytes]:
        """Doubles that are printed already."""
        raise NotImplementedError

    def _list(self, values: Collection[Reply]) -> bytes:
        size = len(values)
        return self._write(_ARRAY_HEADS[size] if size < SHORT else b"*%d\r\n" % size, values)

    def _dict(self, mapping: dict[Reply, Reply]) -> bytes:
        head = self.table[MapHead](len(mapping))
        strings = _joined_mapping(head, mapping) if _MANY_PAIRS <= len(mapping) <= _PORTION else None
        return self._write(head, _flat(mapping.items())) if strings is None else strings

    def _write(self, head: bytes, values: Collection[Any]) -> bytes:
        if len(values) >= _SOME and head and (strings := _joined(head, values)) is not None:
            return strings
        parts = [head]
        append = parts.append
        table, aggregates = self.table, self.aggregates
        rest = iter(values)
        for value in rest:
            kind = value.__class__
            if kind is bytes and len(value) < 1024:
                append(_BULK_HEADS[len(value)] + value + b"\r\n")
            elif kind is int and 0 <= value < 1024:
                append(_SMALL_INTEGERS[value])
            elif kind in aggregates:
                return self._write_nested(parts, chain((value,), rest))
            else:
                append(table[kind](value))
        return b"".join(parts)

    def _write_nested(self, parts: list[bytes], rest: Iterator[Any]) -> bytes:
        """Encode the values that are left, of which the first one is an aggregate; `parts` is what comes before."""
        append = parts.append
        table, aggregates = self.table, self.aggregates
        open_ones = [rest]
        while open_ones:
            for value in open_ones[-1]:
                kind = value.__class__
                if kind is bytes and len(value) < 1024:
                    append(_BULK_HEADS[len(value)] + value + b"\r\n")
                    continue
                if kind is list or kind is tuple:
                    size, values = len(value), value
                    # `_array_head`, without the call that each of thousands would take
                    head = _ARRAY_HEADS[size] if size < SHORT else b"*%d\r\n" % size
                elif kind in aggregates:
                    head, values = aggregates[kind](value)
                else:
                    append(table[kind](value))
                    continue
                if len(values) >= _SOME and (strings := _joined(head, values)) is not None:
                    append(strings)
                else:
                    append(head)
                    open_ones.append(iter(values))
                    break
            else:
                open_ones.pop()
        return b"".join(parts)


def _joined(head: bytes, values: Collection[Any]) -> bytes | None:
    """An aggregate of short strings or of a stream's entries, put together at once; None for others."""
    size = len(values)
    try:
        if size < _LONG or (size <= _PORTION and list(map(type, values)).count(bytes) == size):
            strings = _strings(values, head[:-2], b"\r\n")
            if strings:
                return strings
        parts = _portions_encoded(values) if size >= _MANY else None
        return None if parts is None else b"".join([head[:-2], *parts, b"\r\n"])
    except IndexError:  # one is too long for the table
        return None


def _joined_mapping(head: bytes, mapping: dict[Reply, Reply]) -> bytes | None:
    """A dict of short strings, put together at once; None for any other."""
    names: list[Any] = list(mapping)
    values: list[Any] = list(mapping.values())
    size = len(names)
    if size >= _LONG and not set(map(type, names)) == set(map(type, values)) == _STRINGS_ONLY:
        return None
    parts = [b"\r\n"] * (4 * size + 2)
    parts[0] = head[:-2]
    try:
        parts[1:-1:4], parts[3:-1:4] = _heads(names), _heads(values)
    except (IndexError, ValueError):  # one is too long for the table, or is no string
        return None
    parts[2:-1:4], parts[4:-1:4] = names, values
    return b"".join(parts)


def _portions_encoded(values: Collection[Any]) -> Iterator[bytes] | None:
    """The same portion by portion, without the last line break; raises IndexError for a long string."""
    kinds = set(map(type, values))
    if kinds == _STRINGS_ONLY:
        return map(_strings, _portions(values))
    if kinds not in (_LISTS_ONLY, _TUPLES_ONLY) or set(map(len, values)) != {2}:
        return None
    firsts, seconds = zip(*values, strict=True)
    columns = _entry_columns(firsts, seconds)
    return None if columns is None else map(_entries, *map(_portions, columns))


def _bulks(texts: Collection[bytes]) -> Iterable[bytes]:
    """Encode strings one by one."""
    if max(map(len, texts)) >= SHORT:
        return map(_bulk, texts)
    return [_BULK_HEADS[len(text)] + text + b"\r\n" for text in texts]


def _samples(samples: Samples) -> Opened:
    """Encode samples, a portion by each format, which is twice as quick as one by one."""
    parts = [_array_head(len(samples))]
    words = chain.from_iterable(zip(samples.moments, samples.texts, strict=True))
    while portion := tuple(islice(words, 2 * _PORTION)):
        parts.append(_SAMPLE * (len(portion) // 2) % portion)
    return b"".join(parts), ()


def _entry_columns(ids: Sequence[Any], bodies: Sequence[Any]) -> list[Sequence[bytes]] | None:
    """Return ids and then the columns of as many tuples of strings, of equal length; None for anything else."""
    if set(map(type, bodies)) != _TUPLES_ONLY or len(set(map(len, bodies))) != 1:
        return None
    columns = [ids, *zip(*bodies, strict=True)]
    return columns if all(set(map(type, column)) == _STRINGS_ONLY for column in columns) else None


def _entries(ids: Collection[bytes], *columns: Collection[bytes]) -> bytes:
    """Encode entries of a stream as `_strings` does strings, column by column; what is the same in all is one part."""
    template = [b"", b"", b"\r\n*%d" % len(columns)]
    varying: list[tuple[int, Collection[bytes]]] = []
    for column in columns:
        first = next(iter(column))
        if len(first) < 1024 and tuple(column).count(first) == len(column):
            template[-1] += _LATER_HEADS[len(first)] + first
        else:
            varying.append((len(template), column))
            template += b"", b"", b""
    step = len(template)
    parts = template * len(ids)
    parts[::step] = _heads(ids, _PAIR_HEADS)
    parts[1::step] = ids
    for place, column in varying:
        parts[place::step] = _heads(column)
        parts[place + 1 :: step] = column
    return b"".join(parts)


def _whole_entries(entries: Entries) -> Opened:
    """Encode entries at once; those with a long string one by one."""
    head = _array_head(len(entries))
    try:
        return b"".join([head[:-2], *starmap(_entries, entries.chunks), b"\r\n"]), ()
    except IndexError:
        return head, list(entries)


def _portions(values: Collection[Any]) -> Iterable[Any]:
    """Yield the values in portions."""
    count = len(values)
    if count <= _PORTION:
        return (values,)
    if values.__class__ is list:
        return (values[start : start + _PORTION] for start in range(0, count, _PORTION))
    rest = iter(values)
    return (list(islice(rest, _PORTION)) for _ in range(0, count, _PORTION))


def _strings(values: Collection[bytes], before: bytes = b"", after: bytes = b"") -> bytes:
    """Encode consecutive strings between two texts without the last line break; raises IndexError for a long one.

    Returns nothing where one of a few is no string.
    """
    size, heads = len(values), _heads(values)
    if len(heads) < size:
        return b""
    head = heads[0]
    if head is heads[-1] and heads.count(head) == size:
        return before + head + head.join(values) + after
    parts = [after] * (2 * size + 2)
    parts[0] = before
    parts[1:-1:2] = heads
    parts[2:-1:2] = values
    return b"".join(parts)


def _array(values: Collection[Reply]) -> Opened:
    return _array_head(len(values)), values


class _Resp2(_Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.table |= {
            type(None): lambda _: b"$-1\r\n",
            NullArray: lambda _: b"*-1\r\n",
            bool: lambda value: b":1\r\n" if value else b":0\r\n",
            float: _double,
            PlainDouble: lambda value: _bulk(value.text()),
            BigNumber: _bulk,
            Verbatim: _bulk,
            SetHead: _array_head,
            MapHead: lambda pairs: _array_head(2 * pairs),
        }
        self.aggregates |= {
            dict: lambda value: _array(_flat(value.items())),
            set: _array,
            SetReply: _array,
            Push: _array,
            Pairs: lambda value: _pairs_2(value),
            Named: _array,
            Attributed: lambda value: (b"", (value.reply,)),
        }

    def _doubles(self, texts: list[bytes]) -> Iterable[bytes]:
        return _bulks(texts)


class _Resp3(_Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.table |= {
            type(None): lambda _: b"_\r\n",
            NullArray: lambda _: b"_\r\n",
            bool: lambda value: b"#t\r\n" if value else b"#f\r\n",
            float: lambda value: b",%b\r\n" % format_double(value),
            PlainDouble: lambda value: b",%b\r\n" % value.text(),
            BigNumber: lambda value: b"(%b\r\n" % value,
            Verbatim: lambda value: b"=%d\r\n%b:%b\r\n" % (len(value) + 4, value.format, value),
            SetHead: lambda members: b"~%d\r\n" % members,
            MapHead: lambda pairs: b"%%%d\r\n" % pairs,
        }
        self.aggregates |= {
            dict: lambda value: (b"%%%d\r\n" % len(value), _flat(value.items())),
            set: lambda value: (b"~%d\r\n" % len(value), value),
            SetReply: lambda value: (b"~%d\r\n" % len(value), value),
            Push: lambda value: (b">%d\r\n" % len(value), value),
            Pairs: lambda value: _pairs_3(value),
            Named: lambda value: (b"%%%d\r\n" % len(value), _flat(value)),
            Attributed: _attributed,
        }

    def _doubles(self, texts: list[bytes]) -> Iterable[bytes]:
        return map(b",%b\r\n".__mod__, texts)


def _attributed(value: Attributed) -> Opened:
    return b"|%d\r\n" % len(value.attributes), (*_flat(value.attributes.items()), value.reply)


def _pairs_2(pairs: Pairs) -> Opened:
    """Encode pairs for RESP2; many are joined at once, and then no values remain to follow the head."""
    whole = _joined_pairs(_array_head(2 * len(pairs)), pairs, _strings_2) if len(pairs) >= _MANY_PAIRS else None
    return _array(_flat(pairs)) if whole is None else (whole, ())


def _pairs_3(pairs: Pairs) -> Opened:
    """Encode pairs for RESP3."""
    whole = _joined_pairs(_array_head(len(pairs)), pairs, _strings_3) if len(pairs) >= _MANY_PAIRS else None
    return _array(pairs) if whole is None else (whole, ())


def _joined_pairs(head: bytes, pairs: Pairs, portion: Callable[[Any, Any], bytes]) -> bytes | None:
    """Encode pairs of a short string and a double or another short string at once; None for any other."""
    try:
        return b"".join([head[:-2], *map(portion, _portions(pairs.firsts), _portions(pairs.seconds)), b"\r\n"])
    except (IndexError, TypeError, ValueError):  # one is too long for the table, or is no string
        return None


def _strings_2(firsts: Sequence[bytes], seconds: Sequence[Any]) -> bytes:
    texts = format_doubles(seconds) if seconds[0].__class__ is float else seconds
    parts = [b""] * (4 * len(firsts))
    parts[::4] = _heads(firsts)
    parts[1::4] = firsts
    parts[2::4] = _heads(texts)
    parts[3::4] = texts
    return b"".join(parts)


def _strings_3(firsts: Sequence[bytes], seconds: Sequence[Any]) -> bytes:
    parts = [b"\r\n,"] * (4 * len(firsts))
    parts[::4] = _heads(firsts, _PAIR_HEADS)
    parts[1::4] = firsts
    if seconds[0].__class__ is float:
        parts[3::4] = format_doubles(seconds)
    else:
        parts[2::4] = _heads(seconds)
        parts[3::4] = seconds
    return b"".join(parts)


def _heads(strings: Collection[bytes], heads: list[bytes] = _LATER_HEADS) -> list[bytes]:
    """The heads of strings; of a few values those of the strings among them.  Raises IndexError for a long one."""
    if len(strings) < _LONG:
        return [heads[len(text)] for text in strings if text.__class__ is bytes]
    sizes = list(map(len, strings))
    if sizes[0] == sizes[-1] and sizes.count(sizes[0]) == len(sizes):
        return [heads[sizes[0]]] * len(sizes)
    return [heads[size] for size in sizes]


def _flat(pairs: Iterable[tuple[Reply, Reply]]) -> list[Reply]:
    return list(chain.from_iterable(pairs))


RESP2: Encoders = _Resp2().complete()
RESP3: Encoders = _Resp3().complete()


def encode(value: Reply, protocol: int) -> bytes:
    """Return the bytes of a reply on RESP `protocol` 2 or 3.  Raises KeyError for a value that is no reply."""
    return (RESP3 if protocol == 3 else RESP2)[value.__class__](value)
