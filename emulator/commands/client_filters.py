"""Valkey's filters of CLIENT LIST and CLIENT KILL: a client has to pass all; most have a twin that begins with NOT-."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from emulator.clients.description import capabilities, flags_of, kind_of
from emulator.commands.arguments import INT32_MAX, bounded, integer
from emulator.commands.options import Option, at_least
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.numbers import parse_integer

if TYPE_CHECKING:
    from emulator.acl.user import User
    from emulator.clients.session import Session

Passes = Callable[["Session"], bool]

_FLAGS: Final = frozenset(b"ABEIMNOPRSTUbcdeirtux")
_CAPABILITIES: Final = frozenset(b"r")
_NOT: Final = b"NOT-"


def client_type(name: bytes) -> bytes:
    """The type of clients that a word means; raises `CommandError`."""
    kind = _TYPES.get(name.lower())
    if kind is None:
        raise CommandError(f"ERR Unknown client type '{as_text(name)}'")
    return kind


_TYPES: Final = {
    b"normal": b"normal",
    b"master": b"master",
    b"primary": b"master",
    b"replica": b"replica",
    b"slave": b"replica",
    b"pubsub": b"pubsub",
}


def yes_or_no(word: bytes) -> bool:
    """The value of SKIPME."""
    value = word.lower()
    if value not in (b"yes", b"no"):
        raise CommandError(SYNTAX)
    return value == b"yes"


def read(client: Session, words: Sequence[bytes], skips_me: bool) -> Passes:
    """What the words ask of a client; whether the one that asks is left out unless they say so."""
    tests: dict[bytes, Passes] = {}
    place = 0
    while place < len(words):
        word = words[place].upper()
        place += 1
        if place == len(words):
            raise CommandError(SYNTAX)
        bare = word.removeprefix(_NOT)
        if bare == b"ID":
            ids, place = _ids(words, place)
            tests[word] = _inverted(word, ids)
        elif word == b"SKIPME":
            skips_me = yes_or_no(words[place])
            place += 1
        elif word in _AGES:
            tests[word] = _AGES[word](words[place])
            place += 1
        elif bare in _TESTS:
            tests[word] = _inverted(word, _TESTS[bare](client, words[place]))
            place += 1
        else:
            raise CommandError(SYNTAX)

    def passes(session: Session) -> bool:
        return not (skips_me and session is client) and all(test(session) for test in tests.values())

    return passes


def _inverted(word: bytes, test: Passes) -> Passes:
    return (lambda session: not test(session)) if word.startswith(_NOT) else test


def _ids(words: Sequence[bytes], place: int) -> tuple[Passes, int]:
    """The test for the numbers from a place on, and the place behind them."""
    ids: set[int] = set()
    while place < len(words) and (number := parse_integer(words[place])) is not None:
        if number < 1:
            raise CommandError("ERR client-id should be greater than 0")
        ids.add(number)
        place += 1
    if not ids:
        raise CommandError(SYNTAX)
    return (lambda session: session.id in ids), place


def _ip(session: Session) -> bytes:
    return session.address.rpartition(b":")[0]


def _age(name: str, moment: str) -> Callable[[bytes], Passes]:
    """A test for the seconds since a moment that a client knows by this name."""
    error = f"ERR {name} should be greater than 0"
    option: Option = at_least(1, error, f"ERR {name} is not an integer or out of range")

    def read_age(text: bytes) -> Passes:
        least = option[1](text)
        return lambda session: (session.engine.clock.now - getattr(session, moment)) // 1000 >= least

    return read_age


def _letters(known: frozenset[int], kind: str, of: Callable[[Session], bytes]) -> Callable[[Session, bytes], Passes]:
    def read_letters(client: Session, text: bytes) -> Passes:
        unknown = bytes(letter for letter in text if letter not in known)
        if unknown:
            raise CommandError(f"ERR Unknown {kind} found in the provided filter: {as_text(text)}")
        return lambda session: set(text) <= set(of(session))

    return read_letters


def _same(of: Callable[[Session], bytes]) -> Callable[[Session, bytes], Passes]:
    """A test for a text, which those that have none do not pass."""
    return lambda client, text: lambda session: bool(text) and of(session) == text


def user_named(client: Session, name: bytes) -> User:
    """The user of a name; raises `CommandError`."""
    user = client.engine.acl.table.get(name)
    if user is None:
        raise CommandError(f"ERR No such user '{as_text(name)}'")
    return user


def _user(client: Session, name: bytes) -> Passes:
    user = user_named(client, name)
    return lambda session: session.user is user


def _database(client: Session, text: bytes) -> Passes:
    number = integer(text, "ERR DB is not an integer or out of range")
    last = len(client.engine.databases) - 1
    bounded(text, 0, min(last, INT32_MAX), f"ERR DB number should be between 0 and {last}")
    return lambda session: session.db.index == number


def _type(client: Session, name: bytes) -> Passes:
    kind = client_type(name)
    return lambda session: kind_of(session) == kind


_AGES: Final[dict[bytes, Callable[[bytes], Passes]]] = {
    b"MAXAGE": _age("maxage", "created"),
    b"IDLE": _age("idle", "active"),
}
_TESTS: Final[dict[bytes, Callable[[Session, bytes], Passes]]] = {
    b"TYPE": _type,
    b"USER": _user,
    b"ADDR": _same(attrgetter("address")),
    b"LADDR": _same(attrgetter("local_address")),
    b"NAME": _same(attrgetter("name")),
    b"FLAGS": _letters(_FLAGS, "flags", flags_of),
    b"LIB-NAME": _same(attrgetter("lib_name")),
    b"LIB-VER": _same(attrgetter("lib_version")),
    b"DB": _database,
    b"CAPA": _letters(_CAPABILITIES, "capa", capabilities),
    b"IP": _same(_ip),
}
