"""A Redis Cluster as one Redis: a command goes to the node that has its keys, one without keys where Redis's own hints say.

Source: https://redis.io/docs/latest/develop/reference/command-tips/ (request_policy, response_policy).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot

from emulator.commands.table import table
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Received
from emulator.rest.upstream import Address, AsyncConnection, OneServer, Upstream, Words, addresses, new_pool
from emulator.table.lookup import find
from emulator.table.registry import Command

_CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot"
_ON_ALL = ("all_shards", "all_nodes")
_REDIRECTIONS = 5


class Cluster(Upstream):
    """A cluster, found by any of its nodes.

    Commands over several keys work across nodes where Redis says that they may be split (DEL, EXISTS, MGET, MSET, TOUCH,
    UNLINK), though not at one moment; KEYS, DBSIZE, FLUSHALL and the like ask every node, SCAN one after the other.
    """

    def __init__(self, topology: RedisCluster, credentials: dict[str, str], options: dict[str, Any]) -> None:
        self._topology: Any = topology
        self._options, self._credentials = options, credentials
        self._servers: dict[Address, OneServer] = {}
        self._commands = table()
        self._others: dict[tuple[str, str], Cluster] = {}

    @classmethod
    def at(cls, nodes: Sequence[Address], credentials: dict[str, str], options: dict[str, Any]) -> Cluster:
        """The cluster of these nodes, and others that they know."""
        startup: Any = [ClusterNode(host, port) for host, port in nodes]
        knowing: dict[str, Any] = credentials | {name: value for name, value in options.items() if name == "ssl"}
        return cls(RedisCluster(startup_nodes=startup, **knowing), credentials, options)

    async def run(self, commands: Sequence[Words]) -> list[Received]:
        await self._topology.initialize()
        replies: list[Received] = []
        batch: list[Words] = []
        whose: Address | None = None
        for words in commands:
            node = self._only_node(words)
            if batch and (node is None or node != whose):
                replies += await self._ask_at_once(whose, batch)
                batch = []
            if node is None:
                replies.append(await self._run_on_several(words))
            else:
                whose = node
                batch.append(words)
        return replies + (await self._ask_at_once(whose, batch) if batch else [])

    def _only_node(self, words: Words) -> Address | None:
        """The one node that has to run a command, None where there are several."""
        try:
            command = find(self._commands, words)
        except CommandError:
            return self._anyone()  # a module of theirs may know it
        keys = [key for key, _ in command.find_keys(words)]
        if not keys:
            several = command.full_name == b"scan" or _policies(command).get("request_policy") in _ON_ALL
            return None if several else self._anyone()
        slots = {key_slot(key) for key in keys}
        return self._owner(slots.pop()) if len(slots) == 1 else None

    async def _run_on_several(self, words: Words) -> Received:
        command = find(self._commands, words)
        if command.full_name == b"scan":
            return await self._scan(words)
        return await (self._split if command.find_keys(words) else self._ask_all)(command, words)

    # Nodes

    def _owner(self, slot: int) -> Address:
        node = self._topology.nodes_manager.get_node_from_slot(slot)
        return node.host, node.port

    def _anyone(self) -> Address:
        node = self._topology.get_default_node()
        return node.host, node.port

    def _server(self, address: Address) -> OneServer:
        server = self._servers.get(address)
        if server is None:
            host, port = address
            settings: dict[str, Any] = {"host": host, "port": port} | self._credentials | self._options
            server = self._servers[address] = OneServer(partial(new_pool, **settings))
        return server

    async def _ask_at_once(self, address: Address | None, batch: Sequence[Words]) -> list[Received]:
        """A node's answers; those that it has not got itself are fetched from where it says."""
        assert address is not None
        replies = await self._server(address).run(batch)
        return [
            await self._follow(reply, words) if isinstance(reply, CommandError) else reply
            for reply, words in zip(replies, batch, strict=True)
        ]

    async def _ask(self, address: Address, words: Words) -> Received:
        return (await self._ask_at_once(address, [words]))[0]

    async def _follow(self, reply: Received, words: Words) -> Received:
        """Where a node answers with the address of another, what that one answers."""
        for _ in range(_REDIRECTIONS):
            kind, _, rest = str(reply).partition(" ")
            if not isinstance(reply, CommandError) or kind not in ("MOVED", "ASK"):
                break
            address = addresses(rest.rpartition(" ")[2])[0]
            if kind == "MOVED":
                await self._topology.aclose()  # the next run learns the slots anew
                reply = (await self._server(address).run([words]))[0]
            else:
                reply = (await self._server(address).run([[b"ASKING"], words]))[1]
        return reply

    # Commands without keys

    async def _ask_all(self, command: Command, words: Words) -> Received:
        policies = _policies(command)
        of_all = policies["request_policy"] == "all_nodes"
        nodes = self._topology.get_nodes() if of_all else self._topology.get_primaries()
        replies = await asyncio.gather(*(self._ask((node.host, node.port), words) for node in nodes))
        return _combined(replies, policies.get("response_policy", ""))

    async def _scan(self, words: Words) -> Received:
        """SCAN goes through the primaries one after the other; the number of the node is in its cursor."""
        nodes = sorted((node.host, node.port) for node in self._topology.get_primaries())
        if len(words) < 2 or not words[1].isdigit():
            return await self._ask(self._anyone(), words)
        cursor, place = divmod(int(words[1]), len(nodes))
        reply = await self._ask(nodes[place], [words[0], b"%d" % cursor, *words[2:]])
        if not isinstance(reply, list):
            return reply
        following = int(reply[0])
        if not following:
            place += 1
        ended = not following and place == len(nodes)
        return [b"0" if ended else b"%d" % (following * len(nodes) + place), reply[1]]

    # Commands with keys on several nodes

    async def _split(self, command: Command, words: Words) -> Received:
        """Each key, with what belongs to it, goes to its own node where the command allows that."""
        policies = _policies(command)
        if policies.get("request_policy") != "multi_shard":
            return CommandError(_CROSSSLOT)
        step = command.keys[0].plain_range[2]
        parts = [words[place : place + step] for place in range(1, len(words), step)]
        by_slot: dict[int, list[int]] = {}
        for place, part in enumerate(parts):
            by_slot.setdefault(key_slot(part[0]), []).append(place)
        replies = await asyncio.gather(
            *(
                self._ask(self._owner(slot), [words[0], *(word for place in places for word in parts[place])])
                for slot, places in by_slot.items()
            )
        )
        policy = policies.get("response_policy", "")
        if policy or any(isinstance(reply, CommandError) for reply in replies):
            return _combined(replies, policy)
        values: list[Received] = [None] * len(parts)
        for places, reply in zip(by_slot.values(), replies, strict=True):
            assert isinstance(reply, list)
            for place, value in zip(places, reply, strict=True):
                values[place] = value
        return values

    # The rest

    async def transaction(self, commands: Sequence[Words]) -> list[Received]:
        await self._topology.initialize()
        slots = {key_slot(key) for words in commands for key, _ in find(self._commands, words).find_keys(words)}
        if len(slots) > 1:
            raise CommandError(_CROSSSLOT)
        return await self._server(self._owner(slots.pop()) if slots else self._anyone()).transaction(commands)

    def connection(self) -> AsyncConnection:
        return self._server(self._anyone()).connection()

    def as_user(self, name: str, password: str) -> Cluster:
        other = self._others.get((name, password))
        if other is None:
            credentials = {"username": name, "password": password}
            other = self._others[name, password] = Cluster(self._topology, credentials, self._options)
        return other

    async def forget_user(self, name: str, password: str) -> None:
        other = self._others.pop((name, password), None)
        if other is not None:
            await other.leave()

    async def leave(self) -> None:
        """Have no connections to nodes any more."""
        for server in self._servers.values():
            await server.close()

    async def close(self) -> None:
        for cluster in (self, *self._others.values()):
            await cluster.leave()
        await self._topology.aclose()


def _policies(command: Command) -> dict[str, str]:
    """``request_policy`` and ``response_policy`` of a command, where it has them."""
    return dict(tip.split(":", 1) for tip in command.tips.split() if ":" in tip)


_SUMS: dict[str, Callable[[list[Any]], Received]] = {
    "agg_sum": sum,
    "agg_min": min,
    "agg_max": max,
    "agg_logical_and": min,
    "agg_logical_or": max,
}


def _combined(replies: Sequence[Received], policy: str) -> Received:
    """One reply of several nodes' as `response_policy` says; without one lists are joined."""
    errors = [reply for reply in replies if isinstance(reply, CommandError)]
    if errors and (policy != "one_succeeded" or len(errors) == len(replies)):
        return errors[0]
    good = [reply for reply in replies if not isinstance(reply, CommandError)]
    if policy in _SUMS:
        if isinstance(good[0], list):
            return [_SUMS[policy](list(column)) for column in zip(*good, strict=True)]
        return _SUMS[policy](good)
    if not policy and isinstance(good[0], list):
        return [element for reply in good if isinstance(reply, list) for element in reply]
    return next((reply for reply in good if reply is not None), None)
