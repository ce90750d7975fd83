"""BITFIELD: integers of any width up to 64 bits, anywhere in a string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import integer
from emulator.commands.bitmap import BAD_OFFSET, bit_offset
from emulator.commands.string import find_string, in_place, read_string
from emulator.config.notifications import STRING
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MAX, UINT64_MAX, parse_integer
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_BAD_TYPE: Final = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."


class _Step(NamedTuple):
    """One operation: ``value`` is what SET and INCRBY take, ``overflow`` what an INCRBY or SET that does not fit does."""

    operation: bytes
    signed: bool
    bits: int
    offset: int
    value: int
    overflow: bytes

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest number that fit."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1

    def read(self, text: bytes | bytearray) -> int:
        """The number that is there; beyond the end there are zeros."""
        first, last = self.offset >> 3, (self.offset + self.bits + 7) >> 3
        window = int.from_bytes(text[first:last].ljust(last - first, b"\0"))
        number = window >> (8 * last - self.offset - self.bits) & ((1 << self.bits) - 1)
        return self.wrapped(number)

    def write(self, text: bytearray, number: int) -> None:
        """Put a number there; the string is long enough."""
        first, last = self.offset >> 3, (self.offset + self.bits + 7) >> 3
        shift = 8 * last - self.offset - self.bits
        mask = ((1 << self.bits) - 1) << shift
        window = int.from_bytes(text[first:last]) & ~mask | number << shift & mask
        text[first:last] = window.to_bytes(last - first)

    def wrapped(self, number: int) -> int:
        """A number modulo the width, with the sign that it has then."""
        number &= (1 << self.bits) - 1
        return number - (1 << self.bits) if self.signed and number >> (self.bits - 1) else number

    def wanted(self, old: int) -> int:
        """What is to be stored: the sum for INCRBY; SET takes a negative number for a large unsigned one."""
        if self.operation == b"INCRBY":
            return old + self.value
        return self.value if self.signed else self.value & UINT64_MAX

    def fitting(self, number: int) -> int | None:
        """What is stored for a number: itself where it fits, else as ``overflow`` says; None for nothing."""
        least, most = self.limits
        if least <= number <= most:
            return number
        if self.overflow == b"FAIL":
            return None
        if self.overflow == b"SAT":
            # Far below, the room that a SET leaves up to the greatest number overflows 64 bits in Redis's check.
            too_far = self.operation == b"SET" and most - number > INT64_MAX
            return most if number > most or too_far else least
        return self.wrapped(number)


def _type(text: bytes) -> tuple[bool, int]:
    signed, bits = text[:1] == b"i", parse_integer(text[1:])
    if text[:1] not in (b"i", b"u") or bits is None or not 1 <= bits <= (64 if signed else 63):
        raise CommandError(_BAD_TYPE)
    return signed, bits


def _offset(client: Session, text: bytes, bits: int) -> int:
    if text[:1] != b"#":
        return bit_offset(client, text)
    number = parse_integer(text[1:])
    if number is None:
        raise CommandError(BAD_OFFSET)
    return bit_offset(client, b"%d" % (number * bits))


def _steps(client: Session, words: Sequence[bytes]) -> list[_Step]:
    """The operations in the words, which are no options: their order counts, and each may come again."""
    steps: list[_Step] = []
    overflow = b"WRAP"
    place = 0
    while place < len(words):
        operation, left = words[place].upper(), len(words) - place - 1
        if operation == b"OVERFLOW" and left >= 1:
            overflow = words[place + 1].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise CommandError("ERR Invalid OVERFLOW type specified")
            place += 2
            continue
        needed = {b"GET": 2, b"SET": 3, b"INCRBY": 3}.get(operation)
        if needed is None or left < needed:
            raise CommandError(SYNTAX)
        signed, bits = _type(words[place + 1])
        offset = _offset(client, words[place + 2], bits)
        value = integer(words[place + 3]) if needed == 3 else 0
        steps.append(_Step(operation, signed, bits, offset, value, overflow))
        place += needed + 1
    return steps


def _key_of_bitfield(words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """BITFIELD only reads where there is nothing but GET; what is not well formed counts as writing."""
    place = 2
    while place < len(words):
        operation, left = words[place].upper(), len(words) - place - 1
        if operation == b"GET" and left >= 2:
            place += 3
        elif operation == b"OVERFLOW" and left >= 1:
            place += 2
        else:
            return [(words[1], "RW access update")]
    return [(words[1], "RO access")]


@command(
    "bitmap",
    since="3.2.0",
    flags="write denyoom",
    keys=[
        keys("RW access update variable_flags", 1, notes="This command allows both access and modification of the key")
    ],
    key_finder=_key_of_bitfield,
    complexity="O(1) for each operation",
)
def bitfield(client: Session, key: bytes, *operations: bytes) -> list[int | None]:
    """Reads, sets and increments integers in a string; returns null for one that does not fit under OVERFLOW FAIL."""
    steps = _steps(client, operations)
    writing = [step for step in steps if step.operation != b"GET"]
    if not writing:
        text = read_string(client, key)
        return [step.read(text) for step in steps]
    entry, before = find_string(client, key)
    size = len(before)
    editable = in_place(client, key, entry, max((step.offset + step.bits + 7) >> 3 for step in writing))
    grown = len(editable) > size
    changes = 0
    answers: list[int | None] = []
    for step in steps:
        old = step.read(editable)
        if step.operation == b"GET":
            answers.append(old)
            continue
        new = step.fitting(step.wanted(old))
        if new is None:
            answers.append(None)
            continue
        answers.append(new if step.operation == b"INCRBY" else old)
        if new != old or grown:
            step.write(editable, new)
            changes += 1
    if changes:
        client.db.changed(key, STRING, b"setbit", changes)
    elif grown:
        client.db.touch(key)  # zeros were added although no number fitted: no event tells of it
    return answers


@command(
    "bitmap",
    since="6.0.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    complexity="O(1) for each operation",
)
def bitfield_ro(client: Session, key: bytes, *operations: bytes) -> list[int]:
    """Reads integers in a string."""
    steps = _steps(client, operations)
    if any(step.operation != b"GET" for step in steps):
        raise CommandError("ERR BITFIELD_RO only supports the GET subcommand")
    text = read_string(client, key)
    return [step.read(text) for step in steps]
