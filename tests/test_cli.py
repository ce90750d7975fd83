"""Our redis-cli beside the real one: the same invocations on the same server print the same bytes and end alike."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

import emulator
from conformance.servers import free_port
from emulator.cli.options import read_options
from emulator.cli.usage import USAGE

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
    "-a '' ping",
    "--user ann -a '' ping",
    "-u redis://ann:@127.0.0.1:{port} ping",
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
    "< restart\nRESTART x\n5x ping\n+2 ping\n-0 ping\n9223372036854775808 ping\n",
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
        [*program, *arguments], input=lines, env=environment(**more), capture_output=True, timeout=120, check=False
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


@pytest.mark.parametrize(
    "mode", ["--bigkeys", "--memkeys", "--memkeys --memkeys-samples 0", "--bigkeys --pattern [hs]"]
)
def test_large_keys_are_found_alike(server, mode):
    """The real one tells the types in an order of its own each time."""
    theirs = find_redis_cli()
    fill(server)
    with server.connect() as client:
        client.execute_command("VADD", "vectors", "VALUES", 2, 1, 1, "a")
        for number in range(40):
            client.set(f"key:{number}", "x" * number)
    outputs = [run(program, "-p", str(server.port), *mode.split())[1].splitlines() for program in (theirs, OURS)]
    assert sorted(outputs[1]) == sorted(outputs[0])
    first = outputs[1].index(b"-------- summary -------")
    assert outputs[1][:first] == outputs[0][:first]


def test_hot_keys_are_found_alike(server):
    theirs = find_redis_cli()
    fill(server)
    with server.connect() as client:
        client.config_set("maxmemory-policy", "allkeys-lfu")
        for name in ("k", "k", "bytes"):
            for _ in range(100):
                client.get(name)
        expected = run(theirs, "-p", str(server.port), "--hotkeys")
        assert run(OURS, "-p", str(server.port), "--hotkeys") == expected
        client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("form", ["--raw", "--csv", "--json"])
def test_latency_is_told_alike(server, form):
    theirs = find_redis_cli()
    outputs = [run(program, "-p", str(server.port), form, "--latency", "-i", "0.05")[1] for program in (theirs, OURS)]
    shapes = [re.sub(rb"\d+", b"N", output) for output in outputs]
    assert shapes[1] == shapes[0]


def lines_of(program, server, *arguments, count, act=lambda: None, seen=1):
    """The first lines that a program prints which does not end by itself; `act` follows the first few."""
    command = [*program, "-p", str(server.port), *arguments]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            lines = [process.stdout.readline() for _ in range(seen)]
            act()
            lines += [process.stdout.readline() for _ in range(count - seen)]
        finally:
            process.terminate()  # SIGINT may be ignored where the tests run in the background
    return process.returncode, lines


@pytest.mark.parametrize("form", FORMATS[1:])
@pytest.mark.parametrize("command", ["subscribe a", "psubscribe a*", "ssubscribe a"])
def test_messages_are_printed_as_they_come(server, command, form):
    """But for the line that only somebody at a terminal needs, and that 8.2 leaves out elsewhere."""
    rows = {"--raw": (3, 4), "--no-raw": (3, 4), "--csv": (1, 1), "--json": (1, 1), "--quoted-json": (1, 1)}
    first, then = rows[form]
    then = 3 if then == 4 and command != "psubscribe a*" else then
    publish = "SPUBLISH" if command == "ssubscribe a" else "PUBLISH"

    def act():
        server.command(publish, "a", "x y")

    outcomes = []
    for program, extra in ((find_redis_cli(), form != "--raw"), (OURS, False)):
        words = [form, *command.split()]
        status, lines = lines_of(program, server, *words, count=extra + first + then, act=act, seen=extra + first)
        assert status == -signal.SIGTERM
        outcomes.append(lines[extra:])
    assert outcomes[1] == outcomes[0]


def test_monitor_streams(server):
    with server.connect() as client:
        client.ping()  # what a new connection says first would be told as well
        outcomes = [
            lines_of(program, server, "monitor", count=2, act=lambda: client.set("k", 'a "b"'))
            for program in (find_redis_cli(), OURS)
        ]
    told = [[re.sub(rb"[\d.]+ \[0 \S+", b"", line) for line in lines] for _, lines in outcomes]
    assert told[1] == told[0]
    assert b'"a \\"b\\""' in told[1][1]
    assert outcomes[0][0] == outcomes[1][0] == -signal.SIGTERM


def test_figures_come_line_by_line(server):
    heads = [lines_of(program, server, "--stat", "-i", "0.01", count=4)[1] for program in (find_redis_cli(), OURS)]
    shapes = [[re.sub(rb"[\d.+]+", b"N", line).split() for line in lines] for lines in heads]
    assert shapes[1] == shapes[0]
    assert heads[1][:2] == heads[0][:2]


def test_lines_are_answered_as_they_come(server):
    command = [*OURS, "-p", str(server.port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment()}
    with subprocess.Popen(command, **pipes) as process:
        for number in range(3):
            process.stdin.write(b"echo %d\n" % number)
            process.stdin.flush()
            assert process.stdout.readline() == b"%d\n" % number
        process.stdin.write(b"subscribe a\n")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(3)] == [b"subscribe\n", b"a\n", b"1\n"]
        process.stdin.write(b"unsubscribe\n")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(3)] == [b"unsubscribe\n", b"a\n", b"0\n"]
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.fixture
def other_node(server):
    """A server that stands for another node of a cluster, and how to be sent there by GET."""
    with emulator.Server() as other:
        other.connect().set("k", "there")

        def send_there(kind):
            server.command("EMULATOR", "FAULT", "ADD", "COMMAND", "get", "ERROR", f"{kind} 7 127.0.0.1:{other.port}")

        yield send_there
    server.command("EMULATOR", "FAULT", "CLEAR")


@pytest.mark.parametrize("arguments", ["-c get k", "-c --no-raw get k", "get k", "-c --no-raw < get k\nget none\n"])
def test_redirections_are_followed_where_that_is_asked_for(server, other_node, arguments):
    words, _, lines = arguments.partition(" < ")
    other_node("MOVED")
    _, output, _ = compare(server, words.split(), lines.encode())
    assert (b"there" in output) == ("-c" in words)


def test_what_is_asked_of_another_node_once(server, other_node):
    """The real one gives up here, since a server without cluster mode refuses ASKING."""
    other_node("ASK")
    assert run(OURS, "-p", str(server.port), "-c", "get", "k") == (0, b"there\n", b"")


def test_a_closed_pipe_is_no_accident(server):
    fill(server)
    script = f"{shlex.join([*OURS, '-p', str(server.port), '-r', '-1', 'lrange', 'l', '0', '-1'])} | head -n 2"
    done = subprocess.run(["sh", "-c", script], env=environment(), capture_output=True, timeout=120, check=True)
    assert done.stdout == b"0\n1\n"
    assert done.stderr == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_accident(server, closed):
    program = shlex.join([*OURS, "-p", str(server.port)])
    for words in ("ping", "nosuch", "-e nosuch", ""):
        script = f"{program} {words} {closed}"
        done = subprocess.run(
            ["sh", "-c", script],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        assert done.returncode == (1 if "-e" in words else 0)


def test_a_unix_socket_leads_to_the_server(tmp_path):
    path = str(tmp_path / "socket")
    outcomes = []
    for program in (find_redis_cli(), OURS):
        with emulator.Server(unixsocket=path):
            calls = ["set k v", "-n 2 --no-raw get k", "-p 1 get k", "-e nosuch", "< get k\nselect 2\ndbsize\n"]
            parts = [call.partition("< ") for call in calls]
            outcomes.append([run(program, "-s", path, *words.split(), lines=text.encode()) for words, _, text in parts])
    assert outcomes[1] == outcomes[0]
    assert outcomes[1][2] == (0, b"v\n", b"")


OPTION = re.compile(r"(?<![\w-])-[a-zA-Z2346]\b|(?<!\w)--[a-z][a-z-]+")


@pytest.mark.parametrize("option", sorted(set(OPTION.findall(USAGE.partition("Not there:")[0]))))
def test_what_the_help_names_is_taken(option, capsys):
    with contextlib.suppress(SystemExit):
        read_options([option, "1"], {})
    assert "Unrecognized" not in capsys.readouterr().err


def test_what_is_not_there_says_so(server):
    for option in OPTION.findall(USAGE.partition("Not there:")[2]):
        status, output, errors = run(OURS, "-p", str(server.port), option, "x")
        assert (status, output, errors) == (1, b"", f"{option} is not part of this redis-cli.\n".encode())


def test_what_is_typed_of_8_2(server):
    port = str(server.port)
    fill(server)
    assert run(OURS, "-p", port, "-t", "3", "-4", "ping")[1] == b"PONG\n"
    assert len(run(OURS, "-p", port, "--scan", "--count", "1")[1].splitlines()) == 6
    assert run(OURS, "-p", port, "-3", "debug", "protocol", "bignum")[1] == b"1234567999999999999999999999999999999\n"
    assert run(OURS, "-p", port, "-3", "--no-raw", "debug", "protocol", "attrib")[1].startswith(
        b'1| "key-popularity" => '
    )
    assert run(OURS, "--version")[1].startswith(b"redis-cli 8.2.3 ")
    assert b"--bigkeys" in run(OURS, "--help")[1]


def test_an_empty_password_from_the_environment(server):
    assert b"AUTH failed" in compare(server, ["ping"], REDISCLI_AUTH="")[2]


def test_a_password_from_the_environment(server):
    port = free_port()
    with emulator.Server(port=port, requirepass="secret"):
        address = ["-p", str(port)]
        assert run(OURS, *address, "ping", REDISCLI_AUTH="secret") == (0, b"PONG\n", b"")
        assert run(OURS, *address, "-e", "ping") == (1, b"", b"NOAUTH Authentication required.\n")
        for arguments in ([], ["-n", "3"], ["-3"]):
            theirs = run(find_redis_cli(), *address, *arguments, "ping", REDISCLI_AUTH="wrong")
            assert run(OURS, *address, *arguments, "ping", REDISCLI_AUTH="wrong") == theirs


def test_help_without_a_server_is_this_package_s_own():
    status, output, _ = run(OURS, "-p", "1", "help", "get")
    assert status == 0 and b"GET\x1b[0m \x1b[90mkey\x1b[0m" in output


def test_a_plain_command_starts_little(server):
    """What the prompt and the other modes need is not imported."""
    command = [sys.executable, "-X", "importtime", "-m", "emulator.cli", "-p", str(server.port), "ping"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "emulator.cli.program" in imported
    assert not imported & {
        "asyncio",
        "ssl",
        "argparse",
        "subprocess",
        "dataclasses",
        "urllib.parse",
        "emulator.core.engine",
    }
    assert not imported & {f"emulator.cli.{name}" for name in ("prompt", "editor", "documentation", "keys", "usage")}
