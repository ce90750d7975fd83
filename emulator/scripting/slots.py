"""What a script may reach in cluster mode: keys of this node, and unless it says otherwise of one slot."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from emulator.datatypes.slots import key_slot
from emulator.protocol.errors import CommandError
from emulator.scripting.flags import CROSS_SLOT, NO_CLUSTER

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.table.registry import Command

_SEVERAL: Final = "ERR Script attempted to access keys that do not hash to the same slot"
_TEXTS: Final = {
    "MOVED": "Script attempted to access a non local key in a cluster node",
    "CROSSSLOT": "Command '{}' in script attempted to access keys that don't hash to the same slot",
    "CLUSTERDOWN Hash slot not served": "Script attempted to access a slot not served",
    "CLUSTERDOWN The cluster is down and only": (
        "Script attempted to execute a write command while the cluster is down and readonly"
    ),
    "CLUSTERDOWN The cluster is down": "Script attempted to execute a command while the cluster is down",
}
_TEXTS_OF_7_2: Final = {start: text for start, text in _TEXTS.items() if start != "CLUSTERDOWN Hash slot not served"}
_TEXTS_OF_VALKEY: Final = {
    "MOVED": "Attempted to access a non local key in a cluster node",
    "CLUSTERDOWN The cluster is down and only": (
        "Can not execute a write command '{}' while the cluster is down and readonly"
    ),
    "CLUSTERDOWN The cluster is down": "Can not execute a command '{}' while the cluster is down",
}
"""What a script is told in the place of an error that begins so; MOVED stands for what is not mentioned."""


class Requests(Protocol):
    """Decides which commands the node serves."""

    def check(self, session: Session, command: Command, args: Sequence[bytes]) -> int | None:
        """Raise unless this node serves a call.  Returns the slot, if any."""


class Slots:
    """The slots that one run of a script may use; scripts that declare no flags, ``None``, may use several."""

    def __init__(
        self, requests: Requests, client: Session, flags: Collection[bytes] | None, keys: Sequence[bytes]
    ) -> None:
        if flags is not None and NO_CLUSTER in flags:
            raise CommandError("ERR Can not run script on cluster, 'no-cluster' flag is set.")
        self._requests = requests
        self._client = client
        self._is_bound = flags is not None and CROSS_SLOT not in flags
        self._slot = key_slot(keys[0]) if keys else None

    def check(self, session: Session, command: Command, args: Sequence[bytes]) -> None:
        """Raise unless the script may make a call."""
        session.asking, session.reads_replicas = self._client.asking, self._client.reads_replicas
        try:
            slot = self._requests.check(session, command, args)
        except CommandError as error:
            raise CommandError(self._text(str(error), command)) from None
        if slot is None or not self._is_bound:
            return
        if self._slot is None:
            self._slot = slot
        elif self._slot != slot:
            raise CommandError(_SEVERAL)

    def _text(self, refusal: str, command: Command) -> str:
        edition = self._client.engine.config.edition
        texts = _TEXTS_OF_VALKEY if edition.is_valkey else _TEXTS_OF_7_2 if edition.precedes("7.4.0") else _TEXTS
        text = next((text for start, text in texts.items() if refusal.startswith(start)), texts["MOVED"])
        return "ERR " + text.format(command.full_name.decode())
