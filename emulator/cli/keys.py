"""Modes that walk over all keys: ``--scan``, ``--bigkeys``, ``--memkeys`` and ``--hotkeys``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from emulator.cli.connection import ServerConnection
from emulator.cli.conversation import Conversation, Failed
from emulator.cli.formatting import RAW
from emulator.protocol.client_side import encoded
from emulator.protocol.errors import CommandError
from emulator.protocol.inline import quoted
from emulator.protocol.replies import Received

_HEADLINE: Final = """
# Scanning the entire keyspace to find {what} as well as
# average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec
# per 100 SCAN commands (not usually needed).

"""
_SUMMARY: Final = "\n-------- summary -------\n\nSampled {keys} keys in the keyspace!\n"
_HOTTEST: Final = 16
_SCANS_BETWEEN_PAUSES: Final = 100
_KEYS_BETWEEN_NEWS: Final = 1_000_000


class _Measure(NamedTuple):
    """How large a value of a type is: the command that tells it, and what it counts."""

    command: bytes
    unit: str


_MEASURES: Final = {
    b"string": _Measure(b"STRLEN", "bytes"),
    b"list": _Measure(b"LLEN", "items"),
    b"hash": _Measure(b"HLEN", "fields"),
    b"stream": _Measure(b"XLEN", "entries"),
    b"set": _Measure(b"SCARD", "members"),
    b"zset": _Measure(b"ZCARD", "members"),
}


class _Tally:
    """What has been seen of a type."""

    def __init__(self, name: bytes, unit: str) -> None:
        self.name, self.unit = name.decode(), unit
        self.keys = self.total = self.largest = 0
        self.largest_key = ""


def list_keys(conversation: Conversation) -> int:
    """Print the names of all keys."""
    raw = conversation.options.output == RAW
    for names in _batches(conversation):
        conversation.write(b"".join((name if raw else quoted(name)) + b"\n" for name in names))
    return 0


def sample_keys(conversation: Conversation) -> int:
    """Look at every key, and tell which are the largest or those used most."""
    if conversation.options.mode == "hotkeys":
        _find_hot_keys(conversation)
    else:
        _find_large_keys(conversation)
    return 0


def _batches(conversation: Conversation) -> Iterator[list[bytes]]:
    options = conversation.options
    connection = conversation.connection
    assert connection is not None
    more = [b"MATCH", options.pattern] if options.pattern else []
    more += [b"COUNT", b"%d" % options.count] if options.count else []
    cursor, scans = b"0", 0
    while True:
        cursor, names = _answer(connection, [b"SCAN", cursor, *more])
        yield names
        scans += 1
        if cursor == b"0":
            return
        if options.interval and (options.mode == "scan" or not scans % _SCANS_BETWEEN_PAUSES):
            time.sleep(options.interval)


def _answer(connection: ServerConnection, words: Sequence[bytes]) -> Received:
    return _checked(connection.ask(words))


def _checked(reply: Received) -> Received:
    if isinstance(reply, CommandError):
        raise Failed(f"Error: {reply}")
    return reply


def _answers(connection: ServerConnection, commands: Sequence[Sequence[bytes]]) -> list[Received]:
    """The replies to commands that are sent at once."""
    connection.send(b"".join(map(encoded, commands)))
    return [connection.reply() for _ in commands]


class _Progress:
    """How far the walk has come, as a part of the keys that were there at its start."""

    def __init__(self, conversation: Conversation) -> None:
        assert conversation.connection is not None
        self._write = conversation.write
        self._all = _answer(conversation.connection, [b"DBSIZE"])
        self.keys = 0
        self._part = 0.0

    def batch(self, names: Sequence[bytes]) -> None:
        """Another batch is about to be looked at."""
        self._part = 100 * self.keys / self._all if self._all else 0.0
        before, self.keys = self.keys, self.keys + len(names)
        if before // _KEYS_BETWEEN_NEWS != self.keys // _KEYS_BETWEEN_NEWS:
            self.tell(f"Sampled {self.keys} keys so far")

    def tell(self, text: str) -> None:
        self._write(f"[{self._part:05.2f}%] {text}\n".encode())


def _find_large_keys(conversation: Conversation) -> None:
    connection = conversation.connection
    assert connection is not None
    by_memory = conversation.options.mode == "memkeys"
    conversation.write(_HEADLINE.format(what="biggest keys").encode())
    progress = _Progress(conversation)
    tallies = {name: _Tally(name, "bytes" if by_memory else measure.unit) for name, measure in _MEASURES.items()}
    length = 0
    for names in _batches(conversation):
        progress.batch(names)
        length += sum(map(len, names))
        kinds = [_checked(kind) for kind in _answers(connection, [(b"TYPE", name) for name in names])]
        there = [(name, kind) for name, kind in zip(names, kinds, strict=True) if kind != b"none"]
        sizes = _memory(conversation, there) if by_memory else _sizes(connection, there)
        for (name, kind), size in zip(there, sizes, strict=True):
            tally = tallies.setdefault(kind, _Tally(kind, "bytes" if by_memory else "?"))
            tally.keys += 1
            tally.total += size
            if size > tally.largest:
                tally.largest, tally.largest_key = size, quoted(name).decode()
                progress.tell(
                    f"Biggest {tally.name:<6} found so far '{tally.largest_key}' with {tally.largest} {tally.unit}"
                )
    conversation.write(_summary(progress.keys, length, list(tallies.values())).encode())


def _sizes(connection: ServerConnection, keys: Sequence[tuple[bytes, bytes]]) -> list[int]:
    """How many elements each key has; 0 where that cannot be asked."""
    asked = [(_MEASURES[kind].command, name) for name, kind in keys if kind in _MEASURES]
    answers = iter(_answers(connection, asked))
    return [_number(next(answers)) if kind in _MEASURES else 0 for _, kind in keys]


def _memory(conversation: Conversation, keys: Sequence[tuple[bytes, bytes]]) -> list[int]:
    assert conversation.connection is not None
    samples = conversation.options.samples
    more = [b"SAMPLES", samples.encode()] if samples else []
    asked = [[b"MEMORY", b"USAGE", name, *more] for name, _ in keys]
    return list(map(_number, _answers(conversation.connection, asked)))


def _number(reply: Received) -> int:
    return reply if isinstance(reply, int) else 0


def _summary(keys: int, length: int, tallies: Sequence[_Tally]) -> str:
    average = length / keys if keys else 0.0
    largest = "".join(
        f"Biggest {tally.name:>6} found '{tally.largest_key}' has {tally.largest} {tally.unit}\n"
        for tally in tallies
        if tally.largest
    )
    totals = "".join(
        f"{tally.keys} {tally.name}s with {tally.total} {tally.unit} ({100 * tally.keys / keys if keys else 0:05.2f}% of"
        f" keys, avg size {tally.total / tally.keys if tally.keys else 0:.2f})\n"
        for tally in tallies
    )
    lengths = f"Total key length in bytes is {length} (avg len {average:.2f})\n"
    return f"{_SUMMARY.format(keys=keys)}{lengths}\n{largest}\n{totals}"


def _find_hot_keys(conversation: Conversation) -> None:
    connection = conversation.connection
    assert connection is not None
    conversation.write(_HEADLINE.format(what="hot keys").encode())
    progress = _Progress(conversation)
    hottest: list[tuple[int, str]] = []
    for names in _batches(conversation):
        progress.batch(names)
        for name, answer in zip(names, _answers(connection, [(b"OBJECT", b"FREQ", one) for one in names]), strict=True):
            used = _number(_checked(answer))
            if used and (len(hottest) < _HOTTEST or used > hottest[-1][0]):
                hottest = sorted([*hottest, (used, quoted(name).decode())], key=lambda one: -one[0])[:_HOTTEST]
                progress.tell(f"Hot key '{quoted(name).decode()}' found so far with counter {used}")
    lines = "".join(f"hot key found with counter: {used}\tkeyname: {name}\n" for used, name in hottest)
    conversation.write(f"{_SUMMARY.format(keys=progress.keys)}{lines}".encode())
