"""INCREX (Redis 8.8): a counter within bounds, with an expiry; by the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from emulator.commands.arguments import TIME_UNITS, deadline, integer
from emulator.commands.options import FLAG, TEXT, Given, Options, Rule, once, read_options
from emulator.commands.string import find_string
from emulator.config.notifications import GENERIC, STRING
from emulator.datatypes.string import Embedded
from emulator.keyspace.entry import Entry
from emulator.protocol.errors import NOT_FLOAT, CommandError
from emulator.protocol.long_double import GREATEST, ZERO, LongDouble, add_long_doubles, parse_long_double
from emulator.protocol.numbers import INT64_MAX, INT64_MIN
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from fractions import Fraction

    from emulator.clients.session import Session

_NO_INTEGER: Final = "ERR {} is not an integer or out of range"
_NO_FLOAT: Final = "ERR {} is not a valid float"


def _increment(text: bytes) -> LongDouble:
    number = _long_double(text, _NO_FLOAT.format("Increment"))
    if isinstance(number, float):
        raise CommandError("ERR BYFLOAT increment cannot be Infinity")
    return number


_OPTIONS: Final[Options] = {
    **dict.fromkeys((*TIME_UNITS, b"LBOUND", b"UBOUND"), TEXT),
    **dict.fromkeys((b"SATURATE", b"PERSIST", b"ENX"), FLAG),
    b"BYINT": (1, lambda text: integer(text, _NO_INTEGER.format("Increment"))),
    b"BYFLOAT": (1, _increment),
}
_EXPIRIES: Final = (*TIME_UNITS, b"PERSIST")
_RULES: Final = {
    **once(b"BYINT", b"BYFLOAT"),
    **once(*_EXPIRIES),
    **{word: Rule((word,), "") for word in (b"LBOUND", b"UBOUND", b"SATURATE")},
    b"ENX": Rule((b"ENX", b"PERSIST"), ""),
    b"PERSIST": Rule((*_EXPIRIES, b"ENX"), ""),
}


@command("string", since="8.8.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def increx(client: Session, key: bytes, *options: bytes) -> list[Reply]:
    """Adds to the number at a key within bounds and sets its expiry; returns the sum and what was added."""
    given = read_options(options, _OPTIONS, _RULES)
    by_float = b"BYFLOAT" in given
    least, most = _bounds(given, by_float)
    times = [option for option in TIME_UNITS if option in given]
    if b"ENX" in given and not times:
        raise CommandError("ERR ENX flag requires an expiration")
    moment = deadline(client, "increx", given[times[0]], *TIME_UNITS[times[0]]) if times else None
    entry, current = find_string(client, key)
    before = b"0" if entry is None else bytes(current)
    if by_float:
        after, added = _sum_of_floats(before, given, least, most)
    else:
        after, added = _sum_of_integers(before, given, least, most)
    if after is None:
        return [_told(client, before, by_float), _told(client, b"0", by_float)]
    if b"ENX" in given and entry is not None and entry.deadline is not None:
        moment = None
    if moment is not None and moment <= client.engine.clock.now:
        client.engine.stats.expired_keys += 1
        client.db.delete(key)
    else:
        _store(client, key, entry, Embedded(after) if by_float else after, by_float)
        _set_expiry(client, key, moment, b"PERSIST" in given)
    return [_told(client, after, by_float), _told(client, added, by_float)]


def _told(client: Session, text: bytes, by_float: bool) -> Reply:
    if not by_float:
        return int(text)
    return float(text) if client.protocol == 3 else text


def _bounds(given: Given, by_float: bool) -> tuple[Any, Any]:
    """Return the bounds: integers, or with BYFLOAT long doubles."""
    least, most = (
        (INT64_MIN, INT64_MAX) if not by_float else (LongDouble(-GREATEST.significand, GREATEST.exponent), GREATEST)
    )
    if b"LBOUND" in given:
        least = _bound(given, "LBOUND", by_float)
    if b"UBOUND" in given:
        most = _bound(given, "UBOUND", by_float)
    if _compared(least) > _compared(most):
        raise CommandError("ERR LBOUND can't be greater than UBOUND")
    return least, most


def _bound(given: Given, name: str, by_float: bool) -> Any:
    text: bytes = given[name.encode()]
    return _long_double(text, _NO_FLOAT.format(name)) if by_float else integer(text, _NO_INTEGER.format(name))


def _sum_of_integers(text: bytes, given: Given, least: int, most: int) -> tuple[bytes | None, bytes]:
    """Return the number after (None if it is out of bounds), and what is added."""
    before = integer(text)
    after = before + int(given.get(b"BYINT", 1))
    if not least <= after <= most:
        if b"SATURATE" not in given:
            return None, b"0"
        after = min(max(after, least), most)
    if not INT64_MIN <= after - before <= INT64_MAX:
        raise CommandError("ERR applied increment would overflow")
    return b"%d" % after, b"%d" % (after - before)


def _long_double(text: bytes, error: str) -> LongDouble | float:
    number = parse_long_double(text)
    if number is None:
        raise CommandError(error)
    return number


def _compared(number: LongDouble | float) -> Fraction | float:
    """Return an exact number, to compare."""
    from fractions import Fraction  # takes 3 ms to be imported

    return Fraction(number.significand) * Fraction(2) ** number.exponent if isinstance(number, LongDouble) else number


def _sum_of_floats(text: bytes, given: Given, least: Any, most: Any) -> tuple[bytes | None, bytes]:
    """Return the same for numbers of long double precision."""
    before, amount = _long_double(text, NOT_FLOAT), given[b"BYFLOAT"]
    if isinstance(before, float):
        raise CommandError("ERR value cannot be Infinity")
    after = add_long_doubles(before, amount)
    total = _compared(before) + _compared(amount)
    if after is None or not _compared(least) <= total <= _compared(most):
        if b"SATURATE" not in given:
            return None, b"0"
        after = add_long_doubles(least if total < _compared(least) else most, ZERO)
    opposite = LongDouble(-before.significand, before.exponent)
    added = None if after is None else add_long_doubles(_long_double(after, NOT_FLOAT), opposite)
    if after is None or added is None:
        raise CommandError("ERR applied increment would be Infinity")
    return after, added


def _store(client: Session, key: bytes, entry: Entry | None, value: bytes, by_float: bool) -> None:
    if entry is None:
        client.db.insert(key, value)
    else:
        entry.value = value
    client.db.changed(key, STRING, b"incrbyfloat" if by_float else b"incrby")


def _set_expiry(client: Session, key: bytes, moment: int | None, persists: bool) -> None:
    db = client.db
    entry = db.entries[key]
    if moment is not None:
        db.expire_at(entry, moment)
        db.changed(key, GENERIC, b"expire")
    elif persists and entry.deadline is not None:
        db.persist(entry)
        db.changed(key, GENERIC, b"persist")
