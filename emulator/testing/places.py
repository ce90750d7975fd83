"""The engines of this process that stand for servers at addresses: who names the same address shares the data."""

from __future__ import annotations

from typing import Any, NamedTuple

from emulator.testing.local import Local

_HERE = frozenset(("", "localhost", "127.0.0.1", "::1"))
_PORT = 6379

_locals: dict[Place, Local] = {}


class Place(NamedTuple):
    """An address: host and port, or the path of a unix socket and 0."""

    host: str
    port: int

    @classmethod
    def of(cls, given: dict[str, Any]) -> Place:
        """The address that a connection's arguments name."""
        if given.get("path"):
            return cls(given["path"], 0)
        host = str(given.get("host") or "").lower()
        return cls("localhost" if host in _HERE else host, int(given.get("port") or _PORT))


def local_at(place: Place, given: dict[str, Any]) -> Local:
    """The engine at an address, made when it is first asked for: then it gets the user and password that are given."""
    if place not in _locals:
        made = Local()
        user, password = given.get("username") or "default", given.get("password")
        if password and user == "default":
            made.command("CONFIG", "SET", "requirepass", password)
        elif password:
            made.command("ACL", "SETUSER", user, "on", f">{password}", "~*", "&*", "+@all")
        _locals.setdefault(place, made)
    return _locals[place]


def forget() -> None:
    """Have no server at any address any more: the next clients find empty ones, those that are there keep theirs."""
    _locals.clear()
