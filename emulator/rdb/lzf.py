"""LZF, the compression of strings in RDB files and payloads; the very bytes that LibLZF makes as Redis has it built.

A run begins with a byte: below 32 it is followed by so many literal bytes and one; else its upper three bits are a length
(7: a byte with more follows) and the rest with the next byte says how far back to copy from.

The work is done byte by byte in Lua, which is here anyway for scripts: LuaJIT, that most of lupa's builds bring, needs
a thirtieth of Python's time for it, plain Lua half.

Source: http://oldhome.schmorp.de/marc/liblzf.html
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_LUAS = ("luajit21", "luajit20", "lua51")


class BadData(Exception):
    """Not LZF, or not of the size it should have."""


def compress(data: bytes, most: int) -> bytes | None:
    """The data in fewer bytes than `most`; None where LibLZF finds no room for it, a few bytes early.  O(n)."""
    packed: bytes | None = _functions()[0](data, most)
    return packed


def decompress(data: bytes, size: int) -> bytes:
    """The data again; raises `BadData`."""
    whole: bytes | None = _functions()[1](data, size)
    if whole is None:
        raise BadData
    return whole


@cache
def _functions() -> Any:
    """The two functions of lzf.lua, in the quickest Lua that there is."""
    source = Path(__file__).with_name("lzf.lua").read_bytes()
    return _quickest_lua().LuaRuntime(encoding=None, unpack_returned_tuples=True).execute(source)


def _quickest_lua() -> Any:
    for name in _LUAS[:-1]:
        try:
            return import_module(f"lupa.{name}")
        except ImportError:
            continue
    return import_module(f"lupa.{_LUAS[-1]}")
