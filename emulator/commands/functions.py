"""FCALL and FUNCTION: libraries of functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import wrong_subcommand_arity
from emulator.commands.options import FLAG, Options, if_any, once, read_options
from emulator.commands.scripting import ANY_READING, ANY_USE, flush_mode, note_words, number_of_keys
from emulator.datatypes.glob import matcher
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import OK, Reply, SetReply, Status
from emulator.table.keyspec import numkeys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.scripting.functions import Library

container("function", group="scripting", since="7.0.0", acl="", help_since="7.0.0")

_LIBRARY_MARK = b"\xf5"
_ALL_SHARDS = "request_policy:all_shards response_policy:all_succeeded"


def _call(client: Session, name: bytes, count: bytes, words: Sequence[bytes], reading: bool = False) -> Reply:
    note_words(client, b"FCALL_RO" if reading else b"FCALL", name, count, words)
    libraries = client.engine.scripting.libraries
    function = libraries.find(name)
    if function is None:
        raise CommandError("ERR Function not found")
    keys = number_of_keys(count, words, "ERR Bad number of keys provided")
    return libraries.call(client, function, words, keys, reading)


@command(
    "scripting",
    since="7.0.0",
    flags="may_replicate noscript stale skip_monitor no_mandatory_keys runs_script",
    keys=[numkeys("RW access update", 2, notes=ANY_USE)],
    complexity="that of the function",
)
def fcall(client: Session, function: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """Calls a function of a library."""
    return _call(client, function, numkeys, words)


@command(
    "scripting",
    since="7.0.0",
    flags="readonly noscript stale skip_monitor no_mandatory_keys runs_script",
    keys=[numkeys("RO access", 2, notes=ANY_READING)],
    complexity="that of the function",
)
def fcall_ro(client: Session, function: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """Calls a function of a library; the function may not write."""
    return _call(client, function, numkeys, words, reading=True)


# FUNCTION


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="write denyoom noscript",
    tips=_ALL_SHARDS,
    complexity="O(1)",
)
def function_load(client: Session, code: bytes, *more: bytes) -> bytes:
    """Creates a library, with REPLACE in place of an existing one; returns its name."""
    *options, source = (code, *more)
    given = read_options(options, {b"REPLACE": FLAG}, error="ERR Unknown option given: {}")
    name = client.engine.scripting.libraries.load(source, bool(given))
    client.engine.dirty += 1
    return name


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="write noscript",
    tips=_ALL_SHARDS,
    complexity="O(1)",
)
def function_delete(client: Session, library_name: bytes) -> Status:
    """Deletes a library and its functions."""
    if not client.engine.scripting.libraries.delete(library_name):
        raise CommandError("ERR Library not found")
    client.engine.dirty += 1
    return OK


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="write noscript",
    tips=_ALL_SHARDS,
    complexity="O(N) for N functions",
)
def function_flush(client: Session, *mode: bytes) -> Status:
    """Deletes all libraries."""
    if len(mode) > 1:
        raise wrong_subcommand_arity(client)
    flush_mode(mode, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    client.engine.scripting.libraries.flush()
    client.engine.dirty += 1
    return OK


def _library_name(*name: bytes) -> bytes:
    if not name:
        raise CommandError("ERR library name argument was not given")
    return name[0]


_LIST_OPTIONS: Final[Options] = {b"WITHCODE": FLAG, b"LIBRARYNAME": (if_any, _library_name)}
_LIST_RULES: Final = once(b"WITHCODE") | once(b"LIBRARYNAME")


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="noscript",
    tips="nondeterministic_output_order",
    complexity="O(N) for N functions",
)
def function_list(client: Session, *options: bytes) -> list[Reply]:
    """Returns the libraries and their functions, with WITHCODE their code as well."""
    given = read_options(options, _LIST_OPTIONS, _LIST_RULES, error="ERR Unknown argument {}")
    pattern, with_code = given.get(b"LIBRARYNAME", b"*"), b"WITHCODE" in given
    matches = matcher(pattern, ignore_case=True)
    found = client.engine.scripting.libraries.libraries.values()
    return [_described(library, with_code) for library in found if matches(library.name)]


def _described(library: Library, with_code: bool) -> dict[bytes, Reply]:
    functions = [
        {
            b"name": function.name,
            b"description": function.description,
            b"flags": SetReply(Status(flag) for flag in function.flags),
        }
        for function in library.functions.values()
    ]
    described: dict[bytes, Reply] = {b"library_name": library.name, b"engine": b"LUA", b"functions": functions}
    return described | {b"library_code": library.code} if with_code else described


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="noscript allow_busy",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    complexity="O(1)",
)
def function_stats(client: Session) -> dict[bytes, Reply]:
    """Returns the function that is running, and the numbers of libraries and functions."""
    client.engine.scripting.refuse_busy(by_function=True)
    libraries = client.engine.scripting.libraries
    running = client.engine.busy
    script: Reply = None
    if running is not None:
        script = {b"name": running.name, b"command": list(running.words), b"duration_ms": running.milliseconds}
    counts = {b"libraries_count": len(libraries.libraries), b"functions_count": len(libraries.functions)}
    return {b"running_script": script, b"engines": {b"LUA": counts}}


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="noscript allow_busy",
    tips="request_policy:all_shards response_policy:one_succeeded",
    complexity="O(1)",
)
def function_kill(client: Session) -> Status:
    """Stops the running function, unless it has already written."""
    client.engine.scripting.kill(by_function=True)
    return OK


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="noscript",
    complexity="O(N) for N functions",
)
def function_dump(client: Session) -> bytes:
    """Returns all libraries in serialized form, for FUNCTION RESTORE."""
    from emulator.rdb import payload

    libraries = client.engine.scripting.libraries.libraries.values()
    body = b"".join(_LIBRARY_MARK + payload.string(library.code) for library in libraries)
    return payload.sealed(body, version=client.engine.config.edition.rdb_version)


@command(
    "scripting",
    container="function",
    since="7.0.0",
    flags="write denyoom noscript",
    tips=_ALL_SHARDS,
    complexity="O(N) for N functions",
)
def function_restore(client: Session, serialized_value: bytes, *policy: bytes) -> Status:
    """Restores serialized libraries: adds them (APPEND), replaces those of the same name (REPLACE), or all (FLUSH)."""
    from emulator.rdb import payload
    from emulator.rdb.errors import BadData

    if len(policy) > 1:
        raise wrong_subcommand_arity(client)
    how = policy[0].upper() if policy else b"APPEND"
    if how not in (b"APPEND", b"REPLACE", b"FLUSH"):
        raise CommandError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    body = payload.unsealed(
        serialized_value, client.engine.config.edition.rdb_version, not client.engine.skips_checksums
    )
    if body is None:
        raise CommandError("ERR DUMP payload version or checksum are wrong")
    reader, codes = payload.Reader(body), []
    try:
        while not reader.at_end:
            if reader.take(1) != _LIBRARY_MARK:
                raise CommandError("ERR given type is not a function")
            codes.append(reader.string())
    except BadData:
        raise CommandError("ERR failed loading functions, Failed loading library data") from None
    client.engine.scripting.libraries.restore(codes, how)
    client.engine.dirty += 1
    return OK
