"""Streams: consumer groups and their pending entries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import INT32_MAX, bounded, integer, wrong_subcommand_arity
from emulator.commands.options import FLAG, Options, at_least, leading_options, read_options
from emulator.commands.stream import DELETED, NOT_THERE, STILL_NEEDED, delete_entry
from emulator.commands.stream_ids import bound, end_of_interval, exact_id, ids_to_delete, start_of_interval
from emulator.commands.stream_messages import new_stream
from emulator.config.notifications import STREAM
from emulator.datatypes.consumers import UNKNOWN, Consumer, Group, Pending
from emulator.datatypes.stream import Stream, format_id
from emulator.protocol.errors import NOT_INTEGER, SYNTAX, CommandError, as_text
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import NULL_ARRAY, OK, Reply, Rows, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("xgroup", group="stream", since="5.0.0", acl="", help_since="5.0.0")


def consumer_of(client: Session, key: bytes, group: Group, name: bytes) -> Consumer:
    """Return a consumer of a group; it is created if it does not exist."""
    consumer: Consumer | None = group.consumers.get(name)
    if consumer is None:
        consumer = group.create(name, client.engine.clock.now)
        client.db.changed_silently(key, STREAM, b"xgroup-createconsumer")
    return consumer


def stream_and_group(stream: Stream | None, key: bytes, name: bytes) -> tuple[Stream, Group]:
    if stream is None or name not in stream.groups:
        raise CommandError(f"NOGROUP No such key '{as_text(key)}' or consumer group '{as_text(name)}'")
    return stream, stream.groups[name]


# XGROUP


def _existing(client: Session, key: bytes) -> Stream:
    stream = client.db.lookup_write(key, Stream)
    if stream is None:
        raise CommandError(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
            "option to create an empty stream automatically."
        )
    return stream


def _existing_group(client: Session, key: bytes, name: bytes) -> tuple[Stream, Group]:
    stream = _existing(client, key)
    group = stream.groups.get(name)
    if group is None:
        raise CommandError(f"NOGROUP No such consumer group '{as_text(name)}' for key name '{as_text(key)}'")
    return stream, group


_READ_OPTION: Final = {
    b"ENTRIESREAD": at_least(UNKNOWN, "ERR value for ENTRIESREAD must be positive or -1", NOT_INTEGER)
}


def _group_options(client: Session, options: Sequence[bytes], may_make: bool) -> tuple[bool, int]:
    """Return whether MKSTREAM was given, and the value of ENTRIESREAD."""
    known = {**_READ_OPTION, b"MKSTREAM": FLAG} if may_make else _READ_OPTION
    given, rest = leading_options(options, known)
    if rest:
        raise wrong_subcommand_arity(client)
    return b"MKSTREAM" in given, given.get(b"ENTRIESREAD", UNKNOWN)


def _believed(client: Session, stream: Stream, read: int) -> int:
    """How many entries a group has read, as the client says: more than there ever were only Valkey believes."""
    return read if client.engine.config.edition.is_as_7_4 else stream.known_read(read)


@command(
    "stream",
    container="xgroup",
    since="5.0.0",
    flags="write denyoom",
    keys=[keys("RW insert", 2)],
    complexity="O(1)",
)
def xgroup_create(client: Session, key: bytes, group: bytes, id_or_dollar: bytes, *options: bytes) -> Status:
    """Creates a consumer group, which reads the entries after an id."""
    make, read = _group_options(client, options, may_make=True)
    stream = client.db.lookup_write(key, Stream) if make else _existing(client, key)
    if len(options) > 3:
        raise wrong_subcommand_arity(client)
    if id_or_dollar == b"$":
        id = 0 if stream is None else stream.last_id
    else:
        id = exact_id(id_or_dollar)
    if stream is None:
        stream = new_stream(client)
        client.db.insert(key, stream)
        client.db.touch(key)
    if group in stream.groups:
        raise CommandError("BUSYGROUP Consumer Group name already exists")
    stream.create_group(group, id, _believed(client, stream, read))
    client.db.changed_silently(key, STREAM, b"xgroup-create")
    return OK


@command(
    "stream",
    container="xgroup",
    since="5.0.0",
    flags="write",
    keys=[keys("RW update", 2)],
    complexity="O(1)",
)
def xgroup_setid(client: Session, key: bytes, group: bytes, id_or_dollar: bytes, *options: bytes) -> Status:
    """Sets the id after which a consumer group continues to read."""
    _, read = _group_options(client, options, may_make=False)
    stream, found = _existing_group(client, key, group)
    if len(options) > 2:
        raise wrong_subcommand_arity(client)
    stream.move(found, stream.last_id if id_or_dollar == b"$" else bound(id_or_dollar))
    found.read = _believed(client, stream, read)
    client.db.changed_silently(key, STREAM, b"xgroup-setid")
    return OK


@command(
    "stream",
    container="xgroup",
    since="5.0.0",
    flags="write",
    keys=[keys("RW delete", 2)],
    complexity="O(N) for N entries pending",
)
def xgroup_destroy(client: Session, key: bytes, group: bytes) -> int:
    """Deletes a consumer group; clients that wait for it receive an error."""
    stream = _existing(client, key)
    forgets = client.engine.config.edition.includes("8.4.0")  # before, nobody noticed that the slowest group had gone
    if not stream.destroy_group(group, forgets):
        return 0
    client.db.changed_silently(key, STREAM, b"xgroup-destroy")
    if key in client.db.blocked:
        client.engine.blocking.signal(client.db, key, Stream)
    return 1


@command(
    "stream",
    container="xgroup",
    since="6.2.0",
    flags="write denyoom",
    keys=[keys("RW insert", 2)],
    complexity="O(1)",
)
def xgroup_createconsumer(client: Session, key: bytes, group: bytes, consumer: bytes) -> int:
    """Creates a consumer in a group; returns 0 if it already exists."""
    _, found = _existing_group(client, key, group)
    if consumer in found.consumers:
        return 0
    consumer_of(client, key, found, consumer)
    return 1


@command(
    "stream",
    container="xgroup",
    since="5.0.0",
    flags="write",
    keys=[keys("RW delete", 2)],
    complexity="O(N) for N entries pending",
)
def xgroup_delconsumer(client: Session, key: bytes, group: bytes, consumer: bytes) -> int:
    """Deletes a consumer; returns the number of entries that were pending for it and no longer are."""
    _, found = _existing_group(client, key, group)
    known = found.consumers.get(consumer)
    if known is None:
        return 0
    pending = found.remove(known)
    client.db.changed_silently(key, STREAM, b"xgroup-delconsumer")
    return pending


# Acknowledging


@command("stream", since="5.0.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1) for each entry")
def xack(client: Session, key: bytes, group: bytes, id: bytes, *more: bytes) -> int:
    """Acknowledges pending entries; returns how many were pending."""
    stream = client.db.lookup_read(key, Stream)
    found = None if stream is None else stream.groups.get(group)
    if found is None:
        return 0
    client.db.alter(key)
    count = sum([found.acknowledge(number) for number in [exact_id(text) for text in (id, *more)]])
    client.db.changed_silently(key, count=count)
    return count


@command(
    "stream",
    since="8.2.0",
    flags="write fast",
    keys=[keys("RW update delete", 1)],
    complexity="O(1) for each entry",
)
def xackdel(client: Session, key: bytes, group: bytes, ids: bytes, numids: bytes, id: bytes, *more: bytes) -> list[int]:
    """Acknowledges and deletes entries; returns 1 (deleted), 2 (still referenced) or -1 (not pending) each."""
    stream = client.db.lookup_write(key, Stream)
    strategy, texts = ids_to_delete((ids, numids, id, *more))
    found = None if stream is None else stream.groups.get(group)
    if stream is None or found is None:
        return [NOT_THERE] * len(texts)
    answers = []
    gone = 0
    for number in [exact_id(text) for text in texts]:
        if not found.acknowledge(number):
            answers.append(NOT_THERE)
            continue
        client.db.changed_silently(key)
        outcome = delete_entry(client.db, key, stream, number, strategy)
        gone += outcome == DELETED
        answers.append(STILL_NEEDED if outcome == STILL_NEEDED else DELETED)
    if gone:
        client.db.changed(key, STREAM, b"xdel", 0)
    return answers


# Releasing


_RELEASED: Final = -1
"""The idle time of what is pending with nobody."""
_MODES: Final = (b"SILENT", b"FAIL", b"FATAL")


def _counted_ids(words: Sequence[bytes]) -> int:
    """How many words belong to IDS: a number, and so many ids."""
    if not words:
        return 1
    count = bounded(words[0], 1, INT32_MAX, "ERR numids must be a positive integer")
    if count > len(words) - 1:
        raise CommandError("ERR number of IDs doesn't match numids")
    return 1 + count


_RELEASE_OPTIONS: Final[Options] = {
    b"IDS": (_counted_ids, lambda count, *ids: ids),
    b"RETRYCOUNT": at_least(0, "ERR Invalid RETRYCOUNT value, must be >= 0", NOT_INTEGER),
    b"FORCE": FLAG,
}


@command("stream", since="8.8.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1) for each entry")
def xnack(
    client: Session, key: bytes, group: bytes, mode: bytes, ids: bytes, numids: bytes, id: bytes, *more: bytes
) -> int:
    """Gives pending entries back to the group, so that another consumer may claim them at once; returns how many."""
    stream, found = stream_and_group(client.db.lookup_write(key, Stream), key, group)
    how = mode.upper()
    if how not in _MODES:
        raise CommandError("ERR mode must be SILENT, FAIL, or FATAL")
    words = (ids, numids, id, *more)
    given = read_options(words, _RELEASE_OPTIONS, error="ERR Unrecognized XNACK option '{}'")
    if b"IDS" not in given:
        raise CommandError("ERR syntax error, expected IDS keyword")
    numbers = list(map(exact_id, given[b"IDS"]))
    released = 0
    for number in numbers:
        pending = found.pending.get(number)
        before = 0 if pending is None else pending.count
        if pending is None:
            if b"FORCE" not in given or stream.get(number) is None:
                continue
            found.deliver([number], found.released, 0)
        count = INT64_MAX if how == b"FATAL" else max(before - (how == b"SILENT"), 0)
        found.release(number, given.get(b"RETRYCOUNT", count))
        released += 1
    if released:
        client.db.changed_silently(key, count=released)
    return released


# XPENDING


@command(
    "stream",
    since="5.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N entries returned or passed over",
)
def xpending(client: Session, key: bytes, group: bytes, *options: bytes) -> Collection[Reply]:
    """Returns a summary of the pending entries of a group, or the entries with consumer, idle time and deliveries."""
    if not options:
        return _summary(stream_and_group(client.db.lookup_read(key, Stream), key, group)[1])
    if not 3 <= len(options) <= 6:
        raise CommandError(SYNTAX)
    idle = 0
    if options[0].upper() == b"IDLE":
        idle = integer(options[1])
        if len(options) < 5:
            raise CommandError(SYNTAX)
        options = options[2:]
    count = max(integer(options[2]), 0)
    start, end = start_of_interval(options[0]), end_of_interval(options[1])
    found = stream_and_group(client.db.lookup_read(key, Stream), key, group)[1]
    pending = found.pending
    if len(options) > 3:
        consumer = found.consumers.get(options[3])
        if consumer is None:
            return []
        pending = consumer.pending
    now = client.engine.clock.now
    ids = pending.irange(start, end)
    late = (id for id in ids if now - pending[id].delivered >= idle) if idle else ids
    chosen = list(islice(late, count))
    return _pending_entries(chosen, [pending[id] for id in chosen], now)


def _summary(group: Group) -> list[Reply]:
    pending = group.pending
    if not pending:
        return [0, None, None, NULL_ARRAY]
    counts = [[name, b"%d" % len(own.pending)] for name, own in group.consumers.items() if own.pending]
    return [len(pending), format_id(pending.keys()[0]), format_id(pending.keys()[-1]), counts]


def _pending_entries(ids: list[int], pending: list[Pending], now: int) -> Rows:
    idle = [
        max(now - item.delivered, 0) if item.delivered or item.consumer is not None else _RELEASED for item in pending
    ]
    owners = [item.consumer or b"" for item in pending]
    return Rows(list(map(format_id, ids)), owners, idle, [item.count for item in pending])
