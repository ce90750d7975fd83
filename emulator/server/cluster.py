"""A whole cluster in one process: a server for each node, at ports one after another."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.cluster.layout import introduce, lay_out
from emulator.config.kinds import ConfigError
from emulator.persistence.disk import Disk
from emulator.persistence.folder import Memory
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.cluster.cluster import Cluster
    from emulator.config.directives import Config
    from emulator.persistence.folder import Folder
    from emulator.server.server import NetworkServer

logger = logging.getLogger("emulator")


def configurations(config: Config, count: int) -> list[Config]:
    """The configuration of each of so many nodes: ports one after another, and folders below ``dir`` named by the ports."""
    nodes = [config, *(_of_node(config.copy(), number) for number in range(1, count))]
    for node in nodes:
        node.dir = os.path.join(node.dir, str(node.port or node.tls_port))
    return nodes


def _of_node(config: Config, number: int) -> Config:
    config.pidfile = ""
    for name in ("port", "tls_port", "cluster_port"):
        if getattr(config, name):
            setattr(config, name, getattr(config, name) + number)
    return config


def folder_of_node(config: Config) -> Folder:
    """Where a node keeps its files.

    Where no data are kept it is not kept either who has which slots: the cluster is a new one each time.
    """
    if not config.save and not config.appendonly:
        return Memory()
    os.makedirs(config.dir, exist_ok=True)
    return Disk(config)


def join(servers: Sequence[NetworkServer], replicas: int) -> None:
    """Let servers that have started be one cluster, where each master has so many replicas, unless they are one already.

    Raises ConfigError where their files are of a cluster of other nodes.
    """
    clusters = [_cluster(server) for server in servers]
    known = {len(cluster.state.nodes) for cluster in clusters}
    masters = len(servers) // (replicas + 1)
    if known == {1}:
        nodes = [introduce(cluster) for cluster in clusters]
        for cluster in clusters:
            lay_out(cluster, nodes, masters)
    elif known != {len(servers)}:
        raise ConfigError(
            f"The files nodes.conf are of a cluster of {max(known)} nodes, not {len(servers)}: start that one, or remove "
            "the folders."
        )
    ports = f"{servers[0].port} to {servers[-1].port}" if len(servers) > 1 else str(servers[0].port)
    logger.log(NOTICE, "Cluster of %d nodes on ports %s, %d of them masters", len(servers), ports, masters)


def _cluster(server: NetworkServer) -> Cluster:
    assert server.engine.cluster is not None
    return server.engine.cluster
