"""HyperLogLog: strings that count different elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.keyspec import keys
from emulator.commands.registry import command
from emulator.commands.string import find_string, in_place, read_string
from emulator.datatypes import hyperloglog
from emulator.datatypes.hyperloglog import DENSE, SPARSE, Corrupted
from emulator.notifications import STRING
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import OK, Reply, Status

if TYPE_CHECKING:
    from emulator.session import Session

_CORRUPTED: Final = "INVALIDOBJ Corrupted HLL object detected"


def _checked(text: bytes | bytearray) -> bytes | bytearray:
    if not hyperloglog.is_sketch(text):
        raise CommandError("WRONGTYPE Key is not a valid HyperLogLog string value.")
    return text


def _edit(client: Session, key: bytes) -> tuple[bytearray, bool]:
    """The sketch at a key as one that can be edited, and whether it had to be created."""
    entry, text = find_string(client, key)
    if entry is not None:
        _checked(text)
        return in_place(client, key, entry, 0), False
    sketch = hyperloglog.new()
    client.db.insert(key, sketch)
    return sketch, True


def _sketches(client: Session, names: Sequence[bytes]) -> list[bytes | bytearray]:
    """The sketches of those keys that exist."""
    texts = [None if client.db.find(name) is None else _checked(read_string(client, name)) for name in names]
    return [text for text in texts if text is not None]


def _registers(text: bytes | bytearray) -> bytes:
    try:
        return hyperloglog.registers(text)
    except Corrupted:
        raise CommandError(_CORRUPTED) from None


@command(
    "hyperloglog",
    since="2.8.9",
    flags="write denyoom fast",
    keys=[keys("RW insert", 1)],
    complexity="O(1) an element",
)
def pfadd(client: Session, key: bytes, *element: bytes) -> int:
    """Count elements; 1 where the estimate has changed or the key is new."""
    sketch, new = _edit(client, key)
    limit = client.engine.config.hll_sparse_max_bytes
    try:
        changes = sum([hyperloglog.add(sketch, word, limit) for word in element])
    except Corrupted:
        raise CommandError(_CORRUPTED) from None
    if changes or new:
        hyperloglog.invalidate(sketch)
        client.db.changed(key, STRING, b"pfadd", changes + new)
        return 1
    return 0


@command(
    "hyperloglog",
    since="2.8.9",
    flags="readonly",
    keys=[
        keys(
            "RW access",
            1,
            -1,
            notes="RW because it may change the internal representation of the key, and propagate to replicas",
        )
    ],
    complexity="O(1), with several keys O(N)",
)
def pfcount(client: Session, key: bytes, *more: bytes) -> int:
    """About how many different elements were counted, under several keys together."""
    if more:
        merged = [_registers(text) for text in _sketches(client, (key, *more))]
        return hyperloglog.estimate(hyperloglog.largest(merged)) if merged else 0
    text = read_string(client, key)
    entry = client.db.find(key)
    if entry is None:
        return 0
    count = hyperloglog.cached_count(_checked(text))
    if count is None:
        count = hyperloglog.estimate(_registers(text))
        hyperloglog.cache_count(in_place(client, key, entry, 0), count)
        client.engine.dirty += 1
        client.db.touch(key)
    return count


@command(
    "hyperloglog",
    since="2.8.9",
    flags="write denyoom",
    keys=[keys("RW access insert", 1), keys("RO access", 2, -1)],
    complexity="O(N) for N keys",
)
def pfmerge(client: Session, destkey: bytes, *sourcekey: bytes) -> Status:
    """Count under a key what was counted under others as well."""
    texts = _sketches(client, (destkey, *sourcekey))
    merged = [_registers(text) for text in texts]
    dense = any(text[4] == DENSE for text in texts)
    target, _ = _edit(client, destkey)
    if merged:
        limit = client.engine.config.hll_sparse_max_bytes
        hyperloglog.merge(target, hyperloglog.largest(merged), dense, limit)
    hyperloglog.invalidate(target)
    client.db.changed(destkey, STRING, b"pfadd")
    return OK


# For tests of the server


@command("hyperloglog", since="2.8.9", flags="write denyoom admin", keys=[keys("RW access", 2)], complexity="O(N)")
def pfdebug(client: Session, subcommand: bytes, key: bytes) -> Reply:
    """Look into a sketch: its registers, its runs, its encoding."""
    name = subcommand.upper()
    if name == b"SIMD":
        return _simd(key)
    entry, text = find_string(client, key)
    if entry is None:
        raise CommandError("ERR The specified key does not exist")
    _checked(text)
    if name == b"ENCODING":
        return Status(b"dense" if text[4] == DENSE else b"sparse")
    if name == b"DECODE":
        return _decoded(text)
    if name not in (b"GETREG", b"TODENSE"):
        raise CommandError(f"ERR Unknown PFDEBUG subcommand '{as_text(subcommand)}'")
    sketch = in_place(client, key, entry, 0)
    try:
        converted = hyperloglog.to_dense(sketch)
    except Corrupted:
        raise CommandError(_CORRUPTED) from None
    if converted:
        client.db.amended(key)
    return int(converted) if name == b"TODENSE" else list(hyperloglog.registers(sketch))


def _simd(switch: bytes) -> Status:
    """There is nothing to switch; only the answer is Redis's."""
    state = {b"ON": Status(b"enabled"), b"OFF": Status(b"disabled")}.get(switch.upper())
    if state is None:
        raise CommandError("ERR Argument must be ON or OFF")
    return state


def _decoded(text: bytes | bytearray) -> bytes:
    if text[4] != SPARSE:
        raise CommandError("ERR HLL encoding is not sparse")
    return " ".join(_run_texts(text)).encode()


def _run_texts(text: bytes | bytearray) -> Sequence[str]:
    """The runs as PFDEBUG tells them: ``z`` and ``Z`` for zeros in one byte and in two, ``v`` for values."""
    found = []
    place = hyperloglog.HEADER_SIZE
    for value, count in hyperloglog.runs(text):
        long = text[place] >> 6 == 1
        found.append(f"v:{value},{count}" if value else f"{'Z' if long else 'z'}:{count}")
        place += 2 if long else 1
    return found


@command("hyperloglog", since="2.8.9", flags="admin", complexity="O(N)")
def pfselftest(client: Session) -> Status:
    """Whether counting works: registers in both forms, and the error of the estimate."""
    sparse, dense = hyperloglog.new(), hyperloglog.new()
    hyperloglog.to_dense(dense)
    for number in range(1, _TESTED + 1):
        for sketch in (sparse, dense):
            hyperloglog.add(sketch, b"%d" % number, 3000)
        if number & (number - 1) == 0 or number == _TESTED:
            values = hyperloglog.registers(sparse)
            if values != hyperloglog.registers(dense):
                raise CommandError("TESTFAILED dense/sparse disagree")
            if abs(hyperloglog.estimate(values) - number) > max(10.0, 6 * 1.04 / 128 * number):
                raise CommandError("TESTFAILED Too big error")
    return OK


_TESTED: Final = 10_000
