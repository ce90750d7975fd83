"""LOLWUT: computer art and the version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import cos, pi, sin
from random import Random
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import core_double, integer
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Verbatim
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NEWEST = 8
_NEWEST_OF_VALKEY = 9


class _Canvas:
    """A canvas of dots; a Braille character has eight, in two columns of four."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [bytearray((width + 1) // 2) for _ in range((height + 3) // 4)]

    def dot(self, x: int, y: int) -> None:
        """Set a dot; dots outside the canvas are ignored."""
        if 0 <= x < self.width and 0 <= y < self.height:
            below = y % 4
            bit = 6 + x % 2 if below == 3 else below + 3 * (x % 2)
            self._cells[y // 4][x // 2] |= 1 << bit

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Set the dots between two points."""
        across, down = end[0] - start[0], end[1] - start[1]
        steps = max(round(abs(across)), round(abs(down)), 1)
        for step in range(steps + 1):
            self.dot(round(start[0] + across * step / steps), round(start[1] + down * step / steps))

    def lines(self) -> Iterator[str]:
        """Return the rows of characters."""
        for row in self._cells:
            yield "".join([chr(0x2800 + cell) for cell in row])


def _squares(random: Random, columns: int = 66, across: int = 8, down: int = 12) -> Iterator[str]:
    """Draw rows of squares with growing disorder, after "Schotter" by Georg Nees (1968)."""
    columns, across, down = (min(max(size, 1), most) for size, most in ((columns, 1000), (across, 200), (down, 200)))
    margin = 2 if columns > 4 else 0
    side = (columns * 2 - margin * 2) / across
    canvas = _Canvas(columns * 2, int(side * down) + margin * 2)
    for row in range(down):
        disorder = row / down
        for column in range(across):
            x, y = (random.uniform(-0.5, 0.5) * disorder * side * 0.8 for _ in "xy")
            turn = random.uniform(-0.5, 0.5) * disorder * pi / 2
            centre = margin + side * (column + 0.5) + x, margin + side * (row + 0.5) + y
            corners = [_corner(centre, side * 0.7, turn + pi / 4 + pi / 2 * number) for number in range(5)]
            for start, end in pairwise(corners):
                canvas.line(start, end)
    yield from canvas.lines()


def _corner(centre: tuple[float, float], distance: float, angle: float) -> tuple[float, float]:
    return centre[0] + distance * cos(angle), centre[1] + distance * sin(angle)


_GREYS = ("97;107", "37;47", "90;100", "30;40")


def _skyline(random: Random, columns: int = 80, rows: int = 20) -> Iterator[str]:
    """Draw a town at night in four greys: blocks of houses, the nearer ones darker and lower."""
    columns, rows = min(max(columns, 1), 1000), min(max(rows, 1), 1000)
    shades = [[0] * columns for _ in range(rows)]
    for shade in range(1, len(_GREYS)):
        left = 0
        while left < columns:
            right = left + random.randint(2, 9)
            top = rows * shade // 5 + random.randint(0, max(rows // 4, 1))
            for row in range(top, rows):
                shades[row][left:right] = [shade] * (min(right, columns) - left)
            left = right
    for row_of_shades in shades:
        yield "".join([f"\x1b[0;{_GREYS[shade]}m \x1b[0m" for shade in row_of_shades])


_OPENINGS = ("the key", "a lost reply", "the oldest entry", "every stream", "one small hash", "the idle client")
_DEEDS = ("waits", "returns", "expires", "listens", "counts the seconds", "is found again")
_CLOSINGS = (
    "in memory",
    "before the loop turns",
    "where no lock is held",
    "at the end of the queue",
    "without a sound",
)


def _poem(random: Random) -> Iterator[str]:
    """Compose a random poem of ten lines."""
    for _ in range(10):
        yield " " + "   ".join(random.choice(words) for words in (_OPENINGS, _DEEDS, _CLOSINGS)).upper()


_PICTURES: dict[int, tuple[Callable[..., Iterator[str]], int, str]] = {
    5: (_squares, 3, "\nSquares in growing disorder, after Georg Nees, 1968. "),
    6: (_skyline, 2, "A town at night, in characters. "),
    _NEWEST: (_poem, 0, "\n"),
}
"""By version: the drawing function, the number of its arguments, and the text below the picture."""


_SHADES: Final = " .:-=+*#%@"
_MOST_COLUMNS, _MOST_ROWS = 160, 80


def _julia(columns: int, rows: int, constant: complex) -> Iterator[str]:
    """How soon the points of a plane run away when they are squared, and the constant added, again and again."""
    for row in range(rows):
        line = ""
        for column in range(columns):
            point = complex(3.2 * (column + 0.5) / columns - 1.6, 2.4 * (row + 0.5) / rows - 1.2)
            steps = 0
            while abs(point) < 2 and steps < len(_SHADES) - 1:
                point, steps = point * point + constant, steps + 1
            line += _SHADES[steps]
        yield line


def _lines_of_valkey(client: Session, words: Sequence[bytes]) -> Iterator[str]:
    """The picture of Valkey 9: its size may be given, and behind it the constant."""
    if len(words) not in (0, 2, 4):
        raise CommandError("ERR Syntax error. Use: LOLWUT [columns rows] [real imaginary]")
    columns, rows = (integer(word) for word in words[:2] or (b"80", b"40"))
    random = client.engine.random
    constant = complex(random.uniform(-1, 1), random.uniform(-1, 1))
    if len(words) == 4:
        constant = complex(*(core_double(client, word) for word in words[2:]))
    yield from _julia(min(max(columns, 1), _MOST_COLUMNS), min(max(rows, 1), _MOST_ROWS), constant)
    yield f"A Julia set, by {constant.real:.2f} and {constant.imag:.2f}. Valkey ver. {client.engine.config.edition.version}"


@command("server", since="5.0.0", flags="readonly fast")
def lolwut(client: Session, *options: bytes) -> Verbatim:
    """Returns a computer-made picture or poem and the version; VERSION selects which, its size may follow."""
    edition = client.engine.config.edition
    newest = _NEWEST_OF_VALKEY if edition.is_valkey else _NEWEST
    version, arguments = newest, options
    if len(options) > 1 and options[0].upper() == b"VERSION":
        version, arguments = integer(options[1]), options[2:]
    own = edition.is_valkey and version == newest
    lines = _lines_of_valkey(client, arguments) if own else _lines(client, version, arguments)
    return Verbatim("".join(f"{line}\n" for line in lines).encode())


def _lines(client: Session, version: int, arguments: Sequence[bytes]) -> Iterator[str]:
    edition = client.engine.config.edition
    if version in _PICTURES and not (edition.is_valkey and version == _NEWEST):
        draw, most, caption = _PICTURES[version]
        yield from draw(client.engine.random, *[integer(word) for word in arguments[:most]])
        yield f"{caption}{edition.wording.server} ver. {edition.version}"
    else:
        yield f"Valkey ver.{edition.version}" if edition.is_valkey else f"Redis ver. {edition.version}"
