"""Sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import bounded, positive, random_count
from emulator.commands.options import FLAG, UP_TO_LIMIT, Options, read_options
from emulator.commands.scan import ELEMENTS, of_edition, scan_cursor, scan_options
from emulator.config.notifications import SET
from emulator.datatypes.set import INTSET, LISTPACK, Set
from emulator.protocol import replies
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys, numkeys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NOTHING: Final = Set()


def _read(client: Session, key: bytes) -> Set:
    """Return the set at a key for reading; an empty one if there is none."""
    return client.db.lookup_read(key, Set) or _NOTHING


# Members


@command("set", since="1.0.0", flags="write denyoom fast", keys=[keys("RW insert", 1)], complexity="O(1) a member")
def sadd(client: Session, key: bytes, member: bytes, *more: bytes) -> int:
    """Adds members; returns how many are new."""
    db, limits = client.db, client.engine.config
    target = db.lookup_write(key, Set)
    if target is None:
        target = Set()
        target.expect(member, 1 + len(more), limits)
        db.insert(key, target)
    elif more:
        target.expect(member, 1 + len(more), limits)
    added = int(target.add(member, limits))
    for name in more:
        added += target.add(name, limits)
    if added:
        db.changed(key, SET, b"sadd", added)
    return added


@command("set", since="1.0.0", flags="write fast", keys=[keys("RW delete", 1)], complexity="O(N) for N members named")
def srem(client: Session, key: bytes, member: bytes, *more: bytes) -> int:
    """Removes members; returns how many existed."""
    target = client.db.lookup_write(key, Set)
    if target is None:
        return 0
    count = sum([target.remove(name) for name in (member, *more)])
    if count:
        client.db.removed_from(key, target, SET, b"srem", count)
    return count


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N members",
)
def smembers(client: Session, key: bytes) -> replies.SetReply:
    """Returns all members."""
    return replies.SetReply(_read(client, key))


@command("set", since="1.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def sismember(client: Session, key: bytes, member: bytes) -> int:
    """Returns 1 if a member is in the set, else 0."""
    return int(member in _read(client, key).members)


@command(
    "set", since="6.2.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(N) for N members named"
)
def smismember(client: Session, key: bytes, member: bytes, *more: bytes) -> list[int]:
    """Returns 1 or 0 for each of several members."""
    members = _read(client, key).members
    return [int(name in members) for name in (member, *more)]


@command("set", since="1.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def scard(client: Session, key: bytes) -> int:
    """Returns the number of members, 0 if there is no set."""
    return len(_read(client, key).members)


@command(
    "set",
    since="1.0.0",
    flags="write fast",
    keys=[keys("RW access delete", 1), keys("RW insert", 2)],
    complexity="O(1)",
)
def smove(client: Session, source: bytes, destination: bytes, member: bytes) -> int:
    """Moves a member to another set; returns 1 if it existed."""
    db, limits = client.db, client.engine.config
    origin = db.lookup_write(source, Set)
    if origin is None:
        db.lookup_write_entry(destination)  # it counts as used nevertheless
        return 0
    target = db.lookup_write(destination, Set)
    if origin is target:
        return int(member in origin.members)
    if not origin.remove(member):
        return 0
    db.removed_from(source, origin, SET, b"srem")
    if target is None:
        target = Set()
        target.expect(member, 1, limits)
        db.insert(destination, target)
    if target.add(member, limits):
        db.changed(destination, SET, b"sadd")
    return 1


# Random members and iteration


@command(
    "set",
    since="1.0.0",
    flags="write fast",
    keys=[keys("RW access delete", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N members returned",
)
def spop(client: Session, key: bytes, *count: bytes) -> Reply:
    """Removes and returns a random member, or several."""
    db, random = client.db, client.engine.random
    if len(count) > 1:
        raise CommandError(SYNTAX)
    number = positive(count[0]) if count else 1
    target = db.lookup_write(key, Set)
    if target is None:
        return replies.SetReply() if count else None
    if not count:
        member = target.pop(random)
        db.removed_from(key, target, SET, b"spop")
        return member
    if not number:
        return replies.SetReply()
    if number < len(target):
        members = replies.SetReply(target.pop_many(random, number, client.engine.config))
    else:
        members = replies.SetReply(target)
        target.clear()
    db.removed_from(key, target, SET, b"spop", len(members))
    return members


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N members returned",
)
def srandmember(client: Session, key: bytes, *count: bytes) -> Reply:
    """Returns a random member, or several: different ones for a positive count, repeatable ones for a negative."""
    random = client.engine.random
    if not count:
        target = _read(client, key)
        return target.index.choose(random) if target else None
    if len(count) > 1:
        raise CommandError(SYNTAX)
    number, _ = random_count(count)
    target = _read(client, key)
    if not target or number >= len(target):
        return list(target)
    return target.index.pick(random, client.producible(number))


@command(
    "set",
    since="2.8.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(1) a call, O(N) for all",
)
def sscan(client: Session, key: bytes, cursor: bytes, *options: bytes) -> list[Reply]:
    """Returns some members and the cursor to continue with, 0 at the end."""
    position = scan_cursor(cursor, client.engine.config.edition)
    target = _read(client, key)
    if not target:
        return [b"0", []]
    asked = scan_options(options, of_edition(client.engine.config.edition, ELEMENTS))
    after, found = (0, list(target)) if target.packed else target.index.scan(position, asked.most)
    return [b"%d" % after, asked.chosen(found)]


# Several sets


def _read_all(client: Session, names: Sequence[bytes]) -> list[Set]:
    return [_read(client, name) for name in names]


def _intersection(sets: Sequence[Set]) -> Iterator[bytes]:
    """Yield the members that all sets have, in the order of the smallest set.  O(N*M) for M sets, the smallest with N."""
    first, *others = sorted(sets, key=len)
    members = iter(first)
    for other in others:
        members = filter(other.members.__contains__, members)
    return members


def _union(sets: Sequence[Set]) -> Iterable[bytes]:
    """Return the members that any of the sets has.  O(N) for N members in all."""
    union = dict[bytes, None]()
    for other in sets:
        union |= other.members
    return sorted(union, key=int) if all(other.encoding == b"intset" for other in sets if other) else union


def _difference(sets: Sequence[Set]) -> Iterable[bytes]:
    """Return the members of the first set that no other has.  O(N) for N members in all."""
    first, *others = sets
    left = dict.fromkeys(first)
    for other in others:
        for member in left.keys() & other.members.keys():
            del left[member]
    return left


def _takes_away(sets: Sequence[Set]) -> bool:
    """Return whether Redis takes the others' members out of a copy of the first set, rather than look for each of its own."""
    there = list(filter(None, sets))
    return len(there) * len(sets[0]) // 2 > sum(map(len, there))


def _store(client: Session, destination: bytes, result: Set, event: bytes) -> int:
    """Store a set, or delete the key if it is empty; return how many members there are."""
    if result:
        client.db.put(destination, result, SET, event)
    else:
        client.db.delete(destination)
    return len(result)


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1, -1)],
    tips="nondeterministic_output_order",
    complexity="O(N*M) for M sets, the smallest of N members",
)
def sinter(client: Session, key: bytes, *more: bytes) -> replies.SetReply:
    """Returns the members that all of several sets have."""
    return replies.SetReply(_intersection(_read_all(client, (key, *more))))


@command(
    "set",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2, -1)],
    complexity="O(N*M) for M sets, the smallest of N members",
)
def sinterstore(client: Session, destination: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members that all of several sets have; returns how many."""
    sets, config = _read_all(client, (key, *more)), client.engine.config
    smallest = min(sets, key=len)
    result = Set.of(_intersection(sets), config, INTSET if smallest.encoding is INTSET else LISTPACK)
    result.settle(config)
    return _store(client, destination, result, b"sinterstore")


@command(
    "set",
    since="7.0.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N*M) for M sets, the smallest of N members",
)
def sintercard(client: Session, count: bytes, key: bytes, *more: bytes) -> int:
    """Counts the members that all of several sets have, up to a limit."""
    names, options = _counted(count, (key, *more))
    limit = read_options(options, UP_TO_LIMIT).get(b"LIMIT")
    found = _intersection(_read_all(client, names))
    return sum(1 for _ in islice(found, limit or None))


def _counted(count: bytes, words: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return so many keys, and the words behind them."""
    number = bounded(count, 1, INT64_MAX, "ERR numkeys should be greater than 0")
    if number > len(words):
        raise CommandError("ERR Number of keys can't be greater than number of args")
    return words[:number], words[number:]


_UP_TO: Final[Options] = {**UP_TO_LIMIT, b"APPROX": FLAG}


@command(
    "set",
    since="8.10.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N) for N members in all",
)
def sunioncard(client: Session, count: bytes, key: bytes, *more: bytes) -> int:
    """Counts the members that any of several sets has, up to a limit; APPROX allows an estimate, which here is exact."""
    names, options = _counted(count, (key, *more))
    limit = read_options(options, _UP_TO).get(b"LIMIT")
    return min(len({*chain.from_iterable(_read_all(client, names))}), limit or INT64_MAX)


@command(
    "set",
    since="8.10.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N) for N members in all",
)
def sdiffcard(client: Session, count: bytes, key: bytes, *more: bytes) -> int:
    """Counts the members of the first set that no other has, up to a limit."""
    names, options = _counted(count, (key, *more))
    limit = read_options(options, UP_TO_LIMIT).get(b"LIMIT")
    return min(sum(1 for _ in _difference(_read_all(client, names))), limit or INT64_MAX)


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1, -1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N members in all",
)
def sunion(client: Session, key: bytes, *more: bytes) -> replies.SetReply:
    """Returns the members that any of several sets has."""
    return replies.SetReply(_union(_read_all(client, (key, *more))))


@command(
    "set",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2, -1)],
    complexity="O(N) for N members in all",
)
def sunionstore(client: Session, destination: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members that any of several sets has; returns how many."""
    result = Set.of(_union(_read_all(client, (key, *more))), client.engine.config)
    return _store(client, destination, result, b"sunionstore")


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1, -1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N members in all",
)
def sdiff(client: Session, key: bytes, *more: bytes) -> replies.SetReply:
    """Returns the members of the first set that no other set has."""
    return replies.SetReply(_difference(_read_all(client, (key, *more))))


@command(
    "set",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2, -1)],
    complexity="O(N) for N members in all",
)
def sdiffstore(client: Session, destination: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members of the first set that no other set has; returns how many."""
    sets, config = _read_all(client, (key, *more)), client.engine.config
    members = _difference(sets)
    if _takes_away(sets):  # what once was no longer small stays so
        result = Set.encoded(members, Set.of(sets[0], config).encoding)
    else:
        result = Set.of(members, config)
    return _store(client, destination, result, b"sdiffstore")
