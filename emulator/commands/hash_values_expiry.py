"""Values of hash fields and their deadlines at once: HGETEX, HSETEX, HGETDEL.  Deadlines alone are in `hash_expiry`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from emulator.commands import hash_words_valkey as valkey
from emulator.commands.arguments import INT32_MAX, TIME_UNITS, bounded, wrong_arity
from emulator.commands.hash import edit_hash, new_hash, present, removed
from emulator.commands.hash_expiry import (
    deadlines_set,
    fields_of,
    hash_and_fields,
    in_any_order,
    is_valkey,
    moment_of,
    provide,
    taken_by_time,
    takes_any_order,
)
from emulator.commands.options import Given
from emulator.commands.past import is_past
from emulator.config.notifications import GENERIC, HASH
from emulator.datatypes.hash import Hash
from emulator.protocol.errors import CommandError, as_text
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


@command(
    "hash",
    since="8.0.0",
    valkey="9.0.0",
    flags="write fast",
    keys=[keys("RW access update", 1, notes="RW and UPDATE because it changes the TTL")],
    complexity="O(N) for N fields",
)
def hgetex(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, *more: bytes) -> list[bytes | None]:
    """Returns the values of fields, and sets or removes their expiry."""
    words = (option, count, field, *more)
    if is_valkey(client):
        given, fields = valkey.of_hgetex(key, words)
        client.db.lookup_read_any(key, uses=False)  # it counts as one that reads there
        target = edit_hash(client, key)
        moment, persists = valkey.time(client, "hgetex", given), b"PERSIST" in given
    else:
        target = edit_hash(client, key, (field, *more))
        read = _words_of_hgetex if not takes_any_order(client) else _free_words_of_hgetex
        fields, moment, persists = read(client, words)
    if target is None:
        return [None] * len(fields)
    if moment is not None:
        return _take_or_expire(client, key, target, fields, moment)
    there = present(client, target, fields)
    values = [target.fields.get(name) if name in there else None for name in fields]
    if persists:
        provide(client, key, target)
        persisted = [name for name in fields if name in there and target.persist(name)]
        if persisted:
            client.db.changed(key, HASH, b"hpersist", len(persisted))
            client.db.notify_subkeys(b"hpersist", key, persisted)
    return values


_HgetexWords: TypeAlias = tuple[Sequence[bytes], int | None, bool]
"""The fields, the moment at which they are to expire, and whether their deadlines are taken away."""


def _words_of_hgetex(client: Session, words: Sequence[bytes]) -> _HgetexWords:
    moment: int | None = None
    choice = words[0].upper()
    if choice in TIME_UNITS:
        moment = moment_of(client, "hgetex", words[1], *TIME_UNITS[choice])
        words = words[2:]
    elif choice == b"PERSIST":
        words = words[1:]
    if len(words) < 2:
        raise wrong_arity("hgetex")
    return fields_of(words), moment, choice == b"PERSIST"


def _times(client: Session, name: str) -> dict[bytes, Callable[[bytes], object]]:
    return {word: partial(_read_moment, client, name, *units) for word, units in TIME_UNITS.items()}


def _read_moment(client: Session, name: str, unit: int, absolute: bool, text: bytes) -> int:
    return moment_of(client, name, text, unit, absolute)


def _free_words_of_hgetex(client: Session, words: Sequence[bytes]) -> _HgetexWords:
    options: dict[bytes, Callable[[bytes], object] | None] = {**_times(client, "hgetex"), b"PERSIST": None}
    error = "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified"
    fields, given = in_any_order(words, options, [(options, error)], "hgetex")
    moment = next((value for word, value in given.items() if word in TIME_UNITS), None)
    assert isinstance(moment, int | None)
    return fields, moment, b"PERSIST" in given


def _take_or_expire(
    client: Session, key: bytes, target: Hash, fields: Sequence[bytes], moment: int
) -> list[bytes | None]:
    """Set the expiry of existing fields, or remove them if the moment is past; return their values."""
    provide(client, key, target)
    past = is_past(client, moment)
    there = present(client, target, fields)
    take = target.pop if past else target.fields.get
    values = [take(name) if name in there else None for name in fields]
    found = [name for name, value in zip(fields, values, strict=True) if value is not None]
    if past and found:
        taken_by_time(client, key, target, found)
    elif found:
        for name in found:
            target.expire_at(name, moment)
        deadlines_set(client, key, target, found)
    return values


class _SetOptions(NamedTuple):
    """The options of HSETEX; ``exists`` is True for FXX (all fields must exist), False for FNX (none may)."""

    exists: bool | None
    moment: int | None
    keep: bool
    pairs: Sequence[bytes]


_ONE_PRESENCE: Final = "ERR Only one of FXX or FNX arguments can be specified"
_ONE_EXPIRY: Final = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"


def _wanted(given: Given, there: bytes, not_there: bytes) -> bool | None:
    return True if there in given else False if not_there in given else None


def _free_set_options(client: Session, words: Sequence[bytes]) -> _SetOptions:
    times = _times(client, "hsetex")
    flags = dict.fromkeys((b"FNX", b"FXX", b"KEEPTTL"))
    rivals = [((b"FNX", b"FXX"), _ONE_PRESENCE), ((*times, b"KEEPTTL"), _ONE_EXPIRY)]
    pairs, given = in_any_order(words, times | flags, rivals, "hsetex", words_a_field=2)
    exists = b"FXX" in given if b"FXX" in given or b"FNX" in given else None
    moment = next((value for word, value in given.items() if word in times), None)
    assert isinstance(moment, int | None)
    return _SetOptions(exists, moment, b"KEEPTTL" in given, pairs)


def _set_options(client: Session, key: bytes, words: Sequence[bytes]) -> _SetOptions | None:
    """The options; None where Valkey's XX or NX are not met, as there is no key, or is one."""
    if not is_valkey(client):
        return (_free_set_options if takes_any_order(client) else _fixed_set_options)(client, words)
    given, pairs = valkey.of_hsetex(key, words)
    there = client.db.lookup_write(key, Hash) is not None
    if _wanted(given, b"XX", b"NX") not in (None, there):
        return None
    return _SetOptions(_wanted(given, b"FXX", b"FNX"), valkey.time(client, "hsetex", given), b"KEEPTTL" in given, pairs)


def _fixed_set_options(client: Session, words: Sequence[bytes]) -> _SetOptions:
    # No `read_options`: each time is checked against the clock where it stands, and to declare four options anew for each
    # call would cost a third of it.
    exists: bool | None = None
    moment: int | None = None
    keep = False
    rest = iter(words)
    for word in rest:
        option = word.upper()
        if option in (b"FNX", b"FXX"):
            if exists is not None:
                raise CommandError(_ONE_PRESENCE)
            exists = option == b"FXX"
        elif option == b"KEEPTTL" or option in TIME_UNITS:
            if keep or moment is not None:
                raise CommandError(_ONE_EXPIRY)
            keep = option == b"KEEPTTL"
            moment = None if keep else moment_of(client, "hsetex", next(rest, b""), *TIME_UNITS[option])
        elif option == b"FIELDS":
            return _SetOptions(exists, moment, keep, _pairs(list(rest)))
        else:
            break
    raise CommandError(f"ERR unknown argument: {as_text(word)}")


def _pairs(words: Sequence[bytes]) -> Sequence[bytes]:
    """Return the fields and values after ``numfields``."""
    if len(words) > 2 and bounded(words[0], 1, INT32_MAX, "ERR invalid number of fields") * 2 == len(words) - 1:
        return words[1:]
    raise wrong_arity("hsetex")


@command(
    "hash",
    since="8.0.0",
    valkey="9.0.0",
    flags="write denyoom fast",
    keys=[keys("RW update", 1)],
    complexity="O(N) for N fields",
)
def hsetex(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, value: bytes, *more: bytes) -> int:
    """Sets fields with an expiry, optionally only if all (FXX) or none (FNX) of them exist; returns 1 if they were set."""
    options = _set_options(client, key, (option, count, field, value, *more))
    if options is None:
        return 0
    fields = options.pairs[::2]
    target = edit_hash(client, key, fields if options.exists is not None else ())
    if options.exists is not None:
        present = [target is not None and name in target.fields for name in fields]
        if options.exists != all(present) or options.exists != any(present):
            return 0
    if target is None:
        target = new_hash(client, key)
    limits = client.engine.config
    target.expect(len(fields), limits)
    put = target.put if options.keep else target.put_afresh
    past = options.moment is not None and is_past(client, options.moment)
    if past and is_valkey(client):
        return _set_too_late(client, key, target, fields)
    if past:
        provide(client, key, target)
    for name, content in zip(fields, options.pairs[1::2], strict=True):
        put(name, content, limits)
        if past:
            target.pop(name)
    client.db.changed(key, HASH, b"hset", len(fields))
    client.db.notify_subkeys(b"hset", key, fields)
    if past:
        taken_by_time(client, key, target, fields, changes=0)
    elif options.moment is not None:
        provide(client, key, target)
        for name in fields:
            target.expire_at(name, options.moment)
        deadlines_set(client, key, target, fields, changes=0)
    return 1


def _set_too_late(client: Session, key: bytes, target: Hash, fields: Sequence[bytes]) -> int:
    """HSETEX of Valkey to a moment that is past: fields that were there go, others never come, which is no change."""
    db = client.db
    gone = [name for name in fields if target.pop(name) is not None]
    db.stats.expired_fields += len(fields)
    db.told(key, HASH, b"hset", len(gone))
    for event in (b"hexpire", b"hexpired"):
        db.notify(HASH, event, key)
    if not target:
        db.discard(key)
        db.notify(GENERIC, b"del", key)
    return 1


@command(
    "hash",
    since="8.0.0",
    valkey="9.1.0",
    flags="write fast",
    keys=[keys("RW access delete", 1)],
    complexity="O(N) for N fields",
)
def hgetdel(client: Session, key: bytes, option: bytes, count: bytes, field: bytes, *more: bytes) -> list[bytes | None]:
    """Returns the values of fields and removes the fields."""
    target, fields = hash_and_fields(client, key, (option, count, field, *more), (field, *more))
    if target is None:
        return [None] * len(fields)
    there = present(client, target, fields)
    values = [target.pop(name) if name in there else None for name in fields]
    found = [name for name, value in zip(fields, values, strict=True) if value is not None]
    if found:
        removed(client, key, target, found)
    return values
