"""A sentinel within a program: a master, its replicas and the sentinels that watch them, each in a thread of its own."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.clock import in_milliseconds
from emulator.core.engine import Engine
from emulator.server.sentinel import make_sentinel
from emulator.testing.embedded import Server
from emulator.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis.sentinel

_SOCKET_TIMEOUT = 30.0
_TIMEOUT = "5000"
_QUICKLY = ("PUBLISH-PERIOD", 100, "INFO-PERIOD", 200, "ASK-PERIOD", 100, "ELECTION-TIMEOUT", 1000)
"""So that nobody waits for what takes ten seconds in production."""


def _follows(engine: Engine) -> bool:
    return engine.replication.link is not None and engine.replication.link.is_up


class SentinelServer(Server):
    """A server that is a sentinel, by the words of its directives."""

    def __init__(self, directives: list[list[str]]) -> None:
        super().__init__()
        self._directives = directives

    def _prepare(self) -> None:
        super()._prepare()
        make_sentinel(self.engine, self._directives)

    def master(self, name: str) -> tuple[str, int]:
        """The address of a master."""

        def find(engine: Engine) -> tuple[str, int]:
            assert engine.sentinel is not None
            top = engine.sentinel.masters[name].top
            return top.host, top.port

        return self.run(find)

    def is_ready(self, name: str, replicas: int, sentinels: int) -> bool:
        """Whether it knows so many replicas well enough to promote one of them, and so many other sentinels."""

        def look(engine: Engine) -> bool:
            assert engine.sentinel is not None
            master = engine.sentinel.masters[name]
            known = [each for each in master.replicas.values() if each.informed and not each.is_down]
            return len(known) >= replicas and len(master.sentinels) >= sentinels

        return self.run(look)


class Sentinel:
    """A master `name` with `replicas`, watched by so many `sentinels`; `settings` are directives of all servers.

    A master that does not answer for `down_after`, seconds or a ``timedelta``, is replaced as soon as as many sentinels
    agree as `quorum` says, by default more than half of them.  As a context manager it is there when everybody knows each
    other.

    ``servers`` are the master and its replicas as they were at first, ``sentinels`` those who watch.
    """

    def __init__(
        self,
        *,
        replicas: int = 2,
        sentinels: int = 1,
        name: str = "mymaster",
        quorum: int | None = None,
        down_after: float | timedelta = 0.5,
        **settings: Any,
    ) -> None:
        self.name = name
        self.servers: list[Server] = []
        self.sentinels: list[SentinelServer] = []
        self._replicas, self._count = replicas, sentinels
        self._quorum = sentinels // 2 + 1 if quorum is None else quorum
        self._down_after = in_milliseconds(down_after)
        self._settings = settings
        self._stack = ExitStack()

    def __enter__(self) -> Sentinel:
        self.servers.append(self._stack.enter_context(Server(**self._settings)))
        host, port = self.servers[0].host, self.servers[0].port
        for _ in range(self._replicas):
            self.servers.append(self._stack.enter_context(Server(**self._settings, replicaof=f"{host} {port}")))
        password = self.servers[0].password if self._settings.get("requirepass") else ""
        directives = [
            ["monitor", self.name, host, str(port), str(self._quorum)],
            ["down-after-milliseconds", self.name, str(self._down_after)],
            ["failover-timeout", self.name, _TIMEOUT],
            *([["auth-pass", self.name, password]] if password else []),
        ]
        for _ in range(self._count):
            sentinel = SentinelServer(directives)
            self._stack.enter_context(sentinel)
            sentinel.command("SENTINEL", "DEBUG", *_QUICKLY)
            self.sentinels.append(sentinel)
        self._until(lambda: all(each.is_ready(self.name, self._replicas, self._count - 1) for each in self.sentinels))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
        self.servers.clear()
        self.sentinels.clear()

    def _until(self, check: Callable[[], bool]) -> None:
        until(check, "the sentinels do not come to it")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each sentinel: what clients take."""
        return [(each.host, each.port) for each in self.sentinels]

    @property
    def master(self) -> Server:
        """The master at present."""
        host, port = self.sentinels[0].master(self.name)
        return next(server for server in self.servers if (server.host, server.port) == (host, port))

    def connect(self, **kwargs: Any) -> redis.sentinel.Sentinel:
        """A ``redis.sentinel.Sentinel``, whose ``master_for`` and ``slave_for`` are clients; arguments are theirs."""
        from redis import sentinel

        client: Any = sentinel.Sentinel
        password = {"password": self._settings["requirepass"]} if self._settings.get("requirepass") else {}
        found: redis.sentinel.Sentinel = client(
            self.addresses, **{"socket_timeout": _SOCKET_TIMEOUT, **password, **kwargs}
        )
        return found

    def _await_other(self, old: Server) -> Server:
        """Wait until all sentinels know another master."""
        self._until(lambda: all(each.master(self.name) != (old.host, old.port) for each in self.sentinels))
        return self.master

    def failover(self) -> Server:
        """Let a replica take the master's place, and wait until everybody knows so; the new master."""
        old = self.master
        self.sentinels[0].command("SENTINEL", "FAILOVER", self.name)
        new = self._await_other(old)
        self._until(lambda: old.run(_follows))
        return new

    def stop_master(self) -> Server:
        """End the master and wait until a replica has taken its place; the new master."""
        old = self.master
        old.__exit__()
        return self._await_other(old)
