"""What is known of a database beside its data, and how the service tells it."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypedDict

from emulator.rest.requests import BadRequest

_AWS: Final = (
    "us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 sa-east-1 ap-south-1 "
    "ap-northeast-1 ap-southeast-1 ap-southeast-2 af-south-1".split()
)
_GCP: Final = "us-central1 us-east4 europe-west1 asia-northeast1".split()
REGIONS: Final = {"aws": _AWS, "gcp": _GCP}

_MB: Final = 1 << 20
_GB: Final = 1 << 30
PLANS: Final = {
    "free": 256 * _MB,
    "payg": 100 * _GB,
    "pro": 100 * _GB,
    "paid": 100 * _GB,
    "fixed_250mb": 250 * _MB,
    "fixed_1gb": _GB,
    "fixed_5gb": 5 * _GB,
    "fixed_10gb": 10 * _GB,
    "fixed_50gb": 50 * _GB,
    "fixed_100gb": 100 * _GB,
    "fixed_500gb": 500 * _GB,
}
"""The plans, and how many bytes of data each allows."""

_MOST_REQUEST: Final = 10 * _MB
_SECOND: Final = 1_000_000_000
_FIRST: Final = (
    "amused brave calm clever eager fair gentle happy keen lively merry noble proud quick sunny wise".split()
)
_SECOND_WORD: Final = (
    "badger crane dingo falcon gecko heron ibex koala lynx marten otter panda raven seal stoat wombat".split()
)


class BackupNote(TypedDict):
    """What is known of a backup beside its data: bytes, and seconds since the epoch."""

    name: str
    creation_time: int
    size: int
    daily: bool


@dataclass
class Record:
    """A database as it is managed.  Moments are seconds since the epoch; ``expires`` is 0 where it lives on.

    ``backups`` are by their ids, the oldest first.
    """

    database_name: str
    primary_region: str
    read_regions: list[str]
    creation_time: int
    label: str
    database_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    password: str = ""
    rest_token: str = ""
    read_only_rest_token: str = ""
    plan: str = "free"
    budget: int = 20
    eviction: bool = False
    auto_upgrade: bool = False
    consistent: bool = False
    multizone: bool = False
    prod_pack_enabled: bool = False
    daily_backup_enabled: bool = False
    daily_since: int = 0
    allowed_ips: list[str] = field(default_factory=list)
    team_id: str = ""
    last_plan_upgrade_time: int = 0
    expires: int = 0
    idempotency_key: str = ""
    modifying_state: str = ""
    backups: dict[str, BackupNote] = field(default_factory=dict)

    def renew_secrets(self) -> None:
        """Have another password and other tokens."""
        self.password = secrets.token_hex(16)
        self.rest_token = secrets.token_urlsafe(40)
        self.read_only_rest_token = secrets.token_urlsafe(40)


def label(random: Random) -> str:
    """The first part of a new database's host name."""
    return f"{random.choice(_FIRST)}-{random.choice(_SECOND_WORD)}-{random.randrange(10_000, 100_000)}"


def check_regions(primary: str, reading: list[str]) -> None:
    """Raise BadRequest where a database cannot be in these regions."""
    platform = next((regions for regions in REGIONS.values() if primary in regions), None)
    if platform is None:
        raise BadRequest(f"invalid primary region: {primary}")
    for region in reading:
        if region not in platform:
            raise BadRequest(f"invalid read region: {region}")
    if primary in reading or len(set(reading)) < len(reading):
        raise BadRequest("read regions must differ from each other and from the primary region")


def told(record: Record, endpoint: str, port: int, customer: str, with_secrets: bool) -> dict[str, Any]:
    """The database as the service tells it."""
    members = [record.primary_region, *record.read_regions]
    found: dict[str, Any] = {
        "database_id": record.database_id,
        "database_name": record.database_name,
        "region": "global",
        "port": port,
        "creation_time": record.creation_time,
        "state": "active",
        "endpoint": endpoint,
        "tls": True,
        "type": record.plan if not record.plan.startswith("fixed_") else "paid",
        "budget": record.budget,
        "primary_region": record.primary_region,
        "read_regions": record.read_regions,
        "primary_members": [record.primary_region],
        "all_members": members,
        "eviction": record.eviction,
        "auto_upgrade": record.auto_upgrade,
        "consistent": record.consistent,
        "multizone": record.multizone,
        "modifying_state": record.modifying_state,
        "replicas": len(members),
        "customer_id": record.team_id or customer,
        "user_email": customer,
        "daily_backup_enabled": record.daily_backup_enabled,
        "prod_pack_enabled": record.prod_pack_enabled,
        "prometheus_enabled": "false",
        "last_plan_upgrade_time": record.last_plan_upgrade_time,
        "allowed_ip_ranges": record.allowed_ips,
        "securityAddons": {
            "ipWhitelisting": bool(record.allowed_ips),
            "vpcPeering": False,
            "privateLink": False,
            "tlsMutualAuth": False,
            "encryptionAtRest": False,
        },
        **_limits(record),
    }
    if with_secrets:
        found |= {
            "password": record.password,
            "rest_token": record.rest_token,
            "read_only_rest_token": record.read_only_rest_token,
        }
    return found


def _limits(record: Record) -> dict[str, Any]:
    room = PLANS[record.plan]
    is_free = record.plan == "free"
    return {
        "database_type": record.plan,
        "db_max_clients": 10_000,
        "db_max_request_size": _MOST_REQUEST,
        "db_disk_threshold": room,
        "db_max_entry_size": 100 * _MB,
        "db_memory_threshold": room,
        "db_max_commands_per_second": 10_000,
        "db_request_limit": 500_000 if is_free else (1 << 63) - 1,
        "db_daily_bandwidth_limit": 10 * _GB if is_free else (1 << 63) - 1,
        "db_resource_size": "S",
        "db_type": "pebble",
        "db_conn_idle_timeout": 21_600 * _SECOND,
        "db_lua_timeout": _SECOND // 4,
        "db_lua_credits_per_min": 10 * _SECOND,
        "db_store_max_idle": 900 * _SECOND,
        "db_max_loads_per_sec": 1_000_000,
        "db_acl_enabled": "false",
        "db_acl_default_user_status": "true",
        "db_eviction": record.eviction,
    }
