"""What versions have changed of commands that were there before: arities, flags, tips.

A command's own decorator tells what Redis 8.2 has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from emulator.config.edition import Edition
from emulator.table.keyspec import KeySpec, keys, keyword
from emulator.table.registry import FLAG, UNBOUNDED, Command, KeyFinder


class Change(NamedTuple):
    """From version `since` of Redis on, or version `valkey` of Valkey, a command has this; with `until`, Redis before it.

    ``flags`` and ``tips`` are words separated by spaces, with a minus before those that go; ``keys`` are all its keys.
    """

    since: str = ""
    valkey: str = ""
    arity: int = 0
    flags: str = ""
    tips: str = ""
    keys: tuple[KeySpec, ...] = ()
    key_finder: KeyFinder | None = None
    until: str = ""

    def is_in(self, edition: Edition) -> bool:
        """Whether an edition has it."""
        if self.until:
            return not edition.is_valkey and not edition.includes(self.until)
        return edition.includes(self.since, self.valkey)


_ALLOWED_WHILE_BUSY: Final = (Change(valkey="8.0.0", flags="allow_busy"),)
_LOADING: Final = (Change(valkey="8.0.0", flags="loading"),)
_STALE: Final = (Change(valkey="8.0.0", flags="stale"),)
_NO_MULTI: Final = (Change(valkey="8.0.0", flags="no_multi"),)
_ONE_WORD_MORE: Final = (Change("3.0.0", arity=3), Change(valkey="9.0.0", arity=-3))
_DETERMINISTIC: Final = Change(valkey="9.0.0", tips="-nondeterministic_output")
_IN_7_4: Final = Change(until="8.0.0", tips="-nondeterministic_output")


_STORES: Final = (b"STORE", b"STOREDIST")


def _stores(start: int) -> tuple[KeySpec, ...]:
    """The keys of a search whose result may be stored: what it does to them depends on the other words."""
    return (keys("RO access", 1), *(keyword("OW update variable_flags", word, start) for word in _STORES))


def _key_and_store(words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """The key that is searched, and the last one that the result is to be stored under."""
    stored: list[tuple[bytes, str]] = []
    place = 5
    while place + 1 < len(words):
        if words[place].upper() in _STORES:
            place += 1
            stored = [(words[place], "OW update")]
        place += 1
    return [(words[1], "RO access"), *stored]


def _key_of_set(words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """SET's key, which in Valkey only GET reads: what IFEQ reads it does not tell of."""
    reads = any(word.upper() == b"GET" for word in words[3:])
    return [(words[1], "RW access update" if reads else "OW update")]


_CHANGES: Final[dict[bytes, tuple[Change, ...]]] = {
    b"VADD": (Change("8.4.0", arity=-5),),
    b"VCARD": (Change("8.4.0", arity=2),),
    b"VDIM": (Change("8.4.0", arity=2),),
    b"VEMB": (Change("8.4.0", arity=-3),),
    b"VGETATTR": (Change("8.4.0", arity=3),),
    b"VINFO": (Change("8.4.0", arity=2),),
    b"VISMEMBER": (Change("8.4.0", arity=3),),
    b"VLINKS": (Change("8.4.0", arity=-3),),
    b"VRANDMEMBER": (Change("8.4.0", arity=-2),),
    b"VREM": (Change("8.4.0", arity=3),),
    b"VSETATTR": (Change("8.4.0", arity=4),),
    b"VSIM": (Change("8.4.0", arity=-4),),
    **dict.fromkeys(
        (
            b"client|caching",
            b"client|getname",
            b"client|getredir",
            b"client|id",
            b"client|no-evict",
            b"client|no-touch",
            b"client|setinfo",
            b"client|setname",
            b"select",
        ),
        _ALLOWED_WHILE_BUSY,
    ),
    b"client|reply": (Change(valkey="8.0.0", flags="allow_busy no_multi"),),
    **dict.fromkeys(
        (
            b"cluster|info",
            b"cluster|myid",
            b"cluster|myshardid",
            b"cluster|nodes",
            b"memory|malloc-stats",
            b"memory|purge",
        ),
        _LOADING,
    ),
    b"cluster|replicate": _ONE_WORD_MORE,
    b"cluster|syncslots": (_DETERMINISTIC,),
    **dict.fromkeys((b"hpttl", b"httl"), (_DETERMINISTIC, _IN_7_4)),
    **dict.fromkeys((b"hexpire", b"hexpireat", b"hpexpire", b"hpexpireat"), (Change(until="8.0.0", flags="denyoom"),)),
    **dict.fromkeys((b"multi", b"watch"), _NO_MULTI),
    b"exec": (Change(valkey="8.1.0", flags="-skip_slowlog skip_commandlog"),),
    b"georadius": (Change(valkey="8.0.0", keys=_stores(6), key_finder=_key_and_store),),
    b"georadiusbymember": (Change(valkey="8.0.0", keys=_stores(5), key_finder=_key_and_store),),
    b"hgetex": (Change(valkey="9.0.0", keys=(keys("RW access update", 1),)),),
    b"hsetex": (Change(valkey="9.0.0", keys=(keys("RW insert", 1),)),),
    **dict.fromkeys(
        (b"eval", b"eval_ro", b"evalsha", b"evalsha_ro", b"fcall", b"fcall_ro"),
        (Change("8.10.0", flags="script_runner"),),
    ),
    b"set": (Change(valkey="8.1.0", key_finder=_key_of_set),),
    b"sinterstore": (Change(until="7.4.0", keys=(keys("RW update", 1), keys("RO access", 2, -1))),),
    b"wait": (Change(until="7.4.0", flags="-blocking"),),
    b"waitaof": (Change(until="7.4.0", flags="-blocking noscript"),),
    b"script|debug": _ONE_WORD_MORE,
    **dict.fromkeys((b"script|exists", b"script|flush"), _STALE),
}


def changed(edition: Edition, entry: Command) -> Command:
    """A command as it is in an edition: the same one if nothing is otherwise."""
    for change in _CHANGES.get(entry.full_name, ()):
        if change.is_in(edition):
            entry = entry.clone(entry.parent)
            if change.arity:
                entry.arity, entry.least = change.arity, abs(change.arity)
                entry.most = UNBOUNDED if change.arity < 0 else change.arity
            for flag in change.flags.split():
                if flag.startswith("-"):
                    entry.flags &= ~FLAG[flag[1:]]
                else:
                    entry.flags |= FLAG[flag]
            entry.keys = change.keys or entry.keys
            entry.key_finder = change.key_finder or entry.key_finder
            tips = [*entry.tips.split(), *change.tips.split()]
            gone = {tip.lstrip("-") for tip in tips if tip.startswith("-")}
            entry.tips = " ".join(tip for tip in tips if tip.lstrip("-") not in gone)
    return entry
