"""EVAL and SCRIPT: Lua scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.commands.arguments import integer, wrong_subcommand_arity
from emulator.protocol.errors import NOT_INTEGER, CommandError, as_text
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.keyspec import numkeys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("script", group="scripting", since="2.6.0", acl="", help_since="5.0.0")

ANY_USE = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"
ANY_READING = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"


def number_of_keys(count: bytes, words: Sequence[bytes], error: str = NOT_INTEGER) -> int:
    """Return how many of the words of a script or function are keys."""
    number = integer(count, error)
    if number > len(words):
        raise CommandError("ERR Number of keys can't be greater than number of args")
    if number < 0:
        raise CommandError("ERR Number of keys can't be negative")
    return number


def note_words(client: Session, name: bytes, script: bytes, count: bytes, words: Sequence[bytes]) -> None:
    """Set the client's words for FUNCTION STATS; after the slow path they are already there, as they were sent."""
    known = client.words
    if len(known) != len(words) + 3 or known[1] is not script:
        client.words = (name, script, count, *words)


def _evaluate(client: Session, source: bytes, count: bytes, words: Sequence[bytes], reading: bool = False) -> Reply:
    note_words(client, b"EVAL_RO" if reading else b"EVAL", source, count, words)
    keys = number_of_keys(count, words)
    scripting = client.engine.scripting
    name, script = scripting.compiled(source)
    return scripting.evaluate(client, name, script, words, keys, reading)


def _evaluate_known(client: Session, sha1: bytes, count: bytes, words: Sequence[bytes], reading: bool = False) -> Reply:
    note_words(client, b"EVALSHA_RO" if reading else b"EVALSHA", sha1, count, words)
    scripting = client.engine.scripting
    name = sha1.lower()
    script = scripting.scripts.get(name)
    if len(sha1) != 40:
        raise CommandError(scripting.wording.no_script)
    keys = number_of_keys(count, words)
    if script is None:
        raise CommandError(scripting.wording.no_script)
    return scripting.evaluate(client, name, script, words, keys, reading)


@command(
    "scripting",
    since="2.6.0",
    flags="may_replicate noscript stale skip_monitor no_mandatory_keys runs_script",
    keys=[numkeys("RW access update", 2, notes=ANY_USE)],
    complexity="that of the script",
)
def eval_(client: Session, script: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """Runs a Lua script."""
    return _evaluate(client, script, numkeys, words)


@command(
    "scripting",
    since="7.0.0",
    flags="readonly noscript stale skip_monitor no_mandatory_keys runs_script",
    keys=[numkeys("RO access", 2, notes=ANY_READING)],
    complexity="that of the script",
)
def eval_ro(client: Session, script: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """Runs a Lua script that may not write."""
    return _evaluate(client, script, numkeys, words, reading=True)


@command(
    "scripting",
    since="2.6.0",
    flags="may_replicate noscript stale skip_monitor no_mandatory_keys runs_script",
    keys=[numkeys("RW access update", 2)],
    complexity="that of the script",
)
def evalsha(client: Session, sha1: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """Runs a cached Lua script, named by its SHA-1."""
    return _evaluate_known(client, sha1, numkeys, words)


@command(
    "scripting",
    since="7.0.0",
    flags="readonly noscript stale skip_monitor no_mandatory_keys runs_script",
    keys=[numkeys("RO access", 2)],
    complexity="that of the script",
)
def evalsha_ro(client: Session, sha1: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """Runs a cached Lua script that may not write, named by its SHA-1."""
    return _evaluate_known(client, sha1, numkeys, words, reading=True)


# SCRIPT


@command(
    "scripting",
    container="script",
    since="2.6.0",
    flags="noscript stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    complexity="O(N) for N bytes of the script",
)
def script_load(client: Session, script: bytes) -> bytes:
    """Caches a script without running it; returns its SHA-1."""
    return client.engine.scripting.load(script)


@command(
    "scripting",
    container="script",
    since="2.6.0",
    flags="noscript",
    tips="request_policy:all_shards response_policy:agg_logical_and",
    complexity="O(N) for N scripts asked for",
)
def script_exists(client: Session, sha1: bytes, *more: bytes) -> list[int]:
    """Returns for each SHA-1 whether such a script is cached."""
    known = client.engine.scripting.scripts
    return [int(name.lower() in known) for name in (sha1, *more)]


@command("scripting", container="script", valkey="8.0.0", flags="noscript stale", complexity="O(1)")
def script_show(client: Session, sha1: bytes) -> bytes:
    """Returns the text of a cached script."""
    script = client.engine.scripting.scripts.get(sha1.lower())
    if script is None:
        raise CommandError(client.engine.scripting.wording.no_script)
    return script.source


def flush_mode(options: Sequence[bytes], error: str) -> None:
    """Check a word ASYNC or SYNC; they make no difference here."""
    if len(options) > 1 or (options and options[0].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(error)


@command(
    "scripting",
    container="script",
    since="2.6.0",
    flags="noscript",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    complexity="O(N) for N scripts",
)
def script_flush(client: Session, *mode: bytes) -> Status:
    """Removes all cached scripts."""
    flush_mode(mode, "ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    client.engine.scripting.flush()
    return OK


@command(
    "scripting",
    container="script",
    since="2.6.0",
    flags="noscript allow_busy",
    tips="request_policy:all_shards response_policy:one_succeeded",
    complexity="O(1)",
)
def script_kill(client: Session) -> Status:
    """Stops the running script, unless it has already written."""
    client.engine.scripting.kill(by_function=False)
    return OK


@command("scripting", container="script", since="3.2.0", flags="noscript", complexity="O(1)")
def script_debug(client: Session, mode: bytes, *engine: bytes) -> Status:
    """Accepts NO; YES and SYNC are refused, since there is no Lua debugger."""
    if len(engine) > 1:
        raise wrong_subcommand_arity(client)
    choice = mode.upper()
    if engine and engine[0].lower() != b"lua":
        raise CommandError(f"ERR No scripting engine found with name '{as_text(engine[0])}' to enable debug")
    if choice in (b"YES", b"SYNC"):
        raise CommandError("ERR The Lua debugger is not available on this server")
    if choice != b"NO":
        raise CommandError("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    return OK
