"""Streams: XINFO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortedcontainers import SortedDict

from emulator.commands.arguments import integer, wrong_subcommand_arity
from emulator.commands.stream import entries
from emulator.commands.stream_messages import figures as messages
from emulator.datatypes.consumers import NEVER_ACTIVE, UNKNOWN, Consumer, Group, Pending
from emulator.datatypes.stream import MAX_ID, Stream, format_id
from emulator.protocol.errors import NO_SUCH_KEY, CommandError, as_text
from emulator.protocol.replies import Reply, Rows
from emulator.table.keyspec import keys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("xinfo", group="stream", since="5.0.0", acl="", help_since="5.0.0")


def _existing(client: Session, key: bytes) -> Stream:
    stream = client.db.lookup_read(key, Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    return stream


@command(
    "stream",
    container="xinfo",
    since="5.0.0",
    flags="readonly",
    keys=[keys("RO access", 2)],
    complexity="O(1), with FULL O(N) for N entries returned",
)
def xinfo_stream(client: Session, key: bytes, *options: bytes) -> dict[bytes, Reply]:
    """Returns facts about a stream; with FULL, its entries and groups as well."""
    stream = _existing(client, key)
    if not options:
        return _overview(client, stream)
    with_count = len(options) == 3 and options[1].upper() == b"COUNT"
    if options[0].upper() != b"FULL" or not (len(options) == 1 or with_count):
        raise wrong_subcommand_arity(client)
    count = max(integer(options[2]), 0) if with_count else 10
    return _figures(client, stream) | {
        b"entries": entries(stream, 0, MAX_ID, count),
        b"groups": [_full_group(client, stream, name, stream.groups[name], count) for name in sorted(stream.groups)],
    }


def _figures(client: Session, stream: Stream) -> dict[bytes, Reply]:
    figures: dict[bytes, Reply] = {
        b"length": len(stream),
        b"radix-tree-keys": len(stream.runs),
        b"radix-tree-nodes": stream.radix_tree_nodes(),
        b"last-generated-id": format_id(stream.last_id),
        b"max-deleted-entry-id": format_id(stream.max_deleted),
        b"entries-added": stream.added,
        b"recorded-first-entry-id": format_id(stream.first_id),
    }
    if client.engine.config.edition.includes("8.6.0"):
        figures |= messages(stream)
    return figures


def _overview(client: Session, stream: Stream) -> dict[bytes, Reply]:
    figures = _figures(client, stream)
    figures[b"groups"] = len(stream.groups)
    figures[b"first-entry"] = figures[b"last-entry"] = None
    if (ends := stream.outermost()) is not None:
        figures[b"first-entry"], figures[b"last-entry"] = ((format_id(id), body) for id, body in ends)
    return figures


def _progress(client: Session, stream: Stream, group: Group) -> dict[bytes, Reply]:
    edition = client.engine.config.edition
    return {
        b"last-delivered-id": format_id(group.last_id),
        b"entries-read": None if group.read == UNKNOWN else group.read,
        b"lag": stream.lag(group, edition.is_as_7_4, not edition.is_valkey),
    }


def _full_group(client: Session, stream: Stream, name: bytes, group: Group, count: int) -> dict[bytes, Reply]:
    ids, pending = _columns(group.pending, count)
    return {
        b"name": name,
        **_progress(client, stream, group),
        b"pel-count": len(group.pending),
        b"pending": Rows(
            ids,
            [item.consumer or b"" for item in pending],
            [item.delivered for item in pending],
            [item.count for item in pending],
        ),
        b"consumers": [_full_consumer(consumer, count) for consumer in group.consumers.values()],
    }


def _full_consumer(consumer: Consumer, count: int) -> dict[bytes, Reply]:
    ids, pending = _columns(consumer.pending, count)
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen,
        b"active-time": consumer.active,
        b"pel-count": len(consumer.pending),
        b"pending": Rows(ids, [item.delivered for item in pending], [item.count for item in pending]),
    }


def _columns(pending: SortedDict[int, Pending], count: int) -> tuple[list[bytes], list[Pending]]:
    """The ids of the first so many that are pending, of all for 0, and what is known of them."""
    ids = pending.keys()[: count or None]
    return list(map(format_id, ids)), [pending[id] for id in ids]


@command(
    "stream",
    container="xinfo",
    since="5.0.0",
    flags="readonly",
    keys=[keys("RO access", 2)],
    complexity="O(1)",
)
def xinfo_groups(client: Session, key: bytes) -> list[Reply]:
    """Returns the consumer groups of a stream."""
    stream = _existing(client, key)
    return [
        {
            b"name": name,
            b"consumers": len(group.consumers),
            b"pending": len(group.pending),
            **_progress(client, stream, group),
        }
        for name, group in sorted(stream.groups.items())
    ]


@command(
    "stream",
    container="xinfo",
    since="5.0.0",
    flags="readonly",
    keys=[keys("RO access", 2)],
    tips="nondeterministic_output",
    complexity="O(1)",
)
def xinfo_consumers(client: Session, key: bytes, group: bytes) -> list[Reply]:
    """Returns the consumers of a group, with the times since they last asked (idle) and last received (inactive)."""
    stream = _existing(client, key)
    found = stream.groups.get(group)
    if found is None:
        raise CommandError(f"NOGROUP No such consumer group '{as_text(group)}' for key name '{as_text(key)}'")
    now = client.engine.clock.now
    return [
        {
            b"name": consumer.name,
            b"pending": len(consumer.pending),
            b"idle": max(now - consumer.seen, 0),
            b"inactive": NEVER_ACTIVE if consumer.active == NEVER_ACTIVE else max(now - consumer.active, 0),
        }
        for consumer in found.consumers.values()
    ]
