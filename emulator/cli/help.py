"""``help``, ``help @group`` and ``help command``."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.cli.documentation import DocumentedCommand
from emulator.config.edition import REDIS_8_2

_GENERAL = f"""\
redis-cli {REDIS_8_2.version}
      "help @<group>" lists the commands of a group
      "help <command>" tells about a command
      "help <tab>" goes through what there is help on
      "<number> <command>" runs a command as often
      "connect <host> <port>" talks to another server
      "clear" empties the screen, "quit" ends

      ":set hints" shows a command's arguments while you type, ":set nohints" does not
      What always is to be set may stand in ~/.redisclirc
"""


def help_on(words: Sequence[bytes], commands: Sequence[DocumentedCommand]) -> bytes:
    """Help on what the words name; without any, on the program."""
    if not words:
        return _GENERAL.encode()
    names = [word.decode("utf-8", "replace").upper() for word in words]
    if names[0].startswith("@"):
        group = names[0][1:].lower()
        found = [_told(command, False) for command in commands if command.group == group]
    else:
        found = [_told(command, True) for command in commands if command.name.split()[: len(names)] == names]
    return ("".join(found) + "\r\n").encode()


def _told(command: DocumentedCommand, with_group: bool) -> str:
    facts = {"summary": command.summary, "since": command.since, "group": command.group if with_group else None}
    lines = [f"\r\n  \x1b[1m{command.name}\x1b[0m \x1b[90m{command.syntax}\x1b[0m"]
    lines += [f"  \x1b[33m{name}:\x1b[0m {fact}" for name, fact in facts.items() if fact is not None]
    return "\r\n".join(lines) + "\r\n"
