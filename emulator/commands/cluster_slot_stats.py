"""CLUSTER SLOT-STATS: how the node's slots are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from emulator.commands.arguments import wrong_subcommand_arity
from emulator.commands.cluster import VARIES, cluster_of, slot_range
from emulator.datatypes.slots import SLOTS
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import parse_integer
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster

_BAD_LIMIT: Final = f"ERR Limit has to lie in between 1 and {SLOTS} (maximum number of slots)."
_START_AFTER_END: Final = "ERR Start slot number {} is greater than end slot number {}"


@command(
    "cluster",
    container="cluster",
    name="slot-stats",
    since="8.2.0",
    valkey="8.0.0",
    flags="loading stale",
    acl="",
    tips=f"{VARIES} request_policy:all_shards",
    complexity="O(N) for N slots, O(N*log(N)) with ORDERBY",
)
def slot_stats(client: Session, selection: bytes, argument: bytes, *options: bytes) -> list[Any]:
    """Returns how the slots of this node are used."""
    cluster = cluster_of(client)
    word = selection.upper()
    if word == b"SLOTSRANGE" and len(options) == 1:
        wanted = slot_range(argument, options[0], _START_AFTER_END)
        return cluster.usage.of(number for number in cluster.own_slots() if number in wanted)
    if word == b"ORDERBY":
        return _ordered(cluster, argument.lower(), options)
    raise wrong_subcommand_arity(client)


def _ordered(cluster: Cluster, metric: bytes, options: Sequence[bytes]) -> list[Any]:
    if metric not in cluster.usage.metrics:
        raise CommandError("ERR Unrecognized sort metric for ORDERBY.")
    limit, descends = _read(options)
    entries = cluster.usage.of(cluster.own_slots())
    entries.sort(key=lambda entry: entry[1][metric], reverse=descends)
    return entries[:limit]


def _read(options: Sequence[bytes]) -> tuple[int, bool]:
    """The number of slots that are wanted, and whether the greatest come first."""
    words = list(options)
    limit, order = 0, b""
    while words:
        word = words.pop(0).upper()
        if word == b"LIMIT" and words:
            if limit:
                raise CommandError(_SAME_TWICE)
            limit = parse_integer(words.pop(0)) or 0
            if not 1 <= limit <= SLOTS:
                raise CommandError(_BAD_LIMIT)
        elif word in (b"ASC", b"DESC"):
            if order:
                raise CommandError(_SAME_TWICE)
            order = word
        else:
            raise CommandError(SYNTAX)
    return limit or SLOTS, order != b"ASC"


_SAME_TWICE: Final = "ERR Multiple filters of the same type are disallowed."
