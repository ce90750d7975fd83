"""An engine becomes a sentinel, as a configuration file says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.config.kinds import ConfigError
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_integer
from emulator.sentinel.commands import apply_setting
from emulator.sentinel.sentinel import Sentinel
from emulator.sentinel.table import sentinel_table

if TYPE_CHECKING:
    from emulator.sentinel.host import HostOfSentinel
    from emulator.sentinel.master import Master

_MONITOR = 5
_KNOWN = {"config-epoch": 2, "leader-epoch": 2, "known-replica": 3, "known-slave": 3, "known-sentinel": 4}
"""What a sentinel has written into its file itself, and how many words that are."""


def make_sentinel(engine: HostOfSentinel, directives: Sequence[Sequence[str]]) -> Sentinel:
    """Let an engine be a sentinel, by the words after ``sentinel`` of its directives; raises `ConfigError`."""
    sentinel = Sentinel(engine)
    engine.sentinel = sentinel
    engine.commands = sentinel_table(engine.config.edition, engine.config.emulator_commands)
    for words in directives:
        _take(sentinel, words)
    return sentinel


def _take(sentinel: Sentinel, words: Sequence[str]) -> None:
    name, *rest = words
    option = name.lower()
    if option == "monitor" and len(words) == _MONITOR:
        port, quorum = parse_integer(rest[2].encode()), parse_integer(rest[3].encode())
        if port is None or not 0 < port < 1 << 16:
            raise ConfigError("Invalid port number.")
        if quorum is None or quorum <= 0:
            raise ConfigError("Quorum must be 1 or greater.")
        sentinel.watch(rest[0], rest[1], port, quorum)
    elif option in ("announce-ip", "announce-port") and len(rest) == 1:
        setattr(sentinel, option.replace("-", "_"), int(rest[0]) if option == "announce-port" else rest[0])
    elif option == "myid" and len(rest) == 1:
        sentinel.id = rest[0]
    elif option == "current-epoch" and len(rest) == 1:
        sentinel.epoch = _number(rest[0])
    elif option in _KNOWN and len(rest) == _KNOWN[option]:
        _know(sentinel, option, *rest)
    elif option in ("resolve-hostnames", "announce-hostnames", "deny-scripts-reconfig"):
        return
    else:
        _set(sentinel, option, rest)


def _number(word: str) -> int:
    number = parse_integer(word.encode())
    if number is None or number < 0:
        raise ConfigError("Unrecognized sentinel configuration statement.")
    return number


def _known_master(sentinel: Sentinel, name: str) -> Master:
    if name not in sentinel.masters:
        raise ConfigError("No such master with specified name.")
    return sentinel.masters[name]


def _know(sentinel: Sentinel, option: str, name: str, *words: str) -> None:
    """What was found out about a master before the last end."""
    master = _known_master(sentinel, name)
    if option == "config-epoch":
        master.config_epoch = _number(words[0])
    elif option == "leader-epoch":
        master.leader_epoch = _number(words[0])
    elif option == "known-sentinel":
        master.know_sentinel(words[2], words[0], _number(words[1]))
    else:
        master.know_replica((words[0], _number(words[1])))


def _set(sentinel: Sentinel, option: str, rest: Sequence[str]) -> None:
    """A setting of a master."""
    if len(rest) != 2:
        raise ConfigError("Unrecognized sentinel configuration statement.")
    master = _known_master(sentinel, rest[0])
    try:
        apply_setting(master, option.encode(), (rest[1].encode(),))
    except CommandError:
        raise ConfigError("Unrecognized sentinel configuration statement.") from None
