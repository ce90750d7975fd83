"""The commands of JSON that deal with values of any type, and with documents as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.config.notifications import MODULE
from emulator.keyspace.lazyfree import LARGE
from emulator.modules.json.access import (
    NOT_AT_ROOT,
    ROOT,
    announce,
    check_text,
    current,
    edit,
    existing,
    is_number,
    no_such_path,
    path_or_root,
    read,
    replace,
    type_name,
    update,
)
from emulator.modules.json.document import Document
from emulator.modules.json.formats import (
    RESP3,
    WRONG_FORMAT,
    Format,
    check_protocol,
    expanded,
    expanded_once,
    old_reply,
)
from emulator.modules.json.measure import Json, weight
from emulator.modules.json.path import Path, path
from emulator.modules.json.removal import merged, remove
from emulator.modules.json.steps import Place
from emulator.modules.json.text import copied, decoded, laid_out, parse, written
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NO_STATIC_PATH: Final = "Err wrong static path"
_FORMATS: Final[dict[bytes, Format | None]] = {b"STRING": None, b"EXPAND1": expanded_once, b"EXPAND": expanded}


def _arity(name: str) -> CommandError:
    return CommandError(f"ERR wrong number of arguments for 'json.{name}' command")


# Setting


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
                raise _arity("set")
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
        raise _arity("mset")
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
    for name, document, change, value, given in changes:
        if document is None:
            client.db.put(name, Document(value, given), MODULE, b"json.mset", keep_ttl=True)
        elif change is None:
            _set_root(client, document, value, given)
            client.db.changed(name, MODULE, b"json.mset")
        elif (change.parent is None or change.name not in change.parent) and _put(document, change, value):
            announce(client, name, document, b"json.mset")
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
    for place in reversed(change.places):
        replace(document, place, merged(current(document, place), copied(value)))
    if not change.places and not _put(document, change, value):
        return None
    announce(client, key, document, b"json.merge")
    return OK


# Getting


@command
def json_get(client: Session, key: bytes, *arguments: bytes) -> Reply:
    """The values at paths, or the whole document, as text."""
    format, layout, paths = _read_layout(client, arguments)
    document = read(client, key)
    if document is None:
        return None
    if format is not None:
        return [[format(value) for value in _values(document, where)] for where in paths or (b"$",)]
    return _text(_picture(document, paths or (ROOT,), client.upstash), layout)


def _read_layout(
    client: Session, arguments: Sequence[bytes]
) -> tuple[Format | None, tuple[str, str, str], Sequence[bytes]]:
    """The format, what is put for indents, ends of lines and behind colons, and the paths."""
    format: Format | None = None
    layout = dict.fromkeys((b"INDENT", b"NEWLINE", b"SPACE"), "")
    paths: list[bytes] = []
    words = iter(arguments)
    for word in words:
        if not _is_text(word):
            break
        option = word.upper()
        if option in layout or option == b"FORMAT":
            if option == b"FORMAT":
                check_protocol(client)
            given = next(words, None)
            if given is None:
                raise _arity("get")
            if option in layout:
                layout[option] = decoded(given)
            elif given in _FORMATS:
                format = _FORMATS[given]
            else:
                raise CommandError(WRONG_FORMAT)
        elif option != b"NOESCAPE":
            paths.append(word)
    return format, (layout[b"INDENT"], layout[b"NEWLINE"], layout[b"SPACE"]), paths


def _is_text(word: bytes) -> bool:
    try:
        check_text(word)
    except CommandError:
        return False
    return True


def _values(document: Document, where: bytes) -> Sequence[Json]:
    """The values at one of several paths, none where it cannot be read."""
    try:
        return path(where).values(document)
    except CommandError:
        return ()


def _picture(document: Document, paths: Sequence[bytes], inside_out: bool) -> Json:
    """What is shown of a document: a value, those at a path, or an object of those at several."""
    if len(paths) == 1:
        target = path(paths[0], inside_out)
        values = target.values(document)
        if not target.legacy:
            return values
        if not values:
            raise no_such_path(target)
        return values[0]
    return _several(document, paths, inside_out)


def _several(document: Document, paths: Sequence[bytes], inside_out: bool) -> dict[str, Json]:
    targets = {decoded(where): _readable(where, inside_out) for where in paths}
    legacy = all(target is None or target.legacy for target in targets.values())
    picture: dict[str, Json] = {}
    for name, target in targets.items():
        if target is None:
            continue
        values = target.values(document)
        if legacy and not values:
            raise CommandError(f"ERR Path '{name}' does not exist")
        picture[name] = values[0] if legacy else values
    return picture


def _readable(where: bytes, inside_out: bool) -> Path | None:
    target = path(where, inside_out)
    try:
        return target if target.steps is not None else None
    except CommandError:
        return None


def _text(value: Json, layout: tuple[str, str, str]) -> bytes:
    return laid_out(value, *layout).encode() if any(layout) else written(value)


@command
def json_mget(client: Session, key: bytes, where: bytes, *others: bytes) -> list[Reply]:
    """The values at a path in several documents."""
    words = (key, where, *others)
    check_text(words[-1])
    target = _readable(words[-1], client.upstash)
    return [None if target is None else _found(client, name, target) for name in words[:-1]]


def _found(client: Session, key: bytes, target: Path) -> Reply:
    value = client.db.lookup_read_any(key)
    if not isinstance(value, Document):
        return None
    values = target.values(value)
    if not target.legacy:
        return written(values)
    return written(values[0]) if values else None


@command
def json_type(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> Reply:
    """The types of values."""
    document = read(client, key)
    reply: Reply = None
    if document is not None:
        target = path_or_root(where, client.upstash)
        names = [type_name(value).encode() for value in target.values(document)]
        reply = names if not target.legacy else names[0] if names else None
    return [reply] if client.protocol == RESP3 else reply


@command
def json_resp(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> Reply:
    """The values at a path as values of the protocol, in an old form."""
    check_text(where)
    document = read(client, key)
    if document is None:
        return None
    target = path(where)
    values = target.values(document)
    if not target.legacy:
        return [old_reply(value) for value in values]
    if not values:
        raise no_such_path(target)
    return old_reply(values[0])


# Taking away


@command
def json_del(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> int:
    """Delete the values at a path, or a whole document; how many there were."""
    check_text(where)
    document = edit(client, key)
    if document is None:
        return 0
    target = path(where)
    if not target.steps:
        client.db.delete(key, b"json.del", MODULE)
        return 1
    count = remove(target.find(document))
    if count:
        announce(client, key, document, b"json.del")
        if not document.root and document.root.__class__ in (list, dict):
            client.db.discard(key)
    return count


command(json_del, "json_forget")


@command
def json_clear(client: Session, key: bytes, where: bytes = ROOT, *ignored: bytes) -> int:
    """Empty arrays and objects and make numbers 0; how many were not so before."""
    check_text(where)
    document = existing(edit(client, key))

    def clear(place: Place) -> int:
        value = current(document, place)
        replace(document, place, 0 if is_number(value) else value.__class__())
        return 1

    cleared = update(client, key, document, path(where), _can_be_cleared, clear, b"json.clear")
    return len(cleared) - cleared.count(None)


def _can_be_cleared(value: Json) -> bool:
    return value.__class__ in (list, dict, int, float) and bool(value)


# Looking inside


@command
def json_debug(client: Session, subcommand: bytes, *arguments: bytes) -> Reply:
    """What values weigh."""
    check_text(subcommand)
    name = subcommand.upper()
    if name == b"HELP":
        return [b"MEMORY <key> [path] - reports memory usage", b"HELP                - this message"]
    if name != b"MEMORY":
        raise CommandError("ERR unknown subcommand - try `JSON.DEBUG HELP`")
    if not arguments:
        raise _arity("debug")
    target = path_or_root(arguments[1] if len(arguments) > 1 else ROOT)
    document = read(client, arguments[0])
    if document is None:
        return 0 if target.legacy else []
    weights = [document.footprint] if target.is_root else [weight(value) for value in target.values(document)]
    if not target.legacy:
        return weights
    if not weights:
        raise no_such_path(target)
    return weights[0]
