"""Lists: the commands that wait for an element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.commands.arguments import multi_pop, timeout
from emulator.commands.list import LEFT, RIGHT, mpop, pop
from emulator.commands.list_move import side_of, transfer
from emulator.datatypes.list import List
from emulator.protocol.replies import NULL_ARRAY, Reply
from emulator.table.keyspec import keys, numkeys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.blocking import Block
    from emulator.clients.session import Session


def _blocking_pop(client: Session, arguments: Sequence[bytes], side: bytes) -> Reply | Block:
    names, wait = arguments[:-1], timeout(client, arguments[-1])

    def attempt() -> list[bytes] | None:
        for name in names:
            source = client.db.lookup_write(name, List)
            if source is not None:
                return [name, pop(client, name, source, side)[0]]
        return None

    return attempt() or client.block(names, wait, List, attempt, NULL_ARRAY)


@command(
    "list",
    since="2.0.0",
    flags="write blocking",
    keys=[keys("RW access delete", 1, -2)],
    complexity="O(N) for N keys",
)
def blpop(client: Session, key: bytes, key_or_timeout: bytes, *more: bytes) -> Reply | Block:
    """Removes and returns the first element of the first list that is not empty; waits if all are empty."""
    return _blocking_pop(client, (key, key_or_timeout, *more), LEFT)


@command(
    "list",
    since="2.0.0",
    flags="write blocking",
    keys=[keys("RW access delete", 1, -2)],
    complexity="O(N) for N keys",
)
def brpop(client: Session, key: bytes, key_or_timeout: bytes, *more: bytes) -> Reply | Block:
    """Removes and returns the last element of the first list that is not empty; waits if all are empty."""
    return _blocking_pop(client, (key, key_or_timeout, *more), RIGHT)


def _blocking_move(client: Session, source: bytes, target: bytes, take: bytes, put: bytes, wait: int) -> Reply | Block:
    def attempt() -> bytes | None:
        return transfer(client, source, target, take, put)

    value = attempt()
    if value is not None or client.deny_blocking:
        return value
    return client.block((source,), wait, List, attempt, NULL_ARRAY)


@command(
    "list",
    since="6.2.0",
    flags="write denyoom blocking",
    keys=[keys("RW access delete", 1), keys("RW insert", 2)],
    complexity="O(1)",
)
def blmove(
    client: Session, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes, seconds: bytes
) -> Reply | Block:
    """Moves an element from an end of a list to an end of another, and returns it; waits if there is none."""
    take, put = side_of(wherefrom), side_of(whereto)
    return _blocking_move(client, source, destination, take, put, timeout(client, seconds))


@command(
    "list",
    since="2.2.0",
    flags="write denyoom blocking",
    keys=[keys("RW access delete", 1), keys("RW insert", 2)],
    complexity="O(1)",
)
def brpoplpush(client: Session, source: bytes, destination: bytes, seconds: bytes) -> Reply | Block:
    """Moves the last element of a list to the head of another, and returns it; waits if there is none."""
    return _blocking_move(client, source, destination, RIGHT, LEFT, timeout(client, seconds))


@command(
    "list",
    since="7.0.0",
    flags="write blocking",
    keys=[numkeys("RW access delete", 2)],
    complexity="O(N+M) for N keys and M values",
)
def blmpop(client: Session, seconds: bytes, numkeys: bytes, key: bytes, where: bytes, *options: bytes) -> Reply | Block:
    """Removes and returns elements from an end of the first list that is not empty; waits if all are empty."""
    names, side, count = multi_pop((numkeys, key, where, *options), (LEFT, RIGHT))
    wait = timeout(client, seconds)

    def attempt() -> list[Reply] | None:
        return mpop(client, names, side, count)

    return attempt() or client.block(names, wait, List, attempt, NULL_ARRAY)
