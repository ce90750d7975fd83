"""Hash fields that expire.

Setting a field removes its deadline; a hash is deleted with its last field.  The timing wheel expires fields, and so does
any hash command that finds an expired one (`hash.read_hash`, `hash.edit_hash`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands import hash_words_valkey as valkey
from emulator.commands.arguments import INT32_MAX, TIME_UNITS, bounded, integer, wrong_arity
from emulator.commands.hash import edit_hash, present, read_hash, removed
from emulator.commands.hash_words_valkey import Holds
from emulator.commands.past import is_past
from emulator.config.notifications import HASH
from emulator.datatypes.hash import Hash
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.numbers import INT64_MAX
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_FURTHEST: Final = (1 << 46) - 1

_NO_FIELD: Final = -2
_NO_DEADLINE: Final = -1
_CONDITION_NOT_MET: Final = 0
_SET: Final = 1
_DELETED: Final = 2

_CONDITIONS: Final[dict[bytes, Holds]] = {
    b"NX": lambda current, moment: current is None,
    b"XX": lambda current, moment: current is not None,
    b"GT": lambda current, moment: current is not None and moment > current,
    b"LT": lambda current, moment: current is None or moment < current,
}


def moment_of(client: Session, name: str, text: bytes, unit: int, absolute: bool) -> int:
    """Return the moment that a time means, in milliseconds since the epoch; it may be in the past."""
    amount = integer(text)
    if amount < 0:
        raise CommandError("ERR invalid expire time, must be >= 0")
    moment = amount * unit + (0 if absolute else client.engine.clock.now)
    if moment > _FURTHEST:
        raise CommandError(f"ERR invalid expire time in '{name}' command")
    return moment


def fields_of(
    words: Sequence[bytes], error: str = "ERR Number of fields must be a positive integer"
) -> Sequence[bytes]:
    """Return the fields of ``FIELDS numfields field ...``."""
    if words[0].upper() != b"FIELDS":
        raise CommandError("ERR Mandatory argument FIELDS is missing or not at the right position")
    if bounded(words[1], 1, INT64_MAX, error) != len(words) - 2:
        raise CommandError("ERR The `numfields` parameter must match the number of arguments")
    return words[2:]


def is_valkey(client: Session) -> bool:
    """Whether fields are as in Valkey, which has commands of its own for them."""
    return client.engine.config.edition.is_valkey


def takes_any_order(client: Session) -> bool:
    """Whether options may stand in any order, behind the fields too."""
    return client.engine.config.edition.includes("8.4.0")


def in_any_order(
    words: Sequence[bytes],
    options: Mapping[bytes, Callable[[bytes], object] | None],
    rivals: Sequence[tuple[Collection[bytes], str]],
    name: str,
    words_a_field: int = 1,
) -> tuple[Sequence[bytes], dict[bytes, object]]:
    """The fields (with their values, where a field has two words) and the options given.

    An option is followed by what reads its value, None where it has none.  Of several `rivals` only one may be given, and
    that once.  Without a `name` of the command errors are those of HEXPIRE.
    """
    fields: Sequence[bytes] | None = None
    given: dict[bytes, object] = {}
    place = 0
    while place < len(words):
        word = words[place].upper()
        place += 1
        if word == b"FIELDS":
            if fields is not None:
                raise CommandError("ERR FIELDS keyword specified multiple times")
            if len(words) - place < (1 if name else 2):
                raise wrong_arity(name) if name else CommandError(_TOO_FEW)
            bad_count = "ERR invalid number of fields" if name else _BAD_COUNT
            end = place + 1 + words_a_field * bounded(words[place], 1, INT32_MAX, bad_count)
            if end > len(words):
                raise CommandError("ERR wrong number of arguments")
            fields, place = words[place + 1 : end], end
        elif word in options:
            for others, error in rivals:
                if word in others and not given.keys().isdisjoint(others):
                    raise CommandError(error)
            read = options[word]
            if read is not None and place == len(words):
                raise CommandError("ERR missing expire time")
            given[word] = True if read is None else read(words[place])
            place += read is not None
        else:
            raise CommandError(
                "ERR unknown argument" + ("" if word in _OF_OTHERS else f": {as_text(words[place - 1])}")
            )
    if fields is None:
        raise CommandError("ERR missing FIELDS argument")
    return fields, given


_TOO_FEW: Final = "ERR FIELDS requires at least numfields and one field argument"
_BAD_COUNT: Final = "ERR Parameter `numFields` should be greater than 0"
_OF_OTHERS: Final = frozenset((*TIME_UNITS, b"PERSIST", b"KEEPTTL", b"FNX", b"FXX"))
"""Options of HGETEX and HSETEX, each of which knows those of the other by name."""


# Setting deadlines


def _expire(
    client: Session, name: str, key: bytes, when: bytes, unit: int, absolute: bool, words: Sequence[bytes]
) -> list[int]:
    condition: Holds | None
    if is_valkey(client):
        condition, fields = valkey.of_hexpire(words)
        moment = valkey.moment(client, name, when, unit, absolute)
        target = edit_hash(client, key)
    else:
        target = edit_hash(client, key)
        moment = moment_of(client, name, when, unit, absolute)
        option, fields = _condition_and_fields(client, words)
        condition = _CONDITIONS.get(option)
    if target is None:
        return [_NO_FIELD] * len(fields)
    provide(client, key, target)
    past = is_past(client, moment)
    there = present(client, target, fields)
    results = [
        _expire_field(target, field, moment, past, condition) if field in there else _NO_FIELD for field in fields
    ]
    if _SET in results:
        deadlines_set(client, key, target, _those(fields, results, _SET))
    if _DELETED in results:
        taken_by_time(client, key, target, _those(fields, results, _DELETED))
    return results


def _those(fields: Sequence[bytes], results: Sequence[object], wanted: object) -> list[bytes]:
    """The fields that had a result."""
    return [field for field, result in zip(fields, results, strict=True) if result == wanted]


def provide(client: Session, key: bytes, target: Hash) -> None:
    """Have a hash be one whose fields may expire; in Valkey it is that once one of them may."""
    if not is_valkey(client):
        target.provide_for_deadlines()
        client.db.reweigh(key)


def taken_by_time(
    client: Session, key: bytes, target: Hash, fields: Sequence[bytes], changes: int | None = None
) -> None:
    """Announce that fields were removed whose new deadlines had passed already."""
    client.db.stats.expired_fields += len(fields)
    removed(client, key, target, fields, b"hexpired" if is_valkey(client) else b"hdel", changes)


def _condition_and_fields(client: Session, words: Sequence[bytes]) -> tuple[bytes, Sequence[bytes]]:
    if not takes_any_order(client):
        option = words[0].upper()
        return option, fields_of(words[1:] if option in _CONDITIONS else words, _BAD_COUNT)
    fields, given = in_any_order(words, dict.fromkeys(_CONDITIONS), (), "")
    if len(given) > 1:
        raise CommandError("ERR Multiple condition flags specified")
    return next(iter(given), b""), fields


def _expire_field(target: Hash, field: bytes, moment: int, past: bool, condition: Holds | None) -> int:
    if field not in target.fields:
        return _NO_FIELD
    if condition is not None and not condition(target.deadline(field), moment):
        return _CONDITION_NOT_MET
    if past:
        target.pop(field)
        return _DELETED
    target.expire_at(field, moment)
    return _SET


def deadlines_set(
    client: Session, key: bytes, target: Hash, fields: Sequence[bytes], changes: int | None = None
) -> None:
    """Announce that fields have new deadlines, each of which is a change unless it is told how many they are."""
    db = client.db
    if is_valkey(client):
        target.unpack()
    db.schedule_fields(db.entries[key])
    db.changed(key, HASH, b"hexpire", len(fields) if changes is None else changes)
    db.notify_subkeys(b"hexpire", key, fields)


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="write fast",
    keys=[keys("RW update", 1)],
    complexity="O(N) for N fields",
)
def hexpire(
    client: Session, key: bytes, seconds: bytes, option: bytes, count: bytes, field: bytes, *more: bytes
) -> list[int]:
    """Sets the expiry of fields in seconds; returns a status for each field."""
    return _expire(client, "hexpire", key, seconds, 1000, False, (option, count, field, *more))


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="write fast",
    keys=[keys("RW update", 1)],
    complexity="O(N) for N fields",
)
def hpexpire(
    client: Session, key: bytes, milliseconds: bytes, option: bytes, count: bytes, field: bytes, *more: bytes
) -> list[int]:
    """Sets the expiry of fields in milliseconds; returns a status for each field."""
    return _expire(client, "hpexpire", key, milliseconds, 1, False, (option, count, field, *more))


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="write fast",
    keys=[keys("RW update", 1)],
    complexity="O(N) for N fields",
)
def hexpireat(
    client: Session, key: bytes, unix_time: bytes, option: bytes, count: bytes, field: bytes, *more: bytes
) -> list[int]:
    """Sets the expiry of fields to a time in seconds since the epoch; returns a status for each field."""
    return _expire(client, "hexpireat", key, unix_time, 1000, True, (option, count, field, *more))


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="write fast",
    keys=[keys("RW update", 1)],
    complexity="O(N) for N fields",
)
def hpexpireat(
    client: Session, key: bytes, unix_time: bytes, option: bytes, count: bytes, field: bytes, *more: bytes
) -> list[int]:
    """Sets the expiry of fields to a time in milliseconds since the epoch; returns a status for each field."""
    return _expire(client, "hpexpireat", key, unix_time, 1, True, (option, count, field, *more))


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="write fast",
    keys=[keys("RW update", 1)],
    complexity="O(N) for N fields",
)
def hpersist(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, *more: bytes) -> list[int]:
    """Removes the expiry of fields; returns 1 for each that had one, -1 without expiry, -2 without field."""
    target, fields = hash_and_fields(client, key, (option, count, field, *more))
    if target is None:
        return [_NO_FIELD] * len(fields)
    now = 0 if client.engine.expiration.shows else client.engine.clock.now
    results = [_persist_field(target, name, now) for name in fields]
    if _SET in results:
        client.db.changed(key, HASH, b"hpersist", results.count(_SET))
        client.db.notify_subkeys(b"hpersist", key, _those(fields, results, _SET))
        if is_valkey(client):  # in Redis INFO counts the hash until the timer fires
            client.db.schedule_fields(client.db.entries[key])
    return results


def hash_and_fields(
    client: Session, key: bytes, words: Sequence[bytes], touched: Sequence[bytes] = ()
) -> tuple[Hash | None, Sequence[bytes]]:
    """The hash at a key for writing, and the fields of ``FIELDS numfields field ...``; Valkey reads the words first."""
    if is_valkey(client):
        fields = valkey.fields(words)
        return edit_hash(client, key), fields
    target = edit_hash(client, key, touched)
    return target, fields_of(words)


def _persist_field(target: Hash, field: bytes, now: int) -> int:
    if target.get(field, now) is None:
        return _NO_FIELD
    return _SET if target.persist(field) else _NO_DEADLINE


# Reading deadlines


def _deadlines(client: Session, key: bytes, words: Sequence[bytes]) -> list[int]:
    """Return the moment at which each field expires, -1 without expiry, -2 without field."""
    if is_valkey(client):
        fields = valkey.fields(words, error=SYNTAX)
        target = read_hash(client, key)
    else:
        target = read_hash(client, key)
        fields = fields_of(words)
    moments = [target.deadline(field) for field in fields]
    without = [_NO_DEADLINE if field in target.fields else _NO_FIELD for field in fields]
    return [status if moment is None else moment for moment, status in zip(moments, without, strict=True)]


def _seconds(client: Session, milliseconds: int) -> int:
    """Return seconds, rounded up, in Valkey to the nearest; negative statuses are kept."""
    return milliseconds if milliseconds < 0 else (milliseconds + (500 if is_valkey(client) else 999)) // 1000


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N fields",
)
def httl(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, *more: bytes) -> list[int]:
    """Returns the remaining time of fields in seconds, rounded up; -1 without expiry, -2 without field."""
    return [_seconds(client, left) for left in hpttl(client, key, option, count, field, *more)]


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N fields",
)
def hpttl(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, *more: bytes) -> list[int]:
    """Returns the remaining time of fields in milliseconds; -1 without expiry, -2 without field."""
    now = client.engine.clock.now
    moments = _deadlines(client, key, (option, count, field, *more))
    return [moment if moment < 0 else max(moment - now, 0) for moment in moments]


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    complexity="O(N) for N fields",
)
def hexpiretime(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, *more: bytes) -> list[int]:
    """Returns when fields expire, in seconds since the epoch, rounded up; -1 without expiry, -2 without field."""
    return [_seconds(client, moment) for moment in _deadlines(client, key, (option, count, field, *more))]


@command(
    "hash",
    since="7.4.0",
    valkey="9.0.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    complexity="O(N) for N fields",
)
def hpexpiretime(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, *more: bytes) -> list[int]:
    """Returns when fields expire, in milliseconds since the epoch; -1 without expiry, -2 without field."""
    return _deadlines(client, key, (option, count, field, *more))
