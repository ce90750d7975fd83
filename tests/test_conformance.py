"""The conformance suite under pytest: every case file on both protocols, against the real Redis; and its own parts."""

import pytest

from conformance import coverage, servers, table
from conformance.__main__ import HERE, load_accepted, select
from conformance.cases import CaseError, groups, load, parse_step, split
from conformance.compare import equal
from conformance.pages import written
from conformance.resp import Reply
from conformance.runner import Side, play
from emulator.table.registry import REGISTRY
from tests.conftest import with_modules

GROUPS = groups(HERE / "cases")


BASE = [group for group in GROUPS if servers.kind_of(group) == "base"]
OF_MODULES = [group for group in GROUPS if servers.modules_of(group)]
ALONE = [group for group in GROUPS if group not in BASE + OF_MODULES]


@pytest.mark.parametrize("group", [group for group in BASE + OF_MODULES if select([group], "", [3])])
def test_group(pairs, group):
    """On RESP3; on RESP2 they are played by `test_propagation`, which hears besides what replicas are sent."""
    play_group(pairs(servers.modules_of(group)), group, 3)


@pytest.mark.parametrize(
    ("group", "protocol"),
    [(group, protocol) for group in ALONE for protocol in (2, 3) if select([group], "", [protocol])],
)
def test_group_on_servers_of_its_own(group, protocol):
    with with_modules(options=servers.options_of(group)) as addresses:
        play_group(addresses, group, protocol)


LATER = "8.6"
"""The newest edition that is held against a real server."""


@pytest.mark.parametrize("group", BASE)
def test_group_of_a_later_edition(pairs, group):
    """What no version changes is played on RESP2 alone: RESP3 is the same code, and was compared with 8.2."""
    cases = select([group], "", [2, 3], LATER)
    played = [(case, protocol) for case, protocol in cases if protocol == 2 or case.is_of_versions]
    play_cases(pairs((), LATER), played)


EARLIER = ["7.2", "7.4"]
TOLD_BY_EDITIONS = ["bitmap", "command", "connection", "dump", "hash_words", "monitor", "server", "string", "zset"]
"""Groups in which versions differ and that are quick to play."""


@pytest.mark.parametrize("edition", EARLIER)
@pytest.mark.parametrize("group", TOLD_BY_EDITIONS)
def test_group_of_an_earlier_edition(pairs, group, edition):
    play_cases(pairs((), edition), select([group], "", [2], edition), load_accepted(edition))


VALKEY = "valkey-9.1"


@pytest.mark.parametrize("group", [group for group in BASE if group.startswith("valkey_")])
def test_group_of_valkey(pairs, group):
    play_cases(pairs((), VALKEY), select([group], "", [2, 3], VALKEY))


@pytest.mark.parametrize("edition", ["8.2", *EARLIER, LATER, VALKEY])
def test_commands_are_described_as_by_the_oracle(pairs, edition):
    report = coverage.compare(*map(coverage.read_table, pairs((), edition)))
    assert (report.missing, report.different) == ([], {})


@pytest.mark.parametrize("edition", [*EARLIER, LATER, VALKEY])
@pytest.mark.parametrize("group", [group for group in ALONE if group.startswith("cluster_")])
def test_group_of_cluster_mode(group, edition):
    """Cases that start nodes anew take seconds each, and are played on RESP2 alone."""
    with with_modules(edition=edition, options=servers.options_of(group)) as addresses:
        play_cases(
            addresses,
            select([group], "", [2, 3] if servers.options_of(group) else [2], edition),
            load_accepted(edition),
        )


def play_group(addresses, group, protocol):
    cases = select([group], "", [protocol])
    assert cases
    play_cases(addresses, cases)


def play_cases(addresses, cases, accepted=()):
    sides = [Side(address) for address in addresses]
    version, allocator = sides[1].version, sides[1].allocator
    differences = [differing(sides, case, protocol) for case, protocol in cases if case.is_for(version, allocator)]
    found = [difference for difference in differences if difference is not None]
    assert not [str(difference) for difference in found if difference.case.id not in accepted]


def differing(sides, case, protocol):
    """What differs three times: a machine that is busy with other tests lets deadlines pass between two commands."""
    for _ in range(3):
        difference = play(case, protocol, *sides)
        if difference is None:
            return None
    return difference


def test_the_documentation_has_the_table_of_commands():
    supported = {sub.full_name.decode() for entry in REGISTRY.values() for sub in (entry, *entry.subcommands.values())}
    page = table.PAGE.read_text()
    assert page == written(page, "conformance table", table.render(table.grammar(), supported)), (
        "python -m conformance table"
    )


@pytest.mark.parametrize("path", sorted((HERE / "accepted").iterdir()), ids=str)
def test_accepted_differences_name_cases_that_exist(path):
    accepted = load_accepted(path.stem)
    assert accepted
    assert set(accepted) <= {case.id for case, _ in select([], "", [2, 3])}
    assert all(accepted.values())


# The suite's own parts


def test_words():
    assert split('SET k "a b\\x00\\n" \'it\\\'s\' $(x*3) "$(ab*2)"') == [
        b"SET",
        b"k",
        b"a b\0\n",
        b"it's",
        b"xxx",
        b"abab",
    ]


def test_a_quote_left_open_is_an_error():
    with pytest.raises(CaseError):
        split('SET "a')


def test_steps():
    step = parse_step("[about 5, pairs] bob: GET k")
    assert (step.connection, step.words, step.about, step.looseness) == ("bob", [b"GET", b"k"], 5.0, {"pairs"})
    assert parse_step("[blocks] b: BLPOP k 0").replies == 0
    assert parse_step("b: < 2").replies == 2
    assert parse_step("b: <none").action == "none"
    assert parse_step("id = b: CLIENT ID").capture == "id"
    assert parse_step('[replies 2] b: !raw "PING\\r\\n"').replies == 2
    with pytest.raises(CaseError):
        parse_step("[nosuch] GET k")


def test_case_files(tmp_path):
    path = tmp_path / "group.case"
    path.write_text("# comment\n=== one @since 8.0 @resp3\nPING\n\n=== two\nGET k\nGET l\n")
    one, two = load(path)
    assert (one.id, one.since, one.protocols, len(one.steps)) == ("group/one", (8, 0), (3,), 1)
    assert (two.protocols, len(two.steps)) == ((2, 3), 2)
    path.write_text("PING\n")
    with pytest.raises(CaseError):
        load(path)
    path.write_text("=== one\nPING\n=== one\nPING\n")
    with pytest.raises(CaseError):
        load(path)


def test_the_versions_of_a_case(tmp_path):
    path = tmp_path / "group.case"
    path.write_text("=== one @since 7.4 @until 8.4\nPING\n=== two\nPING\n")
    one, two = load(path)
    versions = [(7, 2, 1), (7, 4, 0), (8, 2, 3), (8, 4), (8, 6, 0)]
    assert [one.is_for(version) for version in versions] == [False, True, True, False, False]
    assert all(two.is_for(version) for version in versions)


def test_cases_for_several_commands(tmp_path):
    path = tmp_path / "group.case"
    path.write_text(
        "for POP in LPOP RPOP\n=== $POP of nothing\n$POP l\n$POP $OTHER\n=== $POP twice\n$POP l\nend\n=== last\nPING\n"
    )
    cases = load(path)
    assert [case.name for case in cases] == ["LPOP of nothing", "LPOP twice", "RPOP of nothing", "RPOP twice", "last"]
    assert [step.words for step in cases[2].steps] == [[b"RPOP", b"l"], [b"RPOP", b"$OTHER"]]
    assert cases[3].line == cases[1].line == 5


def test_cases_for_rows_of_values(tmp_path):
    path = tmp_path / "group.case"
    path.write_text('for WAIT REST in\n  "BLPOP l" ""\n  BLMPOP "1 l LEFT"\n=== $WAIT\n$WAIT 0 $REST\nend\n')
    assert [case.steps[0].words for case in load(path)] == [
        [b"BLPOP", b"l", b"0"],
        [b"BLMPOP", b"0", b"1", b"l", b"LEFT"],
    ]


@pytest.mark.parametrize(
    "text", ["for A in x\n=== $A\nPING\n", "for A B in x\n=== $A\nend\n", "for A in x y\n=== one\nend\n"]
)
def test_a_for_that_is_not_written_as_it_should_be(tmp_path, text):
    path = tmp_path / "group.case"
    path.write_text(text)
    with pytest.raises(CaseError):
        load(path)


def bulk(text: bytes) -> Reply:
    return Reply(b"$", text)


def array(*items: Reply, kind: bytes = b"*") -> Reply:
    return Reply(kind, list(items))


def error(text: bytes) -> Reply:
    return Reply(b"-", text)


OLD_ERROR = b'Error occurred on position 2, "$. <<<<----", expected one of the following: a, b.'
SMALL_SET, HASH_TABLE, STRING = b"\x14", b"\x02", b"\x00"
A, B, C = bulk(b"a"), bulk(b"b"), bulk(b"c")


@pytest.mark.parametrize(
    ("line", "one", "other", "same"),
    [
        ("PING", A, A, True),
        ("PING", A, Reply(b"+", b"a"), False),
        ("PING", array(A, B), array(B, A), False),
        ("[unordered] PING", array(A, B), array(B, A), True),
        ("[unordered] PING", array(A, A), array(A, B), False),
        ("[unordered] PING", array(array(A, B)), array(array(B, A)), False),
        ("[deep] PING", array(array(A, B)), array(array(B, A)), True),
        ("[pairs] PING", array(A, B, C, A), array(C, A, A, B), True),
        ("[pairs] PING", array(A, B, C, A), array(B, A, A, C), False),
        ("[members] PING", bulk(b'{"a":1,"b":2.0}'), bulk(b'{"b":2.0,"a":1}'), True),
        ("[members] PING", bulk(b'{"a":[1,2]}'), bulk(b'{"a":[2,1]}'), False),
        ("[members] PING", bulk(b"1.0"), bulk(b"1.1"), False),
        ("[members] PING", bulk(b"x"), bulk(b"y"), False),
        ("PING", error(b"Error at position 2: expected one of the following: a, b"), error(OLD_ERROR), True),
        ("PING", error(b"Error at position 3: expected one of the following: a, b"), error(OLD_ERROR), False),
        ("PING", error(OLD_ERROR), error(OLD_ERROR), False),
        ("[shape] PING", array(A, B), array(C, C), True),
        ("[shape] PING", array(A, B), array(A), False),
        ("[type] PING", array(A, B), array(A), True),
        ("[type] PING", array(A, B), A, False),
        ("[about 5] PING", Reply(b":", b"10"), Reply(b":", b"14"), True),
        ("[about 5] PING", Reply(b":", b"10"), Reply(b":", b"16"), False),
        ("[about 5] PING", Reply(b":", b"10"), bulk(b"10"), False),
        ("[rounded] PING", bulk(b"0.1"), bulk(b"0.10000000000001"), True),
        ("[rounded] PING", bulk(b"0.1"), bulk(b"0.11"), False),
        ("[payload] PING", bulk(SMALL_SET + b"ab" + b"checksum"), bulk(SMALL_SET + b"ba" + b"another."), True),
        ("[payload] PING", bulk(SMALL_SET + b"ab" + b"checksum"), bulk(SMALL_SET + b"aa" + b"another."), False),
        ("[payload] PING", bulk(SMALL_SET + b"ab" + b"checksum"), bulk(HASH_TABLE + b"ab" + b"checksum"), False),
        ("[payload] PING", bulk(HASH_TABLE + b"ab" + b"checksum"), bulk(HASH_TABLE + b"cd" + b"another."), True),
        ("[payload] PING", bulk(HASH_TABLE + b"ab" + b"checksum"), Reply(b"$", None), False),
        ("[payload] PING", bulk(STRING + b"ab" + b"checksum"), bulk(STRING + b"ba" + b"another."), False),
    ],
)
def test_looseness(line, one, other, same):
    assert equal([one], [other], parse_step(line)) is same
