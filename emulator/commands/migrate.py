"""MIGRATE: moves keys to another server.

A thread talks to the other server, while this one continues to serve clients.  Within transactions and scripts, which may
not block, all clients wait for it, as they always do in Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.clients.blocking import Block
from emulator.clients.pause import BY_MIGRATE
from emulator.commands.arguments import INT32_MAX, integer
from emulator.commands.dump import serialized
from emulator.commands.options import FLAG, Options, last_given, read_options
from emulator.datatypes.wheel import NEVER
from emulator.protocol.client_side import encoded
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.keyspec import keys, keyword
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.database import Database

_KEY_FLAGS: Final = "RW access delete"
_DEFAULT_TIMEOUT: Final = 1000
_LONGEST_LINE: Final = 1024

_CONNECTING: Final = "connecting to the client"
_WRITING: Final = "writing to target instance"
_READING: Final = "reading to target instance"


class _Order(NamedTuple):
    """A call of MIGRATE; ``credentials`` are the words after AUTH, ``timeout`` is in milliseconds.

    ``restore`` is the command that puts a key into the other server: in a cluster one that a node takes which is to get its
    slot.
    """

    host: bytes
    port: bytes
    database: int
    timeout: int
    names: Sequence[bytes]
    credentials: Sequence[bytes]
    copy: bool
    replace: bool
    restore: bytes


class _Parcel(NamedTuple):
    """A key with its serialized value; ``ttl`` in milliseconds, 0 for none."""

    name: bytes
    ttl: int
    payload: bytes


class _Answer(NamedTuple):
    """The lines that the other server answered, and the failure of the connection, None if there was none."""

    lines: list[bytes]
    failure: str | None


def _keys_of_migrate(args: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """Return the keys after the word KEYS, even if it is the argument of an option; else the key argument."""
    skipped = {b"AUTH": 1, b"AUTH2": 2}
    names = args[3:4]
    position = 6
    while position < len(args) - 1:
        word = args[position].upper()
        if word == b"KEYS":
            names = [] if args[3] else args[position + 1 :]
            break
        position += 1 + skipped.get(word, 0)
    return [(name, _KEY_FLAGS) for name in names]


@command(
    "generic",
    since="2.6.0",
    flags="write",
    keys=[keys(_KEY_FLAGS, 3), keyword(f"{_KEY_FLAGS} incomplete", b"KEYS", -2, -1)],
    key_finder=_keys_of_migrate,
    acl="keyspace dangerous",
    tips="nondeterministic_output",
    complexity="O(N) for N bytes",
)
def migrate(
    client: Session, host: bytes, port: bytes, key: bytes, destination_db: bytes, timeout: bytes, *options: bytes
) -> Reply | Block:
    """Moves or copies keys to another server."""
    restore = b"RESTORE" if client.engine.cluster is None else b"RESTORE-ASKING"
    order = _order(restore, host, port, key, destination_db, timeout, options)
    db, engine = client.db, client.engine
    parcels = _parcels(db, order)
    if not parcels:
        return Status(b"NOKEY")
    if client.deny_blocking or engine.in_background is None:
        return _conclude(db, order, parcels, _converse(order, parcels))
    if engine.cluster is not None:  # with its slot the key goes for good: nothing may be written to it here
        engine.pause.start(NEVER - 1, writes_only=True, reason=BY_MIGRATE)
    block = Block(client, (), object, lambda: None, None)
    engine.blocking.block(block, 0)

    def conclude(answer: _Answer) -> None:
        try:
            reply: Reply = _conclude(db, order, parcels, answer)
        except CommandError as error:
            reply = error.alone()
        engine.pause.stop(BY_MIGRATE)
        if client.blocked is block:
            engine.blocking.finish(block, reply)

    def fail(error: Exception) -> None:
        engine.pause.stop(BY_MIGRATE)
        engine.blocking.fail(block, error)

    engine.in_background(lambda: _converse(order, parcels), conclude, fail)
    return block


def _together(*words: bytes) -> Sequence[bytes]:
    return words


_OPTIONS: Final[Options] = {b"COPY": FLAG, b"REPLACE": FLAG, b"AUTH": (1, _together), b"AUTH2": (2, _together)}


def _order(
    restore: bytes,
    host: bytes,
    port: bytes,
    key: bytes,
    destination_db: bytes,
    timeout: bytes,
    options: Sequence[bytes],
) -> _Order:
    def only_names(*names: bytes) -> Sequence[bytes]:
        if key:
            raise CommandError("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")
        return names

    given = read_options(options, {**_OPTIONS, b"KEYS": (len, only_names)})
    patience = integer(timeout)
    return _Order(
        host,
        port,
        integer(destination_db),
        min(patience, INT32_MAX) if patience > 0 else _DEFAULT_TIMEOUT,  # no socket waits for longer
        given.get(b"KEYS", (key,)),
        given.get(last_given(given, (b"AUTH", b"AUTH2")), ()),
        b"COPY" in given,
        b"REPLACE" in given,
        restore,
    )


def _parcels(db: Database, order: _Order) -> list[_Parcel]:
    parcels = []
    for name in order.names:
        value = db.lookup_read_any(name)
        if value is not None:
            deadline = db.entries[name].deadline
            ttl = 0 if deadline is None else max(deadline - db.clock.now, 1)
            parcels.append(_Parcel(name, ttl, serialized(db.engine, value)))
    return parcels


def _converse(order: _Order, parcels: Sequence[_Parcel]) -> _Answer:
    """Send all commands to the other server and read its answers, in the caller's thread."""
    import socket

    commands = [(b"AUTH", *order.credentials)] if order.credentials else []
    commands.append((b"SELECT", b"%d" % order.database))
    replace = (b"REPLACE",) if order.replace else ()
    commands += [(order.restore, name, b"%d" % ttl, payload, *replace) for name, ttl, payload in parcels]
    lines: list[bytes] = []
    stage = _CONNECTING
    try:
        address = order.host.decode(), int(order.port) if order.port.isdigit() else 0
        with socket.create_connection(address, order.timeout / 1000) as connection:
            stage = _WRITING
            connection.sendall(b"".join(map(encoded, commands)))
            stage = _READING
            with connection.makefile("rb") as answers:
                for _ in commands:
                    line = answers.readline(_LONGEST_LINE)
                    if not line.endswith(b"\n"):
                        return _Answer(lines, _READING)
                    lines.append(line.rstrip(b"\r\n"))
    except ConnectionRefusedError:
        return _Answer(lines, _WRITING)
    except (OSError, ValueError, OverflowError):
        return _Answer(lines, stage)
    return _Answer(lines, None)


def _conclude(db: Database, order: _Order, parcels: Sequence[_Parcel], answer: _Answer) -> Status:
    """Delete the keys that have arrived and raise errors.  A key that was written to meanwhile stays."""
    before = 2 if order.credentials else 1
    refusal = next((line for line in answer.lines[:before] if line.startswith(b"-")), None)
    admitted, changed = refusal is None, False
    for parcel, line in zip(parcels, answer.lines[before:], strict=False):
        if line.startswith(b"-"):
            refusal = refusal or line
        elif admitted and not order.copy:
            changed = not _delete(db, parcel) or changed
    if refusal is not None:
        raise CommandError(f"ERR Target instance replied with error: {as_text(refusal[1:])}")
    if answer.failure is not None:
        raise CommandError(f"IOERR error or timeout {answer.failure}")
    if changed:
        raise CommandError("ERR A key was written to while it was migrated: it is here as well as there")
    return OK


def _delete(db: Database, parcel: _Parcel) -> bool:
    """Delete a key that was moved; return False, and keep it, if its value has changed since."""
    entry = db.peek_entry(parcel.name)
    if entry is None:
        return True
    if serialized(db.engine, entry.value) != parcel.payload:
        return False
    return db.delete(parcel.name)
