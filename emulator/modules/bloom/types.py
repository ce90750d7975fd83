"""The types of the module bf, as they are entered in the registry of types, with their payloads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from emulator.datatypes.digest import Digest
from emulator.datatypes.types import Payload, Text, Type, register
from emulator.modules.bloom.chain import Chain, bare
from emulator.modules.bloom.cms import Sketch
from emulator.modules.bloom.cuckoo import Cuckoo, Settings, described
from emulator.modules.bloom.room import NoRoom, Room
from emulator.modules.bloom.tdigest import TDigest
from emulator.modules.bloom.topk import Entry, TopK
from emulator.protocol.numbers import UINT64_MAX
from emulator.rdb.errors import BadData
from emulator.rdb.module import (
    double,
    read_double,
    read_string,
    read_unsigned,
    string,
    type_id,
    unsigned,
)
from emulator.rdb.module import room as saved_room

if TYPE_CHECKING:
    from emulator.rdb.payload import Reader

_BLOOM_VERSION: Final = 4
_CUCKOO_VERSION: Final = 4
_MOST_GROWTH: Final = (1 << 32) - 1
_HEAP_PLACE: Final = 24


def _fill(room: Room, reader: Reader) -> None:
    """Read the bytes of a room, which must be as many."""
    content = read_string(reader)
    if len(content) != len(room):
        raise BadData
    room[: len(content)] = content


# Bloom filters


def _save_chain(chain: Chain, text: Text) -> Iterator[bytes]:
    yield from map(unsigned, (chain.size, len(chain.filters), chain.options, chain.growth))
    for one in chain.filters:
        yield unsigned(one.entries)
        yield double(one.error)
        yield unsigned(one.hashes)
        yield double(one.bits_per_entry)
        yield unsigned(one.bits)
        yield unsigned(0)
        yield from saved_room(one.room, text)
        yield unsigned(one.size)


def _load_chain(reader: Reader, version: int) -> Chain:
    if version != _BLOOM_VERSION:
        raise BadData
    size, count, options, growth = (read_unsigned(reader) for _ in range(4))
    chain = bare(options, growth)
    for _ in range(count):
        entries, error = read_unsigned(reader), read_double(reader)
        made = read_unsigned(reader), read_double(reader), read_unsigned(reader), read_unsigned(reader)
        content = read_string(reader)
        try:
            one = chain.append(entries, error, read_unsigned(reader))
        except (NoRoom, ValueError):
            raise BadData from None
        if made != (one.hashes, one.bits_per_entry, one.bits, 0) or len(content) != one.bytes:
            raise BadData
        one.room[: len(content)] = content
    if not chain.filters or size != chain.size or growth > _MOST_GROWTH:
        raise BadData
    return chain


# Cuckoo filters


def _save_cuckoo(filter: Cuckoo, text: Text) -> Iterator[bytes]:
    size, iterations, expansion = filter.settings
    yield from map(unsigned, (len(filter.filters), filter.first))
    yield from map(unsigned, (filter.items & UINT64_MAX, filter.deleted & UINT64_MAX, size, iterations, expansion))
    for room in filter.filters:
        yield unsigned(len(room) // size)
        yield from saved_room(room, text)


def _load_cuckoo(reader: Reader, version: int) -> Cuckoo:
    if version != _CUCKOO_VERSION:
        raise BadData
    count, first, items, deleted, size, iterations, expansion = (read_unsigned(reader) for _ in range(7))
    filter = described(items, deleted, first, count, Settings(size, iterations, expansion))
    if filter is None:
        raise BadData
    for room in filter.filters:
        if read_unsigned(reader) != len(room) // size:
            raise BadData
        _fill(room, reader)
    return filter


# Count-min sketches


def _save_sketch(sketch: Sketch, text: Text) -> Iterator[bytes]:
    yield from map(unsigned, (sketch.width, sketch.depth, sketch.count & UINT64_MAX))
    yield from saved_room(sketch.room, text)


def _load_sketch(reader: Reader, version: int) -> Sketch:
    width, depth, count = (read_unsigned(reader) for _ in range(3))
    content = read_string(reader)
    if not width or not depth or len(content) != 4 * width * depth:
        raise BadData
    sketch = Sketch(width, depth)
    sketch.count = count
    sketch.room[: len(content)] = content
    return sketch


# Top-K: a heap's places hold fingerprint, length, pointer and count in the real server


def _save_topk(value: TopK, text: Text) -> Iterator[bytes]:
    yield from map(unsigned, (value.k, value.width, value.depth))
    yield double(value.decay)
    yield from saved_room(value.room, text)
    places = bytearray(_HEAP_PLACE * value.k)
    for place, entry in value.heap.items():
        start = place * _HEAP_PLACE
        places[start : start + 4] = entry.fingerprint.to_bytes(4, "little")
        places[start + 4 : start + 8] = len(entry.item).to_bytes(4, "little")
        places[start + 16 : start + 20] = entry.count.to_bytes(4, "little")
    yield string(bytes(places), text)
    for place in range(value.k):
        found = value.heap.get(place)
        yield string((found.item if found is not None else b"") + b"\0", text)


def _load_topk(reader: Reader, version: int) -> TopK:
    k, width, depth = (read_unsigned(reader) for _ in range(3))
    decay, cells, places = read_double(reader), read_string(reader), read_string(reader)
    if not (k and width and depth and 0 < decay <= 1 and len(cells) == 8 * width * depth):
        raise BadData
    if len(places) != _HEAP_PLACE * k:
        raise BadData
    value = TopK(k, width, depth, decay)
    value.room[: len(cells)] = cells
    for place in range(k):
        item = read_string(reader)[:-1]
        start = place * _HEAP_PLACE
        fingerprint = int.from_bytes(places[start : start + 4], "little")
        count = int.from_bytes(places[start + 16 : start + 20], "little")
        if any(places[start : start + 16]) and item not in value.entries:
            value.heap[place] = value.entries[item] = Entry(item, fingerprint, count, place)
    return value


# t-digests


def _save_digest(digest: TDigest, text: Text) -> Iterator[bytes]:
    digest.compress()
    means, weights = digest.means[: digest.merged], digest.weights[: digest.merged]
    yield from map(double, (digest.compression, digest.min, digest.max))
    counts = (digest.capacity, digest.merged, len(digest.means) - digest.merged, digest.compressions)
    yield from map(unsigned, counts)
    yield from map(double, (digest.merged_weight, digest.unmerged_weight, *means, *weights))


def _load_digest(reader: Reader, version: int) -> TDigest:
    compression, least, most = (read_double(reader) for _ in range(3))
    capacity, merged, unmerged, compressions = (read_unsigned(reader) for _ in range(4))
    merged_weight, unmerged_weight = read_double(reader), read_double(reader)
    if not compression.is_integer() or compression < 1 or capacity != 6 * compression + 10 or merged > capacity:
        raise BadData
    digest = TDigest(int(compression))
    digest.min, digest.max, digest.merged, digest.compressions = least, most, merged, compressions
    digest.means = [read_double(reader) for _ in range(merged)]
    weights = [read_double(reader) for _ in range(merged)]
    if not all(weight >= 1 and weight.is_integer() for weight in weights):
        raise BadData
    digest.weights = list(map(int, weights))
    digest.merged_weight = sum(digest.weights)
    if digest.merged_weight != merged_weight or any(mean != mean for mean in digest.means):
        raise BadData
    if unmerged:  # a single number, of which the real server keeps no more than that it is the least
        if unmerged != 1 or unmerged_weight != 1 or merged or not math.isfinite(least):
            raise BadData
        digest.add(least)
    return digest


def _digest(value: object, digest: Digest) -> None:
    """The module adds nothing to a key's fingerprint."""


def _enter(name: str, kind: type, version: int, save: object, load: object) -> None:
    payload = Payload(type_id(name, version), save, load, "bf")  # type: ignore[arg-type]
    register(Type(name.encode(), (kind,), _digest, copied=False, payload=payload))


_enter("MBbloom--", Chain, _BLOOM_VERSION, _save_chain, _load_chain)
_enter("MBbloomCF", Cuckoo, _CUCKOO_VERSION, _save_cuckoo, _load_cuckoo)
_enter("CMSk-TYPE", Sketch, 0, _save_sketch, _load_sketch)
_enter("TopK-TYPE", TopK, 0, _save_topk, _load_topk)
_enter("TDIS-TYPE", TDigest, 0, _save_digest, _load_digest)
