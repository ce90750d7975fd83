"""The prompt of our redis-cli at a terminal, beside the real one's: the same keys leave the same screen."""

import re

import pytest

import emulator
from tests.test_cli import OURS, environment, find_redis_cli

pytest.importorskip("pty", reason="no pseudo-terminals on this system")

from tests.terminal import Terminal

CONVERSATIONS = {
    "replies": ["ping", "set k 'a b'", "get k", "get none", "rpush l a b", "lrange l 0 -1", "incr k", "", "  "],
    "databases": ["select 3", "set k v", "select 0", "get k", "select 99", "select x"],
    "a transaction": ["multi", "set k v", "select 2", "exec", "multi", "select 1", "discard", "exec", "multi", "reset"],
    "an aborted transaction": ["multi", "nosuch", "select 4", "exec", "get k"],
    "maps": [
        "hset h f v g w",
        "hello 3",
        "hgetall h",
        "smembers none",
        "debug protocol map",
        "debug protocol verbatim",
    ],
    "mistakes": ['set a "b', "nosuch", "0 ping", "-1 ping", ":foo", ":set foo"],
    "repeats": ["3 incr n", "2 lrange l 0 -1"],
    "preferences": [":set nohints", "get k", ":set hints", "get k"],
    "another server": ["connect 127.0.0.1 1", "ping", "get k", "connect 127.0.0.1 {port}", "ping"],
    "help": ["help get", "help nosuch", "? @transactions"],
    "texts": ["cluster info", "latency doctor", "client no-evict on"],
    "keys that edit": [
        "get x\x7fk",
        "bet k\x01\x04g",
        "ping now\x17\x7f",
        "nonsense\x15ping",
        "pnig\x02\x02\x14\x14",
        "pingx\x02\x0b",
    ],
    "arrows": ["ping", "\x1b[A", "get a\x1b[Dk\x1b[3~", "\x1b[A\x1b[A\x1b[B", "nosuch \x1b[Hx\x1b[F", "\x10\x10"],
    "tabs": ["pin\t", "PIN\t", "config ge\t maxmemory", "help @tran\t", "zzz\t\x15ping"],
}


@pytest.fixture(scope="module")
def server():
    with emulator.Server(enable_debug_command="yes") as server:
        yield server


@pytest.fixture
def at_terminal(server, tmp_path):
    """Start a program as a user with an empty home does."""

    def start(program, *arguments, **more):
        variables = environment(HOME=str(tmp_path), TERM="xterm", **more)
        return Terminal([*program, "-p", str(server.port), *arguments], variables)

    return start


PROMPT = re.compile(r"^(?:not connected|127\.0\.0\.1:\d+\S*(?: mode\))?)>", re.MULTILINE)


def after(number):
    """Whether a screen shows a prompt for the next line after so many."""

    def shows(text):
        last = text.rpartition("\n")[2]
        return len(PROMPT.findall(text)) == number + 1 and PROMPT.fullmatch(last) is not None

    return shows


@pytest.mark.parametrize("lines", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_same_keys_leave_the_same_screen(server, at_terminal, tmp_path, lines):
    screens, histories = [], []
    for program in (find_redis_cli(), OURS):
        server.connect().flushall()
        with at_terminal(program) as terminal:
            terminal.until(after(0))
            for number, line in enumerate(lines, 1):
                terminal.keys(line.replace("{port}", str(server.port)) + "\r")
                terminal.until(after(number))
            terminal.keys("quit\r")
            assert terminal.end() == 0
            screens.append(re.sub(r'(?<="id" => \(integer\) )\d+', "ID", terminal.text))
        history = tmp_path / ".rediscli_history"
        histories.append(history.read_text())
        assert history.stat().st_mode & 0o777 == 0o600
        history.unlink()
    assert screens[1] == screens[0]
    assert histories[1] == histories[0]


def test_a_command_that_takes_long_tells_how_long(at_terminal):
    with at_terminal(OURS) as terminal:
        terminal.keys("debug sleep 0.6\r")
        terminal.until(after(1))
        assert re.search(r"^OK\n\((0\.[6-9]|[1-9]\d*\.\d)\ds\)$", terminal.text, re.MULTILINE)


def test_hints_show_what_is_still_to_come(at_terminal):
    with at_terminal(OURS) as terminal:
        terminal.until(after(0))
        terminal.keys("getex k")
        terminal.until("getex k [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-millisec")
        terminal.keys("\x15geodist ")
        terminal.until("geodist key member1 member2 [M|KM|FT|MI]")
        terminal.keys("a b c KM")
        terminal.until("geodist a b c KM")
        terminal.keys("\x15:set nohints\rgeodist ")
        terminal.until("> geodist")


def test_a_line_longer_than_the_screen_takes_several_rows(at_terminal):
    with at_terminal(OURS) as terminal:
        terminal.until(after(0))
        terminal.keys("echo " + "x" * 150 + "\x01\x06\x06\x06\x06\x06é" + "\r")
        terminal.until(after(1))
        assert "\\xc3\\xa9" + "x" * 80 in terminal.text


def test_what_is_looked_for_in_history(at_terminal):
    with at_terminal(OURS) as terminal:
        for number, line in enumerate(["echo one", "echo two", "ping"], 1):
            terminal.keys(line + "\r")
            terminal.until(after(number))
        terminal.keys("\x12ec")
        terminal.until("(reverse-i-search)`ec': echo two")
        terminal.keys("\x12")
        terminal.until("(reverse-i-search)`ec': echo one")
        terminal.keys("\r")
        assert '"one"' in terminal.until(after(4))


@pytest.mark.parametrize("keys", ["\x03", "\x04", "half\x03", "exit\r"], ids=repr)
def test_ways_out(at_terminal, keys):
    screens = []
    for program in (find_redis_cli(), OURS):
        with at_terminal(program) as terminal:
            terminal.until(after(0))
            terminal.keys(keys)
            assert terminal.end() == 0
            screens.append(terminal.text)
    assert screens[1] == screens[0]


@pytest.mark.parametrize("command", ["monitor", "subscribe a"])
def test_ctrl_c_leads_back_to_the_prompt_from_a_stream(server, at_terminal, command):
    with at_terminal(OURS) as terminal:
        terminal.until(after(0))
        terminal.keys(command + "\r")
        terminal.until("OK\n" if command == "monitor" else re.compile("Reading messages.*").search)
        terminal.keys("\x03")
        terminal.until(after(1))  # what is typed before is flushed, as by redis-cli
        terminal.keys("ping\r")
        assert "PONG" in terminal.until(lambda text: re.search(r"PONG\n127\.0\.0\.1:\d+>\Z", text))


def test_ctrl_c_ends_a_command_that_waits(at_terminal):
    with at_terminal(OURS) as terminal:
        terminal.until(after(0))
        terminal.keys("blpop none 0\r")
        terminal.until("> blpop none 0\n")
        terminal.keys("\x03")
        assert terminal.end() == 1
        assert "Traceback" not in terminal.text


@pytest.mark.parametrize("protocol", ["-2", "-3"])
def test_a_subscriber_reads_messages_and_may_go_on_typing(server, at_terminal, protocol):
    with at_terminal(OURS, protocol) as terminal, server.connect() as client:
        terminal.keys("subscribe a\r")
        terminal.until("(press Ctrl-C to quit or any key to type command)")
        client.publish("a", "hello")
        terminal.until(re.compile('"message"\n2\\) "a"\n3\\) "hello"\nReading messages').search)
        terminal.keys("u")
        terminal.until("(subscribed mode)> u")
        terminal.keys("nsubscribe\r")
        terminal.until(re.compile(r'"unsubscribe"\n2\) "a"\n3\) \(integer\) 0\n127\.0\.0\.1:\d+>\Z').search)


def test_secrets_are_not_kept(at_terminal, tmp_path):
    lines = ["auth secret", "hello 3 auth a secret", "acl setuser x >secret", "config set requirepass ''", "ping"]
    with at_terminal(OURS) as terminal:
        for number, line in enumerate(lines, 1):
            terminal.keys(line + "\r")
            terminal.until(after(number))
    assert (tmp_path / ".rediscli_history").read_text() == "ping\n"


def test_preferences_and_history_have_their_places(at_terminal, tmp_path):
    (tmp_path / "rc").write_text(":set nohints\nfoo\n:bar x\n")
    files = {"REDISCLI_RCFILE": str(tmp_path / "rc"), "REDISCLI_HISTFILE": str(tmp_path / "lines")}
    screens = []
    for program in (find_redis_cli(), OURS):
        with at_terminal(program, **files) as terminal:
            terminal.until(after(0))
            terminal.keys("get\r")
            terminal.until(after(1))
            screens.append(terminal.text)
        assert (tmp_path / "lines").read_text() == "get\n"
        (tmp_path / "lines").unlink()
    assert screens[1] == screens[0]


def test_a_password_is_asked_for_and_not_shown(server, at_terminal):
    screens = []
    for program in (find_redis_cli(), OURS):
        with at_terminal(program, "--askpass", "ping") as terminal:
            terminal.until("Please input password:")
            terminal.keys("secret\r")
            assert terminal.end() == 0
            screens.append(terminal.text)
    assert screens[1] == screens[0]
    assert "******" in screens[1] and "secret" not in screens[1]


def test_a_terminal_without_cursor_keys(at_terminal):
    with at_terminal(["env", "TERM=dumb", *OURS]) as terminal:
        terminal.until(after(0))
        terminal.keys("ping\r")
        assert "ping\nPONG\n" in terminal.until(after(1))
