"""HyperLogLog: strings that count different elements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.string import find_string, in_place
from emulator.config.notifications import STRING
from emulator.datatypes import hyperloglog
from emulator.datatypes.hyperloglog import DENSE, SPARSE, Corrupted
from emulator.datatypes.string import STRINGS
from emulator.protocol.errors import WRONGTYPE, CommandError, as_text
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_CORRUPTED: Final = "INVALIDOBJ Corrupted HLL object detected"


def _checked(value: object) -> bytes | bytearray:
    """Return the value as a sketch; raise if it is none."""
    if not isinstance(value, STRINGS):
        raise CommandError(WRONGTYPE)
    if not hyperloglog.is_sketch(value):
        raise CommandError("WRONGTYPE Key is not a valid HyperLogLog string value.")
    return value


def _edit(client: Session, key: bytes) -> tuple[bytearray, bool]:
    """Return the sketch at a key for writing, and whether it was created."""
    entry, text = find_string(client, key)
    if entry is not None:
        _checked(text)
        return in_place(client, key, entry, text, 0), False
    sketch = hyperloglog.new()
    client.db.insert(key, sketch)
    return sketch, True


def _merged(client: Session, names: Sequence[bytes]) -> tuple[bytes, bool]:
    """The registers of the sketches at those keys that exist, and whether one of these is dense."""
    values = client.db.lookup_read_all(names)
    return _registers(_checked(value) for value in values if value is not None)


def _registers(sketches: Iterable[bytes | bytearray]) -> tuple[bytes, bool]:
    try:
        return hyperloglog.merged(sketches)
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
    """Adds elements to a HyperLogLog; returns 1 if the estimate changed or the key is new."""
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
    flags="may_replicate readonly",
    keys=[
        keys(
            "RW access",
            1,
            -1,
            notes="RW because it may change the internal representation of the key, and propagate to replicas",
        )
    ],
    complexity="O(1) a key",
)
def pfcount(client: Session, key: bytes, *more: bytes) -> int:
    """Returns the estimated number of different elements in one or several HyperLogLogs."""
    if more:
        return hyperloglog.estimate(_merged(client, (key, *more))[0])
    value = client.db.lookup_read_any(key)
    if value is None:
        return 0
    sketch = _checked(value)
    count = hyperloglog.cached_count(sketch)
    if count is None:
        count = hyperloglog.estimate(_registers([sketch])[0])
        client.db.alter(key)
        hyperloglog.cache_count(in_place(client, key, client.db.peek_entry(key), sketch, 0), count)
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
    """Merges HyperLogLogs into one."""
    merged, dense = _merged(client, (destkey, *sourcekey))
    target, _ = _edit(client, destkey)
    hyperloglog.merge(target, merged, dense, client.engine.config.hll_sparse_max_bytes)
    client.db.changed(destkey, STRING, b"pfadd")
    return OK


# For tests of the server


@command("hyperloglog", since="2.8.9", flags="write denyoom admin", keys=[keys("RW access", 2)], complexity="O(N)")
def pfdebug(client: Session, subcommand: bytes, key: bytes) -> Reply:
    """Returns internals of a HyperLogLog: its registers, its runs or its encoding."""
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
    sketch = in_place(client, key, entry, text, 0)
    try:
        converted = hyperloglog.to_dense(sketch)
    except Corrupted:
        raise CommandError(_CORRUPTED) from None
    if converted:
        client.db.changed_silently(key)
    return int(converted) if name == b"TODENSE" else list(hyperloglog.registers(sketch))


def _simd(switch: bytes) -> Status:
    """Accept the switch, which has no effect here."""
    state = {b"ON": Status(b"enabled"), b"OFF": Status(b"disabled")}.get(switch.upper())
    if state is None:
        raise CommandError("ERR Argument must be ON or OFF")
    return state


def _decoded(text: bytes | bytearray) -> bytes:
    """The runs: ``z`` and ``Z`` for zeros in one byte and in two, ``v`` for values."""
    if text[4] != SPARSE:
        raise CommandError("ERR HLL encoding is not sparse")
    try:
        runs = list(hyperloglog.runs(text))
    except Corrupted:
        raise CommandError(_CORRUPTED) from None
    return " ".join(
        [f"v:{value},{count}" if value else f"{'zZ'[size - 1]}:{count}" for size, value, count in runs]
    ).encode()


@command("hyperloglog", since="2.8.9", flags="admin", complexity="O(N)")
def pfselftest(client: Session) -> Status:
    """Tests the HyperLogLog implementation: registers in both encodings, and the error of the estimate."""
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
