"""MEMORY USAGE beside the real server's: every type, from one element to many, each encoding."""

import random
from collections.abc import Callable

import pytest
import redis

from conformance import servers

Command = tuple[object, ...]
Commands = Callable[[], list[Command]]
CASES: dict[str, tuple[Command | Commands, ...]] = {}
_PARTS = 1000


def case(name: str, *commands: Command | Commands) -> None:
    CASES[name] = commands


def in_parts(count: int, *head: object, words) -> Commands:
    """Commands that add `count` elements a thousand at a time; `words` gives those of a number.

    They are made when they are played: each worker collects all cases, and plays a few.
    """
    return lambda: [
        (*head, *(word for number in range(start, min(start + _PARTS, count)) for word in words(number)))
        for start in range(0, count, _PARTS)
    ]


def vectors(count: int) -> list[tuple[object, ...]]:
    numbers = random.Random(1)
    return [("VADD", "k", "VALUES", 100, *(numbers.random() for _ in range(100)), f"e{i}") for i in range(count)]


for n in (1, 2, 5, 10, 100, 128, 500, 1000, 2000, 5000, 10_000, 20_000, 33_000):
    case(f"hash of {n} integers", in_parts(n, "HSET", "k", words=lambda i: (i, i)))
    case(f"hash of {n}", in_parts(n, "HSET", "k", words=lambda i: (f"field:{i}", f"value{i}")))
    case(f"hash of {n} long values", in_parts(n, "HSET", "k", words=lambda i: (f"field:{i}", "v" * 100)))
    case(f"set of {n} integers", in_parts(n, "SADD", "k", words=lambda i: (i,)))
    case(f"set of {n} large integers", in_parts(n, "SADD", "k", words=lambda i: (i * 10**10,)))
    case(f"set of {n}", in_parts(n, "SADD", "k", words=lambda i: (f"member:{i}",)))
    case(f"sorted set of {n} integers", in_parts(n, "ZADD", "k", words=lambda i: (i, i)))
    case(f"sorted set of {n}", in_parts(n, "ZADD", "k", words=lambda i: (i + 0.5, f"m{i}")))
    case(f"list of {n} integers", in_parts(n, "RPUSH", "k", words=lambda i: (i,)))
    case(f"list of {n}", in_parts(n, "RPUSH", "k", words=lambda i: ("x" * 50,)))
    case(f"{n} points", in_parts(n, "GEOADD", "k", words=lambda i: (i % 180, i % 80, f"p{i}")))
for n in (1, 10, 100, 128, 500, 2000):
    entries = [("XADD", "k", f"{i + 1}-1", "f", "v") for i in range(n)]
    read = ("XREADGROUP", "GROUP", "g", "c", "COUNT", n, "STREAMS", "k", ">")
    case(f"stream of {n}", *entries)
    case(f"stream of {n}, wide", *[("XADD", "k", f"{i + 1}-1", "field", "x" * 100, "g", i) for i in range(n)])
    case(f"stream of {n}, pending", *entries, ("XGROUP", "CREATE", "k", "g", "0"), read)
for n in (1, 10, 100, 1000):
    case(f"{n} groups", ("XADD", "k", "1-1", "f", "v"), *[("XGROUP", "CREATE", "k", f"g{i}", "0") for i in range(n)])
for size in (1, 10, 20, 40, 44, 45, 60, 64, 70, 100, 200, 500, 1000, 10_000, 100_000):
    case(f"string of {size}", ("SET", "k", "x" * size))
    case(f"string of {size} that expires", ("SET", "k", "x" * size, "EX", "1000"))
    case(f"string of {size} by SETRANGE", ("SETRANGE", "k", size, "y"))
    case(f"string of {size} by SETBIT", ("SETBIT", "k", size * 8, 1))
    case(f"hash of a value of {size}", ("HSET", "k", "f", "v" * size))
    case(f"sorted set of a member of {size}", ("ZADD", "k", 1, "v" * size))
    case(f"set of a member of {size}", ("SADD", "k", "v" * size))
    case(f"list of a value of {size}", ("RPUSH", "k", "v" * size))
for n in (12, 1234, 123456, 12345678901, -5, 2**62):
    case(f"string {n}", ("SET", "k", n))
for n in (1, 10, 100, 600, 1000, 5000):
    names = [f"f{i}" for i in range(n)]
    fields = [word for name in names for word in (name, 1)]
    case(f"hash of {n} that expire", ("HSET", "k", *fields), ("HEXPIRE", "k", 1000, "FIELDS", n, *names))
case("hash, some of which expires", ("HSET", "k", "f", 1, "g", 2, "h", 3), ("HEXPIRE", "k", 1000, "FIELDS", 1, "f"))
for n in (1, 10, 300):
    case(f"vector set of {n}", *vectors(n))
    case(f"vector set of {n}, not quantised", *[(*words, "NOQUANT") for words in vectors(n)])
case("HyperLogLog, dense", in_parts(20_000, "PFADD", "k", words=lambda i: (i,)))


@pytest.fixture(scope="module")
def both(oracle_present):
    """Clients of the real server and of ours."""
    with servers.oracle() as oracle, servers.emulator() as emulator:
        yield redis.Redis(*oracle), redis.Redis(*emulator)


@pytest.mark.parametrize("name", CASES)
def test_memory_usage_is_within_a_tenth(both, name):
    figures = []
    for client in both:
        client.flushall()
        pipeline = client.pipeline(transaction=False)
        for command in CASES[name]:
            for words in command() if callable(command) else (command,):
                pipeline.execute_command(*words)
        pipeline.execute()
        figures.append(client.memory_usage("k", samples=0))
    assert figures[1] == pytest.approx(figures[0], rel=0.1)
