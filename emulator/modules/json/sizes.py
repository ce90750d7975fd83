"""JSON.ARRLEN, STRLEN, OBJLEN and OBJKEYS: what is asked of values of one kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.modules.json.access import NO_KEY, ROOT, no_such_path, path_or_root, read, wrong_kind
from emulator.modules.json.measure import Json
from emulator.modules.json.path import Path
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


class _Question(NamedTuple):
    """What is asked of the values of a kind, and the errors where there is none.

    ``nowhere`` is for a legacy path that leads to nothing, which may be no error, ``unfit`` for one that leads to another
    value, ``no_key`` for a JSONPath where there is no document.
    """

    kind: type
    answer: Callable[[Json], Reply]
    nowhere: Callable[[Path], CommandError | None]
    unfit: Callable[[Path, Json], CommandError]
    no_key: Callable[[Path], CommandError] = lambda target: CommandError(NO_KEY)


def _ask(client: Session, key: bytes, where: bytes, question: _Question) -> Reply:
    document = read(client, key)
    target = path_or_root(where, client.upstash)
    if document is None:
        if target.legacy:
            return None
        raise question.no_key(target)
    found = target.values(document)
    if not target.legacy:
        return [question.answer(value) if value.__class__ is question.kind else None for value in found]
    if not found:
        error = question.nowhere(target)
        if error is not None:
            raise error
        return None
    if found[0].__class__ is not question.kind:
        raise question.unfit(target, found[0])
    return question.answer(found[0])


def length(value: str) -> int:
    """The bytes of a string."""
    return len(value) if value.isascii() else len(value.encode())


def _names(value: dict[str, Json]) -> list[Reply]:
    return [name.encode() for name in value]


def _is_nothing(target: Path) -> None:
    return None


def _not_an_object(target: Path, value: Json = None) -> CommandError:
    return CommandError(f"ERR Path '{target.text}' does not exist or not an object")


_ELEMENTS: Final = _Question(
    list,
    len,
    lambda target: CommandError(f"ERR Path '{target.given}' does not exist"),
    lambda target, _: CommandError(f"ERR Path '{target.given}' does not exist or not an array"),
)
_BYTES: Final = _Question(str, length, no_such_path, lambda _, value: wrong_kind("string", value))
_NAMES: Final = _Question(dict, _names, _is_nothing, _not_an_object)
_MEMBERS: Final = _Question(dict, len, _is_nothing, lambda _, value: wrong_kind("object", value), _not_an_object)


@command
def json_arrlen(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> Reply:
    """How many elements arrays have."""
    return _ask(client, key, where, _ELEMENTS)


@command
def json_strlen(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> Reply:
    """How many bytes strings have."""
    return _ask(client, key, where, _BYTES)


@command
def json_objkeys(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> Reply:
    """The names in objects."""
    return _ask(client, key, where, _NAMES)


@command
def json_objlen(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> Reply:
    """How many members objects have."""
    return _ask(client, key, where, _MEMBERS)
