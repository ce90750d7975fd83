"""ACL: users, their rules, and the log of refusals."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from emulator.acl.selector import has_spaces
from emulator.acl.users import explanation
from emulator.commands.arguments import integer, wrong_subcommand_arity
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import OK, Reply, Status
from emulator.protocol.text import to_bytes
from emulator.table.lookup import called_command, check_arity
from emulator.table.registry import EMULATOR, categories_of, command, container, every_command

if TYPE_CHECKING:
    from emulator.clients.session import Session

logger = logging.getLogger("emulator")

container("acl", group="server", since="6.0.0", acl="", help_since="6.0.0", help_acl="")

_ADMIN = "admin noscript loading stale"
_OPEN = "noscript loading stale"
_EVERYWHERE = "request_policy:all_nodes response_policy:all_succeeded"


@command(
    "server", container="acl", since="6.0.0", flags=_ADMIN, acl="", tips=_EVERYWHERE, complexity="O(N) for N rules"
)
def acl_setuser(client: Session, username: bytes, *rules: bytes) -> Status:
    """Creates a user or changes the rules of one."""
    if has_spaces(username):
        raise CommandError("ERR Usernames can't contain spaces or null characters")
    client.engine.acl.change(username, rules)
    return OK


@command(
    "server", container="acl", since="6.0.0", flags=_ADMIN, acl="", tips=_EVERYWHERE, complexity="O(N) for N clients"
)
def acl_deluser(client: Session, username: bytes, *more: bytes) -> int:
    """Deletes users and closes their connections; returns how many users were deleted."""
    names = (username, *more)
    if b"default" in names:
        raise CommandError("ERR The 'default' user cannot be removed")
    return sum([client.engine.acl.delete(name) for name in names])


@command("server", container="acl", since="6.0.0", flags=_ADMIN, acl="", complexity="O(N) for N rules")
def acl_getuser(client: Session, username: bytes) -> dict[bytes, Reply] | None:
    """Returns the rules of a user, or null if there is no such user."""
    user = client.engine.acl.table.get(username)
    return None if user is None else user.fields()


@command("server", container="acl", since="6.0.0", flags=_ADMIN, acl="", complexity="O(N) for N users")
def acl_list(client: Session) -> list[bytes]:
    """Returns all users with their rules, in the form of the ACL file."""
    return [b"user " + user.describe() for user in client.engine.acl.in_order]


@command("server", container="acl", since="6.0.0", flags=_ADMIN, acl="", complexity="O(N) for N users")
def acl_users(client: Session) -> list[bytes]:
    """Returns the names of all users."""
    return [user.name for user in client.engine.acl.in_order]


@command("server", container="acl", since="6.0.0", flags=_OPEN, acl="", complexity="O(1)")
def acl_whoami(client: Session) -> bytes:
    """Returns the name of the user that the connection is authenticated as."""
    return client.user.name


@command("server", container="acl", since="6.0.0", flags=_OPEN, acl="", complexity="O(1)")
def acl_cat(client: Session, *category: bytes) -> list[bytes]:
    """Returns the command categories, or the commands of one category."""
    if len(category) > 1:
        raise wrong_subcommand_arity(client)
    if not category:
        return [name.encode() for name in categories_of(client.engine.original_commands)]
    name = category[0].lower().decode("utf-8", "replace")
    if name not in (*categories_of(client.engine.original_commands), EMULATOR):
        raise CommandError(f"ERR Unknown category '{as_text(category[0])}'")
    every = [entry for entry in every_command(client.engine.original_commands) if not entry.hidden or name == EMULATOR]
    return [entry.full_name for entry in every if name in entry.categories]


@command("server", container="acl", since="6.0.0", flags=_OPEN, acl="", complexity="O(1)")
def acl_genpass(client: Session, *bits: bytes) -> bytes:
    """Returns a random password in hexadecimal, of 256 bits unless another number is given."""
    if len(bits) > 1:
        raise wrong_subcommand_arity(client)
    size = integer(bits[0]) if bits else 256
    if not 0 < size <= 4096:
        raise CommandError(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
        )
    digits = (size + 3) // 4
    return secrets.token_hex((digits + 1) // 2)[:digits].encode()


@command("server", container="acl", since="7.0.0", flags=_ADMIN, acl="", complexity="O(1)")
def acl_dryrun(client: Session, username: bytes, name: bytes, *arguments: bytes) -> Status | bytes:
    """Checks whether a user may run a command; the command is not run."""
    user = client.engine.acl.table.get(username)
    if user is None:
        raise CommandError(f"ERR User '{as_text(username)}' not found")
    words = (name, *arguments)
    entry = called_command(client.engine.commands.known, words)
    if entry is None:
        raise CommandError(f"ERR Command '{as_text(name)}' not found")
    check_arity(entry, words)
    denial = client.check_user(user, entry, words)
    return OK if denial is None else to_bytes(explanation(user, denial, verbose=True))


@command("server", container="acl", since="6.0.0", flags=_ADMIN, acl="", complexity="O(N) for N entries shown")
def acl_log(client: Session, *count_or_reset: bytes) -> Status | list[Reply]:
    """Returns the latest refusals, newest first, or clears them with RESET."""
    journal = client.engine.acl.journal
    if len(count_or_reset) > 1:
        raise wrong_subcommand_arity(client)
    most = 10
    if count_or_reset:
        if count_or_reset[0].upper() == b"RESET":
            journal.entries.clear()
            return OK
        most = max(integer(count_or_reset[0]), 0)
    now = client.engine.clock.now
    return [entry.fields(now) for entry in list(journal.entries)[:most]]


@command("server", container="acl", since="6.0.0", flags=_ADMIN, acl="", complexity="O(N) for N users")
def acl_load(client: Session) -> Status:
    """Replaces the users by those of the ACL file."""
    if not client.engine.config.aclfile:
        raise CommandError(client.engine.config.edition.wording.no_acl_file)
    client.engine.acl.load()
    return OK


@command(
    "server", container="acl", since="6.0.0", flags=_ADMIN, acl="", tips=_EVERYWHERE, complexity="O(N) for N users"
)
def acl_save(client: Session) -> Status:
    """Writes the users to the ACL file."""
    if not client.engine.config.aclfile:
        raise CommandError(client.engine.config.edition.wording.no_acl_file)
    try:
        client.engine.acl.save()
    except OSError as error:
        logger.warning("Saving the ACL file failed: %s", error.strerror)
        raise CommandError(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
        ) from None
    return OK
