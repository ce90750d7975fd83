"""TOPK.*: the items counted most often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import bounded, double, wrong_arity
from emulator.modules.bloom.room import NoRoom
from emulator.modules.bloom.topk import DECAY, DEPTH, MOST_DEPTH, MOST_INCREMENT, WIDTH, TopK
from emulator.modules.keys import changed, opened
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_MISSING: Final = "TopK: key does not exist"
_MOST: Final = (1 << 32) - 1
_BAD_INCREMENT: Final = (
    "TopK: increment must be an integer greater or equal to 0"
    + " " * 28
    + f"and smaller or equal to {MOST_INCREMENT:,}"
)


def _opened(client: Session, key: bytes) -> TopK:
    found = opened(client, key, TopK)
    if found is None:
        raise CommandError(_MISSING)
    return found


def _found(client: Session, key: bytes) -> TopK:
    found = client.db.lookup_read(key, TopK)
    if found is None:
        raise CommandError(_MISSING)
    return found


def _shown(item: bytes | None) -> bytes | None:
    """An item as Redis answers it: a string of C, which ends at its first NUL."""
    return None if item is None else item.partition(b"\0")[0]


@command
def topk_reserve(client: Session, key: bytes, k: bytes, *shape: bytes) -> Status:
    """Create an empty list of the k items counted most often."""
    if len(shape) not in (0, 3):
        raise wrong_arity("topk.reserve")
    if client.db.has_listeners:
        client.db.touch(key)
    if client.db.lookup_write_entry(key) is not None:
        raise CommandError("TopK: key already exists")
    places = bounded(k, 1, _MOST, "TopK: invalid k")
    width, depth, decay = WIDTH, DEPTH, DECAY
    if shape:
        width = bounded(shape[0], 1, _MOST, "TopK: invalid width")
        depth = bounded(shape[1], 1, _MOST, "TopK: invalid depth")
        bad_decay = "TopK: invalid decay value. must be '<= 1' & '> 0'"
        decay = double(shape[2], bad_decay)
        if not 0 < decay <= 1:
            raise CommandError(bad_decay)
    try:
        if depth > MOST_DEPTH:
            raise NoRoom
        value = TopK(places, width, depth, decay)
    except NoRoom:
        raise CommandError("TopK: insufficient memory") from None
    client.db.insert(key, value)
    changed(client, key)
    return OK


@command
def topk_add(client: Session, key: bytes, item: bytes, *more: bytes) -> list[Reply]:
    """Count items once; for each the item that had to leave the list for it."""
    found, random = _opened(client, key), client.engine.random
    expelled: list[Reply] = [_shown(found.add(one, 1, random)) for one in (item, *more)]
    changed(client, key)
    return expelled


@command
def topk_incrby(client: Session, key: bytes, item: bytes, increment: bytes, *more: bytes) -> list[Reply]:
    """Count items so many times; for each the item that had to leave the list for it."""
    if len(more) % 2:
        raise wrong_arity("topk.incrby")
    found, random = _opened(client, key), client.engine.random
    words = (item, increment, *more)
    replies: list[Reply] = []
    for place in range(0, len(words), 2):
        amount = parse_integer(words[place + 1])
        if amount is None or not 0 <= amount <= MOST_INCREMENT:
            replies.append(CommandError(_BAD_INCREMENT))
            break
        replies.append(_shown(found.add(words[place], amount, random)))
    changed(client, key)
    return replies


@command
def topk_query(client: Session, key: bytes, item: bytes, *more: bytes) -> list[Reply]:
    """Which of some items are in the list."""
    found = _found(client, key)
    return [one in found.entries for one in (item, *more)]


@command
def topk_count(client: Session, key: bytes, item: bytes, *more: bytes) -> list[Reply]:
    """How often each of some items was counted, about."""
    found = _found(client, key)
    return [found.count(one) for one in (item, *more)]


@command
def topk_list(client: Session, key: bytes, withcount: bytes | None = None) -> list[Reply]:
    """The list, the item counted most often first."""
    # The word is compared as strings of C are, to its own length: any beginning will do.
    if withcount is not None and not b"WITHCOUNT\0".startswith(withcount.upper()[:10]):
        raise CommandError("WITHCOUNT keyword expected")
    ranked = _found(client, key).ranked()
    if withcount is None:
        return [_shown(entry.item) for entry in ranked]
    return [reply for entry in ranked for reply in (_shown(entry.item), entry.count)]


@command
def topk_info(client: Session, key: bytes) -> dict[bytes, Reply]:
    """What a list was made with."""
    found = _found(client, key)
    return {
        Status(b"k"): found.k,
        Status(b"width"): found.width,
        Status(b"depth"): found.depth,
        Status(b"decay"): found.decay,
    }
