"""The users of an engine: by name, from a file, and what is told of what they were refused."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from emulator.acl.journal import Journal
from emulator.acl.selector import (
    BY_CHANNEL,
    BY_COMMAND,
    BY_DATABASE,
    BY_KEY,
    UNKNOWN_COMMAND,
    Denial,
    RuleError,
    has_spaces,
)
from emulator.acl.user import WRONG_FORMAT, UnmatchedParenthesis, User, joined_selectors
from emulator.protocol.errors import CommandError, as_text
from emulator.table.registry import Command

if TYPE_CHECKING:
    from emulator.clock import Clock
    from emulator.config.directives import Config
    from emulator.stats.counters import Stats

_REASONS: Final = {BY_DATABASE: b"database", BY_COMMAND: b"command", BY_KEY: b"key", BY_CHANNEL: b"channel"}
_UNCHANGED: Final = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class Client(Protocol):
    """A client, as its user concerns it."""

    user: User
    channels: dict[bytes, None]
    patterns: dict[bytes, None]
    shards: dict[bytes, None]

    def abort_without_user(self) -> None:
        """Disconnect a client whose user is no longer."""
        ...

    def describe(self) -> bytes:
        """The client's line in CLIENT LIST."""
        ...


class HostOfUsers(Protocol):
    """An engine, as its users know it."""

    clock: Clock
    config: Config
    stats: Stats

    @property
    def original_commands(self) -> Mapping[bytes, Command]: ...

    @property
    def sessions(self) -> Mapping[int, Client]: ...

    def refresh_sessions(self) -> None: ...


class Users:
    """The users; ``default`` is who every connection is at first."""

    def __init__(self, engine: HostOfUsers) -> None:
        self._engine = engine
        self.journal = Journal()
        self.default = self._all_powerful()
        self.table: dict[bytes, User] = {b"default": self.default}
        self._at_start: dict[bytes, User] | None = None

    @property
    def _commands(self) -> Mapping[bytes, Command]:
        return self._engine.original_commands

    def _new(self, name: bytes) -> User:
        config = self._engine.config
        return User(name, self._commands, config.acl_pubsub_default == "allchannels", config.edition.is_valkey)

    def _all_powerful(self) -> User:
        user = self._new(b"default")
        for rule in (b"+@all", b"~*", b"&*", b"on", b"nopass"):
            user.apply(rule)
        return user

    @property
    def in_order(self) -> list[User]:
        """Every user, by name."""
        return [self.table[name] for name in sorted(self.table)]

    @property
    def open_to_all(self) -> bool:
        """Whether a new connection may run commands without having authenticated."""
        return self.default.enabled and self.default.no_password

    # Changing

    def started(self) -> None:
        """The users there are now are those that `reset` brings back."""
        self._at_start = None

    def _remember(self) -> None:
        if self._at_start is None:
            self._at_start = {name: user.copy() for name, user in self.table.items()}

    def reset(self) -> None:
        """Bring the users back that there were at the start, and forget what was refused."""
        self.journal = Journal()
        if self._at_start is not None:
            self._replace(self._at_start)
            self._at_start = None

    def _replace(self, wanted: Mapping[bytes, User]) -> None:
        """Have these users instead of those there are."""
        for name in [name for name in self.table if name not in wanted]:
            self.delete(name)
        for name, user in wanted.items():
            self._settle(name, user)

    def change(self, name: bytes, rules: Sequence[bytes]) -> None:
        """ACL SETUSER: apply rules to a user, who is made where there is none; all of them or, with an error, none."""
        try:
            words = joined_selectors(rules)
        except UnmatchedParenthesis as error:
            raise CommandError(
                f"ERR Unmatched parenthesis in acl selector starting at '{as_text(error.args[0])}'."
            ) from None
        known = self.table.get(name)
        trial = known.copy() if known is not None else self._new(name)
        for word in words:
            try:
                trial.apply(word)
            except RuleError as error:
                raise CommandError(f"ERR Error in ACL SETUSER modifier '{as_text(word)}': {error}") from None
        self._settle(name, trial)

    def _settle(self, name: bytes, wanted: User) -> None:
        """Give a user its new rules, and drop those of its clients that listen where it no longer may."""
        self._remember()
        user = self.table.get(name)
        if user is None:
            user = self.table[name] = wanted
        else:
            user.become(wanted)
        for session in list(self._engine.sessions.values()):
            if session.user is user:
                self._drop_eavesdropper(session)
        self._engine.refresh_sessions()

    @staticmethod
    def _drop_eavesdropper(session: Client) -> None:
        allows = session.user.allows_channel
        heard = all(allows(name, False) for name in (*session.channels, *session.shards))
        if not heard or not all(allows(pattern, True) for pattern in session.patterns):
            session.abort_without_user()

    def copy_from(self, other: Users) -> None:
        """Take over the users of another engine, with their rules."""
        for name, user in other.table.items():
            own = self.table.setdefault(name, self._new(name))
            own.become(user)

    def delete(self, name: bytes) -> bool:
        """Delete a user and drop its clients; whether there was one."""
        self._remember()
        user = self.table.pop(name, None)
        if user is None:
            return False
        for session in list(self._engine.sessions.values()):
            if session.user is user:
                session.abort_without_user()
        return True

    def set_password(self, password: bytes) -> None:
        """``requirepass``: the only password of the default user, or with the empty one none at all."""
        self._remember()
        self.default.apply(b"resetpass")
        self.default.apply(b">" + password if password else b"nopass")
        self._engine.refresh_sessions()

    def declare(self, declarations: Sequence[Sequence[bytes]]) -> None:
        """The ``user`` lines of a configuration file, each a name and its rules; raises `CommandError`."""
        for name, *rules in declarations:
            if has_spaces(name):
                raise CommandError("Spaces not allowed in ACL usernames")
            user = self._new(name)
            try:
                words = joined_selectors(rules)
            except UnmatchedParenthesis:
                raise CommandError(f"Error in user declaration '{as_text(name)}': {WRONG_FORMAT}") from None
            for word in words:
                try:
                    user.apply(word)
                except RuleError as error:
                    shown = f"'{as_text(word)}' for the user named '{as_text(name)}'"
                    raise CommandError(f"Error loading ACL rule {shown}: {error}") from None
            self._settle(name, user)

    # The file

    def load(self) -> None:
        """Take the users of ``aclfile`` instead of those there are; raises `CommandError` and changes nothing."""
        path = self._engine.config.aclfile
        try:
            with open(path, "rb") as file:
                lines = file.read().split(b"\n")
        except OSError as error:
            raise CommandError(f"ERR Error loading ACLs, opening file '{path}': {error.strerror}") from None
        wanted: dict[bytes, User] = {}
        errors = ""
        for number, line in enumerate(lines, 1):
            words = line.split()
            if words and words[0][:1] != b"#":
                errors += self._read_line(wanted, words, path, number)
        if errors:
            raise CommandError(f"ERR {errors}{_UNCHANGED}")
        wanted.setdefault(b"default", self._all_powerful())
        self._replace(wanted)

    def _read_line(self, wanted: dict[bytes, User], words: Sequence[bytes], path: str, number: int) -> str:
        """Enter the user that a line declares; what is wrong with the line, as text."""
        if words[0] != b"user" or len(words) < 2:
            return f"{path}:{number} should start with user keyword followed by the username. "
        name = words[1]
        if name in wanted:
            return f"WARNING: Duplicate user '{as_text(name)}' found on line {number}. "
        try:
            rules = joined_selectors(words[2:])
        except UnmatchedParenthesis:
            return f"{path}:{number}: Unmatched parenthesis in selector definition."
        user = wanted[name] = self._new(name)
        errors = ""
        for rule in rules:
            try:
                user.apply(rule)
            except RuleError as error:
                if str(error) != UNKNOWN_COMMAND:
                    return errors + f"{path}:{number}: {error}. "
                errors += f"{path}:{number}: Error in applying operation '{as_text(rule)}': {error}. "
        return errors

    def save(self) -> None:
        """Write the users to ``aclfile``, in whole or not at all; raises OSError."""
        path = self._engine.config.aclfile
        new = f"{path}.tmp-{os.getpid()}"
        with open(new, "wb") as file:
            file.writelines(b"user %b\n" % user.describe() for user in self.in_order)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)

    # What is refused

    def refused(self, session: Client, denial: Denial, context: bytes) -> None:
        """Log that a call was refused."""
        self.log(session, _REASONS[denial.reason], context, denial.what, session.user.name)

    def log(self, session: Client, reason: bytes, context: bytes, what: bytes, username: bytes) -> None:
        """Enter something in ACL LOG."""
        engine = self._engine
        engine.stats.acl_denied[reason] += 1
        most = engine.config.acllog_max_len
        self.journal.add(reason, context, what, username, session.describe(), engine.clock.now, most)


def explanation(user: User, denial: Denial, verbose: bool = False) -> str:
    """Why a call is refused, for people; `verbose` names the key or channel."""
    name = as_text(user.name)
    if denial.reason == BY_COMMAND:
        return f"User {name} has no permissions to run the '{as_text(denial.what)}' command"
    if denial.reason == BY_DATABASE:
        shown = f"User {name} has no permissions to access database {as_text(denial.shown)}"
        return shown if verbose else "No permissions to access database"
    kind = "key" if denial.reason == BY_KEY else "channel"
    if verbose:
        return f"User {name} has no permissions to access the '{as_text(denial.what)}' {kind}"
    return f"No permissions to access a {kind}"
