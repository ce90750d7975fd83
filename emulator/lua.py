"""What runs over each byte is written in Lua, which is here anyway for scripts: LuaJIT, that most of lupa's builds bring,
needs a thirtieth of Python's time for it and less; plain Lua does the same, slowly."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmap import mmap

_LUAS = ("luajit21", "luajit20", "lua51")

_MAKING = RLock()
"""Servers in threads share one Lua: two that need it first at the same moment would make two, which do not mix."""


def build(name: str) -> Any:
    """One of lupa's builds of Lua (``lua51``), which calls nobody's functions but its own.  Raises ImportError.

    Another build may be open to the whole process (fakeredis opens one, so that Lua can load modules written in C).  The
    system would give its functions to each build that comes later: LuaJIT would run as plain Lua.
    """
    if not hasattr(os, "RTLD_DEEPBIND"):
        return import_module(f"lupa.{name}")
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        return import_module(f"lupa.{name}")
    finally:
        sys.setdlopenflags(flags)


@cache
def function(module: str, name: str) -> Any:
    """A function of a file of Lua in this package (``rdb/lzf``); None for one that is there with LuaJIT only."""
    with _MAKING:
        return _module(module.encode())[name.encode()]


def address(text: bytes | bytearray | mmap) -> int:
    """Where the bytes of a text are, for a function that reads them there instead of in a copy of its own.

    The caller holds the text for as long, and does not change its size.
    """
    import ctypes  # takes 3 ms to be imported, and few need it

    if isinstance(text, bytes):
        return ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value or 0
    return ctypes.addressof(ctypes.c_char.from_buffer(text))


@cache
def is_quick() -> bool:
    """Whether LuaJIT is there."""
    return function("memory", "bxor") is not None


@cache
def _module(name: bytes) -> Any:
    """What a file of Lua returns, which gets those that it uses by the same function."""
    return _execute()((Path(__file__).parent / f"{name.decode()}.lua").read_bytes(), _module)


@cache
def _execute() -> Any:
    """What executes a source in the quickest Lua that there is."""
    name = next(filter(_is_there, _LUAS))
    return build(name).LuaRuntime(encoding=None, unpack_returned_tuples=True).execute


def _is_there(name: str) -> bool:
    try:
        build(name)
    except ImportError:
        return False
    return True
