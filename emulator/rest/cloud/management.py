"""The endpoints that make, change and delete databases."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_network
from typing import Any

from emulator.rest.cloud.databases import Database
from emulator.rest.cloud.endpoints import OK, Ask, Encoded, endpoint
from emulator.rest.cloud.record import PLANS, REGIONS, Record, check_regions, label
from emulator.rest.requests import BadRequest

_GLOBAL = "global"
_DATABASES_A_SLICE = 100


@endpoint("GET redis/databases")
async def list_databases(ask: Ask) -> Any:
    """Returns every database, without its secrets; others have their turn where there are many."""
    texts: list[str] = []
    for database in list(ask.cloud.databases.by_id.values()):
        texts.append(json.dumps(ask.cloud.told(database.record, with_secrets=False)))
        if len(texts) % _DATABASES_A_SLICE == 0:
            await asyncio.sleep(0)
    return Encoded(f"[{', '.join(texts)}]".encode())


@endpoint("GET redis/database/{database}")
def get_database(ask: Ask) -> Any:
    """Returns a database, with ``credentials=hide`` without its secrets."""
    return ask.cloud.told(ask.database.record, with_secrets=ask.query.get("credentials") != "hide")


@endpoint("POST redis/database", action="Create Database")
async def create_database(ask: Ask) -> Any:
    """Makes a database.  Clients call its name ``database_name`` or ``name``; `region` is ``global`` or the primary one."""
    fields, cloud = ask.fields, ask.cloud
    name, platform = fields.text("database_name", "name"), fields.optional_text("platform")
    region = fields.optional_text("region") or _GLOBAL
    primary = fields.optional_text("primary_region") or (region if region != _GLOBAL else None)
    if primary is None:
        raise BadRequest("primary_region is required")
    if platform is not None and primary not in REGIONS.get(platform, ()):
        raise BadRequest(f"platform {platform} has no region {primary}")
    record = Record(name, primary, fields.optional_texts("read_regions") or [], cloud.now, label(cloud.engine.random))
    check_regions(record.primary_region, record.read_regions)
    record.plan = _plan(fields.optional_text("plan") or record.plan)
    budget = fields.optional_number("budget")
    record.budget = record.budget if budget is None else budget
    fields.flag("tls")  # it is always on
    for attribute in ("eviction", "auto_upgrade", "consistent", "multizone", "prod_pack_enabled"):
        setattr(record, attribute, fields.flag(attribute))
    record.renew_secrets()
    database = cloud.databases.create(record)
    try:
        await cloud.databases.spread(database)
    except BadRequest:
        cloud.databases.drop(database)
        raise
    return cloud.told(record)


@endpoint("DELETE redis/database/{database}", action="Delete Database")
def delete_database(ask: Ask) -> Any:
    """Deletes a database with its data; its clients are disconnected."""
    ask.cloud.databases.drop(ask.database)
    return OK


@endpoint("POST redis/rename/{database}", action="Rename Database")
def rename(ask: Ask) -> Any:
    """Renames a database; it is reached as before."""
    record = ask.database.record
    record.database_name = ask.fields.text("name")
    return ask.cloud.told(record)


@endpoint("POST redis/reset-password/{database}", action="Reset Password")
def reset_password(ask: Ask) -> Any:
    """Makes another password and other tokens; the old ones are worth nothing, and clients are disconnected."""
    database = ask.database
    ask.cloud.databases.renew_secrets(database)
    return ask.cloud.told(database.record)


@endpoint("POST redis/enable-tls/{database}", action="Enable TLS")
def enable_tls(ask: Ask) -> Any:
    """Does nothing, for every database has TLS, and returns it."""
    return ask.cloud.told(ask.database.record)


@endpoint("POST redis/enable-eviction/{database}", action="Enable Eviction")
def enable_eviction(ask: Ask) -> Any:
    """Lets keys be evicted where the plan has no room for more."""
    return _evict(ask.database, True)


@endpoint("POST redis/disable-eviction/{database}", action="Disable Eviction")
def disable_eviction(ask: Ask) -> Any:
    """Lets no keys be evicted."""
    return _evict(ask.database, False)


def _evict(database: Database, evicts: bool) -> str:
    database.record.eviction = evicts
    database.apply_eviction()
    return OK


@endpoint("POST redis/enable-autoupgrade/{database}", action="Enable Auto Upgrade")
def enable_auto_upgrade(ask: Ask) -> Any:
    """Says that the plan is to grow with the data, which nothing here goes by."""
    record = ask.database.record
    if record.auto_upgrade:
        raise BadRequest("auto upgrade is already enabled")
    record.auto_upgrade = True
    return OK


@endpoint("POST redis/disable-autoupgrade/{database}", action="Disable Auto Upgrade")
def disable_auto_upgrade(ask: Ask) -> Any:
    """Says that the plan is to stay."""
    record = ask.database.record
    if not record.auto_upgrade:
        raise BadRequest("auto upgrade is already disabled")
    record.auto_upgrade = False
    return OK


@endpoint("POST redis/enable-prodpack/{database}", action="Enable Prod Pack")
def enable_prod_pack(ask: Ask) -> Any:
    """Says that the production pack was bought."""
    ask.database.record.prod_pack_enabled = True
    return OK


@endpoint("POST redis/disable-prodpack/{database}", action="Disable Prod Pack")
def disable_prod_pack(ask: Ask) -> Any:
    """Says that it was given back."""
    ask.database.record.prod_pack_enabled = False
    return OK


@endpoint("POST redis/{database}/change-plan", "POST redis/change-plan/{database}", action="Change Plan")
def change_plan(ask: Ask) -> Any:
    """Changes the plan, and with it how many bytes there may be before keys are evicted."""
    database, fields = ask.database, ask.fields
    plan = _plan(fields.text("plan_name", "plan"))
    record = database.record
    auto_upgrade = fields.flag("auto_upgrade", record.auto_upgrade)
    prod_pack = fields.flag("prod_pack_enabled", record.prod_pack_enabled)
    record.plan, record.auto_upgrade, record.prod_pack_enabled = plan, auto_upgrade, prod_pack
    record.last_plan_upgrade_time = ask.cloud.now
    database.apply_eviction()
    return OK


def _plan(name: str) -> str:
    if name not in PLANS:
        raise BadRequest(f"invalid plan: {name}")
    return name


@endpoint("PATCH redis/update-budget/{database}", action="Update Budget")
def update_budget(ask: Ask) -> Any:
    """Changes the budget, which nothing here goes by."""
    record = ask.database.record
    record.budget = ask.fields.number("budget")
    return OK


@endpoint("POST redis/update-regions/{database}", action="Update Regions")
async def update_regions(ask: Ask) -> Any:
    """Replaces the regions in which the database is read; the data come to a new one while clients are served."""
    database, regions = ask.database, ask.fields.texts("read_regions")
    record, before = database.record, database.record.read_regions
    check_regions(record.primary_region, regions)
    with database.changing("updating-regions"):
        record.read_regions = regions
        try:
            await ask.cloud.databases.spread(database)
        except BadRequest:
            record.read_regions = before
            raise
    return OK


@endpoint("POST redis/update-allowlist/{database}", action="Update IP Allowlist")
def update_allowlist(ask: Ask) -> Any:
    """Notes from which addresses clients may come; everybody here comes from the loopback interface, so nobody is refused."""
    record, addresses = ask.database.record, ask.fields.texts("allowed_ips")
    try:
        for address in addresses:
            ip_network(address, strict=False)
    except ValueError as error:
        raise BadRequest(f"invalid allowed_ips: {error}") from None
    record.allowed_ips = addresses
    return OK


@endpoint("POST redis/move-to-team", action="Move Database")
def move_to_team(ask: Ask) -> Any:
    """Gives a database to a team."""
    database = ask.cloud.database(ask.fields.text("database_id"))
    database.check_quiet()
    database.record.team_id = ask.cloud.team(ask.fields.text("team_id")).team_id
    return OK
