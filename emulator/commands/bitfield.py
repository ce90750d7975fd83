"""BITFIELD: integers of any width up to 64 bits, anywhere in a string."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import integer
from emulator.commands.bitmap import BAD_OFFSET, bit_offset
from emulator.commands.string import find_string, in_place, read_string
from emulator.config.notifications import STRING
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MAX, UINT64_MAX, parse_integer, wrapped
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_BAD_TYPE: Final = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."


class _Step(NamedTuple):
    """One operation: ``value`` is the argument of SET and INCRBY, ``overflow`` their treatment of numbers that do not fit."""

    operation: bytes
    signed: bool
    bits: int
    offset: int
    value: int
    overflow: bytes

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest number that fit."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1

    def read(self, text: bytes | bytearray) -> int:
        """Return the number in a string; bits beyond the end are zero."""
        end = self.offset + self.bits
        first, last = self.offset >> 3, (end + 7) >> 3
        window = int.from_bytes(text[first:last].ljust(last - first, b"\0"))
        return self.wrapped(window >> (8 * last - end))

    def write(self, text: bytearray, number: int) -> None:
        """Write a number; the string must be long enough."""
        first, last = self.offset >> 3, (self.offset + self.bits + 7) >> 3
        shift = 8 * last - self.offset - self.bits
        mask = ((1 << self.bits) - 1) << shift
        window = int.from_bytes(text[first:last]) & ~mask | number << shift & mask
        text[first:last] = window.to_bytes(last - first)

    def wrapped(self, number: int) -> int:
        """Return a number modulo the width, with its resulting sign."""
        number &= (1 << self.bits) - 1
        return number - (1 << self.bits) if self.signed and number >> (self.bits - 1) else number

    def wanted(self, old: int) -> int:
        """Return the number to be stored, before overflow: INCRBY adds; SET reads negative numbers as large unsigned ones."""
        if self.operation == b"INCRBY":
            return old + self.value
        return self.value if self.signed else self.value & UINT64_MAX

    def fitting(self, number: int) -> int | None:
        """Return the number to be stored after overflow handling; None if nothing is stored."""
        least, most = self.limits
        if least <= number <= most:
            return number
        if self.overflow == b"FAIL":
            return None
        if self.overflow == b"SAT":
            # For numbers far below, Redis's check (maximum - number) overflows 64 bits, and SET saturates upwards.
            too_far = self.operation == b"SET" and most - number > INT64_MAX
            return most if number > most or too_far else least
        return self.wrapped(number)


@lru_cache(maxsize=128)  # all that there are, nearly
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
    return bit_offset(client, b"%d" % wrapped(number * bits))


_NEEDED: Final = {b"GET": 2, b"SET": 3, b"INCRBY": 3}
"""The words that follow an operation."""


def _steps(client: Session, words: Sequence[bytes]) -> list[_Step]:
    """Return the operations. They are not options: their order matters, and each may be repeated."""
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
        needed = _NEEDED.get(operation)
        if needed is None or left < needed:
            raise CommandError(SYNTAX)
        signed, bits = _type(words[place + 1])
        offset = _offset(client, words[place + 2], bits)
        value = integer(words[place + 3]) if needed == 3 else 0
        steps.append(_Step(operation, signed, bits, offset, value, overflow))
        place += needed + 1
    return steps


def _key_of_bitfield(words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """BITFIELD only reads if all its operations are GET; malformed calls count as writes."""
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
    editable = in_place(client, key, entry, before, max([(step.offset + step.bits + 7) >> 3 for step in writing]))
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
        client.db.touch(key)  # zeros were added although no number fitted; there is no event for this
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
