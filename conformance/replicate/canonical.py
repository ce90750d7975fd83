"""A server's stream in the form in which it is compared with another's: chance and moments make no difference.

* Payloads that a case has from the server itself (``p = DUMP k``) are the same: tables have an order by chance.
* Moments may be apart by `_APART`, and which of a moment's entries one is depends on how quickly they came.
* In a case that pops elements of a set at random, only their number is compared.
* In a case that lets time pass or makes room, what goes by itself is moved to where it could have gone first, and in an order
  of its own: the emulator lets go at the moment, the real server when it finds it.
* Of `_UNTOLD` the real server's modules tell their replicas nothing, and of `_COUNTING` not the moment, so that replicas come
  to have other data; here they are told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from conformance.cases import Case

Commands = list[list[bytes]]

_APART = 2000
"""Milliseconds between the same command on two servers of a machine that has other work as well."""
_MOMENT = re.compile(rb"(\d{13,})(-\d+)?$")
_BY_THE_LINK = frozenset((b"PING", b"REPLCONF"))
_CAPTURED = b"payload"
_UNTOLD = frozenset((b"CF.LOADCHUNK",))
_COUNTING = frozenset((b"ts.incrby", b"ts.decrby"))
_REMOVALS = {b"DEL": 3, b"UNLINK": 3, b"HDEL": 4}
"""How many words these have, behind the number of the database, where something goes by itself."""
_FENCES = frozenset((b"FLUSHALL", b"FLUSHDB", b"SWAPDB"))
_PASSES_TIME = re.compile(r"sleep|maxmemory|\bTIME\b|unpause", re.IGNORECASE)


def lets_time_pass(case: Case) -> bool:
    """Whether something may go by itself while a case is played."""
    return any(step.action == "sleep" or _PASSES_TIME.search(step.text) for step in case.steps)


def canonical(commands: Sequence[Sequence[bytes]], case: Case, captured: Collection[bytes]) -> Commands:
    """What a replica is sent for a case; `captured` are the payloads that the case has from this server."""
    told = [_timeless([_CAPTURED if word in captured else word for word in words]) for words in commands]
    told = [words for words in told if words[0].upper() not in _BY_THE_LINK | _UNTOLD]
    if any(step.words[:1] == [b"SPOP"] for step in case.steps):
        told = [[*words[:2], b"%d members" % (len(words) - 2)] if words[0] == b"SREM" else words for words in told]
    return _settled(told) if lets_time_pass(case) else told


def _timeless(words: list[bytes]) -> list[bytes]:
    """Without the moment that is put into a command that counts and names none."""
    names = [word.upper() for word in words]
    if words[0] in _COUNTING and b"TIMESTAMP" in names:
        place = names.index(b"TIMESTAMP")
        if words[place + 1] == b"*" or _MOMENT.match(words[place + 1]):
            return words[:place] + words[place + 2 :]
    return words


def _settled(told: Commands) -> Commands:
    """Behind the numbers of their databases: removals as early as can be, and sorted where they stand together."""
    settled: Commands = []
    for words in _by_database(told):
        place = len(settled)
        if _is_removal(words):
            while place and not (_FENCES & set(settled[place - 1]) or words[2] in settled[place - 1]):
                place -= 1
            while place < len(settled) and _is_removal(settled[place]) and settled[place] < words:
                place += 1
        settled.insert(place, words)
    return _unwrapped(settled)


def _by_database(told: Commands) -> Iterator[list[bytes]]:
    db = b"0"
    for words in told:
        if words[0] == b"SELECT":
            db = words[1]
        else:
            yield [db, *words]


def _is_removal(words: Sequence[bytes]) -> bool:
    return len(words) == _REMOVALS.get(words[1])


def _unwrapped(told: Commands) -> Commands:
    """Without MULTI and EXEC about fewer than two commands."""
    kept: Commands = []
    for words in told:
        kept.append(words)
        if words[1] == b"EXEC":
            start = max(place for place, known in enumerate(kept) if known[1] == b"MULTI")
            if len(kept) - start < 4:
                kept = [*kept[:start], *kept[start + 1 : -1]]
    return kept


def same(ours: Commands, real: Commands) -> bool:
    """Whether two streams are the same but for moments that are a little apart."""
    return len(ours) == len(real) and all(map(_same_words, ours, real))


def _same_words(ours: Sequence[bytes], real: Sequence[bytes]) -> bool:
    return len(ours) == len(real) and all(map(_same_word, ours, real))


def _same_word(ours: bytes, real: bytes) -> bool:
    if ours == real:
        return True
    one, other = _MOMENT.match(ours), _MOMENT.match(real)
    if not one or not other or bool(one[2]) != bool(other[2]):
        return False
    return abs(int(one[1]) - int(other[1])) <= _APART
