"""Sketches: what Redis 8.2 says otherwise than the oracle's older module, what is bounded, and that redis-py works."""

import resource

import pytest

import emulator
from emulator import lua
from emulator.commands.dump import dump
from emulator.modules.bloom import cuckoo, hashes, room
from emulator.modules.bloom import topk as heavy_keeper
from emulator.modules.bloom.chain import Chain, Full
from emulator.modules.bloom.cms import MOST, Overflow, Sketch
from emulator.modules.bloom.cuckoo import Cuckoo, Settings
from emulator.modules.bloom.node_order import ordered
from emulator.modules.bloom.room import NoRoom, copied, zeroed
from emulator.modules.bloom.tdigest import TDigest
from emulator.modules.bloom.topk import TopK
from emulator.protocol.numbers import INT64_MAX, INT64_MIN
from emulator.rdb.payload import sealed, unsealed

RATE = b"-ERR error rate must be in the range (0.000000, 1.000000)\r\n"
CAPACITY = b"-ERR capacity must be in the range [1, 1073741824]\r\n"
MANY = 2000
EXPANSION = b"-ERR expansion must be in the range [0, 32768]\r\n"


# What 8.2 answers


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("0 10", RATE),
        ("1 10", RATE),
        ("inf 10", RATE),
        ("-0.5 10", RATE),
        ("0.1 0", CAPACITY),
        ("0.1 -1", CAPACITY),
        ("0.1 1073741825", CAPACITY),
        ("0.1 10 EXPANSION -1", EXPANSION),
        ("0.1 10 EXPANSION 32769", EXPANSION),
        ("4.9e-324 10", b"-ERR could not create filter\r\n"),
    ],
)
def test_reserve_says_what_the_range_is(client, words, error):
    assert client.play(f"BF.RESERVE k {words}") == error
    assert client.play("EXISTS k") == b":0\r\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("CAPACITY 0", b"-Bad capacity\r\n"),
        ("CAPACITY 1073741825", b"-Bad capacity\r\n"),
        ("ERROR 0", b"-Bad error rate\r\n"),
        ("ERROR 1", b"-Bad error rate\r\n"),
        ("EXPANSION -1", b"-Bad expansion\r\n"),
        ("EXPANSION 32769", b"-Bad expansion\r\n"),
    ],
)
def test_insert_refuses_what_is_out_of_range(client, options, error):
    assert client.play(f"BF.INSERT k {options} ITEMS a") == error


@pytest.mark.parametrize("create", ["BF.RESERVE k 0.1 2 EXPANSION 0", "BF.INSERT k CAPACITY 2 EXPANSION 0 ITEMS a"])
def test_an_expansion_of_nothing_is_a_filter_that_does_not_grow(client, create):
    client.play(create)
    assert client.play("BF.INFO k EXPANSION") == b"*1\r\n$-1\r\n"


def test_no_filter_errs_more_often_than_once_in_four(client):
    client.play("BF.RESERVE k 0.9 100 NONSCALING")
    assert b"ratio:0.25" in client.play("BF.DEBUG k")


def test_new_filters_are_made_as_the_settings_say(client):
    assert client.play("CONFIG SET bf-initial-size 5 bf-expansion-factor 3 bf-error-rate 0.2") == b"+OK\r\n"
    client.play("BF.ADD k a")
    assert client.play("BF.INFO k").endswith(b"+Expansion rate\r\n:3\r\n")
    assert b"capacity:5 size:1 ratio:0.1" in client.play("BF.DEBUG k")
    assert client.play("CONFIG SET cf-initial-size 8 cf-bucket-size 4 cf-max-iterations 3") == b"+OK\r\n"
    client.play("CF.ADD c a")
    assert client.play("CF.DEBUG c").endswith(
        b"bktsize:4 buckets:2 items:1 deletes:0 filters:1 max_iterations:3 expansion:1\r\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("bf-error-rate", "1", "Value for `bf-error-rate` must be in the range (0.000000, 1.000000)"),
        ("bf-error-rate", "x", "Invalid value for `bf-error-rate`"),
        ("bf-initial-size", "0", "Value for `bf-initial-size` must be in the range [1, 1073741824]"),
        ("cf-bucket-size", "256", "Value for `cf-bucket-size` must be in the range [1, 255]"),
        ("cf-max-iterations", "x", "Invalid value for `cf-max-iterations`"),
    ],
)
def test_settings_out_of_range_are_refused(client, name, value, reason):
    told = f"-ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}\r\n"
    assert client.play(f"CONFIG SET {name} {value}") == told.encode()


def test_each_family_is_a_category(client):
    told = client.play("ACL CAT")
    assert all(b"\r\n%b\r\n" % name in told for name in b"bloom cuckoo cms topk tdigest".split())
    assert b"bf.add" in client.play("ACL CAT bloom")
    assert b"topk.count" in client.play("ACL CAT read")


def test_an_increment_out_of_range_ends_the_reply(client):
    """The oracle announces two elements and sends one."""
    client.play("TOPK.RESERVE t 3")
    assert client.play("TOPK.INCRBY t a 100001 b 1").startswith(b"*1\r\n-TopK: increment must be")


# What is bounded


def resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize(
    "create",
    [
        "BF.RESERVE {} 1e-9 1073741824",
        "CF.RESERVE {} 1073741824",
        "CMS.INITBYDIM {} 1000000000 2",
        "TOPK.RESERVE {} 4294967295 1000000000 1 0.9",
        "TDIGEST.CREATE {} COMPRESSION 1000000000",
    ],
)
def test_what_is_only_asked_for_takes_no_memory(client, create):
    before = resident()
    for number in range(20):
        assert client.play(create.format(f"k{number}")) == b"+OK\r\n"
    assert resident() - before < 20_000  # kilobytes
    assert int(client.play("MEMORY USAGE k0")[1:]) > 1 << 29
    client.play("FLUSHALL")


@pytest.mark.parametrize(
    ("create", "error"),
    [
        ("CF.RESERVE k 9223372036854775807", b"-ERR Insufficient memory to create filter\r\n"),
        ("CMS.INITBYDIM k 10 4097", b"-CMS: Insufficient memory to create the key\r\n"),
        ("TDIGEST.CREATE k COMPRESSION 9223372036854775807", b"-ERR T-Digest: allocation failed\r\n"),
        ("TOPK.RESERVE k 1 4294967295 4294967295 0.9", b"-TopK: insufficient memory\r\n"),
    ],
)
def test_what_nobody_has_memory_for_is_refused(client, create, error):
    assert client.play(create) == error


def test_headers_of_too_many_filters_are_refused(client):
    link = Chain(100, 0.01, 2, False).header()[20:]
    for count, answer in ((1, b"+OK\r\n"), (1025, b"-ERR received bad data\r\n")):
        header = bytes(8) + count.to_bytes(4, "little") + b"\x05\0\0\0\x02\0\0\0" + link * count
        word = b"".join(b"\\x%02x" % byte for byte in header)
        assert client.play(b'BF.LOADCHUNK k%d 1 "%b"' % (count, word)) == answer


def test_a_chunk_beyond_the_filter_is_refused(client):
    client.play("CF.RESERVE k 64")
    client.play("CF.ADD k a")
    assert client.play("CF.LOADCHUNK k 66 x") == b"-Couldn't load chunk!\r\n"
    assert client.play("CF.LOADCHUNK k -1 x") == b"-Couldn't load chunk!\r\n"
    assert client.play("CF.LOADCHUNK k 1000000 x") == b"-Couldn't load chunk!\r\n"


@pytest.mark.parametrize(
    "create", ["BF.ADD k a", "CF.ADD k a", "CMS.INCRBY k a 1", "TOPK.ADD k a", "TDIGEST.ADD k 5 6"]
)
def test_payloads_that_lie_are_refused(client, create):
    for words in ("CMS.INITBYDIM k 3 2", "TOPK.RESERVE k 2 3 2 0.9", "TDIGEST.CREATE k"):
        if words[:3] == create[:3]:
            client.play(words)
    client.play(create)
    session, database = client.session, client.engine.databases[0]
    body = unsealed(dump(session, b"k"))
    for place in range(9, len(body)):
        for change in (0x01, 0x40, 0xFF):
            broken = bytearray(body)
            broken[place] ^= change
            payload = b"".join(b"\\x%02x" % byte for byte in sealed(bytes(broken)))
            assert b"internal error" not in client.play(b'RESTORE l 0 "%b" REPLACE' % payload)
            if b"l" in database.entries:
                assert session.db.peek(b"l").footprint > 0
                dump(session, b"l")
                assert b"internal error" not in client.play(create.replace(" k ", " l "))


# The structures


def test_a_chain_finds_all_that_was_added_and_little_else():
    chain = Chain(100, 0.01, 2, False)
    for number in range(2000):
        chain.add(b"%d" % number)
    assert all(chain.has(b"%d" % number) for number in range(2000))
    assert sum(chain.has(b"x%d" % number) for number in range(10_000)) < 200
    assert Chain.from_header(chain.header()).header() == chain.header()


@pytest.mark.parametrize("growth", [0, 1])
def test_a_chain_whose_next_filter_cannot_be_takes_no_more(growth):
    chain = Chain(1, 1e-323, growth, False)
    assert chain.add(b"a")
    with pytest.raises(NoRoom):
        chain.add(b"b")
    assert (chain.size, len(chain.filters), chain.has(b"a")) == (1, 1, True)


def test_a_fixed_chain_is_full_in_the_end():
    chain = Chain(2, 0.01, 2, True)
    assert chain.add(b"a")
    assert chain.add(b"b")
    assert not chain.add(b"a")
    with pytest.raises(Full):
        chain.add(b"c")


def test_a_cuckoo_filter_is_a_multiset():
    filter = Cuckoo(1000, Settings(2, 20, 1))
    for number in range(900):
        filter.add(b"%d" % (number % 300))
    assert all(filter.count(b"%d" % number) >= 3 for number in range(300))
    for number in range(900):
        assert filter.remove(b"%d" % (number % 300))
    assert filter.items == 0
    assert not any(filter.has(b"%d" % number) for number in range(300))


def test_counts_wear_away_by_the_seeded_random(engine):
    """Units that fail are drawn at once: as often as one by one."""
    rare = heavy_keeper._failures
    draws = [rare(0.1, 1000, engine.random) for _ in range(20_000)]
    assert 8.5 < sum(draws) / len(draws) < 9.5  # on average (1 - p) / p
    assert rare(0.0, 5, engine.random) == 5


def test_a_frequent_item_drives_a_rare_one_out(engine):
    top = TopK(1, 1, 3, 0.9)
    top.add(b"rare", 2, engine.random)
    for _ in range(200):
        top.add(b"frequent", 1, engine.random)
    assert [entry.item for entry in top.ranked()] == [b"frequent"]


def test_equal_means_are_ordered_as_by_the_quicksort_or_at_least_sorted():
    nodes = ordered([3.0, 1.0, 2.0] * 10_000, [1, 2, 3] * 10_000)
    assert [mean for mean, _ in nodes] == sorted(mean for mean, _ in nodes)


def test_copies_are_independent():
    digest = TDigest(10)
    digest.add(1.0)
    twin = digest.copy()
    digest.add(2.0)
    assert (twin.size, digest.size) == (1, 2)
    room = zeroed(1 << 20)
    room[5] = 1
    other = copied(room)
    room[6] = 1
    assert (other[5], other[6]) == (1, 0)


@pytest.mark.parametrize(
    "create", ["BF.ADD k a", "CF.ADD k a", "CMS.INITBYDIM k 3 2", "TOPK.RESERVE k 2", "TDIGEST.CREATE k"]
)
def test_snapshots_keep_sketches(client, create):
    client.play(create)
    before = client.play("DUMP k")
    client.play("EMULATOR SNAPSHOT SAVE s")
    for change in ("BF.ADD k b", "CF.ADD k b", "CMS.INCRBY k b 1", "TOPK.ADD k b", "TDIGEST.ADD k 5 6"):
        client.play(change)
    assert client.play("DUMP k") != before
    client.play("EMULATOR SNAPSHOT RESTORE s")
    assert client.play("DUMP k") == before


# With redis-py


def test_redis_py_works():
    client = emulator.Redis(host="sketches", decode_responses=True)
    bloom = client.bf()
    assert bloom.reserve("b", 0.01, 1000)
    assert bloom.madd("b", "x", "y") == [1, 1]
    assert bloom.exists("b", "x") == 1
    assert bloom.info("b").insertedNum == 2
    iterator, _ = client.bf().scandump("b", 0)
    assert iterator == 1
    cuckoo = client.cf()
    assert cuckoo.create("c", 1000)
    assert cuckoo.insert("c", ["x", "y"]) == [1, 1]
    assert cuckoo.info("c").insertedNum == 2
    sketch = client.cms()
    assert sketch.initbydim("s", 100, 5)
    assert sketch.incrby("s", ["x"], [3]) == [3]
    assert sketch.info("s").count == 3
    top = client.topk()
    assert top.reserve("t", 3, 100, 5, 0.9)
    assert top.add("t", "a", "b", "a") == [None, None, None]
    assert top.list("t") == ["a", "b"]
    digest = client.tdigest()
    assert digest.create("d", 100)
    assert digest.add("d", [1, 2, 3, 4, 5])
    assert digest.quantile("d", 0.5) == [3.0]
    assert digest.info("d").compression == 100


def test_a_long_item_is_hashed_once_for_all_filters_of_a_chain(monkeypatch):
    chain = Chain(1, 0.01, 1, fixed=False)
    for number in range(100):
        chain.add(b"%d" % number)
    assert len(chain.filters) > 50
    hashed = []
    monkeypatch.setattr(hashes, "_pair", lambda data: hashed.append(data) or (1, 2))
    chain.has(b"x" * 5000)
    chain.add(b"y" * 5000)
    assert [data[:1] for data in hashed] == [b"x", b"y"]


class Step(int):
    """A hash that is added to come to the next bit of an item, and counts how often."""

    taken = 0

    def __radd__(self, place):
        Step.taken += 1
        return place + int(self)


def test_each_filter_of_a_chain_is_left_at_the_first_bit_that_is_not_set(monkeypatch):
    chain = Chain(1, 0.01, 1, fixed=False)
    for number in range(300):
        chain.add(b"%d" % number)
    most = sum(filter.hashes for filter in chain.filters)
    monkeypatch.setattr(hashes, "_pair", lambda data: (0xC6A4A7935BD1E995, Step(0x9E3779B97F4A7C15)))
    assert not chain.has(b"x" * 5000)
    assert 0 < Step.taken < 3 * len(chain.filters) < most / 10


class Searched(bytearray):
    """A room that counts how often rooms are searched."""

    times = 0

    def find(self, *sought):
        Searched.times += 1
        return super().find(*sought)


def test_full_cuckoo_filters_are_not_searched_for_a_place(monkeypatch):
    monkeypatch.setattr(cuckoo, "zeroed", Searched)
    filter = Cuckoo(4, Settings(2, 20, 1))
    for number in range(MANY):
        filter.add(b"%d" % number)
    assert len(filter.filters) > MANY / 5
    assert Searched.times < 60 * MANY


def test_a_place_that_was_freed_in_a_full_cuckoo_filter_is_taken():
    filter = Cuckoo(4, Settings(2, 20, 1))
    for number in range(MANY):
        filter.add(b"%d" % number)
    for item in (b"5", b"6", b"7"):
        twin, count = filter.copy(), len(filter.filters)
        assert filter.remove(item)
        filter.add(item)
        assert (filter.filters, len(filter.filters)) == (twin.filters, count)


@pytest.mark.parametrize("small", [0, 1 << 16], ids=["pages", "bytes"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_fingerprints_are_moved_in_lua_as_in_python(monkeypatch, size, small):
    monkeypatch.setattr(room, "_SMALL", small)
    filters = []
    for function in (lua.function, lambda module, name: None):
        monkeypatch.setattr(lua, "function", function)
        filter, refused = Cuckoo(256, Settings(size, 100, 0)), 0
        for number in range(420):
            try:
                filter.add(b"%d" % number)
            except cuckoo.Full:
                refused += 1
        assert refused > 20
        filters.append((refused, filter.items, bytes(filter.filters[0])))
    assert filters[0] == filters[1]


@pytest.mark.parametrize("weights", [(1, 1, 1), (3, -1, 0), (INT64_MIN, INT64_MAX, 1), (-1, 0, 0), (1, 1 << 31, 0)])
def test_merged_counts_are_the_weighted_sums_or_none_has_changed(weights):
    sketches = [Sketch(4099, 1), Sketch(4099, 1)]
    for number in range(3000):
        for sketch in sketches:
            sketch.add(b"%d" % number, number + 1)
    cells = sketches[0].cells.tolist()
    sources = list(zip([*sketches, sketches[0]], weights, strict=True))
    sums = [count * sum(weights) for count in cells]
    if min(sums) >= 0 and max(sums) <= MOST:
        sketches[0].merge(sources)
        assert sketches[0].cells.tolist() == sums
    else:
        with pytest.raises(Overflow):
            sketches[0].merge(sources)
        assert sketches[0].cells.tolist() == cells
