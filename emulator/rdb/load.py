"""Bytes to values: what DUMP and RDB files of this and earlier versions have.

Nothing that is read is trusted: `BadData` is raised for what is cut off, contradicts itself, has an element twice or holds
no element at all.  No more memory is taken than the bytes themselves account for.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from emulator.datatypes import hash as hashes
from emulator.datatypes import set as sets
from emulator.datatypes import zset as zsets
from emulator.datatypes.hash import Hash
from emulator.datatypes.list import Filled, List
from emulator.datatypes.listpack import HEADER_SIZE, entry_sizes
from emulator.datatypes.set import HASHTABLE, INTSET, LISTPACK, Set
from emulator.datatypes.stream import Stream
from emulator.datatypes.zset import ZSet
from emulator.protocol.numbers import INT64_MAX, parse_integer, read_double, wrapped
from emulator.rdb import intset, kinds, listpack, module, quicklist, stream, ziplist
from emulator.rdb.errors import BadData
from emulator.rdb.payload import OF_VALKEY, Reader, unsealed

if TYPE_CHECKING:
    from emulator.datatypes.types import Value

V = TypeVar("V", Set, Hash, ZSet)

_MOST_TIME = 1 << 48


class NoElements(BadData):
    """An aggregate that is whole but empty: no key has one, and a file that does is read without it."""


class EncodingLimits(hashes.HashLimits, sets.SetLimits, zsets.ZSetLimits, module.Server, Protocol):
    """What small encodings may hold, and which modules there are."""

    @property
    def list_max_listpack_size(self) -> int: ...


def kind_of(byte: int, newest: int) -> int:
    """The kind that a byte of a payload stands for, where payloads up to a version are read."""
    if byte == kinds.HASH_OF_VALKEY & 0xFF and newest >= OF_VALKEY:
        return kinds.HASH_OF_VALKEY
    return kinds.STREAM_4 if byte == kinds.STREAM_4 & 0xFF and newest == kinds.WITH_MESSAGES else byte


def deserialized(payload: bytes, newest: int, limits: EncodingLimits, checks: bool = True) -> Value | None:
    """The value of a payload that DUMP made; None where `unsealed` finds that it is none, raises `BadData`.  O(n)."""
    body = unsealed(payload, newest, checks)
    if body is None:
        return None
    reader = Reader(body)
    return load(kind_of(reader.byte(), newest), reader, limits)


def load(kind: int, reader: Reader, limits: EncodingLimits) -> Value:
    """The value that comes next, of a kind that was read before; raises `BadData`.  O(n)."""
    loader = _LOADERS.get(kind)
    if loader is None:
        raise BadData(f"Unknown RDB encoding type {kind}")
    return loader(reader, limits)


def _string(reader: Reader, limits: EncodingLimits) -> bytes:
    return reader.string()


def _strings(reader: Reader, each: int = 1) -> list[bytes]:
    """As many strings as are counted, at least one."""
    count = reader.length()
    if not count:
        raise NoElements
    return reader.strings(count * each)[0]


def _halves(elements: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Fields and values, members and scores, that stand in turns."""
    if len(elements) % 2:
        raise BadData
    return elements[::2], elements[1::2]


# Lists


def _list(reader: Reader, limits: EncodingLimits) -> List:
    value = List.of_quicklist(_strings(reader), limits.list_max_listpack_size)
    value.settle(limits.list_max_listpack_size)
    return value


def _list_ziplist(reader: Reader, limits: EncodingLimits) -> List:
    values = ziplist.unpack(reader.string())
    if not values:
        raise NoElements
    return List.of_quicklist(values, limits.list_max_listpack_size)


def _list_of_ziplists(reader: Reader, limits: EncodingLimits) -> List:
    nodes = [values for values in map(ziplist.unpack, _strings(reader)) if values]
    return _of_nodes(((values, [[len(values), HEADER_SIZE + entry_sizes(values)]]) for values in nodes), limits)


def _list_of_listpacks(reader: Reader, limits: EncodingLimits) -> List:
    return _of_nodes(quicklist.unpack(reader, reader.length()), limits)


def _of_nodes(nodes: Iterable[Filled], limits: EncodingLimits) -> List:
    value = List.of_nodes(nodes, limits.list_max_listpack_size)
    if not value:
        raise NoElements
    return value


# Sets


def _set(reader: Reader, limits: EncodingLimits) -> Set:
    members = _strings(reader)
    if len(members) > limits.set_max_intset_entries:
        return _distinct(Set.encoded(members, HASHTABLE), len(members))
    value = Set()
    for member in members:
        value.add(member, limits)
    return _distinct(value, len(members))


def _set_intset(reader: Reader, limits: EncodingLimits) -> Set:
    members = [b"%d" % number for number in intset.unpack(reader.string())]
    return Set.encoded(members, INTSET if len(members) <= limits.set_max_intset_entries else HASHTABLE)


def _set_listpack(reader: Reader, limits: EncodingLimits) -> Set:
    members, _ = listpack.read(reader)
    value = Set.encoded(members, LISTPACK if len(members) <= limits.set_max_listpack_entries else HASHTABLE)
    return _distinct(value, len(members))


def _distinct(value: V, count: int) -> V:
    """A value, which must have as many elements as were read and at least one."""
    if len(value) != count:
        raise BadData
    if not count:
        raise NoElements
    return value


# Hashes


def _hash(reader: Reader, limits: EncodingLimits) -> Hash:
    return _of_fields(*_halves(_strings(reader, 2)), limits, limits.hash_max_listpack_value)


def _hash_ziplist(reader: Reader, limits: EncodingLimits) -> Hash:
    return _of_fields(*_halves(ziplist.unpack(reader.string())), limits)


def _hash_zipmap(reader: Reader, limits: EncodingLimits) -> Hash:
    return _of_fields(*_halves(ziplist.unpack_map(reader.string())), limits, limits.hash_max_listpack_value)


def _hash_listpack(reader: Reader, limits: EncodingLimits) -> Hash:
    elements, size = listpack.read(reader)
    fields, values = _halves(elements)
    if len(fields) > limits.hash_max_listpack_entries:
        return _of_fields(fields, values, limits)
    value = Hash()
    value.fields = dict(zip(fields, values, strict=True))
    value.payload = size - HEADER_SIZE
    return _distinct(value, len(fields))


def _of_fields(
    fields: Sequence[bytes], values: Sequence[bytes], limits: EncodingLimits, longest: int | None = None
) -> Hash:
    """A hash; where there is a `longest`, fields and values that are longer have no place in a listpack."""
    packed = len(fields) <= limits.hash_max_listpack_entries and (
        longest is None or max(map(len, chain(fields, values)), default=0) <= longest
    )
    return _distinct(Hash.of(zip(fields, values, strict=True), packed), len(fields))


def _hash_expiring(reader: Reader, limits: EncodingLimits) -> Hash:
    return _expiring(reader, limits, _moment(reader))


def _hash_expiring_draft(reader: Reader, limits: EncodingLimits) -> Hash:
    return _expiring(reader, limits, 1)


def _expiring(reader: Reader, limits: EncodingLimits, first: int) -> Hash:
    """A hash whose fields tell by how much they expire later than the first one and a millisecond, 0 for never."""
    fields, values, moments = [], [], []
    for _ in range(reader.length()):
        later = reader.length()
        moments.append(first + later - 1 if later else 0)
        fields.append(reader.string())
        values.append(reader.string())
    value = _of_fields(fields, values, limits, limits.hash_max_listpack_value)
    return _with_deadlines(value, moments)


def _hash_listpack_expiring(reader: Reader, limits: EncodingLimits) -> Hash:
    _moment(reader)
    return _hash_listpack_expiring_draft(reader, limits)


def _hash_listpack_expiring_draft(reader: Reader, limits: EncodingLimits) -> Hash:
    elements, _ = listpack.read(reader)
    if len(elements) % 3:
        raise BadData
    return _with_deadlines(
        _of_fields(elements[::3], elements[1::3], limits), [_number(moment) for moment in elements[2::3]]
    )


def _hash_of_valkey(reader: Reader, limits: EncodingLimits) -> Hash:
    """A hash in which each field has its deadline behind it, as a signed integer that is negative for never."""
    fields, values, moments = [], [], []
    for _ in range(reader.length()):
        fields.append(reader.string())
        values.append(reader.string())
        moments.append(max(wrapped(reader.integer(8)), 0))
    value = _of_fields(fields, values, limits, limits.hash_max_listpack_value)
    if limits.edition.is_valkey and any(moments):
        value.unpack()
    return _with_deadlines(value, moments, INT64_MAX + 1)


def _with_deadlines(value: Hash, moments: Sequence[int], most: int = _MOST_TIME) -> Hash:
    """Let the fields of a hash expire, those whose moment is not 0; of equal ones the first comes to be the latest set."""
    deadlines = value.provide_for_deadlines()
    for field, moment in reversed(list(zip(value.fields, moments, strict=True))):
        if not 0 <= moment < most:
            raise BadData
        if moment:
            deadlines.set(field, moment)
    return value


def _moment(reader: Reader) -> int:
    moment = reader.integer(8)
    if moment >= _MOST_TIME:
        raise BadData
    return moment


def _number(text: bytes) -> int:
    number = parse_integer(text)
    if number is None:
        raise BadData
    return number


# Sorted sets


def _zset(reader: Reader, limits: EncodingLimits) -> ZSet:
    members, behind = reader.strings(reader.length(), 8)
    scores = array("d", behind)
    if sys.byteorder == "big":
        scores.byteswap()
    if any(map(math.isnan, scores)):
        raise BadData
    return _scored(members, scores, limits)


def _zset_textual(reader: Reader, limits: EncodingLimits) -> ZSet:
    pairs = [(reader.string(), _textual_score(reader)) for _ in range(reader.length())]
    return _scored([member for member, _ in pairs], [score for _, score in pairs], limits)


_OF_PLAIN_NUMBERS = b"0123456789.-"
_NOT_A_NUMBER = 253
_INFINITE = {254: math.inf, 255: -math.inf}


def _textual_score(reader: Reader) -> float:
    """A double as text behind its length; the largest lengths stand for what has no digits."""
    size = reader.byte()
    if size == _NOT_A_NUMBER:
        raise BadData
    return _INFINITE[size] if size in _INFINITE else _score(reader.take(size))


def _score(text: bytes) -> float:
    score = read_double(text)
    if score is None:
        raise BadData
    return score


_small_score: Final = {b"%d" % number: float(number) for number in range(1024)}.get
"""The score that a text stands for, where it is a small integer as most are."""


def _scores(texts: Sequence[bytes]) -> list[float]:
    known = [score for score in map(_small_score, texts) if score is not None]
    if len(known) == len(texts):  # a quarter of the time that reading them takes
        return known
    if not b"".join(texts).translate(None, _OF_PLAIN_NUMBERS):  # most have nothing else
        with suppress(ValueError):
            return list(map(float, texts))
    return list(map(_score, texts))


def _scored(members: Sequence[bytes], scores: Sequence[float], limits: EncodingLimits) -> ZSet:
    return _distinct(ZSet.of(dict(zip(members, scores, strict=True)), limits), len(members))


def _zset_listpack(reader: Reader, limits: EncodingLimits) -> ZSet:
    return _packed_scores(listpack.read(reader)[0], limits)


def _zset_ziplist(reader: Reader, limits: EncodingLimits) -> ZSet:
    return _packed_scores(ziplist.unpack(reader.string()), limits)


def _packed_scores(elements: list[bytes], limits: EncodingLimits) -> ZSet:
    """A sorted set that was small where it comes from, and is here unless it has too many members."""
    members, texts = _halves(elements)
    scores = dict(zip(members, _scores(texts), strict=True))
    return _distinct(ZSet.encoded(scores, len(scores) <= limits.zset_max_listpack_entries), len(members))


# Streams


def _stream_with_messages(reader: Reader, limits: EncodingLimits) -> Stream:
    """A stream of Redis 8.6, which knows the messages of its producers."""
    value = stream.load(reader, limits)
    value.idempotence = stream.load_messages(reader, value.last_id >> 64)
    return value


_LOADERS: dict[int, Callable[[Reader, EncodingLimits], Value]] = {
    kinds.STRING: _string,
    kinds.LIST: _list,
    kinds.SET: _set,
    kinds.ZSET_TEXTUAL: _zset_textual,
    kinds.HASH: _hash,
    kinds.ZSET: _zset,
    kinds.MODULE: module.load,
    kinds.HASH_ZIPMAP: _hash_zipmap,
    kinds.LIST_ZIPLIST: _list_ziplist,
    kinds.SET_INTSET: _set_intset,
    kinds.ZSET_ZIPLIST: _zset_ziplist,
    kinds.HASH_ZIPLIST: _hash_ziplist,
    kinds.LIST_OF_ZIPLISTS: _list_of_ziplists,
    kinds.STREAM_1: stream.load_first,
    kinds.HASH_LISTPACK: _hash_listpack,
    kinds.ZSET_LISTPACK: _zset_listpack,
    kinds.LIST_OF_LISTPACKS: _list_of_listpacks,
    kinds.STREAM_2: stream.load_second,
    kinds.SET_LISTPACK: _set_listpack,
    kinds.STREAM_3: stream.load,
    kinds.HASH_EXPIRING_DRAFT: _hash_expiring_draft,
    kinds.HASH_LISTPACK_EXPIRING_DRAFT: _hash_listpack_expiring_draft,
    kinds.HASH_EXPIRING: _hash_expiring,
    kinds.HASH_LISTPACK_EXPIRING: _hash_listpack_expiring,
    kinds.HASH_OF_VALKEY: _hash_of_valkey,
    kinds.STREAM_4: _stream_with_messages,
}
