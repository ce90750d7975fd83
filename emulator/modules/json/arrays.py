"""JSON.ARR*: the commands of arrays, but for ARRLEN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import wrong_arity
from emulator.modules.json.access import (
    ROOT,
    announce,
    check_text,
    current,
    edit,
    existing,
    for_path,
    integer,
    is_a,
    no_such_path,
    read,
    update,
    wrong_kind,
)
from emulator.modules.json.document import Document
from emulator.modules.json.formats import WRONG_FORMAT, Format, check_protocol, expanded, expanded_once
from emulator.modules.json.measure import Json, frame, weight
from emulator.modules.json.path import path
from emulator.modules.json.steps import Place
from emulator.modules.json.text import copied, parse, parse_argument, written
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import Reply
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NOT_AN_ARRAY: Final = "not an array"
_FORMATS: Final[dict[bytes, Format]] = {b"STRINGS": written, b"EXPAND1": expanded_once, b"EXPAND": expanded}


@command
def json_arrappend(client: Session, key: bytes, where: bytes, value: bytes, *values: bytes) -> Reply:
    """Add values at the end of arrays."""
    check_text(where)
    added = [parse(text) for text in (value, *values)]
    document = existing(edit(client, key))
    target = path(where, client.upstash)
    document.admit(added, sum(map(len, (value, *values))), len(target.find(document)))
    lengthened = _lengthening(document, added)

    def append(place: Place) -> int:
        array: list[Json] = place[2]
        array += copied(added)
        return lengthened(array)

    replies = update(client, key, document, target, is_a(list), append, b"json.arrappend")
    return for_path(target, replies, _NOT_AN_ARRAY, target.given)


def _lengthening(document: Document, added: Sequence[Json]) -> Callable[[Sequence[Json]], int]:
    """A function that notes that an array of a document has got these values, and returns its length."""
    size = sum(map(weight, added)) if document.is_weighed else 0

    def lengthened(array: Sequence[Json]) -> int:
        count = len(array)
        document.grew(size + frame(list, count) - frame(list, count - len(added)))
        return count

    return lengthened


def _shortened(document: Document, array: Sequence[Json], gone: Sequence[Json]) -> None:
    """Note that an array of a document has lost values.  O(n) of these."""
    if document.is_weighed:
        count = len(array)
        document.grew(frame(list, count) - frame(list, count + len(gone)) - sum(map(weight, gone)))


@command
def json_arrinsert(client: Session, key: bytes, where: bytes, at: bytes, *values: bytes) -> Reply:
    """Put values before an element of arrays."""
    check_text(where)
    index = integer(at)
    if not values:
        raise wrong_arity("json.arrinsert")
    added = [parse(text) for text in values]
    document = existing(edit(client, key))
    target = path(where, client.upstash)
    document.admit(added, sum(map(len, values)), len(target.find(document)))
    lengthened = _lengthening(document, added)
    for array in target.values(document):
        if array.__class__ is list and not -len(array) <= index <= len(array):
            raise CommandError("ERR index out of bounds")

    def insert(place: Place) -> int:
        array: list[Json] = place[2]
        start = index + len(array) if index < 0 else index
        array[start:start] = copied(added)
        return lengthened(array)

    return for_path(target, update(client, key, document, target, is_a(list), insert, b"json.arrinsert"), _NOT_AN_ARRAY)


@command
def json_arrindex(
    client: Session, key: bytes, where: bytes, value: bytes, start: bytes = b"0", stop: bytes = b"0"
) -> Reply:
    """The index of the first element that is the same as a value; -1 where there is none."""
    check_text(where, value)
    first, end = integer(start), integer(stop)
    sought = parse_argument(value)
    target = path(where, client.upstash)
    document = read(client, key)
    if document is None:
        raise CommandError(f"ERR Path '{target.given}' does not exist")
    found = target.values(document)
    if not target.legacy:
        return [_index(array, sought, first, end) if array.__class__ is list else None for array in found]
    if not found:
        raise no_such_path(target)
    if found[0].__class__ is not list:
        raise wrong_kind("array", found[0])
    return _index(found[0], sought, first, end)


def _index(array: list[Json], sought: Json, start: int, stop: int) -> int:
    size = len(array)
    first = max(start + size, 0) if start < 0 else min(start, max(size - 1, 0))
    end = min(stop, size) if stop > 0 else stop + size
    return next((at for at in range(first, end) if _same(array[at], sought)), -1)


def _same(one: Json, other: Json) -> bool:
    """Whether two values are the same: of one type, and so all that is in them; members have no order."""
    if one.__class__ is not other.__class__ or one != other:
        return False
    if one.__class__ is list:
        return all(map(_same, one, other))
    return one.__class__ is not dict or all(_same(value, other[name]) for name, value in one.items())


@command
def json_arrpop(client: Session, key: bytes, *arguments: bytes) -> Reply:
    """Take an element, if not said otherwise the last one, out of arrays."""
    named, words = _format(client, arguments)
    target = path(words[0] if words else ROOT, client.upstash)
    if target.legacy and named not in (b"", b"STRINGS"):
        raise CommandError("Legacy paths are supported only with FORMAT STRINGS")
    document = existing(edit(client, key))
    given = parse_integer(words[1]) if len(words) > 1 else -1
    index = -1 if given is None else given
    shown = _FORMATS[named or b"STRINGS"]

    def pop(place: Place) -> Reply:
        array: list[Json] = current(document, place)
        at = max(index + len(array), 0) if index < 0 else min(index, len(array) - 1)
        value = array.pop(at)
        _shortened(document, array, [value])
        return shown(value)

    arrays = [value.__class__ is list for value in target.values(document)]
    replies = update(client, key, document, target, _has_elements, pop, b"json.arrpop")
    if target.legacy and True in arrays:
        if all(reply is None for reply in replies):  # told, although the arrays are empty
            announce(client, key, document, b"json.arrpop")
        return replies[-1 - arrays[::-1].index(True)]
    return for_path(target, replies, _NOT_AN_ARRAY)


def _has_elements(value: Json) -> bool:
    return value.__class__ is list and bool(value)


def _format(client: Session, arguments: Sequence[bytes]) -> tuple[bytes, Sequence[bytes]]:
    """The word behind FORMAT, if that comes first, and the other arguments."""
    if len(arguments) < 2 or arguments[0].upper() != b"FORMAT":
        return b"", arguments
    named = arguments[1]
    if named not in _FORMATS:
        raise CommandError(WRONG_FORMAT)
    check_protocol(client)
    return named, arguments[2:]


@command
def json_arrtrim(client: Session, key: bytes, where: bytes, start: bytes, *words: bytes) -> Reply:
    """Keep the elements from one to another alone."""
    check_text(where)
    first = integer(start)
    if not words:
        raise wrong_arity("json.arrtrim")
    last = integer(words[0])
    document = existing(edit(client, key))
    target = path(where, client.upstash)

    def trim(place: Place) -> int:
        array: list[Json] = place[2]
        size = len(array)
        begin = max(first + size, 0) if first < 0 else first
        end = max(last + size, 0) if last < 0 else last
        kept = array[begin : end + 1]
        gone = array[:begin] + array[max(end + 1, begin) :]
        array[:] = kept
        _shortened(document, array, gone)
        return len(array)

    return for_path(target, update(client, key, document, target, is_a(list), trim, b"json.arrtrim"), _NOT_AN_ARRAY)
