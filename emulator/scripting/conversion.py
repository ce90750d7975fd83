"""Replies to Lua values and back.

Source: https://redis.io/docs/latest/develop/programmability/lua-api/#data-type-conversion
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MIN, format_double
from emulator.protocol.replies import (
    BigNumber,
    Named,
    NullArray,
    Pairs,
    Push,
    Replies,
    Reply,
    Set,
    Status,
    Verbatim,
)

if TYPE_CHECKING:
    from emulator.scripting.runtime import Lua

_DEEPEST = 150


class ToLua:
    """Makes Lua values of replies, with the types of RESP2 or, after ``redis.setresp(3)``, of RESP3."""

    def __init__(self, lua: Lua, protocol: int) -> None:
        self._lua = lua
        self._table: dict[type, Callable[[Any], Any]] = {
            bytes: lambda value: value,
            bytearray: bytes,
            int: lambda value: value,
            Status: lambda value: lua.status(bytes(value)),
            CommandError: lambda value: lua.failure(str(value).encode("utf-8", "surrogateescape")),
            list: self._array,
            tuple: self._array,
            Replies: self._array,
            Push: self._array,
        }
        if protocol == 3:
            self._table |= {
                type(None): lambda value: None,
                NullArray: lambda value: None,
                bool: lambda value: value,
                float: lambda value: lua.wrapped(b"double", value),
                dict: lambda value: self._map(value.items()),
                Named: self._map,
                Set: self._set,
                set: self._set,
                Pairs: self._array,
                Verbatim: lambda value: lua.wrapped(
                    b"verbatim_string", lua.map(lua.table([b"string", bytes(value), b"format", b"txt"]), 4)[b"map"]
                ),
                BigNumber: lambda value: lua.wrapped(b"big_number", b"%d" % value),
            }
        else:
            self._table |= {
                type(None): lambda value: False,
                NullArray: lambda value: False,
                bool: int,
                float: format_double,
                dict: lambda value: self._array([item for pair in value.items() for item in pair]),
                Pairs: lambda value: self._array([item for pair in value for item in pair]),
                Named: self._array,
                Set: self._array,
                set: self._array,
                Verbatim: bytes,
                BigNumber: lambda value: b"%d" % value,
            }

    def __call__(self, reply: Reply) -> Any:
        return self._table[reply.__class__](reply)

    def _array(self, values: Iterable[Reply]) -> Any:
        return self._lua.table([self(value) for value in values])

    def _map(self, pairs: Iterable[tuple[Reply, Reply]]) -> Any:
        flat = [self(item) for pair in pairs for item in pair]
        return self._lua.map(self._lua.table(flat), len(flat))

    def _set(self, members: Iterable[Reply]) -> Any:
        found = [self(member) for member in members]
        return self._lua.set(self._lua.table(found), len(found))


def to_reply(lua: Lua, value: Any, protocol: int, depth: int = 0) -> Reply:
    """The reply that a script's result makes; what Redis has no type for is null."""
    kind = value.__class__
    if kind is bytes:
        return value
    if kind is bool:
        return value if protocol == 3 else (1 if value else None)
    if kind is int:
        return value if -INT64_MIN > value >= INT64_MIN else INT64_MIN
    if kind is float:
        return int(value) if math.isfinite(value) and abs(value) < -INT64_MIN else INT64_MIN
    if kind.__name__ != "_LuaTable":
        return None
    if depth > _DEEPEST:
        return CommandError("ERR reached lua stack limit")
    shape, *held = lua.describe(value)
    if shape == b"array":
        return [to_reply(lua, item, protocol, depth + 1) for item in lua.items(*held)]
    return _SHAPES[shape](lua, held, protocol, depth + 1)


def _one_line(text: bytes) -> bytes:
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


def _big_number(text: bytes) -> Reply:
    try:
        return BigNumber(text)
    except ValueError:
        return _one_line(text)


def _error(held: list[Any]) -> CommandError:
    """An error table; one that came from a command is in the statistics already."""
    error = CommandError(held[0].decode("utf-8", "surrogateescape"))
    error.counted = held[1]
    return error


def _items(lua: Lua, held: list[Any], protocol: int, depth: int) -> list[Reply]:
    return [to_reply(lua, item, protocol, depth) for item in lua.items(*held)]


def _pairs(lua: Lua, held: list[Any], protocol: int, depth: int) -> dict[Reply, Reply]:
    flat = _items(lua, held, protocol, depth)
    return dict(zip(flat[::2], flat[1::2], strict=True))


_SHAPES: dict[bytes, Callable[[Lua, list[Any], int, int], Reply]] = {
    b"err": lambda lua, held, protocol, depth: _error(held),
    b"ok": lambda lua, held, protocol, depth: Status(_one_line(held[0])),
    b"double": lambda lua, held, protocol, depth: float(held[0]),
    b"big_number": lambda lua, held, protocol, depth: _big_number(held[0]),
    b"verbatim_string": lambda lua, held, protocol, depth: Verbatim(held[0] or b""),
    b"map": _pairs,
    b"set": lambda lua, held, protocol, depth: Set(_items(lua, held, protocol, depth)),
}
