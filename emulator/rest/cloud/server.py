"""The management API on a port: for whom it is, and what it tells at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.rest.cloud.account import Account
from emulator.rest.cloud.cloud import Cloud
from emulator.rest.cloud.service import CloudService
from emulator.rest.http_service import HttpServer

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.rest.server import RestServer


class CloudServer(HttpServer):
    """Serves an account."""

    def __init__(self, cloud: Cloud, port: int, bind: str) -> None:
        super().__init__(CloudService(cloud), port, bind)
        self.cloud = cloud

    @property
    def lines(self) -> list[str]:
        """What to put into the environment of the service's own programs, and where they find it."""
        account = self.cloud.account
        return [f"UPSTASH_API_URL={self.url}/v2", f"UPSTASH_EMAIL={account.email}", f"UPSTASH_API_KEY={account.key}"]


def cloud_server(engine: Engine, rest: RestServer) -> CloudServer:
    """The management API of an engine, as its configuration describes it.  Raises ValueError for a bad account."""
    config = engine.config
    account = Account.of(config.cloud_account, config.cloud_readonly_key)
    return CloudServer(Cloud(engine, rest, account, config.cloud_domain), config.cloud_port, config.cloud_bind)
