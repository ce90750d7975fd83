"""How long others wait: the worst PING of another client while one thing takes long.

Each takes as long as it takes: to free a million of something, or what is due at one moment, must not hold up anybody for
more than 20 ms.  A command that reads or writes a million elements holds up everybody, here as in Redis: of these it is
shown for how long, and `heavy` has what they cost.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from conformance.bench.client import SERVERS, Failed, connect, encode, ping_latencies, pipeline
from conformance.resp import Connection
from conformance.servers import Address

_SIZE = 1_000_000
_CHUNK = 500
_MOST_MS = 20.0
_INTERVAL = 0.01
"""Seconds between PINGs: more than each takes while something is done in slices, or they would queue up behind each other."""

Load = Callable[[Connection, int], None]


def _chunks(command: bytes, key: bytes, words: Iterator[bytes], each: int) -> Iterator[bytes]:
    """Commands that add `words`, `_CHUNK` elements of `each` words at a time."""
    chunk: list[bytes] = []
    for word in words:
        chunk.append(word)
        if len(chunk) == _CHUNK * each:
            yield encode(command, key, *chunk)
            chunk.clear()
    if chunk:
        yield encode(command, key, *chunk)


def _words(size: int, *formats: bytes) -> Iterator[bytes]:
    return (form % number for number in range(size) for form in formats)


def _load_keys(connection: Connection, size: int) -> None:
    pipeline(connection, (encode(b"MSET", *_words_from(start, size)) for start in range(0, size, _CHUNK)))


def _words_from(start: int, size: int) -> Iterable[bytes]:
    for number in range(start, min(start + _CHUNK, size)):
        yield b"key:%d" % number
        yield b"v"


def _loader(command: bytes, key: bytes, *formats: bytes) -> Load:
    def load(connection: Connection, size: int) -> None:
        pipeline(connection, _chunks(command, key, _words(size, *formats), len(formats)))

    return load


_LIST = _loader(b"RPUSH", b"l", b"%d")
_HASH = _loader(b"HSET", b"h", b"field:%d", b"v%d")
_SET = _loader(b"SADD", b"s", b"member:%d")
_ZSET = _loader(b"ZADD", b"z", b"%d", b"member:%d")


def _two_sets(connection: Connection, size: int) -> None:
    _SET(connection, size // 2)
    _loader(b"SADD", b"s2", b"other:%d")(connection, size // 2)


def _stream(connection: Connection, size: int) -> None:
    pipeline(connection, (encode(b"XADD", b"x", b"%d-1" % number, b"f", b"v") for number in range(1, size + 1)))


FREEING: dict[str, tuple[Load, tuple[bytes, ...]]] = {
    "FLUSHALL": (_load_keys, (b"FLUSHALL",)),
    "DEL of a list": (_LIST, (b"DEL", b"l")),
    "DEL of a hash": (_HASH, (b"DEL", b"h")),
    "DEL of a set": (_SET, (b"DEL", b"s")),
    "DEL of a zset": (_ZSET, (b"DEL", b"z")),
    "DEL of a stream": (_stream, (b"DEL", b"x")),
    "UNLINK of a zset": (_ZSET, (b"UNLINK", b"z")),
    "SET over a zset": (_ZSET, (b"SET", b"z", b"v")),
    "RENAME over a hash": (_HASH, (b"EVAL", b"redis.call('set', 'v', 1) return redis.call('rename', 'v', 'h')", b"0")),
    "SUNIONSTORE over a set": (_SET, (b"SUNIONSTORE", b"s", b"none")),
    "FLUSHDB": (_load_keys, (b"FLUSHDB",)),
    "LTRIM of all": (_LIST, (b"LTRIM", b"l", b"1", b"0")),
}

WHOLE: dict[str, tuple[Load, tuple[bytes, ...]]] = {
    "SORT with STORE": (_LIST, (b"SORT", b"l", b"STORE", b"d")),
    "LRANGE": (_LIST, (b"LRANGE", b"l", b"0", b"-1")),
    "ZRANGE": (_ZSET, (b"ZRANGE", b"z", b"0", b"-1")),
    "DUMP of a zset": (_ZSET, (b"DUMP", b"z")),
    "SUNIONSTORE": (_two_sets, (b"SUNIONSTORE", b"d", b"s", b"s2")),
}
"""Commands that are one step each, however long they take."""


def _drain(connection: Connection, request: bytes) -> None:
    """Send a request and read whatever comes until the end of the ECHO behind it."""
    mark = b"the end of a long reply"
    connection.write(request + encode(b"ECHO", mark))
    end = b"$%d\r\n%b\r\n" % (len(mark), mark)
    tail = b""
    while not tail.endswith(end):
        data = connection.socket.recv(1 << 20)
        if not data:
            raise Failed("the server has closed the connection")
        tail = (tail + data)[-200:]


def _while_pinging(address: Address, work: Callable[[], None]) -> float:
    """The worst PING, in milliseconds, of another client while `work` is done, and shortly after."""
    other = connect(address)
    other("PING")
    working = threading.Thread(target=work)
    working.start()
    ended = 0.0

    def going() -> bool:
        nonlocal ended
        if working.is_alive():
            return True
        ended = ended or time.perf_counter()
        return time.perf_counter() - ended < 0.2

    worst = max(ping_latencies(other, going, _INTERVAL))
    working.join()
    other.close()
    return worst


def _measured(address: Address, load: Load, size: int, words: Iterable[bytes]) -> float:
    """The worst PING (ms) during a command on what `load` makes."""
    connection = connect(address)
    connection("FLUSHALL")
    load(connection, size)
    worst = _while_pinging(address, lambda: _drain(connection, encode(*words)))
    connection.close()
    return worst


def _keys_due(connection: Connection, size: int, moment: int) -> None:
    pipeline(connection, (encode(b"SET", b"e%d" % number, b"v", b"PXAT", b"%d" % moment) for number in range(size)))


def _fields_due(connection: Connection, size: int, moment: int) -> None:
    _HASH(connection, size)
    fields = (b"field:%d" % number for number in range(size))
    chunks: list[list[bytes]] = [[]]
    for field in fields:
        if len(chunks[-1]) == _CHUNK:
            chunks.append([])
        chunks[-1].append(field)
    pipeline(
        connection,
        (encode(b"HPEXPIREAT", b"h", b"%d" % moment, b"FIELDS", b"%d" % len(chunk), *chunk) for chunk in chunks),
    )


def _large_keys_due(connection: Connection, size: int, moment: int) -> None:
    """Sorted sets of a thousand members each."""
    keys = [b"z%d" % number for number in range(size // 1000)]
    pipeline(
        connection, chain.from_iterable(_chunks(b"ZADD", key, _words(1000, b"%d", b"member:%d"), 2) for key in keys)
    )
    pipeline(connection, (encode(b"PEXPIREAT", key, b"%d" % moment) for key in keys))


def _due(address: Address, load: Callable[[Connection, int, int], None], size: int) -> float:
    """The worst PING while what `load` makes falls due at one moment, until it is gone."""
    connection = connect(address)
    connection("FLUSHALL")
    started = time.time()
    load(connection, size, int((started + 3600) * 1000))
    planned = (time.time() - started) * 1.5 + 0.5
    while True:
        moment = time.time() + planned
        load(connection, size, int(moment * 1000))
        if time.time() < moment:
            break
        planned *= 2

    def wait_until_gone() -> None:
        while connection("DBSIZE").value != b"0":
            time.sleep(0.005)

    time.sleep(max(moment - time.time() - 0.1, 0))
    worst = _while_pinging(address, wait_until_gone)
    connection.close()
    return worst


DUE = {
    "keys due at once": (_keys_due, 0.3),
    "fields due at once": (_fields_due, 0.1),
    "large keys due at once": (_large_keys_due, 1.0),
}


def run(options: argparse.Namespace) -> dict[str, Any]:
    size = options.sizes[0] if options.sizes else 3000 if options.smoke else _SIZE
    figures: dict[str, dict[str, float]] = {}
    for name, server in SERVERS.items():
        with server() as address:
            for title, (load, words) in FREEING.items():
                figures.setdefault(title, {})[name] = _measured(address, load, size, words)
            for title, (load_due, part) in DUE.items():
                figures.setdefault(title, {})[name] = _due(address, load_due, int(size * part))
            for title, (load, words) in WHOLE.items():
                figures.setdefault(title, {})[name] = _measured(address, load, size, words)
    print(
        f"{size} elements: another client's worst PING in ms, at most {_MOST_MS:g} but for a command that is one step"
    )
    print(f"{'':<24}" + "".join(f"{name:>10}" for name in SERVERS))
    for title, row in figures.items():
        print(f"{title:<24}" + "".join(f"{worst:>10.1f}" for worst in row.values()))
    return {"size": size, "worst_ms": figures}
