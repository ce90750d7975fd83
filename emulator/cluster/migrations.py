"""All migrations of slots that a node takes part in, and what the nodes at both ends say to each other.

They speak over the bus, as a module that only nodes of ours have: ``SYNC`` (the target asks for slots), ``OFFER`` (the source
offers them, and is answered by ``SYNC``), ``KEYS`` and ``ACK``, ``HANDOVER`` and ``TAKEN``, ``FAIL``.  A message is a list of
words, each after its length in four bytes, whereof the second is the id of the migration.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from emulator.clients.session import Session
from emulator.cluster.export import Export
from emulator.cluster.migration import (
    CANCELED,
    DONE,
    FAILED,
    HANDING_OVER,
    SENDING,
    WAITING,
    Migration,
)
from emulator.cluster.packet import MODULE, ModuleMessage
from emulator.cluster.state import ALL_SLOTS, ID_LENGTH, SLOTS, Node, members, new_id, range_words
from emulator.datatypes.slots import key_slot
from emulator.protocol.errors import CommandError
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus

logger = logging.getLogger("emulator")

_MODULE_ID: Final = int.from_bytes(b"emulator", "big")
_KEPT: Final = 1000
_RETRY_AFTER: Final = 1000
_WORDS_OF_A_KEY: Final = 4
_FLUSHED: Final = "Data was flushed"
_CONNECTION_LOST: Final = (
    "Connection lost to source. Check CLUSTER GETSLOTMIGRATIONS on the source node for more information."
)


class Migrations:
    """``log`` has the migrations under way and those that have ended, the newest first."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.log: list[Migration] = []
        self._export: Export | None = None
        self._hearers: dict[bytes, Callable[[Node, bytes, Sequence[bytes]], None]] = {
            b"SYNC": self._hear_sync,
            b"OFFER": self._hear_offer,
            b"KEYS": self._hear_keys,
            b"ACK": self._hear_ack,
            b"HANDOVER": self._hear_handover,
            b"TAKEN": self._hear_taken,
            b"FAIL": self._hear_failure,
        }

    @property
    def active(self) -> list[Migration]:
        """Those under way."""
        return [migration for migration in self.log if migration.is_active]

    @property
    def pending(self) -> list[Migration]:
        """Those under way, and those that have failed and are tried again."""
        return [migration for migration in self.log if migration.is_active or self._is_tried_again(migration)]

    @property
    def is_valkey(self) -> bool:
        return self._bus.engine.config.edition.is_valkey

    @property
    def longest_pause(self) -> int:
        """Milliseconds for which writes may wait."""
        config = self._bus.engine.config
        if self.is_valkey:
            return 2 * config.cluster_manual_failover_timeout
        return config.cluster_slot_migration_write_pause_timeout

    # What administrators want

    def begin_import(self, slots: int, source: Node) -> Migration:
        """Get slots from a node (Redis)."""
        migration = self._enter(new_id(self._bus.engine.random), slots, source, is_import=True)
        self._tell_created(migration)
        self._ask(migration)
        return migration

    def begin_exports(self, wanted: Iterable[tuple[int, Node]]) -> None:
        """Give slots to nodes (Valkey)."""
        begun = [
            self._enter(new_id(self._bus.engine.random), slots, target, is_import=False) for slots, target in wanted
        ]
        self.log[: len(begun)] = begun
        self._offer_next()

    def _enter(self, id: bytes, slots: int, other: Node, is_import: bool) -> Migration:
        me, now = self._bus.state.myself, self._bus.now
        source, target = (other, me) if is_import else (me, other)
        migration = Migration(id, slots, source, target, is_import, created=now, started=now, heard=now)
        self.log.insert(0, migration)
        for old in [each for each in self.log[_KEPT:] if not each.is_active]:
            self.log.remove(old)
        return migration

    def _tell_created(self, migration: Migration) -> None:
        logger.log(
            NOTICE,
            "%s task %s created: src=%s, dest=%s, slots=%s",
            "Import" if migration.is_import else "Migrate",
            migration.id.decode(),
            migration.source.id.decode(),
            migration.target.id.decode(),
            range_words(migration.slots).decode(),
        )

    def cancel(self, chosen: Iterable[Migration]) -> int:
        """Give migrations up that have not come to their end; how many that were."""
        count = 0
        for migration in chosen:
            if migration.phase in (DONE, CANCELED) or (
                migration.phase == FAILED and not self._is_tried_again(migration)
            ):
                continue
            count += 1
            reason = f"Cancelled due to user request (state: {migration.state.decode()}, rdb_channel_state: none)"
            self._end(migration, CANCELED, "" if self.is_valkey else reason)
        self._offer_next()
        return count

    def flushed(self) -> None:
        """All keys are gone: what has been sent is not what there is."""
        for migration in self.active:
            self._end(migration, FAILED, _FLUSHED)
        self._offer_next()

    # In time

    def tick(self) -> None:
        """Give up those whose other end is silent, and try again those that Redis tries again."""
        bus = self._bus
        for migration in self.log:
            if migration.is_active and migration.heard and self._is_late(migration):
                self._end(migration, FAILED, "No answer from the other node in time")
            elif self._is_tried_again(migration) and bus.now - migration.heard > _RETRY_AFTER:
                migration.retries += 1
                migration.phase, migration.started = WAITING, bus.now
                self._ask(migration)

    def _is_late(self, migration: Migration) -> bool:
        now = self._bus.now
        if migration.paused and now - migration.paused > self.longest_pause:
            return True
        waits_for_turn = not migration.is_import and migration.phase == WAITING and self._export is not None
        return now - migration.heard > self._bus.node_timeout and not waits_for_turn

    def _is_tried_again(self, migration: Migration) -> bool:
        """Whether an import goes on after a failure: in Redis, as long as the source has the slots."""
        return (
            migration.phase == FAILED
            and migration.is_import
            and not self.is_valkey
            and migration.source.slots & migration.slots == migration.slots
            and self._bus.state.nodes.get(migration.source.id) is migration.source
        )

    def _ask(self, migration: Migration) -> None:
        migration.heard = self._bus.now
        self.say(migration, b"SYNC", migration.slots.to_bytes(SLOTS // 8, "little"))

    def _offer_next(self) -> None:
        """Offer the slots of the oldest export that waits, if none is under way."""
        if self._export is not None:
            return
        waiting = [each for each in self.active if not each.is_import and each.phase == WAITING]
        if waiting and self.is_valkey:
            migration = waiting[-1]
            migration.heard = self._bus.now
            self.say(migration, b"OFFER", migration.slots.to_bytes(SLOTS // 8, "little"))

    def _end(self, migration: Migration, phase: str, error: str = "") -> None:
        """Come to an end; where it is not a good one the other node is told, and the target forgets the keys that it got."""
        bus = self._bus
        if migration.is_active and phase != DONE:
            told = _CONNECTION_LOST if self.is_valkey else error
            self.say(migration, b"FAIL", told.encode())
        migration.phase, migration.error, migration.heard = phase, error, bus.now
        if not self._is_tried_again(migration):
            migration.ended = bus.now
        if self._export is not None and self._export.migration is migration:
            export, self._export = self._export, None
            export.end()
        if migration.is_import and phase != DONE:
            bus.delete_keys(migration.slots & ~bus.state.myself.slots)
        word = "Import" if migration.is_import else "Migrate"
        told = f"failed: slots={range_words(migration.slots).decode()}, err={error}" if phase != DONE else "completed"
        logger.log(NOTICE, "%s task %s %s", word, migration.id.decode(), told)

    # What is said

    def say(self, migration: Migration, word: bytes, *words: bytes) -> None:
        """Tell the node at the other end of a migration."""
        self._answer(migration.other, word, migration.id, *words)

    def _answer(self, node: Node, *words: bytes) -> None:
        data = b"".join([len(word).to_bytes(4, "big") + word for word in words])
        self._bus.send(node.link, MODULE, ModuleMessage(_MODULE_ID, 0, data))

    def hear(self, sender: Node, message: ModuleMessage) -> None:
        """A node has said something; what makes no sense is passed over."""
        words = _words(message.data)
        if message.module != _MODULE_ID or len(words) < 2 or len(words[1]) != ID_LENGTH:
            return
        hearer = self._hearers.get(words[0])
        if hearer is not None:
            hearer(sender, words[1], words[2:])

    def _found(self, sender: Node, id: bytes, is_import: bool) -> Migration | None:
        """The migration under way that a node speaks of, which is at its other end."""
        for migration in self.active:
            if migration.id == id and migration.is_import is is_import and migration.other is sender:
                migration.heard = self._bus.now
                return migration
        return None

    # The source

    def _hear_sync(self, sender: Node, id: bytes, words: Sequence[bytes]) -> None:
        """A node asks for slots, or takes those that were offered."""
        migration = self._found(sender, id, is_import=False)
        slots = int.from_bytes(words[0], "little") & ALL_SLOTS if words else 0
        if migration is None and not self.is_valkey:
            me = self._bus.state.myself
            if self.active or not slots or slots & ~me.slots or not me.is_master:
                refusal = (
                    "Another ASM task is already in progress" if self.active else "Slots are not served by this node"
                )
                self._answer(sender, b"FAIL", id, refusal.encode())
                return
            migration = self._enter(id, slots, sender, is_import=False)
            self._tell_created(migration)
        if migration is not None and self._export is None:
            self._export = Export(self, migration, self._bus.engine)
            self._export.proceed()

    def _export_of(self, sender: Node, id: bytes) -> Export | None:
        migration = self._found(sender, id, is_import=False)
        export = self._export
        return export if export is not None and export.migration is migration else None

    def _hear_ack(self, sender: Node, id: bytes, words: Sequence[bytes]) -> None:
        export = self._export_of(sender, id)
        if export is not None:
            export.proceed()

    def _hear_taken(self, sender: Node, id: bytes, words: Sequence[bytes]) -> None:
        """The target has the slots."""
        export = self._export_of(sender, id)
        if export is None or not export.migration.paused:
            return
        bus, slots = self._bus, export.migration.slots
        bus.state.assign(sender, members(slots))
        self._end(export.migration, DONE)
        bus.delete_keys(slots)
        bus.changed()
        self._offer_next()

    # The target

    def _hear_offer(self, sender: Node, id: bytes, words: Sequence[bytes]) -> None:
        slots = int.from_bytes(words[0], "little") & ALL_SLOTS if words else 0
        if not self.is_valkey or not slots or slots & ~sender.slots or not self._bus.state.myself.is_master:
            self._answer(sender, b"FAIL", id, b"Slots are not served by this node")
        elif all(migration.id != id for migration in self.log):
            self._ask(self._enter(id, slots, sender, is_import=True))

    def _hear_keys(self, sender: Node, id: bytes, words: Sequence[bytes]) -> None:
        migration = self._found(sender, id, is_import=True)
        if migration is None:
            return
        migration.phase = SENDING
        try:
            self._take_keys(migration, words)
        except CommandError as error:
            self._end(migration, FAILED, str(error))
            return
        self.say(migration, b"ACK")

    def _take_keys(self, migration: Migration, words: Sequence[bytes]) -> None:
        engine = self._bus.engine
        session = Session(engine)  # type: ignore[arg-type]
        session.deny_blocking = True
        restore, delete = (engine.original_commands[name] for name in (b"restore", b"del"))
        try:
            with engine.turn_of(session):
                for place in range(0, len(words) - len(words) % _WORDS_OF_A_KEY, _WORDS_OF_A_KEY):
                    index, key, deadline, payload = words[place : place + _WORDS_OF_A_KEY]
                    if (
                        not migration.slots >> key_slot(key) & 1
                        or not index.isdigit()
                        or not int(index) < len(engine.databases)
                    ):
                        raise CommandError("ERR a key of another slot")
                    session.db = engine.databases[int(index)]
                    call = [b"RESTORE", key, deadline, payload, b"REPLACE", b"ABSTTL"] if payload else [b"DEL", key]
                    reply = engine.dispatch.nested(session, restore if payload else delete, call)
                    if isinstance(reply, CommandError):
                        raise reply
        finally:
            session.forget()
        if engine.pending_work:
            engine.work()
        if engine.unwritten:
            engine.persistence.log.flush()

    def _hear_handover(self, sender: Node, id: bytes, words: Sequence[bytes]) -> None:
        """All keys are here: have the slots from now on."""
        migration = self._found(sender, id, is_import=True)
        if migration is None:
            return
        bus = self._bus
        migration.phase = HANDING_OVER
        bus.state.assign(bus.state.myself, members(migration.slots))
        bus.state.bump_epoch()
        self._end(migration, DONE)
        self.say(migration, b"TAKEN")
        bus.changed()
        bus.settle()
        bus.greetings.answer_all()

    def _hear_failure(self, sender: Node, id: bytes, words: Sequence[bytes]) -> None:
        error = words[0].decode("utf-8", "replace") if words else ""
        for is_import in (True, False):
            migration = self._found(sender, id, is_import)
            if migration is not None:
                self._end(migration, FAILED, error)
        self._offer_next()


def _words(data: bytes) -> list[bytes]:
    """The words of a message, as far as they are whole."""
    words, place = [], 0
    while place + 4 <= len(data):
        end = place + 4 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            break
        words.append(data[place + 4 : end])
        place = end
    return words
