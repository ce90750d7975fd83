"""What an endpoint is: a method, a path, and a function that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from emulator.rest.cloud.fields import Fields
from emulator.rest.requests import BadRequest

if TYPE_CHECKING:
    from emulator.rest.cloud.cloud import Cloud
    from emulator.rest.cloud.databases import Database

OK: Final = "OK"
"""What most endpoints answer that change something: a JSON string."""


class Encoded(bytes):
    """An answer that is written as JSON already."""


Run = Callable[["Ask"], Any]


class Ask(NamedTuple):
    """A request to an endpoint: ``parts`` are the path's by their names, ``query`` the first value of each name."""

    cloud: Cloud
    parts: dict[str, str]
    query: dict[str, str]
    fields: Fields

    @property
    def database(self) -> Database:
        """The database that the path names.  Raises BadRequest."""
        return self.cloud.database(self.parts["database"])


class Endpoint(NamedTuple):
    """``path`` has parts in braces for what may be anything; ``action`` is for the audit log, and empty for reading."""

    method: str
    path: Sequence[str]
    action: str
    run: Run

    def parts(self, path: Sequence[str]) -> dict[str, str] | None:
        """The parts of a path by their names; None where it is another path."""
        if len(path) != len(self.path):
            return None
        found = {}
        for pattern, part in zip(self.path, path, strict=True):
            if pattern.startswith("{"):
                found[pattern[1:-1]] = part
            elif pattern != part:
                return None
        return found


ENDPOINTS: Final[list[Endpoint]] = []


def endpoint(*places: str, action: str = "") -> Callable[[Run], Run]:
    """Enter a function that returns what is answered as JSON; `places` are like ``GET redis/stats/{database}``.

    It raises BadRequest for what is not to be done.  Without `action` it changes nothing.
    """

    def enter(run: Run) -> Run:
        for place in places:
            method, path = place.split(" ")
            ENDPOINTS.append(Endpoint(method, path.split("/"), action, run))
        return run

    return enter


def not_found(what: str) -> BadRequest:
    """Something is named that there is not."""
    return BadRequest(f"{what} not found", 404)
