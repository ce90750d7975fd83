"""Reading and changing the values of directives, as CONFIG GET and CONFIG SET do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, Self

from emulator.config.edition import REDIS_8_2, Edition
from emulator.config.kinds import NEGATIVE, ConfigError, Directive, Integer, MemorySize, exceeds_memory
from emulator.config.of_valkey import NOT_OF_VALKEY, OF_VALKEY
from emulator.config.rewrite import Lines, rewrite_file
from emulator.datatypes.glob import compiled
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.inline import split_inline
from emulator.protocol.text import to_bytes, to_text

Hook = Callable[[], object]

_GLOB = frozenset(b"*?[")
_PLAIN = re.compile(rb"[^*?[\\]+")
_BEFORE_CHOICES = re.compile(rb"[^[\\]*")


class Store:
    """The values of the directives that a subclass declares, as plain attributes of each instance.

    ``file`` is the path of the configuration file, empty where there is none.
    """

    directives: dict[str, Directive[Any]]
    """Every directive by its name and by its aliases; an instance has those of its edition."""

    _by_edition: ClassVar[dict[Edition, dict[str, Directive[Any]]]]

    def __init_subclass__(cls) -> None:
        cls.directives = {}
        cls._by_edition = {}
        for attribute, directive in list(vars(cls).items()):
            if isinstance(directive, Directive):
                cls.directives.update(dict.fromkeys((directive.name, *directive.aliases), directive))
                delattr(cls, attribute)

    def __init__(self, edition: Edition = REDIS_8_2) -> None:
        self.file = ""
        self.edition = edition
        self._hooks: dict[str, list[Hook]] = {}
        self._at_start: dict[Directive[Any], Any] = {}
        values, told = self._initial(edition)
        vars(self).update(values)
        vars(self).update({attribute: initial() for attribute, initial in told.items()})
        self.directives = self._of(edition)  # the attributes are there whatever the edition

    @classmethod
    @cache
    def _initial(cls, edition: Edition) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
        """The first value of each attribute, or what tells it, looked out once."""
        own, of_valkey = cls.directives.values(), OF_VALKEY.values()
        ordered = (*own, *of_valkey) if edition.is_valkey else (*of_valkey, *own)
        found = {directive.attribute: directive.of(edition) for directive in ordered}
        values = {name: each.default for name, each in found.items() if type(each).initial is Directive.initial}
        return values, {name: each.initial for name, each in found.items() if name not in values}

    @classmethod
    def _of(cls, edition: Edition) -> dict[str, Directive[Any]]:
        """The directives of an edition, looked out once."""
        if edition not in cls._by_edition:
            known = {
                name: directive.of(edition)
                for name, directive in cls.directives.items()
                if directive.is_in(edition) and name in directive.names_in(edition)
            }
            cls._by_edition[edition] = cls._as_in(edition, known)
        return cls._by_edition[edition]

    @classmethod
    def _as_in(cls, edition: Edition, known: dict[str, Directive[Any]]) -> dict[str, Directive[Any]]:
        """What Valkey has otherwise takes the place of Redis's own."""
        if not edition.is_valkey:
            return known
        own = {name: entry for entry in OF_VALKEY.values() for name in (entry.name, *entry.aliases)}
        return {name: entry for name, entry in known.items() if entry.attribute not in NOT_OF_VALKEY} | own

    def settle_modules(self, words: Sequence[str]) -> None:
        """Have no other modules than those that are chosen, from the start of the server on."""
        self.edition = self.edition.only(words)
        self.directives = self._of(self.edition)

    def copy(self) -> Self:
        """The same settings once more, with no file and nobody to be told of changes."""
        twin = type(self)(self.edition)
        for directive in self.directives.values():
            setattr(twin, directive.attribute, getattr(self, directive.attribute))
        return twin

    def on_change(self, name: str, hook: Hook) -> None:
        """Have `hook` called after the directive has changed; it may refuse the new value by raising `ConfigError`."""
        self._hooks.setdefault(self.directives[name].name, []).append(hook)

    def get(self, patterns: Sequence[bytes]) -> dict[bytes, bytes]:
        """Names and values of the directives that match; a name without a glob is given back as it was spelt."""
        found: dict[str, tuple[bytes, bytes]] = {}
        shown = [name.encode() for name, directive in self.directives.items() if not directive.hidden]
        every = b"\0%b\0" % b"\0".join(shown)
        for pattern in patterns:
            if _GLOB.isdisjoint(pattern):
                name = to_text(pattern).lower()
                if name in self.directives and name not in found:
                    found[name] = pattern, self._shown(self.directives[name])
            elif _may_match(glob := pattern.lower(), every):
                # names are in lower case, but what is in brackets is more than letters
                for word in (compiled(pattern, ignore_case=True) if b"[" in glob else compiled(glob)).among(shown):
                    if (name := word.decode()) not in found:
                        found[name] = word, self._shown(self.directives[name])
        return dict(found.values())

    def _shown(self, directive: Directive[Any]) -> bytes:
        return to_bytes(directive.format(getattr(self, directive.attribute)))

    def assign(self, name: str, words: Sequence[str]) -> None:
        """Set a directive at start-up, from its words in a file; raises `ConfigError`.  No hook is called."""
        directive = self.directives[name]
        if directive.several and len(words) == 1 and words[0]:
            words = list(map(to_text, split_inline(to_bytes(words[0])) or ()))
        elif not directive.several and len(words) != 1:
            raise ConfigError("wrong number of arguments")
        setattr(self, directive.attribute, directive.parse(words, getattr(self, directive.attribute)))

    def set(self, pairs: Sequence[bytes], local: bool = False) -> None:
        """Change directives as CONFIG SET does: all of them or, with a `CommandError`, none.

        `pairs` are names and values in turn; `local` tells that the client's connection is a local one.
        """
        changes = self._changes(pairs, local)
        before = {directive: getattr(self, directive.attribute) for _, directive, _ in changes}
        told: list[Hook] = []
        try:
            for name, directive, text in changes:
                self._take(name, directive, text)
            for name, directive, _ in changes:
                if getattr(self, directive.attribute) != before[directive]:
                    self._tell(name, directive, told)
                    self._at_start.setdefault(directive, before[directive])
                else:  # a hook has made it what it is
                    setattr(self, directive.attribute, before[directive])
        except CommandError:
            for directive, value in before.items():
                setattr(self, directive.attribute, value)
            for hook in told:
                hook()
            raise

    def started(self) -> None:
        """The values there are now are those that `reset` brings back."""
        self._at_start.clear()

    def reset(self) -> None:
        """Give every directive that `set` has changed the value back that it had at first."""
        told: list[Hook] = []
        at_start, self._at_start = self._at_start, {}
        for directive, value in at_start.items():
            setattr(self, directive.attribute, value)
        for directive in at_start:
            self._tell(directive.name, directive, told)

    def _take(self, name: str, directive: Directive[Any], text: str) -> None:
        words = [text]
        if directive.several:
            words = text.split(" ") if text else []
        if not directive.binary:
            words = [word.partition("\0")[0] for word in words]
        try:
            if self.edition.is_valkey and isinstance(directive, MemorySize) and exceeds_memory(words[0]):
                raise ConfigError(directive.malformed)
            setattr(self, directive.attribute, directive.parse(words, getattr(self, directive.attribute)))
        except ConfigError as error:
            raise _failed(name, self._worded(directive, str(error))) from None

    def _worded(self, directive: Directive[Any], reason: str) -> str:
        """A reason as the edition words it: all but 8.2 tell the bounds for a negative number too."""
        is_8_2 = self.edition.includes("8.2.0") and not self.edition.includes("8.4.0")
        if reason != NEGATIVE or not isinstance(directive, Integer) or is_8_2:
            return reason
        return directive.bounds

    def _tell(self, name: str, directive: Directive[Any], told: list[Hook]) -> None:
        """Call the hooks of a directive, save those that another one has called already."""
        for hook in self._hooks.get(directive.name, ()):
            if hook not in told:
                try:
                    hook()
                except ConfigError as error:
                    raise _failed(name, str(error)) from None
                told.append(hook)

    def _changes(self, pairs: Sequence[bytes], local: bool) -> list[tuple[str, Directive[Any], str]]:
        """Names, directives and texts of the values; raises where one cannot be set at all."""
        if len(pairs) % 2:
            raise CommandError(SYNTAX)
        changes: dict[str, tuple[str, Directive[Any], str]] = {}
        for position in range(0, len(pairs), 2):
            spelt = to_text(pairs[position])
            name = spelt.lower()
            directive = self.directives.get(name)
            if directive is None:
                raise CommandError(f"ERR Unknown option or number of arguments for CONFIG SET - '{spelt}'")
            reason = self._refusal(directive, local) or ("duplicate parameter" if name in changes else "")
            if reason:
                raise _failed(spelt, reason)
            changes[name] = name, directive, to_text(pairs[position + 1])
        return list(changes.values())

    def _refusal(self, directive: Directive[Any], local: bool) -> str:
        if directive.immutable:
            return "can't set immutable config"
        if directive.protected and not self.allows(vars(self)["enable_protected_configs"], local):
            return "can't set protected config"
        return ""

    @staticmethod
    def allows(permission: str, local: bool) -> bool:
        """Whether a permission such as ``enable-debug-command`` (``no``, ``yes``, ``local``) covers a client."""
        return permission == "yes" or (permission == "local" and local)

    def rewrite(self, users: Sequence[str] = (), more: Lines = ()) -> None:
        """CONFIG REWRITE: bring the configuration file up to date; `users` are its lines for the ACL, `more` are others."""
        if not self.file:
            raise CommandError("ERR The server is running without a config file")
        lines: list[tuple[str, Sequence[tuple[str, bool]]]] = [
            (directive.name, directive.lines(getattr(self, directive.attribute)))
            for directive in self.directives.values()
        ]
        if users:
            lines.append(("user", [(f"user {user}", True) for user in users]))
        lines += more
        aliases = {name: directive.name for name, directive in self.directives.items()}
        try:
            rewrite_file(self.file, lines, aliases)
        except OSError as error:
            raise CommandError(f"ERR Rewriting config file: {error.strerror}") from None


def _may_match(pattern: bytes, names: bytes) -> bool:
    """Whether each plain part of a pattern is somewhere in `names`, which have a zero byte before and behind each.

    A client may send many thousands of patterns; most that match nothing are told so, without a matcher for each.
    """
    plain = _BEFORE_CHOICES.match(b"\0" + pattern)
    return plain is not None and all(part in names for part in _PLAIN.findall(plain[0]))


def _failed(name: str, reason: str) -> CommandError:
    return CommandError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
