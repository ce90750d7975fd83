"""The service's own errors.  Whatever is not here is answered in Redis's words."""

from __future__ import annotations

import re
from typing import Final

from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.text import to_bytes

UNAUTHORIZED: Final = (
    "WRONGPASS invalid or missing auth token. See "
    "https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details."
)
EMPTY_BODY: Final = "EOF"
NOT_AN_ARRAY: Final = "expected JSON array"
BAD_COMMAND: Final = "ERR failed to parse command"
BAD_PIPELINE: Final = "ERR failed to parse pipeline request"
EMPTY_COMMAND: Final = "ERR empty command"
EMPTY_PIPELINE: Final = "ERR empty pipeline request"
EMPTY_PIPELINE_COMMAND: Final = "ERR empty pipeline command"
NULL_ARGUMENT: Final = "ERR null args are not supported"
INTERNAL: Final = "ERR internal error"
TOO_MANY_CLIENTS: Final = "ERR max number of clients reached"

_NOPERM = re.compile(r"NOPERM User \S+ has no permissions to run the '([^']*)' command", re.DOTALL)
_UNKNOWN = "ERR unknown command '"
_DISCARDED = "EXECABORT Transaction discarded because of: "
_DYNAMIC_KEY = "ERR Dynamic keys are not allowed"
_WHERE = re.compile(r" script: [0-9a-f]{40}, on @user_script:\d+\.$")


def not_available(name: bytes) -> CommandError:
    """The product lacks a command."""
    shown = as_text(name.upper())
    where = "https://upstash.com/docs/redis/overall/rediscompatibility"
    return CommandError(f"ERR Command is not available: '{shown}'. See {where} for details")


def not_allowed(name: bytes) -> CommandError:
    """A command makes no sense where no connection is kept."""
    return CommandError(
        f'ERR Command "{as_text(name.upper())}" is not allowed in REST or it has a special context path'
    )


def bad_argument(bracket: str) -> str:
    """An array or an object where an argument should be."""
    return f'ERR unsupported arg type: "{bracket}": json.Delim'


def bad_user(name: bytes) -> CommandError:
    """ACL RESTTOKEN was asked for somebody else."""
    return CommandError(f'ERR Wrong password or user "{as_text(name)}" does not exist')


def request_too_large(limit: int, size: int) -> str:
    """The arguments of one command, or a whole body, are more than may be sent."""
    where = "https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded"
    return f"ERR max request size exceeded. Limit: {limit} bytes, Actual: {size} bytes. See {where} for details"


def in_rest(text: str) -> str:
    """An error in the service's words where it has words of its own."""
    if text.startswith(_UNKNOWN):
        name = text[len(_UNKNOWN) :].partition("', with args")[0]
        return str(not_available(to_bytes(name)))
    text = text.removeprefix(_DISCARDED)
    if text.startswith(_DYNAMIC_KEY):
        return _WHERE.sub("", text)
    found = _NOPERM.match(text)
    if found is not None:
        return f"NOPERM this user has no permissions to run the '{found[1]}' command or its subcommand"
    return text
