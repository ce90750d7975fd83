"""Where the words of random commands come from: small pools, so that commands meet."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

KEYS = {
    "string": ["s1", "s2", "s3"],
    "bitmap": ["b1", "s1"],
    "hyperloglog": ["p1", "p2"],
    "list": ["l1", "l2"],
    "hash": ["h1", "h2"],
    "set": ["t1", "t2", "t3"],
    "sorted-set": ["z1", "z2", "z3"],
    "geo": ["g1", "g2"],
    "stream": ["x1", "x2"],
    "module": ["v1", "v2"],
}
EVERY_KEY = sorted({key for keys in KEYS.values() for key in keys} | {"none"})

_LONG = "y" * 70
_TEXTS = ["a", "b", "c", "d", "foo", "1", "2", "10", "-5", "3.5", "", _LONG, "\x7f\xff", "1e3", "abcd"]
_WHOLE = ["0", "1", "-1", "2", "3", "5", "-3", "10", "100", "127", "-129", "70000"]
_EXTREME = ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5", "x", "", "+1", " 1", "01"]
_REAL = ["0", "1", "-1", "2.5", "0.1", "3", "-0.5", "1e10", "1e-5", "100.25", "-0", "3.0e2"]
_STRANGE = ["inf", "-inf", "nan", "x", "", "1e400", "0x10", " 1"]
_IDS = ["0-1", "1-1", "1-2", "2-0", "2-1", "3", "3-5", "4-0", "5-1", "7-7", "9-9", "12-1", "20"]
_ODD_IDS = ["0-0", "-", "+", "x", "1-x", "18446744073709551615-18446744073709551615", "(3", "1-*", ""]
_PATTERNS = ["*", "a*", "[ab]", "?", "h*", "*1", "nothing", "\\*"]
_FAR = 4_000_000_000

Pick = Callable[[Random], str]


def one_of(*pools: list[str], odd: list[str] | None = None, rarely: float = 0.06) -> Pick:
    """A word of the pools, now and then an odd one."""
    words = [word for pool in pools for word in pool]

    def pick(random: Random) -> str:
        return random.choice(odd) if odd and random.random() < rarely else random.choice(words)

    return pick


text = one_of(_TEXTS)
whole = one_of(_WHOLE, odd=_EXTREME)
small = one_of(["0", "1", "2", "3", "5", "10", "-1"], odd=_EXTREME)
place = one_of(["0", "1", "-1", "2", "-2", "3", "-5", "7", "10", "100"], odd=["x", "9223372036854775807", ""])
spot = one_of(["0", "1", "3", "7", "8", "9", "30", "100", "1000"], odd=["-1", "x", "4294967296", "99999999999"])
real = one_of(_REAL, odd=_STRANGE)
score_bound = one_of(["0", "1", "(1", "2.5", "(3", "-inf", "+inf", "inf", "5", "(5", "100"], odd=["x", "nan", "(x", ""])
lex_bound = one_of(["-", "+", "[a", "(a", "[b", "(c", "[d", "[foo", "(1"], odd=["x", "[", "(", ""])
any_bound = one_of(["0", "1", "-1", "2", "5", "(1", "(2.5", "-inf", "+inf", "-", "+", "[a", "(b", "[d"])
stream_id = one_of(_IDS, odd=_ODD_IDS)
new_id = one_of([*_IDS, "1-*", "5-*", "15-*", "30-*", "31", "33-1", "40-5"], odd=_ODD_IDS)
stream_bound = one_of(_IDS, ["-", "+", "(1-1", "(3", "-", "+"], odd=_ODD_IDS)
read_id = one_of(_IDS, ["0", "$", "+", ">", ">", ">"], odd=_ODD_IDS)
group_name = one_of(["g1", "g2"], odd=["g3", ""])
consumer = one_of(["c1", "c2", "c3"])
pattern = one_of(_PATTERNS)
sort_pattern = one_of(["#", "w_*", "h1->*", "h1->a", "nosort", "*", "s1"])
seconds = one_of(["10000", "20000", "100000", "-1", "0"], odd=_EXTREME)
moment = one_of([str(_FAR), str(_FAR + 500), "1", "1000"], odd=_EXTREME)
moment_in_milliseconds = one_of([str(_FAR * 1000), str(_FAR * 1000 + 7), "1", "1000"], odd=_EXTREME)
timeout = one_of(["0.001", "0.002"], odd=["-1", "x", "1e400"])
brief = one_of(["1", "2"], odd=["-1", "x"])
longitude = one_of(["13.361389", "15.087269", "2.35", "-122.4", "179.9", "-179.9", "0", "13.4"], odd=["181", "x"])
latitude = one_of(["38.115556", "37.502669", "48.85", "37.77", "0", "85", "-85", "52.5"], odd=["86", "x"])
distance = one_of(["1", "100", "200", "1000", "20000", "0"], odd=["-1", "x", "nan"])
field_type = one_of(["u8", "i8", "u1", "i5", "u63", "i64", "u16"], odd=["u64", "i0", "x8", "u"])
bit_offset = one_of(["0", "1", "7", "8", "#0", "#1", "#3", "100"], odd=["-1", "#-1", "x"])
database = one_of(["0", "1"], odd=["16", "-1", "x"])
idle = one_of(["0", "100000", "0"], odd=_EXTREME)
kind = one_of(["string", "hash", "list", "set", "zset", "stream", "none"])
json = one_of(['{"a":1}', '{"a":2,"b":"x"}', '{"c":[1,2]}', "", "{}", "no json"])
vector_filter = one_of([".a > 1", ".a == 1 or .b == 'x'", "1 in .c", "not .a", ".a + 1 > 2"], odd=[".a >", "", "x"])
junk = one_of(_TEXTS, _EXTREME, _STRANGE, ["NX", "COUNT", "WITHSCORES", "\r\n", "\x00\xff"])

BY_NAME: dict[str, Pick] = {
    "pattern": pattern,
    "by-pattern": one_of(["w_*", "h1->*", "*", "nosort"]),
    "get-pattern": sort_pattern,
    "group": group_name,
    "consumer": consumer,
    "index": place,
    "start": place,
    "stop": place,
    "end": place,
    "offset": place,
    "rank": place,
    "count": small,
    "seconds": seconds,
    "milliseconds": one_of(["100000000", "200000000", "-1", "0"], odd=_EXTREME),
    "unix-time-seconds": moment,
    "unix-time-milliseconds": moment_in_milliseconds,
    "timeout": timeout,
    "destination-db": database,
    "db": database,
    "longitude": longitude,
    "latitude": latitude,
    "radius": distance,
    "width": distance,
    "height": distance,
    "encoding": field_type,
    "min-idle-time": idle,
    "type": kind,
    "cursor": one_of(["0"], odd=["x", "5", "-1"]),
    "bit": one_of(["0", "1"], odd=["2", "x", "-1"]),
    "json": json,
    "enough": one_of(["50"]),
    "filter": vector_filter,
    "threshold": one_of(["0", "1", "3", "5", "3-5", "7-7"], odd=_EXTREME),
}
"""By an argument's name."""

BY_TYPE: dict[str, Pick] = {
    "string": text,
    "integer": whole,
    "double": real,
    "pattern": pattern,
    "unix-time": moment,
}
"""By its type, where the name says nothing."""

BY_COMMAND: dict[tuple[str, str], Pick] = {
    ("zrange", "start"): any_bound,
    ("zrange", "stop"): any_bound,
    ("zrangestore", "min"): any_bound,
    ("zrangestore", "max"): any_bound,
    ("setbit", "offset"): spot,
    ("getbit", "offset"): spot,
    ("setrange", "offset"): spot,
    ("bitfield", "offset"): bit_offset,
    ("bitfield_ro", "offset"): bit_offset,
    ("xadd", "id"): new_id,
    ("xread", "id"): read_id,
    ("xreadgroup", "id"): read_id,
    ("xread", "milliseconds"): brief,
    ("xreadgroup", "milliseconds"): brief,
    ("xclaim", "ms"): idle,
    ("select", "index"): database,
}
"""By the command as well, where the same name means something else."""

for _command in ("zlexcount", "zrangebylex", "zrevrangebylex", "zremrangebylex"):
    BY_COMMAND |= {(_command, "min"): lex_bound, (_command, "max"): lex_bound}
for _command in ("zcount", "zrangebyscore", "zrevrangebyscore", "zremrangebyscore"):
    BY_COMMAND |= {(_command, "min"): score_bound, (_command, "max"): score_bound}
for _command in ("xrange", "xrevrange", "xpending", "xautoclaim"):
    BY_COMMAND |= {(_command, "start"): stream_bound, (_command, "end"): stream_bound}
for _command in ("xdel", "xack", "xackdel", "xdelex", "xclaim", "xsetid", "xgroup|create", "xgroup|setid"):
    for _name in ("id", "last-id", "max-deleted-id", "lastid"):
        BY_COMMAND[_command, _name] = stream_id
