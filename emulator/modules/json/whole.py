"""The commands of JSON that tell of values of any type, or take them away.  `getting` and `setting` have GET and SET."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.commands.arguments import wrong_arity
from emulator.config.notifications import MODULE
from emulator.modules.json.access import (
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
from emulator.modules.json.formats import RESP3, old_reply
from emulator.modules.json.measure import Json, weight
from emulator.modules.json.path import path
from emulator.modules.json.removal import remove
from emulator.modules.json.steps import Place
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


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
    count = remove(document, target.find(document))
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
        raise wrong_arity("json.debug")
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
