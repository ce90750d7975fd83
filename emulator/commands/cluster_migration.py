"""Migration of slots with their keys: CLUSTER MIGRATION (Redis 8.4), MIGRATESLOTS (Valkey 9.0) and what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from emulator.cluster.state import bitmap, members, range_words
from emulator.commands.arguments import wrong_arity
from emulator.commands.cluster import CHANGES, SLOT_WISE, VARIES, cluster_of, distinct_slots, slot_range
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.replies import OK
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster
    from emulator.cluster.state import Node
    from emulator.protocol.replies import Reply

_ID_LENGTH: Final = 40
_BETWEEN_NODES: Final = "ERR CLUSTER SYNCSLOTS {} should only be used by slot migration clients"
_START_AFTER_END: Final = "ERR Start slot number {} is greater than end slot number {}."


@command("cluster", container="cluster", since="8.4.0", flags=CHANGES, acl="", complexity=SLOT_WISE)
def cluster_migration(client: Session, action: bytes, argument: bytes, *more: bytes) -> Reply:
    """Moves slots to this node, and tells how that goes."""
    cluster = cluster_of(client)
    words = (argument, *more)
    word, selection = action.upper(), argument.upper()
    migrations = cluster.bus.migrations
    if word == b"IMPORT":
        return migrations.begin_import(*_wanted(cluster, words)).id
    if word in (b"STATUS", b"CANCEL") and selection in (b"ALL", b"ID"):
        if len(more) != (selection == b"ID"):
            raise wrong_arity("cluster|migration")
        chosen = [each for each in migrations.log if selection == b"ALL" or each.id == more[0]]
        return [each.for_redis() for each in chosen] if word == b"STATUS" else migrations.cancel(chosen)
    raise CommandError("ERR unknown argument")


def _wanted(cluster: Cluster, words: Sequence[bytes]) -> tuple[int, Node]:
    """Return the bitmap of the slots that are to be imported and the node that has them; raise where that cannot be."""
    if len(words) % 2:
        raise wrong_arity("cluster|migration")
    state = cluster.state
    slots = distinct_slots(words)
    wanted = bitmap(slots)
    migrations = cluster.bus.migrations
    if any(each.is_import and each.slots & wanted for each in migrations.pending):
        told = as_text(range_words(wanted))
        raise CommandError(f"ERR overlapping import exists for slot range: {told}")
    owners: set[Node] = set()
    for number in sorted(slots):
        owner = state.owners[number]
        if owner is None:
            raise CommandError(f"ERR slot has no owner: {number}")
        owners.add(owner)
    if state.myself in owners:
        raise CommandError("ERR this node is already the owner of the slot range")
    if len(owners) > 1:
        raise CommandError("ERR slots belong to different source nodes")
    if migrations.pending:
        raise CommandError("ERR another ASM task is already in progress")
    return wanted, owners.pop()


@command(
    "cluster",
    container="cluster",
    since="8.4.0",
    valkey="9.0.0",
    flags=CHANGES,
    acl="",
    tips=VARIES,
    complexity="O(1)",
)
def cluster_syncslots(client: Session, action: bytes, *words: bytes) -> Reply:
    """What nodes say to each other of slots that move."""
    cluster_of(client)
    if not client.engine.config.edition.is_valkey:
        client.close()
        raise CommandError("ERR CLUSTER SYNCSLOTS subcommands are only allowed for internal clients")
    word = action.upper()
    if word in _SAID_WITHOUT_MORE and not words:
        raise CommandError(_BETWEEN_NODES.format(word.decode()))
    raise CommandError(SYNTAX)


_SAID_WITHOUT_MORE: Final = (
    b"ACK",
    b"FAILOVER-GRANTED",
    b"PAUSED",
    b"REQUEST-FAILOVER",
    b"REQUEST-PAUSE",
    b"SNAPSHOT-EOF",
)


# Valkey


@command("cluster", container="cluster", valkey="9.0.0", flags=CHANGES, acl="", complexity=SLOT_WISE)
def cluster_migrateslots(client: Session, slotsrange: bytes, start_slot: bytes, *more: bytes) -> Reply:
    """Moves slots with their keys to other nodes."""
    cluster = cluster_of(client)
    words = [slotsrange, start_slot, *more]
    taken: list[range] = []
    groups: list[tuple[int, Node]] = []
    while words:
        if words.pop(0).upper() != b"SLOTSRANGE":
            raise CommandError(SYNTAX)
        count = _take_ranges(cluster, words, taken)
        if not count:
            raise CommandError("ERR No slot ranges specified")
        if len(words) < 2 or words.pop(0).upper() != b"NODE":
            raise CommandError(SYNTAX)
        target = _target(cluster, words.pop(0))
        slots = bitmap(chain.from_iterable(taken[-count:]))
        _check_own(cluster, slots)
        groups.append((slots, target))
    cluster.bus.migrations.begin_exports(groups)
    return OK


def _check_own(cluster: Cluster, slots: int) -> None:
    """Raise unless this node has all of these slots, and none is on its way."""
    owners = {cluster.state.owners[number] for number in members(slots)}
    if len(owners) > 1:
        raise CommandError("ERR Requested slots span multiple shards")
    if cluster.state.myself not in owners:
        raise CommandError("ERR Slots are not served by this node.")
    for migration in cluster.bus.migrations.active:
        if migration.slots & slots:
            raise CommandError(f"ERR I am already migrating slot {next(members(migration.slots & slots))}.")


def _take_ranges(cluster: Cluster, words: list[bytes], taken: list[range]) -> int:
    """Take the ranges that come next off the words; how many they are."""
    count = 0
    while len(words) >= 2 and words[0].isdigit():
        slots = slot_range(words.pop(0), words.pop(0), _START_AFTER_END)
        for other in taken:
            if slots.start < other.stop and other.start < slots.stop:
                raise CommandError(
                    f"ERR Slot range {slots.start}-{slots.stop - 1} overlaps with previous range "
                    f"{other.start}-{other.stop - 1}."
                )
        for number in slots:
            if cluster.state.owners[number] is None:
                raise CommandError(f"ERR Slot {number} has no node served.")
        taken.append(slots)
        count += 1
    return count


def _target(cluster: Cluster, name: bytes) -> Node:
    if len(name) != _ID_LENGTH:
        raise CommandError(f"ERR Invalid node name: {as_text(name)}")
    node = cluster.state.nodes.get(name)
    if node is None:
        raise CommandError(f"ERR Unknown node name: {as_text(name)}")
    if node is cluster.state.myself:
        raise CommandError("ERR Target node can not be this node.")
    return node


@command("cluster", container="cluster", valkey="9.0.0", flags=CHANGES, acl="", complexity="O(N) for N migrations")
def cluster_getslotmigrations(client: Session) -> list[Reply]:
    """Returns the migrations of slots, those that have ended lately too."""
    return [each.for_valkey() for each in cluster_of(client).bus.migrations.log]


@command("cluster", container="cluster", valkey="9.0.0", flags=CHANGES, acl="", complexity="O(N) for N migrations")
def cluster_cancelslotmigrations(client: Session) -> Reply:
    """Gives up the migrations of slots to other nodes."""
    migrations = cluster_of(client).bus.migrations
    if not migrations.cancel([each for each in migrations.active if not each.is_import]):
        raise CommandError("ERR No migrations ongoing")
    return OK
