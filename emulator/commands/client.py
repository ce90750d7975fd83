"""CLIENT: who is connected, what they do, and what is to be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.commands.arguments import bounded, integer, milliseconds, wrong_subcommand_arity
from emulator.commands.connection import check_name
from emulator.commands.registry import command, container
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import NO_REPLY, OK, REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT, Reply, Status, Verbatim

if TYPE_CHECKING:
    from emulator.session import Session

container("client", group="connection", since="2.4.0", acl="", help_since="5.0.0")

_TYPES = (b"normal", b"master", b"replica", b"slave", b"pubsub")


def describe(session: Session) -> bytes:
    """The line of CLIENT LIST for a session."""
    now = session.engine.clock.now
    command_name = session.last_command.full_name if session.last_command else b"NULL"
    fields = {
        b"id": b"%d" % session.id,
        b"addr": session.address,
        b"laddr": session.local_address,
        b"fd": b"%d" % session.fd,
        b"name": session.name,
        b"age": b"%d" % ((now - session.created) // 1000),
        b"idle": b"%d" % ((now - session.active) // 1000),
        b"flags": _flags(session),
        b"db": b"%d" % session.db.index,
        b"sub": b"%d" % len(session.channels),
        b"psub": b"%d" % len(session.patterns),
        b"ssub": b"%d" % len(session.shards),
        b"multi": b"%d" % (-1 if session.queue is None else len(session.queue)),
        b"watch": b"%d" % len(session.watched),
        b"qbuf": b"0",
        b"qbuf-free": b"0",
        b"argv-mem": b"0",
        b"multi-mem": b"0",
        b"rbs": b"1024",
        b"rbp": b"0",
        b"obl": b"0",
        b"oll": b"0",
        b"omem": b"0",
        b"tot-mem": b"0",
        b"events": b"r",
        b"cmd": command_name,
        b"user": b"default",
        b"redir": b"-1",
        b"resp": b"%d" % session.protocol,
        b"lib-name": session.lib_name,
        b"lib-ver": session.lib_version,
        b"io-thread": b"0",
        b"tot-net-in": b"%d" % session.total_input,
        b"tot-net-out": b"%d" % session.total_output,
        b"tot-cmds": b"%d" % session.total_commands,
    }
    return b" ".join(b"%b=%b" % item for item in fields.items())


def _flags(session: Session) -> bytes:
    flags = b""
    if session.subscriptions:
        flags += b"P"
    if session.queue is not None:
        flags += b"x"
    if session.blocked is not None:
        flags += b"b"
    if session.dirty_cas:
        flags += b"d"
    if session.closing:
        flags += b"c"
    if session.address.endswith(b":0"):
        flags += b"U"
    if session.no_evict:
        flags += b"e"
    if session.no_touch:
        flags += b"T"
    return flags or b"N"


def _kind(session: Session) -> bytes:
    return b"pubsub" if session.subscriptions else b"normal"


def _client_type(name: bytes) -> bytes:
    kind = name.lower()
    if kind not in _TYPES:
        raise CommandError(f"ERR Unknown client type '{as_text(name)}'")
    return b"replica" if kind == b"slave" else kind


# Who am I


@command("connection", container="client", since="5.0.0", flags="noscript loading stale", complexity="O(1)")
def client_id(client: Session) -> int:
    """The id of the connection."""
    return client.id


@command("connection", container="client", since="2.6.9", flags="noscript loading stale", complexity="O(1)")
def client_getname(client: Session) -> bytes | None:
    """The name of the connection, null where it has none."""
    return client.name or None


@command(
    "connection",
    container="client",
    since="2.6.9",
    flags="noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    complexity="O(1)",
)
def client_setname(client: Session, name: bytes) -> Status:
    """Name the connection; the empty name takes the name away."""
    client.name = check_name(name)
    return OK


@command(
    "connection",
    container="client",
    since="7.2.0",
    flags="noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    complexity="O(1)",
)
def client_setinfo(client: Session, option: bytes, value: bytes) -> Status:
    """Tell the library, and its version, that the client uses."""
    name = option.lower()
    if name not in (b"lib-name", b"lib-ver"):
        raise CommandError(f"ERR Unrecognized option '{as_text(option)}'")
    if not all(0x21 <= byte <= 0x7E for byte in value):
        raise CommandError(f"ERR {as_text(option)} cannot contain spaces, newlines or special characters.")
    if name == b"lib-name":
        client.lib_name = value
    else:
        client.lib_version = value
    return OK


@command(
    "connection",
    container="client",
    since="6.2.0",
    flags="noscript loading stale",
    tips="nondeterministic_output",
    complexity="O(1)",
)
def client_info(client: Session) -> Verbatim:
    """The connection's own line of CLIENT LIST."""
    return Verbatim(describe(client) + b"\n")


# The others


@command(
    "connection",
    container="client",
    since="2.4.0",
    flags="admin noscript loading stale",
    tips="nondeterministic_output",
    complexity="O(N) for N clients",
)
def client_list(client: Session, *options: bytes) -> Verbatim:
    """A line for each client, of one type or with certain ids."""
    sessions = list(client.engine.sessions.values())
    if len(options) == 2 and options[0].upper() == b"TYPE":
        kind = _client_type(options[1])
        sessions = [session for session in sessions if _kind(session) == kind]
    elif len(options) > 1 and options[0].upper() == b"ID":
        ids = [integer(word, "ERR Invalid client ID") for word in options[1:]]
        known = client.engine.sessions
        sessions = [known[number] for number in ids if number in known]
    elif options:
        raise CommandError(SYNTAX)
    return Verbatim(b"".join(describe(session) + b"\n" for session in sessions))


@command(
    "connection",
    container="client",
    since="2.4.0",
    flags="admin noscript loading stale",
    complexity="O(N) for N clients",
)
def client_kill(client: Session, filter_or_address: bytes, *options: bytes) -> Reply:
    """Close the connection from an address, or those that pass every filter."""
    if not options:
        victims = [session for session in client.engine.sessions.values() if session.address == filter_or_address]
        if not victims:
            raise CommandError("ERR No such client")
        _kill(client, victims)
        return OK
    words = (filter_or_address, *options)
    if len(words) % 2:
        raise CommandError(SYNTAX)
    victims = list(client.engine.sessions.values())
    skip_me = True
    for option, value in zip(words[::2], words[1::2], strict=True):
        if option.upper() == b"SKIPME":
            if value.lower() not in (b"yes", b"no"):
                raise CommandError(SYNTAX)
            skip_me = value.lower() == b"yes"
        else:
            victims = _filtered(client, victims, option.upper(), value)
    if skip_me:
        victims = [session for session in victims if session is not client]
    _kill(client, victims)
    return len(victims)


def _filtered(client: Session, sessions: Sequence[Session], option: bytes, value: bytes) -> list[Session]:
    if option == b"ID":
        number = bounded(value, 1, INT64_MAX, "ERR client-id should be greater than 0")
        return [session for session in sessions if session.id == number]
    if option == b"TYPE":
        kind = _client_type(value)
        return [session for session in sessions if _kind(session) == kind]
    if option == b"ADDR":
        return [session for session in sessions if session.address == value]
    if option == b"LADDR":
        return [session for session in sessions if session.local_address == value]
    if option == b"USER":
        if value != b"default":
            raise CommandError(f"ERR No such user '{as_text(value)}'")
        return [session for session in sessions if session.authenticated]
    if option == b"MAXAGE":
        age = integer(value, "ERR maxage is not an integer or out of range")
        if age <= 0:
            raise CommandError("ERR maxage should be greater than 0")
        now = client.engine.clock.now
        return [session for session in sessions if (now - session.created) // 1000 >= age]
    raise CommandError(SYNTAX)


def _kill(client: Session, victims: Sequence[Session]) -> None:
    """A client that kills itself still gets its answer."""
    for session in victims:
        if session is client:
            session.close()
        else:
            session.kill()


@command(
    "connection",
    container="client",
    since="5.0.0",
    flags="admin noscript loading stale",
    complexity="O(log N) for N clients",
)
def client_unblock(client: Session, client_id: bytes, *reason: bytes) -> int:
    """End another client's wait, as if its time were up or with an error; whether it did wait."""
    if len(reason) > 1:
        raise wrong_subcommand_arity(client)
    how = reason[0].upper() if reason else b"TIMEOUT"
    if how not in (b"TIMEOUT", b"ERROR"):
        raise CommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    session = client.engine.sessions.get(integer(client_id))
    if session is None or session.blocked is None:
        return 0
    block = session.blocked
    error = CommandError("UNBLOCKED client unblocked via CLIENT UNBLOCK")
    client.engine.blocking.finish(block, block.timeout_reply if how == b"TIMEOUT" else error)
    return 1


@command(
    "connection",
    container="client",
    since="3.0.0",
    flags="admin noscript loading stale",
    complexity="O(1)",
)
def client_pause(client: Session, timeout: bytes, *mode: bytes) -> Status:
    """Let the commands of all clients, or only those that write, wait for some milliseconds."""
    which = b"ALL"
    if mode:
        which = mode[0].upper()
        if which not in (b"WRITE", b"ALL"):
            raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    end = client.engine.clock.now + milliseconds(client, timeout)
    client.engine.pause.start(end, which == b"WRITE")
    return OK


@command(
    "connection",
    container="client",
    since="6.2.0",
    flags="admin noscript loading stale",
    complexity="O(N) for N paused clients",
)
def client_unpause(client: Session) -> Status:
    """End a pause."""
    client.engine.pause.stop()
    return OK


# Settings of the connection


def _switch(word: bytes) -> bool:
    value = word.lower()
    if value not in (b"on", b"off"):
        raise CommandError(SYNTAX)
    return value == b"on"


@command("connection", container="client", since="3.2.0", flags="noscript loading stale", complexity="O(1)")
def client_reply(client: Session, mode: bytes) -> Reply:
    """Whether commands are answered from now on; SKIP leaves out the answer to the next one."""
    which = mode.upper()
    if which not in (b"ON", b"OFF", b"SKIP"):
        raise CommandError(SYNTAX)
    if which == b"ON":
        client.reply_mode = REPLY_ON
    elif which == b"OFF":
        client.reply_mode = REPLY_OFF
    elif client.reply_mode != REPLY_OFF:
        client.reply_mode = REPLY_SKIP_NEXT
    client.refresh()
    return OK if which == b"ON" else NO_REPLY


@command("connection", container="client", since="7.0.0", flags="admin noscript loading stale", complexity="O(1)")
def client_no_evict(client: Session, switch: bytes) -> Status:
    """Whether the connection is spared when clients are closed to save memory."""
    client.no_evict = _switch(switch)
    return OK


@command("connection", container="client", since="7.2.0", flags="noscript loading stale", complexity="O(1)")
def client_no_touch(client: Session, switch: bytes) -> Status:
    """Whether the connection's commands leave the access times of keys alone."""
    client.no_touch = _switch(switch)
    client.refresh()
    return OK
