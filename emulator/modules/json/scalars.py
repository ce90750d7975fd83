"""JSON.NUM*, STRAPPEND and TOGGLE: what changes numbers, strings and truth values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emulator.modules.json import number
from emulator.modules.json.access import (
    ROOT,
    check_text,
    current,
    edit,
    existing,
    for_path,
    is_a,
    is_number,
    replace,
    update,
)
from emulator.modules.json.formats import RESP3
from emulator.modules.json.formats import number as number_reply
from emulator.modules.json.measure import Json
from emulator.modules.json.path import path
from emulator.modules.json.sizes import length
from emulator.modules.json.steps import Place
from emulator.modules.json.text import parse_argument, written
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

Number = int | float

_NOT_A_STRING: Final = "not a string"


# Numbers


def _calculate(
    client: Session,
    key: bytes,
    where: bytes,
    text: bytes,
    work_out: Callable[[Number, Number], Number],
    event: bytes,
) -> Reply:
    """Do something to the numbers at a path and to one that is given; the results."""
    check_text(where, text)
    document = existing(edit(client, key))
    target = path(where, client.upstash)
    numbers = [value for value in target.values(document) if is_number(value)]
    given = _operand(text) if numbers else 0
    if not all(math.isfinite(work_out(value, given)) for value in numbers):
        raise CommandError("ERR result is not a number")

    def calculate(place: Place) -> Number:
        result = work_out(current(document, place), given)
        replace(document, place, result)
        return result

    replies = update(client, key, document, target, is_number, calculate, event)
    if client.protocol == RESP3:
        return [number_reply(reply) for reply in replies]
    if not target.legacy:
        return written(replies)
    fitting = [reply for reply in replies if reply is not None]
    if not fitting:
        raise CommandError(f"ERR Path '{target.text}' does not exist or does not contains a number")
    return written(fitting[-1])


def _operand(text: bytes) -> Number:
    given: Json = parse_argument(text)
    if not is_number(given):
        raise CommandError("bad input number")
    return given  # type: ignore[no-any-return]


@command
def json_numincrby(client: Session, key: bytes, where: bytes, by: bytes, *ignored: bytes) -> Reply:
    """Add to numbers."""
    return _calculate(client, key, where, by, number.added, b"json.numincrby")


@command
def json_nummultby(client: Session, key: bytes, where: bytes, by: bytes, *ignored: bytes) -> Reply:
    """Multiply numbers."""
    return _calculate(client, key, where, by, number.multiplied, b"json.nummultby")


@command
def json_numpowby(client: Session, key: bytes, where: bytes, by: bytes, *ignored: bytes) -> Reply:
    """Raise numbers to a power."""
    return _calculate(client, key, where, by, number.raised, b"json.numpowby")


# Strings and truth values


@command
def json_strappend(client: Session, key: bytes, where: bytes, *arguments: bytes) -> Reply:
    """Add to the end of strings; without a path to the document itself."""
    where, text = (where, arguments[0]) if arguments else (ROOT, where)
    check_text(where, text)
    document = existing(edit(client, key))
    target = path(where, client.upstash)
    added = ""
    strings = [value for value in target.values(document) if value.__class__ is str]
    if strings:
        added = parse_argument(text)
        if added.__class__ is not str:
            shown = written(added).decode()
            raise CommandError(f"WRONGTYPE wrong type of path value - expected string but found {shown}")
        document.admit(added, len(text), len(strings))

    def append(place: Place) -> int:
        value: str = current(document, place) + added
        replace(document, place, value)
        return length(value)

    return for_path(target, update(client, key, document, target, is_a(str), append, b"json.strappend"), _NOT_A_STRING)


@command
def json_toggle(client: Session, key: bytes, where: bytes, *ignored: bytes) -> Reply:
    """Make true of false and false of true."""
    check_text(where)
    document = existing(edit(client, key))
    target = path(where, client.upstash)

    def toggle(place: Place) -> Reply:
        value = not current(document, place)
        replace(document, place, value)
        return written(value) if target.legacy else int(value)

    return for_path(target, update(client, key, document, target, is_a(bool), toggle, b"json.toggle"), "not a bool")
