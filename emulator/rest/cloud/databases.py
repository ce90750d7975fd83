"""The databases: each a record and a tenant of the server with its data, found by its tokens, its host or its password."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.acl.user import password_hash
from emulator.datatypes.wheel import Timer
from emulator.persistence.backups import BackupError
from emulator.persistence.disk import Disk
from emulator.protocol.errors import CommandError
from emulator.rdb.errors import BadFile
from emulator.rest.cloud.record import PLANS, Record
from emulator.rest.cloud.regions import GlobalDatabase, ReadRegion
from emulator.rest.cloud.statistics import Usage
from emulator.rest.cloud.tenants import Tenants
from emulator.rest.requests import BadRequest
from emulator.rest.tokens import READ_ONLY_USER, Tokens

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.persistence.work import Job
    from emulator.rest.cloud.store import Store
    from emulator.rest.service import RestService

logger = logging.getLogger("emulator")

_DEFAULT_USER: Final = b"default"
PLACE: Final = "backups"
"""The folder of a database's backups by the management API."""
_PLACE_OF_COMMAND: Final = "backups-by-command"
"""That of the backups by EMULATOR BACKUP, which reaches no others."""
_SAVE_POINTS: Final = ((3600, 1), (300, 100), (60, 10000))
"""Redis's own, for databases that are kept: whatever the server's own data are kept by."""


class Database:
    """A database: what is known of it, and its data.

    ``ending`` is the end of the job by which it is being changed, ``daily`` its next daily backup.  ``spreading`` is held
    while its read regions are made, by ``task`` where other data have come, which has happened ``times_replaced``.
    """

    def __init__(self, record: Record, engine: Engine) -> None:
        self.record = record
        self.engine = engine
        self.read_regions: dict[str, ReadRegion] = {}
        self.ending: asyncio.Future[Exception | None] | None = None
        self.daily: Timer | None = None
        self.spreading = asyncio.Lock()
        self.times_replaced = 0
        self.task: asyncio.Task[None] | None = None
        self.local = self._opened()
        self.usage = Usage(engine)

    def _opened(self) -> GlobalDatabase:
        """The data by REST, for whoever has a token; a password, or a token in its place, opens them by RESP."""
        record, acl = self.record, self.engine.acl
        tokens = Tokens(self.engine, record.rest_token, record.read_only_rest_token)
        acl.change(_DEFAULT_USER, [b"resetpass", *(b">" + secret.encode() for secret in self._secrets)])
        acl.started()  # they are what a renewal brings back
        local = GlobalDatabase(self.engine, tokens, record.label)
        local.read_regions = self.read_regions
        return local

    @property
    def _secrets(self) -> tuple[str, str]:
        return self.record.password, self.record.rest_token

    @property
    def logins(self) -> list[tuple[bytes, bytes]]:
        """Names of users with hashes of what they log in by."""
        reading = READ_ONLY_USER, password_hash(self.record.read_only_rest_token.encode())
        return [reading, *((_DEFAULT_USER, password_hash(secret.encode())) for secret in self._secrets)]

    def check_quiet(self) -> None:
        """Raise BadRequest where it is being changed."""
        if self.record.modifying_state:
            raise BadRequest(f"the database is being changed: {self.record.modifying_state}")

    @contextmanager
    def changing(self, state: str) -> Iterator[None]:
        """It is being changed meanwhile.  Raises BadRequest where it is already."""
        self.check_quiet()
        self.record.modifying_state = state
        try:
            yield
        finally:
            self.record.modifying_state = ""

    def renew_secrets(self) -> None:
        """Have other secrets; whoever came in by the old ones is gone."""
        self.record.renew_secrets()
        for session in list(self.engine.sessions.values()):
            session.abort_in_turn()
        self.local = self._opened()

    async def load(self) -> None:
        """Load the data that are kept.  Raises ValueError where they are damaged."""
        persistence = self.engine.persistence
        loaded: asyncio.Future[BadFile | None] = asyncio.get_running_loop().create_future()
        try:
            persistence.open()
            persistence.load(loaded.set_result)
            failure = await loaded
        except BadFile as error:
            failure = error
        if failure is not None:
            raise ValueError(f"the data of {self.record.database_name} cannot be loaded: {failure}")

    def apply_eviction(self) -> None:
        """Let keys go where there are too many for the plan, if they are to."""
        config, evicts = self.engine.config, self.record.eviction
        limit = PLANS[self.record.plan] if evicts else 0
        policy = b"allkeys-random" if evicts else b"noeviction"
        config.set([b"maxmemory", b"%d" % limit, b"maxmemory-policy", policy])
        config.started()


async def done(database: Database, engine: Engine, job: Job) -> None:
    """Do a job of an engine of the database.  Raises BadRequest where that cannot be."""
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    database.ending = ended

    def tell(failure: Exception | None) -> None:
        if not ended.done():  # else the database has gone meanwhile
            ended.set_result(failure)

    forgotten = InterruptedError("it was interrupted")
    weakref.finalize(job, tell, forgotten).atexit = False  # a job that is forgotten before it begins tells nothing
    engine.persistence.work.start_later(job, tell)
    del job
    failure = await ended
    if isinstance(failure, BackupError):
        raise BadRequest(str(failure))
    if isinstance(failure, BadFile | OSError):
        raise BadRequest(str(failure), 500)
    if failure is not None:
        raise failure


class End(Timer):
    """The end of a database that does not live on, by its own clock."""

    __slots__ = ("_database", "_databases")

    def __init__(self, databases: Databases, database: Database) -> None:
        super().__init__()
        self._databases = databases
        self._database = database

    def fire(self) -> None:
        if self._databases.by_id.get(self._database.record.database_id) is self._database:
            self._databases.drop(self._database)


class Databases:
    """The databases by their ids; `domain` is what their host names end in, empty where they have none.

    With a `store` they have folders of their own.
    """

    def __init__(self, main: Engine, rest: RestService, domain: str, store: Store | None) -> None:
        self._main = main
        self._tenants = Tenants(main)
        self._rest = rest
        self.domain = domain
        self._store = store
        self.by_id: dict[str, Database] = {}
        main.keyspaces.has_tenants = True

    def host(self, record: Record) -> str:
        """The host name of a database, empty where it has none."""
        return f"{record.label}.{self.domain}" if self.domain else ""

    async def spread(self, database: Database) -> None:
        """Have the database in its read regions, and no others, where they lag behind.

        Raises BadRequest, and changes nothing, where there are too many.
        """
        async with database.spreading:
            while self.by_id.get(database.record.database_id) is database:
                begun_with = database.times_replaced
                await self._spread(database)
                if database.times_replaced == begun_with:
                    return
                self._leave_regions(database)

    async def _spread(self, database: Database) -> None:
        wanted, there = database.record.read_regions, database.read_regions
        lag = self._main.config.cloud_lag
        new: dict[str, ReadRegion] = {}
        try:
            for name in [name for name in wanted if lag and name not in there]:
                new[name] = ReadRegion(database.engine, self._admitted(self._tenants.make()), lag)
            for region in new.values():
                await done(database, database.engine, region.copied())
                await done(database, region.engine, region.loaded())
                region.begin()
        except BaseException:
            for region in new.values():
                self._leave_region(region)
            raise
        for name in [name for name in there if name not in wanted]:
            self._leave_region(there.pop(name))
        there.update(new)

    def _spread_anew(self, database: Database) -> None:
        """Other data have come all at once: the primary region answers for the others until these have them."""
        database.times_replaced += 1
        if database.read_regions:
            self._leave_regions(database)
            database.task = asyncio.get_running_loop().create_task(self._spread_later(database))

    async def _spread_later(self, database: Database) -> None:
        try:
            await self.spread(database)
        except BadRequest as error:
            logger.warning("The read regions of %s: %s", database.record.database_name, error)

    def _leave_regions(self, database: Database) -> None:
        while database.read_regions:
            self._leave_region(database.read_regions.popitem()[1])

    def _leave_region(self, region: ReadRegion) -> None:
        region.end()
        self._main.keyspaces.dismiss(region.engine)

    def _admitted(self, engine: Engine) -> Engine:
        try:
            self._main.keyspaces.admit(engine)
        except CommandError:
            raise BadRequest("the limit of databases is reached") from None
        return engine

    def create(self, record: Record) -> Database:
        """Have a new database, in its primary region.  Raises BadRequest for too many, or where it cannot be kept."""
        database = self.open(record)
        failures: list[BadFile | None] = []
        database.engine.persistence.load(failures.append)  # there is nothing to load, but a log may begin
        if failures[0] is not None:
            self.drop(database)
            raise BadRequest(str(failures[0]), 500)
        self.limit_life(database)
        return database

    def limit_life(self, database: Database) -> None:
        """Let a database that does not live on end when it is its time."""
        if database.record.expires:
            database.engine.wheel.set(End(self, database), database.record.expires * 1000)

    def open(self, record: Record) -> Database:
        """Have one more database, whose data are to be loaded before it begins.  Raises BadRequest for too many."""
        engine = self._admitted(self._engine(record))
        database = self.by_id[record.database_id] = Database(record, engine)
        engine.on_other_data = partial(self._spread_anew, database)
        if record.eviction:
            database.apply_eviction()
        self._enter(database)
        return database

    def _engine(self, record: Record) -> Engine:
        if self._store is None:
            return self._tenants.make()
        self._store.note(record.database_id)
        engine = self._tenants.make(
            dir=self._store.folder(record.database_id),
            save=_SAVE_POINTS,
            aof_timestamp_enabled=True,  # to go back to a moment
            backup_dir=_PLACE_OF_COMMAND,
        )
        engine.persistence.folder = Disk(engine.config)
        return engine

    def _enter(self, database: Database) -> None:
        record = database.record
        self._main.keyspaces.logins.update(dict.fromkeys(database.logins, database.engine))
        self._rest.by_token[record.rest_token] = database.local
        self._rest.by_token[record.read_only_rest_token] = database.local
        if self.domain:
            self._rest.by_host[self.host(record).encode()] = database.local

    def _leave(self, database: Database) -> None:
        for login in database.logins:
            del self._main.keyspaces.logins[login]
        del self._rest.by_token[database.record.rest_token]
        del self._rest.by_token[database.record.read_only_rest_token]
        self._rest.by_host.pop(self.host(database.record).encode(), None)

    def renew_secrets(self, database: Database) -> None:
        """Have another password and other tokens for a database."""
        self._leave(database)
        database.renew_secrets()
        self._enter(database)

    def drop(self, database: Database) -> None:
        """Have a database no more."""
        self._leave(database)
        del self.by_id[database.record.database_id]
        if self._store is not None:
            self._store.note(database.record.database_id)
        if database.ending is not None and not database.ending.done():
            database.ending.set_result(BackupError("the database is gone"))
        self._leave_regions(database)
        database.engine.on_other_data = None
        database.engine.persistence.work.stop()
        database.engine.persistence.log.end()
        self._main.keyspaces.dismiss(database.engine)
