"""Libraries of functions: FUNCTION LOAD and what FCALL finds.

Source: https://redis.io/docs/latest/develop/programmability/functions-intro/
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.inline import split_inline
from emulator.protocol.replies import Reply
from emulator.protocol.text import to_text
from emulator.scripting.flags import NO_WRITES, READ_ONLY_ONLY

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.scripting.runtime import Lua
    from emulator.scripting.scripts import Scripting

_LOAD_SECONDS: Final = 0.5
_BAD_NAME: Final = (
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)


class Function:
    """A function of a library: its callback in Lua, and what FUNCTION LIST tells of it."""

    __slots__ = ("callback", "description", "flags", "name")

    def __init__(self, name: bytes, callback: Any, description: bytes | None, flags: list[bytes]) -> None:
        self.name = name
        self.callback = callback
        self.description = description
        self.flags = flags


class Library:
    """A library: its code and the functions that it registered."""

    __slots__ = ("code", "functions", "name")

    def __init__(self, name: bytes, code: bytes) -> None:
        self.name = name
        self.code = code
        self.functions: dict[bytes, Function] = {}


def _is_name(name: bytes) -> bool:
    return bool(name) and name.replace(b"_", b"a").isalnum()


def _metadata(code: bytes) -> tuple[bytes, bytes]:
    """The name of a library and its code without the first line, which still counts as a line."""
    if not code.startswith(b"#!"):
        raise CommandError("ERR Missing library metadata")
    line, newline, _ = code.partition(b"\n")
    words = split_inline(line)
    if not newline or not words:
        raise CommandError("ERR Invalid library metadata")
    engine = words[0][2:]
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise CommandError(f"ERR Invalid metadata value given: {as_text(word)}")
        if name is not None:
            raise CommandError("ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise CommandError("ERR Library name was not given")
    if not _is_name(name):
        raise CommandError(f"ERR {_BAD_NAME}")
    if engine.lower() != b"lua":
        raise CommandError(f"ERR Engine '{as_text(engine)}' not found")
    return name, code[len(line) :]


class Libraries:
    """The libraries of an engine by name, and all their functions by name in lower case; they have a Lua of their own."""

    def __init__(self, scripting: Scripting) -> None:
        self._scripting = scripting
        self.libraries: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}
        self._loading: Library | None = None
        self._refusal = ""
        self._lua: Lua | None = None

    @property
    def lua(self) -> Lua:
        """The runtime of functions."""
        if self._lua is None:
            self._lua = self._scripting.new_lua()
            self._lua.declare = self._declare
        return self._lua

    @property
    def memory(self) -> int:
        """Bytes that functions have made it use."""
        return 0 if self._lua is None else self._lua.gathered

    def find(self, name: bytes) -> Function | None:
        """The function of a name, whose letters' case does not matter."""
        return self.functions.get(name.lower())

    def load(self, code: bytes, replace: bool) -> bytes:
        """Create a library; its name.  On an error everything is as before."""
        name, body = _metadata(code)
        before = self.libraries.get(name)
        if before is not None and not replace:
            raise CommandError(f"ERR Library '{as_text(name)}' already exists")
        library = self._loaded(Library(name, code), body)
        replaced = before.functions.values() if before else ()
        for function in library.functions:
            other = self.find(function)
            if other is not None and other not in replaced:
                raise CommandError(f"ERR Function {as_text(function)} already exists")
        self.delete(name)
        self.libraries[name] = library
        self.functions |= {function.lower(): entry for function, entry in library.functions.items()}
        return name

    def _loaded(self, library: Library, body: bytes) -> Library:
        """Run the code of a library, which registers its functions."""
        lua = self.lua
        try:
            chunk = lua.compile(body, as_library=True)
        except CommandError as error:
            raise CommandError(f"ERR Error compiling function: {str(error).removeprefix('ERR ')}") from None
        started, timed_out = monotonic(), False

        def is_overdue() -> bool:
            nonlocal timed_out
            timed_out = monotonic() - started > _LOAD_SECONDS
            return timed_out

        self._loading, self._refusal = library, ""
        for_calls, lua.is_overdue = lua.is_overdue, is_overdue
        lua.set_loading(True)
        try:
            outcome = lua.protected(lua.load_library, chunk)
        finally:
            self._loading = None
            lua.is_overdue = for_calls
            exhausted = lua.exhausted
            if timed_out or exhausted:
                lua.stop()
            lua.set_loading(False)
        problem = outcome[-1]
        if timed_out or exhausted:
            problem = b"ERR FUNCTION LOAD timeout" if timed_out else b"ERR not enough memory"
        if problem is not None:
            text = to_text(problem)
            raise CommandError(f"ERR Error registering functions: {text}")
        if self._refusal:
            raise CommandError(f"ERR {self._refusal}")
        if not library.functions:
            raise CommandError("ERR No functions registered")
        return library

    def _declare(self, name: bytes, callback: Any, description: bytes | bool, flags: bytes) -> bytes | None:
        """``redis.register_function``; the text of an error, if any."""
        library = self._loading
        if library is None:
            return (
                f"{self._scripting.wording.api}.register_function can only be called on FUNCTION LOAD command".encode()
            )
        found = flags.split(b"\n") if flags else []
        if not self._scripting.allowed_flags.issuperset(found):
            return b"unknown flag given"
        refusal = ""
        if not _is_name(name):
            refusal = _BAD_NAME
        elif name in library.functions:
            refusal = "Function already exists in the library"
        if (
            refusal and self._scripting.engine.config.edition.is_valkey
        ):  # there they are looked at when all have been declared
            self._refusal = self._refusal or refusal.replace("Library", "Function")
            return None
        if refusal:
            return refusal.encode()
        library.functions[name] = Function(name, callback, description or None, found)  # type: ignore[arg-type]
        return None

    def restore(self, codes: Sequence[bytes], how: bytes) -> None:
        """Load several libraries or, on an error, none: APPEND, REPLACE or FLUSH says what becomes of those there are."""
        before = dict(self.libraries), dict(self.functions)
        old = self._lua
        if how == b"FLUSH":
            self.libraries, self.functions, self._lua = {}, {}, None
        try:
            for code in codes:
                name, _ = _metadata(code)
                if name in self.libraries and how != b"REPLACE":
                    raise CommandError(f"ERR Library {as_text(name)} already exists")
                self.load(code, replace=True)
        except CommandError:
            self.libraries, self.functions = before
            old, self._lua = self._lua, old
            raise
        finally:
            if old is not None and old is not self._lua:
                old.close()

    def delete(self, name: bytes) -> bool:
        """Take a library away; whether it was there."""
        library = self.libraries.pop(name, None)
        if library is None:
            return False
        for function in library.functions:
            self.functions.pop(function.lower(), None)
        return True

    def flush(self) -> None:
        """Take away every library, and with the runtime whatever they left behind."""
        self.libraries = {}
        self.functions = {}
        if self._lua is not None:
            self._lua.close()
            self._lua = None

    def call(self, client: Session, function: Function, words: Sequence[bytes], keys: int, reading: bool) -> Reply:
        """FCALL: run a function with words of which so many are keys."""
        read_only = NO_WRITES in function.flags
        if reading and not read_only:
            if not client.upstash:
                raise CommandError(READ_ONLY_ONLY)
            read_only = True
        lua = self.lua
        invocation = self._scripting.invocation(
            lua, client, function.name, read_only, function.flags, words, keys, by_function=True
        )
        return self._scripting.run(invocation, lua.run_function, function.callback, words, keys)
