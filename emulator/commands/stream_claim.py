"""XCLAIM and XAUTOCLAIM: a consumer takes over what another one has left pending."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer
from emulator.commands.options import FLAG, Given, Option, Options, at_least, last_given, read_options
from emulator.commands.stream_groups import consumer_of, stream_and_group
from emulator.commands.stream_ids import exact_id, start_of_interval
from emulator.datatypes.consumers import Group
from emulator.datatypes.stream import Stream, format_id, format_ids
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


@command(
    "stream",
    since="5.0.0",
    flags="write fast",
    keys=[keys("RW update", 1)],
    tips="nondeterministic_output",
    complexity="O(log N) for N entries pending",
)
def xclaim(
    client: Session, key: bytes, group: bytes, consumer: bytes, min_idle_time: bytes, id: bytes, *more: bytes
) -> list[Reply]:
    """Assigns pending entries that have been idle for a time to a consumer."""
    stream, found = stream_and_group(client.db.lookup_read(key, Stream), key, group)
    client.db.alter(key)
    idle = max(integer(min_idle_time, "ERR Invalid min-idle-time argument for XCLAIM"), 0)
    words = (id, *more)
    ids = list(_leading_ids(words))
    given = read_options(words[len(ids) :], _CLAIM_OPTIONS, error="ERR Unrecognized XCLAIM option '{}'")
    just_id, retries = b"JUSTID" in given, given.get(b"RETRYCOUNT", -1)
    moved = given.get(b"LASTID", 0) > found.last_id
    if moved:
        stream.move(found, given[b"LASTID"])
    claimant = consumer_of(client, key, found, consumer)
    claimant.seen = now = client.engine.clock.now
    delivered = _delivery_time(given, now)
    answers: list[Reply] = []
    changes = 0
    for number in ids:
        body = stream.get(number)
        pending = found.pending.get(number)
        if body is None:
            if pending is not None:
                _tell_of_claim(client, key, group, found, number)
                moved = False  # the claim has said so
                found.acknowledge(number)
                changes += 1
            continue
        if pending is not None:
            if idle and now - pending.delivered < idle:
                continue
        elif b"FORCE" in given:
            found.deliver([number], claimant, now)
        else:
            continue
        found.give(number, claimant)
        found.redeliver(number, delivered, again=not just_id)
        if retries >= 0:
            found.pending[number].count = retries
        _tell_of_claim(client, key, group, found, number)
        moved = False
        answers.append(format_id(number) if just_id else [format_id(number), body])
        claimant.active = now
        changes += 1
    if changes or moved:
        client.db.changed_silently(key, count=changes + moved)
    if moved:
        last = [format_id(found.last_id), b"ENTRIESREAD", b"%d" % found.read]
        client.engine.propagation.add(client.db.index, [b"XGROUP", b"SETID", key, group, *last])
    return answers


def claim_of(key: bytes, name: bytes, group: Group, id: int, last: bytes) -> list[bytes]:
    """The command by which an entry is pending as it is now, `last` being the last one that the group has read."""
    pending = group.pending[id]
    options = [b"TIME", b"%d" % pending.delivered, b"RETRYCOUNT", b"%d" % pending.count, b"FORCE", b"JUSTID"]
    return [b"XCLAIM", key, name, pending.consumer or b"", b"0", format_id(id), *options, b"LASTID", last]


def _tell_of_claim(client: Session, key: bytes, name: bytes, group: Group, id: int) -> None:
    """Log the claim of an entry as it is pending now; one that no longer exists goes by it wherever it is played."""
    if client.engine.propagation.active:
        words = claim_of(key, name, group, id, format_id(group.last_id))
        client.engine.propagation.add(client.db.index, words)


def _leading_ids(words: Sequence[bytes]) -> Iterator[int]:
    for word in words:
        try:
            yield exact_id(word)
        except CommandError:
            return


def _claim_number(option: str) -> Option:
    return 1, partial(integer, error=f"ERR Invalid {option} option argument for XCLAIM")


_CLAIM_OPTIONS: Final[Options] = {
    b"FORCE": FLAG,
    b"JUSTID": FLAG,
    b"LASTID": (1, exact_id),
    b"IDLE": _claim_number("IDLE"),
    b"TIME": _claim_number("TIME"),
    b"RETRYCOUNT": _claim_number("RETRYCOUNT"),
}


def _delivery_time(given: Given, now: int) -> int:
    """Return the moment of delivery that XCLAIM gives to entries; it is never in the future."""
    option = last_given(given, (b"IDLE", b"TIME"))
    moment: int = now - given.get(b"IDLE", 0) if option != b"TIME" else given[b"TIME"]
    return moment if 0 <= moment <= now else now


_AUTOCLAIM_OPTIONS: Final = {b"JUSTID": FLAG, b"COUNT": at_least(1, "ERR COUNT must be > 0", most=INT64_MAX // 16)}


@command(
    "stream",
    since="6.2.0",
    flags="write fast",
    keys=[keys("RW delete", 1)],
    tips="nondeterministic_output",
    complexity="O(1) if COUNT is small",
)
def xautoclaim(
    client: Session, key: bytes, group: bytes, consumer: bytes, min_idle_time: bytes, start: bytes, *options: bytes
) -> list[Reply]:
    """Finds pending entries that have been idle for a time, in portions, and assigns them to a consumer.

    Returns the id to continue from (0-0 at the end), the entries, and the ids of entries that no longer exist.
    """
    idle = max(integer(min_idle_time, "ERR Invalid min-idle-time argument for XAUTOCLAIM"), 0)
    first = start_of_interval(start)
    given = read_options(options, _AUTOCLAIM_OPTIONS)
    count, just_id = given.get(b"COUNT", 100), b"JUSTID" in given
    stream, found = stream_and_group(client.db.lookup_read(key, Stream), key, group)
    client.db.alter(key)
    claimant = consumer_of(client, key, found, consumer)
    claimant.seen = now = client.engine.clock.now
    claimed: list[Reply] = []
    deleted: list[int] = []
    cursor = changes = 0
    for attempt, number in enumerate(found.pending.irange(first)):
        if attempt == 10 * count or changes == count:
            cursor = number
            break
        body = stream.get(number)
        if body is None:
            _tell_of_claim(client, key, group, found, number)
            deleted.append(number)
        elif not idle or now - found.pending[number].delivered >= idle:
            found.give(number, claimant)
            found.redeliver(number, now, again=not just_id)
            _tell_of_claim(client, key, group, found, number)
            claimed.append(format_id(number) if just_id else [format_id(number), body])
            claimant.active = now
        else:
            continue
        changes += 1
    for number in deleted:  # now that nothing goes through what is pending
        found.acknowledge(number)
    if changes:
        client.db.changed_silently(key, count=changes)
    return [format_id(cursor), claimed, format_ids(deleted)]
