"""Backups of databases: by name, each day by the database's own clock, and back to a moment.

A backup is an RDB file in the folder of its database, or in memory where databases are not kept.  What takes long is done
in slices while clients are served; until it is done the database is not to be changed by the management API.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from emulator.datatypes.wheel import Timer
from emulator.persistence.backups import Backups
from emulator.rest.cloud.databases import PLACE, Database, done
from emulator.rest.cloud.endpoints import OK, Ask, endpoint, not_found
from emulator.rest.cloud.record import BackupNote
from emulator.rest.requests import BadRequest

if TYPE_CHECKING:
    from emulator.persistence.work import Job
    from emulator.rest.cloud.cloud import Cloud

logger = logging.getLogger("emulator")

_MOST: Final = 100
_DAY: Final = 24 * 3600
_DAYS_KEPT: Final = 3
_RETRY_SECONDS: Final = 60


def backups_of(database: Database) -> Backups:
    """The backups of a database, in a folder that is its own."""
    return Backups(database.engine.persistence.folder, PLACE)


async def create(cloud: Cloud, database: Database, name: str, daily: bool = False) -> None:
    """Make a backup of the data as they are now.  Raises BadRequest."""
    kept = database.record.backups
    if len(kept) >= _MOST:
        raise BadRequest(f"there are {_MOST} backups already")
    backup_id, moment = uuid.uuid4().hex, database.engine.clock.tick() // 1000
    with database.changing("creating-backup"):
        await done(database, database.engine, backups_of(database).create(database.engine, backup_id))
    size = next(found.size for found in backups_of(database).list() if found.name == backup_id)
    kept[backup_id] = {"name": name, "creation_time": moment, "size": size, "daily": daily}


def _told(cloud: Cloud, database: Database, backup_id: str, note: BackupNote) -> dict[str, Any]:
    return {
        "backup_id": backup_id,
        "database_id": database.record.database_id,
        "customer_id": cloud.account.email,
        "name": note["name"],
        "creation_time": note["creation_time"],
        "state": "completed",
        "backup_size": note["size"],
        "daily_backup": "true" if note["daily"] else "false",
        "hourly_backup": "false",
        "internal_backup_tag": "",
    }


@endpoint("GET redis/list-backup/{database}")
def list_backups(ask: Ask) -> Any:
    """Returns the backups of a database, the latest first."""
    database = ask.database
    kept = reversed(database.record.backups.items())
    return [_told(ask.cloud, database, backup_id, note) for backup_id, note in kept]


@endpoint("POST redis/create-backup/{database}", action="Create Backup")
async def create_backup(ask: Ask) -> Any:
    """Makes a backup; clients go on being served."""
    await create(ask.cloud, ask.database, ask.fields.text("name"))
    return OK


@endpoint("DELETE redis/delete-backup/{database}/{backup}", action="Delete Backup")
def delete_backup(ask: Ask) -> Any:
    """Deletes a backup."""
    database, backup_id = ask.database, ask.parts["backup"]
    if backup_id not in database.record.backups:
        raise not_found("backup")
    _delete(database, backup_id)
    return OK


def _delete(database: Database, backup_id: str) -> None:
    backups_of(database).delete(backup_id)
    del database.record.backups[backup_id]


@endpoint("POST redis/restore-backup/{database}", action="Restore Backup")
async def restore_backup(ask: Ask) -> Any:
    """Lets the data be those of a backup, which may be another database's; until it is loaded there are the old ones."""
    database, backup_id = ask.database, ask.fields.text("backup_id")
    owner = next((other for other in ask.cloud.databases.by_id.values() if backup_id in other.record.backups), None)
    if owner is None:
        raise not_found("backup")
    await _restore(ask, database, lambda: backups_of(owner).restore(database.engine, backup_id))
    return OK


@endpoint("POST redis/restore-to-moment/{database}", action="Restore To Moment")
async def restore_to_moment(ask: Ask) -> Any:
    """Lets the data be as they were at a `timestamp`, in seconds since the epoch: of the emulator's own.

    That takes ``cloud-dir`` and an append-only file.
    """
    database, moment = ask.database, ask.fields.number("timestamp") * 1000
    history = database.engine.persistence.backups or backups_of(database)
    await _restore(ask, database, lambda: history.restore_at(database.engine, moment))
    return OK


async def _restore(ask: Ask, database: Database, job: Callable[[], Job]) -> None:
    with database.changing("restoring-backup"):
        await done(database, database.engine, job())
        await ask.cloud.databases.spread(database)


@endpoint(
    "PATCH redis/enable-dailybackup/{database}",
    "POST redis/enable-dailybackup/{database}",
    action="Enable Daily Backup",
)
def enable_daily_backup(ask: Ask) -> Any:
    """Lets a backup be made each day by the database's own clock; the last three are kept."""
    database = ask.database
    if not database.record.daily_backup_enabled:
        database.record.daily_backup_enabled = True
        database.record.daily_since = database.engine.clock.tick() // 1000
        keep_daily(ask.cloud, database)
    return OK


@endpoint(
    "PATCH redis/disable-dailybackup/{database}",
    "POST redis/disable-dailybackup/{database}",
    action="Disable Daily Backup",
)
def disable_daily_backup(ask: Ask) -> Any:
    """Lets no more daily backups be made; those that there are stay."""
    database = ask.database
    database.record.daily_backup_enabled = False
    if database.daily is not None:
        database.engine.wheel.cancel(database.daily)
    return OK


def keep_daily(cloud: Cloud, database: Database) -> None:
    """Have a backup made a day after the last daily one, or after they were switched on, if that is wanted."""
    record = database.record
    if record.daily_backup_enabled:
        if database.daily is None:
            database.daily = Daily(cloud, database)
        made = [note["creation_time"] for note in record.backups.values() if note["daily"]]
        database.engine.wheel.set(database.daily, (max([record.daily_since, *made]) + _DAY) * 1000)


class Daily(Timer):
    """The next daily backup of a database.

    It is made in the next round of the loop, and the one after it is due a day later: a clock that is turned far makes one.
    """

    __slots__ = ("_cloud", "_database", "_task")

    def __init__(self, cloud: Cloud, database: Database) -> None:
        super().__init__()
        self._cloud = cloud
        self._database = database
        self._task: asyncio.Task[None] | None = None

    def fire(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._make())

    async def _make(self) -> None:
        database, wait = self._database, _DAY
        try:
            await create(self._cloud, database, f"daily-{database.engine.clock.now // 1000}", daily=True)
            daily = [backup_id for backup_id, note in database.record.backups.items() if note["daily"]]
            for backup_id in daily[:-_DAYS_KEPT]:
                _delete(database, backup_id)
        except (BadRequest, OSError) as error:
            logger.warning("Daily backup of %s failed: %s", database.record.database_name, error)
            wait = _RETRY_SECONDS
        if database.record.daily_backup_enabled and self._cloud.has(database):
            database.engine.wheel.set(self, database.engine.clock.now + wait * 1000)
        await self._cloud.save_change_of(database)
