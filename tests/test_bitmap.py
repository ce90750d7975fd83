"""Bitmaps and bit fields against integers."""

from random import Random

import pytest


def bits_of(data):
    return [byte >> (7 - place) & 1 for byte in data for place in range(8)]


@pytest.mark.parametrize("seed", range(4))
def test_bits_against_a_list(client, seed):
    random = Random(seed)
    model = bytearray()
    for _ in range(300):
        place, bit = random.randrange(200), random.randrange(2)
        model.extend(bytes(max(place // 8 + 1 - len(model), 0)))
        old = bits_of(model)[place]
        if old != bit:
            model[place // 8] ^= 0x80 >> place % 8
        assert client.play(f"SETBIT b {place} {bit}") == b":%d\r\n" % old
        bits = bits_of(model)
        first, last = sorted((random.randrange(len(bits)), random.randrange(len(bits))))
        assert client.play(f"BITCOUNT b {first} {last} BIT") == b":%d\r\n" % sum(bits[first : last + 1])
        for wanted in (0, 1):
            found = next((at for at in range(first, last + 1) if bits[at] == wanted), -1)
            assert client.play(f"BITPOS b {wanted} {first} {last} BIT") == b":%d\r\n" % found


def test_a_large_bitmap_is_counted_piece_by_piece(client):
    client.play("SETBIT b 0 1")
    client.play("SETBIT b 4000000 1")
    client.play("SETBIT b 4000001 1")
    assert client.play("BITCOUNT b") == b":3\r\n"
    assert client.play("BITPOS b 1 1") == b":4000000\r\n"
    assert client.play("BITCOUNT b 4000001 4000001 BIT") == b":1\r\n"
    assert client.play("BITCOUNT b 1 4000000 BIT") == b":1\r\n"


def test_a_bit_is_set_in_place(client):
    client.play("SETBIT b 80000 1")
    before = client.session.db.peek(b"b")
    client.play("SETBIT b 7 1")
    assert client.session.db.peek(b"b") is before


@pytest.mark.parametrize("seed", range(4))
def test_bit_fields_against_one_large_integer(client, seed):
    random = Random(seed)
    size = 40
    client.play(f'SETRANGE f {size - 1} "\\x00"')
    model = 0
    for _ in range(300):
        signed = random.random() < 0.5
        bits = random.randint(1, 64 if signed else 63)
        offset = random.randrange(size * 8 - bits)
        shift = size * 8 - offset - bits
        old = model >> shift & ((1 << bits) - 1)
        value = random.randrange(1 << min(bits, 62))
        model = model & ~(((1 << bits) - 1) << shift) | (value & ((1 << bits) - 1)) << shift
        shown = old - (1 << bits) if signed and old >> (bits - 1) else old
        kind = f"{'i' if signed else 'u'}{bits}"
        assert client.play(f"BITFIELD f SET {kind} {offset} {value}") == b"*1\r\n:%d\r\n" % shown
    assert int.from_bytes(client.session.db.peek(b"f")) == model
