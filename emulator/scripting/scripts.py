"""EVAL and its kin: the cache of scripts, and how scripts and functions are run.

Scripts that came by EVAL are kept while they are among the last 500, those of SCRIPT LOAD until SCRIPT FLUSH.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from emulator.clients.session import Session
from emulator.datatypes.footprint import POINTER, buckets, string_size
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import Nested, Reply
from emulator.scripting.flags import ALLOW_OOM, FLAGS, KEY_LOCKING, NO_WRITES, READ_ONLY_ONLY, read_shebang
from emulator.scripting.slots import Slots
from emulator.table.lookup import find
from emulator.table.registry import DENYOOM, MAY_REPLICATE, WRITE, Command

if TYPE_CHECKING:
    from emulator.config.wording import Wording
    from emulator.core.engine import Engine
    from emulator.scripting.functions import Libraries
    from emulator.scripting.invocation import Invocation
    from emulator.scripting.runtime import Lua, Random48

logger = logging.getLogger("emulator")

_MOST_EVALUATED: Final = 500
_SCRIPTS_AT_REST: Final = 32768
_FUNCTIONS_AT_REST: Final = 33792
"""What the real server's machines of Lua use before they are used."""
_SCRIPT: Final = 120
_NO_FUNCTIONS: Final = 192
_LIBRARY: Final = 40
_FUNCTION: Final = 80
"""What it needs to know a script, a library or a function by, beside its code, and what without any."""
_NO_MEMORY: Final = "ERR not enough memory"


class Script:
    """A compiled script; ``flags`` is None where it has no shebang line."""

    __slots__ = ("chunk", "flags", "source")

    def __init__(self, source: bytes, chunk: Any, flags: frozenset[bytes] | None) -> None:
        self.source = source
        self.chunk = chunk
        self.flags = flags


class Scripting:
    """The scripts of an engine, its libraries of functions, and the Lua that runs them, which is made when it is needed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.scripts: dict[bytes, Script] = {}
        self._evaluated: dict[bytes, None] = {}  # those that no SCRIPT LOAD keeps, the one that ran last at the end
        self.evicted = 0
        self.may_call_all = False
        self._ending = False
        self._lua: Lua | None = None
        self._random: Random48 | None = None
        self._libraries: Libraries | None = None
        self._session: Session | None = None

    def new_lua(self) -> Lua:
        """A runtime: scripts have one, functions another, and both the same random numbers."""
        from emulator.scripting.conversion import to_reply
        from emulator.scripting.invocation import Invocation, OfValkey
        from emulator.scripting.runtime import Lua, Random48

        self._to_reply = to_reply
        self._invocation = OfValkey if self.engine.config.edition.is_valkey else Invocation
        self._random = self._random or Random48()
        lua = Lua(self._random, self.engine.config.edition)
        lua.is_overdue = lambda: self._is_overdue(lua)
        return lua

    @property
    def wording(self) -> Wording:
        """The texts of the server that it is."""
        return self.engine.config.edition.wording

    @property
    def lua(self) -> Lua:
        """The runtime of scripts."""
        if self._lua is None:
            self._lua = self.new_lua()
            self._lua.on_shortage = self._forget_evaluated
        return self._lua

    @property
    def libraries(self) -> Libraries:
        """The libraries of functions."""
        if self._libraries is None:
            from emulator.scripting.functions import Libraries

            self._libraries = Libraries(self)
        return self._libraries

    @property
    def vm_memory(self) -> tuple[int, int]:
        """Bytes that the real server's two machines of Lua would use, for scripts and for functions."""
        scripts = 0 if self._lua is None else self._lua.gathered
        functions = 0 if self._libraries is None else self._libraries.memory
        return (_SCRIPTS_AT_REST + scripts) & -1024, (_FUNCTIONS_AT_REST + functions) & -1024

    @property
    def counts(self) -> tuple[int, int]:
        """How many libraries and functions there are."""
        return (0, 0) if self._libraries is None else (len(self._libraries.libraries), len(self._libraries.functions))

    @property
    def scripts_memory(self) -> int:
        """Bytes that the real server would need to know the scripts by."""
        each = sum(_SCRIPT + string_size(len(script.source)) for script in self.scripts.values())
        return POINTER * buckets(len(self.scripts)) + each if self.scripts else 0

    @property
    def functions_memory(self) -> int:
        """Bytes that the real server would need for libraries and their functions."""
        libraries, functions = self.counts
        if self._libraries is None or not libraries:
            return _NO_FUNCTIONS
        codes = sum(_LIBRARY + string_size(len(library.code)) for library in self._libraries.libraries.values())
        return _NO_FUNCTIONS + POINTER * buckets(libraries) + codes + _FUNCTION * functions

    @property
    def allowed_flags(self) -> frozenset[bytes]:
        """The flags that scripts and functions of the client that is being served may declare."""
        client = self.engine.current
        return FLAGS | {KEY_LOCKING} if client is not None and client.upstash else FLAGS

    # The cache

    def compiled(self, source: bytes, load: bool = False) -> tuple[bytes, Script]:
        """A script and its SHA-1; compiled now unless it is known.  It is kept where it is to `load`."""
        name = hashlib.sha1(source).hexdigest().encode()
        script = self.scripts.get(name)
        if script is None:
            code, flags = read_shebang(source, self.allowed_flags, self.wording.unknown_engine)
            try:
                chunk = self.lua.compile(code)
            except CommandError as error:
                text = str(error).removeprefix("ERR ")
                raise CommandError(f"ERR Error compiling script (new function): {text}") from None
            script = self.scripts[name] = Script(source, chunk, flags)
            if not load:
                self._evaluated[name] = None
                if len(self._evaluated) > _MOST_EVALUATED:
                    self._evict(next(iter(self._evaluated)))
        return name, script

    def _evict(self, name: bytes) -> None:
        del self._evaluated[name], self.scripts[name]
        self.evicted += 1

    def _forget_evaluated(self) -> None:
        """Keep those of SCRIPT LOAD only."""
        for name in list(self._evaluated):
            self._evict(name)

    def load(self, source: bytes) -> bytes:
        """SCRIPT LOAD: keep a script; its SHA-1."""
        name, _ = self.compiled(source, load=True)
        self._evaluated.pop(name, None)
        return name

    def flush(self) -> None:
        """SCRIPT FLUSH: forget every script, and with the runtime whatever they left behind."""
        self.scripts.clear()
        self._evaluated.clear()
        if self._lua is not None:
            self._lua.close()
            self._lua = None

    def reset(self) -> None:
        """Be as at first: no scripts, no libraries, no Lua; its random numbers begin anew."""
        self.flush()
        if self._libraries is not None:
            self._libraries.flush()
            self._libraries = None
        self._random = None
        self.evicted = 0
        self.may_call_all = False

    def flags_of(self, command: Command, args: Sequence[bytes]) -> int:
        """The flags of a call that runs a script or function, of which those that it declares itself are part."""
        declared = self._declared(command, args)
        if declared is None:
            return command.flags
        flags = command.flags & ~MAY_REPLICATE
        if NO_WRITES not in declared:
            flags |= WRITE
        return flags if ALLOW_OOM in declared or NO_WRITES in declared else flags | DENYOOM

    def _declared(self, command: Command, args: Sequence[bytes]) -> Collection[bytes] | None:
        """The flags that a script or function declares; None where it declares none or is not there."""
        if command.name.startswith(b"fcall"):
            function = self._libraries.find(args[1]) if self._libraries is not None else None
            return None if function is None else function.flags
        if command.name.startswith(b"evalsha"):
            script = self.scripts.get(args[1].lower())
            return None if script is None else script.flags
        try:
            return read_shebang(args[1], FLAGS | {KEY_LOCKING})[1]
        except CommandError:
            return None

    # Running

    def evaluate(
        self,
        client: Session,
        name: bytes,
        script: Script,
        words: Sequence[bytes],
        keys: int,
        reading: bool,
    ) -> Reply:
        """Run a script with words of which so many are keys; `reading` for the forms of EVAL that may not write."""
        if name in self._evaluated:
            self._evaluated[name] = self._evaluated.pop(name)
        lua = self.lua
        read_only = reading if script.flags is None else NO_WRITES in script.flags
        if reading and not read_only:
            raise CommandError(READ_ONLY_ONLY)
        invocation = self.invocation(lua, client, name, read_only, script.flags, words, keys)
        return self.run(invocation, lua.run_script, script.chunk, words, keys)

    def invocation(
        self,
        lua: Lua,
        client: Session,
        name: bytes,
        read_only: bool,
        flags: Collection[bytes] | None,
        words: Sequence[bytes],
        keys: int,
        by_function: bool = False,
    ) -> Invocation:
        """A run that is about to begin, of a script or function that declares these flags."""
        session = self._script_session(client)
        declared = frozenset(words[:keys]) if flags is not None and KEY_LOCKING in flags else None
        invocation = self._invocation(lua, client, session, name, read_only, declared, by_function)
        if self.engine.cluster is not None:
            invocation.slots = Slots(self.engine.cluster.requests, client, flags, words[:keys])
        if self._ending:
            invocation.killed = True
        return invocation

    def run(
        self,
        invocation: Invocation,
        run: Callable[..., tuple[Any, ...]],
        body: Any,
        words: Sequence[bytes],
        keys: int,
    ) -> Reply:
        """Run a chunk or a function; its result as a reply.  Raises CommandError where it fails."""
        lua, name = invocation.lua, invocation.name
        clock = self.engine.clock
        clock.hold()
        lua.current = invocation
        try:
            outcome = lua.call(run, body, words, keys)
            ok = outcome[0]
            if ok:
                reply = self._to_reply(lua, outcome, invocation.protocol)
        finally:
            lua.current = None
            invocation.session.words = ()
            clock.held = 0
            if self.engine.busy is not None:
                self._at_rest()
        if lua.exhausted:
            raise self._error(name, _NO_MEMORY, *lua.stop())
        if invocation.killed:
            killed = self.wording.killed_function if invocation.by_function else self.wording.killed_script
            raise self._error(name, killed, *lua.stop())
        if not ok:
            lua.tidy()
            _, text, *place = outcome
            raise self._error(name, as_text(text), *place)
        if reply.__class__ is CommandError:
            raise reply
        if reply.__class__ is Nested:
            self._count_errors(invocation.client, reply)
        return reply

    def _error(
        self, name: bytes, text: str, source: bytes | None = None, line: bytes | None = None, counted: bool = False
    ) -> CommandError:
        """The error of a script, with the place where it happened; `counted` where it is in the statistics already."""
        if source is not None and line is not None:
            text += self.wording.place.format(as_text(name), f"{as_text(source)}:{as_text(line)}")
        error = CommandError(text)
        error.counted = counted
        return error

    def _count_errors(self, client: Session, reply: Nested) -> None:
        """Errors within a script's reply count, and the script as one that failed."""
        errors = [part for part in reply if part.__class__ is CommandError]
        if errors:
            find(self.engine.commands, client.words).failed += 1
        for error in errors:
            if not error.counted:
                self.engine.stats.count_error(str(error))

    def owns(self, session: Session) -> bool:
        """Whether it is the session in which the commands of scripts run."""
        return session is self._session

    def _script_session(self, client: Session) -> Session:
        """The session that the commands of scripts run in: it never waits, and sees the client's database."""
        session = self._session
        if session is None:
            session = self._session = Session(self.engine)
            session.forget()
            session.deny_blocking = True
        session.db = client.db
        session.tracked = client.tracked
        if session.protocol != 2:
            session.set_protocol(2)
        return session

    def _at_rest(self) -> None:
        """What was slow has ended."""
        self.engine.busy = None
        self.engine.refresh_sessions()

    def _is_overdue(self, lua: Lua) -> bool:
        """Whether the script that runs has to stop.  Where it has been running for long the others are told."""
        engine = self.engine
        invocation = lua.current
        if invocation is None or invocation.milliseconds < engine.config.busy_reply_threshold:
            return False
        if engine.busy is None:
            engine.busy = invocation
            engine.refresh_sessions()
            logger.warning(
                "Slow script detected: still in execution after %d milliseconds. You can try killing the script using the "
                "%s command. Script name is: %s.",
                invocation.milliseconds,
                "FUNCTION KILL" if invocation.by_function else "SCRIPT KILL",
                as_text(invocation.name),
            )
        if engine.on_busy is not None:
            engine.on_busy()
        engine.clock.hold()  # for TIME it goes on then, for keys it does not
        return invocation.killed

    def check_quiet(self) -> None:
        """Raise where a script or a function has been running for long."""
        if self.engine.busy is not None:
            raise self.busy_error(self.engine.busy)

    def end(self) -> None:
        """The server ends: stop what runs, and what may still begin."""
        self._ending = True
        for lua in (self._lua, None if self._libraries is None else self._libraries.lua):
            running = None if lua is None else lua.current
            if running is not None:
                running.killed = True

    def refuse_busy(self, by_function: bool) -> None:
        """Raise where something of the other kind has been running for long: a script, or a function."""
        running = self.engine.busy
        if running is not None and running.by_function != by_function:
            raise self.busy_error(running)

    def kill(self, by_function: bool) -> None:
        """SCRIPT KILL and FUNCTION KILL: stop what runs, unless it has written already."""
        running = self.engine.busy
        if running is None:
            raise CommandError("NOTBUSY No scripts in execution right now.")
        self.refuse_busy(by_function)
        if running.wrote:
            raise CommandError(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
                "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
            )
        running.killed = True

    def busy_error(self, running: Invocation) -> CommandError:
        """What others are told while a script runs for long."""
        kill = "FUNCTION KILL" if running.by_function else "SCRIPT KILL"
        server = self.wording.server
        return CommandError(f"BUSY {server} is busy running a script. You can only call {kill} or SHUTDOWN NOSAVE.")
