"""Configuration files: their lines are read into the options of a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.config.directives import Config, ConfigError
from emulator.config.edition import REDIS_8_2
from emulator.protocol.inline import split_inline
from emulator.protocol.numbers import parse_integer
from emulator.protocol.text import to_bytes, to_text
from emulator.suggestions import did_you_mean
from emulator.system import free_port

if TYPE_CHECKING:
    from emulator.server.options import ServerOptions

_IGNORED = frozenset(
    ("list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands", "io-threads-do-reads")
)
_MOST_NODES = 1000
_BAD_DIRECTIVE = "Bad directive or wrong number of arguments"


class FatalConfigError(Exception):
    """The configuration is wrong; the text is what redis-server prints below its headline."""

    def __str__(self) -> str:
        return f"\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_8_2.version}) ***\n{self.args[0]}\n"


class StartRefused(Exception):
    """The server cannot start; the arguments are lines for the log."""


class Loader:
    """Reads the lines of configuration files into options.  A file that is included is read by the same loader."""

    def __init__(self, options: ServerOptions, source: str) -> None:
        self.options = options
        self.config = options.config
        self.source = source
        self._saves_follow = False
        self._after_include = False
        self._including: list[str] = []
        self._special: dict[str, tuple[Callable[[int], bool], Callable[[list[str]], None]]] = {
            "compat": (lambda count: count == 1, self._compat),
            "include": (lambda count: count == 1, self._include),
            "rename-command": (lambda count: count == 2, self._rename_command),
            "user": (lambda count: count >= 1, self._user),
            "loadmodule": (lambda count: count >= 1, self._load_module),
            "sentinel": (lambda count: count >= 1, self._sentinel),
            "cluster": (lambda count: count == 1, self._cluster),
            "cluster-replicas": (lambda count: count == 1, self._cluster_replicas),
        }

    def read(self, pattern: str) -> str:
        """The text of a file, or of all files that a glob matches."""
        paths = [pattern]
        if any(letter in pattern for letter in "*?["):
            from glob import glob

            paths = sorted(glob(pattern))
        text = ""
        for path in paths:
            try:
                with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                    text += file.read()
            except OSError as error:
                raise StartRefused(f"Fatal error, can't open config file '{path}': {error.strerror}") from None
        return text

    def load(self, text: str) -> None:
        """Take every line of a text."""
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip(" \t\r")
            if not line or line.startswith("#"):
                continue
            try:
                self._take(line)
            except ConfigError as error:
                raise FatalConfigError(f"Reading {self.source}, at line {number}\n>>> '{line}'\n{error}") from None

    def _take(self, line: str) -> None:
        encoded = split_inline(to_bytes(line))
        if encoded is None:
            raise ConfigError("Unbalanced quotes in configuration line")
        if not encoded:
            return
        name, *words = map(to_text, encoded)
        name = name.lower()
        fits, handler = self._special.get(name, (None, None))
        if name in self.config.directives:
            self._assign(name, words)
        elif fits is not None and handler is not None and fits(len(words)):
            handler(words)
        elif name in _IGNORED and len(words) == 1:
            return
        elif words and name:
            self.options.unresolved.append(" ".join((name, *words)))
        else:
            raise ConfigError(f"{_BAD_DIRECTIVE}{meant(self.config, name)}")

    def _assign(self, name: str, words: list[str]) -> None:
        if name in ("port", "rest-port", "cloud-port", "cloud-proxy") and words == ["auto"]:
            words = [str(free_port())]
            self.options.has_port_of_chance |= name == "port"
        if name == "rest-database":  # each line declares one more
            if not all(1 <= word.count(":") <= 2 for word in words):
                raise ConfigError("argument must be NAME:TOKEN or NAME:TOKEN:READONLYTOKEN")
            words = [f"{self.config.rest_database} {' '.join(words)}".strip()]
        if name == "save":
            earlier = self.config.save if self._saves_follow and words != [""] else ()
            self._saves_follow = not self._after_include
            self.config.assign(name, words)
            self.config.save = earlier + self.config.save
        else:
            self.config.assign(name, words)

    def _include(self, words: list[str]) -> None:
        """What follows an included file replaces save points instead of adding to them, as in Redis."""
        path = words[0]
        if path in self._including:
            raise ConfigError("A file cannot include itself")
        self._including.append(path)
        self.load(self.read(path))
        self._including.pop()
        self._after_include = True
        self._saves_follow = False

    def _compat(self, words: list[str]) -> None:
        """The edition was taken beforehand: it decides what else may stand here."""
        if words != [self.config.edition.compat]:
            raise ConfigError("the edition is chosen by --compat on the command line, or by REDIS_COMPAT")

    def _rename_command(self, words: list[str]) -> None:
        from emulator.commands.table import table

        names = {to_text(name).lower() for name in table(self.config.edition).known}
        for old, new in self.options.renamed:
            names = names - {old} | ({new} - {""})
        old, new = words[0].lower(), words[1].lower()
        if old not in names:
            raise ConfigError("No such command in rename-command")
        if new in names:
            raise ConfigError("Target command name already exists")
        self.options.renamed.append((old, new))

    def _user(self, words: list[str]) -> None:
        if any(user[0] == words[0] for user in self.options.users):
            reason = "Duplicate user found. A user can only be defined once in config files"
            raise ConfigError(f"Error in user declaration '{words[0]}': {reason}")
        from emulator.acl.user import User, first_mistake
        from emulator.commands.table import table

        name, *rules = map(to_bytes, words)
        edition = self.config.edition
        mistake = first_mistake(User(name, table(edition), is_valkey=edition.is_valkey), rules)
        if mistake is not None:
            place, reason = mistake
            named = ["user", *words][place]  # of the line's words, not of the rules: so the real server counts
            raise ConfigError(f"Error in user declaration '{named}': {reason}")
        self.options.users.append(words)

    def _load_module(self, words: list[str]) -> None:
        raise StartRefused(f"Can't load module from {words[0]}: modules are not supported, server aborting")

    def _sentinel(self, words: list[str]) -> None:
        if not self.options.is_sentinel:
            raise ConfigError("sentinel directive while not in sentinel mode")
        self.options.sentinel.append(words)

    def _cluster(self, words: list[str]) -> None:
        self.options.cluster_nodes = _number(words[0], 1)
        self.config.repl_diskless_sync_delay = (
            0  # unless a later line says otherwise: each master knows all of its replicas
        )

    def _cluster_replicas(self, words: list[str]) -> None:
        self.options.cluster_replicas = _number(words[0], 0)


def _number(word: str, least: int) -> int:
    number = parse_integer(to_bytes(word))
    if number is None or not least <= number <= _MOST_NODES:
        raise ConfigError(f"argument must be between {least} and {_MOST_NODES} inclusive")
    return number


def meant(config: Config, line: str) -> str:
    """The directive that a line may have meant which begins with one that there is not."""
    return did_you_mean(line.partition(" ")[0], config.directives)
