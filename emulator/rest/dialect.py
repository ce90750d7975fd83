"""What commands do otherwise by REST than on the RESP port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from emulator.acl.users import explanation
from emulator.core.dispatch import Outcome, execute
from emulator.datatypes.types import type_name
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply, Status
from emulator.rest.requests import Words
from emulator.rest.texts import EMPTY_PIPELINE_COMMAND, bad_user, not_allowed, not_available
from emulator.rest.tokens import knows, new_token, token_of
from emulator.table.lookup import find

if TYPE_CHECKING:
    from emulator.clients.session import Session

R = TypeVar("R")

_NOT_ALLOWED: Final = frozenset(
    b"auth hello reset quit client multi exec discard watch unwatch subscribe psubscribe unsubscribe punsubscribe "
    b"ssubscribe sunsubscribe monitor blpop brpop blmove blmpop brpoplpush bzpopmin bzpopmax bzmpop "
    b"psync sync replconf".split()
)
_TRAPS: Final = frozenset((b"post", b"host:", b""))
"""Names that no command has, and on which Redis drops a connection, or which have no shape at all."""
_SPECIAL: Final = _NOT_ALLOWED | _TRAPS | {b"select", b"acl", b"scan", b"copy", b"type"}
_ABSENT: Final = frozenset(
    b"object sort sort_ro migrate move swapdb latency slowlog cluster replicaof slaveof bgsave save bgrewriteaof debug "
    b"module spublish lcs pfdebug xsetid psync sync replconf role failover lolwut readonly readwrite asking shutdown".split()
)
_JSON_TYPE: Final = b"ReJSON-RL"
_JSON: Final = b"json"
"""What the service calls the type of documents."""
_ABSENT_PARTS: Final = frozenset(((b"function", b"dump"), (b"function", b"restore")))


def refusal(command: Words, strict: bool) -> CommandError | None:
    """The error of a command that cannot be run by REST; with `strict` those that the product lacks are among them."""
    if not command:
        return CommandError(EMPTY_PIPELINE_COMMAND)
    name = command[0].lower()
    if strict and (name in _ABSENT or (name, *(word.lower() for word in command[1:2])) in _ABSENT_PARTS):
        return not_available(command[0])
    if name in _NOT_ALLOWED or (name == b"select" and command[1:] != [b"0"]):
        return not_allowed(command[0])
    if name in _TRAPS:
        return not_available(name)
    return None


def is_special(command: Words) -> bool:
    """Whether a command may be refused, or has something of its own here."""
    return not command or command[0].lower() in _SPECIAL


def own_way(command: Words) -> Callable[[Session], Outcome] | None:
    """How a command that is done otherwise here is run, None for all the rest."""
    name = command[0].lower()
    if name == b"acl" and len(command) in (3, 4):
        action = command[1].upper()
        if action == b"RESTTOKEN" and len(command) == 4:
            return lambda session: _rest_token(session, command[2], command[3])
        if action == b"GENTOKEN":
            return lambda session: _checked(session, command) or new_token(command[2], *command[3:])
    if name == b"copy" and len(command) == 3 and command[1] == command[2]:
        return lambda session: _checked(session, command) or 0
    if name == b"type":
        return lambda session: type_told(execute(session, command))
    if name == b"scan":
        plain, with_types = scan_of(command)
        if with_types:
            return lambda session: _scan_with_types(session, plain)
        if plain != command:
            return lambda session: execute(session, plain)
    return None


def _checked(session: Session, command: Words) -> CommandError | None:
    """The error of a client that may not run a command, or with ACL any part of it that does no harm."""
    words = [b"ACL", b"WHOAMI"] if command[0].lower() == b"acl" else command
    denial = session.check_user(session.user, find(session.engine.commands, words), words)
    return None if denial is None else CommandError(f"NOPERM {explanation(session.user, denial)}")


def type_told(reply: R) -> R | Status:
    """What TYPE answers, as the service calls it."""
    return Status(_JSON) if reply == _JSON_TYPE else reply


def scan_of(command: Words) -> tuple[Words, bool]:
    """SCAN as Redis knows it: without the option WITHTYPE, and whether it was there; the type ``json`` by Redis's name."""
    words = command[:2]
    place = 2
    while place < len(command):
        option = command[place].upper()
        size = 2 if option in (b"MATCH", b"COUNT", b"TYPE") else 1
        if option == b"TYPE" and command[place + 1 : place + 2] == [_JSON]:
            words += [command[place], _JSON_TYPE]
        elif option != b"WITHTYPE":
            words += command[place : place + size]
        place += size
    return words, len(words) < len(command)


def _rest_token(session: Session, name: bytes, password: bytes) -> Reply:
    user = session.engine.acl.table.get(name)
    if user is None or not knows(user, password):
        return bad_user(name)
    return token_of(name, password)


def _scan_with_types(session: Session, command: Sequence[bytes]) -> Outcome:
    """SCAN, whose list has the type of each key after it."""
    reply = execute(session, command)
    if not isinstance(reply, list):
        return reply
    cursor, found = reply
    entries = session.db.entries
    return [cursor, [word for key in found for word in (key, type_told(type_name(entries[key].value)))]]
