"""What an account has: databases, teams, and a log of what was done."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from emulator.rest.cloud.account import Account
from emulator.rest.cloud.databases import Database, Databases
from emulator.rest.cloud.endpoints import not_found
from emulator.rest.cloud.record import Record, told
from emulator.rest.cloud.teams import Team

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.rest.server import RestServer

_ENTRIES_KEPT = 1000


class Cloud:
    """The account's databases, over the engine of a server and its REST API."""

    def __init__(self, engine: Engine, rest: RestServer, account: Account, domain: str) -> None:
        self.engine = engine
        self.rest = rest
        self.account = account
        self.databases = Databases(engine, rest.service, domain)
        self.teams: dict[str, Team] = {}
        self.audit: deque[dict[str, Any]] = deque(maxlen=_ENTRIES_KEPT)

    @property
    def now(self) -> int:
        """Seconds since the epoch by the server's clock."""
        return self.engine.clock.tick() // 1000

    def database(self, database_id: str) -> Database:
        """The database of this id.  Raises BadRequest."""
        found = self.databases.by_id.get(database_id)
        if found is None:
            raise not_found("database")
        return found

    def team(self, team_id: str) -> Team:
        """The team of this id.  Raises BadRequest."""
        found = self.teams.get(team_id)
        if found is None:
            raise not_found("team")
        return found

    def told(self, record: Record, with_secrets: bool = True) -> dict[str, Any]:
        """A database as an endpoint answers it; its ``endpoint`` is where it is reached, by RESP at its ``port``."""
        host = self.databases.host(record) or self.rest.host
        return told(record, host, self.engine.config.port, self.account.email, with_secrets)

    def url(self, record: Record) -> str:
        """Where a database is reached by REST."""
        return self.rest.url

    def log(self, action: str, entity: str, address: bytes) -> None:
        """Note that something was done."""
        self.audit.appendleft(
            {
                "log_id": (self.audit[0]["log_id"] if self.audit else 0) + 1,
                "customer_id": self.account.email,
                "actor": self.account.email,
                "timestamp": self.now,
                "action": 0,
                "action_string": action,
                "source": "API_KEY - emulator",
                "entity": entity,
                "secondary_entity": "",
                "third_entity": "",
                "readable_format": f"{action}: {entity}",
                "ip": address.decode().rpartition(":")[0],
                "ttl": 0,
                "reason": "",
                "notes": "",
            }
        )
