"""How values are answered: as text, or on RESP3 with FORMAT as values of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emulator.modules.json.measure import Json
from emulator.modules.json.text import written
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.protocol.replies import Reply, Status

if TYPE_CHECKING:
    from emulator.clients.session import Session

Format = Callable[[Json], Reply]
"""What makes a reply of a value."""

RESP3: Final = 3
WRONG_FORMAT: Final = "ERR wrong reply format"

_NOT_ON_RESP2: Final = "ERR FORMAT argument is not supported on RESP2"


def check_protocol(client: Session) -> None:
    """Raise where FORMAT cannot be had."""
    if client.protocol != RESP3:
        raise CommandError(_NOT_ON_RESP2)


def expanded(value: Json) -> Reply:
    """A value with all that is in it."""
    if value.__class__ is str:
        return value.encode()
    if value.__class__ is list:
        return [expanded(part) for part in value]
    if value.__class__ is dict:
        return {name.encode(): expanded(part) for name, part in value.items()}
    return number(value)


def expanded_once(value: Json) -> Reply:
    """A value, but as text if it has parts or is one."""
    return written(value) if value.__class__ in (str, list, dict) else number(value)


def number(value: Json) -> Reply:
    """A number, of which one that no integer of the protocol holds is a double; truth values and null are themselves."""
    return float(value) if value.__class__ is int and value > INT64_MAX else value


def old_reply(value: Json) -> Reply:
    """A value as JSON.RESP tells it: arrays and objects begin with a bracket, members are names and values in turn."""
    if value.__class__ is list:
        return [Status(b"["), *map(old_reply, value)]
    if value.__class__ is dict:
        told: list[Reply] = [Status(b"{")]
        for name, part in value.items():
            told += (name.encode(), old_reply(part))
        return told
    if value.__class__ is str:
        return value.encode()
    if value.__class__ is bool:
        return Status(b"true" if value else b"false")
    return number(value)
