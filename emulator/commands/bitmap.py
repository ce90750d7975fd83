"""Strings as arrays of bits; bit 0 is the highest of the first byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import bounded, integer
from emulator.commands.string import find_string, in_place, read_string
from emulator.config.notifications import STRING
from emulator.datatypes import bits
from emulator.datatypes.string import STRINGS
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

BAD_OFFSET: Final = "ERR bit offset is not an integer or out of range"
_BITS: Final = {b"0": 0, b"1": 1}
_PIECE: Final = 1 << 16
_FEW: Final = 256
"""So many bytes are counted more quickly as one number than by pieces."""
_BLANKS: Final = (b"\xff" * _PIECE, b"\0" * _PIECE)
"""Pieces without a clear bit, and without one that is set."""

Text = bytes | bytearray


def bit_offset(client: Session, text: bytes) -> int:
    """Return the offset of a bit within the largest allowed string."""
    return bounded(text, 0, client.engine.config.proto_max_bulk_len * 8 - 1, BAD_OFFSET)


def _set_together(client: Session, key: bytes, offsets: Sequence[bytes], values: Sequence[bytes]) -> list[int] | None:
    """SETBIT within a string that was changed before."""
    places = [bit_offset(client, text) for text in offsets]
    _, text = find_string(client, key)
    if not isinstance(text, bytearray) or max(places) >> 3 >= len(text) or not _BITS.keys() >= set(values):
        return None
    changes, replies = 0, []
    for place, value in zip(places, values, strict=True):
        byte, mask = place >> 3, 0x80 >> (place & 7)
        old = 1 if text[byte] & mask else 0
        if old != _BITS[value]:
            text[byte] ^= mask
            changes += 1
        replies.append(old)
    if changes:
        client.db.changed(key, STRING, b"setbit", changes)
    return replies


@command(
    "bitmap",
    since="2.2.0",
    flags="write denyoom",
    keys=[keys("RW access update", 1)],
    complexity="O(1), and O(N) for N bytes that the string grows by",
    together=_set_together,
)
def setbit(client: Session, key: bytes, offset: bytes, value: bytes) -> int:
    """Sets or clears a bit; returns its previous value."""
    place = bit_offset(client, offset)
    bit = _BITS.get(value)
    if bit is None:
        raise CommandError("ERR bit is not an integer or out of range")
    entry, before = find_string(client, key)
    size, byte, mask = len(before), place >> 3, 0x80 >> (place & 7)
    text = before if byte < size and before.__class__ is bytearray else in_place(client, key, entry, before, byte + 1)
    old = 1 if text[byte] & mask else 0
    if old != bit or len(text) > size:
        text[byte] ^= mask if old != bit else 0
        client.db.changed(key, STRING, b"setbit")
    return old


@command("bitmap", since="2.2.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1)")
def getbit(client: Session, key: bytes, offset: bytes) -> int:
    """Returns a bit of a string, 0 beyond its end."""
    place = bit_offset(client, offset)
    text, byte = read_string(client, key), place >> 3
    return text[byte] >> (7 - (place & 7)) & 1 if byte < len(text) else 0


# Ranges of bits


class _Range(NamedTuple):
    """The range arguments of BITCOUNT and BITPOS; ``end`` is None if it was not given."""

    start: int
    end: int | None
    in_bits: bool


_WHOLE: Final = _Range(0, None, False)


def _unit(options: Sequence[bytes]) -> bool:
    """Return whether a range is given in bits rather than bytes."""
    unit = options[2].upper() if len(options) > 2 else b"BYTE"
    if unit not in (b"BIT", b"BYTE"):
        raise CommandError(SYNTAX)
    return unit == b"BIT"


def _bits(wanted: _Range, size: int) -> tuple[int, int]:
    """Return the first bit of a range and the bit after its last, in a string of `size` bytes; equal if it is empty."""
    total = size * 8 if wanted.in_bits else size
    start, end = wanted.start, total - 1 if wanted.end is None else wanted.end
    start = max(start + total, 0) if start < 0 else start
    end = max(end + total, 0) if end < 0 else end
    end = min(end, total - 1)
    if start > end:
        return 0, 0
    return (start, end + 1) if wanted.in_bits else (start * 8, end * 8 + 8)


def _pieces(text: Text, first: int, last: int, blank: bytes = b"") -> Iterator[tuple[int, int, int]]:
    """The bits from one to another (not included), in order: of each piece its first bit, its width, and it as a number.

    Pieces that consist of the same bytes as `blank` are left out.
    """
    while first < last:
        end = min(last, (first & ~7) + 8 * _PIECE)
        piece = text[first >> 3 : (end + 7) >> 3]
        if piece != blank:
            number = int.from_bytes(piece) >> (-end & 7)
            width = end - first
            yield first, width, number & ((1 << width) - 1) if first & 7 else number
        first = end


@command("bitmap", since="2.6.0", flags="readonly", keys=[keys("RO access", 1)], complexity="O(N)")
def bitcount(client: Session, key: bytes, *options: bytes) -> int:
    """Counts the bits that are set in a string, or in a range of it."""
    if not options:
        text = read_string(client, key)
        return int.from_bytes(text).bit_count() if len(text) <= _FEW else _count(text, 0, 8 * len(text))
    edition = client.engine.config.edition
    if _is_over(client, key):
        return 0
    if len(options) > 3 or (len(options) == 1 and not edition.includes("", valkey="8.0.0")):
        raise CommandError(SYNTAX)
    start = integer(options[0])
    in_bits = _unit(options) if edition.is_valkey else False  # the unit is read before the end there
    end = integer(options[1]) if len(options) > 1 else None
    wanted = _Range(start, end, in_bits or _unit(options))
    text = read_string(client, key)
    if wanted.end is not None and wanted.end < wanted.start < 0:
        return 0
    first, last = _bits(wanted, len(text))
    return _count(text, first, last)


def _is_over(client: Session, key: bytes) -> bool:
    """Whether it is clear before the options are read, as in 7.2: there is no key, or no string, which is an error."""
    if not client.engine.config.edition.precedes("7.4.0") or isinstance(client.db.peek(key), STRINGS):
        return False
    return not read_string(client, key)


def _count(text: Text, first: int, last: int) -> int:
    """How many bits are set from one to another, which is not included."""
    start, stop = (first + 7) // 8, last // 8
    if stop - start <= _FEW:
        return sum([number.bit_count() for _, _, number in _pieces(text, first, last)])
    edges = (first, start * 8), (stop * 8, last)
    return bits.count(text, start, stop) + sum([_count(text, *edge) for edge in edges if edge[0] < edge[1]])


@command("bitmap", since="2.8.7", flags="readonly", keys=[keys("RO access", 1)], complexity="O(N)")
def bitpos(client: Session, key: bytes, bit: bytes, *options: bytes) -> int:
    """Returns the position of the first bit that is set or clear, or -1 if there is none."""
    wanted_bit = integer(bit)
    if wanted_bit not in (0, 1):
        raise CommandError("ERR The bit argument must be 1 or 0.")
    if _is_over(client, key):
        return -wanted_bit
    if len(options) > 3:
        raise CommandError(SYNTAX)
    wanted = _WHOLE
    if options:
        start, in_bits = integer(options[0]), _unit(options)
        wanted = _Range(start, integer(options[1]) if len(options) > 1 else None, in_bits)
    text = read_string(client, key)
    if not text:
        return -1 if wanted_bit or client.db.peek_entry(key) is not None else 0
    first, last = _bits(wanted, len(text))
    if first == last:
        return -1
    for place, width, number in _pieces(text, first, last, _BLANKS[wanted_bit]):
        set_bits = number if wanted_bit else number ^ ((1 << width) - 1)
        if set_bits:
            return place + width - set_bits.bit_length()
    # Without an explicit end, the clear bits continue beyond the string.
    return len(text) * 8 if not wanted_bit and wanted.end is None else -1


# BITOP


def _exactly_one(texts: list[bytes]) -> bytes:
    once = more = bytes(len(texts[0]))
    for text in texts:
        more = _any([more, _both([once, text])])
        once = _any([once, text])
    return _both([once, bits.inverted(more)])


_both, _any = partial(bits.combined, "AND"), partial(bits.combined, "OR")
_OPERATIONS: Final[dict[bytes, Callable[[list[bytes]], bytes]]] = {
    b"AND": _both,
    b"OR": _any,
    b"XOR": partial(bits.combined, "XOR"),
    b"DIFF": lambda texts: _both([texts[0], bits.inverted(_any(texts[1:]))]),
    b"DIFF1": lambda texts: _both([_any(texts[1:]), bits.inverted(texts[0])]),
    b"ANDOR": lambda texts: _both([texts[0], _any(texts[1:])]),
    b"ONE": _exactly_one,
    b"NOT": lambda texts: bits.inverted(texts[0]),
}
_SINCE_8_2: Final = (b"DIFF", b"DIFF1", b"ANDOR", b"ONE")
_WITH_FIRST: Final = (b"DIFF", b"DIFF1", b"ANDOR")


@command(
    "bitmap",
    since="2.6.0",
    flags="write denyoom",
    keys=[keys("OW update", 2), keys("RO access", 3, -1)],
    complexity="O(N)",
)
def bitop(client: Session, operation: bytes, destkey: bytes, key: bytes, *more: bytes) -> int:
    """Combines strings bit by bit and stores the result; returns its length in bytes."""
    name = operation.upper()
    if name not in _OPERATIONS or (name in _SINCE_8_2 and not client.engine.config.edition.includes("8.2.0")):
        raise CommandError(SYNTAX)
    if name == b"NOT" and more:
        raise CommandError("ERR BITOP NOT must be called with a single source key.")
    if name in _WITH_FIRST and not more:
        raise CommandError(f"ERR BITOP {name.decode()} must be called with at least two source keys.")
    texts = [read_string(client, source) for source in (key, *more)]
    size = max(map(len, texts))
    db = client.db
    if not size:
        db.delete(destkey)
        return 0
    db.put(destkey, _combined(_OPERATIONS[name], texts, size), STRING, b"set")
    return size


def _combined(operation: Callable[[list[bytes]], bytes], texts: Sequence[Text], size: int) -> bytearray:
    """The result of an operation, piece by piece; strings that are shorter than `size` are as if followed by zeros."""
    if size <= _PIECE:
        return bytearray(operation([bytes(text).ljust(size, b"\0") for text in texts]))
    result = bytearray()
    views = [memoryview(text) for text in texts]
    for start in range(0, size, _PIECE):
        end = min(start + _PIECE, size)
        result += operation([bytes(view[start:end]).ljust(end - start, b"\0") for view in views])
    return result
