"""What a sentinel keeps in its configuration file: whom it watches, whom it has found, and how far elections are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from emulator.protocol.inline import quoted
from emulator.protocol.text import to_bytes, to_text
from emulator.sentinel.periods import DEFAULTS, DOWN_AFTER, FAILOVER_TIMEOUT

if TYPE_CHECKING:
    from emulator.sentinel.master import Master
    from emulator.sentinel.sentinel import Sentinel

_DIRECTIVES: Final = (
    "myid monitor down-after-milliseconds failover-timeout parallel-syncs auth-pass auth-user config-epoch leader-epoch "
    "known-replica known-slave known-sentinel current-epoch announce-ip announce-port"
).split()

_PLAIN: Final = re.compile(r"[!#-&(-\[\]-~]+")
"""Anything printable but quotes and backslashes."""

Line = tuple[str, list[tuple[str, bool]]]
"""The name of a directive, and what stands there, as `emulator.config.rewrite` takes it."""


def lines_of(sentinel: Sentinel) -> list[Line]:
    """The lines of the file, in their order; what is as it is without a line has none."""
    state = [(name, [_shown(word, name == "announce-ip") for word in words]) for name, *words in _state(sentinel)]
    lines: list[Line] = [(f"sentinel {name}", [(" ".join(["sentinel", name, *words]), True)]) for name, words in state]
    return [*lines, *((f"sentinel {name}", []) for name in _DIRECTIVES)]


def _shown(word: str, in_quotes: bool) -> str:
    """A word of a line, in quotes too where it would be read otherwise: names and addresses come from strangers."""
    return to_text(quoted(to_bytes(word))) if in_quotes or not _PLAIN.fullmatch(word) else word


def _state(sentinel: Sentinel) -> Iterator[list[str]]:
    yield ["myid", sentinel.id]
    for master in sentinel.masters.values():
        yield from _of_master(master)
    yield ["current-epoch", f"{sentinel.epoch}"]
    if sentinel.announce_ip:
        yield ["announce-ip", sentinel.announce_ip]
    if sentinel.announce_port:
        yield ["announce-port", f"{sentinel.announce_port}"]


def _of_master(master: Master) -> Iterator[list[str]]:
    name, now = master.name, master.at_present
    yield ["monitor", name, now.host, f"{now.port}", f"{master.quorum}"]
    for option, value, usual in (
        ("down-after-milliseconds", master.down_after, DEFAULTS[DOWN_AFTER]),
        ("failover-timeout", master.failover_timeout, DEFAULTS[FAILOVER_TIMEOUT]),
        ("parallel-syncs", master.parallel_syncs, 1),
        ("auth-pass", master.auth_pass, ""),
        ("auth-user", master.auth_user, ""),
    ):
        if value != usual:
            yield [option, name, f"{value}"]
    yield ["config-epoch", name, f"{master.config_epoch}"]
    yield ["leader-epoch", name, f"{master.leader_epoch}"]
    for replica in (master.top, *master.replicas.values()):
        if replica is not now:  # while a failover is under way the old master is one of them
            yield ["known-replica", name, replica.host, f"{replica.port}"]
    for other in master.sentinels.values():
        yield ["known-sentinel", name, other.host, f"{other.port}", other.id]
