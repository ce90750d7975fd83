"""What the commands of JSON share: finding documents and places in them, changing those, and telling so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from emulator.config.notifications import MODULE
from emulator.modules.json.document import Document
from emulator.modules.json.measure import Json, weight
from emulator.modules.json.path import Path, path
from emulator.modules.json.steps import Place
from emulator.modules.json.text import decoded
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import Reply

if TYPE_CHECKING:
    from emulator.clients.session import Session

ROOT: Final = b"."
NO_KEY: Final = "ERR could not perform this operation on a key that doesn't exist"
NOT_AT_ROOT: Final = "ERR new objects must be created at the root"

_WRONG_TYPE: Final = "Existing key has wrong Redis type"
_TYPES: Final = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def type_name(value: Json) -> str:
    """What JSON.TYPE calls a value."""
    return _TYPES[value.__class__]


def integer(text: bytes) -> int:
    """A whole number of 64 bits."""
    number = parse_integer(text)
    if number is None:
        raise CommandError("Couldn't parse as integer")
    return number


def check_text(*words: bytes) -> None:
    """Raise where one of the words is no UTF-8, before anything else is looked at."""
    for word in words:
        if not word.isascii():
            decoded(word)


def path_or_root(where: bytes, inside_out: bool = False) -> Path:
    """A path that need not be given; what is no UTF-8 does not count as one."""
    try:
        check_text(where)
    except CommandError:
        return path(ROOT)
    return path(where, inside_out)


# Documents


def read(client: Session, key: bytes) -> Document | None:
    """The document at a key that is read."""
    value = client.db.lookup_read_any(key)
    if value is None or isinstance(value, Document):
        return value
    raise CommandError(_WRONG_TYPE)


def edit(client: Session, key: bytes) -> Document | None:
    """The document at a key that is opened in order to change it, of which who watches hears whatever comes of it."""
    if client.db.has_listeners:
        client.db.touch(key)
    entry = client.db.lookup_write_entry(key)
    if entry is None:
        return None
    if isinstance(entry.value, Document):
        return entry.value
    raise CommandError(_WRONG_TYPE)


def existing(document: Document | None) -> Document:
    """The document; raises where there is none."""
    if document is None:
        raise CommandError(NO_KEY)
    return document


def no_such_path(where: Path) -> CommandError:
    """The error of a legacy path that leads nowhere."""
    return CommandError(f"ERR Path '{where.text}' does not exist")


def wrong_kind(expected: str, value: Json) -> CommandError:
    """The error of a legacy path that leads to a value of another type."""
    found = type_name(value)
    return CommandError(f"WRONGTYPE wrong type of path value - expected {expected} but found {found}")


# Places


def current(document: Document, place: Place) -> Json:
    """What stands at a place by now."""
    container, key, _ = place
    return document.root if container is None else container[key]


def replace(document: Document, place: Place, value: Json) -> None:
    """Put something else there.  O(n) of what was there and what comes."""
    container, key, _ = place
    if document.is_weighed:
        document.grew(weight(value) - weight(current(document, place)))
    if container is None:
        document.root = value
    else:
        container[key] = value


def update(
    client: Session,
    key: bytes,
    document: Document,
    where: Path,
    fits: Callable[[Json], bool],
    change: Callable[[Place], Reply],
    event: bytes,
) -> list[Reply]:
    """Change what fits at the places of a path, the deepest and the last ones first; the replies, None where nothing fits."""
    replies: list[Reply] = []
    changed = False
    places = where.find(document)
    for place in places if where.inside_out else reversed(places):
        fitting = fits(current(document, place))
        replies.append(change(place) if fitting else None)
        changed |= fitting
    if not where.inside_out:
        replies.reverse()
    if changed:
        announce(client, key, document, event)
    return replies


def announce(client: Session, key: bytes, document: Document, event: bytes) -> None:
    """A document has changed."""
    client.db.changed(key, MODULE, event)


def is_a(kind: type) -> Callable[[Json], bool]:
    """A function that says whether a value is of a type."""
    return lambda value: value.__class__ is kind


def is_number(value: Json) -> bool:
    """Whether a value is a number."""
    return value.__class__ is int or value.__class__ is float


def for_path(where: Path, replies: Sequence[Reply], unfit: str, shown: str = "") -> Reply:
    """The replies of all places, or for a legacy path that of the last one that fits; raises where none does.

    `unfit` says what no place is, and `shown` how the path is called then, if not as ever.
    """
    if not where.legacy:
        return list(replies)
    fitting = [reply for reply in replies if reply is not None]
    if not fitting:
        raise CommandError(f"ERR Path '{shown or where.text}' does not exist or {unfit}")
    return fitting[-1]
