"""The command that the words of a call mean, or a name such as ``config|get``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.protocol.errors import CommandError, as_text
from emulator.table.registry import Command, Commands


def find(commands: Commands, args: Sequence[bytes]) -> Command:
    """The command or sub-command that these words call; raises where there is none."""
    name = args[0]
    command = commands.get(name) or commands.own(name.lower())
    if command is None:
        raise CommandError(_unknown(args, commands.tells_no_words))
    if command.subcommands and len(args) > 1:
        sub = command.subcommand(args[1].lower())
        if sub is None:
            word = as_text(args[1][:128])
            raise CommandError(f"ERR unknown subcommand '{word}'. Try {command.name.decode().upper()} HELP.")
        return sub
    return command


def _unknown(args: Sequence[bytes], tells_no_words: bool) -> str:
    shown = b""
    for argument in args[1:]:
        if len(shown) >= 128:
            break
        shown += b"'%b' " % argument[: 128 - len(shown)].partition(b"\0")[0]
    name = args[0][:128].partition(b"\0")[0]
    beginning = "" if tells_no_words and len(args) == 1 else f", with args beginning with: {as_text(shown)}"
    return f"ERR unknown command '{as_text(name)}'{beginning}"


def check_arity(command: Command, args: Sequence[bytes]) -> None:
    """Raise Redis's error where the number of words does not fit."""
    if not command.least <= len(args) <= command.most:
        raise CommandError(f"ERR wrong number of arguments for '{command.full_name.decode()}' command")


def by_full_name(commands: Mapping[bytes, Command], name: bytes) -> Command | None:
    """The command or sub-command of a full name such as ``config|get``."""
    outer, bar, sub = name.lower().partition(b"|")
    entry = commands.get(outer)
    return entry.subcommands.get(sub) if bar and entry is not None else entry


def called_command(commands: Mapping[bytes, Command], words: Sequence[bytes]) -> Command | None:
    """Return the command or sub-command that some words call, None if there is none."""
    entry = commands.get(words[0].lower())
    return (
        entry.subcommands.get(words[1].lower()) if entry is not None and entry.subcommands and len(words) > 1 else entry
    )
