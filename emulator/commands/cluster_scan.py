"""CLUSTERSCAN: iterates over the keys of a cluster, slot by slot (Valkey 9.1).

A cursor is ``<node>-{<tag>}-<place>``: the tag is of the slot to go on with, so that clients send the next call to the right
node; the place within the slot counts only on the node that has told it.
"""

from __future__ import annotations

import string
from binascii import crc_hqx
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from emulator.commands.cluster import cluster_of, slot
from emulator.commands.generic import asked_for, options_of_scan
from emulator.commands.scan import scan_options
from emulator.datatypes.slots import SLOTS, key_slot, pattern_slot
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_unsigned
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster
    from emulator.commands.scan import ScanOptions

_LETTERS: Final = string.digits.encode() + string.ascii_letters.encode()
_BEGIN: Final = b"0"
_NO_NODE: Final = b"0"
_BITS: Final = 14
_BAD_CURSOR: Final = "ERR Invalid cursor"


class _Place(NamedTuple):
    """Where a scan goes on: at a slot, and at a cursor within it."""

    slot: int
    cursor: int


@command(
    "cluster",
    valkey="9.1.0",
    flags="readonly",
    keys=[keys("not_key", 1)],
    acl="keyspace",
    tips="nondeterministic_output request_policy:special response_policy:special",
    complexity="O(N) for N keys returned",
)
def clusterscan(client: Session, cursor: bytes, *options: bytes) -> list[Any]:
    """Returns some keys of the cluster and the cursor to continue with."""
    cluster = cluster_of(client)
    begin = None if cursor == _BEGIN else _read(cluster, cursor)
    only, pattern, asked = _options(client, options)
    if begin is None:
        first = _first_slot(only, pattern)
        return [_BEGIN if first is None else _cursor(_NO_NODE, _Place(first, 0)), []]
    if only is not None and only != begin.slot:
        raise CommandError("ERR Cursor slot mismatch with SLOT argument")
    of_pattern = pattern_slot(pattern)
    if of_pattern not in (None, begin.slot):
        return [_cursor(_NO_NODE, _Place(of_pattern, 0)), []]
    return _scan(client, cluster, begin, only is not None or of_pattern is not None, asked)


def _options(client: Session, words: Sequence[bytes]) -> tuple[int | None, bytes, ScanOptions]:
    """The slot that SLOT names, the pattern of MATCH, and what SCAN's options ask for."""
    slots: list[int] = []
    patterns: list[bytes] = []
    known = options_of_scan(client)

    def note_slot(word: bytes) -> None:
        if slots:
            raise CommandError("ERR SLOT option can only be specified once")
        slots.append(slot(word))

    _, read_pattern = known[b"MATCH"]

    def note_pattern(word: bytes) -> object:
        patterns.append(word)
        return read_pattern(word)

    asked = scan_options(words, {**known, b"SLOT": (1, note_slot), b"MATCH": (1, note_pattern)})
    return slots[0] if slots else None, patterns[-1] if patterns else b"*", asked


def _first_slot(only: int | None, pattern: bytes) -> int | None:
    """The slot that a scan begins with, None where no key can be asked for."""
    of_pattern = pattern_slot(pattern)
    if only is None:
        return 0 if of_pattern is None else of_pattern
    return only if of_pattern in (None, only) else None


# Cursors


def _read(cluster: Cluster, cursor: bytes) -> _Place:
    node, _, rest = cursor.partition(b"-")
    tagged, dash, last = rest.rpartition(b"-")
    place = parse_unsigned(last)
    if not dash or place is None:
        raise CommandError(_BAD_CURSOR)
    return _Place(key_slot(tagged), place >> _BITS if node == _fingerprint(cluster) else 0)


def _cursor(node: bytes, place: _Place) -> bytes:
    local = place.cursor << _BITS | place.slot if node != _NO_NODE else 0
    return b"%b-{%b}-%d" % (node, tag(place.slot), local)


def _fingerprint(cluster: Cluster) -> bytes:
    """Places within a slot mean nothing to other nodes."""
    return cluster.state.myself.id[:6]


@cache
def _tags() -> tuple[dict[int, bytes], dict[int, bytes]]:
    """The tags of one and two letters by their slots, and those of two letters by their whole sums."""
    short: dict[int, bytes] = {}
    sums: dict[int, bytes] = {}
    for count in (1, 2):
        for letters in product(_LETTERS, repeat=count):
            word = bytes(letters)
            short.setdefault(crc_hqx(word, 0) % SLOTS, word)
            if count == 2:
                sums.setdefault(crc_hqx(word, 0), word)
    return short, sums


def tag(number: int) -> bytes:
    """The shortest word of letters and digits that has this slot, the first of them in order.  O(1).

    Without its last letter a word of three has one of few sums, which the sum of the whole and that letter tell.
    """
    short, sums = _tags()
    if number in short:
        return short[number]
    found = []
    for whole in range(number, 1 << 16, SLOTS):
        index = next(index for index in range(256) if _sum_of(index) & 0xFF == whole & 0xFF)
        low = (whole >> 8) ^ (_sum_of(index) >> 8)
        found += [sums[before] + bytes((last,)) for last in _LETTERS if (before := (index ^ last) << 8 | low) in sums]
    return min(found, key=lambda word: [_LETTERS.index(letter) for letter in word])


def _sum_of(index: int) -> int:
    return crc_hqx(bytes((index,)), 0)


# Slots


def _scan(client: Session, cluster: Cluster, place: _Place, one_slot: bool, asked: ScanOptions) -> list[Any]:
    """Look at as many keys as are asked for, in slots of this node that follow one another."""
    left = asked.most
    found: list[bytes] = []
    number, cursor = place
    while left > 0:
        after, names = client.db.in_slot(number).scan(cursor, left)
        entries = (entry for name in names if (entry := client.db.peek_entry(name)) is not None)
        found += asked_for(entries, asked)
        left -= len(names)
        if after:
            return [_cursor(_fingerprint(cluster), _Place(number, after)), found]
        if one_slot:
            return [_BEGIN, found]
        following = _next_slot(cluster, client.db.slots_in_use(), number)
        if following is None:
            return [_BEGIN, found]
        number, cursor = following, 0
        if cluster.state.owners[number] is not cluster.state.owners[place.slot]:
            return [_cursor(_NO_NODE, _Place(number, 0)), found]
    return [_cursor(_fingerprint(cluster), _Place(number, cursor)), found]


def _next_slot(cluster: Cluster, used: Iterable[int], number: int) -> int | None:
    """The next slot that has keys here or is another node's."""
    owners = cluster.state.owners
    in_use = set(used)
    own = owners[number]
    return next((later for later in range(number + 1, SLOTS) if later in in_use or owners[later] is not own), None)
