"""MODULE: lists the built-in modules, as the real server does; others cannot be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("module", group="server", since="4.0.0", acl="", help_since="5.0.0", help_acl="")

_FLAGS = "admin noscript no_async_loading protected"
_REFUSED = "ERR Error loading the extension. Please check the server logs."


@command(
    "server",
    container="module",
    since="4.0.0",
    flags="admin noscript",
    acl="",
    tips="nondeterministic_output_order",
    complexity="O(N) for N modules",
)
def module_list(client: Session) -> list[Reply]:
    """Returns the loaded modules."""
    return [module.listed for module in client.engine.config.edition.modules]


@command("server", container="module", since="4.0.0", flags=_FLAGS, acl="", complexity="O(1)")
def module_load(client: Session, path: bytes, *arguments: bytes) -> None:
    """Refuses to load a module: modules are machine code."""
    raise CommandError(_REFUSED)


@command("server", container="module", since="7.0.0", flags=_FLAGS, acl="", complexity="O(1)")
def module_loadex(client: Session, path: bytes, *arguments: bytes) -> None:
    """Refuses to load a module with parameters: modules are machine code."""
    raise CommandError(_REFUSED)


@command("server", container="module", since="4.0.0", flags=_FLAGS, acl="", complexity="O(1)")
def module_unload(client: Session, name: bytes) -> None:
    """Refuses to unload a module, since none can be loaded."""
    raise CommandError("ERR Error unloading module: no such module with that name")
