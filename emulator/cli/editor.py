"""A line typed at a terminal: the keys of Emacs, history, completion by Tab, and hints in grey behind the cursor."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from emulator.protocol.text import to_bytes

try:
    import termios
    import tty
except ImportError:  # Windows, whose console edits lines by itself
    termios = None  # type: ignore[assignment]

_ARROWS = {"A": "\x10", "B": "\x0e", "C": "\x06", "D": "\x02", "H": "\x01", "F": "\x05"}
_NUMBERED = {"1": "\x01", "3": "delete", "4": "\x05", "7": "\x01", "8": "\x05"}
_WORD_LEFT, _WORD_RIGHT = "word left", "word right"
_INTERRUPT, _END, _TAB, _RETURN, _ESCAPE, _SEARCH = "\x03", "\x04", "\t", "\r", "\x1b", "\x12"


def can_edit() -> bool:
    """Whether standard input is a terminal that lines can be edited on."""
    return termios is not None and sys.stdin.isatty() and os.environ.get("TERM") not in ("dumb", "cons25", "emacs")


def ask_password(prompt: str) -> str:
    """A line that is not shown; the next one where standard input is no terminal."""
    if not can_edit():
        return sys.stdin.readline().rstrip("\r\n")
    password = Editor(masked=True).read(prompt)
    if password is None:
        raise SystemExit(1)
    return password


class Editor:
    """Reads lines.

    `history` are earlier lines, `complete` returns what a line may become, `hint` what is still to come of it; with
    `masked` only stars are shown.
    """

    def __init__(
        self,
        history: Callable[[], Sequence[str]] = list,
        complete: Callable[[str], Sequence[str]] = lambda line: [],
        hint: Callable[[str], str] = lambda line: "",
        masked: bool = False,
    ) -> None:
        self._history, self._complete, self._hint = history, complete, hint
        self._masked = masked
        self._typed = ""  # and not yet looked at
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._prompt = self._text = ""
        self._place = 0  # of the cursor in the text
        self._row = 0  # of the cursor below the line's first row
        self._keys: dict[str, Callable[[], None]] = {
            "\x01": lambda: self._go(0),
            "\x05": lambda: self._go(len(self._text)),
            "\x02": lambda: self._go(self._place - 1),
            "\x06": lambda: self._go(self._place + 1),
            _WORD_LEFT: lambda: self._go(self._word_before()),
            _WORD_RIGHT: lambda: self._go(self._word_after()),
            "\x7f": lambda: self._cut(self._place - 1, self._place),
            "\x08": lambda: self._cut(self._place - 1, self._place),
            "delete": lambda: self._cut(self._place, self._place + 1),
            "\x04": lambda: self._cut(self._place, self._place + 1),
            "\x0b": lambda: self._cut(self._place, len(self._text)),
            "\x15": lambda: self._set(""),
            "\x17": lambda: self._cut(self._word_before(), self._place),
            "\x14": self._transpose,
            "\x0c": self._clear,
        }

    @property
    def has_typed(self) -> bool:
        """Whether keys were pressed that no line has yet."""
        return bool(self._typed)

    def read(self, prompt: str) -> str | None:
        """The next line; None at the end, for which Ctrl-C or Ctrl-D on an empty line stand."""
        self._prompt, self._row = prompt, 0
        self._set("")
        with _raw_terminal():
            line = self._edit()
        _write("\n")
        return line

    def _edit(self) -> str | None:
        lines = [*self._history(), ""]
        shown = len(lines) - 1  # of the lines
        self._paint()
        while True:
            key = self._key()
            if key == _TAB:
                key = self._go_through_completions()
            if key == _SEARCH:
                key = self._search(lines)
            if key in (_RETURN, "\n", _INTERRUPT) or (key == _END and not self._text):
                self._place = len(self._text)
                self._paint(hinted=False)
                return None if key in (_INTERRUPT, _END) else self._text
            if key in ("\x10", "\x0e"):  # up and down
                lines[shown] = self._text
                shown = max(0, min(len(lines) - 1, shown + (1 if key == "\x0e" else -1)))
                self._set(lines[shown])
            elif key in self._keys:
                self._keys[key]()
            elif (len(key) == 1 and key.isprintable()) or "\udc80" <= key <= "\udcff":
                self._text = self._text[: self._place] + key + self._text[self._place :]
                self._place += 1
            if not self._typed:
                self._paint()

    # Keys

    def _character(self) -> str:
        while not self._typed:
            data = os.read(0, 4096)
            self._typed = self._decoder.decode(data) if data else _END
        character, self._typed = self._typed[0], self._typed[1:]
        return character

    def _key(self) -> str:
        """A character, or the name of a key that sends several."""
        character = self._character()
        if character != _ESCAPE:
            return character
        second = self._character()
        if second in "bf":
            return _WORD_LEFT if second == "b" else _WORD_RIGHT
        if second not in "[O":
            return _ESCAPE
        parameters = ""
        while (last := self._character()) in "0123456789;":
            parameters += last
        if last in "CD" and parameters.endswith((";5", ";3")):
            return _WORD_LEFT if last == "D" else _WORD_RIGHT
        return _NUMBERED.get(parameters, _ESCAPE) if last == "~" else _ARROWS.get(last, _ESCAPE)

    # What they do

    def _set(self, text: str) -> None:
        self._text, self._place = text, len(text)

    def _go(self, place: int) -> None:
        self._place = max(0, min(len(self._text), place))

    def _cut(self, start: int, end: int) -> None:
        start = max(0, start)
        self._text = self._text[:start] + self._text[max(start, end) :]
        self._place = start

    def _word_before(self) -> int:
        before = self._text[: self._place].rstrip(" ")
        return before.rfind(" ") + 1

    def _word_after(self) -> int:
        rest = self._text[self._place :]
        blank = rest.lstrip(" ").find(" ")
        return len(self._text) if blank < 0 else self._place + len(rest) - len(rest.lstrip(" ")) + blank

    def _transpose(self) -> None:
        place = min(self._place, len(self._text) - 1)
        if place > 0:
            text = self._text
            self._text = text[: place - 1] + text[place] + text[place - 1] + text[place + 1 :]
            self._go(place + 1)

    def _clear(self) -> None:
        _write("\x1b[H\x1b[2J")
        self._row = 0

    def _go_through_completions(self) -> str:
        """Show one completion after another while Tab is pressed, then the line as it was; the key that ends it."""
        typed = self._text
        found = [*self._complete(typed), typed]
        if len(found) == 1:
            _write("\a")
            return self._key()
        chosen = 0
        while True:
            self._set(found[chosen])
            self._paint()
            key = self._key()
            if key == _ESCAPE:
                self._set(typed)
            if key != _TAB:
                return key
            chosen = (chosen + 1) % len(found)

    def _search(self, lines: Sequence[str]) -> str:
        """Look through history for what is typed, further back with each Ctrl-R; the key that ends it."""
        prompt, sought, back = self._prompt, "", 0
        while True:
            found = [line for line in reversed(lines) if sought and sought in line]
            back = min(back, max(0, len(found) - 1))
            self._set(found[back] if found else "")
            self._prompt = f"(reverse-i-search)`{sought}': "
            self._paint(hinted=False)
            key = self._key()
            if key == _SEARCH:
                back += 1
            elif key in ("\x7f", "\x08"):
                sought, back = sought[:-1], 0
            elif len(key) == 1 and key.isprintable():
                sought, back = sought + key, 0
            else:
                self._prompt = prompt
                return key

    # The screen

    def _paint(self, hinted: bool = True) -> None:
        """Draw the line anew, over as many rows as it needs; a hint only as far as its row goes."""
        columns = os.get_terminal_size(1).columns if os.isatty(1) else 80
        columns = columns or 80
        text = "*" * len(self._text) if self._masked else self._text
        width = _width(self._prompt + text)
        hint = self._hint(self._text)[: max(0, columns - width % columns - 1)] if hinted and not self._masked else ""
        cursor = _width(self._prompt + text[: self._place])
        parts = [f"\x1b[{self._row}A" if self._row else "", "\r\x1b[J", self._prompt, text]
        if hint:
            parts.append(f"\x1b[0;90;49m{hint}\x1b[0m")
        if width and not width % columns:
            parts.append("\r\n")
        self._row, column = divmod(cursor, columns)
        up = width // columns - self._row
        parts.append(f"\x1b[{up}A" if up else "")
        parts.append(f"\r\x1b[{column}C" if column else "\r")
        _write("".join(parts))


def _write(text: str) -> None:
    sys.stdout.buffer.write(to_bytes(text))
    sys.stdout.buffer.flush()


def _width(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(bool(unicodedata.combining(character)) for character in text)


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """The terminal hands over every key as it is pressed; what was typed before stays."""
    settings = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, settings)


@contextmanager
def keys_at_once() -> Iterator[None]:
    """The terminal hands over keys without waiting for a line's end and does not show them; Ctrl-C still interrupts."""
    settings = termios.tcgetattr(0)
    tty.setcbreak(0, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, settings)
