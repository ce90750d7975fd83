"""A program: commands on a few connections, played on both servers and compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import groupby

from conformance.compare import equal
from conformance.fuzz.looseness import Looseness
from conformance.resp import Closed, Connection, Reply, Silent, encoded

Address = tuple[str, int]
Words = list[bytes]

_PLAIN_WORD = re.compile(rb"[\x21\x23-\x26\x28-\x5b\x5d-\x7e]+")
_NO_REPLY = b"~~"
_PATIENCE = 10.0
_CHECK_DATABASES = (b"0", b"1")


@dataclass
class Program:
    """Settings other than the usual ones, the protocol of each connection, and the commands with their connections."""

    settings: dict[str, str]
    protocols: dict[str, int]
    steps: list[tuple[str, Words]]

    def as_case(self, name: str) -> str:
        """The program as a case to paste."""
        settings = [f"CONFIG SET {name} {value}" for name, value in self.settings.items()]
        protocol = set(self.protocols.values())
        tag = f" @resp{protocol.pop()}" if len(protocol) == 1 else ""
        lines = [f"{place}: {' '.join(map(quoted, words))}" for place, words in self.steps]
        return "\n".join([f"=== {name}{tag}", *settings, *lines])


def quoted(word: bytes) -> str:
    """A word as a case file has it."""
    if _PLAIN_WORD.fullmatch(word):
        return word.decode()
    return (
        '"' + "".join(f"\\x{byte:02x}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in word) + '"'
    )


@dataclass
class Difference:
    """Where the servers part: the step's number, its words, and both replies."""

    step: int
    words: Words
    ours: Reply
    theirs: Reply

    def __str__(self) -> str:
        ours, theirs = str(self.ours).splitlines(), str(self.theirs).splitlines()
        lines = unified_diff(theirs, ours, "oracle", "subject", n=4, lineterm="")
        return "\n    ".join([" ".join(map(quoted, self.words)), *lines])


class Player:
    """Plays programs on two servers."""

    def __init__(self, subject: Address, oracle: Address, looseness: Looseness, usual: dict[str, str]) -> None:
        self.addresses = (subject, oracle)
        self.looseness = looseness
        self.usual = usual
        self.controls = [Connection(address, 30.0) for address in self.addresses]
        for control in self.controls:
            control("CONFIG", "SET", "hz", "500")  # so that the timeouts of blocked clients are seen to soon

    def play(self, program: Program) -> Difference | None:
        """The first difference, in the replies or, after them, in the data; None where there is none."""
        for control in self.controls:
            control("FLUSHALL")
            for name, value in (self.usual | program.settings).items():
                control("CONFIG", "SET", name, value)
        links = [
            {name: _open(address, protocol) for name, protocol in program.protocols.items()}
            for address in self.addresses
        ]
        try:
            return self._replies(program, *links) or self._data(len(program.steps))
        finally:
            for side in links:
                for link in side.values():
                    link.close()

    def _replies(self, program: Program, *links: dict[str, Connection]) -> Difference | None:
        queues: dict[str, list[Words]] = {}
        number = 0
        for name, run in groupby(program.steps, key=lambda step: step[0]):
            batch = [words for _, words in run]
            for side in links:
                side[name].write(b"".join(map(encoded, batch)))
            for words in batch:
                ours, theirs = (_read(side[name]) for side in links)
                if _NO_REPLY in (ours.kind, theirs.kind) or not self._agree(
                    words, ours, theirs, queues.setdefault(name, [])
                ):
                    return Difference(number, words, ours, theirs)
                number += 1
        return None

    def _agree(self, words: Words, ours: Reply, theirs: Reply, queue: list[Words]) -> bool:
        """Whether two replies agree; the commands queued by MULTI are kept to judge the answers of EXEC by."""
        name = words[0].lower()
        if theirs == (b"+", b"QUEUED"):
            queue.append(words)
            return ours == theirs
        if name == b"exec" and isinstance(theirs.value, list) and isinstance(ours.value, list):
            queued, queue[:] = list(queue), []
            return len(ours.value) == len(theirs.value) and all(map(self._equal, queued, ours.value, theirs.value))
        if name in (b"exec", b"discard", b"multi") and theirs.kind != b"-":
            queue.clear()
        return self._equal(words, ours, theirs)

    def _equal(self, words: Words, ours: Reply, theirs: Reply) -> bool:
        step = self.looseness.of(words)
        return step is None or equal([ours], [theirs], step)

    def _data(self, number: int) -> Difference | None:
        """Compare what the databases hold."""
        for database in _CHECK_DATABASES:
            for control in self.controls:
                control("SELECT", database)
            listed = [control("KEYS", "*") for control in self.controls]
            difference = self._judge(number, [b"KEYS", b"*"], *listed)
            if difference is not None:
                return difference
            assert isinstance(listed[1].value, list)
            for key in sorted(str(reply.value) for reply in listed[1].value):
                difference = self._key(number, key.encode()[2:-1].decode("unicode_escape").encode("latin-1"))
                if difference is not None:
                    return difference
        return None

    def _key(self, number: int, key: bytes) -> Difference | None:
        kind = self.controls[1]("TYPE", key).value
        for words in _looks(key, kind if isinstance(kind, bytes) else b""):
            difference = self._judge(number, words, *(control(*words) for control in self.controls))
            if difference is not None:
                return difference
        return None

    def _judge(self, number: int, words: Words, ours: Reply, theirs: Reply) -> Difference | None:
        return None if self._equal(words, ours, theirs) else Difference(number, words, ours, theirs)


def _looks(key: bytes, kind: bytes) -> Iterator[Words]:
    """The commands by which a key of some type is looked at whole."""
    yield [b"TYPE", key]
    yield [b"OBJECT", b"ENCODING", key]
    yield [b"PTTL", key]
    whole: dict[bytes, Sequence[bytes]] = {
        b"string": (b"GET", key),
        b"list": (b"LRANGE", key, b"0", b"-1"),
        b"hash": (b"HGETALL", key),
        b"set": (b"SMEMBERS", key),
        b"zset": (b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"),
        b"stream": (b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"),
        b"ReJSON-RL": (b"JSON.GET", key),
    }
    if kind in whole:
        yield list(whole[kind])


def _read(connection: Connection) -> Reply:
    """The next reply, or that there is none: a server that waits or ends is a difference, too."""
    try:
        return connection.read()
    except Silent:
        return Reply(_NO_REPLY, b"silence")
    except Closed:
        return Reply(_NO_REPLY, b"the end of the connection")


def _open(address: Address, protocol: int) -> Connection:
    connection = Connection(address, _PATIENCE)
    connection("HELLO", str(protocol))
    return connection
