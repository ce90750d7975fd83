"""A program at a terminal, and what stands on its screen: enough of a VT100 for redis-cli."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

_TOKEN = re.compile(rb"\x1b\[([0-9;]*)([A-Za-z])|(.)", re.DOTALL)
_PATIENCE = 60


class Terminal:
    """Runs a program on a pseudo-terminal; `keys` types, `until` waits for what the screen is to show."""

    def __init__(self, command, environment, columns=100):
        self.columns = columns
        self.screen = [[]]
        self.row = self.column = 0
        self._unread = b""
        self._pid, self._descriptor = pty.fork()
        if not self._pid:  # the size first: a program that finds none asks the terminal, which does not answer
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
            os.execvpe(command[0], command, environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._descriptor)
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    @property
    def text(self):
        """The screen's lines, without the blanks at their ends."""
        return "\n".join("".join(row).rstrip() for row in self.screen)

    def keys(self, keys):
        os.write(self._descriptor, keys.encode("utf-8", "surrogateescape"))

    def until(self, shows):
        """Read until the screen's text ends in `shows`, or that finds it right; returns the text."""
        deadline = time.monotonic() + _PATIENCE
        fits = shows if callable(shows) else lambda text: text.endswith(shows)
        while not fits(self.text):
            assert time.monotonic() < deadline, f"{shows!r} is not the end of:\n{self.text}"
            self.read()
        return self.text

    def read(self):
        """Show what comes next, if it comes soon."""
        if select.select([self._descriptor], [], [], 0.1)[0]:
            self._show(os.read(self._descriptor, 65536))

    def end(self):
        """The exit status, a signal's number below zero, once the program has ended; what it still says is on the screen."""
        deadline = time.monotonic() + _PATIENCE
        with contextlib.suppress(OSError):  # which is how a pseudo-terminal ends
            while True:
                assert time.monotonic() < deadline, f"it does not end:\n{self.text}"
                self.read()
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _show(self, data):
        data = self._unread + data
        held = data.rfind(b"\x1b")
        cut = held if held >= 0 and not re.match(rb"\x1b\[[0-9;]*[A-Za-z]", data[held:]) else len(data)
        self._unread = data[cut:]
        for parameters, letter, byte in _TOKEN.findall(data[:cut]):
            if letter:
                self._obey(letter, int(parameters) if parameters.isdigit() else 0)
            else:
                self._put(byte.decode("latin-1"))

    def _put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._go_down(1)
        elif character >= " ":
            if self.column == self.columns:
                self.column = 0
                self._go_down(1)
            line = self.screen[self.row]
            line.extend(" " * (self.column + 1 - len(line)))
            line[self.column] = character
            self.column += 1

    def _go_down(self, rows):
        self.row += rows
        while len(self.screen) <= self.row:
            self.screen.append([])

    def _obey(self, letter, number):
        if letter == b"C":
            self.column = min(self.columns - 1, self.column + max(1, number))
        elif letter == b"G":
            self.column = max(0, number - 1)
        elif letter == b"A":
            self.row = max(0, self.row - max(1, number))
        elif letter == b"K":
            self.screen[self.row] = self.screen[self.row][: 0 if number == 2 else self.column]
        elif letter == b"J" and number == 2:
            self.screen = [[]]
        elif letter == b"J":
            self.screen[self.row :] = [self.screen[self.row][: self.column]]
        elif letter == b"H":
            self.row = self.column = 0
