"""One run of a script or a function: what it calls, and whether it may."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Final

from emulator.acl.users import explanation
from emulator.datatypes.string import Embedded
from emulator.keyspace.eviction import OUT_OF_MEMORY
from emulator.protocol.errors import NO_REPLICAS, READ_ONLY_REPLICA, CommandError, as_text, one_line
from emulator.protocol.numbers import is_integer
from emulator.protocol.replies import Reply, Status
from emulator.table.lookup import find
from emulator.table.registry import DENYOOM, MAY_REPLICATE, NOSCRIPT, WRITE, Command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.scripting.runtime import Lua
    from emulator.scripting.slots import Slots

_EXACT = 1 << 53
_EVERYBODY = 3
"""``REPL_ALL``."""


class Invocation:
    """A script that runs for a client; ``session`` is the one that its commands run in, ``name`` its SHA-1 or function.

    ``audience`` is who is told of what it does, as `redis.set_repl` has it.  ``wrote`` tells whether it has changed
    something: it can no longer be killed then.  ``declared`` are the only keys that it may use, None where it may use
    any.  ``slots`` are those that it may use in cluster mode.  A client that is ``fast_path`` has a user who may do
    everything, and nothing that `_check_state` asks about holds for it.
    """

    audience = _EVERYBODY
    slots: Slots | None = None
    wrote = False
    killed = False
    protocol = 2
    _null: bool | None = False

    def __init__(
        self,
        lua: Lua,
        client: Session,
        session: Session,
        name: bytes,
        read_only: bool,
        declared: frozenset[bytes] | None = None,
        by_function: bool = False,
    ) -> None:
        self.lua = lua
        self.client = client
        self.session = session
        self.name = name
        self.read_only = read_only
        self.declared = declared
        self.by_function = by_function
        self.words: Sequence[bytes] = client.words
        self.started = monotonic()
        self._engine = engine = client.engine
        self._dispatch = engine.dispatch
        self._lookup = engine.commands.get
        self._bound = read_only or declared is not None
        self._convert = lua.converters[2]

    def set_protocol(self, version: int) -> None:
        """``redis.setresp``: from now on the script gets replies in the types of this protocol."""
        self.protocol = version
        self._null = False if version == 2 else None
        self._convert = self.lua.converters[version]
        self.session.set_protocol(version)

    @property
    def milliseconds(self) -> int:
        """How long it has been running."""
        return int((monotonic() - self.started) * 1000)

    def invoke(self, words: Sequence[Any]) -> Any:
        """``redis.call``: the reply as Lua has it, None and the text of an error, or None twice and that of a status.

        An error of the words themselves has False behind it, since it counts only where it is answered.

        Where the client has the short way, so have the commands of its scripts.
        """
        client = self.client
        try:
            for word in words:
                if word.__class__ is not bytes:
                    words = self._texts(words)
                    break
        except CommandError as error:
            return None, one_line(error), False
        command = self._lookup(words[0])
        if (
            command is None
            or not command.least <= len(words) <= command.most
            or command.flags & NOSCRIPT
            or self._bound
            or not client.fast_path
            or client.followed
        ):
            return self._invoke_with_guards(words)
        if command.flags & WRITE:
            self.wrote = True
        session = self.session
        session.last_command, session.words = command, words
        started = perf_counter()
        try:
            if len(words) == 2:  # a call is quicker where its arguments are spelt out
                reply: Reply = command.fn(session, words[1])  # type: ignore[misc]
            else:
                reply = command.fn(session, *words[1:])  # type: ignore[misc]
        except Exception as error:
            reply = self._dispatch.failure(self._engine, command, error)
        elapsed = perf_counter() - started
        for meter in self._engine.meters:
            meter(session, command, words, reply, elapsed)
        self._dispatch.count(client, session, command, words, elapsed)
        kind = reply.__class__
        if kind is bytes or kind is int:
            return reply
        return self._null if reply is None else self._converted(reply)

    def _invoke_with_guards(self, words: Sequence[bytes]) -> Any:
        command: Command | None = None
        try:
            command = self._find(words)
            if not command.least <= len(words) <= command.most:
                raise CommandError(self.lua.wording.wrong_number)
            self._check(command, words)
        except CommandError as error:
            return self._refused(command, error)
        session = self.session
        session.last_command = command
        if self.audience == _EVERYBODY:
            return self._converted(self._dispatch.nested(session, command, words))
        with self._engine.propagation.told_to(self.audience):
            return self._converted(self._dispatch.nested(session, command, words))

    def _refused(self, command: Command | None, error: CommandError) -> tuple[None, bytes]:
        if command is not None:
            command.rejected += 1
        self._engine.stats.count_error(str(error))
        return None, one_line(error)

    def _converted(self, reply: Reply) -> Any:
        if reply.__class__ is Status:
            return None, None, reply
        if reply.__class__ is CommandError:
            return None, one_line(reply)
        return self.lua.converted(reply, self._convert)

    def check_command(self, words: Sequence[Any]) -> Any:
        """``redis.acl_check_cmd``: whether the user may run a command; None and an error where there is no such call."""
        try:
            args = self._texts(words)
        except CommandError as error:
            return None, one_line(error)
        edition, api = self._engine.config.edition, self.lua.wording.api.encode()
        try:
            command = find(self._engine.commands, args)
        except CommandError:
            return None, b"ERR Invalid command passed to %b.acl_check_cmd()" % api
        if edition.includes("8.6.0") and not command.least <= len(args) <= command.most:
            return None, b"ERR Wrong number of args for %b.acl_check_cmd()" % api
        return self.session.check_user(self.client.user, command, args) is None

    def _find(self, args: Sequence[bytes]) -> Command:
        engine = self._engine
        try:
            return find(engine.commands, args)
        except CommandError as error:
            is_container = engine.commands.own(args[0].lower()) is not None
            if is_container and engine.config.edition.is_valkey:
                raise
            raise CommandError(self.lua.wording.unknown_command) from error

    def _check(self, command: Command, args: Sequence[bytes]) -> None:
        """The guards in the order in which Redis has them."""
        if command.flags & NOSCRIPT and not self._engine.scripting.may_call_all:
            raise CommandError(self.lua.wording.not_in_scripts)
        obeyed = self.client.is_obeyed
        if not obeyed:
            self._check_user(command, args)
        if self.declared is not None:
            self._check_declared(command, args)
        if self.read_only and command.flags & (WRITE | MAY_REPLICATE):
            raise CommandError("ERR Write commands are not allowed from read-only scripts.")
        if command.flags & WRITE:
            if not self.wrote and not obeyed:
                self._check_state(command)
            self.wrote = True
        if self.slots is not None:
            self.slots.check(self.session, command, args)

    def _check_state(self, command: Command) -> None:
        """What the first command that writes depends on; a script that has written goes on."""
        engine = self._engine
        if engine.replication.is_read_only:
            raise CommandError(READ_ONLY_REPLICA)
        if (misconf := engine.persistence.refusal_of_writes()) is not None:
            raise CommandError(misconf)
        if engine.lacks_replicas:
            raise CommandError(NO_REPLICAS)
        if engine.out_of_memory and command.flags & DENYOOM and not self._may_grow():
            raise CommandError(OUT_OF_MEMORY)

    def _check_declared(self, command: Command, args: Sequence[bytes]) -> None:
        for key, _ in command.find_keys(args):
            if key not in (self.declared or ()):
                raise CommandError(
                    "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. "
                    f"Key was: {as_text(key)}"
                )

    def _may_grow(self) -> bool:
        """Whether the script may write although memory is short, as it says itself."""
        words = self.client.words
        command = find(self._engine.commands, words)
        flags = self._engine.scripting.flags_of(command, words)
        return flags != command.flags and not flags & DENYOOM

    def _check_user(self, command: Command, args: Sequence[bytes]) -> None:
        user = self.client.user
        denial = self.session.check_user(user, command, args)
        if denial is not None:
            self._engine.acl.refused(self.client, denial, b"lua")
            raise CommandError(f"ERR ACL failure in script: {explanation(user, denial)}")

    def _texts(self, words: Sequence[Any]) -> Sequence[bytes]:
        return [word if word.__class__ is bytes else self._text(word) for word in words]

    def _text(self, word: Any) -> bytes:
        """An argument of a command: a string, or a number as text."""
        if word.__class__ is int:
            return b"%d" % word if -_EXACT < word < _EXACT else self.lua.print_number(float(word))
        if word.__class__ is float:
            text = self.lua.print_number(word)
            return b"-nan" if text == b"nan" and math.copysign(1, word) < 0 else text
        raise CommandError(self.lua.wording.bad_word)


_KEPT: Final = {
    **dict.fromkeys((b"set", b"setnx", b"getset", b"append"), slice(2, 3)),
    **dict.fromkeys((b"setex", b"psetex"), slice(3, 4)),
    **dict.fromkeys((b"mset", b"msetnx"), slice(2, None, 2)),
    b"msetex": slice(3, None, 2),
}
"""Commands that set strings, and where these stand."""


class OfValkey(Invocation):
    """The same in Valkey, which keeps a number that a script sets as text."""

    def invoke(self, words: Sequence[Any]) -> Any:
        place = _KEPT.get(words[0].lower()) if words[0].__class__ is bytes else None
        if place is not None:
            kept = list(words)
            kept[place] = [self._kept(word) for word in words[place]]
            words = kept
        return super().invoke(words)

    def _kept(self, word: Any) -> Any:
        text = self._text(word) if word.__class__ in (int, float) else word
        return Embedded(text) if text.__class__ is bytes and is_integer(text) else word

    def _text(self, word: Any) -> bytes:
        return word if word.__class__ is Embedded else super()._text(word)
