"""The prompt: line after line, from a terminal or from standard input, each answered as it comes."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence

from emulator.cli.connection import Lost, Unreachable
from emulator.cli.conversation import Conversation
from emulator.cli.documentation import DocumentedCommand, documentation
from emulator.cli.editor import Editor, can_edit, keys_at_once
from emulator.cli.formatting import STANDARD
from emulator.cli.history import History, is_secret, path_of
from emulator.cli.interrupt import raise_at_ctrl_c
from emulator.cli.options import whole
from emulator.protocol.inline import split_inline
from emulator.protocol.text import to_bytes, to_text

_SLOW = 0.5
_TIMES = re.compile(rb"[+-]?[0-9]+")
_MOST_DIGITS = 20
_CLEAR = b"\x1b[H\x1b[2J"


class Prompt:
    """A user at the prompt."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        conversation.interactive = True
        self._at_terminal = sys.stdin.isatty()
        self._history = History("")
        self._hints = True
        self._commands: list[DocumentedCommand] | None = None
        self._input: _Lines | Editor = _Lines()

    def run(self) -> int:
        """Answer lines until there are no more; the exit status."""
        try:
            self._prepare()
            while (line := self._input.read(self._prompt if self._at_terminal else "")) is not None:
                try:
                    self._take(line)
                    self._listen(until_input=os.name == "posix")  # elsewhere only sockets can be waited for
                except KeyboardInterrupt:
                    if not self._conversation.streams:
                        raise
                    self._connect()
            self._listen(until_input=False)
        except KeyboardInterrupt:
            return 1
        return 0

    def _prepare(self) -> None:
        self._connect()
        if self._at_terminal:
            raise_at_ctrl_c()
            self._history = History(path_of(".rediscli_history", "REDISCLI_HISTFILE", os.environ))
            self._read_preferences()
        if can_edit():
            self._input = Editor(lambda: self._history.lines, self._completions, self._hint)

    @property
    def _prompt(self) -> str:
        conversation, options = self._conversation, self._conversation.options
        if conversation.connection is None:
            return "not connected> "
        where = f"redis {options.socket}" if options.socket else options.address
        database = f"[{options.db}]" if options.db else ""
        state = "(TX)" if conversation.in_transaction else ""
        return f"{where}{database}{state}{'(subscribed mode)' if conversation.subscribed else ''}> "

    def _connect(self) -> None:
        try:
            self._conversation.connect()
        except Unreachable as failure:
            sys.stderr.write(f"{failure}\n")
        except Lost as failure:
            self._conversation.leave()
            sys.stderr.write(f"Error: {failure}\n")
        sys.stderr.flush()

    def _listen(self, until_input: bool) -> None:
        """Where channels are subscribed to: print what comes, at the prompt until a key is pressed or a line has come."""
        conversation = self._conversation
        if not conversation.subscribed or (until_input and self._input.has_typed):
            return
        try:
            if isinstance(self._input, Editor) and until_input:
                with keys_at_once():
                    conversation.listen(until_input=True)
            else:
                conversation.listen(until_input)
        except Lost as failure:
            conversation.leave()
            sys.stderr.write(f"Error: {failure}\n")

    # A line

    def _take(self, line: str) -> None:
        conversation = self._conversation
        words = split_inline(to_bytes(line))
        if words is None:
            conversation.write(b"Invalid argument(s)\n")
            self._history.add(line)
            return
        if not words:
            return
        times = 1
        if len(words) > 1 and _TIMES.fullmatch(words[0]):
            times, words = int(words[0]) if len(words[0]) <= _MOST_DIGITS else 0, words[1:]
            if not 0 < times < 1 << 63:
                conversation.write(b"Invalid redis-cli repeat command option value.\n")
                return
        if not is_secret(words):
            self._history.add(line)
        self._perform(words, times)

    def _perform(self, words: Sequence[bytes], times: int) -> None:
        conversation, options = self._conversation, self._conversation.options
        name = words[0].lower()
        if name in (b"quit", b"exit"):
            raise SystemExit(0)
        if name.startswith(b":"):
            self._prefer(words, "")
        elif name in (b"help", b"?"):
            from emulator.cli.help import help_on

            conversation.write(help_on(words[1:], self._documentation()))
        elif name == b"connect" and len(words) == 3:
            options.host, options.port = to_text(words[1]), whole(words[2].decode("latin-1"))
            options.socket = ""
            self._connect()
        elif name == b"clear" and len(words) == 1:
            conversation.write(_CLEAR)
        elif name == b"restart":
            conversation.write(b"Use 'restart' only in Lua debugging mode.\n")
        else:
            begun = time.monotonic()
            conversation.repeat(words, times)
            passed = time.monotonic() - begun
            if passed >= _SLOW and options.output == STANDARD:
                conversation.write(f"({passed:.2f}s)\n".encode())

    # Preferences

    def _read_preferences(self) -> None:
        path = path_of(".redisclirc", "REDISCLI_RCFILE", os.environ)
        try:
            with open(path, "rb") as file:
                lines = file.read().splitlines()
        except OSError:
            return
        for line in lines:
            words = split_inline(line)
            if words:
                self._prefer(words, ".redisclirc: ")

    def _prefer(self, words: Sequence[bytes], source: str) -> None:
        texts = [word.decode("utf-8", "replace") for word in words]
        if texts[0].lower() != ":set" or len(texts) == 1:
            complaint = f"{source}unknown redis-cli internal command '{texts[0]}'\n"
        elif texts[1].lower() not in ("hints", "nohints"):
            complaint = f"{source}unknown redis-cli preference '{texts[1]}'\n"
        else:
            self._hints = texts[1].lower() == "hints"
            return
        self._conversation.write(complaint.encode())

    # What is known of commands

    def _documentation(self) -> list[DocumentedCommand]:
        if self._commands is None:
            self._commands = documentation(self._conversation.options, self._conversation.connection is not None)
        return self._commands

    def _completions(self, line: str) -> Sequence[str]:
        from emulator.cli.hints import completions

        return completions(line, self._documentation())

    def _hint(self, line: str) -> str:
        if not self._hints or not line:
            return ""
        from emulator.cli.hints import hint

        return hint(line, self._documentation())


class _Lines:
    """Lines of standard input, each as soon as it is there."""

    def __init__(self) -> None:
        self._buffer = b""
        self._ended = False

    @property
    def has_typed(self) -> bool:
        """Whether there is another line without waiting, or no more will come."""
        return b"\n" in self._buffer or self._ended

    def read(self, prompt: str) -> str | None:
        """The next line, without its end; None after the last."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        while b"\n" not in self._buffer and not self._ended:
            data = os.read(0, 1 << 16)
            self._buffer += data
            self._ended = not data
        if not self._buffer:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return to_text(line.removesuffix(b"\r"))
