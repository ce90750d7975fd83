"""INCREX (Redis 8.8): a counter within bounds, with an expiry; by the documentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from emulator.commands.arguments import TIME_UNITS, deadline, integer
from emulator.commands.options import FLAG, TEXT, Given, Options, once, read_options, rivals
from emulator.commands.string import find_string
from emulator.config.notifications import GENERIC, STRING
from emulator.datatypes.string import Embedded
from emulator.keyspace.entry import Entry
from emulator.protocol.errors import NOT_FLOAT, NOT_INTEGER, SYNTAX, CommandError
from emulator.protocol.long_double import add_long_doubles, parse_long_double
from emulator.protocol.numbers import INT64_MAX, INT64_MIN, parse_integer
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_OPTIONS: Final[Options] = {
    **dict.fromkeys((*TIME_UNITS, b"BYINT", b"BYFLOAT", b"LBOUND", b"UBOUND"), TEXT),
    **dict.fromkeys((b"SATURATE", b"PERSIST", b"ENX"), FLAG),
}
_RULES: Final = rivals(b"BYINT", b"BYFLOAT") | rivals(*TIME_UNITS, b"PERSIST") | once(b"LBOUND") | once(b"UBOUND")
_INVERTED: Final = "ERR LBOUND must be less than or equal to UBOUND"
_OVERFLOW: Final = "ERR increment or decrement would overflow"


@command("string", since="8.8.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def increx(client: Session, key: bytes, *options: bytes) -> list[Reply]:
    """Adds to the number at a key within bounds and sets its expiry; returns the sum and what was added."""
    given = read_options(options, _OPTIONS, _RULES)
    times = [option for option in TIME_UNITS if option in given]
    if b"ENX" in given and not times:
        raise CommandError(SYNTAX)
    moment = deadline(client, "increx", given[times[0]], *TIME_UNITS[times[0]]) if times else None
    entry, current = find_string(client, key)
    count = _floats if b"BYFLOAT" in given else _integers
    before, after, added = count(b"0" if entry is None else bytes(current), given)
    if after is None:
        return [_told(client, before, given), _told(client, b"0", given)]
    _store(client, key, entry, Embedded(after) if b"BYFLOAT" in given else after, given)
    _set_expiry(client, key, moment, given)
    return [_told(client, after, given), _told(client, added, given)]


def _told(client: Session, text: bytes, given: Given) -> Reply:
    if b"BYFLOAT" not in given:
        return int(text)
    return float(text) if client.protocol == 3 else text


def _integers(text: bytes, given: Given) -> tuple[bytes, bytes | None, bytes]:
    """Return the number before, the number after (None if it is out of bounds), and what is added."""
    before = parse_integer(text)
    if before is None:
        raise CommandError(NOT_INTEGER)
    amount = integer(given.get(b"BYINT", b"1"))
    least, most = integer(given.get(b"LBOUND", b"%d" % INT64_MIN)), integer(given.get(b"UBOUND", b"%d" % INT64_MAX))
    if least > most:
        raise CommandError(_INVERTED)
    after = before + amount
    if not least <= after <= most:
        if b"SATURATE" not in given:
            return text, None, b"0"
        after = min(max(after, least), most)
    if not INT64_MIN <= after - before <= INT64_MAX:
        raise CommandError(_OVERFLOW)
    return text, b"%d" % after, b"%d" % (after - before)


def _long_double(text: bytes) -> Any:
    number = parse_long_double(text)
    if number is None:
        raise CommandError(NOT_FLOAT)
    return number


def _floats(text: bytes, given: Given) -> tuple[bytes, bytes | None, bytes]:
    """Return the same for numbers of long double precision; bounds are compared in double precision."""
    before, amount = _long_double(text), _long_double(given[b"BYFLOAT"])
    bounds: dict[bytes, bytes] = {option: given[option] for option in (b"LBOUND", b"UBOUND") if option in given}
    limits = {option: float(_long_double(bound)) for option, bound in bounds.items()}
    if len(limits) == 2 and limits[b"LBOUND"] > limits[b"UBOUND"]:
        raise CommandError(_INVERTED)
    after = add_long_doubles(before, amount)
    if after is None:
        raise CommandError("ERR increment would produce NaN or Infinity")
    broken = _broken(float(after), limits)
    if broken:
        if b"SATURATE" not in given:
            return text, None, b"0"
        after = add_long_doubles(_long_double(bounds[broken]), _long_double(b"0")) or after
    opposite = text[1:] if text.startswith(b"-") else b"-" + text.lstrip(b"+")
    return text, after, add_long_doubles(_long_double(after), _long_double(opposite)) or b"0"


def _broken(number: float, limits: dict[bytes, float]) -> bytes:
    beyond: dict[bytes, Callable[[float], bool]] = {b"LBOUND": number.__lt__, b"UBOUND": number.__gt__}
    return next((option for option, limit in limits.items() if beyond[option](limit)), b"")


def _store(client: Session, key: bytes, entry: Entry | None, value: bytes, given: Given) -> None:
    if entry is None:
        client.db.insert(key, value)
    else:
        entry.value = value
    client.db.changed(key, STRING, b"incrbyfloat" if b"BYFLOAT" in given else b"incrby")


def _set_expiry(client: Session, key: bytes, moment: int | None, given: Given) -> None:
    db = client.db
    entry = db.entries[key]
    if moment is None:
        if b"PERSIST" in given and entry.deadline is not None:
            db.persist(entry)
            db.changed(key, GENERIC, b"persist")
    elif b"ENX" not in given or entry.deadline is None:
        if moment <= client.engine.clock.now:
            db.delete(key)
            return
        db.expire_at(entry, moment)
        db.changed(key, GENERIC, b"expire")
