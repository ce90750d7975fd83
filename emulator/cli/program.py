"""The program: which of its modes is asked for, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from emulator.cli.connection import Lost, Unreachable
from emulator.cli.conversation import Conversation, Failed
from emulator.cli.options import ClientOptions, fail, read_options
from emulator.protocol.errors import ProtocolError

_CLOSED_PIPE = 141
"""The exit status of a program that nobody reads from any more, as a shell tells it."""


def run(arguments: Sequence[str]) -> int:
    """Do what the command line asks for; the exit status."""
    _open_what_is_closed()
    try:
        status = _ended(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written is for nobody
        return _CLOSED_PIPE


def _open_what_is_closed() -> None:
    """A standard stream that we were started without leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def _ended(arguments: Sequence[str]) -> int:
    try:
        return _run(read_options(arguments, os.environ))
    except SystemExit as end:
        return int(end.code or 0)
    except (Unreachable, Failed) as failure:
        sys.stderr.write(f"{failure}\n")
    except Lost as failure:
        sys.stderr.write(f"Error: {failure}\n")
    except ProtocolError as error:
        sys.stderr.write(f"Error: Protocol error, {error}\n")
    return 1


def _run(options: ClientOptions) -> int:
    if options.ask_password:
        from emulator.cli.editor import ask_password

        options.password = ask_password("Please input password: ")
    if options.output in ("json", "quoted-json") and not options.protocol:
        options.protocol = 3
    conversation = Conversation(options)
    if options.mode == "eval":
        return _run_command(conversation, _script(options))
    if options.mode:
        return _run_mode(conversation)
    if options.command:
        return _run_command(conversation, _completed(options))
    from emulator.cli.prompt import Prompt

    return Prompt(conversation).run()


def _run_command(conversation: Conversation, words: Sequence[bytes]) -> int:
    if words[0].lower() in (b"help", b"?"):
        from emulator.cli.documentation import documentation
        from emulator.cli.help import help_on

        conversation.write(help_on(words[1:], documentation(conversation.options)))
        return 0
    return 0 if conversation.repeat(words, conversation.options.repeat) else 1


def _completed(options: ClientOptions) -> list[bytes]:
    """The command with what standard input has for it."""
    words = options.command
    if options.stdin_is_last:
        return [*words, sys.stdin.buffer.read()]
    if options.stdin_tag:
        tag = os.fsencode(options.stdin_tag)
        if tag not in words:
            fail("Using -X option but stdin tag not match.")
        place = words.index(tag)
        return [*words[:place], sys.stdin.buffer.read(), *words[place + 1 :]]
    return words


def _script(options: ClientOptions) -> list[bytes]:
    """The EVAL of a file, with keys and arguments parted by a comma."""
    try:
        with open(options.script, "rb") as file:
            script = file.read()
    except OSError as error:
        fail(f"Can't open file '{options.script}': {error.strerror}")
    words = options.command
    comma = words.index(b",") if b"," in words else len(words)
    keys, arguments = words[:comma], words[comma + 1 :]
    return [b"EVAL", script, b"%d" % len(keys), *keys, *arguments]


def _run_mode(conversation: Conversation) -> int:
    conversation.connect()
    mode = conversation.options.mode
    if mode == "stat":
        from emulator.cli.stat import show_statistics

        return show_statistics(conversation)
    if mode.startswith("latency"):
        from emulator.cli.latency import sample_latency

        return sample_latency(conversation)
    if mode in ("rdb", "functions-rdb"):
        from emulator.cli.rdb import save

        return save(conversation)
    if mode == "pipe":
        from emulator.cli.pipe import pipe

        return pipe(conversation)
    from emulator.cli.keys import list_keys, sample_keys

    return list_keys(conversation) if mode == "scan" else sample_keys(conversation)
