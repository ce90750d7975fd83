"""Vector sets: the commands of Redis's module of that name.  VSIM is in `vectorset_search`.

The module checks arity itself and sends no keyspace events; a key that it opens for writing counts as changed for WATCH.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from emulator.commands.arguments import bounded, double, integer, wrong_arity
from emulator.commands.options import FLAG, TEXT, Options, at_least, last_given, read_options
from emulator.commands.zset_range import lex_range
from emulator.datatypes.vector_math import BYTES, FULL, SIGNS, Storage, single
from emulator.datatypes.vectorset import Element, VectorSet
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import NULL_ARRAY, Reply, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_INVALID_VECTOR: Final = "ERR invalid vector specification"
_INVALID_OPTION: Final = "ERR invalid option after element"
MISMATCH: Final = "ERR Vector dimension mismatch - got {} but set has {}"
PROJECTION: Final = "ERR Input dimension mismatch for projection - got {} but projection expects {}"
EFFORT: Final = at_least(1, "ERR invalid EF", most=1_000_000)
_STORAGES: Final = {b"NOQUANT": FULL, b"Q8": BYTES, b"BIN": SIGNS}

Function = TypeVar("Function", bound=Callable[..., Reply])


def vector_command(name: str, flags: str, since: str = "8.0.0") -> Callable[[Function], Function]:
    """Register a command of the module; the key is its first argument."""
    return command(
        "module",
        name=name,
        module="vectorset",
        since=since,
        flags=f"{flags} module",
        keys=[keys("RW access update", 1)],
    )


def _open(client: Session, key: bytes) -> VectorSet | None:
    """Return the vector set for writing; watchers of the key are notified in any case."""
    if client.db.has_listeners:
        client.db.touch(key)
    return client.db.lookup_write(key, VectorSet)


def _find(client: Session, key: bytes, name: bytes) -> tuple[VectorSet, Element] | None:
    """Return a vector set and one of its elements, for reading; None if either is missing."""
    found = client.db.lookup_read(key, VectorSet)
    element = found.elements.get(name) if found is not None else None
    return (found, element) if found is not None and element is not None else None


def read_vector(kind: bytes, words: Iterator[bytes]) -> Sequence[float]:
    """Read the vector after the word `kind`: ``FP32 blob`` or ``VALUES dimension component ...``."""
    given = next(words, b"")
    if kind == b"FP32" and given and not len(given) % 4:
        return array("f", given)
    if kind != b"VALUES":
        raise CommandError(_INVALID_VECTOR)
    dimension = bounded(given, 1, INT64_MAX, _INVALID_VECTOR)
    texts = list(islice(words, dimension))
    if len(texts) < dimension:
        raise CommandError(_INVALID_VECTOR)
    return [double(text, _INVALID_VECTOR) for text in texts]


# Adding and removing


class _Addition(NamedTuple):
    """The arguments of VADD."""

    vector: Sequence[float]
    reduced: int
    name: bytes
    storage: Storage
    links: int
    attribute: bytes | None


_ADD_OPTIONS: Final[Options] = {
    **dict.fromkeys(_STORAGES, FLAG),
    b"CAS": FLAG,
    b"EF": EFFORT,
    b"M": at_least(4, "ERR invalid M", most=4096),
    b"SETATTR": TEXT,
}


_MOST_REDUCED: Final = 1 << 20
_MOST_PRODUCTS: Final = 1 << 30
"""The dimensions and the products of a projection: seconds, in which the real server is held up as well."""


def _addition(arguments: Sequence[bytes]) -> _Addition:
    """Read ``[REDUCE dimension] vector name [option ...]``."""
    words = iter(arguments)
    reduced, kind = 0, next(words).upper()
    if kind == b"REDUCE":
        reduced, kind = bounded(next(words), 1, INT64_MAX, _INVALID_VECTOR), next(words).upper()
    vector = read_vector(kind, words)
    name = next(words, None)
    if name is None:
        raise wrong_arity("VADD")
    if reduced > _MOST_REDUCED or reduced * len(vector) > _MOST_PRODUCTS:
        raise CommandError(
            "ERR this server does not project vectors to so many dimensions, which would hold up the others"
        )
    given = read_options(list(words), _ADD_OPTIONS, error=_INVALID_OPTION)
    storage = _STORAGES.get(last_given(given, _STORAGES), BYTES)
    return _Addition(vector, reduced, name, storage, given.get(b"M", 16), given.get(b"SETATTR"))


def _check_fit(target: VectorSet, new: _Addition) -> None:
    """Raise if the new element does not fit the set's parameters."""
    if new.storage is not target.storage:
        raise CommandError("ERR asked quantization mismatch with existing vector set")
    if new.links != target.links:
        raise CommandError("ERR asked M value mismatch with existing vector set")
    size = len(new.vector)
    if target.projected_from:
        if new.reduced != target.dimension:
            raise CommandError(MISMATCH.format(size, target.dimension))
        if size != target.projected_from:
            raise CommandError(PROJECTION.format(size, target.projected_from))
    elif size != target.dimension:
        raise CommandError(MISMATCH.format(size, target.dimension))
    elif new.reduced:
        raise CommandError("ERR cannot add projection to existing set without projection")


@vector_command("VADD", "write denyoom")
def vadd(client: Session, *arguments: bytes) -> bool:
    """Adds an element with its vector, or replaces its vector; returns whether it is new."""
    if len(arguments) < 4:
        raise wrong_arity("VADD")
    key, db = arguments[0], client.db
    new = _addition(arguments[1:])
    target = _open(client, key)
    if target is None:
        size = len(new.vector)
        target = VectorSet(new.reduced or size, new.storage, new.links, size if new.reduced else 0)
        db.insert(key, target)
    else:
        _check_fit(target, new)
    added = target.add(new.name, new.vector, client.engine.random)
    if new.attribute is not None:
        target.set_attribute(target.elements[new.name], new.attribute if added else new.attribute or None)
    db.changed(key, 0, b"", int(added))
    return added


@vector_command("VREM", "write")
def vrem(client: Session, *arguments: bytes) -> bool:
    """Removes an element; returns whether it existed."""
    if len(arguments) != 2:
        raise wrong_arity("VREM")
    key, name = arguments
    target = _open(client, key)
    if target is None or not target.remove(name):
        return False
    client.db.changed(key, 0, b"")
    if not target:
        client.db.discard(key)
    return True


@vector_command("VSETATTR", "write fast")
def vsetattr(client: Session, *arguments: bytes) -> bool:
    """Sets the attributes of an element, or removes them if the text is empty; returns whether the element exists."""
    if len(arguments) != 3:
        raise wrong_arity("VSETATTR")
    key, name, attribute = arguments
    target = _open(client, key)
    element = target.elements.get(name) if target is not None else None
    if target is None or element is None:
        return False
    target.set_attribute(element, attribute or None)
    client.db.changed(key, 0, b"")
    return True


# Reading elements


@vector_command("VGETATTR", "readonly fast")
def vgetattr(client: Session, *arguments: bytes) -> bytes | None:
    """Returns the attributes of an element, or null if it has none."""
    if len(arguments) != 2:
        raise wrong_arity("VGETATTR")
    found = _find(client, *arguments)
    return found[1].attribute if found else None


@vector_command("VISMEMBER", "readonly")
def vismember(client: Session, *arguments: bytes) -> bool:
    """Returns whether an element is in the set."""
    if len(arguments) != 2:
        raise wrong_arity("VISMEMBER")
    return _find(client, *arguments) is not None


@vector_command("VEMB", "readonly fast")
def vemb(client: Session, *arguments: bytes) -> Reply:
    """Returns the vector of an element; with RAW, as it is stored: form, codes, norm and for int8 the range."""
    if len(arguments) < 2:
        raise wrong_arity("VEMB")
    key, name, *options = arguments
    if any(option.upper() != b"RAW" for option in options):
        raise CommandError("ERR invalid option")
    found = _find(client, key, name)
    if found is None:
        return None
    target, element = found
    if not options:
        return target.values(element)
    raw: list[Reply] = [Status(target.storage.name), target.blob(element), element.vector.norm]
    return [*raw, element.vector.spread] if target.storage is BYTES else raw


@vector_command("VLINKS", "readonly fast")
def vlinks(client: Session, *arguments: bytes) -> list[Reply] | None:
    """Returns the elements linked to an element, from its highest level down; with WITHSCORES their similarity."""
    if not 2 <= len(arguments) <= 3 or (len(arguments) == 3 and arguments[2].upper() != b"WITHSCORES"):
        raise wrong_arity("VLINKS")
    found = _find(client, *arguments[:2])
    if found is None:
        return None
    levels = found[0].neighbours(found[1])
    if len(arguments) == 2:
        return [[other.name for _, other in level] for level in levels]
    return [{other.name: single(1 - single(distance / 2)) for distance, other in level} for level in levels]


@vector_command("VRANDMEMBER", "readonly")
def vrandmember(client: Session, *arguments: bytes) -> Reply:
    """Returns a random element, or several: different ones for a positive count, repeatable ones for a negative."""
    if not 1 <= len(arguments) <= 2:
        raise wrong_arity("VRANDMEMBER")
    random = client.engine.random
    if len(arguments) == 1:
        found = client.db.lookup_read(arguments[0], VectorSet)
        return None if found is None else found.choose(random)
    count = integer(arguments[1], "ERR COUNT value is not an integer")
    found = client.db.lookup_read(arguments[0], VectorSet) if count else None
    return [] if found is None else found.pick(random, client.producible(count))


@vector_command("VRANGE", "readonly", since="8.4.0")
def vrange(client: Session, key: bytes, start: bytes, end: bytes, *count: bytes) -> list[bytes]:
    """Returns the elements between two names in lexical order: all of them, or with a count from 0 on at most so many."""
    if len(count) > 1:
        raise wrong_arity("VRANGE")
    most = integer(count[0], "ERR invalid COUNT value") if count else -1
    if start == b"+" or end == b"-":
        raise CommandError("ERR '-' can only be used as first argument, '+' only as second")
    _check_end(start, b"-", "start")
    _check_end(end, b"+", "end")
    found = client.db.lookup_read(key, VectorSet)
    wanted = lex_range(start, end)
    if found is None or wanted.empty:
        return []
    names = (name for name in found.elements if not wanted.starts_after(name) and not wanted.ends_before(name))
    return sorted(names) if most < 0 else nsmallest(most, names)


def _check_end(text: bytes, open_end: bytes, which: str) -> None:
    if text != open_end and (len(text) < 2 or text[:1] not in (b"[", b"(")):
        raise CommandError(f"ERR invalid {which} range format")


# Reading properties


@vector_command("VCARD", "readonly fast")
def vcard(client: Session, *arguments: bytes) -> int:
    """Returns the number of elements, 0 if there is no set."""
    if len(arguments) != 1:
        raise wrong_arity("VCARD")
    return len(client.db.lookup_read(arguments[0], VectorSet) or ())


@vector_command("VDIM", "readonly fast")
def vdim(client: Session, *arguments: bytes) -> int:
    """Returns the dimension of the stored vectors."""
    if len(arguments) != 1:
        raise wrong_arity("VDIM")
    found = client.db.lookup_read(arguments[0], VectorSet)
    if found is None:
        raise CommandError("ERR key does not exist")
    return found.dimension


def _uid(client: Session, found: VectorSet) -> int:
    if not found.uid:
        found.uid = next(client.engine.vector_uids)
    return found.uid


@vector_command("VINFO", "readonly fast")
def vinfo(client: Session, *arguments: bytes) -> Reply:
    """Returns facts about a vector set: how it stores vectors, and how many."""
    if len(arguments) != 1:
        raise wrong_arity("VINFO")
    found = client.db.lookup_read(arguments[0], VectorSet)
    if found is None:
        return NULL_ARRAY
    return {
        Status(b"quant-type"): Status(found.storage.name),
        Status(b"hnsw-m"): found.links,
        Status(b"vector-dim"): found.dimension,
        Status(b"projection-input-dim"): found.projected_from,
        Status(b"size"): len(found),
        Status(b"max-level"): found.max_level,
        Status(b"attributes-count"): found.attributes,
        Status(b"vset-uid"): _uid(client, found),
        Status(b"hnsw-max-node-uid"): found.last_uid,
    }
