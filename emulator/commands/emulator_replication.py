"""EMULATOR, as to replication: replicas that lag behind or are cut off, roles that are only played, and a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import positive
from emulator.commands.emulator import FLAGS, known_action
from emulator.controls.renewal import restart
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import OK, Reply, Status
from emulator.replication.replication import ROLES
from emulator.table.registry import EMULATOR, command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.replication.link import MasterLink

_LONGEST: Final = 1 << 31


def _link(client: Session) -> MasterLink:
    link = client.engine.replication.link
    if link is None:
        raise CommandError("ERR this server is no replica")
    return link


@command(EMULATOR, container=EMULATOR, since="8.2.0", flags=FLAGS, acl=EMULATOR, complexity="O(N) for N commands")
def emulator_lag(client: Session, *milliseconds: bytes) -> Reply:
    """Lets a replica apply what its master sends only so many milliseconds later; returns the lag without an argument."""
    replication = client.engine.replication
    if not milliseconds:
        return replication.lag
    if len(milliseconds) > 1:
        raise CommandError("ERR EMULATOR LAG takes one number of milliseconds")
    replication.set_lag(positive(milliseconds[0], _LONGEST))
    return OK


@command(EMULATOR, container=EMULATOR, since="8.2.0", flags=FLAGS, acl=EMULATOR, complexity="O(1)")
def emulator_link(client: Session, action: bytes) -> Status:
    """CUT the link of a replica to its master, until it is to HEAL."""
    word = known_action(action, b"CUT", b"HEAL")
    link, replication = _link(client), client.engine.replication
    replication.severed = word == b"CUT"
    if replication.severed:
        link.sever()
    else:
        link.check()
    return OK


@command(EMULATOR, container=EMULATOR, since="8.2.0", flags=FLAGS, acl=EMULATOR, complexity="O(1)")
def emulator_play(client: Session, role: bytes) -> Status:
    """Plays a role to clients: REPLICA, LOADING, READONLY or MASTERDOWN; OFF ends it."""
    word = known_action(role, *ROLES, b"OFF")
    client.engine.replication.play(b"" if word == b"OFF" else word)
    return OK


@command(
    EMULATOR,
    container=EMULATOR,
    since="8.2.0",
    flags=f"write {FLAGS}",
    acl=EMULATOR,
    complexity="O(N) for N clients",
)
def emulator_restart(client: Session, *data: bytes) -> Status:
    """Does to clients what a restart of the server would do; data are there afterwards with KEEP, and not with LOSE."""
    if len(data) > 1:
        raise CommandError("ERR EMULATOR RESTART takes KEEP or LOSE")
    config = client.engine.config
    keep = known_action(data[0], b"KEEP", b"LOSE") == b"KEEP" if data else bool(config.save or config.appendonly)
    restart(client.engine, keep)
    return OK
