"""CLIENT TRACKING and related commands; `emulator.clients.tracking` sends the invalidations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.clients.tracking import collision
from emulator.commands.arguments import integer
from emulator.commands.options import FLAG, Given, last_given, once, read_options
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import OK, Reply, SetReply, Status
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_ANEW = " before disabling tracking for this client, and then re-enabling it with a different mode."
_FLAGS = "noscript loading stale"
_FLAG_OPTIONS: Final = dict.fromkeys((b"BCAST", b"OPTIN", b"OPTOUT", b"NOLOOP"), FLAG)


def _parse(client: Session, words: Sequence[bytes], prefixes: list[bytes]) -> Given:
    """Return the options; PREFIX, which may be repeated, adds to `prefixes`."""

    def redirection(text: bytes) -> int:
        number = integer(text)
        if number not in client.engine.sessions:
            raise CommandError("ERR The client ID you want redirect to does not exist")
        return number

    return read_options(
        words,
        {**_FLAG_OPTIONS, b"REDIRECT": (1, redirection), b"PREFIX": (1, prefixes.append)},
        once(b"REDIRECT", error="ERR A client can only redirect to a single other client"),
    )


def _check(client: Session, options: Given, prefixes: Sequence[bytes]) -> None:
    tracked = client.tracked
    broadcasts, chosen = b"BCAST" in options, options.keys() & {b"OPTIN", b"OPTOUT"}
    if prefixes and not broadcasts:
        raise CommandError("ERR PREFIX option requires BCAST mode to be enabled")
    if tracked is not None and broadcasts != (tracked.prefixes is not None):
        raise CommandError("ERR You can't switch BCAST mode on/off" + _ANEW)
    if broadcasts and chosen:
        raise CommandError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if len(chosen) > 1:
        raise CommandError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if tracked is not None and tracked.choice and chosen and tracked.choice not in chosen:
        raise CommandError("ERR You can't switch OPTIN/OPTOUT mode" + _ANEW)
    if clash := collision(tracked, prefixes):
        raise CommandError(f"ERR {clash}")


@command(
    "connection",
    container="client",
    since="6.0.0",
    flags=_FLAGS,
    complexity="O(1), beyond that O(N) for N prefixes",
)
def client_tracking(client: Session, status: bytes, *options: bytes) -> Status:
    """Turns client-side caching on or off: the connection is notified when keys that it has read change."""
    prefixes: list[bytes] = []
    given = _parse(client, options, prefixes)
    tracking = client.engine.tracking
    switch = status.lower()
    if switch == b"on":
        _check(client, given, prefixes)
        tracked = tracking.begin(client)
        tracked.redirect = given.get(b"REDIRECT", 0)
        tracked.broken = False
        tracked.noloop = b"NOLOOP" in given
        tracked.choice = last_given(given, (b"OPTIN", b"OPTOUT"))
        if b"BCAST" in given:
            for prefix in prefixes or [b""]:
                tracking.follow(tracked, prefix)
    elif switch == b"off":
        tracking.end(client)
    else:
        raise CommandError(SYNTAX)
    client.refresh()
    return OK


@command("connection", container="client", since="6.0.0", flags=_FLAGS, complexity="O(1)")
def client_caching(client: Session, yes_or_no: bytes) -> Status:
    """Tracks the keys of the next command (OPTIN mode) or does not track them (OPTOUT mode)."""
    tracked = client.tracked
    if tracked is None:
        raise CommandError(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
        )
    word = yes_or_no.lower()
    if word not in (b"yes", b"no"):
        raise CommandError(SYNTAX)
    needed = b"OPTIN" if word == b"yes" else b"OPTOUT"
    if tracked.choice != needed:
        raise CommandError(
            f"ERR CLIENT CACHING {word.decode().upper()} is only valid when tracking is enabled in {needed.decode()} mode."
        )
    tracked.caching = True
    return OK


@command("connection", container="client", since="6.2.0", flags=_FLAGS, complexity="O(1)")
def client_trackinginfo(client: Session) -> dict[bytes, Reply]:
    """Returns how client-side caching is set up for the connection."""
    tracked = client.tracked
    if tracked is None:
        return {b"flags": SetReply([b"off"]), b"redirect": -1, b"prefixes": []}
    prefixes: Reply = sorted(tracked.prefixes or ())
    return {b"flags": SetReply(tracked.flags()), b"redirect": tracked.redirect, b"prefixes": prefixes}


@command("connection", container="client", since="6.0.0", flags=_FLAGS, complexity="O(1)")
def client_getredir(client: Session) -> int:
    """Returns the id of the client that receives invalidations: 0 for this one, -1 without tracking."""
    return -1 if client.tracked is None else client.tracked.redirect
