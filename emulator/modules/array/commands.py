"""The commands of arrays, as Redis's documentation describes them: no server of that version was there to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from functools import partial, reduce
from itertools import islice
from operator import and_, or_, xor
from typing import TYPE_CHECKING, Final, TypeVar

from emulator.commands.arguments import integer, wrong_arity
from emulator.commands.options import FLAG, Options, at_least, read_options
from emulator.config.notifications import ARRAY
from emulator.datatypes.glob import matcher
from emulator.modules.array import types  # noqa: F401 (it enters the type)
from emulator.modules.array.array import EXHAUSTED, LAST_INDEX, SLICE, Array
from emulator.modules.json.regex import searcher
from emulator.protocol.errors import NO_SUCH_KEY, NOT_INTEGER, SYNTAX, CommandError
from emulator.protocol.long_double import LongDouble, parse_long_double
from emulator.protocol.numbers import INT64_MAX, INT64_MIN, parse_unsigned
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

Function = TypeVar("Function", bound=Callable[..., Reply])

_MOST_TOLD: Final = 1_000_000
"""Replies with holes have at most so many items."""
_NO_INDEX: Final = "ERR invalid array index"
_LIMIT: Final[Options] = {b"LIMIT": at_least(1, "ERR LIMIT must be positive", NOT_INTEGER)}


def _command(flags: str, uses: str, complexity: str) -> Callable[[Function], Function]:
    return command("array", since="8.8.0", flags=flags, acl="array", keys=[keys(uses, 1)], complexity=complexity)


_reads = partial(_command, uses="RO access")
_writes = partial(_command, uses="RW update")
_deletes = partial(_command, uses="RW delete")


def _index(text: bytes, most: int = LAST_INDEX) -> int:
    index = parse_unsigned(text)
    if index is None or index > most:
        raise CommandError(_NO_INDEX)
    return index


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
        raise CommandError("ERR array index overflow")
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
        raise CommandError("ERR insert index overflow")
    array = _open(client, key)
    last = [array.insert(each) for each in values][-1]
    _changed(client, key, b"arinsert", len(values))
    return last


@_writes("write denyoom", complexity="O(M) for M values, O(N+M) where a ring of N places is resized")
def arring(client: Session, key: bytes, size: bytes, value: bytes, *more: bytes) -> int:
    """Sets values at the next places of a ring, over the oldest ones; returns the last index."""
    places = integer(size, "ERR invalid size")
    if places < 1:
        raise CommandError("ERR size must be positive")
    array = _open(client, key)
    array.resize(places)
    last = [array.turn(each, places) for each in (value, *more)][-1]
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
    array = _found(client, key)
    value: bytes | None = array.slots.get(_index(index))
    return value


@_reads("readonly fast", complexity="O(N) for N indexes")
def armget(client: Session, key: bytes, index: bytes, *more: bytes) -> list[Reply]:
    """Returns the values at indexes, null where there is none."""
    slots = _found(client, key).slots
    return [slots.get(place) for place in _indexes((index, *more))]


@_reads("readonly", complexity="O(N) for N indexes")
def argetrange(client: Session, key: bytes, start: bytes, end: bytes) -> list[Reply]:
    """Returns the values in a range, null where there is none; backwards if it ends before it starts."""
    first, last = _index(start), _index(end)
    slots = _found(client, key).slots
    if abs(last - first) >= _MOST_TOLD:
        raise CommandError(f"ERR range exceeds maximum of {_MOST_TOLD} items")
    step = 1 if first <= last else -1
    return [slots.get(place) for place in range(first, last + step, step)]


@_reads("readonly", complexity="O(N) for N values in the range")
def arscan(client: Session, key: bytes, start: bytes, end: bytes, *options: bytes) -> list[Reply]:
    """Returns the values in a range that are there, each in a pair with its index."""
    first, last = _index(start), _index(end)
    if len(options) not in (0, 2):
        raise wrong_arity("arscan")
    limit = read_options(options, _LIMIT).get(b"LIMIT")
    return [[*pair] for pair in islice(_found(client, key).between(first, last), limit)]


@_reads("readonly", complexity="O(N) for N values")
def arlastitems(client: Session, key: bytes, count: bytes, *options: bytes) -> list[Reply]:
    """Returns the values at the cursor and before it, the oldest of them first; with REV the latest first."""
    number = integer(count, "ERR invalid COUNT")
    if number <= 0:
        return []
    if len(options) > 1:
        raise wrong_arity("arlastitems")
    backwards = b"REV" in read_options(options, {b"REV": FLAG})
    array = _found(client, key)
    if min(number, array.length) > max(len(array), _MOST_TOLD):
        raise CommandError(f"ERR count exceeds maximum of {_MOST_TOLD} items")
    latest = array.latest(number)
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
def arinfo(client: Session, key: bytes, *options: bytes) -> dict[bytes, Reply]:
    """Returns the length of an array, its values, its cursor and its slices."""
    if len(options) > 1:
        raise CommandError(SYNTAX)
    full = b"FULL" in read_options(options, {b"FULL": FLAG})
    array = client.db.lookup_read(key, Array)
    if array is None:
        raise CommandError(NO_SUCH_KEY)
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


_DIGITS: Final = 17


def _number(value: bytes) -> Decimal | None:
    number = parse_long_double(value)
    if isinstance(number, LongDouble):
        return Decimal(number.significand) * Decimal(2) ** number.exponent
    return None if number is None else Decimal(number)


def _text(number: Decimal) -> bytes:
    """Print a number with 17 digits, without zeros at the end, large and small ones with an exponent."""
    if not number.is_finite():
        return b"inf" if number > 0 else b"-inf"
    rounded = Context(prec=_DIGITS).plus(number)
    power = rounded.adjusted() if rounded else 0
    plain = -5 < power < _DIGITS
    text = f"{rounded if plain else rounded.scaleb(-power):f}"
    digits = text.rstrip("0").rstrip(".") if "." in text else text
    return (digits if plain else f"{digits}e{power:+03d}").encode()


_OF_NUMBERS: Final[dict[bytes, Callable[[list[Decimal]], Decimal | int]]] = {b"SUM": sum, b"MIN": min, b"MAX": max}
_OF_BITS: Final[dict[bytes, Callable[[int, int], int]]] = {b"AND": and_, b"OR": or_, b"XOR": xor}


@_reads("readonly", complexity="O(N) for N values in the range")
def arop(client: Session, key: bytes, start: bytes, end: bytes, operation: bytes, *operand: bytes) -> Reply:
    """Returns what an operation makes of the values in a range: SUM, MIN, MAX, AND, OR, XOR, MATCH, USED."""
    first, last = _index(start), _index(end)
    name = operation.upper()
    if name not in (*_OF_NUMBERS, *_OF_BITS, b"MATCH", b"USED"):
        raise CommandError("ERR unknown operation")
    if name == b"MATCH" and len(operand) != 1:
        raise CommandError("ERR MATCH requires a value argument")
    if name != b"MATCH" and operand:
        raise wrong_arity("arop")
    values = [value for _, value in _found(client, key).between(first, last)]
    if name == b"USED":
        return len(values)
    if name == b"MATCH":
        return values.count(operand[0])
    numbers = [number for value in values if (number := _number(value)) is not None]
    if name in _OF_NUMBERS:
        return _text(Decimal(_OF_NUMBERS[name](numbers))) if numbers else None
    whole = [int(number) for number in numbers if number.is_finite() and INT64_MIN <= number <= INT64_MAX]
    return reduce(_OF_BITS[name], whole) if whole else None


Test = Callable[[bytes], bool]


def _exact(wanted: bytes, ignore_case: bool) -> Test:
    return (lambda value: value.lower() == wanted.lower()) if ignore_case else (lambda value: value == wanted)


def _part(wanted: bytes, ignore_case: bool) -> Test:
    return (lambda value: wanted.lower() in value.lower()) if ignore_case else (lambda value: wanted in value)


def _expression(pattern: bytes, ignore_case: bool) -> Test:
    if not pattern:
        raise CommandError("ERR regular expression is empty")
    search = searcher(("(?i)" if ignore_case else "") + pattern.decode("latin-1"))
    if search is None:
        raise CommandError("ERR invalid regular expression: Invalid regexp")
    return lambda value: search(value.decode("latin-1"), lambda steps: None)


_MOST_TESTS: Final = 250
_LONGEST_EXPRESSION: Final = 2048
_GREP_OPTIONS: Final[Options] = {**_LIMIT, **dict.fromkeys((b"AND", b"OR", b"WITHVALUES", b"NOCASE"), FLAG)}
_PREDICATES: Final[dict[bytes, Callable[[bytes, bool], Test]]] = {
    b"EXACT": _exact,
    b"MATCH": _part,
    b"GLOB": matcher,
    b"RE": _expression,
}


def _end(text: bytes) -> int | None:
    """Return an index; None for the last one that has a value."""
    return None if text == b"+" else 0 if text == b"-" else _index(text)


@_reads("readonly", complexity="O(N*C) for N values in the range and tests that cost C")
def argrep(
    client: Session, key: bytes, start: bytes, end: bytes, predicate: bytes, pattern: bytes, *more: bytes
) -> list[Reply]:
    """Returns the indexes in a range whose values pass one of several tests, with AND all; WITHVALUES adds the values."""
    ends = _end(start), _end(end)
    asked, rest = _asked((predicate, pattern, *more))
    given = read_options(rest, _GREP_OPTIONS)
    if not asked:
        raise CommandError(SYNTAX)
    tests = [kind(wanted, b"NOCASE" in given) for kind, wanted in asked]
    together = [word for word in given if word in (b"AND", b"OR")]  # the last one counts
    passes = all if together[-1:] == [b"AND"] else any
    array = _found(client, key)
    first, last = (max(array.length - 1, 0) if place is None else place for place in ends)
    found = islice(
        ((index, value) for index, value in array.between(first, last) if passes(test(value) for test in tests)),
        given.get(b"LIMIT"),
    )
    return [[*pair] for pair in found] if b"WITHVALUES" in given else [index for index, _ in found]


def _asked(words: Sequence[bytes]) -> tuple[list[tuple[Callable[[bytes, bool], Test], bytes]], list[bytes]]:
    """Return the tests with their texts, and the options among them."""
    asked: list[tuple[Callable[[bytes, bool], Test], bytes]] = []
    rest: list[bytes] = []
    left = iter(words)
    for word in left:
        name = word.upper()
        if name not in _PREDICATES:
            rest += [word, *islice(left, name == b"LIMIT")]
            continue
        text = next(left, None)
        if text is None:
            raise CommandError(SYNTAX)
        if len(asked) >= _MOST_TESTS:
            raise CommandError(f"ERR too many predicates, maximum is {_MOST_TESTS}")
        if name == b"RE" and len(text) > _LONGEST_EXPRESSION:
            raise CommandError(f"ERR regular expression is too long, maximum is {_LONGEST_EXPRESSION} bytes")
        asked.append((_PREDICATES[name], text))
    return asked, rest
