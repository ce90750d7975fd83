"""Sorted sets: pops from the first of several sets that is not empty, blocking or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.commands.arguments import multi_pop, timeout
from emulator.commands.zset import pop
from emulator.datatypes.zset import ZSet
from emulator.protocol.replies import NULL_ARRAY, Reply
from emulator.table.keyspec import keys, numkeys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.blocking import Block
    from emulator.clients.session import Session

MIN, MAX = b"MIN", b"MAX"


def _mpop(client: Session, names: Sequence[bytes], where: bytes, count: int) -> list[Reply] | None:
    for name in names:
        target = client.db.lookup_write(name, ZSet)
        if target is not None:
            members = pop(client, name, target, where == MIN, count)
            return [name, [[member, score] for score, member in members]]
    return None


@command(
    "sorted_set",
    since="7.0.0",
    flags="write",
    keys=[numkeys("RW access delete", 1)],
    complexity="O(K)+O(M*log(N)) for K keys and M members taken",
)
def zmpop(client: Session, numkeys: bytes, key: bytes, where: bytes, *options: bytes) -> Reply | Block:
    """Removes and returns members with the lowest or highest scores from the first sorted set that is not empty."""
    return _mpop(client, *multi_pop((numkeys, key, where, *options), (MIN, MAX))) or NULL_ARRAY


@command(
    "sorted_set",
    since="7.0.0",
    flags="write blocking",
    keys=[numkeys("RW access delete", 2)],
    complexity="O(K)+O(M*log(N)) for K keys and M members taken",
)
def bzmpop(client: Session, seconds: bytes, numkeys: bytes, key: bytes, where: bytes, *options: bytes) -> Reply | Block:
    """Removes and returns members from the first sorted set that is not empty; waits if all are empty."""
    names, place, count = multi_pop((numkeys, key, where, *options), (MIN, MAX))
    wait = timeout(client, seconds)

    def attempt() -> list[Reply] | None:
        return _mpop(client, names, place, count)

    return attempt() or client.block(names, wait, ZSet, attempt, NULL_ARRAY)


def _blocking_pop(client: Session, arguments: Sequence[bytes], lowest: bool) -> Reply | Block:
    names, wait = arguments[:-1], timeout(client, arguments[-1])

    def attempt() -> list[Reply] | None:
        for name in names:
            target = client.db.lookup_write(name, ZSet)
            if target is not None:
                score, member = pop(client, name, target, lowest, 1)[0]
                return [name, member, score]
        return None

    return attempt() or client.block(names, wait, ZSet, attempt, NULL_ARRAY)


@command(
    "sorted_set",
    since="5.0.0",
    flags="write blocking fast",
    keys=[keys("RW access delete", 1, -2)],
    complexity="O(log N)",
)
def bzpopmin(client: Session, key: bytes, key_or_timeout: bytes, *more: bytes) -> Reply | Block:
    """Removes and returns the lowest member of the first sorted set that is not empty; waits if all are empty."""
    return _blocking_pop(client, (key, key_or_timeout, *more), lowest=True)


@command(
    "sorted_set",
    since="5.0.0",
    flags="write blocking fast",
    keys=[keys("RW access delete", 1, -2)],
    complexity="O(log N)",
)
def bzpopmax(client: Session, key: bytes, key_or_timeout: bytes, *more: bytes) -> Reply | Block:
    """Removes and returns the highest member of the first sorted set that is not empty; waits if all are empty."""
    return _blocking_pop(client, (key, key_or_timeout, *more), lowest=False)
