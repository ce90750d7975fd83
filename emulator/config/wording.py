"""Texts in which servers differ: those that name the server, or that one of them words otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class Wording:
    """The words of a server: its name, that of the table by which scripts call it, and whole texts.

    ``{}`` stands for what is quoted.
    """

    server: str
    api: str
    call_without_words: str
    bad_level: str
    bad_word: str
    unknown_command: str
    wrong_number: str
    not_in_scripts: str
    no_script: str
    place: str
    unknown_engine: str
    killed_script: str
    killed_function: str
    not_in_transactions: str
    no_member: str
    no_centre: str
    no_shape: str
    no_acl_file: str


REDIS: Final = Wording(
    server="Redis",
    api="redis",
    call_without_words="Please specify at least one argument for this redis lib call",
    bad_level="Invalid log level.",
    bad_word="ERR Lua redis lib command arguments must be strings or integers",
    unknown_command="ERR Unknown Redis command called from script",
    wrong_number="ERR Wrong number of args calling Redis command from script",
    not_in_scripts="ERR This Redis command is not allowed from script",
    no_script="NOSCRIPT No matching script. Please use EVAL.",
    place=" script: {0}, on {1}.",
    unknown_engine="ERR Unexpected engine in script shebang: #!{}",
    killed_script="ERR Script killed by user with SCRIPT KILL...",
    killed_function="ERR Script killed by user with SCRIPT KILL...",
    not_in_transactions="ERR Command not allowed inside a transaction",
    no_member="ERR could not decode requested zset member",
    no_centre="ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}",
    no_shape="ERR exactly one of BYRADIUS and BYBOX can be specified for {}",
    no_acl_file=(
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL "
        "SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to "
        "store users in the Redis configuration."
    ),
)
REDIS_7_2: Final = replace(REDIS, bad_level="Invalid debug level.")
VALKEY: Final = Wording(
    server="Valkey",
    api="server",
    call_without_words="Please specify at least one argument for this call",
    bad_level="Invalid log level.",
    bad_word="ERR Command arguments must be strings or integers",
    unknown_command="ERR Unknown command called from script",
    wrong_number="ERR Wrong number of args calling command from script",
    not_in_scripts="ERR This Valkey command is not allowed from script",
    no_script="NOSCRIPT No matching script.",
    place=" script: on {1}.",
    unknown_engine="ERR Could not find scripting engine '{}'",
    killed_script="ERR Script killed by user with SCRIPT KILL.",
    killed_function="ERR Script killed by user with FUNCTION KILL.",
    not_in_transactions="ERR Command '{}' not allowed inside a transaction",
    no_member="ERR member {} does not exist",
    no_centre="ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}",
    no_shape="ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for {}",
    no_acl_file=(
        "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
        "command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in "
        "the configuration."
    ),
)
