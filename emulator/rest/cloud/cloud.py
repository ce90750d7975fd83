"""What an account has: databases, teams, and a log of what was done."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from emulator.rest.cloud.account import Account
from emulator.rest.cloud.backups import keep_daily
from emulator.rest.cloud.databases import Database, Databases
from emulator.rest.cloud.endpoints import not_found
from emulator.rest.cloud.record import Record, told
from emulator.rest.cloud.teams import Team

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.rest.cloud.store import Store
    from emulator.rest.server import RestServer

logger = logging.getLogger("emulator")

_ENTRIES_KEPT = 1000


class Cloud:
    """The account's databases, over the engine of a server and its REST API."""

    def __init__(
        self, engine: Engine, rest: RestServer, account: Account, domain: str = "", store: Store | None = None
    ) -> None:
        self.engine = engine
        self.rest = rest
        self.account = account
        self.databases = Databases(engine, rest.service, domain, store)
        self.teams: dict[str, Team] = {}
        self.audit: deque[dict[str, Any]] = deque(maxlen=_ENTRIES_KEPT)
        self._store = store

    # What is kept

    async def load(self) -> None:
        """Have what was kept.  Raises OSError and, where it is damaged, ValueError; BadRequest where it is too much."""
        if self._store is None:
            return
        account = self._store.account()
        self.teams = {team["team_id"]: Team(**team) for team in account.get("teams", ())}
        self.audit.extend(account.get("audit", ()))
        for record in self._store.records():
            if 0 < record.expires <= self.now:
                self._store.note(record.database_id)  # it goes with the next change
                continue
            record.modifying_state = ""  # the process may have ended in the midst of it
            database = self.databases.open(record)
            await database.load()
            self.databases.limit_life(database)
            await self.databases.spread(database)
            keep_daily(self, database)

    async def save(self) -> None:
        """Keep what has changed.  Raises OSError."""
        if self._store is not None:
            account = {"teams": [asdict(team) for team in self.teams.values()], "audit": list(self.audit)}
            records = {name: database.record for name, database in self.databases.by_id.items()}
            await self._store.flush(account, records)

    async def save_change_of(self, database: Database) -> None:
        """Keep what has changed of a database by itself; where that fails it is kept with the next change."""
        if self._store is not None:
            self._store.note(database.record.database_id)
            try:
                await self.save()
            except OSError as error:
                logger.warning("cloud-dir: %s", error)

    def has(self, database: Database) -> bool:
        """Whether a database is still there."""
        return self.databases.by_id.get(database.record.database_id) is database

    @property
    def is_kept(self) -> bool:
        """Whether changes are kept."""
        return self._store is not None

    # What there is

    @property
    def now(self) -> int:
        """Seconds since the epoch by the server's clock."""
        return self.engine.clock.tick() // 1000

    def database(self, database_id: str) -> Database:
        """The database of this id.  Raises BadRequest."""
        found = self.databases.by_id.get(database_id)
        if found is None:
            raise not_found("database")
        if self._store is not None:
            self._store.note(database_id)
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
        host = self.databases.host(record)
        return f"https://{host}" if host and self.engine.config.cloud_proxy else self.rest.url

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
