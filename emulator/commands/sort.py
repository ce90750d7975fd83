"""SORT: sorts a list, set or sorted set by its elements or by keys that they refer to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.options import FLAG, LIMIT, TEXT, last_given, read_options
from emulator.config.notifications import GENERIC, LIST
from emulator.datatypes.hash import Hash
from emulator.datatypes.list import List
from emulator.datatypes.quicklist import NONE_LARGE, fill_with
from emulator.datatypes.set import Set
from emulator.datatypes.slots import key_slot, pattern_slot
from emulator.datatypes.zset import ZSet
from emulator.protocol.errors import WRONGTYPE, CommandError
from emulator.protocol.numbers import parse_decimal, parse_double, read_c_double, read_double
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys, unknown
from emulator.table.registry import REGISTRY, command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.config.edition import Edition

_BY_NOTE = (
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key "
    "we sort"
)
_STORE_NOTE = (
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument "
    "array"
)


class _Options(NamedTuple):
    """The options of a call; `by` None sorts by the elements, a pattern without ``*`` leaves their order unchanged."""

    by: bytes | None
    offset: int
    most: int
    gets: list[bytes]
    descending: bool
    alpha: bool
    store: bytes | None
    leaves_order: bool


_OPTIONS: Final = {b"ASC": FLAG, b"DESC": FLAG, b"ALPHA": FLAG, b"LIMIT": LIMIT}


_NONE_GIVEN: Final = _Options(None, 0, -1, [], descending=False, alpha=False, store=None, leaves_order=False)


def _parse(client: Session, name: str, key: bytes, words: Sequence[bytes], may_store: bool) -> _Options:
    if not words:
        return _NONE_GIVEN
    orders: list[bytes] = []
    gets: list[bytes] = []
    may_read = client.user.unrestricted

    def check_user(option: str) -> None:
        """Raise unless the user may read every key, which a pattern could refer to."""
        nonlocal may_read
        may_read = may_read or client.user.reads_every_key(REGISTRY[name], (name.encode(), key, *words))
        if not may_read:
            raise CommandError(f"ERR {option} option of SORT denied due to insufficient ACL permissions.")

    def read_order(pattern: bytes) -> None:
        if b"*" in pattern:
            _check_slot(client, "BY", key, pattern)
            check_user("BY")
        orders.append(pattern)

    def read_get(pattern: bytes) -> None:
        if pattern != b"#" or client.engine.config.edition.precedes("8.0.0"):
            _check_slot(client, "GET", key, pattern)
        check_user("GET")
        gets.append(pattern)

    known = {**_OPTIONS, b"BY": (1, read_order), b"GET": (1, read_get)}
    if may_store:
        known[b"STORE"] = TEXT
    given = read_options(words, known)
    offset, most = given.get(b"LIMIT", (0, -1))
    return _Options(
        by=orders[-1] if orders else None,
        offset=offset,
        most=most,
        gets=gets,
        descending=last_given(given, (b"ASC", b"DESC")) == b"DESC",
        alpha=b"ALPHA" in given,
        store=given.get(b"STORE"),
        leaves_order=any(b"*" not in pattern for pattern in orders),
    )


def _check_slot(client: Session, option: str, key: bytes, pattern: bytes) -> None:
    """In cluster mode, raise unless all keys that a pattern stands for are in the slot of the key; before 7.4 always."""
    if client.engine.cluster is None:
        return
    denied = f"ERR {option} option of SORT denied in Cluster mode"
    if client.engine.config.edition.precedes("7.4.0"):
        raise CommandError(f"{denied}.")
    if pattern_slot(pattern) != key_slot(key):
        raise CommandError(f"{denied} when keys formed by the pattern may be in different slots.")


def _lookup(client: Session, pattern: bytes, element: bytes) -> bytes | None:
    """Look up a BY or GET pattern for an element: ``#`` is itself, ``key_*`` a string, ``key_*->field`` a field of a hash."""
    if pattern == b"#":
        return element
    star = pattern.find(b"*")
    if star < 0:
        return None
    arrow = pattern.find(b"->", star)
    field = pattern[arrow + 2 :] if 0 <= arrow < len(pattern) - 2 else None
    end = arrow if field is not None else len(pattern)
    value = client.db.lookup_read_any(pattern[:star] + element + pattern[star + 1 : end])
    if field is not None:
        return value.get(field, client.engine.clock.now) if isinstance(value, Hash) else None
    return bytes(value) if isinstance(value, bytes | bytearray) else None


def _number(text: bytes | None, read: Callable[[bytes], float | None]) -> float:
    if text is None:
        return 0.0
    number = read(text)
    if number is None:
        raise CommandError("ERR One or more scores can't be converted into double")
    return number


def _order(client: Session, elements: list[bytes], options: _Options) -> None:
    """Sort the elements by their texts or numbers; equal numbers are ordered by the elements' bytes.

    Elements that are returned, not stored, are collated; for the collation a zero byte ends a text.
    """
    texts: list[bytes | None] = list(elements)
    if options.by is not None:
        texts = [_lookup(client, options.by, element) for element in elements]
    weights: list[bytes] | list[float]
    if options.alpha:
        weights = [text or b"" for text in texts]
        if options.store is None:
            weights = [text.partition(b"\0")[0] for text in weights]
        decides = True
    else:
        read = _reader(client.engine.config.edition)
        weights = [
            float(text) if text is not None and len(text) < 19 and text.isdigit() else _number(text, read)
            for text in texts
        ]
        decides = len(set(weights)) == len(weights)
    pairs = sorted(
        zip(weights, elements, strict=True), key=itemgetter(0) if decides else None, reverse=options.descending
    )
    elements[:] = [element for _, element in pairs]


_EIGHT_KILOBYTES: Final = -2


def _reader(edition: Edition) -> Callable[[bytes], float | None]:
    """How weights are read: before 8.0 as C does it, but none that is too large or too small."""
    if edition.precedes("8.0.0"):
        return _read_in_range
    return parse_decimal if edition.is_valkey else read_double


def _read_in_range(text: bytes) -> float | None:
    text = text.partition(b"\0")[0]
    return None if parse_double(text.lstrip() or b"0") is None else read_c_double(text)


def _sorted(client: Session, key: bytes, options: _Options) -> list[bytes | None]:
    value = client.db.lookup_read_any(key)
    if value is not None and not isinstance(value, List | Set | ZSet):
        raise CommandError(WRONGTYPE)
    if isinstance(value, ZSet):
        client.db.reweigh(key)
        client.db.alter(key)
        value.unpack()  # Redis converts what it sorts, and it stays so
    kept = options.store is not None or client.engine.scripting.owns(client)
    if isinstance(value, Set) and options.leaves_order and kept:
        options = options._replace(by=None, alpha=True, leaves_order=False)  # a set has no order of its own
    elements: list[bytes] = [] if value is None else list(value)
    if options.leaves_order:
        if isinstance(value, List | ZSet) and options.descending:
            elements.reverse()
    else:
        _order(client, elements, options)
    start = max(options.offset, 0)
    elements = elements[start:] if options.most < 0 else elements[start : start + options.most]
    if not options.gets:
        return list(elements)
    return [_lookup(client, pattern, element) for element in elements for pattern in options.gets]


def _keys_of_sort(words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """Return the sorted key and the last key after STORE; the arguments of other options are skipped."""
    stored: list[tuple[bytes, str]] = []
    position = 2
    while position < len(words):
        option = words[position].upper()
        if option == b"STORE" and position + 1 < len(words):
            stored = [(words[position + 1], "OW update")]
        position += {b"LIMIT": 3, b"GET": 2, b"BY": 2, b"STORE": 2}.get(option, 1)
    return [(words[1], "RO access"), *stored]


@command(
    "generic",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("RO access", 1), unknown("RO access", _BY_NOTE), unknown("OW update", _STORE_NOTE)],
    key_finder=_keys_of_sort,
    acl="set sortedset list dangerous",
    complexity="O(N+M*log(M)) for N elements, M of them returned",
)
def sort(client: Session, key: bytes, *options: bytes) -> Reply:
    """Sorts the elements of a list, set or sorted set; returns or stores them."""
    parsed = _parse(client, "sort", key, options, may_store=True)
    result = _sorted(client, key, parsed)
    if parsed.store is None:
        return result
    return _store(client, parsed.store, [element or b"" for element in result])


def _as_list(client: Session, elements: list[bytes]) -> List:
    """A list of what is stored; before 7.4 a quicklist's nodes had 8 KB, whatever is configured."""
    config = client.engine.config
    stored = List.of(elements, config.list_max_listpack_size)
    is_old = stored.nodes is not None and config.edition.precedes("7.4.0")
    return List.of_quicklist(elements, fill_with(_EIGHT_KILOBYTES, NONE_LARGE)) if is_old else stored


def _store(client: Session, target: bytes, elements: list[bytes]) -> int:
    db = client.db
    if elements:
        db.put(target, _as_list(client, elements), LIST, b"sortstore")
        client.engine.dirty += len(elements) - 1  # each value is a change
    elif db.peek_entry(target) is not None:
        db.discard(target)
        db.gone(target, GENERIC, b"del")
    return len(elements)


@command(
    "generic",
    since="7.0.0",
    flags="readonly",
    keys=[keys("RO access", 1), unknown("RO access", _BY_NOTE)],
    acl="set sortedset list dangerous",
    complexity="O(N+M*log(M)) for N elements, M of them returned",
)
def sort_ro(client: Session, key: bytes, *options: bytes) -> list[bytes | None]:
    """Sorts the elements of a list, set or sorted set and returns them."""
    parsed = _parse(client, "sort_ro", key, options, may_store=False)
    return _sorted(client, key, parsed)
