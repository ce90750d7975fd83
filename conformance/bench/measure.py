"""Cases: commands on values of some size, and the CPU time that a server needs for them, in turns with another.

A case is a line: commands parted by `` ; ``, and before `` ;; `` those that prepare them and do not count.  ``{any}`` is an
element's index, ``{new}`` a new number, ``<key>`` a dump.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from conformance import servers
from conformance.bench.client import Failed, connect, encode
from conformance.bench.idle import cpu_seconds
from conformance.resp import Connection

_ROUNDS: Final = 2
_REST: Final = 0.06
"""Seconds to see whether a server is at rest,"""
_AT_REST: Final = 0.1
"""which it is where it uses less than this part of them."""
_AT_ONCE: Final = 16
"""Commands that a client sends at a time, as those of `conformance.bench.cpu` do,"""
_CLIENTS: Final = 12
"""and how many clients do so."""
_PATTERNS: Final = 100


class Server(NamedTuple):
    """A process and connections to it."""

    pid: int
    connections: Sequence[Connection]

    @property
    def connection(self) -> Connection:
        """The one for what is asked once."""
        return self.connections[0]


def words(text: str) -> list[str]:
    """Words, of which one in quotes has spaces."""
    return [word for place, part in enumerate(text.split('"')) for word in ([part] if place % 2 else part.split())]


def send(connections: Sequence[Connection], requests: Iterable[bytes], replies: int) -> None:
    """Send requests, to each connection some at a time, and skip the replies, so many to each; raises `Failed` for an error.

    All is made ready before, so that the clients, as quick as they can be, keep the server busy.
    """
    made = iter(requests)
    parts = list(iter(lambda: list(itertools.islice(made, _AT_ONCE)), []))
    batches = [(b"".join(part), replies * len(part)) for part in parts]
    for start in range(0, len(batches), len(connections)):
        asked = list(zip(connections, batches[start : start + len(connections)], strict=False))
        for connection, (data, _) in asked:
            connection.write(data)
        for connection, (_, count) in asked:
            _skip(connection, count)


def _skip(connection: Connection, left: int) -> None:
    """Read so many replies, which a connection could do, but not as quickly."""
    data, place = b"", 0
    while left:
        end = data.find(b"\r\n", place) + 2
        line = data[place:end]
        following = end + int(line[1:]) + 2 if line.startswith(b"$") and line != b"$-1\r\n" else end
        if end < 2 or following > len(data):
            more = connection.socket.recv(1 << 20)
            if not more:
                raise Failed("the server has closed the connection")
            data, place = data[place:] + more, 0
            continue
        if line.startswith(b"-"):
            raise Failed(line.decode().strip())
        left += int(line[1:]) - 1 if line.startswith(b"*") and line != b"*-1\r\n" else -1
        place = following


def await_rest(pid: int) -> None:
    """Wait while the server is busy with what came before: it may free a large value by and by."""
    used = 1.0
    while used > _AT_REST:
        before = cpu_seconds(pid)
        time.sleep(_REST)
        used = (cpu_seconds(pid) - before) / _REST


def _go_on(pid: int) -> None:
    """Wait for nothing."""


@contextlib.contextmanager
def running(command: Callable[[int], list[str]]) -> Iterator[Server]:
    """A server, with another client that listens to patterns."""
    port = servers.free_port()
    with servers.running(command(port), port) as process, contextlib.ExitStack() as stack:
        listener, *clients = (
            stack.enter_context(contextlib.closing(connect(("127.0.0.1", port)))) for _ in range(1 + _CLIENTS)
        )
        listener.send([b"PSUBSCRIBE", *(b"n*[a-m]%d?*" % number for number in range(_PATTERNS))])
        yield Server(process.pid, clients)


def chosen(cases: str, text: str | None) -> list[str]:
    """The cases, which stand one a line, or those of them that have a text, or one of several parted by ``|``."""
    parts = (text or "").split("|")
    return [case for case in cases.strip().splitlines() if any(part in case for part in parts)]


class Case:
    """One case on values of a size: endless requests."""

    def __init__(self, text: str, size: int, connection: Connection) -> None:
        before, _, counted = text.rpartition(" ;; ")
        self.prepared = [words(part) for part in before.split(" ; ")] if before else []
        self.commands = [words(part) for part in counted.split(" ; ")]
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

    def preparation(self) -> Iterator[bytes]:
        """The commands that prepare it."""
        return (self._request(self.prepared) for _ in range(bool(self.prepared)))

    def requests(self, count: int) -> Iterator[bytes]:
        """So many times the commands of the case."""
        if self.same:
            return itertools.repeat(self._request(self.commands), count)
        return (self._request(self.commands) for _ in range(count))

    def _request(self, commands: Sequence[Sequence[str]]) -> bytes:
        self.made += 1
        return b"".join([encode(*map(self._filled, words)) for words in commands])

    def _filled(self, word: str) -> bytes:
        dump = self.dumps.get(word)
        if isinstance(dump, bytes):
            return dump
        if "{" not in word:
            return word.encode()
        any = self.rng.randrange(self.size)
        numbers = {"any": any, "few": any % 100, "new": self.made, "half": self.size // 2, "n": self.size}
        return word.format(**numbers, near=self.size // 3, later=self.size // 2 + 99, most=self.size * 4 + 100).encode()


def _measured(server: Server, case: Case, enough: float) -> float:
    """Microseconds of CPU time that the server needs for the commands of a case once; measured for `enough` seconds, 0 to
    see that it can be."""
    rest = await_rest if enough else _go_on
    if case.prepared:
        return _once(server, case, rest)
    if not case.count:
        send(server.connections, case.requests(1), len(case.commands))
        case.count = 1
        rest(server.pid)
    while True:
        before = cpu_seconds(server.pid)
        send(server.connections, case.requests(case.count), len(case.commands))
        spent = cpu_seconds(server.pid) - before
        if spent >= enough:
            return spent / case.count * 1e6
        case.count *= min(max(int(1.2 * enough / max(spent, 1e-6)), 2), 100)


def _once(server: Server, case: Case, rest: Callable[[int], None]) -> float:
    """The same for a case that has to be prepared each time, with what the server does afterwards."""
    send(server.connections, case.preparation(), len(case.prepared))
    rest(server.pid)
    before = cpu_seconds(server.pid)
    send(server.connections, case.requests(1), len(case.commands))
    rest(server.pid)
    return (cpu_seconds(server.pid) - before) * 1e6


def show(name: str, servers: Sequence[Server], text: str, size: int, enough: float) -> list[float]:
    """Measure a case and print it under a name: the microseconds on each server, in turns; of the rounds the least."""
    cases = [Case(text, size, server.connection) for server in servers]
    rounds = [
        [_measured(server, case, enough) for server, case in zip(servers, cases, strict=True)]
        for _ in range(_ROUNDS if enough else 1)
    ]
    ours, theirs = (min(figures) for figures in zip(*rounds, strict=True))
    print(f"{name[:88]:<90}{ours:>12.2f}{theirs:>12.2f}{_ratio(ours, theirs):>8.1f}", flush=True)
    return [ours, theirs]


def _ratio(ours: float, theirs: float) -> float:
    return ours / max(theirs, 1e-3)


def head() -> None:
    """Print what stands in the columns."""
    print(f"{'microseconds of CPU time':<90}{'emulator':>12}{'oracle':>12}{'ratio':>8}")


def report(found: dict[str, list[float]], most: float, excused: tuple[str, ...] = ()) -> dict[str, Any]:
    """All figures, and which ratios are beyond `most`, which is printed with the worst one first."""
    if not found:
        raise Failed("no case has that text")
    ratios = {text: _ratio(ours, theirs) for text, (ours, theirs) in found.items()}
    worst = sorted(ratios, key=lambda text: -ratios[text])
    beyond = [text for text in worst if ratios[text] > most and not text.startswith(excused)]
    median = statistics.median(ratios.values())
    print(f"{len(ratios)} cases, median {median:.1f}; {len(beyond)} beyond {most:g}:")
    print("".join(f"{ratios[text]:>8.1f}  {text}\n" for text in beyond), end="")
    return {"micros": found, "ratios": ratios, "median": median, "beyond": beyond}
