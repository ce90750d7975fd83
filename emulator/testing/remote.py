"""A server that runs elsewhere, by its URL: an emulator in another process, or a real Redis."""

from __future__ import annotations

from typing import Any

from emulator.testing.handles import Handle, Words, keyspace_url, url_of_database
from emulator.testing.redis_py import Client, Pool, ResponseError, arguments


class RemoteServer(Handle):
    """The server at a URL: ``host`` and ``port`` (of a unix socket its path and 0).

    What no real Redis can do raises ``redis.ResponseError`` where one stands there.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self._pool = Pool.from_url(url, **arguments({"protocol": 3, "max_connections": 1}))
        address = self._pool.connection_kwargs
        self.host: str = address.get("path") or address.get("host") or "127.0.0.1"
        self.port: int = 0 if "path" in address else address.get("port") or 6379
        self._password: str = address.get("password") or "none"

    @property
    def is_emulator(self) -> bool:
        """Whether it can do what no real Redis can."""
        try:
            self.command("EMULATOR", "KEYSPACE", "GET")
        except ResponseError:
            return False
        return True

    def connect(self, **kwargs: Any) -> Client:
        """A ``redis.Redis`` connected to it; arguments are those of ``redis.Redis.from_url``."""
        return Client.from_url(url_of_database(self.url, kwargs.pop("db", None)), **arguments(kwargs))

    def perform(self, *calls: Words) -> list[Any]:
        """As `Handle.perform`, but others' commands may come between."""
        connection: Any = self._pool.get_connection()
        try:
            replies = []
            for words in calls:
                connection.send_command(*words)
                replies.append(connection.read_response(disable_decoding=True))
            return replies
        finally:
            self._pool.release(connection)

    def keyspace(self, name: str) -> RemoteServer:
        """A keyspace of its own within this server, an emulator."""
        return RemoteServer(keyspace_url(self.url, name, self._password))

    def drop(self) -> None:
        """Where it is a keyspace: forget it, and close its clients' connections."""
        name = self.command("EMULATOR", "KEYSPACE", "GET")
        self.command("EMULATOR", "KEYSPACE", "DROP", name)
        self.close()

    def close(self) -> None:
        """Have no connection to it any more."""
        self._pool.disconnect()
