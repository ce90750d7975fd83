"""Bitmaps and bit fields against lists of single bits."""

import random

import pytest

from emulator.commands import bitmap
from emulator.datatypes import bits


class Model:
    """Bits by key, always whole bytes of them."""

    def __init__(self):
        self.bits = {}

    def of(self, key):
        return self.bits.get(key, [])

    def grow(self, key, size):
        bits = self.bits.setdefault(key, [])
        bits += [0] * (max(size - len(bits) + 7, 0) // 8 * 8)
        return bits

    def text(self, key):
        digits = "".join(map(str, self.of(key)))
        return int(digits or "0", 2).to_bytes(len(digits) // 8)

    def span(self, key, start, end, unit):
        """The places of the bits from start to end."""
        bits = range(len(self.of(key)))
        if unit == "BIT":
            return bits[start:][: max(end - start + 1, 0)]
        return bits[start * 8 :][: max(end - start + 1, 0) * 8]


@pytest.fixture(params=[1, 3, bitmap._PIECE], ids="pieces of {}".format)
def small_pieces(request, monkeypatch):
    """Long strings are read in pieces; here they are tiny."""
    monkeypatch.setattr(bitmap, "_PIECE", request.param)
    monkeypatch.setattr(bits, "_FEW", 0)
    monkeypatch.setattr(bitmap, "_FEW", 0)


def number(reply):
    assert reply.startswith(b":")
    return int(reply[1:])


@pytest.mark.parametrize("seed", range(4))
def test_random_steps(client, small_pieces, some_lua, seed):
    rng = random.Random(seed)
    model = Model()
    for _ in range(400):
        key, place, bit = rng.choice("abc"), rng.randrange(80), rng.randrange(2)
        choice = rng.random()
        if choice < 0.5:
            bits = model.grow(key, place + 1)
            assert number(client.play(f"SETBIT {key} {place} {bit}")) == bits[place]
            bits[place] = bit
        elif choice < 0.6:
            bits = model.of(key)
            assert number(client.play(f"GETBIT {key} {place}")) == (bits[place] if place < len(bits) else 0)
        elif choice < 0.95:
            check_range(client, model, key, bit, rng)
        else:
            combine(client, model, rng)
        assert client.engine.databases[0].peek(key.encode()) == (model.text(key) if key in model.bits else None)


def check_range(client, model, key, bit, rng):
    unit = rng.choice(["BIT", "BYTE"])
    start, end = rng.randrange(20), rng.randrange(90)
    span = model.span(key, start, end, unit)
    bits = model.of(key)
    assert number(client.play(f"BITCOUNT {key} {start} {end} {unit}")) == sum(bits[place] for place in span)
    if bits:
        expected = next((place for place in span if bits[place] == bit), -1)
        assert number(client.play(f"BITPOS {key} {bit} {start} {end} {unit}")) == expected
        first = next((place for place, value in enumerate(bits) if value == bit), -1 if bit else len(bits))
        assert number(client.play(f"BITPOS {key} {bit}")) == first


OPERATIONS = {
    "AND": all,
    "OR": any,
    "XOR": lambda bits: sum(bits) % 2,
    "ONE": lambda bits: sum(bits) == 1,
    "DIFF": lambda bits: bits[0] and not any(bits[1:]),
    "DIFF1": lambda bits: not bits[0] and any(bits[1:]),
    "ANDOR": lambda bits: bits[0] and any(bits[1:]),
    "NOT": lambda bits: not bits[0],
}


def combine(client, model, rng):
    operation = rng.choice(list(OPERATIONS))
    sources = ["a"] if operation == "NOT" else rng.choices("abc", k=rng.randint(2, 4))
    size = max(len(model.of(key)) for key in sources)
    columns = zip(*(model.of(key) + [0] * (size - len(model.of(key))) for key in sources), strict=True)
    result = [int(OPERATIONS[operation](column)) for column in columns]
    assert number(client.play(f"BITOP {operation} c {' '.join(sources)}")) == size // 8
    model.bits.pop("c", None)
    if result:
        model.bits["c"] = result


# Bit fields


def read(bits, signed, place, width):
    window = (bits + [0] * (place + width))[place : place + width]
    value = int("".join(map(str, window)), 2)
    return value - (1 << width) if signed and window[0] else value


def write(bits, place, width, value):
    bits[place : place + width] = [value >> (width - 1 - at) & 1 for at in range(width)]


def fit(value, signed, width, overflow):
    least, most = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    if least <= value <= most:
        return value
    if overflow == "FAIL":
        return None
    if overflow == "SAT":
        return most if value > most else least
    return (value - least) % (1 << width) + least


@pytest.mark.parametrize("seed", range(4))
def test_random_fields(client, seed):
    rng = random.Random(seed)
    model = Model()
    for _ in range(500):
        signed = rng.random() < 0.5
        width = rng.randint(1, 64 if signed else 63)
        place, amount = rng.randrange(100), rng.choice([1, -1, rng.randint(-200, 200), rng.getrandbits(62)])
        overflow = rng.choice(["WRAP", "SAT", "FAIL"])
        kind = f"{'i' if signed else 'u'}{width}"
        bits = model.of("f")
        old = read(bits, signed, place, width)
        assert client.play(f"BITFIELD f GET {kind} {place}") == b"*1\r\n:%d\r\n" % old
        bits = model.grow("f", place + width)
        new = fit(old + amount, signed, width, overflow)
        reply = client.play(f"BITFIELD f OVERFLOW {overflow} INCRBY {kind} {place} {amount}")
        if new is None:
            assert reply == b"*1\r\n$-1\r\n"
        else:
            assert reply == b"*1\r\n:%d\r\n" % new
            write(bits, place, width, new)
        assert client.engine.databases[0].peek(b"f") == model.text("f")


@pytest.mark.parametrize("seed", range(4))
def test_fields_are_parts_of_one_large_integer(client, seed):
    rng = random.Random(seed)
    size = 40
    client.play(f'SETRANGE f {size - 1} "\\x00"')
    whole = 0
    for _ in range(300):
        signed = rng.random() < 0.5
        width = rng.randint(1, 64 if signed else 63)
        place = rng.randrange(size * 8 - width)
        shift, mask = size * 8 - place - width, (1 << width) - 1
        old, new = whole >> shift & mask, rng.randrange(1 << min(width, 62))
        whole = whole & ~(mask << shift) | new << shift
        shown = old - (1 << width) if signed and old >> (width - 1) else old
        kind = f"{'i' if signed else 'u'}{width}"
        assert client.play(f"BITFIELD f SET {kind} {place} {new}") == b"*1\r\n:%d\r\n" % shown
    assert int.from_bytes(client.engine.databases[0].peek(b"f")) == whole


# Large bitmaps, editing in place


def test_a_large_bitmap_is_counted_piece_by_piece(client):
    for place in (0, 4000000, 4000001):
        client.play(f"SETBIT b {place} 1")
    assert client.play("BITCOUNT b") == b":3\r\n"
    assert client.play("BITPOS b 1 1") == b":4000000\r\n"
    assert client.play("BITCOUNT b 4000001 4000001 BIT") == b":1\r\n"
    assert client.play("BITCOUNT b 1 4000000 BIT") == b":1\r\n"


def test_a_large_bitmap_is_edited_in_place(client):
    client.play("SETBIT b 8000000 1")
    text = client.engine.databases[0].peek(b"b")
    assert len(text) == 1_000_001
    for line in ("SETBIT b 5 1", "SETBIT b 7999999 1", "BITFIELD b SET u8 80 255", "GETBIT b 5", "SETRANGE b 20 abc"):
        client.play(line)
        assert client.engine.databases[0].peek(b"b") is text
    assert text[0] == 4
    assert text[20:23] == b"abc"


def test_a_copy_is_a_bitmap_of_its_own(client):
    client.play("SETBIT a 1 1")
    client.play("COPY a b")
    client.play("SETBIT b 2 1")
    assert client.play("BITCOUNT a") == b":1\r\n"
    assert client.play("BITCOUNT b") == b":2\r\n"


def test_a_value_that_was_read_does_not_change_afterwards(client):
    client.play("SETBIT a 1 1")
    client.play("MULTI")
    client.play("GET a")
    client.play("SETBIT a 7 1")
    client.play("GET a")
    assert client.play("EXEC") == b"*3\r\n$1\r\n\x40\r\n:0\r\n$1\r\n\x41\r\n"


def test_a_field_that_fits_nowhere_still_announces_the_zeros(client, another):
    client.play("WATCH f")
    another.play("BITFIELD f OVERFLOW FAIL INCRBY u8 8 -1")
    client.play("MULTI")
    assert client.play("EXEC") == b"*-1\r\n"
    assert client.engine.databases[0].peek(b"f") == b"\0\0"
    assert client.engine.dirty == 0
