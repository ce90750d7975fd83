"""CMS.*: count-min sketches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import bounded, double, integer, wrong_arity
from emulator.datatypes.vector_math import single
from emulator.modules.bloom.cms import MOST, MOST_DEPTH, Overflow, Sketch
from emulator.modules.bloom.room import NoRoom
from emulator.modules.keys import changed, opened
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX, wrapped
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_MISSING: Final = "CMS: key does not exist"
_MOST_CELLS: Final = 1 << 60
_BAD_SIZE: Final = "CMS: invalid init arguments"
_BAD_ERROR: Final = "CMS: invalid overestimation value"
_BAD_PROBABILITY: Final = "CMS: invalid prob value"
_WRONG_WEIGHTS: Final = "CMS: wrong number of keys/weights"


def _create(client: Session, key: bytes, width: int, depth: int) -> Status:
    if width * depth > _MOST_CELLS:
        raise CommandError(_BAD_SIZE)
    try:
        if depth > MOST_DEPTH:
            raise NoRoom
        sketch = Sketch(width, depth)
    except NoRoom:
        raise CommandError("CMS: Insufficient memory to create the key") from None
    client.db.insert(key, sketch)
    changed(client, key)
    return OK


def _check_free(client: Session, key: bytes) -> None:
    """Raise where there is a key, of whatever type."""
    if client.db.has_listeners:
        client.db.touch(key)
    if client.db.lookup_write_entry(key) is not None:
        raise CommandError("CMS: key already exists")


def _opened(client: Session, key: bytes) -> Sketch:
    sketch = opened(client, key, Sketch)
    if sketch is None:
        raise CommandError(_MISSING)
    return sketch


def _found(client: Session, key: bytes) -> Sketch:
    sketch = client.db.lookup_read(key, Sketch)
    if sketch is None:
        raise CommandError(_MISSING)
    return sketch


@command
def cms_initbydim(client: Session, key: bytes, width: bytes, depth: bytes) -> Status:
    """Create a sketch of so many counters in a row and so many rows."""
    _check_free(client, key)
    columns = bounded(width, 1, INT64_MAX, "CMS: invalid width")
    rows = bounded(depth, 1, INT64_MAX, "CMS: invalid depth")
    return _create(client, key, columns, rows)


@command
def cms_initbyprob(client: Session, key: bytes, error: bytes, probability: bytes) -> Status:
    """Create a sketch whose counts are too large by so much at most, but for such a probability."""
    _check_free(client, key)
    excess = double(error, _BAD_ERROR)
    if not 0 < excess < 1:
        raise CommandError(_BAD_ERROR)
    chance = double(probability, _BAD_PROBABILITY)
    if not 0 < chance < 1:
        raise CommandError(_BAD_PROBABILITY)
    width, narrowed = 2 / excess, single(chance)
    if width > _MOST_CELLS or not narrowed:
        raise CommandError(_BAD_SIZE)
    depth = single(single(math.log10(narrowed)) / single(math.log10(0.5)))
    return _create(client, key, math.ceil(width), math.ceil(depth))


@command
def cms_incrby(client: Session, key: bytes, item: bytes, increment: bytes, *more: bytes) -> list[Reply]:
    """Count items, each so many times; their counts."""
    if len(more) % 2:
        raise wrong_arity("cms.incrby")
    sketch = _found(client, key)
    words = (item, increment, *more)
    pairs = [(words[place], _increment(words[place + 1])) for place in range(0, len(words), 2)]
    replies: list[Reply] = []
    client.db.alter(key)
    for one, amount in pairs:
        count = sketch.add(one, amount)
        replies.append(CommandError("CMS: INCRBY overflow") if count == MOST else count)
    client.db.changed_silently(key)
    return replies


def _increment(text: bytes) -> int:
    number = integer(text, "CMS: Cannot parse number")
    if number < 0:
        raise CommandError("CMS: Number cannot be negative")
    return number


@command
def cms_query(client: Session, key: bytes, item: bytes, *more: bytes) -> list[Reply]:
    """How often each of some items was counted, at most."""
    sketch = _found(client, key)
    return [sketch.query(one) for one in (item, *more)]


@command
def cms_info(client: Session, key: bytes) -> dict[bytes, int]:
    """The size of a sketch and the sum of what it has counted."""
    sketch = _found(client, key)
    return {
        Status(b"width"): sketch.width,
        Status(b"depth"): sketch.depth,
        Status(b"count"): wrapped(sketch.count),
    }


@command
def cms_merge(client: Session, destination: bytes, numkeys: bytes, source: bytes, *more: bytes) -> Status:
    """Make a sketch the sum of others, each multiplied by its weight."""
    target = _opened(client, destination)
    words = (source, *more)
    number = integer(numkeys, "CMS: invalid numkeys")
    if number < 1:
        raise CommandError("CMS: Number of keys must be positive")
    weights = _weights(words, number)
    sources = []
    for key, weight in zip(words[:number], weights, strict=True):
        factor = 1 if weight is None else integer(weight, "CMS: invalid weight value")
        sketch = _found(client, key)
        if (sketch.width, sketch.depth) != (target.width, target.depth):
            raise CommandError("CMS: width/depth is not equal")
        sources.append((sketch, factor))
    try:
        target.merge(sources)
    except Overflow:
        raise CommandError("CMS: MERGE overflow") from None
    changed(client, destination)
    return OK


def _weights(words: Sequence[bytes], number: int) -> Sequence[bytes | None]:
    """The weight of each key as it is given, None where none is."""
    names = [word.upper() for word in words]
    if b"WEIGHTS" in names:
        place = names.index(b"WEIGHTS")
        if place != number or len(words) != 2 * number + 1:
            raise CommandError(_WRONG_WEIGHTS)
        return words[place + 1 :]
    if len(words) != number:
        raise CommandError("CMS: wrong number of keys")
    return [None] * number
