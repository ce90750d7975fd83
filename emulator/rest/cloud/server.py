"""The management API on a port: for whom it is, and what it tells at its start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.rest.cloud.account import Account
from emulator.rest.cloud.cloud import Cloud
from emulator.rest.cloud.service import CloudService
from emulator.rest.cloud.store import Store
from emulator.rest.http_service import HttpServer, HttpService
from emulator.rest.requests import BadRequest
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.rest.cloud.proxy import Proxy
    from emulator.rest.server import RestServer


PRELOAD = Path(__file__).with_name("preload.mjs")
"""What makes programs of Node find this server."""
_DOMAIN = "upstash.io"
"""What the service's own host names of databases end in."""
_SECONDS_BETWEEN_SAMPLES = 60.0


class CloudServer(HttpServer):
    """Serves an account."""

    def __init__(self, cloud: Cloud, port: int, bind: str) -> None:
        super().__init__(CloudService(cloud), port, bind)
        self.cloud = cloud
        self._sampling: asyncio.TimerHandle | None = None
        config, service = cloud.engine.config, cloud.rest.service
        self.regions = [
            HttpServer(service.at(region.encode()), port, config.rest_bind)
            for region, port in _ports(config.cloud_regions)
        ]
        """Where requests come to a region."""
        self._proxy = _proxy(self._service, cloud) if config.cloud_proxy else None

    async def start(self) -> None:
        try:
            await self.cloud.load()
        except (ValueError, BadRequest) as error:
            raise OSError(f"cloud-dir: {error}") from None
        await super().start()
        for server in self.regions:
            await server.start()
        if self._proxy is not None:
            await self._proxy.start()
        self._sample_later()

    async def stop(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()
        if self._proxy is not None:
            self._proxy.stop()
        for server in self.regions:
            await server.stop()
        await super().stop()

    def _sample_later(self) -> None:
        self._sampling = asyncio.get_running_loop().call_later(_SECONDS_BETWEEN_SAMPLES, self._sample)

    def _sample(self) -> None:
        """Take a sample of each database: by the loop's time, since a clock that is turned far would want many."""
        for database in self.cloud.databases.by_id.values():
            behind_wall(database.usage.take_if_used, "the statistics of a database")
        self._sample_later()

    @property
    def notes(self) -> list[str]:
        """For the log: who may come in, and what becomes of the databases."""
        config, email = self.cloud.engine.config, self.cloud.account.email
        key = (
            "the key of --cloud-account"
            if config.cloud_account
            else "a key made for this run (--cloud-account EMAIL:KEY)"
        )
        data = (
            f"are kept in {config.cloud_dir}"
            if config.cloud_dir
            else "are gone when the server ends (--cloud-dir FOLDER)"
        )
        return [f"Management API on {self.url}: {email} comes in, by {key}", f"Databases made there {data}"]

    @property
    def lines(self) -> list[str]:
        """What to put into the environment of the service's own programs, which know no other address than the service's."""
        account, rest = self.cloud.account, self.cloud.rest
        preload = [
            f"UPSTASH_EMULATOR_API={self.url}",
            f"UPSTASH_EMULATOR_REST={rest.url}",
            f"NODE_OPTIONS=--import={PRELOAD.as_uri()}",
        ]
        ways = preload if self._proxy is None else self._proxy.lines
        return [f"UPSTASH_EMAIL={account.email}", f"UPSTASH_API_KEY={account.key}", *ways]


def _proxy(service: HttpService, cloud: Cloud) -> Proxy:
    """The proxy of a management API.  Raises OSError where what it needs is not installed."""
    try:
        from emulator.rest.cloud.proxy import Proxy  # only who asks for a proxy needs trustme
    except ModuleNotFoundError as error:
        if error.name != "trustme":
            raise
        raise OSError("cloud-proxy needs trustme: pip install trustme") from None
    config = cloud.engine.config
    return Proxy(service, cloud.rest.service, cloud.databases.domain, config.cloud_proxy, config.cloud_dir)


def _ports(words: str) -> Iterator[tuple[str, int]]:
    """The regions of ``cloud-regions`` with their ports.  Raises ValueError."""
    for word in words.split():
        region, _, port = word.partition(":")
        if not region or not port.isdecimal():
            raise ValueError("cloud-regions: REGION:PORT is wanted")
        yield region, int(port)


def cloud_server(engine: Engine, rest: RestServer) -> CloudServer:
    """The management API of an engine, as its configuration describes it.

    Raises ValueError for a bad account or region, OSError where there can be no folder.
    """
    config = engine.config
    account = Account.of(config.cloud_account, config.cloud_readonly_key)
    store = Store(config.cloud_dir) if config.cloud_dir else None
    domain = config.cloud_domain.lower() or (_DOMAIN if config.cloud_proxy else "")
    cloud = Cloud(engine, rest, account, domain, store)
    return CloudServer(cloud, config.cloud_port, config.cloud_bind)
