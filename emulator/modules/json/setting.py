"""JSON.SET, JSON.MSET and JSON.MERGE: values are put at paths, and into new documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import wrong_arity
from emulator.config.notifications import MODULE
from emulator.keyspace.lazyfree import LARGE
from emulator.modules.json.access import NOT_AT_ROOT, announce, check_text, current, edit, replace
from emulator.modules.json.document import Document
from emulator.modules.json.measure import Json, frame, text_size, weight
from emulator.modules.json.path import Path, path
from emulator.modules.json.removal import merged
from emulator.modules.json.steps import Place
from emulator.modules.json.text import copied, parse
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import OK, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


_NO_STATIC_PATH: Final = "Err wrong static path"


class _Change(NamedTuple):
    """What a value is to be put in the place of: places that there are, or the object that gets a new member."""

    places: Sequence[Place]
    parent: dict[str, Json] | None
    name: str


def _aim(document: Document, target: Path, condition: bytes = b"") -> _Change:
    """Where to put a value: with XX only in the place of another, with NX only where there is none.

    Raises where there is none and the path could lead to several.
    """
    places = target.find(document) if target.fixed is None else _fixed(document, target.fixed)
    if condition == b"XX" or (places and not condition):
        return _Change(places, None, "")
    if places and target.fixed is not None:
        return _Change((), None, "")
    if target.fixed is None:
        raise CommandError(_NO_STATIC_PATH)
    name = target.fixed[-1]
    if not isinstance(name, str):
        raise CommandError("ERR array index out of range")
    parents = _fixed(document, target.fixed[:-1])
    parent = parents[0][2] if parents else None
    return _Change((), parent if isinstance(parent, dict) else None, name)


def _fixed(document: Document, keys: Sequence[str | int]) -> Sequence[Place]:
    """The place that names and indexes lead to, if there is one."""
    container: Json = None
    at: str | int | None = None
    value = document.root
    for key in keys:
        if value.__class__ is dict and key in value:
            container, at, value = value, key, value[key]
        elif value.__class__ is list and isinstance(key, int) and value and key < len(value):
            at = max(key + len(value), 0) if key < 0 else key
            container, value = value, value[at]
        else:
            return ()
    return ((container, at, value),)


def _put(document: Document, change: _Change, value: Json) -> bool:
    """Put a value in its places; whether there is any."""
    if change.parent is not None:
        if document.is_weighed:
            count = len(change.parent)
            frames = frame(dict, count + 1) - frame(dict, count)
            document.grew(frames + text_size(change.name) + weight(value))
        change.parent[change.name] = value
        return True
    for place in reversed(change.places):
        replace(document, place, value if len(change.places) == 1 else copied(value))
    return bool(change.places)


def _set_root(client: Session, document: Document, value: Json, text: bytes) -> None:
    """Make another document of a value; what was in it is freed a little at a time."""
    if len(document) > LARGE and isinstance(document.root, dict | list):
        client.db.lazyfree.add(document.root)
    document.reset(value, text)


@command
def json_set(client: Session, key: bytes, where: bytes, text: bytes, *options: bytes) -> Status | None:
    """Set the values at a path, or a whole document."""
    check_text(where, text, *options)
    condition = _condition(options)
    document = edit(client, key)
    value = parse(text)
    target = path(where)
    if document is None:
        if condition == b"XX":
            return None
        if not target.is_root:
            raise CommandError(NOT_AT_ROOT)
        client.db.put(key, Document(value, text), MODULE, b"json.set")
        return OK
    if target.is_root:
        if condition == b"NX":
            return None
        _set_root(client, document, value, text)
        client.db.changed(key, MODULE, b"json.set")
        return OK
    change = _aim(document, target, condition)
    document.admit(value, len(text), max(len(change.places), 1))
    if not _put(document, change, value):
        return None
    announce(client, key, document, b"json.set")
    return OK


def _condition(options: Sequence[bytes]) -> bytes:
    """NX, XX or nothing; FORMAT says of what kind the text is, of which there is one."""
    condition = b""
    words = iter(options)
    for word in words:
        option = word.upper()
        if option in (b"NX", b"XX") and not condition:
            condition = option
        elif option == b"FORMAT":
            kind = next(words, None)
            if kind is None:
                raise wrong_arity("json.set")
            if kind not in (b"STRING", b"JSON"):
                raise CommandError("ERR wrong format")
        else:
            raise CommandError(SYNTAX)
    return condition


@command
def json_mset(client: Session, key: bytes, where: bytes, text: bytes, *others: bytes) -> Status:
    """Set values in several documents, all or with an error none."""
    words = (key, where, text, *others)
    if len(words) % 3:
        raise wrong_arity("json.mset")
    changes = []
    for name, place, given in zip(words[::3], words[1::3], words[2::3], strict=True):
        check_text(place, given)
        document, value, target = edit(client, name), parse(given), path(place)
        if document is None and not target.is_root:
            raise CommandError(NOT_AT_ROOT)
        change = None if document is None or target.is_root else _aim(document, target)
        if document is not None and change is not None:
            document.admit(value, len(given), max(len(change.places), 1))
        changes.append((name, document, change, value, given))
    dirty = client.engine.dirty
    for name, document, change, value, given in changes:
        if document is None:
            client.db.put(name, Document(value, given), MODULE, b"json.mset", keep_ttl=True)
        elif change is None:
            _set_root(client, document, value, given)
            client.db.changed(name, MODULE, b"json.mset")
        elif (change.parent is None or change.name not in change.parent) and _put(document, change, value):
            announce(client, name, document, b"json.mset")
    client.engine.dirty = dirty + 1  # all are one change, be it none
    return OK


@command
def json_merge(client: Session, key: bytes, where: bytes, text: bytes, *options: bytes) -> Status | None:
    """Merge a value into those at a path: what is null in it goes, what has parts is merged, all else is replaced."""
    check_text(where, text, *options)
    if options:
        raise CommandError(SYNTAX)
    document = edit(client, key)
    value = parse(text)
    target = path(where)
    if document is None:
        if not target.is_root:
            raise CommandError(NOT_AT_ROOT)
        client.db.put(key, Document(value, text), MODULE, b"json.merge")
        return OK
    change = _aim(document, target)
    document.admit(value, len(text), max(len(change.places), 1))
    document.changed()
    for place in reversed(change.places):
        replace(document, place, merged(current(document, place), copied(value)))
    if not change.places and not _put(document, change, value):
        return None
    announce(client, key, document, b"json.merge")
    return OK
