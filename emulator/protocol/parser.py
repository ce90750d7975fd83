"""Parses requests without I/O: RESP arrays of bulk strings, and inline commands.

Two ways through the same grammar.  The quick one splits everything that has arrived at CRLF, takes names and arguments
by slicing and verifies their lengths; it covers what well-behaved clients send.  Whatever it cannot vouch for (a torn
command, a payload that holds CRLF, a large bulk, an inline command, nonsense) goes byte by byte through the careful
one, which keeps its place between calls, so that nothing is scanned twice: a 100 MB value that arrives in pieces costs
one copy.

Source: Redis protocol specification; limits and error texts are those of the real server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from emulator.protocol.errors import ProtocolError, as_text
from emulator.protocol.inline import split_inline
from emulator.protocol.numbers import parse_integer

Words = list[bytes]

READ_AT_ONCE: Final = 64 * 1024
"""The most bytes that are fed at once."""
INLINE_LIMIT: Final = 64 * 1024
_LARGE_BULK: Final = 32 * 1024
_HEAD: Final = 16
"""The most bytes that stand round an argument."""
_UNAUTHENTICATED_ARGUMENTS: Final = 10
_UNAUTHENTICATED_BULK: Final = 16384

_count_of: Final = {b"*%d" % number: number for number in range(1, 1025)}.get
_LENGTHS: Final = [b"$%d" % number for number in range(1024)]
_length_of: Final = {length: number for number, length in enumerate(_LENGTHS)}.get


class RequestParser:
    """Turns a client's bytes into commands.

    `feed` returns the commands that are complete.  After a protocol error it returns those before it and sets `error`;
    nothing is parsed from then on.  While `restricted` (no authentication yet) limits are tighter and `feed` returns
    one command at a time, since that command may be the AUTH which lifts them: call ``feed(b"")`` for the next.
    `on_large` is told of each command that may be larger than what is fed at once, before it is returned.  `verbatim` says
    that the commands returned last are, encoded, what was fed, byte for byte.
    """

    __slots__ = (
        "_arguments",
        "_arguments_size",
        "_awaited",
        "_buffer",
        "_bulk_length",
        "_missing",
        "_pieces",
        "_strict",
        "error",
        "max_bulk",
        "on_large",
        "restricted",
        "verbatim",
    )

    def __init__(self, max_bulk: int = 512 * 1024 * 1024, strict: bool = True) -> None:
        self.max_bulk = max_bulk
        self._strict = strict
        self.restricted = False
        self.verbatim = False
        self.error: ProtocolError | None = None
        self.on_large: Callable[[Words], None] | None = None
        self._buffer = b""
        self._arguments: Words = []
        self._arguments_size = 0
        self._awaited = 0  # arguments of the command begun that are still to come
        self._bulk_length = -1  # of the argument begun, or -1 before its header
        self._pieces: list[bytes] = []  # of a large bulk under way
        self._missing = 0  # bytes of it still to come

    @property
    def buffered(self) -> int:
        """The number of bytes held of an incomplete command."""
        return self.unparsed + self._arguments_size

    @property
    def unparsed(self) -> int:
        """The number of bytes held of an incomplete argument."""
        gathered = self._bulk_length + 2 - self._missing if self._pieces else 0
        return len(self._buffer) + gathered

    @property
    def begun(self) -> tuple[int, int]:
        """The bytes and the number of the complete arguments of an incomplete command."""
        return self._arguments_size, len(self._arguments)

    @property
    def announced(self) -> int:
        """The size of the large argument that is being received, 0 if there is none."""
        return self._bulk_length + 2 if self._bulk_length >= _LARGE_BULK else 0

    def feed(self, data: bytes) -> list[Words]:
        """Return the commands that `data` completes, in order."""
        if self.error is not None:
            return []
        if self._buffer or self._awaited or self.restricted:
            return self._feed_begun(data)
        self.verbatim = True
        lines = data.split(b"\r\n")
        match lines:  # clients mostly send a single command of few words
            case [b"*1", size, name, b""]:
                if _length_of(size) == len(name):
                    return [[name]]
            case [b"*2", size, name, size_1, word_1, b""]:
                if _length_of(size) == len(name) and _length_of(size_1) == len(word_1):
                    return [[name, word_1]]
            case [b"*3", size, name, size_1, word_1, size_2, word_2, b""]:
                if (
                    _length_of(size) == len(name)
                    and _length_of(size_1) == len(word_1)
                    and _length_of(size_2) == len(word_2)
                ):
                    return [[name, word_1, word_2]]
        last = len(lines) - 1
        count = _count_of(lines[0]) or 0
        if 2 * count + 1 == last and not lines[last] and (words := _whole(lines)):
            return [words]
        commands, position = _alike(lines, last, count)
        if position < last:
            position = _add_others(lines, position, last, commands)
        if position == last and not lines[last]:
            return commands
        if position:
            data = b"\r\n".join(lines[position:])
        self._feed_carefully(data, commands)
        return commands

    def _feed_begun(self, data: bytes) -> list[Words]:
        """Complete the current command; the next ones may take the quick way again."""
        commands: list[Words] = []
        self._feed_carefully(data, commands, most=1)
        if commands and self._buffer and not self.restricted:
            data, self._buffer = self._buffer, b""
            commands += self.feed(data)
            self.verbatim = False
        return commands

    def _feed_carefully(self, data: bytes, commands: list[Words], most: int = 1 << 62) -> None:
        """Add the commands that `data` completes, up to a number of commands."""
        self.verbatim = False
        if self._pieces:
            data = self._gather(data, commands)
        buffer = self._buffer + data if self._buffer else data
        position = 0
        try:
            while position < len(buffer) and len(commands) < most:
                if self._bulk_length >= 0:
                    after = self._bulk(buffer, position, commands)
                elif self._awaited:
                    after = self._bulk_header(buffer, position)
                elif buffer[position] == 0x2A:
                    after = self._multibulk_header(buffer, position)
                else:
                    after = self._inline(buffer, position, commands)
                if after < 0:
                    break
                position = after
        except ProtocolError as error:
            self.error = error.alone()
            error.unread, buffer, position = buffer[position:], b"", 0
        self._buffer = buffer[position:]

    def _argument(self, argument: bytes, commands: list[Words]) -> None:
        self._bulk_length = -1
        self._arguments.append(argument)
        self._arguments_size += len(argument)
        self._awaited -= 1
        if not self._awaited:
            if self.on_large is not None and self._arguments_size + _HEAD * len(self._arguments) >= _LARGE_BULK:
                self.on_large(self._arguments)
            commands.append(self._arguments)
            self._arguments = []
            self._arguments_size = 0

    def _line(self, buffer: bytes, position: int, what: str) -> tuple[bytes, int] | None:
        """Return the line at the position and the start of the next; None while it is incomplete."""
        end = buffer.find(b"\r", position)
        if end >= 0 and buffer.find(b"\0", position, end) >= 0:
            end = -1
        if end < 0:
            if len(buffer) - position > INLINE_LIMIT:
                raise ProtocolError(f"too big {what} string")
            return None
        if end + 2 > len(buffer):
            return None
        return buffer[position:end], end + 2

    # Each step below returns where the next one begins, or -1 when it needs more bytes.

    def _multibulk_header(self, buffer: bytes, position: int) -> int:
        line = self._line(buffer, position, "mbulk count")
        if line is None:
            return -1
        count = parse_integer(line[0][1:])
        if count is None or count > 0x7FFFFFFF:
            raise ProtocolError("invalid multibulk length")
        if count > _UNAUTHENTICATED_ARGUMENTS and self.restricted:
            raise ProtocolError("unauthenticated multibulk length")
        self._awaited = max(count, 0)
        return line[1]

    def _bulk_header(self, buffer: bytes, position: int) -> int:
        line = self._line(buffer, position, "bulk count")
        if line is None:
            return -1
        header, after = line
        if header[:1] != b"$":
            raise ProtocolError(f"expected '$', got '{as_text(buffer[position : position + 1])}'")
        length = parse_integer(header[1:])
        if length is None or not 0 <= length <= self.max_bulk:
            raise ProtocolError("invalid bulk length")
        if length > _UNAUTHENTICATED_BULK and self.restricted:
            raise ProtocolError("unauthenticated bulk length")
        self._bulk_length = length
        return after

    def _bulk(self, buffer: bytes, position: int, commands: list[Words]) -> int:
        end = position + self._bulk_length
        if end + 2 <= len(buffer):
            self._argument(buffer[position:end], commands)
            return end + 2
        if self._bulk_length < _LARGE_BULK:
            return -1
        self._pieces = [buffer[position:]]
        self._missing = end + 2 - len(buffer)
        return len(buffer)

    def _gather(self, data: bytes, commands: list[Words]) -> bytes:
        """Add to the current large bulk; return the rest of `data` once it is complete."""
        self._pieces.append(data[: self._missing])
        rest = data[self._missing :]
        self._missing -= len(data) - len(rest)
        if not self._missing:
            pieces, self._pieces = self._pieces, []
            end = pieces.pop()  # it holds the last two bytes or the very last: they are cut off before the one copy
            pieces[-1:] = [pieces[-1][:-1]] if len(end) == 1 else [pieces[-1], end[:-2]]
            self._argument(b"".join(pieces), commands)
        return rest

    def _inline(self, buffer: bytes, position: int, commands: list[Words]) -> int:
        end = buffer.find(b"\n", position)
        if end < 0 or buffer.find(b"\0", position, end) >= 0:  # Redis searches a line's end as in a C string
            if len(buffer) - position > INLINE_LIMIT:
                raise ProtocolError("too big inline request")
            return -1
        line = buffer[position:end]
        arguments = split_inline(line[:-1] if line.endswith(b"\r") else line, self._strict)
        if arguments is None:
            raise ProtocolError("unbalanced quotes in request")
        if arguments:
            commands.append(arguments)
        return end + 1


def _whole(lines: list[bytes]) -> Words:
    """Return the words of the one command that the lines are; none if a length is wrong, or not one of a short word."""
    words = lines[2:-1:2]
    return words if _fit(lines[1:-1:2], words) else []


def _fit(sizes: list[bytes], words: Words) -> bool:
    """Whether the sizes are those of the words, which are short."""
    try:
        return sizes == [_LENGTHS[len(word)] for word in words]  # quicker than to look the numbers up
    except IndexError:
        return False


def _alike(lines: list[bytes], last: int, count: int) -> tuple[list[Words], int]:
    """Return the commands that begin the first `last` lines and have `count` words, as most in a pipeline, and the next line.

    All lengths are verified at once.  Returns none and 0 if there are less than two, or a length is wrong.
    """
    step = 1 + 2 * count
    heads = lines[: last - last % step : step] if count else []
    many = len(heads)
    if heads.count(lines[0]) != many:
        many = next(place for place, head in enumerate(heads) if head != lines[0])
    if many < 2:
        return [], 0
    end = many * step
    pairs = lines[:end]
    del pairs[::step]
    words = pairs[1::2]
    if not _fit(pairs[::2], words):
        return [], 0
    return [words[first : first + count] for first in range(0, len(words), count)], end


def _add_others(lines: list[bytes], position: int, last: int, commands: list[Words]) -> int:
    """Add the commands that stand from `position` on, of however many words each, and return the line that they end before.

    All lengths are verified at once as well.  Where one is wrong only the commands before it are added.
    """
    start, before = position, len(commands)
    sizes: list[bytes] = []
    words: list[bytes] = []
    while (count := _count_of(lines[position])) and (end := position + 2 * count) < last:
        arguments = lines[position + 2 : end + 1 : 2]
        commands.append(arguments)
        words += arguments
        sizes += lines[position + 1 : end : 2]
        position = end + 1
    if _fit(sizes, words):
        return position
    found, commands[before:] = commands[before:], []
    position = start
    for arguments in found:
        end = position + 2 * len(arguments)
        if not _fit(lines[position + 1 : end : 2], arguments):
            break
        commands.append(arguments)
        position = end + 1
    return position
