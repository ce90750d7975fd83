"""An existing Redis as a database of the REST API: what the API does otherwise is done before and after Redis is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from emulator.acl.user import User
from emulator.acl.users import explanation
from emulator.core.engine import Engine
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Push, Received, Status
from emulator.protocol.text import to_bytes, to_text
from emulator.rest.database import EventStream, RestDatabase
from emulator.rest.dialect import refusal, scan_of, type_told
from emulator.rest.encoding import Format
from emulator.rest.events import monitor_event, push_event
from emulator.rest.key_locking import KeyLocking
from emulator.rest.requests import Words
from emulator.rest.texts import EMPTY_PIPELINE_COMMAND, bad_user
from emulator.rest.tokens import READ_ONLY_USER, Tokens, base32, new_token, parts_of, random_token, token_of
from emulator.rest.upstream import TROUBLE, AsyncConnection, Upstream, error_of
from emulator.table.lookup import find
from emulator.table.registry import READONLY

logger = logging.getLogger("emulator")

_MOST_UNSENT = 32 * 1024 * 1024

T = TypeVar("T")
Finish = Callable[[Received], Received | Awaitable[Received]]


class Access(NamedTuple):
    """Who has come in: the Redis as that user sees it, and the rules that it has here, if any."""

    upstream: Upstream
    rules: User | None = None


class Step(NamedTuple):
    """A command as it is sent, and what to make of the reply."""

    words: Words
    finish: Finish | None = None


class GatewayDatabase(RestDatabase):
    """A Redis elsewhere; an engine without data tells what has to be known of commands and of the read-only user."""

    def __init__(self, upstream: Upstream, token: str, read_only: str = "") -> None:
        self._upstream = upstream
        self._rules = Engine()
        self._tokens = Tokens(self._rules, token, read_only)
        self._scripts = KeyLocking()
        self._writes = 0

    async def close(self) -> None:
        await self._upstream.close()

    @property
    def sync_token(self) -> bytes:
        return b"zt" + base32(self._writes)

    async def access(self, token: str) -> Access | None:
        user = self._tokens.user(token)  # nobody but the two: the users of this engine have no other passwords
        if user is not None:
            return Access(self._upstream, user if user.name == READ_ONLY_USER else None)
        found = parts_of(token)
        if found is None:
            return None
        name, password = found
        for secret in (password, to_bytes(token)):
            upstream = await self._as_user(name, secret)
            if upstream is not None:
                return Access(upstream)
        return None

    async def _as_user(self, name: bytes, password: bytes) -> Upstream | None:
        """The Redis as a user sees it; None where the password is wrong now, or any other would do as well."""
        words = [to_text(name), to_text(password)]
        upstream = self._upstream.as_user(*words)
        try:
            other, own = await upstream.run([[b"AUTH", name, random_token().encode()], [b"AUTH", name, password]])
        except TROUBLE:
            other = own = None
        if isinstance(own, Status) and isinstance(other, CommandError):
            return upstream
        await self._upstream.forget_user(*words)
        return None

    # Commands

    def _step(self, access: Access, command: Words) -> Step | CommandError:
        """How a command is sent, or why it is not."""
        error = refusal(command, strict=False) or self._denial(access, command)
        if error is not None:
            return error
        name = command[0].lower()
        if name == b"acl" and len(command) in (3, 4):
            action = command[1].upper()
            if action == b"RESTTOKEN" and len(command) == 4:
                return Step([b"ACL", b"WHOAMI"], lambda reply: self._rest_token(reply, command[2], command[3]))
            if action == b"GENTOKEN":
                return Step([b"ACL", b"WHOAMI"], lambda reply: _instead(reply, new_token(*command[2:])))
        if name == b"copy" and len(command) == 3 and command[1] == command[2]:
            return Step([b"EXISTS", command[1]], lambda reply: _instead(reply, 0))
        if name == b"type":
            return Step(command, type_told)
        if name == b"scan":
            words, with_types = scan_of(command)
            return Step(words, (lambda reply: self._with_types(access, reply)) if with_types else None)
        if name in (b"xread", b"xreadgroup"):
            return Step(_without_block(command))
        if name in (b"wait", b"waitaof"):
            return Step([*command[:-1], b"1"])  # milliseconds: a request is not held open
        return Step(*self._scripts.rewritten(command))

    def _denial(self, access: Access, command: Words) -> CommandError | None:
        if access.rules is None:
            return None
        try:
            entry = find(self._rules.commands, command)
        except CommandError as error:
            return error
        denial = access.rules.check(entry, command)
        return None if denial is None else CommandError(f"NOPERM {explanation(access.rules, denial)}")

    async def _rest_token(self, reply: Received, name: bytes, password: bytes) -> Received:
        if isinstance(reply, CommandError):
            return reply
        return bad_user(name) if await self._as_user(name, password) is None else token_of(name, password)

    @staticmethod
    async def _with_types(access: Access, reply: Received) -> Received:
        if not isinstance(reply, list):
            return reply
        cursor, found = reply
        types = map(type_told, await access.upstream.run([[b"TYPE", key] for key in found]))
        return [cursor, [word for pair in zip(found, types, strict=True) for word in pair]]

    def _note(self, words: Words) -> None:
        """Move the sync token on where a command may have written."""
        try:
            reading = find(self._rules.commands, words).flags & READONLY
        except CommandError:
            reading = 0
        if not reading:
            self._writes += 1

    async def run(self, access: Access, address: bytes, commands: Sequence[Words], format: Format) -> list[bytes]:
        steps = [self._step(access, command) for command in commands]
        sent = [step for step in steps if isinstance(step, Step)]
        answers = iter(await _asked(access.upstream.run([step.words for step in sent]))) if sent else iter(())
        pieces = []
        for step in steps:
            reply = await self._finished(step, next(answers)) if isinstance(step, Step) else step
            pieces.append(format.answers[reply.__class__](reply))
        return pieces

    async def _finished(self, step: Step, reply: Received) -> Received:
        self._note(step.words)
        if step.finish is None:
            return reply
        made = step.finish(reply)
        return await made if isinstance(made, Awaitable) else made

    async def transaction(self, access: Access, address: bytes, commands: Sequence[Words], format: Format) -> bytes:
        steps = []
        for command in commands:
            step = self._step(access, command) if command else CommandError(EMPTY_PIPELINE_COMMAND)
            if isinstance(step, CommandError):
                raise step
            steps.append(step)
        replies = await _asked(access.upstream.transaction([step.words for step in steps]))
        made = [await self._finished(step, reply) for step, reply in zip(steps, replies, strict=True)]
        return format.transaction[list](made)

    async def listen(self, access: Access, address: bytes, command: Words) -> EventStream:
        denial = self._denial(access, command)
        if denial is not None:
            raise denial
        connection = access.upstream.connection()
        await _asked(connection.open())
        try:
            await connection.send(*command)
            first = await _asked(connection.receive())
            if isinstance(first, CommandError):
                raise first
        except BaseException:
            await connection.close()
            raise
        return GatewayStream(connection, first)


async def _asked(asking: Awaitable[T]) -> T:
    """What was asked for, or the error that Redis cannot be reached."""
    try:
        return await asking
    except TROUBLE as error:
        logger.warning("upstream: %s", error)
        raise error_of(error) from None


def _instead(reply: Received, value: Received) -> Received:
    return reply if isinstance(reply, CommandError) else value


def _without_block(command: Words) -> Words:
    """XREAD or XREADGROUP without BLOCK: what is there is answered at once."""
    words = list(command)
    for place, word in enumerate(words):
        if word.upper() == b"STREAMS":
            break
        if word.upper() == b"BLOCK":
            del words[place : place + 2]
            break
    return words


class GatewayStream(EventStream):
    """A connection that listens, whose events are sent on by a task."""

    def __init__(self, connection: AsyncConnection, first: Received) -> None:
        self._connection = connection
        self._first = first
        self._task: asyncio.Task[None] | None = None

    def begin(self, send: Callable[[bytes], None], end: Callable[[], None], transport: asyncio.Transport) -> None:
        self._task = asyncio.get_running_loop().create_task(self._listen(send, end, transport))

    async def _listen(
        self, send: Callable[[bytes], None], end: Callable[[], None], transport: asyncio.Transport
    ) -> None:
        reply = self._first
        try:
            while True:
                send(monitor_event(reply) if isinstance(reply, bytes) else push_event(Push(reply)))
                if transport.get_write_buffer_size() > _MOST_UNSENT:
                    transport.abort()
                    return
                reply = await self._connection.receive()
        except TROUBLE as error:
            logger.warning("upstream: %s", error)
            end()
        finally:
            await self._connection.close()

    def close(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._connection.close())
        else:
            self._task.cancel()
