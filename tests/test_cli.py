"""Our redis-cli beside the real one: the same invocations on the same server print the same bytes and end alike."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import emulator

OURS = [sys.executable, "-m", "emulator.cli"]
LUA = "return {1, {2, {'three', false}}, 'x', {}, {'a'}, redis.error_reply('ERR x'), redis.status_reply('S')}"
MAPS = (
    "redis.setresp(3); return {{map={a={1,2}}}, {map={b={map={c={map={d={}}}}}}}, {double=1.5}, {double=1/0},"
    " {map={[1]=2}}, {map={[1.5]=true}}, {set={a=true}}, {map={}}, false, {map={a={1}}}}"
)
BYTES = "é\x01\x1f\x7f/\\\b\f\"\t'<>"
FORMATS = ["", "--raw", "--no-raw", "--csv", "--json", "--quoted-json"]
TYPES = "string integer double null array set map verbatim true false push".split()

REPLIES = [
    *(["debug", "protocol", kind] for kind in TYPES),
    ["get", "k"],
    ["get", "bytes"],
    ["get", "none"],
    ["hgetall", "h"],
    ["hgetall", "none"],
    ["lrange", "l", "0", "-1"],
    ["lrange", "none", "0", "-1"],
    ["xread", "streams", "s", "0"],
    ["zrange", "z", "0", "-1", "withscores"],
    ["smembers", "none"],
    ["incr", "k"],
    ["nosuch", "x"],
    ["eval", LUA, "0"],
    ["eval", MAPS, "0"],
    ["command", "info", "get"],
    ["ping"],
]
"""Replies of all kinds, each in all formats on both protocols."""

INVOCATIONS = [
    # Who and where
    "--user ann -a 'x y' acl whoami",
    "--user ann --pass 'x y' acl whoami",
    "--no-auth-warning --user ann -a 'x y' acl whoami",
    "-u redis://ann:x%20y@127.0.0.1:{port}/2 acl whoami",
    "-u redis://ann:x%20y@127.0.0.1:{port}/2 --no-raw eval 'return redis.call(\"dbsize\")' 0",
    "-u foo://x ping",
    "-a wrong ping",
    "--no-auth-warning -a wrong -n 3 ping",
    "--user ann ping",
    "-n 3 dbsize",
    "-n 99 ping",
    "-n x ping",
    "-h nosuch.invalid ping",
    "-h 127.0.0.1 -p 1 ping",
    "-p abc ping",
    "-p 1 --scan",
    "-p 1 --bigkeys",
    "-p 1 --stat",
    "-p 1 --pipe",
    "-s /nosuch ping",
    "--askpass ping < foo",
    # Mistakes
    "-p",
    "--foo",
    "-foo ping",
    "--show-pushes x ping",
    "--show-pushes",
    "-x -X tag set k",
    "-X tag set k < v",
    "--quoted-input set '\"a' v",
    "--eval /nosuch",
    # How often
    "-r 3 ping",
    "-r 2 -i 0.01 incr n",
    "-i x ping",
    "-r 0 ping",
    "-r 3 -e nosuch",
    # Delimiters
    "-d , lrange l 0 -1",
    "-D , -r 2 ping",
    "-d , -D ; -r 2 lrange l 0 -1",
    "-d , -3 hgetall h",
    "-D '' --raw get k",
    "-d '' --no-raw lrange l 0 -1",
    # Standard input as an argument
    "-x set k < some text",
    "-x rpush l a <",
    "-X TAG set TAG value < name",
    "-r 2 -x append k < ab",
    # Quotes
    "--quoted-input set '\"a\\x00b\"' v",
    "--quoted-input get '\"k\"'",
    "--quoted-input get k",
    "set 'a b' 'c\nd'",
    # Errors
    "-e get k",
    "-e incr k",
    "-e --no-raw nosuch",
    "-e --json nosuch",
    "exec",
    "--no-raw exec",
    # Texts
    "--no-raw info keyspace",
    "--csv info keyspace",
    "--json -3 info keyspace",
    "--no-raw memory doctor",
    "--no-raw latency doctor",
    "--no-raw lolwut version 5 1 1 1",
    "--no-raw cluster info",
    "--no-raw latency graph command",
    "--no-raw debug htstats 0",
    # Words of the prompt's are commands here
    "quit",
    "exit",
    "3 ping",
    ":set hints",
    "connect",
    "clear",
    "multi",
    "select 3",
    "unsubscribe",
    # Help
    "help get",
    "help GET",
    "? get",
    "help config",
    "help config get",
    "help nosuch",
    "help @nosuch",
    "help @hash",
    "help @list",
    "help @transactions",
    # Scripts
    "--eval {script}",
    "--eval {script} a b , c d",
    "--eval {script} a ,",
    "--eval {script} , x",
    "--no-raw --eval {script} a , b",
    "--eval {broken}",
    "-e --eval {broken}",
    # Pushes
    "-3 --show-pushes yes --no-raw debug protocol push",
    "-3 --show-pushes yes debug protocol push",
    "-3 --show-pushes no --no-raw debug protocol push",
    # All keys
    "--scan",
    "--scan --pattern 's*'",
    "--scan --quoted-pattern '\"\\x73*\"'",
    "--scan --quoted-pattern '\"a'",
    "--scan --no-raw",
    "--scan -n 5",
    "--hotkeys",
    # Lines
    '< ping\nget k\n\nset a "b\nnosuch\nincr k\n2 ping\n0 ping\nhelp get\nquit\nping\n',
    "-e < ping\nnosuch",
    "--no-raw < multi\nget k\nexec\nexec\nselect 3\nget k\nmulti\ndiscard\nreset\nget k\n",
    "--no-raw < hello 3\nhgetall h\nreset\nhgetall h\n",
    "-3 --show-pushes yes --no-raw < client tracking on\nget k\nset k 1\nping\nflushall\nping\n",
    "-3 --show-pushes yes --json < client tracking on\nget k\nset k 1\nping\nflushall\nping\n",
    "-3 --show-pushes yes < client tracking on\nget k\nset k 1\nping\n",
    '--csv <  ping  \n"get" k\n:set nohints\n:set foo\n:foo\n:set\n',
    "< connect 127.0.0.1 1\nping\nconnect 127.0.0.1 {port}\nping\n",
    "< exit now\nping\n",
    "-p 1 < ping\n",
    "< auth ann 'x y'\nacl whoami\n",
    "< 'unbalanced\nget 'k'\nget k\n",
    # Protocol
    "--pipe < SET p 1\nGET p\n",
    "--pipe < *1\r\n$4\r\nPING\r\n",
    "--pipe < SET p\nnosuch\nPING",
    "--pipe <",
]


def find_redis_cli():
    path = shutil.which("redis-cli")
    if path is None:
        pytest.skip("no redis-cli to compare with")
    return [path]


@pytest.fixture(scope="module")
def server():
    with emulator.Server(enable_debug_command="yes") as server:
        server.connect().acl_setuser("ann", enabled=True, passwords=["+x y"], commands=["+@all"], keys=["*"])
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "script.lua").write_text("return {KEYS[1], ARGV[1], ARGV[2]}")
    (folder / "broken.lua").write_text("return foo bar")
    return {"script": folder / "script.lua", "broken": folder / "broken.lua"}


def fill(server):
    with server.connect() as client:
        client.config_resetstat()
        client.flushall()
        client.mset({"k": 'a b\n"c"', "bytes": BYTES})
        client.hset("h", mapping={"f": "v", "g": "w"})
        client.rpush("l", *range(11))
        client.xadd("s", {"a": "b", "c": "d"}, id="1-1")
        client.zadd("z", {"a": 1.5, "b": 2})


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REDISCLI")}
    return kept | {"HOME": "/nonexistent"} | more


def run(program, *arguments, lines=b"", **more):
    """Status, output and errors of a program."""
    done = subprocess.run(
        [*program, *arguments], input=lines, env=environment(**more), capture_output=True, timeout=30, check=False
    )
    return done.returncode, re.sub(rb'(?<="id" => \(integer\) )\d+', b"ID", done.stdout), done.stderr


def compare(server, arguments, lines=b"", **more):
    theirs = find_redis_cli()
    arguments = ["-h", server.host, "-p", str(server.port), *map(str, arguments)]
    fill(server)
    expected = run(theirs, *arguments, lines=lines, **more)
    fill(server)
    assert run(OURS, *arguments, lines=lines, **more) == expected
    return expected


@pytest.mark.parametrize("protocol", ["-2", "-3"])
@pytest.mark.parametrize("form", FORMATS)
def test_replies_are_printed_alike(server, protocol, form):
    """Many commands by one call, since standard input is read line by line."""
    lines = "\n".join(shlex.join(words).replace("'\"'\"'", "\\'") for words in REPLIES)
    compare(server, [protocol, *form.split()], lines.encode())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("words", REPLIES[1:20:3], ids=lambda words: words[-1])
def test_so_are_those_to_a_command_from_the_command_line(server, words, form):
    compare(server, [*form.split(), *words])


@pytest.mark.parametrize("line", INVOCATIONS)
def test_it_is_called_as_the_real_one(server, files, line):
    for name, value in {"port": server.port, **files}.items():
        line = line.replace(f"{{{name}}}", str(value))
    words, _, lines = line.partition("<") if line.startswith("<") else line.partition(" <")
    compare(server, shlex.split(words), lines.removeprefix(" ").encode())
