"""DEBUG: tools for test suites and for finding bugs.

Redis has it as one command, without sub-commands in COMMAND INFO; here each of its words is a function in `_ACTIONS`, whose
signature gives the arity.  Words about internals of the real server that have no counterpart here are accepted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from emulator.clients.reply_buffer import NEVER, PATIENCE
from emulator.commands.arguments import integer, positive, wrong_subcommand_arity
from emulator.config.kinds import parse_memory
from emulator.config.notifications import STRING
from emulator.datatypes.digest import Digest
from emulator.keyspace.digest import of_databases, of_value
from emulator.protocol.encoder import encode
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import OK, Attributed, BigNumber, Push, Reply, SetReply, Status, Verbatim
from emulator.protocol.text import to_text
from emulator.stats.log import NOTICE
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

logger = logging.getLogger("emulator")

Action = Callable[..., Reply]
_ACTIONS: Final[dict[bytes, tuple[int, int, Action]]] = {}
_SINCE: Final = {
    b"DICT-RESIZING": "7.4.0",
    b"INTERNAL_SECRET": "8.0.0",
    b"KEYSIZES-HIST-ASSERT": "8.0.0",
    b"MARK-INTERNAL-CLIENT": "8.0.0",
    b"REPL-PAUSE": "8.0.0",
    b"SCRIPT": "7.4.0",
}
"""With which version of Redis a word came that not all of them have."""
_UNBOUNDED: Final = 1 << 30
_MOST_PACKED: Final = 4 << 30
_LEAST_BUCKET: Final = 14
_MOST_BUCKET: Final = 32


def debug_word(function: Action, name: str = "") -> Action:
    """Register a function as a word of DEBUG, under its own name unless another is given."""
    code = function.__code__
    most = code.co_argcount - 1
    least = most - len(function.__defaults__ or ())
    word = name or function.__name__.strip("_").replace("_", "-").upper()
    _ACTIONS[word.encode()] = least, _UNBOUNDED if code.co_flags & 0x04 else most, function
    return function


@command("server", since="1.0.0", flags="admin noscript loading stale protected", complexity="that of the sub-command")
def debug(client: Session, subcommand: bytes, *arguments: bytes) -> Reply:
    """Inspects the server or puts it into unusual states, for tests."""
    client.check_protected("debug")
    client.words = (b"debug", subcommand, *arguments)  # the fast path does not set them
    word = subcommand.upper()
    least, most, action = _ACTIONS.get(word, (1, 0, debug)) if _is_there(client, word) else (1, 0, debug)
    if not least <= len(arguments) <= most:
        raise wrong_subcommand_arity(client)
    return action(client, *arguments)


def _is_there(client: Session, word: bytes) -> bool:
    return not client.engine.config.edition.precedes(_SINCE.get(word, "0.0.0"))


@debug_word
def _help(client: Session) -> Reply:
    """Lists the sub-commands."""
    lines = ["DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for name, (_, _, action) in sorted(_ACTIONS.items()):
        if not _is_there(client, name):
            continue
        lines += [name.decode(), f"    {(action.__doc__ or '').partition(chr(10))[0]}"]
    return [Status(line.encode()) for line in lines]


def _flag(word: bytes) -> bool:
    """Return a switch: on for any number but zero, read as C reads numbers."""
    return word.lstrip(b" +-0")[:1].isdigit()


# Data


@debug_word
def _digest(client: Session) -> Reply:
    """Returns a fingerprint of all data."""
    return Status(bytes(of_databases(client.engine.databases)))


@debug_word
def _digest_value(client: Session, *keys: bytes) -> Reply:
    """Returns fingerprints of the values of keys."""
    entries = [client.db.peek_entry(key) for key in keys]
    return [Status(bytes(Digest() if entry is None else of_value(entry, Digest()))) for entry in entries]


@debug_word
def _populate(client: Session, count: bytes, prefix: bytes = b"key", size: bytes = b"0") -> Reply:
    """Creates numbered keys with a prefix and values of a size; existing keys stay."""
    number, length = positive(count), positive(size)
    changes = client.engine.dirty
    for index in range(number):
        key, value = b"%b:%d" % (prefix, index), b"value:%d" % index
        if client.db.peek_entry(key) is None:
            client.db.put(key, value[:length].ljust(length, b"\0") if length else value, STRING, b"set")
    client.engine.dirty = changes  # they count as none
    return OK


@debug_word
def _reload(client: Session, *options: bytes) -> Reply:
    """Save the data set and load it again; NOSAVE, NOFLUSH and MERGE leave out steps of that."""
    chosen = {option.upper() for option in options}
    if not chosen <= {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise CommandError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    client.engine.persistence.reload(b"NOSAVE" not in chosen, b"NOFLUSH" not in chosen, b"MERGE" in chosen)
    return OK


@debug_word
def _loadaof(client: Session) -> Reply:
    """Load the append-only file again."""
    client.engine.persistence.reload_log()
    return OK


# Behaviour


_LONGEST_SLEEP = float(1 << 63) / 1e9
"""The longest sleep of Python in seconds.  Redis does not sleep for texts that are no number or beyond its integers."""


@debug_word
def _sleep(client: Session, seconds: bytes) -> Reply:
    """Stops the whole server for some seconds."""
    try:
        duration = float(seconds)
    except ValueError:
        duration = 0.0
    if 0 < duration < _LONGEST_SLEEP:
        time.sleep(duration)
    return OK


@debug_word
def _set_active_expire(client: Session, switch: bytes) -> Reply:
    """Turns active expiry on or off; without it, keys expire when they are accessed."""
    client.engine.expiration.switch(_flag(switch))
    return OK


@debug_word
def _set_skip_checksum_validation(client: Session, switch: bytes) -> Reply:
    """Takes files and payloads of RESTORE whose checksum is wrong, or refuses them again."""
    client.engine.skips_checksums = _flag(switch)
    return OK


@debug_word
def _pause_cron(client: Session, switch: bytes) -> Reply:
    """Pauses or resumes periodic work, which is active expiry."""
    client.engine.expiration.switch(not _flag(switch))
    return OK


@debug_word
def _quicklist_packed_threshold(client: Session, size: bytes) -> Reply:
    """Sets the size from which a list element has a node of its own; 0 is the default."""
    number = parse_memory(to_text(size))
    if number is None or not 0 <= number <= _MOST_PACKED:
        raise CommandError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    client.engine.packed_threshold.set(number)
    return OK


@debug_word
def _set_disable_deny_scripts(client: Session, switch: bytes) -> Reply:
    """Allows scripts to call commands with the flag noscript, or forbids it again."""
    client.engine.scripting.may_call_all = _flag(switch)
    return OK


@debug_word
def _replybuffer(client: Session, option: bytes, value: bytes) -> Reply:
    """Sets how the real server resizes reply buffers."""
    name, word = option.upper(), value.upper()
    buffers = client.engine.reply_buffers
    replies = [session.replies for session in list(client.engine.sessions.values())]
    for buffer in replies:
        buffer.settle(client.engine.clock.now)
    if name == b"PEAK-RESET-TIME":
        words = {b"NEVER": NEVER, b"RESET": PATIENCE}
        patience = words[word] if word in words else integer(value)
        for buffer in replies:
            buffer.forgets_at += patience - buffers.patience
        buffers.patience = patience
    elif name == b"RESIZING":
        buffers.resizing = _flag(value)
    else:
        raise wrong_subcommand_arity(client)
    return OK


def _accept(name: str, count: int, summary: str) -> None:
    """Register a word that is accepted without effect, with a number of arguments."""

    def accepted(client: Session, *arguments: bytes) -> Reply:
        return OK

    accepted.__doc__ = summary
    _ACTIONS[name.encode()] = count, count, accepted


for _name, _count, _summary in (
    ("AOF-FLUSH-SLEEP", 1, "How long to wait before the append-only file is flushed."),
    ("CHANGE-REPL-ID", 0, "Take another replication id."),
    ("DICT-RESIZING", 1, "Whether the real server's tables are resized."),
    ("DROP-CLUSTER-PACKET-FILTER", 1, "Which packets of a cluster are dropped."),
    ("KEYSIZES-HIST-ASSERT", 1, "Whether the counts of INFO keysizes are checked after each command."),
    ("LEAK", 1, "Lose some memory."),
    ("STRINGMATCH-TEST", 0, "Try the matcher of globs."),
):
    _accept(_name, _count, _summary)


@debug_word
def _replicate(client: Session, word: bytes, *more: bytes) -> Reply:
    """Sends replicas a command that nobody runs here."""
    client.engine.propagation.add_for_replicas(client.db.index, (word, *more))
    return OK


@debug_word
def _mark_internal_client(client: Session, unmark: bytes = b"UNMARK") -> Reply:
    """Marks the connection as internal."""
    return OK


@debug_word
def _repl_pause(client: Session, step: bytes) -> Reply:
    """Accepts a step of replication to pause at."""
    if step.lower() not in (b"clear", b"after-fork", b"before-rdb-channel", b"on-streaming-repl-buf"):
        raise wrong_subcommand_arity(client)
    return OK


@debug_word
def _clusterlink(client: Session, kill: bytes, direction: bytes, node: bytes) -> Reply:
    """Closes a link of the cluster bus."""
    cluster = client.engine.cluster
    if cluster is None:
        raise CommandError("ERR Debug option only available for cluster mode enabled setup!")
    known = cluster.state.nodes.get(node)
    if known is None:
        raise CommandError(f"ERR Unknown node {as_text(node)}")
    if cluster.bus is not None:
        cluster.bus.hang_up(known)
    return OK


def _internal_secret(client: Session) -> Reply:
    """The secret of a cluster."""
    raise CommandError("ERR Internal secret is missing")


debug_word(_internal_secret, "INTERNAL_SECRET")


@debug_word
def _client_eviction(client: Session) -> Reply:
    """Returns the memory of the clients that may be evicted."""
    eviction = client.engine.client_eviction
    if not eviction.limit:
        raise CommandError("ERR maxmemory-clients is disabled.")
    sizes = eviction.sizes()
    lines = []
    for power in range(_LEAST_BUCKET, _MOST_BUCKET + 1):
        low, high = (1 << power if power > _LEAST_BUCKET else 0), 2 << power
        there = [size for size in sizes if low <= size and (size < high or power == _MOST_BUCKET)]
        span = f"{low:>10}+            " if power == _MOST_BUCKET else f"{low:>10} - {high - 1:>10}"
        lines.append(f"bucket {span}: tot-mem: {sum(there):>10}, clients: {len(there)}\n")
    return Verbatim("".join(lines).encode())


@debug_word
def _config_rewrite_force_all(client: Session) -> Reply:
    """Writes all parameters to the configuration file, defaults included."""
    raise CommandError("ERR CONFIG-REWRITE-FORCE-ALL failed: Bad address")


@debug_word
def _script(client: Session, word: bytes) -> Reply:
    """Writes the cached scripts to the log."""
    scripts = client.engine.scripting.scripts
    if word.upper() != b"LIST" and word.lower() not in scripts:
        raise wrong_subcommand_arity(client)
    for name, script in scripts.items():
        if word.upper() == b"LIST" or name == word.lower():
            logger.log(NOTICE, "script %s: %s", as_text(name), as_text(script.source))
    return OK


# Replies


@debug_word
def _error(client: Session, text: bytes) -> Reply:
    """Returns an error with a given text."""
    raise CommandError(to_text(text).translate({10: " ", 13: " "}))


@debug_word
def _log(client: Session, message: bytes) -> Reply:
    """Writes a message to the log."""
    logger.warning("DEBUG LOG: %s", as_text(message))
    return OK


@debug_word
def _structsize(client: Session) -> Reply:
    """Returns the sizes of the real server's structures."""
    return b"bits:64 robj:16 dictentry:24 sdshdr5:1 sdshdr8:3 sdshdr16:5 sdshdr32:9 sdshdr64:17 "


_PROTOCOL: Final[dict[bytes, Any]] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": {0: False, 1: True, 2: False},
    b"attrib": Attributed({b"key-popularity": [b"key:123", 90]}, b"Some real reply following the attribute"),
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
    b"bignum": BigNumber(b"1234567999999999999999999999999999999"),
}


@debug_word
def _protocol(client: Session, kind: bytes) -> Reply:
    """Returns an example of a reply type."""
    name = kind.lower()
    if name == b"push":
        if client.protocol < 3:
            raise CommandError("ERR RESP2 is not supported by this command")
        client.send(encode(Push([b"server-cpu-usage", 42]), 3))
        return b"Some real reply following the push reply"
    if name not in _PROTOCOL:
        raise CommandError(
            "ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
        )
    reply: Reply = _PROTOCOL[name]
    return reply


# The end


def _ending(name: str, most: int, summary: str) -> None:
    def end(client: Session, *delay: bytes) -> Reply:
        logger.critical("DEBUG %s: the server ends here", name)
        client.engine.request_shutdown()
        client.abort()
        return OK

    end.__doc__ = summary
    _ACTIONS[name.encode()] = 0, most, end


for _name, _most, _summary in (
    ("ASSERT", 0, "End as if an assertion had failed."),
    ("CRASH-AND-RECOVER", 1, "End; nobody starts the server again."),
    ("OOM", 0, "End as if there were no memory."),
    ("PANIC", 0, "End as if something impossible had happened."),
    ("RESTART", 1, "End; nobody starts the server again."),
    ("SEGFAULT", 0, "End as if memory had been misused."),
):
    _ending(_name, _most, _summary)
