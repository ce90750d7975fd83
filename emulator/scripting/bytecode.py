"""Compiled Lua without tail calls.

The functions of the sandbox are Lua's own kind where Redis has C functions, and ``return redis.call(...)`` in a script is a
tail call, which forgets the script's frame: an error could not tell its line any more.  So each tail call is made a plain
one, which differs by one number.  The price: a chain of tail calls ends at 20,000 with a stack overflow.

Source: "A No-Frills Introduction to Lua 5.1 VM Instructions", K. Man, on the format of compiled chunks.
"""

from __future__ import annotations

import struct
from array import array

_HEADER = 12
_CALL, _TAIL_CALL, _OPCODE = 28, 29, 0x3F
_NIL, _BOOLEAN, _NUMBER = 0, 1, 3


class _Reader:
    """Walks over a compiled chunk as a 64-bit machine writes it, changing it in place."""

    def __init__(self, chunk: bytearray) -> None:
        self.chunk = chunk
        self.place = _HEADER

    def function(self) -> None:
        self._string()
        self.place += 12
        self._code()
        for _ in range(self._count()):
            self._constant()
        for _ in range(self._count()):
            self.function()
        lines = self._count()
        self.place += 4 * lines
        for _ in range(self._count()):
            self._string()
            self.place += 8
        for _ in range(self._count()):
            self._string()

    def _code(self) -> None:
        size = 4 * self._count()
        code = array("I", bytes(self.chunk[self.place : self.place + size]))
        for position, instruction in enumerate(code):
            if instruction & _OPCODE == _TAIL_CALL:
                code[position] = instruction & ~_OPCODE | _CALL
        self.chunk[self.place : self.place + size] = code.tobytes()
        self.place += size

    def _constant(self) -> None:
        kind = self.chunk[self.place]
        self.place += 1
        if kind == _BOOLEAN:
            self.place += 1
        elif kind == _NUMBER:
            self.place += 8
        elif kind != _NIL:
            self._string()

    def _count(self) -> int:
        (number,) = struct.unpack_from("=i", self.chunk, self.place)
        self.place += 4
        return int(number)

    def _string(self) -> None:
        (size,) = struct.unpack_from("=Q", self.chunk, self.place)
        self.place += 8 + size


def without_tail_calls(chunk: bytes) -> bytes:
    """A compiled chunk in which no call is a tail call."""
    changed = bytearray(chunk)
    _Reader(changed).function()
    return bytes(changed)
