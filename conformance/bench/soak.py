"""A soak: a mixed load of many clients with eviction at work, hostile clients among them.

Each good client keeps data of its own that must never be lost, with a model of it, and fills a cache whose keys expire and
may be evicted.  At the end every key is compared with the models.  No error is expected; the memory in use must stay
within a tenth above ``maxmemory``.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from conformance import servers
from conformance.bench.client import Failed, connect, encode
from conformance.resp import Closed, Connection, Reply
from conformance.servers import Address

_TOLERANCE = 1.1
_FIELDS = 100
_OPTIONS = (
    "--maxmemory-policy",
    "volatile-lru",
    "--client-output-buffer-limit",
    "normal 1mb 512kb 5 pubsub 1mb 512kb 5",
)


def _filler(key: bytes) -> bytes:
    """The value of a key of the cache: who finds another one has found a fault."""
    chance = random.Random(key)
    return (key + b":") * chance.randrange(5, 200)


class _Good:
    """A client with data that must stay, a ``model`` of it, and a cache."""

    def __init__(self, address: Address, number: int) -> None:
        self.connection = Connection(address, 60.0)
        self.name = b"c%d" % number
        self.chance = random.Random(number)
        self.strings: dict[bytes, bytes] = {}
        self.hash: dict[bytes, bytes] = {}
        self.set: set[bytes] = set()
        self.scores: dict[bytes, int] = {}
        self.list: list[bytes] = []
        self.counter = self.commands = 0
        self.error: BaseException | None = None

    def ask(self, *words: bytes) -> Reply:
        self.commands += 1
        reply = self.connection(*words)
        if reply.kind == b"-":
            raise Failed(f"{b' '.join(words[:2])!r} was answered {reply.value!r}")
        return reply

    def run(self, going: Callable[[], bool]) -> None:
        steps = (self._string, self._hash, self._set, self._sorted, self._list, self._count, self._cache, self._cache)
        try:
            while going():
                self.chance.choice(steps)()
        except BaseException as error:
            self.error = error

    def _key(self, kind: bytes) -> bytes:
        return self.name + b":" + kind

    def _word(self) -> bytes:
        return b"%d" % self.chance.randrange(_FIELDS)

    def _string(self) -> None:
        key = self._key(b"s" + self._word())
        if self.chance.random() < 0.2:
            self.ask(b"DEL", key)
            self.strings.pop(key, None)
        else:
            self.strings[key] = value = self._word() * self.chance.randrange(1, 50)
            self.ask(b"SET", key, value)

    def _hash(self) -> None:
        field, value = self._word(), self._word() * 5
        self.ask(b"HSET", self._key(b"h"), field, value)
        self.hash[field] = value

    def _set(self) -> None:
        member = self._word()
        if self.chance.random() < 0.4:
            self.ask(b"SREM", self._key(b"set"), member)
            self.set.discard(member)
        else:
            self.ask(b"SADD", self._key(b"set"), member)
            self.set.add(member)

    def _sorted(self) -> None:
        member, score = self._word(), self.chance.randrange(1000)
        self.ask(b"ZADD", self._key(b"z"), b"%d" % score, member)
        self.scores[member] = score

    def _list(self) -> None:
        if len(self.list) > _FIELDS:
            self.ask(b"LPOP", self._key(b"l"))
            del self.list[0]
        else:
            value = self._word()
            self.ask(b"RPUSH", self._key(b"l"), value)
            self.list.append(value)

    def _count(self) -> None:
        script = b"return redis.call('incr', KEYS[1])"
        self.ask(b"EVAL", script, b"1", self._key(b"n"))
        self.counter += 1

    def _cache(self) -> None:
        key = self._key(b"cache:%d" % self.chance.randrange(100_000))
        found = self.ask(b"GET", key).value
        if found is None:
            self.ask(b"SET", key, _filler(key), b"EX", b"%d" % self.chance.randrange(1, 7200))
        elif found != _filler(key):
            raise Failed(f"{key!r} has another value than it was given")

    def verify(self) -> int:
        """Compare every key with the model; how many there are."""
        for key, value in self.strings.items():
            self._expect(self.ask(b"GET", key), value)
        fields = _values(self.ask(b"HGETALL", self._key(b"h")))
        self._expect(dict(zip(fields[::2], fields[1::2], strict=True)), self.hash)
        self._expect(set(_values(self.ask(b"SMEMBERS", self._key(b"set")))), self.set)
        scored = _values(self.ask(b"ZRANGE", self._key(b"z"), b"0", b"-1", b"WITHSCORES"))
        found = {member: int(score) for member, score in zip(scored[::2], scored[1::2], strict=True)}
        self._expect(found, self.scores)
        self._expect(_values(self.ask(b"LRANGE", self._key(b"l"), b"0", b"-1")), self.list)
        self._expect(int(_text(self.ask(b"GET", self._key(b"n"))) or 0), self.counter)
        return len(self.strings) + 5

    def _expect(self, found: object, wanted: object) -> None:
        actual = found.value if isinstance(found, Reply) else found
        if actual != wanted:
            raise Failed(f"{self.name!r} lost something: {str(actual)[:200]} where {str(wanted)[:200]} should be")


def _values(reply: Reply) -> list[bytes]:
    assert isinstance(reply.value, list)
    return [_text(item) for item in reply.value]


def _text(reply: Reply) -> bytes:
    return reply.value if isinstance(reply.value, bytes) else b""


# Those who mean harm


def _garbage(sock: socket.socket, stop: threading.Event) -> None:
    sock.sendall(b"\xff\x00garbage\r\n*1\r\n$x\r\n" * 20)


def _torn_command(sock: socket.socket, stop: threading.Event) -> None:
    sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n")
    for _ in range(100):
        sock.sendall(b"x" * 100)
        if stop.wait(0.005):
            return


def _never_reads(sock: socket.socket, stop: threading.Event) -> None:
    sock.sendall(encode(b"SETEX", b"c0:cache:large", b"60", b"x" * 100_000))
    while not stop.wait(0.01):
        sock.sendall(encode(b"GET", b"c0:cache:large") * 5)


def _wrong_commands(sock: socket.socket, stop: threading.Event) -> None:
    sock.sendall(
        encode(b"LPUSH", b"c0:h", b"x") + encode(b"NOSUCH") + encode(b"GET") + encode(b"EVAL", b"error(", b"0")
    )
    sock.recv(1000)


def _cross_protocol(sock: socket.socket, stop: threading.Event) -> None:
    sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nFLUSHALL\r\n")
    sock.recv(1000)


_HOSTILE = (_garbage, _torn_command, _never_reads, _wrong_commands, _cross_protocol)


def _harm(address: Address, act: Callable[[socket.socket, threading.Event], None], stop: threading.Event) -> None:
    while not stop.wait(0.02):
        with contextlib.suppress(OSError), socket.create_connection(address, 5) as sock:
            act(sock, stop)


# The soak


class _Watch:
    """What the server says of its memory while the load goes on."""

    def __init__(self, address: Address, limit: int) -> None:
        self.connection = connect(address)
        self.limit = limit
        self.highest = self.last = self.evicted = 0

    def look(self) -> None:
        text = _text(self.connection("INFO", "memory", "stats"))
        figures = dict(line.split(b":", 1) for line in text.split(b"\r\n") if b":" in line)
        self.last = int(figures[b"used_memory"])
        self.highest = max(self.highest, self.last)
        self.evicted = int(figures[b"evicted_keys"])


def _soak(address: Address, clients: int, seconds: float, limit: int) -> dict[str, float]:
    end = time.monotonic() + seconds
    stop = threading.Event()
    hostile = max(clients // 10, 1)
    good = [_Good(address, number) for number in range(clients - hostile)]
    threads = [threading.Thread(target=each.run, args=(lambda: time.monotonic() < end,)) for each in good]
    threads += [
        threading.Thread(target=_harm, args=(address, _HOSTILE[number % len(_HOSTILE)], stop))
        for number in range(hostile)
    ]
    watch = _Watch(address, limit)
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        time.sleep(0.1)
        watch.look()
    stop.set()
    for thread in threads:
        thread.join()
    watch.look()
    for each in good:
        if each.error is not None:
            raise Failed(f"{each.name!r}: {each.error!r}")
    try:
        verified = sum(each.verify() for each in good)
    except Closed:
        raise Failed("the server closed a good client's connection") from None
    if watch.highest > limit * _TOLERANCE:
        raise Failed(f"{watch.highest} bytes in use, with a maxmemory of {limit}")
    commands = sum(each.commands for each in good)
    print(
        f"{len(good)} clients and {hostile} hostile ones, {seconds:g} s: {commands} commands, {verified} keys verified, "
        f"{watch.evicted} evicted; {watch.highest / limit:.3f} of maxmemory used at most, {watch.last / limit:.3f} in the end"
    )
    return {
        "commands": commands,
        "keys_verified": verified,
        "evicted": watch.evicted,
        "highest_of_limit": watch.highest / limit,
        "last_of_limit": watch.last / limit,
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    limit = 4 << 20 if options.smoke else 32 << 20
    seconds = options.seconds or (1 if options.smoke else 60)
    settings = ("--maxmemory", str(limit), *_OPTIONS)
    figures: dict[str, Any] = {}
    for name, server in (("emulator", servers.emulator), ("oracle", servers.oracle)):
        print(name)
        with server(None, *settings) as address:
            figures[name] = _soak(address, 10 if options.smoke else 50, seconds, limit)
    return figures
