"""A selector: one set of permissions, made of rules for commands, keys and channels.

The commands allowed are a set of full names (``config|get``); beside it stands the text of the rules, as ACL LIST tells it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from emulator.acl import databases
from emulator.datatypes.glob import matcher
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import Reply
from emulator.table.lookup import by_full_name
from emulator.table.registry import EMULATOR, NO_AUTH, Command, categories_of, every_command

UNKNOWN_COMMAND: Final = "Unknown command or category name in ACL"
BAD_SYNTAX: Final = "Syntax error"
_NO_SUBCOMMAND: Final = "Allowing first-arg of a subcommand is not supported"
_USELESS: Final = (
    "Adding a pattern after the * pattern (or the '{}' flag) is not valid and does not have any effect. Try '{}' to start "
    "with an empty list of {}"
)

READ: Final = 1
WRITE: Final = 2

BY_DATABASE: Final = 0
BY_COMMAND: Final = 1
BY_KEY: Final = 2
BY_CHANNEL: Final = 4

_CHANNELS: Final = {
    b"subscribe": (1, None, False),
    b"psubscribe": (1, None, True),
    b"ssubscribe": (1, None, False),
    b"publish": (1, 2, False),
    b"spublish": (1, 2, False),
}
"""Where the words of a command name channels, and whether they are patterns."""


class RuleError(Exception):
    """A rule that cannot be; the text is Redis's reason for it."""


class Denial(NamedTuple):
    """What is refused and why.

    `reason` is one of `BY_DATABASE`, `BY_COMMAND`, `BY_KEY`, `BY_CHANNEL`, `place` tells how far it came, and `shown` is how
    people are told of a database.
    """

    reason: int
    what: bytes
    place: int = 0
    shown: bytes = b""


_ACCESS: Final[dict[str, int]] = {}


def access(flags: str) -> int:
    """What a key specification's flags ask for: `READ`, `WRITE`, both or neither."""
    needed = _ACCESS.get(flags)
    if needed is None:
        words = set(flags.split())
        needed = (READ if "access" in words else 0) | (WRITE if words & {"insert", "delete", "update"} else 0)
        _ACCESS[flags] = needed
    return needed


class Selector:
    """One set of permissions; a new one allows nothing.  `commands` is the engine's table.

    ``databases`` are those that may be used, None for all of them; only Valkey, which `has_databases`, has rules for them.
    """

    def __init__(self, commands: Mapping[bytes, Command], has_databases: bool = False) -> None:
        self._commands = commands
        self._has_databases = has_databases
        self.databases: frozenset[int] | None = None
        self.all_keys = self.all_channels = self.all_commands = False
        self._future_commands = False
        self._allowed: set[bytes] = set()  # as far as not all are
        self._first_arguments: dict[bytes, set[bytes]] = {}
        self._rules: dict[bytes, bytes] = {}  # the sign by the name
        self._inner_rules: dict[bytes, set[bytes]] = {}  # the names that begin with another and a bar
        self._patterns: dict[bytes, int] = {}
        self._channels: dict[bytes, None] = {}

    def copy(self) -> Selector:
        """Another selector with the same rules."""
        twin = Selector(self._commands, self._has_databases)
        twin.databases = self.databases
        twin.all_keys, twin.all_channels, twin.all_commands = self.all_keys, self.all_channels, self.all_commands
        twin._future_commands = self._future_commands
        twin._allowed = set(self._allowed)
        twin._first_arguments = {name: set(words) for name, words in self._first_arguments.items()}
        twin._rules = dict(self._rules)
        twin._inner_rules = {name: set(inner) for name, inner in self._inner_rules.items()}
        twin._patterns = dict(self._patterns)
        twin._channels = dict(self._channels)
        return twin

    @property
    def unrestricted(self) -> bool:
        """Whether everything is allowed."""
        return self.all_keys and self.all_channels and self.all_commands and self.databases is None

    # Rules

    def apply(self, rule: bytes) -> None:
        """Change the permissions by one rule; raises `RuleError`."""
        word = rule.lower()
        if word in (b"allkeys", b"~*"):
            self.all_keys = True
            self._patterns.clear()
        elif word == b"resetkeys":
            self.all_keys = False
            self._patterns.clear()
        elif word in (b"allchannels", b"&*"):
            self.all_channels = True
            self._channels.clear()
        elif word == b"resetchannels":
            self.all_channels = False
            self._channels.clear()
        elif word in (b"allcommands", b"+@all"):
            self._allow_all(True)
        elif word in (b"nocommands", b"-@all"):
            self._allow_all(False)
        elif rule[:1] in (b"~", b"%"):
            self._add_pattern(rule)
        elif rule[:1] == b"&":
            self._add_channel(rule[1:])
        elif word[:2] in (b"+@", b"-@"):
            self._change_category(word)
        elif word[:1] == b"+":
            self._allow(word[1:])
        elif word[:1] == b"-":
            self._change(self._lookup(word[1:]), False)
            self._note(word[1:], b"-")
        elif self._has_databases and word in (b"alldbs", b"resetdbs"):
            self.databases = None if word == b"alldbs" else frozenset()
        elif self._has_databases and word[:3] == b"db=":
            chosen = databases.parse_rule(word[3:])
            if isinstance(chosen, str):
                raise RuleError(chosen)
            self.databases = chosen
        else:
            raise RuleError(BAD_SYNTAX)

    def _add_pattern(self, rule: bytes) -> None:
        if self.all_keys:
            raise RuleError(_USELESS.format("allkeys", "resetkeys", "patterns"))
        letters, _, pattern = rule.partition(b"~")
        mode = _LETTERS.get(letters.upper())
        if mode is None or has_spaces(pattern):
            raise RuleError(BAD_SYNTAX)
        self._patterns[pattern] = self._patterns.get(pattern, 0) | mode

    def _add_channel(self, pattern: bytes) -> None:
        if self.all_channels:
            raise RuleError(_USELESS.format("allchannels", "resetchannels", "channels"))
        if has_spaces(pattern):
            raise RuleError(BAD_SYNTAX)
        self._channels[pattern] = None

    def _allow_all(self, allow: bool) -> None:
        self.all_commands = self._future_commands = allow
        self._allowed = set()
        self._first_arguments.clear()
        self._rules.clear()
        self._inner_rules.clear()

    def _change_category(self, word: bytes) -> None:
        category = word[2:].decode("utf-8", "replace")
        if category not in (*categories_of(self._commands), EMULATOR):
            raise RuleError(UNKNOWN_COMMAND)
        for entry in every_command(self._commands):
            if category in entry.categories:
                self._change(entry, word[:1] == b"+")
        self._note(word[1:], word[:1])

    def _allow(self, name: bytes) -> None:
        entry = by_full_name(self._commands, name)
        if entry is not None:
            self._change(entry, True)
        else:
            outer, bar, argument = name.rpartition(b"|")
            entry = self._lookup(outer if bar else name)
            if entry.parent is not None:
                raise RuleError(_NO_SUBCOMMAND)
            if not argument:
                raise RuleError(BAD_SYNTAX)
            if entry.subcommands:
                raise RuleError(UNKNOWN_COMMAND)
            self._first_arguments.setdefault(entry.full_name, set()).add(argument)
        self._note(name, b"+")

    def _lookup(self, name: bytes) -> Command:
        entry = by_full_name(self._commands, name)
        if entry is None:
            raise RuleError(UNKNOWN_COMMAND)
        return entry

    def _change(self, entry: Command, allow: bool) -> None:
        """Allow or forbid a command with all its sub-commands."""
        for each in (entry, *entry.subcommands.values()):
            self._first_arguments.pop(each.full_name, None)
            if allow:
                self._allowed.add(each.full_name)
            else:
                if self.all_commands:
                    self.all_commands = False
                    self._allowed = {known.full_name for known in every_command(self._commands)}
                self._allowed.discard(each.full_name)

    def _note(self, name: bytes, sign: bytes) -> None:
        """Remember a rule for commands; those that it makes void (the same, or of a sub-command) are forgotten."""
        for void in (name, *self._inner_rules.pop(name, ())):
            self._rules.pop(void, None)
        outer, bar, _ = name.partition(b"|")
        if bar:
            self._inner_rules.setdefault(outer, set()).add(name)
        self._rules[name] = sign

    # What they allow

    def check(self, command: Command, args: Sequence[bytes], database: int, count: int) -> Denial | None:
        """Why a call in one of `count` databases is refused, or None where it is not."""
        if self.databases is not None and (denial := self._refuse_database(command, args, database, count)) is not None:
            return denial
        if not self.all_commands and not command.flags & NO_AUTH and not self._allows(command, args):
            return Denial(BY_COMMAND, command.full_name)
        if not self.all_keys:
            for place, (key, flags) in enumerate(command.find_keys(args)):
                if "not_key" not in flags and not self._allows_key(key, access(flags)):
                    return Denial(BY_KEY, key, place)
        if not self.all_channels and command.name in _CHANNELS:
            start, end, are_patterns = _CHANNELS[command.name]
            for place, channel in enumerate(args[start:end]):
                if not self.allows_channel(channel, are_patterns):
                    return Denial(BY_CHANNEL, channel, place)
        return None

    def _refuse_database(self, command: Command, args: Sequence[bytes], database: int, count: int) -> Denial | None:
        allowed = self.databases or frozenset()
        if databases.uses_all(command):
            refused = not allowed.issuperset(range(count))
        else:
            refused = databases.uses_current(command) and database not in allowed
        for word in databases.named(command, args):
            number = parse_integer(word)
            if number is not None and 0 <= number < count and number not in allowed:
                return Denial(BY_DATABASE, word, shown=word)
        return Denial(BY_DATABASE, command.full_name, shown=args[0]) if refused else None

    def _allows(self, command: Command, args: Sequence[bytes]) -> bool:
        name = command.full_name
        if name in self._allowed:
            return True
        return len(args) > 1 and args[1].lower() in self._first_arguments.get(name, ())

    def _allows_key(self, key: bytes, needed: int) -> bool:
        return any(mode & needed == needed and matcher(pattern)(key) for pattern, mode in self._patterns.items())

    def reads(self, key: bytes) -> bool:
        """Whether a key is open to reading."""
        return self.all_keys or self._allows_key(key, READ)

    def allows_channel(self, channel: bytes, is_pattern: bool) -> bool:
        """Whether a channel may be used; a pattern only where it is one of the rules itself."""
        if self.all_channels:
            return True
        return channel in self._channels or (
            not is_pattern and any(matcher(pattern)(channel) for pattern in self._channels)
        )

    @property
    def reads_every_key(self) -> bool:
        """Whether no key is closed to reading."""
        return self.all_keys or bool(self._patterns.get(b"*", 0) & READ)

    # As text

    @property
    def commands_text(self) -> bytes:
        """``-@all +get +@list``."""
        base = b"+@all" if self._future_commands else b"-@all"
        return b" ".join([base, *(sign + name for name, sign in self._rules.items())])

    @property
    def keys_text(self) -> bytes:
        """``~a* %R~b*``."""
        if self.all_keys:
            return b"~*"
        return b" ".join([_MODES[mode] + pattern for pattern, mode in self._patterns.items()])

    @property
    def channels_text(self) -> bytes:
        """``&a* &b``."""
        return b"&*" if self.all_channels else b" ".join([b"&" + pattern for pattern in self._channels])

    @property
    def databases_text(self) -> bytes:
        """``alldbs``, ``db=0,3`` or nothing."""
        if self.databases is None:
            return b"alldbs"
        return b"db=" + b",".join([b"%d" % number for number in sorted(self.databases)]) if self.databases else b""

    def describe(self) -> bytes:
        """The rules from which the selector could be made anew."""
        reset = b"" if self.all_channels else b"resetchannels"
        chosen = b"resetdbs" if self.databases == frozenset() else self.databases_text
        told = b"" if self.databases is None else chosen
        parts = (self.keys_text, reset, self.channels_text, told, self.commands_text)
        return b" ".join([part for part in parts if part])

    def fields(self) -> dict[bytes, Reply]:
        """The rules as ACL GETUSER tells them."""
        fields: dict[bytes, Reply] = {
            b"commands": self.commands_text,
            b"keys": self.keys_text,
            b"channels": self.channels_text,
        }
        return {**fields, b"databases": self.databases_text} if self._has_databases else fields


_MODES: Final = {READ: b"%R~", WRITE: b"%W~", READ | WRITE: b"~"}
_LETTERS: Final = {b"": READ | WRITE, b"%R": READ, b"%W": WRITE, b"%RW": READ | WRITE, b"%WR": READ | WRITE}
"""What stands before a pattern; without a tilde behind it the pattern is empty."""


def has_spaces(text: bytes) -> bool:
    """Whether there is a byte that neither a user's name nor a pattern may have: white space, or a zero."""
    return len(text.translate(None, b" \t\n\v\f\r\0")) < len(text)
