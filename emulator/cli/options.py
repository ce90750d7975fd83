"""redis-cli's command line and environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

from emulator.cli.formatting import CSV, JSON, QUOTED_JSON, RAW, STANDARD
from emulator.protocol.inline import split_inline

_UNSAFE_PASSWORD: Final = (
    "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe."
)
_NOT_HERE: Final = frozenset(
    "--replica --slave --ldb --ldb-sync-mode --cluster --latency-dist --intrinsic-latency --lru-test --keystats".split()
)
"""Modes of the real one that follow a master, need a debugger or a cluster, or measure the machine instead of a server."""


class ClientOptions:
    """What the command line says; `command` are the words after the options."""

    def __init__(self) -> None:
        self.host, self.port, self.socket = "127.0.0.1", 6379, ""
        self.family = 0
        self.timeout: float | None = None
        self.user, self.ask_password = "", False
        self.password: str | None = None  # an empty one is sent too
        self.db = 0
        self.protocol = 0  # 2 or 3 where one of them was asked for
        self.cluster = False
        self.tls, self.insecure = False, False
        self.sni, self.ca_file, self.ca_folder, self.certificate, self.key, self.ciphers = "", "", "", "", "", ""

        self.output = ""
        self.delimiter, self.end = b"\n", b"\n"
        self.show_pushes: bool | None = None
        self.fail_on_error = False

        self.mode = ""
        self.script = ""
        self.repeat, self.interval = 1, 0.0
        self.stdin_is_last, self.stdin_tag = False, ""
        self.quoted_input = False
        self.pattern, self.count = b"", 0
        self.samples = ""
        self.rdb_file = ""
        self.pipe_timeout = 30
        self.warn = True
        self.command: list[bytes] = []

    @property
    def address(self) -> str:
        """Where the server is, as messages and the prompt tell it."""
        if self.socket:
            return self.socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def fail(text: str) -> NoReturn:
    """End the program with a word on standard error."""
    sys.stderr.write(text + "\n")
    raise SystemExit(1)


def whole(text: str) -> int:
    """A number as C's atoi reads it: what is none counts as 0."""
    text = text.strip()
    sign, digits = (text[:1], text[1:]) if text[:1] in ("-", "+") else ("", text)
    end = 0
    while end < min(len(digits), 18) and digits[end] in "0123456789":
        end += 1
    return int(sign + (digits[:end] or "0"))


def _decimal(text: str) -> float:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return 0.0


def _take_port(options: ClientOptions, text: str) -> None:
    options.port = whole(text)
    if not 0 <= options.port <= 65535:
        fail("Invalid server port.")


def _take_password(options: ClientOptions, text: str) -> None:
    options.password = text


def _take_pushes(options: ClientOptions, text: str) -> None:
    if text[:1].lower() in ("y", "n") and text:
        options.show_pushes = text[0].lower() == "y"
    else:
        sys.stderr.write(f"Unknown --show-pushes value '{text}' (valid: '[y]es', '[n]o')\n")


def _take_quoted_pattern(options: ClientOptions, text: str) -> None:
    pattern = unquoted(os.fsencode(text))
    if pattern is None:
        fail("Invalid quoted string specified for --quoted-pattern.")
    options.pattern = pattern


def _take_script(options: ClientOptions, text: str) -> None:
    options.mode, options.script = "eval", text


def _take_rdb(mode: str) -> Callable[[ClientOptions, str], None]:
    def take(options: ClientOptions, path: str) -> None:
        if options.rdb_file and options.mode != mode:
            fail("Option --functions-rdb and --rdb are mutually exclusive.")
        options.mode, options.rdb_file = mode, path

    return take


def _take_samples(options: ClientOptions, text: str) -> None:
    options.mode, options.samples = "memkeys", str(whole(text))


def _keep(attribute: str, convert: Callable[[str], object] = str) -> Callable[[ClientOptions, str], None]:
    return lambda options, text: setattr(options, attribute, convert(text))


def _take_url(options: ClientOptions, url: str) -> None:
    """``redis://[user:password@]host[:port][/db]``, and ``rediss://`` for TLS."""
    from urllib.parse import unquote

    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in ("redis", "rediss"):
        fail("Invalid URI scheme")
    options.tls = options.tls or scheme.lower() == "rediss"
    place, _, path = rest.partition("/")
    credentials, at, place = place.rpartition("@")
    if at:
        user, colon, password = credentials.partition(":")
        if colon:
            options.user = unquote(user)
        _take_password(options, unquote(password if colon else user))
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    options.host = host or options.host
    options.port = whole(port) if port else options.port
    options.db = whole(path) if path else options.db


def options_of_url(url: str) -> ClientOptions:
    """What a URL says; ends the program where it is none."""
    options = ClientOptions()
    _take_url(options, url)
    return options


_WITH_VALUE: Final[Mapping[str, Callable[[ClientOptions, str], None]]] = {
    "-h": _keep("host"),
    "-p": _take_port,
    "-s": _keep("socket"),
    "-t": _keep("timeout", _decimal),
    "-a": _take_password,
    "--pass": _take_password,
    "--user": _keep("user"),
    "-u": _take_url,
    "-n": _keep("db", whole),
    "-r": _keep("repeat", whole),
    "-i": _keep("interval", _decimal),
    "-d": _keep("delimiter", os.fsencode),
    "-D": _keep("end", os.fsencode),
    "-X": _keep("stdin_tag"),
    "--show-pushes": _take_pushes,
    "--pattern": _keep("pattern", os.fsencode),
    "--quoted-pattern": _take_quoted_pattern,
    "--count": _keep("count", whole),
    "--eval": _take_script,
    "--pipe-timeout": _keep("pipe_timeout", whole),
    "--memkeys-samples": _take_samples,
    "--rdb": _take_rdb("rdb"),
    "--functions-rdb": _take_rdb("functions-rdb"),
    "--sni": _keep("sni"),
    "--cacert": _keep("ca_file"),
    "--cacertdir": _keep("ca_folder"),
    "--cert": _keep("certificate"),
    "--key": _keep("key"),
    "--tls-ciphers": _keep("ciphers"),
}

_ALONE: Final[Mapping[str, tuple[str, object]]] = {
    "-2": ("protocol", 2),
    "-3": ("protocol", 3),
    "-4": ("family", 4),
    "-6": ("family", 6),
    "-c": ("cluster", True),
    "-e": ("fail_on_error", True),
    "-x": ("stdin_is_last", True),
    "--askpass": ("ask_password", True),
    "--tls": ("tls", True),
    "--insecure": ("insecure", True),
    "--raw": ("output", RAW),
    "--no-raw": ("output", STANDARD),
    "--csv": ("output", CSV),
    "--json": ("output", JSON),
    "--quoted-json": ("output", QUOTED_JSON),
    "--quoted-input": ("quoted_input", True),
    "--no-auth-warning": ("warn", False),
    "--scan": ("mode", "scan"),
    "--stat": ("mode", "stat"),
    "--latency": ("mode", "latency"),
    "--latency-history": ("mode", "latency-history"),
    "--pipe": ("mode", "pipe"),
    "--bigkeys": ("mode", "bigkeys"),
    "--memkeys": ("mode", "memkeys"),
    "--hotkeys": ("mode", "hotkeys"),
}


def read_options(arguments: Sequence[str], environ: Mapping[str, str]) -> ClientOptions:
    """The options of a command line; ends the program where it asks for help, for the version, or for what is not there."""
    options = ClientOptions()
    words = list(arguments)
    while words and words[0].startswith("-"):
        _take_option(options, words)
    if options.stdin_is_last and options.stdin_tag:
        fail("Options -x and -X are mutually exclusive.")
    options.command = [os.fsencode(word) for word in words]
    if options.quoted_input:
        options.command = list(map(_unquoted_argument, options.command))
    _settle(options, environ)
    return options


def _take_option(options: ClientOptions, words: list[str]) -> None:
    option = words.pop(0)
    if option in ("--help", "-h") and (option == "--help" or not words):
        from emulator.cli.usage import USAGE

        sys.stdout.write(USAGE)
        raise SystemExit(0)
    if option in ("--version", "-v"):
        from emulator.config.edition import REDIS_8_2
        from emulator.version import __version__

        sys.stdout.write(f"redis-cli {REDIS_8_2.version} (redis-emulator {__version__})\n")
        raise SystemExit(0)
    if option == "--verbose":
        return  # there is nothing more to tell
    if option in _ALONE:
        setattr(options, *_ALONE[option])
    elif option in _WITH_VALUE and words:
        _WITH_VALUE[option](options, words.pop(0))
    elif option in _NOT_HERE:
        fail(f"{option} is not part of this redis-cli.")
    else:
        fail(f"Unrecognized option or bad number of args for: '{option}'")


def _settle(options: ClientOptions, environ: Mapping[str, str]) -> None:
    """What follows from the options together, the environment and the terminal."""
    if options.password is None:
        options.password = environ.get("REDISCLI_AUTH")
    elif options.warn:
        sys.stderr.write(_UNSAFE_PASSWORD + "\n")
    on_a_terminal = sys.stdout.isatty() or "FAKETTY" in environ
    if not options.output:
        options.output = STANDARD if on_a_terminal else RAW
    if options.show_pushes is None:
        options.show_pushes = on_a_terminal


def _unquoted_argument(word: bytes) -> bytes:
    plain = unquoted(word)
    if plain is None:
        sys.stdout.write("Invalid quoted string\n")
        raise SystemExit(1)
    return plain


def unquoted(word: bytes) -> bytes | None:
    """A word that may stand in quotes; None where these are not balanced."""
    if word[:1] not in (b'"', b"'"):
        return word
    words = split_inline(word)
    return words[0] if words is not None and len(words) == 1 else None
