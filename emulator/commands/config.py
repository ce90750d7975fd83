"""CONFIG: reads and changes the directives of `emulator.config.directives`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from emulator.controls.renewal import forget_statistics
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import OK, Status
from emulator.protocol.text import to_text
from emulator.stats.log import NOTICE
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

logger = logging.getLogger("emulator")

container("config", group="server", since="2.0.0", acl="", help_since="5.0.0", help_acl="")

_ADMIN = "admin noscript loading stale"
_EVERYWHERE = "request_policy:all_nodes response_policy:all_succeeded"


@command(
    "server", container="config", since="2.0.0", flags=_ADMIN, acl="", complexity="O(N) for N parameters and patterns"
)
def config_get(client: Session, pattern: bytes, *patterns: bytes) -> dict[bytes, bytes]:
    """Returns the parameters whose names match a pattern, with their values."""
    return client.engine.config.get((pattern, *patterns))


@command(
    "server",
    container="config",
    since="2.0.0",
    flags=_ADMIN,
    acl="",
    tips=_EVERYWHERE,
    complexity="O(N) for N parameters given",
)
def config_set(client: Session, name: bytes, value: bytes, *more: bytes) -> Status:
    """Sets configuration parameters, either all that are given or none."""
    client.engine.config.set((name, value, *more), client.is_local)
    return OK


@command("server", container="config", since="2.0.0", flags=_ADMIN, acl="", tips=_EVERYWHERE, complexity="O(1)")
def config_resetstat(client: Session) -> Status:
    """Resets the statistics that INFO reports."""
    forget_statistics(client.engine)
    return OK


@command("server", container="config", since="2.8.0", flags=_ADMIN, acl="", tips=_EVERYWHERE, complexity="O(1)")
def config_rewrite(client: Session) -> Status:
    """Writes the current parameters to the configuration file."""
    try:
        client.engine.config.rewrite([to_text(user.describe()) for user in client.engine.acl.in_order])
    except CommandError as error:
        if client.engine.config.file:
            logger.warning("CONFIG REWRITE failed: %s", str(error).rpartition(": ")[2])
        raise
    logger.log(NOTICE, "CONFIG REWRITE executed with success.")
    return OK
