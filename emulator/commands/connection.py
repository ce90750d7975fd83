"""The connection group: greeting, authentication, selection of the database, closing.  CLIENT is in `client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.acl.user import password_hash
from emulator.clients.transaction import unwatch
from emulator.commands.arguments import database, integer, refuse_in_cluster, wrong_arity
from emulator.commands.options import Options, read_options
from emulator.controls.instances import Moved
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import NO_REPLY, OK, PONG, REPLY_ON, REPLY_SKIP, NoReply, Reply, Status
from emulator.protocol.text import to_bytes
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_PRINTABLE: Final = bytes(range(0x21, 0x7F))
_BAD_NAME = "ERR Client names cannot contain spaces, newlines or special characters."


@command(
    "connection",
    since="1.0.0",
    flags="fast",
    tips="request_policy:all_shards response_policy:all_succeeded",
    complexity="O(1)",
)
def ping(client: Session, *message: bytes) -> Reply:
    """Returns PONG, or the message that is given."""
    if len(message) > 1:
        raise wrong_arity("ping")
    if client.protocol == 2 and client.subscriptions:
        return [b"pong", message[0] if message else b""]
    return message[0] if message else PONG


@command("connection", since="1.0.0", flags="loading stale fast", complexity="O(1)")
def echo(client: Session, message: bytes) -> bytes:
    """Returns the message that is given."""
    return message


@command("connection", since="1.0.0", flags="loading stale fast", complexity="O(1)")
def select(client: Session, index: bytes) -> Status:
    """Selects the database of the connection."""
    if integer(index):
        refuse_in_cluster(client, "ERR SELECT is not allowed in cluster mode", valkey=False)
    client.db = database(client, index)
    return OK


def is_one_word(text: bytes) -> bool:
    """Return whether a text is printable ASCII without spaces; as in C, a zero byte ends the text."""
    return not text.partition(b"\0")[0].translate(None, _PRINTABLE)


def check_name(name: bytes) -> bytes:
    """Return a client's name; raise if it is not one word."""
    if not is_one_word(name):
        raise CommandError(_BAD_NAME)
    return name


def _authenticate(client: Session, by: bytes, user: bytes, password: bytes) -> Session | NoReply:
    """Return the authenticated session: the client's own, or a new one in the tenant or keyspace that the login selects.

    Redis does not tell a refusal to a client that has not yet got all of its replies: it takes those for the answer of a
    module that authenticates.
    """
    keyspaces = client.engine.keyspaces
    tenant = keyspaces.tenant_of(user, password)
    if tenant is not None and (known := tenant.acl.table.get(user)) is not None and known.accepts(password):
        return client.move(tenant, known, password_hash(password))
    # A tenant's password that is worth nothing any more must not lead to the data of a user who needs none.
    needs_none = keyspaces.has_tenants and user in client.engine.acl.table and client.engine.acl.table[user].no_password
    if not needs_none and client.authenticate(user, password):
        return client
    keyspace = keyspaces.of_user(user, password)
    if keyspace is not None:
        return client.move(keyspace, keyspace.acl.default, password_hash(password))
    client.engine.acl.log(client, b"auth", b"toplevel", by, user)
    if client.awaits_replies and not client.engine.config.edition.is_valkey:
        return NO_REPLY
    raise CommandError("WRONGPASS invalid username-password pair or user is disabled.")


@command("connection", since="1.0.0", flags="noscript loading stale fast no_auth allow_busy", complexity="O(1)")
def auth(client: Session, username: bytes, *password: bytes) -> Status | NoReply | Moved:
    """Authenticates the connection with a password, or with a user name and a password."""
    if len(password) > 1:
        raise CommandError(SYNTAX)
    engine = client.engine
    if not password and engine.acl.default.no_password and not engine.keyspaces.tenant_of(b"default", username):
        raise CommandError(
            "ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?"
        )
    credentials = (username, password[0]) if password else (b"default", username)
    session = _authenticate(client, b"AUTH", *credentials)
    if isinstance(session, NoReply):
        return session
    return OK if session is client else Moved(session, OK)


_HELLO_OPTIONS: Final[Options] = {b"AUTH": (2, lambda *credentials: credentials), b"SETNAME": (1, check_name)}


@command("connection", since="6.0.0", flags="noscript loading stale fast no_auth allow_busy", complexity="O(1)")
def hello(client: Session, *arguments: bytes) -> dict[bytes, Reply] | NoReply | Moved:
    """Selects the protocol, optionally authenticates and names the connection; returns facts about the server."""
    version = None
    if arguments:
        version = integer(arguments[0], "ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise CommandError("NOPROTO unsupported protocol version")
    given = read_options(arguments[1:], _HELLO_OPTIONS, error="ERR Syntax error in HELLO option '{}'")
    credentials: tuple[bytes, bytes] | None = given.get(b"AUTH")
    name: bytes | None = given.get(b"SETNAME")
    session = _authenticate(client, b"HELLO", *credentials) if credentials else client
    if isinstance(session, NoReply):
        return session
    if not session.authenticated and not session.engine.acl.open_to_all:
        raise CommandError(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
            "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
        )
    if name is not None:
        session.name = name
    if version is not None:
        session.set_protocol(version)
    edition = session.engine.config.edition
    greeting: dict[bytes, Reply] = {
        b"server": edition.name.encode(),
        b"version": edition.version.encode(),
        b"proto": session.protocol,
        b"id": session.id,
        b"mode": session.engine.mode.encode(),
        b"role": b"master" if session.engine.replication.link is None else b"replica",
        b"modules": [module.listed for module in edition.modules],
    }
    if edition.is_valkey and session.engine.config.availability_zone:
        greeting[b"availability_zone"] = to_bytes(session.engine.config.availability_zone)
    if session.engine.sentinel is not None:
        del greeting[b"role"]
    return greeting if session is client else Moved(session, greeting)


@command("connection", since="1.0.0", flags="noscript loading stale fast no_auth allow_busy", complexity="O(1)")
def quit_(client: Session, *ignored: bytes) -> Status:
    """Closes the connection."""
    client.close()
    return OK


@command("connection", since="6.2.0", flags="noscript loading stale fast no_auth allow_busy", complexity="O(1)")
def reset(client: Session) -> Status:
    """Resets the connection to the state of a new one."""
    engine = client.engine
    client.queue = None
    client.queue_failed = False
    unwatch(client)
    engine.tracking.end(client)
    engine.monitor.end(client)
    engine.pubsub.drop(client)
    client.db = engine.databases[0]
    client.name = b""
    client.fieldsets = None
    client.no_evict = client.no_touch = client.imports = False
    if client.reply_mode != REPLY_SKIP:  # SKIP also drops the reply to this command
        client.reply_mode = REPLY_ON
    client.forget_user()
    client.set_protocol(2)
    return Status(b"RESET")
