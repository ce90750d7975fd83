"""Streams of bytes as no well-behaved client sends them: requests of both kinds, headers gone wrong, mutations."""

from __future__ import annotations

from random import Random

from conformance.resp import encoded

_COMMANDS = (
    "PING",
    "PING hello",
    "ECHO x",
    "SET k v",
    "SET k 10",
    "GET k",
    "INCR k",
    "DEL k l h",
    "APPEND k ab",
    "GETRANGE k 0 -1",
    "LPUSH l a b c",
    "LRANGE l 0 -1",
    "HSET h f v g w",
    "HGETALL h",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH k",
    "HELLO 3",
    "HELLO 2",
    "SELECT 1",
    "SELECT 99",
    "GET",
    "nonesuch a b",
    "SUBSCRIBE c",
    "UNSUBSCRIBE",
    "AUTH",
    "CLIENT REPLY SKIP",
    "CLIENT REPLY OFF",
    "CLIENT REPLY ON",
    "CLIENT SETNAME me",
    "RESET",
    "QUIT",
)
_HEADERS = (
    b"*0\r\n",
    b"*-1\r\n",
    b"*-10\r\n",
    b"*1\r\n",
    b"*3\r\n",
    b"*01\r\n",
    b"*+1\r\n",
    b"* 1\r\n",
    b"*1 \r\n",
    b"*\r\n",
    b"*x\r\n",
    b"*1048577\r\n",
    b"*2147483647\r\n",
    b"*2147483648\r\n",
    b"*99999999999999999999\r\n",
    b"*1\n",
    b"*1\r",
    b"*1\rx",
    b"*\x00\r\n",
    b"$0\r\n\r\n",
    b"$-1\r\n",
    b"$1\r\nx\r\n",
    b"$01\r\nx\r\n",
    b"$+1\r\nx\r\n",
    b"$1x\r\n",
    b"$536870912\r\n",
    b"$536870913\r\n",
    b"$\r\n",
    b"$5\r\nabc\r\n",
    b"$3\r\nabcde\r\n",
    b"+OK\r\n",
    b":1\r\n",
    b"%1\r\n",
    b"_\r\n",
)
_INLINE = (
    b"PING",
    b"ping 'a b'",
    b'ECHO "a\\x41\\n\\t\\"b"',
    b"ECHO 'it\\'s'",
    b'ECHO "unbalanced',
    b"ECHO 'unbalanced",
    b'ECHO "a"b',
    b'ECHO a"b c"',
    b'ECHO ""',
    b"SET k ''",
    b"GET\tk",
    b"  GET   k  ",
    b"GET k\x00rest",
    b"GET k\x0b",
    b'ECHO "\\x4"',
    b'ECHO "\\xzz"',
    b"",
    b" ",
    b"\x00",
)
_TOKENS = (
    b"\r\n",
    b"\r",
    b"\n",
    b"*",
    b"$",
    b"-1",
    b"\x00",
    b'"',
    b"'",
    b"\\",
    b" ",
    b"0",
    b"9",
    b"\xff",
    b"\r\n*1\r\n$4\r\nPING\r\n",
)
_ALONE = (b"AUTH", b"SUBSCRIBE")
"""With more arguments the answers of the real server depend on when they come, or on chance."""

_SIZES = (0, 100, 1023, 1024, 5000)
_ENDS = (b"\r\n", b"\n", b"\r\r\n", b"\n\r\n", b"")


def _request(random: Random) -> bytes:
    words = random.choice(_COMMANDS).encode().split()
    if words[0] not in _ALONE and random.random() < 0.1:
        words.append(random.choice((random.randbytes(random.randint(0, 20)), b"x" * random.choice(_SIZES))))
    return encoded(words)


def _header(random: Random) -> bytes:
    return random.choice(_HEADERS)


def _line(random: Random) -> bytes:
    line = random.choice(_INLINE) if random.random() < 0.7 else random.choice(_COMMANDS).encode()
    return line + random.choice(_ENDS)


def _noise(random: Random) -> bytes:
    return random.randbytes(random.randint(1, 40))


_PIECES = (_request, _request, _request, _request, _request, _line, _line, _header, _noise)


def _mutated(random: Random, data: bytearray) -> bytearray:
    for _ in range(random.randint(1, 3)):
        position = random.randrange(len(data) + 1)
        kind = random.randrange(5)
        if kind == 0 and position < len(data):
            data[position] = random.randrange(256)
        elif kind == 1:
            del data[position : position + random.randint(1, 8)]
        elif kind == 2:
            data[position:position] = random.choice(_TOKENS)
        elif kind == 3:
            data[position:position] = data[position : position + random.randint(1, 30)]
        else:
            del data[position:]
    return data


def stream(random: Random) -> bytes:
    """What a client might send in a whole life; a good half of it is mutated."""
    data = bytearray().join([random.choice(_PIECES)(random) for _ in range(random.randint(1, 8))])
    return bytes(_mutated(random, data) if random.random() < 0.6 else data)


def torn(random: Random, data: bytes) -> list[bytes]:
    """The stream as it may arrive: in up to six pieces, or now and then byte by byte."""
    if len(data) < 200 and random.random() < 0.1:
        return [data[position : position + 1] for position in range(len(data))]
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randint(0, 5)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]
