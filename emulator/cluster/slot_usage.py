"""What each slot costs: CPU time and bytes of the network, for CLUSTER SLOT-STATS (``cluster-slot-stats-enabled``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from emulator.config.kinds import ConfigError
from emulator.datatypes.slots import key_slot
from emulator.protocol.encoder import RESP2, RESP3
from emulator.stats.slowlog import request_size

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.host import HostOfCluster
    from emulator.table.registry import Command

KEYS: Final = b"key-count"
CPU: Final = b"cpu-usec"
NET_IN: Final = b"network-bytes-in"
NET_OUT: Final = b"network-bytes-out"
MEMORY: Final = b"memory-bytes"

_DIRECTIVE: Final = "cluster-slot-stats-enabled"
_METRICS: Final = {"cpu": (CPU,), "net": (NET_IN, NET_OUT)}


class SlotUsage:
    """The costs of slots, by metric and slot, from when they are asked for until they are not any more."""

    def __init__(self, engine: HostOfCluster) -> None:
        self._engine = engine
        self._costs: dict[bytes, dict[int, int]] = {}
        self._tells_memory = engine.config.edition.includes("8.6.0")
        self._has_memory = "mem" in self._kinds()
        if _DIRECTIVE in engine.config.directives:  # since 8.2
            engine.config.on_change(_DIRECTIVE, self._configure)
        self._configure()

    def _kinds(self) -> Sequence[str]:
        chosen = self._engine.config.cluster_slot_stats_enabled
        return ("cpu", "net", "mem") if chosen == "yes" else chosen.split()

    def _configure(self) -> None:
        if self._tells_memory and "mem" in self._kinds() and not self._has_memory:
            raise ConfigError("memory tracking cannot be enabled at runtime")
        self._has_memory = "mem" in self._kinds()
        measured = [metric for kind in self._kinds() for metric in _METRICS.get(kind, ())]
        meters = self._engine.meters
        if measured and self._note not in meters:
            meters.append(self._note)
        elif not measured and self._note in meters:
            meters.remove(self._note)
        self._costs = {metric: self._costs.get(metric, {}) for metric in measured}

    @property
    def metrics(self) -> Sequence[bytes]:
        """What is known of slots."""
        memory = (MEMORY,) if self._has_memory and self._tells_memory else ()
        return (KEYS, *memory, *self._costs)

    def of(self, slots: Iterable[int]) -> list[tuple[int, Mapping[bytes, int]]]:
        """Slots with what they cost.  O(slots), with memory O(keys)."""
        used = {slot for db in self._engine.databases for slot in db.slots_in_use()}
        used.update(*self._costs.values())
        metrics = self.metrics
        unused = dict.fromkeys(metrics, 0)
        return [
            (slot, {metric: self._cost(metric, slot) for metric in metrics} if slot in used else unused)
            for slot in slots
        ]

    def forget(self) -> None:
        """CONFIG RESETSTAT: begin anew."""
        for costs in self._costs.values():
            costs.clear()

    def _cost(self, metric: bytes, slot: int) -> int:
        if metric == KEYS:
            return sum(len(db.in_slot(slot)) for db in self._engine.databases)
        if metric == MEMORY:
            return self._memory(slot)
        return self._costs[metric].get(slot, 0)

    def _memory(self, slot: int) -> int:
        total = 0
        for db in self._engine.databases:
            db.weigh()
            total += sum(db.entries[key].weight[0] for key in db.in_slot(slot))
        return total

    def _note(self, session: Session, command: Command, args: Sequence[bytes], reply: object, seconds: float) -> None:
        encoder = (RESP3 if session.protocol == 3 else RESP2).get(reply.__class__)
        keys = command.find_keys(args)
        if encoder is None or not keys or self._engine.runs_script_in(session):
            return
        slot = key_slot(keys[0][0])
        spent = {CPU: round(seconds * 1e6), NET_IN: request_size(args), NET_OUT: len(encoder(reply))}
        for metric, costs in self._costs.items():
            costs[slot] = costs.get(slot, 0) + spent[metric]
