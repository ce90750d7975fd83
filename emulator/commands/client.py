"""CLIENT: connections, their settings, and actions on other clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from emulator.clients.description import describe, kind_of
from emulator.commands import client_filters
from emulator.commands.arguments import integer, milliseconds, wrong_subcommand_arity
from emulator.commands.client_filters import client_type, user_named, yes_or_no
from emulator.commands.connection import check_name, is_one_word
from emulator.commands.options import TEXT, Given, Options, at_least, read_options
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.replies import NO_REPLY, OK, REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT, Reply, Status, Verbatim
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("client", group="connection", since="2.4.0", acl="", help_since="5.0.0")


def _client_type(name: bytes) -> bytes:
    """The type of clients that a word means in Redis."""
    if name.lower() == b"primary":
        raise CommandError(f"ERR Unknown client type '{as_text(name)}'")
    return client_type(name)


# This connection


@command("connection", container="client", since="5.0.0", flags="noscript loading stale", complexity="O(1)")
def client_id(client: Session) -> int:
    """Returns the id of the connection."""
    return client.id


@command("connection", container="client", since="2.6.9", flags="noscript loading stale", complexity="O(1)")
def client_getname(client: Session) -> bytes | None:
    """Returns the name of the connection, or null if it has none."""
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
    """Names the connection; an empty name removes the old one."""
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
    """Sets the name or the version of the client library."""
    name = option.lower()
    if name not in (b"lib-name", b"lib-ver"):
        raise CommandError(f"ERR Unrecognized option '{as_text(option)}'")
    if not is_one_word(value):
        raise CommandError(f"ERR {as_text(option)} cannot contain spaces, newlines or special characters.")
    if name == b"lib-name":
        client.lib_name = value
    else:
        client.lib_version = value
    return OK


@command("connection", container="client", valkey="8.0.0", flags="noscript loading stale allow_busy", complexity="O(1)")
def client_capa(client: Session, capability: bytes, *more: bytes) -> Status:
    """Says what the client is able to do; what the server does not know is ignored."""
    client.redirects = client.redirects or any(word.lower() == b"redirect" for word in (capability, *more))
    return OK


@command("connection", container="client", valkey="8.1.0", flags="noscript loading stale", complexity="O(1)")
def client_import_source(client: Session, switch: bytes) -> Status:
    """Says whether the client brings data from elsewhere, while the server is in import mode."""
    if not client.engine.config.import_mode and switch.lower() != b"off":
        raise CommandError("ERR Server is not in import mode")
    client.imports = _switch(switch)
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
    """Returns the line of CLIENT LIST that describes the connection."""
    return Verbatim(describe(client) + b"\n")


# Other clients


@command(
    "connection",
    container="client",
    since="2.4.0",
    flags="admin noscript loading stale",
    tips="nondeterministic_output",
    complexity="O(N) for N clients",
)
def client_list(client: Session, *options: bytes) -> Verbatim:
    """Lists the connected clients: all, those of a type, or those with certain ids."""
    sessions = list(client.engine.sessions.values())
    if client.engine.config.edition.is_valkey:
        sessions = list(filter(client_filters.read(client, options, False), sessions))
    elif len(options) == 2 and options[0].upper() == b"TYPE":
        kind = _client_type(options[1])
        sessions = [session for session in sessions if kind_of(session) == kind]
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
    """Closes the connection from an address, or all connections that pass every filter."""
    if not options:
        victims = [session for session in list(client.engine.sessions.values()) if session.address == filter_or_address]
        if not victims:
            raise CommandError("ERR No such client")
        _kill(victims)
        return OK
    if client.engine.config.edition.is_valkey:
        passes = client_filters.read(client, (filter_or_address, *options), True)
        victims = list(filter(passes, client.engine.sessions.values()))
        _kill(victims)
        return len(victims)
    known: Options = {**_FILTERS, b"USER": (1, partial(user_named, client))}
    if client.engine.config.edition.precedes("7.4.0"):
        del known[b"MAXAGE"]
    given = read_options((filter_or_address, *options), known)
    victims = [session for session in client.engine.sessions.values() if _passes(session, given)]
    if given.get(b"SKIPME", True) and client in victims:
        victims.remove(client)
    _kill(victims)
    return len(victims)


_FILTERS: Final[Options] = {
    b"ID": at_least(1, "ERR client-id should be greater than 0"),
    b"TYPE": (1, _client_type),
    b"ADDR": TEXT,
    b"LADDR": TEXT,
    b"MAXAGE": at_least(1, "ERR maxage should be greater than 0", "ERR maxage is not an integer or out of range"),
    b"SKIPME": (1, yes_or_no),
}
_ASPECTS: Final[dict[bytes, Callable[[Session], object]]] = {
    b"ID": attrgetter("id"),
    b"TYPE": kind_of,
    b"ADDR": attrgetter("address"),
    b"LADDR": attrgetter("local_address"),
    b"USER": attrgetter("user"),
}
"""For each filter, the property of a session that must equal its value."""


def _passes(session: Session, filters: Given) -> bool:
    age = (session.engine.clock.now - session.created) // 1000
    return age >= filters.get(b"MAXAGE", age) and all(
        aspect(session) == filters[word] for word, aspect in _ASPECTS.items() if word in filters
    )


def _kill(victims: Sequence[Session]) -> None:
    for session in victims:
        session.abort_in_turn()


@command(
    "connection",
    container="client",
    since="5.0.0",
    flags="admin noscript loading stale",
    complexity="O(log N) for N clients",
)
def client_unblock(client: Session, client_id: bytes, *reason: bytes) -> int:
    """Ends the wait of a blocked client by a timeout or an error; returns 1 if the client was blocked."""
    if len(reason) > 1 and not client.engine.config.edition.is_valkey:
        raise wrong_subcommand_arity(client)
    how = reason[0].upper() if len(reason) == 1 else b"TIMEOUT"  # Valkey does not look at what is too much
    if how not in (b"TIMEOUT", b"ERROR"):
        raise CommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    session = client.engine.sessions.get(integer(client_id))
    if session is None or session.blocked is None or session.blocked in client.engine.blocking.postponed:
        return 0
    block = session.blocked
    error = CommandError("UNBLOCKED client unblocked via CLIENT UNBLOCK")
    client.engine.blocking.finish(block, block.on_timeout() if how == b"TIMEOUT" else error)
    return 1


@command(
    "connection",
    container="client",
    since="3.0.0",
    flags="admin noscript loading stale",
    complexity="O(1)",
)
def client_pause(client: Session, timeout: bytes, *mode: bytes) -> Status:
    """Suspends the commands of all clients for some milliseconds, with WRITE only those that write."""
    which = b"ALL"
    if mode:
        which = mode[0].upper()
        if which not in (b"WRITE", b"ALL"):
            raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    end = client.engine.clock.elapsed + milliseconds(client, timeout)
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
    """Ends a pause and resumes the suspended clients."""
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
    """Turns the replies to the connection on or off; SKIP drops the next reply."""
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
    """Protects the connection from eviction under maxmemory-clients, or ends the protection."""
    client.no_evict = _switch(switch)
    return OK


@command("connection", container="client", since="7.2.0", flags="noscript loading stale", complexity="O(1)")
def client_no_touch(client: Session, switch: bytes) -> Status:
    """Keeps the connection's commands from updating access times and frequencies of keys."""
    client.no_touch = _switch(switch)
    client.refresh()
    return OK
