"""redis-server's command line: ``[redis.conf] [-] [--directive value ...]``, and the environment.

Later settings win: first come ``REDIS_ARGS``, ``REDIS_PORT`` and ``REDIS_PASSWORD`` from the environment, then the
file, standard input (``-``) and the options.  As in redis-server, options are turned into lines that follow the file's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from emulator.config.directives import Config
from emulator.config.edition import REDIS_8_2, Edition, edition_named
from emulator.config.kinds import quote
from emulator.protocol.inline import split_inline
from emulator.protocol.text import to_bytes, to_text
from emulator.server.config_file import FatalConfigError, Loader, StartRefused, meant
from emulator.suggestions import nearest
from emulator.system import free_port
from emulator.version import __version__

if TYPE_CHECKING:
    from emulator.table.registry import Commands

USAGE = """\
Usage: python -m emulator [/path/to/redis.conf] [options] [-]
       python -m emulator - (read config from stdin)
       python -m emulator -v or --version
       python -m emulator -h or --help
       python -m emulator [/path/to/sentinel.conf] --sentinel
       python -m emulator --cluster NODES [--cluster-replicas N] [options]

Options are the directives of redis.conf; REDIS_ARGS, REDIS_PORT and REDIS_PASSWORD in the environment come before them,
as do REDIS_REST_PORT, REDIS_REST_TOKEN and REDIS_REST_READONLY_TOKEN for the Upstash REST API (--rest-port and so on), and
REDIS_CLOUD_PORT and REDIS_CLOUD_ACCOUNT (EMAIL:KEY) for its management API.
--compat 7.2|7.4|8.0|8.2|8.4|8.6|8.8|8.10|valkey-9.1, or REDIS_COMPAT, chooses the server that this stands for (8.2).

Examples:
       python -m emulator --port 7777
       python -m emulator --port auto --save ""
       echo 'maxmemory 128mb' | python -m emulator -
       python -m emulator /etc/myredis.conf --loglevel verbose
       python -m emulator --compat valkey-9.1
       python -m emulator --cluster 6 --port 7000
"""

_VARIABLES = {
    "REDIS_PORT": "port",
    "REDIS_PASSWORD": "requirepass",
    "REDIS_REST_PORT": "rest-port",
    "REDIS_REST_TOKEN": "rest-token",
    "REDIS_REST_READONLY_TOKEN": "rest-readonly-token",
    "UPSTASH_REDIS_REST_TOKEN": "rest-token",
    "REDIS_CLOUD_PORT": "cloud-port",
    "REDIS_CLOUD_ACCOUNT": "cloud-account",
}
"""Environment variables that stand for a directive; ``REDIS_ARGS`` has options."""
_SENTINEL_PORT = 26379
_ONE_SERVER_S = ("unixsocket", "rest-port", "cloud-port")
_NODES_WITH_REPLICAS = 6


class Information(Exception):
    """Not a server was asked for but this text, with this exit status."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class ServerOptions:
    """What a server is started with.

    ``renamed`` are the pairs of ``rename-command``, ``users`` the words of each ``user`` directive, ``notes`` and
    ``warnings`` lines for the log.  Where it `is_sentinel`, ``sentinel`` has the words of each ``sentinel`` directive.
    ``cluster_nodes`` are the nodes of a whole cluster that is to be started, 0 for a server, and ``cluster_replicas`` those
    of each master, -1 for as many as are usual.  Where it `has_port_of_chance` a free port was asked for.
    """

    def __init__(self, edition: Edition = REDIS_8_2) -> None:
        self.config = Config(edition)
        self.renamed: list[tuple[str, str]] = []
        self.users: list[list[str]] = []
        self.is_sentinel = False
        self.sentinel: list[list[str]] = []
        self.has_port_of_chance = False
        self.cluster_nodes = 0
        self.cluster_replicas = -1
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.unresolved: list[str] = []

    def rename(self, commands: Commands) -> None:
        """Do what ``rename-command`` asks for to an engine's table; an empty name removes a command."""
        for old, new in self.renamed:
            commands.rename(old.encode(), new.encode())


def read_options(argv: Sequence[str], environ: Mapping[str, str]) -> ServerOptions:
    """The options of a command line (without the program's name).

    Raises `Information`, `FatalConfigError` or `StartRefused` where no server is to be started.
    """
    _answer_questions(argv)
    options = ServerOptions(_edition(argv, environ))
    if "--sentinel" in argv:
        argv = [word for word in argv if word != "--sentinel"]
        options.is_sentinel = True
        options.config.port = _SENTINEL_PORT
        options.config.protected_mode = False
        options.config.save = ()
    _read_environment(options, environ)
    _read_command_line(options, argv)
    if options.unresolved:
        raise StartRefused(
            "Unresolved Configuration(s) Detected:",
            *(f">>> '{line}'{meant(options.config, line)}" for line in options.unresolved),
            "Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting",
        )
    if options.cluster_nodes:
        _settle_cluster(options)
    if options.config.cluster_enabled and options.has_port_of_chance and not options.config.cluster_port:
        options.config.cluster_port = free_port()  # the usual one, so many ports above a free one, may be none
    if options.config.cluster_enabled and options.config.replicaof:
        raise FatalConfigError("replicaof directive not allowed in cluster mode")
    if options.is_sentinel:
        _check_sentinel_file(options.config.file)
    _check_logfile(options.config)
    return options


def _settle_cluster(options: ServerOptions) -> None:
    """A cluster in one process: each master has a replica where there are enough nodes, as long as nobody says otherwise."""
    config, nodes = options.config, options.cluster_nodes
    for name in _ONE_SERVER_S:
        if getattr(config, config.directives[name].attribute):
            raise FatalConfigError(f"{name} is for one server, and --cluster starts several")
    if options.cluster_replicas < 0:
        options.cluster_replicas = int(nodes >= _NODES_WITH_REPLICAS)
    if nodes <= options.cluster_replicas:
        raise FatalConfigError(f"{nodes} nodes are too few for a master with {options.cluster_replicas} replicas")
    config.cluster_enabled = True


def _edition(argv: Sequence[str], environ: Mapping[str, str]) -> Edition:
    """The edition that is asked for, which decides what directives there are."""
    name = environ.get("REDIS_COMPAT") or REDIS_8_2.compat
    given = split_inline(environ.get("REDIS_ARGS", "").encode("utf-8", "surrogateescape")) or []
    words = [*map(to_text, given), *argv]
    for option, value in pairwise(words):
        if option == "--compat":
            name = value
    try:
        return edition_named(name)
    except ValueError as error:
        raise FatalConfigError(f"Reading the command line\n>>> 'compat \"{name}\"'\n{error}") from None


def _answer_questions(argv: Sequence[str]) -> None:
    word = argv[0] if argv else ""
    if word in ("-v", "--version"):
        raise Information(f"Redis server v={REDIS_8_2.version} (redis-emulator {__version__}) bits=64\n")
    if word in ("-h", "--help"):
        raise Information(USAGE, 1)
    if word == "--test-memory":
        raise Information("A test of the machine's memory is not part of this server.\n", 1)
    if word == "--check-system":
        raise Information("A check of the system is not part of this server.\n", 1)


# Environment


def _read_environment(options: ServerOptions, environ: Mapping[str, str]) -> None:
    used = [name for name in ("REDIS_ARGS", *_VARIABLES) if environ.get(name)]
    if environ.get("REDIS_PORT", "").startswith("tcp://"):
        used.remove("REDIS_PORT")
        options.notes.append("REDIS_PORT is a container link's and not used: it is no port number")
    lines = []
    if "REDIS_ARGS" in used:
        words = split_inline(to_bytes(environ["REDIS_ARGS"]))
        if words is None:
            raise FatalConfigError(f"Reading REDIS_ARGS\n>>> '{environ['REDIS_ARGS']}'\nUnbalanced quotes")
        lines += _option_lines(list(map(to_text, words)))
    lines += [f"{directive} {quote(environ[name])}" for name, directive in _VARIABLES.items() if name in used]
    if used:
        Loader(options, "the environment").load("\n".join(lines))
        options.notes.append(f"Configuration from the environment: {', '.join(used)}")
    options.warnings += _misspelt(environ)


def _misspelt(environ: Mapping[str, str]) -> Iterable[str]:
    known = ["REDIS_ARGS", "REDIS_COMPAT", *(name for name in _VARIABLES if name.startswith("REDIS_"))]
    others = [name for name in environ if name.startswith("REDIS_") and name not in known]
    if not others:
        return
    suffixes = [name.removeprefix("REDIS_") for name in known]
    for name in others:
        near = nearest(name.removeprefix("REDIS_").upper(), suffixes)
        if near:
            yield f"Environment variable {name} is not used. Did you mean REDIS_{near}?"


# Command line


def _read_command_line(options: ServerOptions, argv: Sequence[str]) -> None:
    words = list(argv)
    loader = Loader(options, "the configuration file")
    text = ""
    from_stdin = False
    if words and not words[0].startswith("-"):
        path = words.pop(0)
        options.config.file = os.path.abspath(path) if path else ""
        text = loader.read(options.config.file) if path else ""
    for place in (0, -1):
        if words and words[place] == "-":
            del words[place]
            from_stdin = True
    if from_stdin:
        options.notes.append("Reading config from stdin")
        text += sys.stdin.read()
    if words:
        text += "\n" + "\n".join(_option_lines(words))
    if not argv:
        options.warnings.append(
            "Warning: no config file specified, using the default config. In order to specify a config file use "
            "python -m emulator /path/to/redis.conf"
        )
    loader.load(text)


def _option_lines(words: Sequence[str]) -> list[str]:
    """Options as lines of a configuration file.

    A word that begins with ``--`` opens a new line unless it has to be the value of the option before it.
    """
    lines: list[str] = []
    complete = True
    for place, word in enumerate(words):
        if complete and word.startswith("--"):
            lines.append(word[2:])
            complete = len(split_inline(to_bytes(word)) or ()) != 1
            following = words[place + 1] if place + 1 < len(words) else "--"
            if word.lower() == "--save" and following.startswith("--"):
                lines[-1] += ' ""'
                complete = True
        else:
            if not lines:
                lines.append("")
            lines[-1] += f" {quote(word)}"
            complete = True
    return lines


def _check_sentinel_file(path: str) -> None:
    """A sentinel writes what it finds out into its configuration file, so it does not start where it cannot."""
    if not path:
        raise StartRefused("Sentinel needs config file on disk to save state. Exiting...")
    try:
        with open(path, "r+b"):
            pass
    except OSError as error:
        raise StartRefused(f"Sentinel config file {path} is not writable: {error.strerror}. Exiting...") from None


def _check_logfile(config: Config) -> None:
    if config.logfile:
        try:
            with open(os.path.join(config.dir, config.logfile), "ab"):
                pass
        except OSError as error:
            raise FatalConfigError(f"Can't open the log file: {error.strerror}") from None
