"""A user: passwords, switches and selectors."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from emulator.acl.selector import UNKNOWN_COMMAND, Denial, RuleError, Selector
from emulator.protocol.replies import Reply, SetReply
from emulator.table.registry import Command

_BAD_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
_NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist"
WRONG_FORMAT: Final = "Wrong format"
_HEXADECIMAL = frozenset(b"0123456789abcdef")


class User:
    """A user of an engine whose table of commands is `commands`; a new one is off and may do nothing.

    ``unrestricted`` tells that nothing need be checked; with `every_channel` a new one may use every channel.
    """

    def __init__(
        self,
        name: bytes,
        commands: Mapping[bytes, Command],
        every_channel: bool = False,
        is_valkey: bool = False,
    ) -> None:
        self.name = name
        self._is_valkey = is_valkey
        self._commands = commands
        self._every_channel = every_channel
        self.passwords: dict[bytes, None] = {}
        self.enabled = self.no_password = False
        self.sanitizes = True
        self.root = Selector(commands, is_valkey)
        self.root.all_channels = every_channel
        self.selectors: list[Selector] = []
        self.unrestricted = False

    def copy(self) -> User:
        """A user with the same rules, to try further ones on."""
        twin = User(self.name, self._commands, self._every_channel, self._is_valkey)
        twin.become(self)
        return twin

    def become(self, other: User) -> None:
        """Take another user's rules."""
        self.passwords = dict(other.passwords)
        self.enabled, self.no_password, self.sanitizes = other.enabled, other.no_password, other.sanitizes
        self.root = other.root.copy()
        self.selectors = [selector.copy() for selector in other.selectors]
        self.unrestricted = other.unrestricted

    # Rules

    def apply(self, rule: bytes) -> None:
        """Change the user by one rule; raises `RuleError`."""
        word = rule.lower()
        if word in (b"on", b"off"):
            self.enabled = word == b"on"
        elif word == b"nopass":
            self.no_password = True
            self.passwords.clear()
        elif word == b"resetpass":
            self.no_password = False
            self.passwords.clear()
        elif word in (b"sanitize-payload", b"skip-sanitize-payload"):
            self.sanitizes = word == b"sanitize-payload"
        elif rule[:1] in (b">", b"#"):
            self.passwords[_hashed(rule)] = None
            self.no_password = False
        elif rule[:1] in (b"<", b"!"):
            password = _hashed(rule)
            if password not in self.passwords:
                raise RuleError(_NO_SUCH_PASSWORD)
            del self.passwords[password]
        elif rule[:1] == b"(" and rule[-1:] == b")":
            self.selectors.append(self._selector(rule[1:-1]))
        elif word == b"clearselectors":
            self.selectors.clear()
        elif word == b"reset":
            self.become(User(self.name, self._commands, self._every_channel, self._is_valkey))
        else:
            self.root.apply(rule)
        self.unrestricted = self.root.unrestricted

    def _selector(self, rules: bytes) -> Selector:
        selector = Selector(self._commands, self._is_valkey)
        selector.all_channels = self._every_channel
        for rule in rules.split():
            selector.apply(rule)
        return selector

    # What it may do

    def accepts(self, password: bytes) -> bool:
        """Whether somebody who knows this password may be the user."""
        return self.accepts_hash(password_hash(password))

    def accepts_hash(self, hashed: bytes) -> bool:
        """The same by `password_hash`; it takes the same time for every wrong one."""
        if not self.enabled:
            return False
        return self.no_password or sum([hmac.compare_digest(hashed, known) for known in self.passwords]) > 0

    def check(self, command: Command, args: Sequence[bytes], database: int = 0, count: int = 1) -> Denial | None:
        """Why a call is refused by every selector (the reason of the one that came furthest), or None.

        It is made in the `database` of this number, of `count` that there are.
        """
        if self.unrestricted:
            return None
        worst = None
        for selector in (self.root, *self.selectors):
            denial = selector.check(command, args, database, count)
            if denial is None:
                return None
            if worst is None or (denial.reason, denial.place) > (worst.reason, worst.place):
                worst = denial
        return worst

    def reads(self, key: bytes) -> bool:
        """Whether a key is open to reading, whatever command finds it."""
        return self.unrestricted or any(selector.reads(key) for selector in (self.root, *self.selectors))

    def reads_every_key(self, command: Command, args: Sequence[bytes]) -> bool:
        """Whether a selector that allows this call lets every key be read."""
        return self.unrestricted or any(
            selector.reads_every_key and selector.check(command, args, 0, 1) is None
            for selector in (self.root, *self.selectors)
        )

    def allows_channel(self, channel: bytes, is_pattern: bool) -> bool:
        """Whether the user may use a channel, or a pattern of channels."""
        return any(selector.allows_channel(channel, is_pattern) for selector in (self.root, *self.selectors))

    # As text

    def describe(self) -> bytes:
        """The user's name and rules as ACL LIST and the file have them."""
        selectors = [b"(" + selector.describe() + b")" for selector in self.selectors]
        hashes = [b"#" + password for password in self.passwords]
        return b" ".join([self.name, *self._flags(), *hashes, self.root.describe(), *selectors])

    def _flags(self) -> list[bytes]:
        flags = [b"on" if self.enabled else b"off"]
        if self.no_password:
            flags.append(b"nopass")
        if not self._is_valkey:
            flags.append(b"sanitize-payload" if self.sanitizes else b"skip-sanitize-payload")
        return flags

    def fields(self) -> dict[bytes, Reply]:
        """The user as ACL GETUSER tells it."""
        flags: Reply = SetReply(self._flags())
        passwords: Reply = list(self.passwords)
        selectors: Reply = [selector.fields() for selector in self.selectors]
        return {b"flags": flags, b"passwords": passwords, **self.root.fields(), b"selectors": selectors}


def password_hash(password: bytes) -> bytes:
    """The SHA-256 of a password in hexadecimal, which is all that is kept of it."""
    return hashlib.sha256(password).hexdigest().encode()


def _hashed(rule: bytes) -> bytes:
    """The hash that a rule for a password means."""
    if rule[:1] in (b">", b"<"):
        return password_hash(rule[1:])
    if len(rule) != 65 or not _HEXADECIMAL.issuperset(rule[1:]):
        raise RuleError(_BAD_HASH)
    return rule[1:]


def joined_selectors(rules: Sequence[bytes]) -> list[bytes]:
    """The rules with those between parentheses put together; raises `RuleError` where a parenthesis stays open."""
    joined: list[bytes] = []
    opened: list[bytes] = []
    for rule in rules:
        if opened or rule[:1] == b"(":
            opened.append(rule)
            if rule[-1:] == b")":
                joined.append(b" ".join(opened))
                opened.clear()
        else:
            joined.append(rule)
    if opened:
        raise UnmatchedParenthesis(opened[0])
    return joined


class UnmatchedParenthesis(Exception):
    """A selector that is not closed; the argument is where it begins."""


def first_mistake(trial: User, rules: Sequence[bytes]) -> tuple[int, str] | None:
    """The first rule of a ``user`` line that is wrong, by its place once selectors are put together, and why; or None.

    The rules are applied to `trial`.  Commands that are not known are no mistake yet.
    """
    try:
        words = joined_selectors(rules)
    except UnmatchedParenthesis as error:
        return rules.index(error.args[0]), WRONG_FORMAT
    for place, word in enumerate(words):
        try:
            trial.apply(word)
        except RuleError as error:
            if str(error) != UNKNOWN_COMMAND:
                return place, str(error)
    return None
