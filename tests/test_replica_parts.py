"""Who wants a part of the data only, or nothing but the stream, as redis-cli does, is sent that and no more."""

import re
import socket
import subprocess

import pytest

from tests.test_cli import find_redis_cli
from tests.test_replication import digest, fill
from tests.test_replication import ours as ours
from tests.test_replication import real as real
from tests.waiting import until

LIBRARY = "#!lua name=library\nredis.register_function('f', function() return 1 end)"
NO_KEYS = b"0" * 40


@pytest.mark.parametrize("option", ["--rdb", "--functions-rdb"])
def test_redis_cli_takes_a_file_that_the_real_server_loads(real, ours, tmp_path, option):
    master = ours()
    with master.connect() as client:
        fill(client)
        client.function_load(LIBRARY)
    command = [*find_redis_cli(), "-p", str(master.port), option, str(tmp_path / "dump.rdb")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    there = real("--dir", str(tmp_path), "--dbfilename", "dump.rdb")
    with there.connect() as client:
        assert len(client.function_list()) == 1
    assert digest(there) == (digest(master) if option == "--rdb" else NO_KEYS)


def listen(master, path):
    """What redis-cli tells of some commands."""
    with master.connect() as client, path.open("wb") as output:
        fill(client)
        command = [*find_redis_cli(), "-p", str(master.port), "--replica"]
        listener = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            until(lambda: b"Logging commands" in path.read_bytes())
            client.set("a", 1)
            client.incrbyfloat("a", 0.5)
            client.set("last", 1, px=600_000_000)
            until(lambda: b'"last"' in path.read_bytes())
        finally:
            listener.terminate()
            listener.wait()
    lines = path.read_text().splitlines()
    return [re.sub(r'\d+ bytes|(?<="PXAT",").*', "…", line) for line in lines if "ping" not in line.lower()]


def test_redis_cli_hears_the_stream_and_is_sent_no_data(real, ours, tmp_path):
    theirs, told = listen(real(), tmp_path / "theirs"), listen(ours(), tmp_path / "ours")
    assert told == theirs
    assert int(re.search(r"done after (\d+) bytes", (tmp_path / "ours").read_text())[1]) < 500


FILTERS = [[], ["functions"], [""], ["functions", ""], ["", "functions"], ["foo"], ["functions foo"], ['a "b']]


def sent(master, *told):
    """What a replica is sent that tells this of itself and wants the data alone."""
    with socket.create_connection((master.host, master.port), 20) as replica, replica.makefile("rb") as stream:
        for option, value in (("rdb-only", "1"), *told):
            words = [b"REPLCONF", option.encode(), value.encode()]
            replica.sendall(b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
            stream.readline()
        replica.sendall(b"SYNC\r\n")
        head = stream.readline()
        while head == b"\n":
            head = stream.readline()
        data = b"" if head.startswith(b"-") else stream.read()
    return re.sub(rb":.*|\d+", b"", head), b"a key" in data, b"name=library" in data


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_filter_says_which_parts_are_sent(real, ours, diskless):
    answers = []
    for master in (real("--rdbcompression", "no"), ours(rdbcompression="no", repl_diskless_sync_delay=0)):
        with master.connect() as client:
            client.config_set("repl-diskless-sync", diskless)
            client.set("a key", 1)
            client.function_load(LIBRARY)
        filters = [[("rdb-filter-only", value) for value in values] for values in FILTERS]
        answers.append([sent(master, *told, ("capa", "eof")) for told in filters] + [sent(master, *filters[1])])
    assert answers[1] == answers[0]
