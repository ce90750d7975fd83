"""JSON.GET and JSON.MGET: the text of values at paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import wrong_arity
from emulator.modules.json.access import ROOT, check_text, no_such_path, read
from emulator.modules.json.document import Document
from emulator.modules.json.formats import WRONG_FORMAT, Format, check_protocol, expanded, expanded_once
from emulator.modules.json.measure import Json
from emulator.modules.json.path import Path, path
from emulator.modules.json.text import decoded, laid_out, written
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


_FORMATS: Final[dict[bytes, Format | None]] = {b"STRING": None, b"EXPAND1": expanded_once, b"EXPAND": expanded}


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
                raise wrong_arity("json.get")
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
