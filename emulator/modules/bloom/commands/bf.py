"""BF.*: Bloom filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import bounded, double, integer, wrong_arity
from emulator.modules.bloom.chain import LARGEST_ERROR, BadChunk, Chain, Full
from emulator.modules.bloom.room import NoRoom
from emulator.modules.keys import changed, opened, seen
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX, INT64_MIN
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_MOST_CAPACITY: Final = 1 << 30
_MOST_EXPANSION: Final = 32768
_NOT_FOUND: Final = "ERR not found"
_FULL: Final = "ERR non scaling filter is full"
_NOT_ADDED: Final = "ERR problem inserting into filter"
_FIELDS: Final = {
    b"CAPACITY": b"Capacity",
    b"SIZE": b"Size",
    b"FILTERS": b"Number of filters",
    b"ITEMS": b"Number of items inserted",
    b"EXPANSION": b"Expansion rate",
}


class _Shape(NamedTuple):
    """What a filter is made with; an ``expansion`` of 0 means that it does not grow."""

    error: float
    capacity: int
    expansion: int


def _default_shape(client: Session) -> _Shape:
    config = client.engine.config
    return _Shape(config.bf_error_rate, config.bf_initial_size, config.bf_expansion_factor)


def _create(client: Session, key: bytes, shape: _Shape) -> Chain:
    error = min(shape.error, LARGEST_ERROR)
    try:
        chain = Chain(
            shape.capacity, error, shape.expansion or client.engine.config.bf_expansion_factor, not shape.expansion
        )
    except (NoRoom, ValueError):
        raise CommandError("ERR could not create filter") from None
    client.db.insert(key, chain)
    return chain


def _found(client: Session, key: bytes) -> Chain:
    chain = client.db.lookup_read(key, Chain)
    if chain is None:
        raise CommandError(_NOT_FOUND)
    return chain


@command
def bf_reserve(client: Session, key: bytes, error_rate: bytes, capacity: bytes, *options: bytes) -> Status:
    """Create an empty Bloom filter."""
    if len(options) > 3:
        raise wrong_arity("bf.reserve")
    error = double(error_rate, "ERR bad error rate")
    if not 0 < error < 1:
        raise CommandError("ERR error rate must be in the range (0.000000, 1.000000)")
    entries = integer(capacity, "ERR bad capacity")
    if not 1 <= entries <= _MOST_CAPACITY:
        raise CommandError(f"ERR capacity must be in the range [1, {_MOST_CAPACITY}]")
    expansion = _expansion(client, (key, error_rate, capacity, *options))
    if opened(client, key, Chain) is not None:
        raise CommandError("ERR item exists")
    _create(client, key, _Shape(error, entries, expansion))
    changed(client, key)
    return OK


def _expansion(client: Session, words: Sequence[bytes]) -> int:
    """What EXPANSION and NONSCALING say, which are found wherever they stand: also a key may be called like that."""
    names = [word.upper() for word in words]
    fixed = b"NONSCALING" in names
    if b"EXPANSION" not in names:
        return 0 if fixed else client.engine.config.bf_expansion_factor
    place = names.index(b"EXPANSION") + 1
    if place == len(names):
        raise CommandError("ERR no expansion")
    expansion = integer(words[place], "ERR bad expansion")
    if expansion and fixed:
        raise CommandError("Nonscaling filters cannot expand")
    if not 0 <= expansion <= _MOST_EXPANSION:
        raise CommandError(f"ERR expansion must be in the range [0, {_MOST_EXPANSION}]")
    return expansion


# Adding


def _insert(client: Session, key: bytes, items: Sequence[bytes], shape: _Shape | None) -> list[Reply]:
    """For each item whether it is new, up to the first that finds no place; without a shape there must be a filter."""
    chain = opened(client, key, Chain)
    if chain is None:
        if shape is None:
            raise CommandError(_NOT_FOUND)
        chain = _create(client, key, shape)
    replies: list[Reply] = []
    for item in items:
        try:
            replies.append(chain.add(item))
        except NoRoom:
            replies.append(CommandError(_NOT_ADDED))
        except Full:
            replies.append(CommandError(_FULL))
            break
    changed(client, key)
    return replies


@command
def bf_add(client: Session, key: bytes, item: bytes) -> Reply:
    """Add an item to a Bloom filter, which is created if need be; whether it is new."""
    return _insert(client, key, (item,), _default_shape(client))[0]


@command
def bf_madd(client: Session, key: bytes, item: bytes, *more: bytes) -> list[Reply]:
    """Add items to a Bloom filter, which is created if need be; which of them are new."""
    return _insert(client, key, (item, *more), _default_shape(client))


@command
def bf_insert(client: Session, key: bytes, option: bytes, argument: bytes, *more: bytes) -> list[Reply]:
    """Add items to a Bloom filter, which is created as the options say; which of them are new."""
    words = (option, argument, *more)
    error, capacity, expansion = _default_shape(client)
    create, place = True, 0
    while place < len(words):
        name = _option(words[place])
        place += 1
        if name == b"ITEMS":
            break
        if name == b"NOCREATE":
            create = False
        elif name == b"NONSCALING":
            expansion = 0
        elif place == len(words):
            raise wrong_arity("bf.insert")
        else:
            given = words[place]
            place += 1
            if name == b"ERROR":
                error = double(given, "Bad error rate")
                if not 0 < error < 1:
                    raise CommandError("Bad error rate")
            elif name == b"CAPACITY":
                capacity = bounded(given, 1, _MOST_CAPACITY, "Bad capacity")
            else:
                expansion = min(expansion, 1) * bounded(given, 0, _MOST_EXPANSION, "Bad expansion")
    else:
        raise wrong_arity("bf.insert")
    if place == len(words):
        raise wrong_arity("bf.insert")
    return _insert(client, key, words[place:], _Shape(error, capacity, expansion) if create else None)


def _option(word: bytes) -> bytes:
    """The option of BF.INSERT that a word means by its first letters, which is all that the module looks at."""
    letters = word.lower()
    for start, name in (
        (b"i", b"ITEMS"),
        (b"c", b"CAPACITY"),
        (b"er", b"ERROR"),
        (b"e", b"EXPANSION"),
    ):
        if letters.startswith(start):
            return name
    if letters[:1] == b"n":
        return b"NOCREATE" if letters[2:3] == b"c" else b"NONSCALING"
    raise CommandError("Unknown argument received")


# Looking


@command
def bf_exists(client: Session, key: bytes, item: bytes) -> bool:
    """Whether an item may have been added."""
    chain = seen(client, key, Chain)
    return chain is not None and chain.has(item)


@command
def bf_mexists(client: Session, key: bytes, item: bytes, *more: bytes) -> list[Reply]:
    """Which of some items may have been added."""
    chain = seen(client, key, Chain)
    return [chain is not None and chain.has(one) for one in (item, *more)]


@command
def bf_card(client: Session, key: bytes) -> int:
    """How many items were added and were new."""
    chain = client.db.lookup_read(key, Chain)
    return 0 if chain is None else chain.size


@command
def bf_info(client: Session, key: bytes, field: bytes | None = None) -> Reply:
    """What a Bloom filter is made of."""
    chain = _found(client, key)
    told: dict[bytes, Reply] = {
        b"Capacity": chain.capacity,
        b"Size": chain.footprint,
        b"Number of filters": len(chain.filters),
        b"Number of items inserted": chain.size,
        b"Expansion rate": None if chain.fixed else chain.growth,
    }
    if field is None:
        return {Status(name): value for name, value in told.items()}
    name = _FIELDS.get(field.upper())
    if name is None:
        raise CommandError("Invalid information value")
    return {Status(name): told[name]} if client.protocol == 3 else [told[name]]


@command
def bf_debug(client: Session, key: bytes) -> list[Reply]:
    """The filters of a chain, a line for each."""
    chain = _found(client, key)
    form = b"bytes:%d bits:%d hashes:%d hashwidth:64 capacity:%d size:%d ratio:%g"
    lines = [form % (one.bytes, one.bits, one.hashes, one.entries, one.size, one.error) for one in chain.filters]
    return [b"size:%d" % chain.size, *lines]


# Chunks


@command
def bf_scandump(client: Session, key: bytes, iterator: bytes) -> list[Reply]:
    """A part of a Bloom filter and the iterator for the next one."""
    chain = _found(client, key)
    position = bounded(iterator, INT64_MIN, INT64_MAX, "Second argument must be numeric")
    return [1, chain.header()] if position == 0 else list(chain.chunk(position))


@command
def bf_loadchunk(client: Session, key: bytes, iterator: bytes, data: bytes) -> Status:
    """Take over a part of a Bloom filter; the first part creates it."""
    position = integer(iterator, "ERR Second argument must be numeric")
    chain = opened(client, key, Chain)
    try:
        if chain is not None:
            chain.load_chunk(position, data)
        elif position == 1:
            client.db.insert(key, Chain.from_header(data))
        else:
            raise CommandError(_NOT_FOUND)
    except BadChunk as bad:
        raise CommandError(str(bad)) from None
    changed(client, key)
    return OK
