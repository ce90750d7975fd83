"""Sets.  What is made of several is in `set_combine`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import positive, random_count
from emulator.commands.scan import ELEMENTS, of_edition, scan_cursor, scan_options
from emulator.config.notifications import SET
from emulator.datatypes.set import Set
from emulator.protocol import replies
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NOTHING: Final = Set()


def read_set(client: Session, key: bytes) -> Set:
    """Return the set at a key for reading; an empty one if there is none."""
    found = client.db.lookup_read(key, Set)
    return _NOTHING if found is None else found


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
    elif more:
        db.reweigh(key)
    return added


@command("set", since="1.0.0", flags="write fast", keys=[keys("RW delete", 1)], complexity="O(1) a member")
def srem(client: Session, key: bytes, member: bytes, *more: bytes) -> int:
    """Removes members; returns how many existed."""
    target = client.db.lookup_write(key, Set)
    if target is None:
        return 0
    count = int(target.remove(member))
    if more:
        count += sum(map(target.remove, more))
    if count:
        client.db.removed_from(key, target.members, SET, b"srem", count)
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
    return replies.SetReply(read_set(client, key))


@command("set", since="1.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def sismember(client: Session, key: bytes, member: bytes) -> int:
    """Returns 1 if a member is in the set, else 0."""
    return 1 if member in read_set(client, key).members else 0


@command("set", since="6.2.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1) a member")
def smismember(client: Session, key: bytes, member: bytes, *more: bytes) -> list[int]:
    """Returns 1 or 0 for each of several members."""
    members = read_set(client, key).members
    return [1 if name in members else 0 for name in (member, *more)]


@command("set", since="1.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def scard(client: Session, key: bytes) -> int:
    """Returns the number of members, 0 if there is no set."""
    return len(read_set(client, key).members)


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
    db.removed_from(source, origin.members, SET, b"srem")
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
        db.removed_from(key, target.members, SET, b"spop")
        return member
    if not number:
        return replies.SetReply()
    if number < len(target):
        members = replies.SetReply(target.pop_many(random, number, client.engine.config))
    else:
        members = replies.SetReply(target)
        target.clear()
    db.removed_from(key, target.members, SET, b"spop", len(members))
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
        target = read_set(client, key)
        return target.index.choose(random) if target.members else None
    if len(count) > 1:
        raise CommandError(SYNTAX)
    number, _ = random_count(count)
    target = read_set(client, key)
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
    target = read_set(client, key)
    if not target:
        return [b"0", []]
    asked = scan_options(options, of_edition(client.engine.config.edition, ELEMENTS))
    after, found = (0, list(target)) if target.packed else target.index.scan(position, asked.most)
    return [b"%d" % after, asked.chosen(found)]
