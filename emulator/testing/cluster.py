"""A cluster within a program: masters and their replicas, each in a thread of its own."""

from __future__ import annotations

from contextlib import ExitStack
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.clock import Clock, in_milliseconds
from emulator.cluster.layout import introduce, lay_out
from emulator.cluster.state import members
from emulator.core.engine import Engine
from emulator.datatypes.slots import key_slot
from emulator.protocol.text import to_bytes
from emulator.testing.embedded import Server
from emulator.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from emulator.cluster.cluster import Cluster as ClusterOfEngine

_STEP = 100
"""Milliseconds between two looks of a node at the others."""


def _cluster(engine: Engine) -> ClusterOfEngine:
    assert engine.cluster is not None
    return engine.cluster


class Cluster:
    """As many `masters` as there are to be, each with so many `replicas`; `settings` are directives of all nodes.

    A master that does not answer for `node_timeout`, seconds or a ``timedelta``, is replaced by one of its replicas.  Each
    node has a copy of the `clock`.  As a context manager it is there when all slots are served and each replica follows its
    master.

    ``nodes`` are the servers, masters first, as they were at the beginning.
    """

    def __init__(
        self,
        *,
        masters: int = 3,
        replicas: int = 1,
        node_timeout: float | timedelta = 1.0,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        if masters < 1 or replicas < 0:
            raise ValueError(
                f"masters={masters}, replicas={replicas}: a cluster has a master, and no less than no replicas"
            )
        self.nodes: list[Server] = []
        self._masters, self._replicas = masters, replicas
        timeout = in_milliseconds(node_timeout)
        self._settings = {"cluster_node_timeout": timeout, **settings, "cluster_enabled": "yes"}
        self._clock = clock
        self._stack = ExitStack()
        self._stopped: set[Server] = set()

    def __enter__(self) -> Cluster:
        try:
            for _ in range(self._masters * (self._replicas + 1)):
                self.nodes.append(self._stack.enter_context(Server(clock=copy(self._clock), **self._settings)))
            introduced = [server.run(lambda engine: introduce(_cluster(engine))) for server in self.nodes]
            for server in self.nodes:
                server.run(lambda engine: lay_out(_cluster(engine), introduced, self._masters))
            for server in self.nodes:  # whom each greets knows by now who it is
                server.run(lambda engine: _cluster(engine).bus.begin())
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
        self.nodes.clear()
        self._stopped.clear()

    # Who is there

    @property
    def running(self) -> list[Server]:
        """The nodes that have not been stopped."""
        return [server for server in self.nodes if server not in self._stopped]

    @property
    def masters(self) -> list[Server]:
        """The nodes that are masters with slots now."""
        return [server for server in self.running if server.run(_serves)]

    def replicas_of(self, master: Server) -> list[Server]:
        """The replicas that a master has now."""
        known = master.run(lambda engine: {replica.id for replica in _cluster(engine).state.myself.replicas})
        return [server for server in self.running if server.run(_id) in known]

    def node_of(self, key: str | bytes) -> Server:
        """The master that serves a key."""
        slot = key_slot(to_bytes(key) if isinstance(key, str) else key)
        return next(server for server in self.masters if server.run(lambda engine: _has(engine, slot)))

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each node that runs: what clients take."""
        return [(server.host, server.port) for server in self.running]

    @property
    def url(self) -> str:
        """The URL of a node that runs, from which clients find the others."""
        return self.running[0].url

    def connect(self, **kwargs: Any) -> redis.RedisCluster:
        """A ``redis.RedisCluster``; arguments are those of ``redis.RedisCluster``."""
        from redis import cluster

        node: Any = cluster.ClusterNode
        nodes = [node(host, port) for host, port in self.addresses]
        password = {"password": self._settings["requirepass"]} if self._settings.get("requirepass") else {}
        return cluster.RedisCluster(startup_nodes=nodes, **{**password, **kwargs})

    # What happens to it

    def wait(self) -> None:
        """Wait until all nodes agree who serves which slot and who follows whom, and each replica has its master's data.

        Raises TimeoutError where they do not come to it.
        """
        self._until(
            lambda: len({server.run(_view) for server in self.running}) == 1 and all(map(_is_well, self.running))
        )

    def _until(self, check: Callable[[], bool]) -> None:
        """Wait until a check holds.  Nodes that run reach one another meanwhile, also while their clocks stand still."""

        def holds() -> bool:
            if check():
                return True
            running = {server.run(_id) for server in self.running}
            for server in self.running:
                server.run(lambda engine: _reach(engine, running))
            return False

        until(holds, "the nodes of the cluster do not come to it")

    def advance(self, time: float | timedelta) -> None:
        """Turn the clocks of all nodes forward, in steps between which they hear of one another."""
        left = in_milliseconds(time)
        while left > 0:
            step = min(left, _STEP)
            left -= step
            for server in self.running:
                server.clock.advance(step / 1000)
            self._until(self._all_have_answered)

    def _all_have_answered(self) -> bool:
        """Whether no node waits for the answer of one that runs."""
        running = {server.run(_id) for server in self.running}
        return not any(running & server.run(_awaited) for server in self.running)

    def failover(self, master: Server | None = None) -> Server:
        """Let a replica take the place of a master, by default the first one's, and wait until everybody knows so; the new
        master."""
        replica = self.replicas_of(master or self.masters[0])[0]
        replica.command("CLUSTER", "FAILOVER")
        self._until(lambda: replica.run(_serves))
        self.wait()
        return replica

    def stop(self, server: Server) -> None:
        """End a node."""
        server.__exit__()
        self._stopped.add(server)

    def stop_master(self, master: Server | None = None) -> Server:
        """End a master, by default the first, and wait until a replica has taken its place; the new master."""
        master = master or self.masters[0]
        slot = master.run(lambda engine: next(members(_cluster(engine).state.myself.slots)))
        self.stop(master)
        self._until(lambda: any(server.run(lambda engine: _has(engine, slot)) for server in self.running))
        self.wait()
        return next(server for server in self.running if server.run(lambda engine: _has(engine, slot)))


def _id(engine: Engine) -> bytes:
    return _cluster(engine).state.myself.id


def _reach(engine: Engine, running: set[bytes]) -> None:
    """Let a node dial those that run to whom there is no connection, which else it would by its clock: each may be lost."""
    cluster = _cluster(engine)
    me, link = cluster.state.myself, engine.replication.link
    for node in cluster.state.nodes.values():
        if node.id in running and node is not me and node.link is None and node.ip:
            cluster.bus.dial(node)
    if link is not None and me.master is not None and me.master.id in running:
        link.retry()


def _awaited(engine: Engine) -> set[bytes]:
    """The nodes that owe a node an answer."""
    return {node.id for node in _cluster(engine).state.nodes.values() if node.ping_sent}


def _serves(engine: Engine) -> bool:
    me = _cluster(engine).state.myself
    return me.is_master and bool(me.slots)


def _has(engine: Engine, slot: int) -> bool:
    return bool(_cluster(engine).state.myself.slots >> slot & 1)


def _view(engine: Engine) -> frozenset[tuple[bytes, int, bytes]]:
    """Who has which slots and who follows whom, as a node knows it."""
    nodes = _cluster(engine).state.nodes.values()
    return frozenset((node.id, node.slots, node.master.id if node.master is not None else b"") for node in nodes)


def _is_well(server: Server) -> bool:
    def look(engine: Engine) -> bool:
        state, link = _cluster(engine).state, engine.replication.link
        return state.is_ok and (state.myself.master is None or (link is not None and link.is_up))

    return server.run(look)
