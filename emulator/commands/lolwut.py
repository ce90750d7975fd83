"""LOLWUT: computer art and the version."""

from __future__ import annotations

from codecs import charmap_decode
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import pairwise
from math import ceil, cos, pi, sin
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


_BRAILLE: Final = "".join(map(chr, range(0x2800, 0x2900)))
"""The characters of all combinations of eight dots, in two columns of four."""


class _Canvas:
    """A canvas of Braille characters.

    A row is one integer with a byte for each character, the first lowest: a shape is drawn by a shift for each of its rows.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self._columns = columns
        self._rows = [0] * rows

    def draw(self, shape: Sequence[int], column: int, row: int) -> None:
        """Add the dots of a shape whose first character is there; what is outside the canvas is left out."""
        for place, dots in enumerate(shape, row):
            if 0 <= place < len(self._rows):
                self._rows[place] |= dots << 8 * column if column >= 0 else dots >> -8 * column

    def lines(self) -> Iterator[str]:
        """Return the rows of characters."""
        inside = (1 << 8 * self._columns) - 1
        for row in self._rows:
            yield charmap_decode((row & inside).to_bytes(self._columns, "little"), "strict", _BRAILLE)[0]


_TURNS: Final = 90
"""So many ways a square may be turned: it is the same after a quarter of a circle."""


def _squares(random: Random, columns: int = 66, across: int = 8, down: int = 12) -> Iterator[str]:
    """Draw rows of squares with growing disorder, after "Schotter" by Georg Nees (1968)."""
    columns, across, down = (min(max(size, 1), most) for size, most in ((columns, 1000), (across, 200), (down, 200)))
    margin = 2 if columns > 4 else 0
    side = (columns * 2 - margin * 2) / across
    reach = ceil(side * 0.7)
    shape = cache(partial(_square, side * 0.7))  # of many squares most are alike
    canvas = _Canvas(columns, (int(side * down) + margin * 2 + 3) // 4)
    for row in range(down):
        disorder = row / down
        for column in range(across):
            x, y, turn = ((random.random() - 0.5) * disorder for _ in range(3))
            left = round(margin + side * (column + 0.5 + x * 0.8)) - reach
            top = round(margin + side * (row + 0.5 + y * 0.8)) - reach
            canvas.draw(shape(reach + left % 2, reach + top % 4, round(turn * _TURNS)), left // 2, top // 4)
    yield from canvas.lines()


def _square(distance: float, x: int, y: int, turn: int) -> list[int]:
    """The rows of a square around a point from which its corners are that far; they are as those of a canvas."""
    rows = [0] * ((y + ceil(distance)) // 4 + 1)
    angles = [(turn / _TURNS + number + 0.5) * pi / 2 for number in range(5)]
    corners = [(x + distance * cos(angle), y + distance * sin(angle)) for angle in angles]
    for (start_x, start_y), (end_x, end_y) in pairwise(corners):
        across, down = end_x - start_x, end_y - start_y
        steps = max(round(abs(across)), round(abs(down)), 1)
        for step in range(steps):
            column, right = divmod(round(start_x + across * step / steps), 2)
            row, below = divmod(round(start_y + down * step / steps), 4)
            rows[row] |= 1 << 8 * column + (6 + right if below == 3 else below + 3 * right)
    return rows


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
