"""The commands of arrays, as Redis's documentation describes them: no server of that version was there to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import islice
from operator import and_, or_, xor
from typing import TYPE_CHECKING, Final, TypeVar

from emulator.commands.arguments import bounded, wrong_arity
from emulator.commands.options import FLAG, Options, at_least, read_options
from emulator.config.notifications import ARRAY
from emulator.datatypes.glob import matcher
from emulator.modules.array import types  # noqa: F401 (it enters the type)
from emulator.modules.array.array import EXHAUSTED, LAST_INDEX, SLICE, Array
from emulator.modules.json.regex import searcher
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MAX, format_double, parse_double, parse_integer
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

Function = TypeVar("Function", bound=Callable[..., Reply])

_MOST_IN_A_RANGE: Final = 1_000_000
_OUT_OF_RANGE: Final = "ERR index is out of range"
_LIMIT: Final[Options] = {b"LIMIT": at_least(1, "ERR LIMIT must be positive")}


def _command(flags: str, uses: str, complexity: str) -> Callable[[Function], Function]:
    return command("array", since="8.8.0", flags=flags, acl="array", keys=[keys(uses, 1)], complexity=complexity)


_reads = partial(_command, uses="RO access")
_writes = partial(_command, uses="RW update")
_deletes = partial(_command, uses="RW delete")


def _index(text: bytes, most: int = LAST_INDEX) -> int:
    if not text.isdigit() or len(text) > len(str(EXHAUSTED)) or int(text) > most:
        raise CommandError(_OUT_OF_RANGE)
    return int(text)


def _indexes(words: Sequence[bytes]) -> list[int]:
    return list(map(_index, words))


def _found(client: Session, key: bytes) -> Array:
    """Return the array for reading, an empty one if there is none."""
    return client.db.lookup_read(key, Array) or Array()


def _open(client: Session, key: bytes) -> Array:
    """Return the array for adding values; a new one if there is none."""
    array = client.db.lookup_write(key, Array)
    if array is None:
        array = Array()
        client.db.insert(key, array)
    return array


def _changed(client: Session, key: bytes, event: bytes, count: int) -> None:
    client.db.changed(key, ARRAY, event, count)


# Setting


@_writes("write denyoom fast", complexity="O(N) for N values")
def arset(client: Session, key: bytes, index: bytes, value: bytes, *more: bytes) -> int:
    """Sets values at an index and behind it; returns how many of the places were empty."""
    first, values = _index(index), (value, *more)
    if first + len(values) - 1 > LAST_INDEX:
        raise CommandError(_OUT_OF_RANGE)
    array = _open(client, key)
    added = sum([array.put(first + step, each) for step, each in enumerate(values)])
    _changed(client, key, b"arset", len(values))
    return added


@_writes("write denyoom fast", complexity="O(N) for N pairs")
def armset(client: Session, key: bytes, index: bytes, value: bytes, *more: bytes) -> int:
    """Sets values at indexes; returns how many of the places were empty."""
    if len(more) % 2:
        raise wrong_arity("armset")
    words = (index, value, *more)
    indexes = _indexes(words[::2])
    array = _open(client, key)
    added = sum([array.put(place, each) for place, each in zip(indexes, words[1::2], strict=True)])
    _changed(client, key, b"armset", len(indexes))
    return added


@_writes("write denyoom fast", complexity="O(N) for N values")
def arinsert(client: Session, key: bytes, value: bytes, *more: bytes) -> int:
    """Sets values at the cursor and behind it; returns the last index."""
    values = (value, *more)
    found = client.db.lookup_write(key, Array)
    if found is not None and found.cursor + len(values) > EXHAUSTED:
        raise CommandError("ERR insert index would overflow")
    array = _open(client, key)
    last = [array.insert(each) for each in values][-1]
    _changed(client, key, b"arinsert", len(values))
    return last


@_writes("write denyoom", complexity="O(M) for M values, O(N+M) where a ring of N places is resized")
def arring(client: Session, key: bytes, size: bytes, value: bytes, *more: bytes) -> int:
    """Sets values at the next places of a ring, over the oldest ones; returns the last index."""
    places = bounded(size, 1, INT64_MAX, "ERR size must be positive")
    array = _open(client, key)
    array.resize(places)
    last = [array.turn(each) for each in (value, *more)][-1]
    _changed(client, key, b"arring", 1 + len(more))
    return last


@_writes("write fast", complexity="O(1)")
def arseek(client: Session, key: bytes, index: bytes) -> int:
    """Moves the cursor of an array; returns 0 if there is none."""
    place = _index(index, EXHAUSTED)
    array = client.db.lookup_write(key, Array)
    if array is None:
        return 0
    array.cursor = place
    _changed(client, key, b"arseek", 1)
    return 1


# Deleting


def _removed(client: Session, key: bytes, array: Array, event: bytes, gone: int) -> int:
    if gone:
        client.db.removed_from(key, array, ARRAY, event, gone)
    return gone


@_deletes("write fast", complexity="O(N) for N indexes")
def ardel(client: Session, key: bytes, index: bytes, *more: bytes) -> int:
    """Empties indexes; returns how many had a value."""
    indexes = _indexes((index, *more))
    array = client.db.lookup_write(key, Array)
    if array is None:
        return 0
    return _removed(client, key, array, b"ardel", sum([array.remove(place) for place in indexes]))


@_deletes("write", complexity="O(N) for N values in the ranges")
def ardelrange(client: Session, key: bytes, start: bytes, end: bytes, *more: bytes) -> int:
    """Empties ranges of indexes; returns how many had a value."""
    if len(more) % 2:
        raise wrong_arity("ardelrange")
    ends = _indexes((start, end, *more))
    array = client.db.lookup_write(key, Array)
    if array is None:
        return 0
    gone = 0
    for first, last in zip(ends[::2], ends[1::2], strict=True):
        gone += sum([array.remove(index) for index, _ in [*array.between(first, last)]])
    return _removed(client, key, array, b"ardelrange", gone)


# Reading


@_reads("readonly fast", complexity="O(1)")
def arget(client: Session, key: bytes, index: bytes) -> bytes | None:
    """Returns the value at an index, or null if there is none."""
    place = _index(index)
    value: bytes | None = _found(client, key).slots.get(place)
    return value


@_reads("readonly fast", complexity="O(N) for N indexes")
def armget(client: Session, key: bytes, index: bytes, *more: bytes) -> list[Reply]:
    """Returns the values at indexes, null where there is none."""
    indexes = _indexes((index, *more))
    slots = _found(client, key).slots
    return [slots.get(place) for place in indexes]


@_reads("readonly", complexity="O(N) for N indexes")
def argetrange(client: Session, key: bytes, start: bytes, end: bytes) -> list[Reply]:
    """Returns the values in a range, null where there is none; backwards if it ends before it starts."""
    first, last = _index(start), _index(end)
    if abs(last - first) >= _MOST_IN_A_RANGE:
        raise CommandError(f"ERR range exceeds maximum of {_MOST_IN_A_RANGE} elements")
    slots = _found(client, key).slots
    if not slots:
        return []
    step = 1 if first <= last else -1
    return [slots.get(place) for place in range(first, last + step, step)]


@_reads("readonly", complexity="O(N) for N values in the range")
def arscan(client: Session, key: bytes, start: bytes, end: bytes, *options: bytes) -> list[Reply]:
    """Returns the values in a range that are there, each in a pair with its index."""
    first, last = _index(start), _index(end)
    limit = read_options(options, _LIMIT).get(b"LIMIT")
    return [[*pair] for pair in islice(_found(client, key).between(first, last), limit)]


@_reads("readonly", complexity="O(N) for N values")
def arlastitems(client: Session, key: bytes, count: bytes, *options: bytes) -> list[Reply]:
    """Returns the values that were inserted last, the oldest of them first; with REV the latest first."""
    number = bounded(count, 0, INT64_MAX, "ERR count is out of range")
    backwards = b"REV" in read_options(options, {b"REV": FLAG})
    latest = _found(client, key).latest(number)
    return [*(latest if backwards else reversed(latest))]


@_reads("readonly fast", complexity="O(1)")
def arlen(client: Session, key: bytes) -> int:
    """Returns the greatest index that has a value, and one."""
    return _found(client, key).length


@_reads("readonly fast", complexity="O(1)")
def arcount(client: Session, key: bytes) -> int:
    """Returns how many indexes have a value."""
    return len(_found(client, key))


@_reads("readonly fast", complexity="O(1)")
def arnext(client: Session, key: bytes) -> int | None:
    """Returns the index at which ARINSERT would set the next value; null behind the last one."""
    cursor = _found(client, key).cursor
    return None if cursor == EXHAUSTED else cursor


@_reads("readonly", complexity="O(1), with FULL O(N) for N slices")
def arinfo(client: Session, key: bytes, *options: bytes) -> dict[bytes, Reply] | None:
    """Returns the length of an array, its values, its cursor and its slices."""
    full = b"FULL" in read_options(options, {b"FULL": FLAG})
    array = client.db.lookup_read(key, Array)
    if array is None:
        return None
    slices = len({index // SLICE for index in array.slots})
    told: dict[bytes, Reply] = {
        b"count": len(array),
        b"len": array.length,
        b"next-insert-index": array.cursor if array.cursor != EXHAUSTED else 0,
        b"slices": slices,
        b"directory-size": slices,
        b"super-dir-entries": 0,
        b"slice-size": SLICE,
    }
    if full:
        fill = len(array) / (slices * SLICE) if slices else 0.0
        told |= {b"dense-slices": slices, b"sparse-slices": 0, b"avg-dense-size": float(SLICE)}
        told |= {b"avg-dense-fill": fill, b"avg-sparse-size": 0.0}
    return told


# Calculating and searching


def _number(value: bytes) -> int | float | None:
    whole = parse_integer(value)
    return parse_double(value) if whole is None else whole


def _text(number: float) -> bytes:
    return b"%d" % number if isinstance(number, int) else format_double(number)


_OF_NUMBERS: Final[dict[bytes, Callable[[list[int | float]], int | float]]] = {b"SUM": sum, b"MIN": min, b"MAX": max}
_OF_BITS: Final[dict[bytes, Callable[[int, int], int]]] = {b"AND": and_, b"OR": or_, b"XOR": xor}


@_reads("readonly", complexity="O(N) for N values in the range")
def arop(client: Session, key: bytes, start: bytes, end: bytes, operation: bytes, *operand: bytes) -> Reply:
    """Returns what an operation makes of the values in a range: SUM, MIN, MAX, AND, OR, XOR, MATCH, USED."""
    first, last = _index(start), _index(end)
    name = operation.upper()
    if len(operand) != (name == b"MATCH") or name not in (*_OF_NUMBERS, *_OF_BITS, b"MATCH", b"USED"):
        raise CommandError(SYNTAX)
    values = [value for _, value in _found(client, key).between(first, last)]
    if name == b"USED":
        return len(values)
    if name == b"MATCH":
        return values.count(operand[0])
    numbers = [number for value in values if (number := _number(value)) is not None]
    if not numbers:
        return None
    if name in _OF_NUMBERS:
        return _text(_OF_NUMBERS[name](numbers))
    return reduce(_OF_BITS[name], map(int, numbers))


Test = Callable[[bytes], bool]


def _exact(wanted: bytes, ignore_case: bool) -> Test:
    return (lambda value: value.lower() == wanted.lower()) if ignore_case else (lambda value: value == wanted)


def _part(wanted: bytes, ignore_case: bool) -> Test:
    return (lambda value: wanted.lower() in value.lower()) if ignore_case else (lambda value: wanted in value)


def _expression(pattern: bytes, ignore_case: bool) -> Test:
    search = searcher(("(?i)" if ignore_case else "") + pattern.decode("latin-1"))
    if search is None:
        raise CommandError("ERR invalid regular expression")
    return lambda value: search(value.decode("latin-1"), lambda steps: None)


_PREDICATES: Final[dict[bytes, Callable[[bytes, bool], Test]]] = {
    b"EXACT": _exact,
    b"MATCH": _part,
    b"GLOB": matcher,
    b"RE": _expression,
}


def _end(text: bytes, array: Array) -> int:
    if text in (b"-", b"+"):
        return 0 if text == b"-" else max(array.length - 1, 0)
    return _index(text)


@_reads("readonly", complexity="O(N*C) for N values in the range and tests that cost C")
def argrep(
    client: Session, key: bytes, start: bytes, end: bytes, predicate: bytes, pattern: bytes, *more: bytes
) -> list[Reply]:
    """Returns the indexes in a range whose values pass one of several tests, with AND all; WITHVALUES adds the values."""
    asked: list[tuple[Callable[[bytes, bool], Test], bytes]] = []
    rest: list[bytes] = []
    words = iter((predicate, pattern, *more))
    for word in words:
        kind = _PREDICATES.get(word.upper())
        if kind is None:
            rest += [word, next(words, b"")] if word.upper() == b"LIMIT" else [word]
        else:
            asked.append((kind, next(words, b"")))
    given = read_options(rest, {**_LIMIT, **dict.fromkeys((b"AND", b"OR", b"WITHVALUES", b"NOCASE"), FLAG)})
    if not asked or {b"AND", b"OR"} <= given.keys():
        raise CommandError(SYNTAX)
    tests = [kind(wanted, b"NOCASE" in given) for kind, wanted in asked]
    passes = all if b"AND" in given else any
    array = _found(client, key)
    pairs = array.between(_end(start, array), _end(end, array))
    found = islice(
        ((index, value) for index, value in pairs if passes(test(value) for test in tests)), given.get(b"LIMIT")
    )
    return [[*pair] for pair in found] if b"WITHVALUES" in given else [index for index, _ in found]
