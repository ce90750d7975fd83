"""RDB files: what is written is read, what is damaged is refused in the real server's words."""

import io
import os

import pytest

from emulator.config.directives import Config
from emulator.rdb import file, kinds, payload
from emulator.rdb.crc64 import crc64
from emulator.rdb.errors import BadFile
from emulator.rdb.file_reader import FileReader, records

HEAD = b"REDIS0012"
END = b"\xff"
ONE_KEY = b"\0\1k\1v"


def sealed(body):
    return body + crc64(body).to_bytes(8, "little")


def read(data, piece=1 << 20, newest=payload.RDB_VERSION, checks=True):
    """The records of some bytes, which come in pieces of a size."""
    stream = io.BytesIO(data)
    reader = FileReader(lambda count: stream.read(min(count, piece)), checks, newest)
    return list(records(reader, Config()))


def keys(found):
    return {record.key: record for record in found if isinstance(record, file.Key)}


def test_a_checksum_goes_on():
    data = os.urandom(70_000)
    for cut in (0, 1, 7, 8, 9, 5_000, 69_997, 70_000):
        assert crc64(data[cut:], crc64(data[:cut])) == crc64(data)


@pytest.mark.parametrize("piece", [1, 2, 7, 100])
def test_what_is_written_is_read(piece):
    text = payload.string
    body = (
        file.header()
        + file.aux(b"redis-ver", b"8.2.3", text)
        + file.aux(b"redis-bits", b"64", text)
        + file.library(b"#!lua name=l\n" + b" " * 100, text)
        + file.database(3, 2, 1)
        + file.key(b"a" * 200, kinds.STRING, text(b"12"), text, deadline=-5, idle=70)
        + file.key(b"b", kinds.STRING, text(b"x" * 5000), text, frequency=7)
        + bytes((file.END,))
    )
    assert read(body + file.end(crc64(body)), piece) == [
        file.Aux(b"redis-ver", b"8.2.3"),
        file.Aux(b"redis-bits", b"64"),
        file.Library(b"#!lua name=l\n" + b" " * 100),
        file.DatabaseBegins(3),
        file.Sizes(2, 1),
        file.Key(b"a" * 200, kinds.STRING, b"12", -5, 70, None),
        file.Key(b"b", kinds.STRING, b"x" * 5000, None, None, 7),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"REDIS0003\xfe\0" + ONE_KEY + b"\xff",
        sealed(b"REDIS0005\xfe\0" + ONE_KEY + b"\xff"),
        HEAD + b"\xfe\0" + ONE_KEY + b"\xff" + bytes(8),
        sealed(HEAD + b"\xfe\0\xfb\1\0\xf4\1\1\1" + ONE_KEY + b"\xff") + b"something else",
    ],
)
def test_files_without_a_checksum_of_a_cluster_and_with_a_tail(body):
    assert keys(read(body)) == {b"k": file.Key(b"k", 0, b"v", None, None, None)}


def test_seconds_and_keys_without_elements():
    found = keys(read(sealed(HEAD + b"\xfd\1\0\0\0" + ONE_KEY + b"\2\1s\0\xff")))
    assert found[b"k"].deadline == 1000 and found[b"s"].value is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Short read or OOM loading DB. Unrecoverable error, aborting now."),
        (b"RADIS0012\xff", "Wrong signature trying to load DB from file"),
        (sealed(b"VALKEY080\xff"), "Wrong signature trying to load DB from file"),
        (sealed(b"REDIS0013\xff"), "Can't handle RDB format version 13"),
        (sealed(b"REDISxxxx\xff"), "Can't handle RDB format version 0"),
        (sealed(HEAD + ONE_KEY + b"\xff")[:-1], "Short read or OOM loading DB. Unrecoverable error, aborting now."),
        (HEAD + ONE_KEY, "Short read or OOM loading DB. Unrecoverable error, aborting now."),
        (HEAD + b"\0\1k\x81" + b"\xff" * 8, "Short read or OOM loading DB. Unrecoverable error, aborting now."),
        (
            HEAD + b"\xff" + b"\1" * 8,
            f"Wrong RDB checksum expected: ({crc64(HEAD + END):x}) but got (101010101010101). Aborting now.",
        ),
        (HEAD + b"\x23\1k\1v\xff", "Internal error in RDB reading offset 12 -> Unknown RDB encoding type 35"),
        (HEAD + b"\x10\1k\1v\xff", "Internal error in RDB reading offset 14 -> The value of 'k' is damaged"),
        (
            HEAD + b"\xf6\1a\xff",
            "Internal error in RDB reading offset 10 -> Pre-release function format not supported.",
        ),
        (
            HEAD + b"\xf7\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\0",
            "The RDB file contains AUX module data I can't load: no matching module 'vectorset'",
        ),
    ],
)
def test_bad_files(data, reason):
    with pytest.raises(BadFile) as caught:
        read(data)
    assert caught.value.args[0] == reason


def test_a_checksum_may_go_unchecked():
    assert keys(read(HEAD + ONE_KEY + b"\xff" + b"\1" * 8, checks=False))
