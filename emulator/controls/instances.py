"""Named keyspaces: many isolated Redises in one server, each with databases, channels, scripts, users, settings and a clock
of its own.

A client comes to one by ``EMULATOR KEYSPACE USE name``, as the user of the same name who has the same password there, or by
authenticating as the user ``keyspace.name`` with the password of the server's default user, as the default user; in either
case it is a new client there.  A new keyspace has the server's users, so that nobody may do more in it than outside.

There are at most ``emulator-max-keyspaces``: past that, one that nobody uses and that has no keys makes room for a new one.

Beside them there are tenants: engines that no name leads to, each with users of its own.  Who logs in to the server by a user
and a password that are a tenant's comes to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from emulator.acl.user import password_hash
from emulator.protocol.errors import CommandError

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.core.engine import Engine
    from emulator.protocol.replies import Reply

USER_PREFIX = b"keyspace."


class Moved:
    """What a command returns that has taken its client to another engine: `session` speaks for it from now on."""

    __slots__ = ("reply", "session")

    def __init__(self, session: Session, reply: Reply) -> None:
        self.session = session
        self.reply = reply


class Keyspaces:
    """The engines of a server: `main`, whose name is the empty one, those in ``named``, and ``tenants``.

    ``logins`` has the tenants by names and hashes of passwords of their users; ``has_tenants`` says that there may be some.

    ``on_open`` and ``on_drop`` tell the owner of an engine that has come and of one that has gone.
    """

    def __init__(self, main: Engine) -> None:
        self._main = main
        self.named: dict[bytes, Engine] = {}
        self.tenants: set[Engine] = set()
        self.has_tenants = False
        self.logins: dict[tuple[bytes, bytes], Engine] = {}
        self._kept: set[bytes] = set()
        self.on_open: Callable[[Engine], None] | None = None
        self.on_drop: Callable[[Engine], None] | None = None

    def __iter__(self) -> Iterator[Engine]:
        yield self._main
        yield from self.named.values()
        yield from self.tenants

    def open(self, name: bytes, keep: bool = False) -> Engine:
        """The keyspace of that name; an empty one with the settings of the server, and the time it shows, if it is new.

        With `keep` it goes only when it is dropped.  Raises `CommandError` where there are too many.
        """
        if not name:
            return self._main
        if keep:
            self._kept.add(name)
        engine = self.named.get(name)
        if engine is None:
            if len(self.named) >= self._main.config.emulator_max_keyspaces:
                self._make_room()
            engine = self.named[name] = self._main.sibling()
            if self.on_open is not None:
                self.on_open(engine)
        return engine

    def _make_room(self) -> None:
        """Drop the oldest keyspace that has neither clients nor keys."""
        for name, engine in self.named.items():
            if not engine.sessions and not any(engine.databases) and name not in self._kept:
                self.drop(name)
                return
        raise CommandError("ERR max number of keyspaces reached")

    def drop(self, name: bytes) -> bool:
        """Forget a keyspace and close its clients' connections; whether there was one."""
        self._kept.discard(name)
        engine = self.named.pop(name, None)
        if engine is None:
            return False
        self._end(engine)
        return True

    def _end(self, engine: Engine) -> None:
        for session in list(engine.sessions.values()):
            session.abort_in_turn()
        for db in engine.databases:
            db.clear()
        if self.on_drop is not None:
            self.on_drop(engine)

    def admit(self, engine: Engine) -> None:
        """Have a tenant, whose time goes on from now.  Raises `CommandError` where there are too many."""
        if len(self.tenants) >= self._main.config.emulator_max_keyspaces:
            raise CommandError("ERR max number of keyspaces reached")
        self.tenants.add(engine)
        if self.on_open is not None:
            self.on_open(engine)

    def dismiss(self, engine: Engine) -> None:
        """Have a tenant no more, and close its clients' connections."""
        self.tenants.discard(engine)
        for login in [login for login, tenant in self.logins.items() if tenant is engine]:
            del self.logins[login]
        self._end(engine)

    def tenant_of(self, user: bytes, password: bytes) -> Engine | None:
        """The tenant one of whose users has this name and password."""
        return self.logins.get((user, password_hash(password))) if self.logins else None

    def name_of(self, engine: Engine) -> bytes:
        """The name of an engine."""
        return next((name for name, named in self.named.items() if named is engine), b"")

    def of_user(self, user: bytes, password: bytes) -> Engine | None:
        """The keyspace that a user's name stands for; the password is that of the server's default user.

        None for a name that stands for none, for one that a user really has, and for a wrong password.
        """
        main = self._main
        stands_for_one = user.startswith(USER_PREFIX) and main.config.emulator_commands and user not in main.acl.table
        return self.open(user[len(USER_PREFIX) :]) if stands_for_one and main.acl.default.accepts(password) else None
