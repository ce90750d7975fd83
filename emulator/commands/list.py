"""Lists.  Moving between them is in `list_move`, and what waits in `list_blocking`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer, magnitude, multi_pop, positive, span, wrong_arity
from emulator.commands.options import at_least, read_options
from emulator.config.notifications import LIST
from emulator.datatypes.list import List
from emulator.keyspace.lazyfree import LARGE
from emulator.protocol.errors import NO_SUCH_KEY, OUT_OF_RANGE, SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MIN
from emulator.protocol.replies import NULL_ARRAY, OK, Reply, Status
from emulator.table.keyspec import keys, numkeys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

LEFT, RIGHT = b"LEFT", b"RIGHT"
_PUSHED = {LEFT: b"lpush", RIGHT: b"rpush"}
POPPED = {LEFT: b"lpop", RIGHT: b"rpop"}


# Ends


def push(client: Session, key: bytes, values: Sequence[bytes], side: bytes, create: bool = True) -> int:
    """Add elements at an end of a list; return its length, 0 if there is no list and `create` is false."""
    db = client.db
    target = db.lookup_write(key, List)
    if target is None:
        if not create:
            return 0
        target = List()
        db.insert(key, target)
    elif db.has_listeners and key in db.blocked:
        db.engine.blocking.grown(db, key)
    if target.nodes is None:
        target.grow(values, client.engine.config.list_max_listpack_size)
    if side is LEFT:
        target.extend_left(values)
    else:
        target.extend_right(values)
    db.changed(key, LIST, _PUSHED[side], len(values))
    return len(target)


def _push_together(
    client: Session, key: bytes, values: Sequence[bytes], *more: Sequence[bytes], side: bytes
) -> Sequence[int] | None:
    """LPUSH and RPUSH of a value each to a quicklist; a small list may become one with any of them."""
    target = client.db.lookup_write(key, List)
    if more or target is None or target.nodes is None:
        return None
    length = len(target)
    return range(length + 1, push(client, key, values, side) + 1)


def pop(client: Session, key: bytes, source: List, side: bytes, count: int = 1) -> list[bytes]:
    """Remove and return up to `count` elements from an end of a list."""
    if count == 1:
        values = [source.pop_left() if side == LEFT else source.pop_right()]
    else:
        take = source.take_left if side == LEFT else source.take_right
        values = take(min(count, len(source)))
    removed(client, key, source, POPPED[side], len(values))
    return values


def removed(client: Session, key: bytes, source: List, event: bytes, count: int) -> None:
    """Announce that elements were removed from a list."""
    if source.nodes is not None and source.values:
        source.shrink(client.engine.config.list_max_listpack_size)
    client.db.removed_from(key, source, LIST, event, count)


@command(
    "list",
    since="1.0.0",
    flags="write denyoom fast",
    keys=[keys("RW insert", 1)],
    complexity="O(1) a value",
    together=partial(_push_together, side=LEFT),
)
def lpush(client: Session, key: bytes, element: bytes, *more: bytes) -> int:
    """Adds elements at the head of a list, one after the other; returns its length."""
    return push(client, key, (element, *more), LEFT)


@command(
    "list",
    since="1.0.0",
    flags="write denyoom fast",
    keys=[keys("RW insert", 1)],
    complexity="O(1) a value",
    together=partial(_push_together, side=RIGHT),
)
def rpush(client: Session, key: bytes, element: bytes, *more: bytes) -> int:
    """Adds elements at the tail of a list; returns its length."""
    return push(client, key, (element, *more), RIGHT)


@command(
    "list",
    since="2.2.0",
    flags="write denyoom fast",
    keys=[keys("RW insert", 1)],
    complexity="O(1) a value",
)
def lpushx(client: Session, key: bytes, element: bytes, *more: bytes) -> int:
    """Adds elements at the head of a list that exists; returns its length."""
    return push(client, key, (element, *more), LEFT, create=False)


@command(
    "list",
    since="2.2.0",
    flags="write denyoom fast",
    keys=[keys("RW insert", 1)],
    complexity="O(1) a value",
)
def rpushx(client: Session, key: bytes, element: bytes, *more: bytes) -> int:
    """Adds elements at the tail of a list that exists; returns its length."""
    return push(client, key, (element, *more), RIGHT, create=False)


def _pop(client: Session, name: str, key: bytes, count: Sequence[bytes], side: bytes) -> Reply:
    if len(count) > 1:
        raise wrong_arity(name)
    if not count:
        source = client.db.lookup_write(key, List)
        return None if source is None else pop(client, key, source, side)[0]
    most = positive(count[0])
    source = client.db.lookup_write(key, List)
    if source is None:
        return NULL_ARRAY
    return pop(client, key, source, side, most) if most else []


@command(
    "list",
    since="1.0.0",
    flags="write fast",
    keys=[keys("RW access delete", 1)],
    complexity="O(N) for N values",
)
def lpop(client: Session, key: bytes, *count: bytes) -> Reply:
    """Removes and returns the first element of a list, or several."""
    return _pop(client, "lpop", key, count, LEFT)


@command(
    "list",
    since="1.0.0",
    flags="write fast",
    keys=[keys("RW access delete", 1)],
    complexity="O(N) for N values",
)
def rpop(client: Session, key: bytes, *count: bytes) -> Reply:
    """Removes and returns the last element of a list, or several."""
    return _pop(client, "rpop", key, count, RIGHT)


# Reading


@command("list", since="1.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def llen(client: Session, key: bytes) -> int:
    """Returns the length of a list, 0 if there is none."""
    values = client.db.lookup_read(key, List)
    return 0 if values is None else len(values)


@command(
    "list",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(1)",
)
def lindex(client: Session, key: bytes, index: bytes) -> bytes | None:
    """Returns the element at an index, which counts from the end if negative; null if there is none."""
    values = client.db.lookup_read(key, List)
    if values is None:
        return None
    try:
        return values.values[integer(index)]
    except IndexError:
        return None


@command(
    "list",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(S+N) for N values at a distance of S from an end",
)
def lrange(client: Session, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
    """Returns the elements from start to stop, inclusive; negative indexes count from the end."""
    first, last = integer(start), integer(stop)
    values = client.db.lookup_read(key, List)
    if values is None:
        return []
    return values.slice(*span(first, last, len(values)))


@command(
    "list",
    since="6.0.6",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(N) for N values looked at",
)
def lpos(client: Session, key: bytes, element: bytes, *options: bytes) -> Reply:
    """Returns the index of an element, or with COUNT the indexes of its occurrences."""
    if not options:
        values = client.db.lookup_read(key, List)
        found = [] if values is None else values.find(element, 1)
        return found[0] if found else None
    given = read_options(options, _POSITION_OPTIONS)
    rank, count, most = given.get(b"RANK", 1), given.get(b"COUNT"), given.get(b"MAXLEN", 0)
    values = client.db.lookup_read(key, List)
    wanted = 1 if count is None else count
    found = [] if values is None else _positions(values, element, rank, wanted, most)
    if count is None:
        return found[0] if found else None
    return found


def _rank(text: bytes) -> int:
    rank = magnitude(text)
    if rank == 0:
        raise CommandError(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start "
            "from the end of the list"
        )
    return rank


_POSITION_OPTIONS: Final = {
    b"RANK": (1, _rank),
    b"COUNT": at_least(0, "ERR COUNT can't be negative"),
    b"MAXLEN": at_least(0, "ERR MAXLEN can't be negative"),
}


def _positions(values: List, element: bytes, rank: int, count: int, most: int) -> list[int]:
    skip = abs(rank) - 1
    found = values.find(element, skip + (count or len(values)), rank < 0, most)[skip:]
    return found if rank > 0 else [len(values) - 1 - place for place in found]


# The middle


@command(
    "list",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("RW update", 1)],
    complexity="O(N) for N values up to it, O(1) at the ends",
)
def lset(client: Session, key: bytes, index: bytes, element: bytes) -> Status:
    """Replaces the element at an index."""
    target = client.db.lookup_write(key, List)
    if target is None:
        raise CommandError(NO_SUCH_KEY)
    position = _as_int(integer(index))
    limit = client.engine.config.list_max_listpack_size
    target.grow((element,), limit)
    size = len(target)
    if not -size <= position < size:
        raise CommandError(OUT_OF_RANGE)
    target.set(position, element)
    target.shrink(limit)
    client.db.changed(key, LIST, b"lset")
    return OK


def _as_int(number: int) -> int:
    """Return the lower 32 bits as a C int: Redis truncates the index of LSET to them."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


@command(
    "list",
    since="2.2.0",
    flags="write denyoom",
    keys=[keys("RW insert", 1)],
    complexity="O(N) for N values up to the pivot",
)
def linsert(client: Session, key: bytes, where: bytes, pivot: bytes, element: bytes) -> int:
    """Inserts an element before or after a pivot; returns the length, or -1 if there is no such pivot."""
    side = where.upper()
    if side not in (b"BEFORE", b"AFTER"):
        raise CommandError(SYNTAX)
    target = client.db.lookup_write(key, List)
    if target is None:
        return 0
    target.grow((element,), client.engine.config.list_max_listpack_size)
    found = target.find(pivot, 1)
    if not found:
        client.db.reweigh(key)
        return -1
    target.insert(found[0], element, after=side == b"AFTER")
    client.db.changed(key, LIST, b"linsert")
    return len(target)


@command("list", since="1.0.0", flags="write", keys=[keys("RW delete", 1)], complexity="O(N) for N values")
def lrem(client: Session, key: bytes, count: bytes, element: bytes) -> int:
    """Removes occurrences of an element: from the head, from the tail (negative count) or all (0); returns how many."""
    most = integer(count)
    if most == INT64_MIN and not client.engine.config.edition.precedes("7.4.0"):
        most = magnitude(count)
    target = client.db.lookup_write(key, List)
    if target is None:
        return 0
    number = target.remove(element, abs(most) or len(target), most < 0)
    if number:
        removed(client, key, target, b"lrem", number)
    return number


@command("list", since="1.0.0", flags="write", keys=[keys("RW delete", 1)], complexity="O(N) for N values removed")
def ltrim(client: Session, key: bytes, start: bytes, stop: bytes) -> Status:
    """Removes all elements but those from start to stop, inclusive."""
    first, last = integer(start), integer(stop)
    db = client.db
    target = db.lookup_write(key, List)
    if target is None:
        return OK
    before = len(target)
    low, high = span(first, last, before)
    if high - low < before:
        old = target.trim(low, high)
        if len(old) > LARGE:
            db.lazyfree.add(old)
        removed(client, key, target, b"ltrim", before - (high - low))
    elif client.engine.config.edition.is_valkey:  # is told there, but is no change
        db.notify(LIST, b"ltrim", key)
    else:
        if target.nodes is not None and len(target.nodes) == 1:
            target.shrink(client.engine.config.list_max_listpack_size)
            db.reweigh(key)
        if db.has_listeners:
            db.changed(key, LIST, b"ltrim", 0)
    return OK


# From the first of several


def mpop(client: Session, names: Sequence[bytes], side: bytes, count: int) -> list[Reply] | None:
    """Return the name of the first list that is not empty, and elements removed from it."""
    for name in names:
        source = client.db.lookup_write(name, List)
        if source is not None:
            return [name, pop(client, name, source, side, count)]
    return None


@command(
    "list",
    since="7.0.0",
    flags="write",
    keys=[numkeys("RW access delete", 1)],
    complexity="O(N+M) for N keys and M values",
)
def lmpop(client: Session, numkeys: bytes, key: bytes, where: bytes, *options: bytes) -> Reply:
    """Removes and returns elements from an end of the first list that is not empty."""
    return mpop(client, *multi_pop((numkeys, key, where, *options), (LEFT, RIGHT))) or NULL_ARRAY
