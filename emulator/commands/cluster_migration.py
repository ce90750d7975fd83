"""Migration of slots with their keys: CLUSTER MIGRATION (Redis 8.4), MIGRATESLOTS (Valkey 9.0) and what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from emulator.commands.arguments import wrong_arity
from emulator.commands.cluster import CHANGES, SLOT_WISE, VARIES, cluster_of, slot_range, slots_in
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster
    from emulator.protocol.replies import Reply

NOT_AVAILABLE: Final = "ERR slots are moved by CLUSTER SETSLOT and MIGRATE only"
_ID_LENGTH: Final = 40
_BETWEEN_NODES: Final = "ERR CLUSTER SYNCSLOTS {} should only be used by slot migration clients"
_START_AFTER_END: Final = "ERR Start slot number {} is greater than end slot number {}."


@command("cluster", container="cluster", since="8.4.0", flags=CHANGES, acl="", complexity=SLOT_WISE)
def cluster_migration(client: Session, action: bytes, argument: bytes, *more: bytes) -> Reply:
    """Moves slots to this node, and tells how that goes."""
    cluster = cluster_of(client)
    words = (argument, *more)
    word, selection = action.upper(), argument.upper()
    if word == b"IMPORT":
        _check_import(cluster, words)
    if word in (b"STATUS", b"CANCEL") and selection in (b"ALL", b"ID"):
        if len(more) != (selection == b"ID"):
            raise wrong_arity("cluster|migration")
        return [] if word == b"STATUS" else 0
    raise CommandError("ERR unknown argument")


def _check_import(cluster: Cluster, words: Sequence[bytes]) -> NoReturn:
    if len(words) % 2:
        raise wrong_arity("cluster|migration")
    seen: set[int] = set()
    state = cluster.state
    for number in slots_in(words):
        if number in seen:
            raise CommandError(f"ERR Slot {number} specified multiple times")
        seen.add(number)
        if state.owners[number] is None:
            raise CommandError(f"ERR slot has no owner: {number}")
    if any(state.owners[number] is state.myself for number in seen):
        raise CommandError("ERR this node is already the owner of the slot range")
    raise CommandError(NOT_AVAILABLE)


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
    while words:
        if words.pop(0).upper() != b"SLOTSRANGE":
            raise CommandError(SYNTAX)
        if not _take_ranges(cluster, words, taken):
            raise CommandError("ERR No slot ranges specified")
        if len(words) < 2 or words.pop(0).upper() != b"NODE":
            raise CommandError(SYNTAX)
        _check_target(cluster, words.pop(0))
    raise CommandError(NOT_AVAILABLE)


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


def _check_target(cluster: Cluster, name: bytes) -> None:
    if len(name) != _ID_LENGTH:
        raise CommandError(f"ERR Invalid node name: {as_text(name)}")
    node = cluster.state.nodes.get(name)
    if node is None:
        raise CommandError(f"ERR Unknown node name: {as_text(name)}")
    if node is cluster.state.myself:
        raise CommandError("ERR Target node can not be this node.")


@command("cluster", container="cluster", valkey="9.0.0", flags=CHANGES, acl="", complexity="O(N) for N migrations")
def cluster_getslotmigrations(client: Session) -> list[Reply]:
    """Returns the migrations of slots, those that have ended lately too."""
    cluster_of(client)
    return []


@command("cluster", container="cluster", valkey="9.0.0", flags=CHANGES, acl="", complexity="O(N) for N migrations")
def cluster_cancelslotmigrations(client: Session) -> Reply:
    """Gives up the migrations of slots."""
    cluster_of(client)
    raise CommandError("ERR No migrations ongoing")
