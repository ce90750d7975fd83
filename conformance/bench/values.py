"""All kinds of values with so many elements, for the benchmarks that ask each command for its CPU time."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterable, Iterator
from typing import Final

from conformance.bench.client import encode, pipeline
from conformance.resp import Connection

_CHUNK: Final = 500


_SAY_STRINGS: Final = frozenset(("w", "KEYS", "SCAN", "scan", "RANDOMKEY"))
"""Words of a case any of which says that it needs the many small strings."""


def load(connection: Connection, size: int, cases: Iterable[str]) -> None:
    """Make the values whose keys the cases name: a list ``l``, a set ``s``, a sorted set ``z`` and so on."""
    named = set(re.findall(r"\w+", "\n".join(cases)))

    def needs(key: str) -> bool:
        return key in named or (key == "w" and not named.isdisjoint(_SAY_STRINGS))

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
        ("MSET", "w"): (word for index in range(size) for word in (b"w:%d" % index, b"%d" % shuffled[index])),
        ("PFADD", "p"): (b"e%d" % index for index in range(size)),
        ("PFADD", "p2"): (b"d%d" % index for index in range(size)),
        ("PFADD", "sparse"): (b"e%d" % index for index in range(min(size, 100))),
        ("GEOADD", "g"): _places(rng, size),
    }
    for (command, key), words in kinds.items():
        if not needs(key):
            continue
        head = [b"MSET"] if command == "MSET" else [command.encode(), key.encode()]
        chunks = iter(lambda words=words: list(itertools.islice(words, 6 * _CHUNK)), [])
        pipeline(connection, (encode(*head, *chunk) for chunk in chunks))
    for stream, delivered in ("x", min(size, 1000)), ("pel", size):
        if needs(stream):
            _load_stream(connection, stream.encode(), size, delivered)
    for bitmap in filter(needs, ("b", "b2")):
        connection("SET", bitmap, rng.randbytes(8 * size))
    for text in filter(needs, ("one", "other")):
        connection("SET", text, bytes(rng.choices(b"abcd", k=math.isqrt(size))))
    connection("SET", "empty", bytes(8 * size))
    connection("SET", "t", b"".join(b"%08d" % number for number in shuffled))
    for index in range(min(size, 5000)) if needs("v") else ():
        connection("VADD", "v", "VALUES", "8", *(b"%f" % rng.uniform(-1, 1) for _ in range(8)), b"p%d" % index)


def _load_stream(connection: Connection, key: bytes, size: int, delivered: int) -> None:
    pipeline(connection, (encode(b"XADD", key, b"%d-1" % index, b"f", b"v%d" % index) for index in range(1, size + 1)))
    for group in ("g", "g2"):
        connection("XGROUP", "CREATE", key, group, "0")
    connection("XREADGROUP", "GROUP", "g", "c", "COUNT", b"%d" % delivered, "STREAMS", key, ">")


def _places(rng: random.Random, size: int) -> Iterator[bytes]:
    for index in range(size):
        yield from (b"%.6f" % rng.uniform(-180, 180), b"%.6f" % rng.uniform(-80, 80), b"p%d" % index)
