"""Publish and subscribe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.clients.pubsub import PubSub, Subscribers
from emulator.commands.arguments import wrong_subcommand_arity
from emulator.datatypes.glob import matcher
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Push, Replies, Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("pubsub", group="pubsub", since="2.8.0", acl="", help_since="6.2.0", help_acl="")


def _subscribe(
    client: Session, kind: bytes, table: Subscribers, own: dict[bytes, None], names: Sequence[bytes]
) -> Replies:
    replies = Replies()
    for name in names:
        PubSub.subscribe(table, own, name, client)
        replies.append(Push([kind, name, _count(client, own)]))
    client.refresh()
    return replies


def _unsubscribe(
    client: Session, kind: bytes, table: Subscribers, own: dict[bytes, None], names: Sequence[bytes]
) -> Replies:
    replies = Replies()
    for name in names or list(own):
        PubSub.unsubscribe(table, own, name, client)
        replies.append(Push([kind, name, _count(client, own)]))
    if not replies:
        replies.append(Push([kind, None, _count(client, own)]))
    client.refresh()
    return replies


def _count(client: Session, own: dict[bytes, None]) -> int:
    """Return the number of subscriptions: shard channels are counted alone, channels and patterns together."""
    return len(own) if own is client.shards else len(client.channels) + len(client.patterns)


@command("pubsub", since="2.0.0", flags="pubsub noscript loading stale", acl="", complexity="O(N) for N channels")
def subscribe(client: Session, channel: bytes, *more: bytes) -> Replies:
    """Subscribes to channels."""
    return _subscribe(client, b"subscribe", client.engine.pubsub.channels, client.channels, (channel, *more))


@command("pubsub", since="2.0.0", flags="pubsub noscript loading stale", acl="", complexity="O(N) for N channels")
def unsubscribe(client: Session, *channels: bytes) -> Replies:
    """Unsubscribes from some or all channels."""
    return _unsubscribe(client, b"unsubscribe", client.engine.pubsub.channels, client.channels, channels)


@command("pubsub", since="2.0.0", flags="pubsub noscript loading stale", acl="", complexity="O(N) for N patterns")
def psubscribe(client: Session, pattern: bytes, *more: bytes) -> Replies:
    """Subscribes to all channels that match patterns."""
    return _subscribe(client, b"psubscribe", client.engine.pubsub.patterns, client.patterns, (pattern, *more))


@command("pubsub", since="2.0.0", flags="pubsub noscript loading stale", acl="", complexity="O(N) for N patterns")
def punsubscribe(client: Session, *patterns: bytes) -> Replies:
    """Unsubscribes from some or all patterns."""
    return _unsubscribe(client, b"punsubscribe", client.engine.pubsub.patterns, client.patterns, patterns)


@command(
    "pubsub",
    since="7.0.0",
    flags="pubsub noscript loading stale",
    keys=[keys("not_key", 1, -1)],
    acl="",
    complexity="O(N) for N channels",
)
def ssubscribe(client: Session, shardchannel: bytes, *more: bytes) -> Replies:
    """Subscribes to shard channels."""
    if client.deny_blocking:
        raise CommandError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    return _subscribe(client, b"ssubscribe", client.engine.pubsub.shards, client.shards, (shardchannel, *more))


@command(
    "pubsub",
    since="7.0.0",
    flags="pubsub noscript loading stale",
    keys=[keys("not_key", 1, -1)],
    acl="",
    complexity="O(N) for N channels",
)
def sunsubscribe(client: Session, *shardchannels: bytes) -> Replies:
    """Unsubscribes from some or all shard channels."""
    return _unsubscribe(client, b"sunsubscribe", client.engine.pubsub.shards, client.shards, shardchannels)


@command(
    "pubsub",
    since="2.0.0",
    flags="may_replicate pubsub loading stale fast",
    acl="",
    complexity="O(N+M) for N receivers and M patterns",
)
def publish(client: Session, channel: bytes, message: bytes) -> int:
    """Publishes a message to a channel; returns how many clients received it."""
    if client.engine.cluster is not None:
        client.engine.cluster.bus.publish(channel, message)
    return client.engine.pubsub.publish(channel, message)


@command(
    "pubsub",
    since="7.0.0",
    flags="may_replicate pubsub loading stale fast",
    keys=[keys("not_key", 1)],
    acl="",
    complexity="O(N) for N receivers",
)
def spublish(client: Session, shardchannel: bytes, message: bytes) -> int:
    """Publishes a message to a shard channel; returns how many clients received it."""
    if client.engine.cluster is not None:
        client.engine.cluster.bus.publish(shardchannel, message, shard=True)
    return client.engine.pubsub.publish_shard(shardchannel, message)


def _active(client: Session, table: Subscribers, pattern: Sequence[bytes]) -> list[Reply]:
    if len(pattern) > 1:
        raise wrong_subcommand_arity(client)
    matches = matcher(pattern[0] if pattern else b"*")
    return [channel for channel in table if matches(channel)]


def _numbers(table: Subscribers, channels: Sequence[bytes]) -> list[Reply]:
    return [item for channel in channels for item in (channel, len(table.get(channel, ())))]


@command(
    "pubsub",
    container="pubsub",
    since="2.8.0",
    flags="pubsub loading stale",
    acl="",
    complexity="O(N) for N channels",
)
def pubsub_channels(client: Session, *pattern: bytes) -> list[Reply]:
    """Returns the channels that have subscribers."""
    return _active(client, client.engine.pubsub.channels, pattern)


@command(
    "pubsub",
    container="pubsub",
    since="2.8.0",
    flags="pubsub loading stale",
    acl="",
    complexity="O(N) for N channels",
)
def pubsub_numsub(client: Session, *channels: bytes) -> list[Reply]:
    """Returns the numbers of subscribers of channels."""
    return _numbers(client.engine.pubsub.channels, channels)


@command("pubsub", container="pubsub", since="2.8.0", flags="pubsub loading stale", acl="", complexity="O(1)")
def pubsub_numpat(client: Session) -> int:
    """Returns the number of patterns that clients are subscribed to."""
    return len(client.engine.pubsub.patterns)


@command(
    "pubsub",
    container="pubsub",
    since="7.0.0",
    flags="pubsub loading stale",
    acl="",
    complexity="O(N) for N channels",
)
def pubsub_shardchannels(client: Session, *pattern: bytes) -> list[Reply]:
    """Returns the shard channels that have subscribers."""
    return _active(client, client.engine.pubsub.shards, pattern)


@command(
    "pubsub",
    container="pubsub",
    since="7.0.0",
    flags="pubsub loading stale",
    acl="",
    complexity="O(N) for N channels",
)
def pubsub_shardnumsub(client: Session, *shardchannels: bytes) -> list[Reply]:
    """Returns the numbers of subscribers of shard channels."""
    return _numbers(client.engine.pubsub.shards, shardchannels)
