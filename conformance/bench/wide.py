"""Some 160 commands on small and on large values, the CPU time of the server for each beside the oracle's in one run.

Each data set lies in a database of its own: all kinds of values with so many elements (`--sizes`, 20 and 20,000).  So with
one size of 1,000,000 the same table tells which commands hold up the others, here against the real server.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from conformance import servers
from conformance.bench.client import Failed, connect, encode, pipeline
from conformance.bench.idle import cpu_seconds
from conformance.resp import Connection

_SIZES: Final = (20, 20_000)
_ENOUGH: Final = 0.01
"""Seconds of CPU time after which a figure is good."""
_ROUNDS: Final = 2
_REST: Final = 0.02
"""Seconds to see whether a server is at rest,"""
_AT_REST: Final = 0.1
"""which it is where it uses less than this part of them."""
_AT_ONCE: Final = 200
"""Commands that are sent at a time."""
_CHUNK: Final = 500
_PATTERNS: Final = 100
MOST: Final = 15.0
"""A ratio beyond which a command is named."""
EXCUSED: Final = ("VSIM", "PFMERGE", "PFCOUNT p p2")
"""Beginnings of those that may exceed it."""

CASES: Final = """
GET w:{any}
SET u value
SETRANGE t {half} abc
GETRANGE t {half} {most}
APPEND u2 x ; SET u2 x
STRLEN t
INCR counter
INCRBYFLOAT amount 0.37
MGET w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any}
MSET u 1 u3 2 u4 3 u5 4
LCS w:{any} w:{any}
EXISTS w:{any}
EXPIRE w:{any} 10000
TTL w:{any}
TYPE z
OBJECT ENCODING z
SCAN 0 COUNT 100
SCAN 0 COUNT 100 MATCH w:*7*1
SCAN 0 COUNT 100 TYPE zset
KEYS *9?
RANDOMKEY
BITCOUNT b
BITPOS empty 1
BITOP AND b3 b b2
BITOP NOT b3 b
BITFIELD b GET u8 #{any} SET i13 {any} 77 INCRBY u4 3 1
GETBIT b {any}
SETBIT b {any} 1
LPUSH l2 x ; LPOP l2
RPUSH l2 a b c d e f g h ; RPOP l2 8
LRANGE l 0 -1
LRANGE l {half} {later}
LINDEX l {half}
LINDEX l {any}
LSET l {half} m{half}
LINSERT l BEFORE m{near} x ; LREM l 1 x
LREM l 0 none
LPOS l none
LPOS l m{half}
LMOVE l l LEFT RIGHT
LTRIM l 0 -1
LSET l {any} mm
HSET h f{any} v
HSET h new{new} v ; HDEL h new{new}
HGET h f{any}
HMGET h f{any} f{any} f{any} f{any} f{any}
HGETALL h
HKEYS h
HVALS h
HINCRBY h2 counter 3
HINCRBYFLOAT h2 amount 0.37
HRANDFIELD h
HRANDFIELD h 10
HRANDFIELD h {half} WITHVALUES
HSCAN h 0 COUNT 100
HSCAN h 0 COUNT 100 MATCH f*[13579]*
SADD s new{new} ; SREM s new{new}
SISMEMBER s m{any}
SMISMEMBER s m{any} m{any} m{any} none
SMEMBERS s
SMEMBERS i
SRANDMEMBER s
SRANDMEMBER s 10
SRANDMEMBER s {half}
SINTER s s2
SINTERCARD 2 s s2
SUNION s s2
SDIFF s s2
SINTERSTORE s3 s s2
SUNIONSTORE s3 s s2
SDIFFSTORE s3 s s2
SSCAN s 0 COUNT 100 MATCH *5*
SMOVE s s4 m1 ; SMOVE s4 s m1
ZADD z {any} m{any}
ZADD z 1 new{new} ; ZREM z new{new}
ZINCRBY y 0.5 m{any}
ZSCORE z m{any}
ZRANK z m{any}
ZMSCORE z m{any} m{any} m{any} none
ZCOUNT z 3 {half}
ZRANGE z 0 -1
ZRANGE z 0 -1 WITHSCORES
ZRANGE y 0 -1 WITHSCORES
ZREVRANGE z 0 -1 WITHSCORES
ZRANGEBYSCORE z -inf +inf WITHSCORES
ZRANGEBYSCORE z {half} +inf LIMIT 0 10
ZRANGEBYLEX lex [m5 +
ZRANGESTORE z2 z 0 -1
ZRANDMEMBER z {half} WITHSCORES
ZUNION 2 z y WITHSCORES
ZINTER 2 z y
ZINTERCARD 2 z y
ZDIFF 2 z y
ZUNIONSTORE z2 2 z y
ZINTERSTORE z2 2 z y
ZSCAN z 0 COUNT 100
ZADD z3 1 a 2 b 3 c ; ZPOPMIN z3 3
GEOADD g 2.35 48.85 p{any}
GEODIST g p1 p2 km
GEOPOS g p{any} p{any}
GEOHASH g p{any} p{any}
GEOSEARCH g FROMLONLAT 2 48 BYRADIUS 800 km
GEOSEARCH g FROMLONLAT 2 48 BYBOX 1200 1200 km
GEOSEARCH g FROMMEMBER p3 BYRADIUS 800 km ASC COUNT 10 WITHDIST WITHCOORD
GEOSEARCHSTORE g2 g FROMLONLAT 2 48 BYRADIUS 800 km
XADD x2 MAXLEN ~ 1000 * field value
XADD x2 MAXLEN = 1000 * field value a b c d
XLEN x
XRANGE x - +
XREVRANGE x + -
XRANGE x {half} + COUNT 10
XREAD COUNT 100 STREAMS x 0
XREAD STREAMS x 0
XGROUP SETID x g2 0 ; XREADGROUP GROUP g2 c COUNT 100 STREAMS x > ; XACK x g2 1-1 2-1 3-1
XPENDING x g
XPENDING x g - + 10
XAUTOCLAIM x g d 0 0 COUNT 10
XCLAIM x g d 0 1-1 2-1
XINFO STREAM x
XINFO GROUPS x
PFADD p e{any}
PFADD sparse e{few}
PFCOUNT p
PFCOUNT p p2
PFMERGE p3 p p2
SORT n
SORT n LIMIT 0 10
SORT n ALPHA
SORT n BY w:*
SORT n BY w:* GET # GET w:*
SORT n STORE n2
SORT s ALPHA LIMIT 0 10
DUMP l
DUMP n
DUMP h
DUMP s
DUMP i
DUMP z
DUMP y
DUMP x
DUMP t
DUMP b
RESTORE r 0 <l> REPLACE
RESTORE r 0 <n> REPLACE
RESTORE r 0 <h> REPLACE
RESTORE r 0 <s> REPLACE
RESTORE r 0 <z> REPLACE
RESTORE r 0 <x> REPLACE
RESTORE r 0 <t> REPLACE
COPY l r REPLACE
COPY h r REPLACE
COPY s r REPLACE
COPY z r REPLACE
COPY x r REPLACE
RENAME l l9 ; RENAME l9 l
MEMORY USAGE z
DEBUG DIGEST-VALUE z
EVAL "for i=1,{n} do redis.call('get', KEYS[1]) end" 1 u
PUBLISH news.1 text
VSIM v ELE p3 COUNT 10
"""
"""A line is a case, of one command or several.  ``{any}`` is an element's index, ``{new}`` a new number, ``<key>`` a dump."""
ALONE: Final = """
PING
INFO
INFO everything
COMMAND COUNT
COMMAND INFO get
CONFIG GET maxmemory*
CLIENT LIST
TIME
MULTI ; INCR counter ; EXEC
"""
"""What does not depend on what there is."""


def _load(connection: Connection, size: int) -> None:
    rng = random.Random(1)
    shuffled = rng.sample(range(size), size)
    spread = [rng.uniform(0, 1000) for _ in range(size)]
    kinds: dict[tuple[str, str], Iterator[bytes]] = {
        ("RPUSH", "l"): (b"m%d" % index for index in range(size)),
        ("RPUSH", "n"): (b"%d" % number for number in shuffled),
        ("SADD", "s"): (b"m%d" % index for index in range(size)),
        ("SADD", "s2"): (b"m%d" % (index + size // 2) for index in range(size)),
        ("SADD", "i"): (b"%d" % number for number in shuffled),
        ("HSET", "h"): (word for index in range(size) for word in (b"f%d" % index, b"v%d" % index)),
        ("ZADD", "z"): (word for index in range(size) for word in (b"%d" % index, b"m%d" % index)),
        ("ZADD", "y"): (word for index, score in enumerate(spread) for word in (b"%r" % score, b"m%d" % index)),
        ("ZADD", "lex"): (word for index in range(size) for word in (b"0", b"m%d" % index)),
        ("MSET", ""): (word for index in range(size) for word in (b"w:%d" % index, b"%d" % shuffled[index])),
        ("PFADD", "p"): (b"e%d" % index for index in range(size)),
        ("PFADD", "p2"): (b"d%d" % index for index in range(size)),
        ("PFADD", "sparse"): (b"e%d" % index for index in range(min(size, 100))),
        ("GEOADD", "g"): _places(rng, size),
    }
    for (command, key), words in kinds.items():
        head = [word.encode() for word in (command, key) if word]
        chunks = iter(lambda words=words: list(itertools.islice(words, 6 * _CHUNK)), [])
        pipeline(connection, (encode(*head, *chunk) for chunk in chunks))
    pipeline(connection, (encode(b"XADD", b"x", b"%d-1" % index, b"f", b"v%d" % index) for index in range(1, size + 1)))
    for bitmap in (b"b", b"b2"):
        connection("SET", bitmap, rng.randbytes(8 * size))
    connection("SET", b"empty", bytes(8 * size))
    connection("SET", b"t", b"".join(b"%08d" % number for number in shuffled))
    for group in ("g", "g2"):
        connection("XGROUP", "CREATE", "x", group, "0")
    connection("XREADGROUP", "GROUP", "g", "c", "COUNT", "1000", "STREAMS", "x", ">")
    for index in range(min(size, 5000)):
        connection("VADD", "v", "VALUES", "8", *(b"%f" % rng.uniform(-1, 1) for _ in range(8)), b"p%d" % index)


def _places(rng: random.Random, size: int) -> Iterator[bytes]:
    for index in range(size):
        yield from (b"%.6f" % rng.uniform(-180, 180), b"%.6f" % rng.uniform(-80, 80), b"p%d" % index)


class _Server(NamedTuple):
    """A process and a connection to it."""

    pid: int
    connection: Connection


class _Case:
    """One case on values of a size: endless requests."""

    def __init__(self, text: str, size: int, connection: Connection) -> None:
        self.commands = [_words(part) for part in text.split(" ; ")]
        self.same = "{" not in text
        self.size = size
        self.dumps = {
            word: connection("DUMP", word[1:-1]).value
            for words in self.commands
            for word in words
            if word.startswith("<")
        }
        self.rng = random.Random(2)
        self.made = 0
        self.count = 0  # how often it is run at a time, once that is known

    def requests(self, count: int) -> Iterator[bytes]:
        """So many times the commands of the case."""
        if self.same:
            return itertools.repeat(self._request(), count)
        return (self._request() for _ in range(count))

    def _request(self) -> bytes:
        self.made += 1
        return b"".join([encode(*map(self._filled, words)) for words in self.commands])

    def _filled(self, word: str) -> bytes:
        dump = self.dumps.get(word)
        if isinstance(dump, bytes):
            return dump
        if "{" not in word:
            return word.encode()
        any = self.rng.randrange(self.size)
        numbers = {"any": any, "few": any % 100, "new": self.made, "half": self.size // 2, "n": self.size}
        return word.format(**numbers, near=self.size // 3, later=self.size // 2 + 99, most=self.size * 4 + 100).encode()


def _words(text: str) -> list[str]:
    """Words, of which one in quotes has spaces."""
    return [word for place, part in enumerate(text.split('"')) for word in ([part] if place % 2 else part.split())]


def _send(connection: Connection, commands: Iterator[bytes]) -> None:
    """Send commands, some at a time, and read whatever they are answered; raises `Failed` for an error."""
    mark = b"the end of some replies"
    end = b"$%d\r\n%b\r\n" % (len(mark), mark)
    while batch := list(itertools.islice(commands, _AT_ONCE)):
        connection.write(b"".join(batch) + encode(b"ECHO", mark))
        tail = b""
        while not tail.endswith(end):
            data = connection.socket.recv(1 << 20)
            if not data or (not tail and data.startswith(b"-")):
                raise Failed(data.partition(b"\r\n")[0].decode() or "the server has closed the connection")
            tail = tail[-100:] + data


def _measured(server: _Server, case: _Case, enough: float) -> float:
    """Microseconds of CPU time that the server needs for the commands of a case once."""
    if not case.count:
        _send(server.connection, case.requests(1))
        case.count = 1
        _await_rest(server.pid)
    while True:
        before = cpu_seconds(server.pid)
        _send(server.connection, case.requests(case.count))
        spent = cpu_seconds(server.pid) - before
        if spent >= enough:
            return spent / case.count * 1e6
        case.count *= min(max(int(1.2 * enough / max(spent, 1e-6)), 2), 100)


def _await_rest(pid: int) -> None:
    """Wait while the server is busy with what came before: it may free a large value by and by."""
    used = 1.0
    while used > _AT_REST:
        before = cpu_seconds(pid)
        time.sleep(_REST)
        used = (cpu_seconds(pid) - before) / _REST


def _figures(servers: Sequence[_Server], text: str, size: int, enough: float) -> list[float]:
    """Microseconds of a case on each server, in turns; of the rounds the least."""
    cases = [_Case(text, size, server.connection) for server in servers]
    rounds = [
        [_measured(server, case, enough) for server, case in zip(servers, cases, strict=True)] for _ in range(_ROUNDS)
    ]
    return [min(figures) for figures in zip(*rounds, strict=True)]


@contextlib.contextmanager
def _running(command: Callable[[int], list[str]]) -> Iterator[_Server]:
    """A server, with another client that listens to patterns."""
    port = servers.free_port()
    with servers.running(command(port), port) as process, contextlib.ExitStack() as stack:
        connection, listener = (stack.enter_context(contextlib.closing(connect(("127.0.0.1", port)))) for _ in range(2))
        listener.send([b"PSUBSCRIBE", *(b"n*[a-m]%d?*" % number for number in range(_PATTERNS))])
        yield _Server(process.pid, connection)


def run(options: argparse.Namespace) -> dict[str, Any]:
    if not Path("/proc/self/schedstat").exists():
        print("no accounts of CPU time in /proc: left out")
        return {}
    sizes = options.sizes or ([10] if options.smoke else list(_SIZES))
    enough = 0.0 if options.smoke else _ENOUGH
    figures: dict[str, list[float]] = {}
    with _running(servers.emulator_command) as ours, _running(servers.oracle_command) as theirs:
        for database, size in enumerate(sizes):
            for server in (ours, theirs):
                server.connection("SELECT", str(database))
                _load(server.connection, size)
            for text in CASES.strip().splitlines():
                figures[f"{text} @{size}"] = _figures((ours, theirs), text, size, enough)
        for text in ALONE.strip().splitlines():
            figures[text] = _figures((ours, theirs), text, 1, enough)
    ratios = {text: spent / max(oracle, 1e-3) for text, (spent, oracle) in figures.items()}
    print(f"{'microseconds of CPU time':<90}{'emulator':>12}{'oracle':>12}{'ratio':>8}")
    for text in sorted(ratios, key=lambda text: -ratios[text]):
        spent, oracle = figures[text]
        print(f"{text[:88]:<90}{spent:>12.2f}{oracle:>12.2f}{ratios[text]:>8.1f}")
    median = statistics.median(ratios.values())
    beyond = [text for text, ratio in ratios.items() if ratio > MOST and not text.startswith(EXCUSED)]
    print(f"{len(ratios)} cases, median {median:.1f}; beyond {MOST:g}: {', '.join(beyond) or 'none'}")
    return {"micros": figures, "ratios": ratios, "median": median, "beyond": beyond}
