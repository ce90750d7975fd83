"""CF.*: cuckoo filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import bounded, integer, wrong_arity
from emulator.modules.bloom.cuckoo import BadHeader, Cuckoo, Full, Settings
from emulator.modules.bloom.room import NoRoom
from emulator.modules.keys import changed, opened, seen
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX, wrapped
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NOT_FOUND: Final = "ERR not found"
_BAD_CAPACITY: Final = "Bad capacity"
_BAD_POSITION: Final = "Invalid position"
_OPTIONS: Final = {b"MAXITERATIONS": (1, 65535), b"BUCKETSIZE": (1, 255), b"EXPANSION": (0, 32768)}


def _default_settings(client: Session) -> Settings:
    config = client.engine.config
    return Settings(config.cf_bucket_size, config.cf_max_iterations, config.cf_expansion_factor)


def _create(client: Session, key: bytes, capacity: int, settings: Settings) -> Cuckoo:
    try:
        filter = Cuckoo(capacity, settings)
    except NoRoom:
        raise CommandError("ERR Insufficient memory to create filter") from None
    client.db.insert(key, filter)
    return filter


def _check(capacity: int, settings: Settings) -> None:
    if capacity < 2 * settings.bucket_size:
        raise CommandError("Capacity must be at least (BucketSize * 2)")


def _found(client: Session, key: bytes) -> Cuckoo:
    filter = client.db.lookup_read(key, Cuckoo)
    if filter is None:
        raise CommandError(_NOT_FOUND)
    return filter


@command
def cf_reserve(client: Session, key: bytes, capacity: bytes, *options: bytes) -> Status:
    """Create an empty cuckoo filter."""
    if len(options) % 2:
        raise wrong_arity("cf.reserve")
    entries = integer(capacity, _BAD_CAPACITY)
    settings = _settings(client, (key, capacity, *options))
    _check(entries, settings)
    if opened(client, key, Cuckoo) is not None:
        raise CommandError("ERR item exists")
    _create(client, key, entries, settings)
    changed(client, key)
    return OK


def _settings(client: Session, words: Sequence[bytes]) -> Settings:
    """What the options of CF.RESERVE say, which are found wherever they stand."""
    names = [word.upper() for word in words]
    given = {}
    for name, (least, most) in _OPTIONS.items():
        if name not in names:
            continue
        text = name.decode()
        place = names.index(name) + 1
        number = integer(words[place] if place < len(words) else b"", f"Couldn't parse {text}")
        if not least <= number <= most:
            raise CommandError(f"{text}: value must be an integer between {least} and {most}, inclusive.")
        given[name] = number
    size, iterations, expansion = _default_settings(client)
    return Settings(
        given.get(b"BUCKETSIZE", size), given.get(b"MAXITERATIONS", iterations), given.get(b"EXPANSION", expansion)
    )


# Adding and deleting


def _opened(client: Session, key: bytes, capacity: int, create: bool) -> Cuckoo:
    """The filter to which items are added."""
    filter = opened(client, key, Cuckoo)
    if filter is None:
        if not create:
            raise CommandError(_NOT_FOUND)
        return _create(client, key, capacity, _default_settings(client))
    if len(filter.filters) >= client.engine.config.cf_max_expansions:
        raise CommandError("Maximum expansions reached")
    return filter


def _add(client: Session, key: bytes, item: bytes, unless_there: bool) -> bool:
    filter = _opened(client, key, client.engine.config.cf_initial_size, create=True)
    added = not (unless_there and filter.has(item))
    if added:
        try:
            filter.add(item)
        except Full:
            raise CommandError("Filter is full") from None
        except NoRoom:
            raise CommandError("Memory allocation failed") from None
    changed(client, key)
    return added


@command
def cf_add(client: Session, key: bytes, item: bytes) -> bool:
    """Add an item to a cuckoo filter, which is created if need be, once more if it is there."""
    return _add(client, key, item, unless_there=False)


@command
def cf_addnx(client: Session, key: bytes, item: bytes) -> bool:
    """Add an item to a cuckoo filter, which is created if need be, unless it is there; whether it was added."""
    return _add(client, key, item, unless_there=True)


def _insert(client: Session, name: str, key: bytes, words: Sequence[bytes], unless_there: bool) -> list[int]:
    """For each item 1 where it was added, 0 where it was there, -1 where it found no place."""
    capacity, create, place = client.engine.config.cf_initial_size, True, 0
    while place < len(words):
        letter = words[place][:1].lower()
        place += 1
        if letter == b"i":
            break
        if letter == b"n":
            create = False
        elif letter != b"c":
            raise CommandError("Unknown argument received")
        elif place == len(words):
            raise wrong_arity(name)
        else:
            capacity = integer(words[place], _BAD_CAPACITY)
            _check(capacity, _default_settings(client))
            place += 1
    if place == len(words):
        raise wrong_arity(name)
    filter = _opened(client, key, capacity, create)
    results = []
    for item in words[place:]:
        if unless_there and filter.has(item):
            results.append(0)
            continue
        try:
            filter.add(item)
            results.append(1)
        except (Full, NoRoom):
            results.append(-1)
    changed(client, key)
    return results


@command
def cf_insert(client: Session, key: bytes, option: bytes, argument: bytes, *more: bytes) -> list[Reply]:
    """Add items to a cuckoo filter, which is created as the options say; 1 for each, -1 where there is no place.

    RESP3 has booleans for them.
    """
    results = _insert(client, "cf.insert", key, (option, argument, *more), unless_there=False)
    return [result > 0 for result in results] if client.protocol == 3 else list(results)


@command
def cf_insertnx(client: Session, key: bytes, option: bytes, argument: bytes, *more: bytes) -> list[int]:
    """Add those of some items that are not there; 1 for each, 0 for one that is there, -1 where there is no place."""
    return _insert(client, "cf.insertnx", key, (option, argument, *more), unless_there=True)


@command
def cf_del(client: Session, key: bytes, item: bytes) -> bool:
    """Take an item out once; whether it was there."""
    if client.db.has_listeners:
        client.db.touch(key)
    found = client.db.lookup_write_entry(key)
    if found is None or not isinstance(found.value, Cuckoo):
        raise CommandError("Not found")
    removed = found.value.remove(item)
    changed(client, key)
    return removed


@command
def cf_compact(client: Session, key: bytes) -> Status:
    """Move what is in later filters to earlier ones."""
    if client.db.has_listeners:
        client.db.touch(key)
    entry = client.db.lookup_write_entry(key)
    if entry is None or not isinstance(entry.value, Cuckoo):
        raise CommandError("Cuckoo filter was not found")
    entry.value.compact(stubborn=True)
    changed(client, key)
    client.engine.propagation.add(
        client.db.index, [b"CF.COMPACT", key]
    )  # logged though it is flagged as one that reads
    return OK


# Looking


@command
def cf_exists(client: Session, key: bytes, item: bytes) -> bool:
    """Whether an item may be there."""
    filter = seen(client, key, Cuckoo)
    return filter is not None and filter.has(item)


@command
def cf_mexists(client: Session, key: bytes, item: bytes, *more: bytes) -> list[Reply]:
    """Which of some items may be there."""
    filter = seen(client, key, Cuckoo)
    return [filter is not None and filter.has(one) for one in (item, *more)]


@command
def cf_count(client: Session, key: bytes, item: bytes) -> int:
    """How often an item may have been added."""
    filter = seen(client, key, Cuckoo)
    return 0 if filter is None else filter.count(item)


@command
def cf_info(client: Session, key: bytes) -> dict[bytes, int]:
    """What a cuckoo filter is made of."""
    filter = _found(client, key)
    size, iterations, expansion = filter.settings
    return {
        Status(b"Size"): filter.footprint,
        Status(b"Number of buckets"): wrapped(filter.first),
        Status(b"Number of filters"): len(filter.filters),
        Status(b"Number of items inserted"): wrapped(filter.items),
        Status(b"Number of items deleted"): wrapped(filter.deleted),
        Status(b"Bucket size"): size,
        Status(b"Expansion rate"): expansion,
        Status(b"Max iterations"): iterations,
    }


@command
def cf_debug(client: Session, key: bytes) -> bytes:
    """What a cuckoo filter is made of, in one line."""
    filter = _found(client, key)
    size, iterations, expansion = filter.settings
    return b"bktsize:%d buckets:%d items:%d deletes:%d filters:%d max_iterations:%d expansion:%d" % (
        size,
        filter.first,
        filter.items,
        filter.deleted,
        len(filter.filters),
        iterations,
        expansion,
    )


# Chunks


@command
def cf_scandump(client: Session, key: bytes, position: bytes) -> list[Reply]:
    """A part of a cuckoo filter and the position of the next one."""
    filter = _found(client, key)
    place = bounded(position, 0, INT64_MAX, _BAD_POSITION)
    if not filter.items:
        return [0, None]
    return [1, filter.header()] if place == 0 else list(filter.chunk(place))


@command
def cf_loadchunk(client: Session, key: bytes, position: bytes, data: bytes) -> Status:
    """Take over a part of a cuckoo filter; the first part creates it."""
    place = integer(position, _BAD_POSITION)
    if not place:
        raise CommandError(_BAD_POSITION)
    filter = opened(client, key, Cuckoo)
    if place == 1:
        if filter is not None:
            raise CommandError("ERR item exists")
        client.db.insert(key, _from_header(data))
    elif filter is None:
        raise CommandError(_NOT_FOUND)
    elif not filter.load_chunk(place, data):
        raise CommandError("Couldn't load chunk!")
    changed(client, key)
    return OK


def _from_header(data: bytes) -> Cuckoo:
    try:
        filter = Cuckoo.from_header(data)
    except BadHeader:
        raise CommandError("Invalid header") from None
    if filter is None:
        raise CommandError("Couldn't create filter!")
    return filter
