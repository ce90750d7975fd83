"""Which commands a node serves, and where it sends clients with the others.

Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#moved-redirection
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from emulator.cluster.endpoint import endpoint
from emulator.cluster.state import Node
from emulator.datatypes.slots import key_slot
from emulator.protocol.errors import CommandError
from emulator.table.registry import ASKING, WRITE, Command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster

CROSS_SLOT: Final = "CROSSSLOT Keys in request don't hash to the same slot"
DOWN: Final = "CLUSTERDOWN The cluster is down"
READS_ONLY: Final = "CLUSTERDOWN The cluster is down and only accepts read commands"
NOT_SERVED: Final = "CLUSTERDOWN Hash slot not served"
TRY_AGAIN: Final = "TRYAGAIN Multiple keys request during rehashing of slot"

_SHARD_CHANNELS: Final = frozenset((b"ssubscribe", b"sunsubscribe", b"spublish"))

Call = tuple[Command, Sequence[bytes]]


def redirection(text: str) -> CommandError:
    """The error of a call that this node does not serve."""
    error = CommandError(text)
    error.redirects = True
    return error


def only_slot(keys: Sequence[bytes]) -> int:
    """The slot that all keys have; raises where they have several."""
    slot = key_slot(keys[0])
    if len(keys) > 1 and any(key_slot(key) != slot for key in keys):
        raise redirection(CROSS_SLOT)
    return slot


def _writes(calls: Iterable[Call]) -> bool:
    return any(called.flags & WRITE for called, _ in calls)


class Requests:
    """Decides about requests by the slots of their keys."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def check(self, session: Session, command: Command, args: Sequence[bytes]) -> int | None:
        """Raise unless this node serves a call; EXEC stands for what is queued.  Returns the slot, if any."""
        if not command.keys and command.key_finder is None and command.name != b"exec":
            return None
        calls: Sequence[Call] = (session.queue or ()) if command.name == b"exec" else ((command, args),)
        keys = [key for called, words in calls for key, _ in called.find_keys(words)]
        if not keys:
            return None
        slot = only_slot(keys)
        state = self._cluster.state
        owner = state.owners[slot]
        if owner is state.myself and state.is_ok and slot not in state.migrating:
            return slot  # what is usual is found out first
        if owner is None:
            raise redirection(NOT_SERVED)
        of_channels = any(called.name in _SHARD_CHANNELS for called, _ in calls)
        if not state.is_ok:
            self._check_down(calls, of_channels)
        if slot in state.migrating or slot in state.importing:
            missing = 0 if of_channels or self._is_put_off(session, command) else self._missing(session, keys)
            if command.name == b"migrate" or self._serves_moving(session, command, slot, keys, missing):
                return slot
        if owner is state.myself or (
            owner is state.myself.master and (of_channels or (session.reads_replicas and not _writes(calls)))
        ):
            return slot
        raise self.elsewhere("MOVED", slot, owner)

    def _serves_moving(
        self, session: Session, command: Command, slot: int, keys: Sequence[bytes], missing: int
    ) -> bool:
        """Whether this node serves a slot on its way as its owner; raises where that depends on keys that are missing."""
        state = self._cluster.state
        if state.owners[slot] is state.myself:
            if missing and slot in state.migrating:
                raise (
                    redirection(TRY_AGAIN)
                    if missing < len(keys)
                    else self.elsewhere("ASK", slot, state.migrating[slot])
                )
            return True
        if slot not in state.importing or not (session.asking or command.flags & ASKING):
            return False
        if missing and len(set(keys)) > 1:
            raise redirection(TRY_AGAIN)
        return True

    def _is_put_off(self, session: Session, command: Command) -> bool:
        """Whether it is left to EXEC, as in Valkey, to look which keys are missing."""
        return self._cluster.engine.config.edition.is_valkey and session.queue is not None and command.name != b"exec"

    def _check_down(self, calls: Sequence[Call], of_channels: bool) -> None:
        config = self._cluster.engine.config
        if of_channels:
            if not config.cluster_allow_pubsubshard_when_down:
                raise redirection(DOWN)
        elif not config.cluster_allow_reads_when_down:
            raise redirection(DOWN)
        elif _writes(calls):
            raise redirection(READS_ONLY)

    @staticmethod
    def _missing(session: Session, keys: Iterable[bytes]) -> int:
        return sum(session.db.peek_entry(key) is None for key in keys)

    def elsewhere(self, word: str, slot: int, node: Node) -> CommandError:
        """The error that sends a client to another node."""
        config = self._cluster.engine.config
        place = endpoint(node, config.cluster_preferred_endpoint_type)
        return redirection(f"{word} {slot} {place.decode()}:{node.port}")

    def refusal(self, session: Session, keys: Sequence[bytes], reads: bool) -> CommandError | None:
        """The error of a client that waits for keys which are this node's no more."""
        state = self._cluster.state
        slot = key_slot(keys[0])
        owner = state.owners[slot]
        if owner is None:
            return CommandError(NOT_SERVED)
        if not state.is_ok and not (reads and self._cluster.engine.config.cluster_allow_reads_when_down):
            return CommandError(DOWN)
        if (
            owner is state.myself
            or slot in state.importing
            or (owner is state.myself.master and session.reads_replicas)
        ):
            return None
        return self.elsewhere("MOVED", slot, owner)
