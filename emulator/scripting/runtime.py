"""The Lua runtime: one for an engine, made at first use.

Lua 5.1 by lupa, strings being bytes.  `sandbox.lua` says what scripts see; from here it gets the few functions that it
wraps.  No Python object is ever handed to a script, and attribute access on bridged objects is refused altogether.

Where Lua is refused memory while it runs, the script has an error; where it is refused memory for what is handed to it or
taken from it, the process ends, since lupa does that outside of any protected call.  So there is a limit only while Lua
runs (`protected`), and for what is handed over there is none but that it is looked up beforehand whether it fits.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emulator.config.edition import REDIS_8_2, Edition
from emulator.lua import build
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import format_double, format_shortest
from emulator.protocol.replies import Reply, Status
from emulator.protocol.text import to_text
from emulator.scripting import bits, packing
from emulator.scripting.bytecode import without_tail_calls
from emulator.scripting.conversion import ToLua

if TYPE_CHECKING:
    from emulator.scripting.invocation import Invocation

logger = logging.getLogger("emulator")

_LUA: Final = build("lua51")
LuaError: Final[type[Exception]] = _LUA.LuaError
_MEMORY_LIMIT: Final = 1 << 30
"""Bytes that Lua may have while it runs scripts; they are stopped when they have three quarters of it."""
_SLACK: Final = 4096
_NO_MEMORY: Final = b"ERR not enough memory"
_VALUE: Final = 64
"""What Lua needs for a value beside its bytes."""
_COMPILING: Final = 5
"""How often a long text is there while it is compiled."""
_PIECE: Final = 4000
"""Values handed to Lua or taken from it at once: its stack is bounded."""
_SMALL: Final = frozenset((Status, type(None), bool, float))
_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.INFO, logging.WARNING)
_LIBRARIES: Final = ("cjson", "cmsgpack", "struct", "bit")

Outcome = tuple[Any, ...]


@cache
def _compiled(name: str) -> bytes:
    """One of our own chunks, which as far as errors are concerned pass for C; without tail calls as scripts are.

    To compile all of them takes five times as long as to load them, and a process may have many engines.
    """
    lua = _LUA.LuaRuntime(encoding=None, unpack_returned_tuples=True)
    load, dump = lua.eval(b"loadstring"), lua.eval(b"string.dump")
    chunk, problem = _pair(load(Path(__file__).with_name(f"{name}.lua").read_bytes(), b"=[C]"))
    assert problem is None, problem
    return without_tail_calls(dump(chunk))


class Lua:
    """A sandboxed Lua; `current` is the invocation under way.

    ``exhausted`` tells that the script had to stop for want of memory.  ``is_overdue`` is called now and then while one runs,
    and returns whether it has to stop.  ``on_shortage`` may give up what can be done without, before something is refused for
    want of memory.
    """

    def __init__(self, random: Random48 | None = None, edition: Edition = REDIS_8_2) -> None:
        self.current: Invocation | None = None
        self.is_overdue: Callable[[], bool] | None = None
        self.on_shortage: Callable[[], None] | None = None
        self.exhausted = False
        self._most_memory = _MEMORY_LIMIT * 3 // 4
        self.declare: Callable[..., bytes | None] | None = None
        self.wording = edition.wording
        self.print_number = format_shortest if edition.precedes("7.4.0") else format_double
        self._random = random or Random48()
        self._runtime = _LUA.LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_refuse,
            max_memory=0,
        )
        self._limit: Callable[[int], None] = self._runtime.set_max_memory
        self._used: Callable[[], int] = self._runtime.get_memory_used
        self._running = False
        self._interruption: BaseException | None = None
        values = self._chunk("values")()
        self._host = host = self._build(edition, values[b"brief"])
        self.pack: Callable[..., Any] = values[b"pack"]
        self.status: Callable[[bytes], Any] = values[b"status"]
        self.failure: Callable[[bytes], Any] = values[b"failure"]
        self.wrapped: Callable[[bytes, Any], Any] = values[b"wrapped"]
        self.map: Callable[[Any, int], Any] = values[b"map"]
        self.set: Callable[[Any, int], Any] = values[b"set"]
        self._flatten: Callable[[Any], Outcome] = values[b"flatten"]
        self._slice: Callable[[Any, int, int], Any] = values[b"slice"]
        self.run_script: Callable[..., Outcome] = host[b"run_script"]
        self.run_function: Callable[..., Outcome] = host[b"run_function"]
        self.set_loading: Callable[[bool], None] = host[b"set_loading"]
        self.load_library: Callable[[Any], bytes | None] = host[b"load_library"]
        self._stopped: Callable[[], Any] = host[b"stopped"]
        self.converters = {2: ToLua(self, 2), 3: ToLua(self, 3)}
        self._unhook: Callable[[], None] = self._runtime.eval(b"debug.sethook")
        self._own: int = self._used()

    def _build(self, edition: Edition, brief: Any) -> Any:
        functions: list[Callable[..., Any]] = [
            self._tick,
            lambda text: hashlib.sha1(text).hexdigest().encode(),
            _write_log,
            self._random.fraction,
            self._random.seed,
            self._check_command,
            self._set_protocol,
            self._tell,
            self._declare,
            without_tail_calls,
        ]
        wording = self.wording
        names = wording.api.encode(), wording.call_without_words.encode(), wording.bad_level.encode()
        bounds = self._chunk("bounds")()
        host = self._chunk("sandbox")(bounds, brief, *names, self._invoke, *map(self._guarded, functions))
        given = {
            "cjson": (host[b"protect"], host[b"as_int"], edition.includes("8.6.0")),
            "cmsgpack": (host[b"as_int"],),
        }
        for name in _LIBRARIES:
            helpers = map(self._guarded, _HELPERS.get(name, ()))
            host[b"install"](name.encode(), self._chunk(name)(*given.get(name, ()), *helpers))
        own = (edition.name.encode(), edition.version.encode(), edition.number) if edition.is_valkey else ()
        host[b"finish"](edition.redis_version.encode(), edition.redis_number, *own)
        return host

    def _chunk(self, name: str) -> Any:
        """One of our own chunks."""
        return self._runtime.eval(b"loadstring")(_compiled(name))

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function for Lua that never raises: an exception would come to the script as an object of Python.

        What it returns has to find room in Lua, which cannot be refused by then.
        """

        def call(*words: Any) -> Any:
            try:
                return self._fitting(function(*words))
            except BaseException as error:
                return self._fitting(self._problem(error))

        return call

    def _problem(self, error: BaseException) -> tuple[None, bytes]:
        if isinstance(error, LuaError | MemoryError):
            return None, _text(error)
        if not isinstance(error, Exception):
            self._interruption = error
            return None, b"ERR interrupted"
        logger.error("internal error in a script", exc_info=error)
        return None, f"ERR internal error: {type(error).__name__}".encode()

    def _fitting(self, result: Any) -> Any:
        kind = result.__class__
        if (kind is bytes or kind is tuple) and self._running:
            size = len(result if kind is bytes else result[1] or result[2])
            if self._used() + size > self._most_memory and not self._has_room(size):
                return self._exhaust()
        return result

    def _has_room(self, size: int) -> bool:
        """Whether there is memory for so many bytes once the garbage is gone.

        A part of it has to come free: what is to be collected for every few bytes would take for ever.
        """
        if self.exhausted:
            return False
        self._make_room()
        return self._used() + size <= self._most_memory * 7 // 8

    def _make_room(self) -> None:
        if self.on_shortage is not None:
            self.on_shortage()
        self._runtime.gccollect()

    def _exhaust(self) -> Any:
        """The script has too much memory: leave it enough to be told so, and stop it at the next tick."""
        self.exhausted = True
        self._limit(max(_MEMORY_LIMIT, self.memory + _SLACK))
        return None, _NO_MEMORY

    # What scripts call

    def _invoke(self, *words: Any) -> Any:
        """``redis.call``.  It guards itself, which saves the call that `_guarded` costs, since scripts call it most."""
        try:
            result = self.current.invoke(words)  # type: ignore[union-attr]
            kind = result.__class__
            return self._fitting(result) if kind is bytes or kind is tuple else result
        except BaseException as error:
            return self._fitting(self._problem(error))

    def _check_command(self, *words: Any) -> Any:
        assert self.current is not None
        return self.current.check_command(words)

    def _set_protocol(self, version: int) -> None:
        assert self.current is not None
        self.current.set_protocol(version)

    def _tell(self, audience: int) -> None:
        if self.current is not None:  # a library that is being loaded does nothing
            self.current.audience = audience

    def _declare(self, *words: Any) -> bytes | None:
        assert self.declare is not None
        return self.declare(*words)

    def _tick(self) -> bool:
        """Whether the script that runs has to stop; called by it every now and then."""
        if self.exhausted or (self._used() > self._most_memory and not self._has_room(0)):
            self.exhausted = True
            return True
        if self._interruption is not None or (self.current is not None and self.current.killed):
            return True
        return self.is_overdue is not None and self.is_overdue()

    # What the engine uses

    def protected(self, run: Callable[..., Any], *words: Any, limit: int = _MEMORY_LIMIT) -> Outcome:
        """The outcome of Lua code that runs within a limit of memory; False and the text of an error that Lua itself met."""
        self._limit(limit)
        self._running = True
        try:
            outcome = run(*words)
        except (LuaError, MemoryError) as error:
            return False, _text(error)
        finally:
            self._running = False
            self._limit(0)
            if self._interruption is not None:
                self._interrupted()
        return outcome if isinstance(outcome, tuple) else (outcome,)

    def _interrupted(self) -> None:
        """Raise what came from outside (Ctrl-C) while Lua ran."""
        interruption, self._interruption = self._interruption, None
        self.stop()
        assert interruption is not None
        raise interruption

    def converted(self, reply: Reply, converter: ToLua) -> Any:
        """A reply for the script that runs."""
        if reply.__class__ in _SMALL:
            return converter(reply) if self._used() <= self._most_memory or self._has_room(0) else self._exhaust()
        self._limit(0)
        try:
            return converter(reply)
        finally:
            self._limit(_MEMORY_LIMIT)

    def compile(self, code: bytes, as_library: bool = False) -> Any:
        """A chunk; raises CommandError where it is not Lua."""
        self.reserve(_COMPILING * len(code))
        compiler = self._host[b"compile_library" if as_library else b"compile_script"]
        chunk, *problem = self.protected(compiler, code)
        if self.exhausted:
            self.stop()
            chunk, problem = None, [_NO_MEMORY]
        if not chunk:
            self.tidy()
            raise CommandError(to_text(problem[0].removeprefix(b"ERR ")))
        return chunk

    def reserve(self, size: int) -> None:
        """Raise CommandError where there is no memory for so many bytes more."""
        if self.memory + size > self._most_memory:
            self._make_room()
            if self.memory + size > self._most_memory:
                raise CommandError(_NO_MEMORY.decode())

    def call(self, run: Callable[..., Outcome], body: Any, words: Sequence[bytes], keys: int) -> Outcome:
        """Run a chunk or a function with KEYS, which are so many of the words, and ARGV, which are the others.

        It is protected.  Raises CommandError where there is no memory for the words.
        """
        count = len(words)
        size = sum(map(len, words)) + _VALUE * count
        if self._used() + size > self._most_memory:
            self.reserve(size)
        if count > _PIECE:
            tables = self.table(list(words[:keys])), self.table(list(words[keys:]))
            return self.protected(run, body, None, *tables)
        return self.protected(run, body, keys, *words)

    def table(self, values: list[Any]) -> Any:
        """A Lua array."""
        return self.pack(*values) if len(values) <= _PIECE else self._runtime.table_from(values)

    def parts(self, table: Any) -> list[Any]:
        """All that a table holds, as `to_reply` wants it; raises CommandError where Lua cannot tell."""
        length, *found = self.protected(self._flatten, table, limit=0)
        if length is False:
            raise CommandError(found[0].decode())
        if length <= _PIECE:
            return found
        (held,), found = found, []
        for start in range(1, length + 1, _PIECE):
            end = min(start + _PIECE - 1, length)
            part = self._slice(held, start, end)
            found += part if end > start else (part,)
        return found

    def close(self) -> None:
        """Let go of everything: what Lua holds of us and we of Lua would keep each other."""
        for converter in self.converters.values():
            converter.__dict__.clear()
        self.__dict__.clear()

    @property
    def memory(self) -> int:
        """Bytes that it uses."""
        return self._used()

    @property
    def gathered(self) -> int:
        """Bytes that scripts have made it use."""
        return max(self.memory - self._own, 0)

    def tidy(self) -> None:
        """After an error: give back the memory of a script that had much of it."""
        if self.memory > self._most_memory // 2:
            self._runtime.gccollect()

    def stop(self) -> tuple[bytes | None, bytes | None]:
        """Make Lua usable again after a script has been stopped; source and line where it was."""
        self.exhausted = False
        self._unhook()
        self._runtime.gccollect()
        source, line = _pair(self._stopped())
        return source, line


class Random48:
    """The generator behind ``math.random``: drand48's, as Redis has it, so that scripts see the same numbers.

    Source: POSIX, drand48.
    """

    def __init__(self) -> None:
        self._state = 0x1234ABCD330E

    def seed(self, number: int) -> None:
        """Begin anew from 32 bits."""
        self._state = (number & 0xFFFFFFFF) << 16 | 0x330E

    def fraction(self) -> float:
        """The next number, at least 0 and less than 1."""
        self._state = (self._state * 0x5DEECE66D + 0xB) & 0xFFFFFFFFFFFF
        return (self._state >> 17) % 0x7FFFFFFF / 0x7FFFFFFF


def _text(error: Exception) -> bytes:
    """The text of an error that Lua itself met."""
    text = str(error).partition("\n")[0].encode("latin-1", "replace")
    return b"ERR " + text if text else _NO_MEMORY


def _pair(values: Any) -> tuple[Any, Any]:
    """One or two values that came from Lua."""
    return values if isinstance(values, tuple) else (values, None)


def _refuse(value: object, name: object, setting: bool) -> None:
    raise AttributeError("not for scripts")


def _write_log(level: int, text: bytes) -> None:
    logger.log(_LEVELS[level], "%s", text.decode("utf-8", "replace"))


_HELPERS: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    "bit": (bits.operate,),
    "cmsgpack": (packing.double, packing.float_, packing.read_double, packing.read_float),
    "struct": (packing.double, packing.float_, packing.read_double, packing.read_float),
}
