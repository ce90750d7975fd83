"""Lists: moving elements from one to another, one or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.clients.blocking import Block
from emulator.commands.arguments import bounded, timeout
from emulator.commands.list import LEFT, POPPED, RIGHT, push, removed
from emulator.datatypes.list import List
from emulator.protocol.errors import SYNTAX, WRONGTYPE, CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import NULL_ARRAY, Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


_SIDES: Final = {LEFT: LEFT, RIGHT: RIGHT}


def side_of(word: bytes) -> bytes:
    """LEFT or RIGHT."""
    side = _SIDES.get(word) or _SIDES.get(word.upper())
    if side is None:
        raise CommandError(SYNTAX)
    return side


def transfer(client: Session, source: bytes, target: bytes, take: bytes, put: bytes) -> bytes | None:
    """Move an element from an end of one list to an end of another and return it; None if there is none."""
    db = client.db
    values = db.lookup_write(source, List)
    if values is None:
        return None
    held = values if target == source else db.peek(target)  # what is pushed onto counts as used there
    if held is not None and not isinstance(held, List):
        raise CommandError(WRONGTYPE)
    value = values.pop_left() if take is LEFT else values.pop_right()
    push(client, target, (value,), put)  # which uses the key once more where it is the same one
    removed(client, source, values, POPPED[take], 0)  # a move is one change
    return value


@command(
    "list",
    since="6.2.0",
    flags="write denyoom",
    keys=[keys("RW access delete", 1), keys("RW insert", 2)],
    complexity="O(1)",
)
def lmove(client: Session, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes) -> bytes | None:
    """Moves an element from an end of a list to an end of another or the same list, and returns it."""
    return transfer(client, source, destination, side_of(wherefrom), side_of(whereto))


@command(
    "list",
    since="1.2.0",
    flags="write denyoom",
    keys=[keys("RW access delete", 1), keys("RW insert", 2)],
    complexity="O(1)",
)
def rpoplpush(client: Session, source: bytes, destination: bytes) -> bytes | None:
    """Moves the last element of a list to the head of another, and returns it."""
    return transfer(client, source, destination, RIGHT, LEFT)


# Several at once (Redis 8.10)

_EXACTLY: Final = b"EXACTLY"
_BULK: Final = b"BULK"


class _Move(NamedTuple):
    """From which end to which, how many elements or exactly so many, and whether they keep their order."""

    take: bytes
    put: bytes
    number: int = 1
    exactly: bool = False
    in_bulk: bool = False


def _asked(wherefrom: bytes, whereto: bytes, words: Sequence[bytes]) -> _Move:
    take, put = side_of(wherefrom), side_of(whereto)
    if not words:
        return _Move(take, put)
    if len(words) != 3:
        raise CommandError(SYNTAX)
    selector, ordering = words[0].upper(), words[2].upper()
    if selector not in (b"COUNT", _EXACTLY) or ordering not in (b"OBO", _BULK):
        raise CommandError(SYNTAX)
    count = bounded(words[1], 1, INT64_MAX, "ERR count should be greater than 0")
    return _Move(take, put, count, selector == _EXACTLY, ordering == _BULK)


def _transfer(client: Session, source: bytes, target: bytes, move: _Move) -> list[bytes] | None:
    """Move elements and return them in the order in which they stand then; None if there are none, or too few."""
    values = client.db.lookup_write(source, List)
    if values is None or (move.exactly and len(values) < move.number):
        return None
    client.db.lookup_write(target, List)
    take = values.take_left if move.take is LEFT else values.take_right
    taken = take(min(move.number, len(values)))
    pushed = taken[::-1] if move.in_bulk and move.take is move.put else taken
    push(client, target, pushed, move.put)
    removed(client, source, values, POPPED[move.take], 0)  # a move is one change
    return pushed[::-1] if move.put is LEFT else pushed


@command(
    "list",
    since="8.10.0",
    flags="write denyoom",
    keys=[keys("RW access delete", 1), keys("RW insert", 2)],
    complexity="O(N) for N elements moved",
)
def lmovem(
    client: Session, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes, *how_many: bytes
) -> Reply:
    """Moves elements from an end of a list to an end of another or the same list, and returns them."""
    move = _asked(wherefrom, whereto, how_many)
    moved = _transfer(client, source, destination, move)
    return ([] if not move.exactly else NULL_ARRAY) if moved is None else moved


@command(
    "list",
    since="8.10.0",
    flags="write denyoom blocking",
    keys=[keys("RW access delete", 1), keys("RW insert", 2)],
    complexity="O(N) for N elements moved",
)
def blmovem(
    client: Session,
    source: bytes,
    destination: bytes,
    wherefrom: bytes,
    whereto: bytes,
    seconds: bytes,
    *how_many: bytes,
) -> Reply | Block:
    """Moves elements from an end of a list to an end of another, and returns them; waits until there are enough."""
    move, wait = _asked(wherefrom, whereto, how_many), timeout(client, seconds)

    def attempt() -> Reply | None:
        return _transfer(client, source, destination, move)

    moved = attempt()
    if moved is not None:
        return moved
    waiting = client.block((source,), wait, List, attempt, NULL_ARRAY)
    if isinstance(waiting, Block):
        waiting.wants_more = move.exactly
    return waiting
