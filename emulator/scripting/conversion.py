"""Replies to Lua values and back.

Source: https://redis.io/docs/latest/develop/programmability/lua-api/#data-type-conversion
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from emulator.protocol.errors import CommandError, as_text, one_line
from emulator.protocol.numbers import INT64_MIN, format_double
from emulator.protocol.replies import (
    Attributed,
    BigNumber,
    Entries,
    Head,
    MapHead,
    Named,
    Nested,
    NullArray,
    Pairs,
    PlainDouble,
    Push,
    Replies,
    Reply,
    Rows,
    Samples,
    SetHead,
    SetReply,
    Status,
    Verbatim,
)

if TYPE_CHECKING:
    from emulator.scripting.runtime import Lua


class ToLua:
    """Makes Lua values of replies, with the types of RESP2 or, after ``redis.setresp(3)``, of RESP3."""

    def __init__(self, lua: Lua, protocol: int) -> None:
        self._lua = lua
        self._table: dict[type, Callable[[Any], Any]] = {
            bytes: lambda value: value,
            bytearray: bytes,
            int: lambda value: value,
            Status: lambda value: lua.status(bytes(value)),
            CommandError: lambda value: lua.failure(one_line(value)),
            Attributed: lambda value: self(value.reply),
            list: self._array,
            tuple: self._array,
            Entries: self._array,
            Replies: self._array,
            Push: self._array,
            Rows: self._array,
            Samples: self._array,
        }
        if protocol == 3:
            self._table |= {
                type(None): lambda value: None,
                NullArray: lambda value: None,
                bool: lambda value: value,
                float: lambda value: lua.wrapped(b"double", value),
                PlainDouble: lambda value: lua.wrapped(b"double", float(value.text())),
                dict: lambda value: self._map(value.items()),
                Named: self._map,
                SetReply: self._set,
                set: self._set,
                Pairs: self._array,
                Verbatim: lambda value: lua.wrapped(
                    b"verbatim_string",
                    lua.map(lua.table([b"string", bytes(value), b"format", value.format]), 4)[b"map"],
                ),
                BigNumber: lambda value: lua.wrapped(b"big_number", bytes(value)),
            }
        else:
            self._table |= {
                type(None): lambda value: False,
                NullArray: lambda value: False,
                bool: int,
                float: format_double,
                PlainDouble: PlainDouble.text,
                dict: lambda value: self._array([item for pair in value.items() for item in pair]),
                Pairs: lambda value: self._array([item for pair in value for item in pair]),
                Named: self._array,
                SetReply: self._array,
                set: self._array,
                Verbatim: bytes,
                BigNumber: bytes,
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


def to_reply(lua: Lua, outcome: Sequence[Any], protocol: int) -> Reply:
    """The reply that the outcome of a script makes: what follows its first part, which is True.

    Lua gives a small table in parts.  What Redis has no type for is null.
    """
    if len(outcome) > 2:
        return _aggregate(outcome[2:], protocol)
    value: Any = outcome[1] if len(outcome) == 2 else None
    kind = value.__class__
    if isinstance(value, bytes):
        return value
    if kind is int or kind is float:
        return _integer(value)
    if isinstance(value, bool):
        return value if protocol == 3 else (1 if value else None)
    if kind.__name__ != "_LuaTable":
        return None
    try:
        return _aggregate(lua.parts(value), protocol)
    except CommandError as error:
        return error.alone()


def _aggregate(values: Sequence[Any], protocol: int) -> Reply:
    """The reply that a table makes, of which `values` is all that it holds in the order in which it is printed."""
    parts = Nested()
    items = iter(values)
    for item in items:
        if item.__class__ is bytes:
            parts.append(item)
        elif item is None:
            parts.append(_SHAPES[next(items)](next(items), items))
        elif item.__class__ is bool:
            parts.append(item if protocol == 3 else (1 if item else None))
        else:
            parts.append(_integer(item))
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], Head) else parts


def _integer(number: float) -> int:
    """A number without its fraction; the lowest integer where there is none."""
    return int(number) if INT64_MIN <= number < -INT64_MIN else INT64_MIN


def _one_line(text: bytes) -> bytes:
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


def _up_to_zero(text: bytes) -> bytes:
    """A text as C has it."""
    return text.partition(b"\0")[0]


def _error(text: bytes, counted: bool) -> CommandError:
    error = CommandError(as_text(text))
    error.counted = counted
    return error


def _verbatim(kind: bytes, items: Iterator[Any]) -> Verbatim:
    text = Verbatim(next(items))
    text.format = _up_to_zero(kind)[:3].ljust(3)
    return text


_SHAPES: dict[bytes, Callable[[Any, Iterator[Any]], Reply]] = {
    b"null": lambda held, items: None,
    b"array": lambda held, items: Head(held),
    b"map": lambda held, items: MapHead(held),
    b"set": lambda held, items: SetHead(held),
    b"err": lambda held, items: _error(held, False),
    b"known_err": lambda held, items: _error(held, True),
    b"ok": lambda held, items: Status(_one_line(_up_to_zero(held))),
    b"double": lambda held, items: float(held),
    b"big_number": lambda held, items: BigNumber(_one_line(held)),
    b"verbatim_string": _verbatim,
}
"""What stands for which shape; `items` gives what follows."""
