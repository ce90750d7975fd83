"""EMULATOR BACKUP: named backups, and coming back to a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.clients.blocking import Block
from emulator.commands.arguments import positive, wrong_subcommand_arity
from emulator.commands.emulator import known_action
from emulator.persistence.work import Job
from emulator.protocol.errors import READ_ONLY_REPLICA, CommandError, as_text
from emulator.protocol.replies import Reply
from emulator.table.registry import EMULATOR, command
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.persistence.backups import Backups

_LATEST = 1 << 48
_LEAST = {b"CREATE": 0, b"LIST": 0, b"RESTORE": 1, b"DELETE": 1}
_MOST = {b"CREATE": 1, b"LIST": 0, b"RESTORE": 2, b"DELETE": 1}


@command(
    EMULATOR,
    container=EMULATOR,
    since="8.2.0",
    flags="admin noscript stale no_multi",
    acl=f"{EMULATOR} write",
    complexity="O(N) for N keys, in slices",
)
def emulator_backup(client: Session, action: bytes, *words: bytes) -> Reply | Block:
    """CREATE a backup (returns its name), LIST them, RESTORE one or all data AT a moment (ms), or DELETE one."""
    word = known_action(action, *_LEAST)
    if not _LEAST[word] <= len(words) <= _MOST[word] or (len(words) > 1 and words[0].upper() != b"AT"):
        raise wrong_subcommand_arity(client)
    backups = client.engine.persistence.backups
    if backups is None:
        raise CommandError("ERR there is no folder for backups: start the server with --backup-dir DIR")
    try:
        if word == b"LIST":
            return [_described(*backup) for backup in backups.list()]
        if word == b"DELETE":
            return int(backups.delete(as_text(words[0])))
        return _create(client, backups, words) if word == b"CREATE" else _restore(client, backups, words)
    except Exception as error:
        raise _told(error) from None


def _described(name: str, moment: int, size: int) -> dict[bytes, Reply]:
    return {b"name": name.encode(), b"moment": moment, b"size": size}


def _create(client: Session, backups: Backups, words: tuple[bytes, ...]) -> Reply | Block:
    engine = client.engine
    name = as_text(words[0]) if words else backups.unused_name(engine.clock.now)
    return _done(client, backups.create(engine, name, changes=_waits(client)), name.encode())


def _restore(client: Session, backups: Backups, words: tuple[bytes, ...]) -> Reply | Block:
    if client.engine.config.replicaof is not None:
        raise CommandError(READ_ONLY_REPLICA)
    if len(words) > 1:
        return _done(client, backups.restore_at(client.engine, positive(words[1], _LATEST)), None)
    return _done(client, backups.restore(client.engine, as_text(words[0])), None)


def _waits(client: Session) -> bool:
    """Whether a client can wait while others are served."""
    return not client.deny_blocking and not client.upstash and client.engine.persistence.work.begin is not None


def _done(client: Session, job: Job, reply: Reply) -> Reply | Block:
    """Do a job, and answer with `reply`, or else with how many keys there are then."""
    persistence, blocking = client.engine.persistence, client.engine.blocking

    def outcome() -> Reply:
        return sum(map(len, client.engine.databases)) if reply is None else reply

    if not _waits(client):
        persistence.do_at_once(job)
        return outcome()
    block = Block(client, (), object, lambda: None, None)
    blocking.block(block, 0)

    def ended(failure: Exception | None) -> None:
        if client.blocked is block:
            blocking.finish(block, outcome() if failure is None else _told(failure))

    persistence.work.start_later(job, ended)
    return block


def _told(error: Exception) -> CommandError:
    """What a client is told of a failure."""
    from emulator.persistence.backups import BackupError  # not before there are backups
    from emulator.rdb.errors import BadFile

    if isinstance(error, CommandError):
        return error
    if isinstance(error, BackupError | BadFile):
        return CommandError(f"ERR {error.args[0]}")
    if isinstance(error, OSError):
        return CommandError(f"ERR {error.strerror or error}")
    return internal_error(error, "a backup")
