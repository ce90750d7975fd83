"""JSON where 8.2 answers otherwise than the older module that the conformance suite has, and what no other server shows."""

from json import dumps
from random import Random

import pytest
import redis as redis_py

import emulator
from conformance.fuzz import values
from conformance.fuzz.generate import Generator
from conformance.fuzz.modules import MODULES
from emulator.core.dispatch import run
from emulator.modules.json import text as texts
from emulator.modules.json.document import Document
from emulator.modules.json.measure import depth, measure, weight
from emulator.modules.json.path import path
from emulator.modules.json.text import parse, written
from emulator.protocol.errors import CommandError


def bulk(text):
    data = text.encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


@pytest.fixture
def play(client):
    """Run a line and see what the document ``d`` is then."""

    def run(line, document=None):
        if document is not None:
            assert client.play(b"JSON.SET d $ '" + document.encode() + b"'") == b"+OK\r\n"
        return client.play(line)

    return run


# The last member or element of a document takes the key with it


@pytest.mark.parametrize(
    ("document", "line", "count"),
    [
        ('{"a":1}', "JSON.DEL d $.a", 1),
        ("[1]", "JSON.DEL d $[0]", 1),
        ('{"a":1,"b":[1],"c":null}', "JSON.DEL d $.*", 3),
        ("[0,1,2,3,4,5,6,7,8,9,10,11]", "JSON.DEL d $[*]", 12),
    ],
)
def test_a_document_that_has_nothing_left_goes(client, play, document, line, count):
    assert play(line, document) == b":%d\r\n" % count
    assert client.play("EXISTS d") == b":0\r\n"


def test_a_document_that_was_empty_stays(client, play):
    assert play("JSON.DEL d $.a", "{}") == b":0\r\n"
    assert client.play("JSON.GET d") == bulk("{}")


def test_an_empty_part_stays(client, play):
    assert play("JSON.DEL d $.a.b", '{"a":{"b":1}}') == b":1\r\n"
    assert client.play("JSON.GET d") == bulk('{"a":{}}')


# Many places


def test_all_that_fits_is_deleted(client, play):
    elements = ",".join(f'{{"x":{number % 3}}}' for number in range(12))
    assert play('JSON.DEL d "$[?(@.x>0)]"', f"[{elements}]") == b":8\r\n"
    assert client.play("JSON.GET d $[*].x") == bulk("[0,0,0,0]")


def test_what_is_within_something_deleted_does_not_count(client, play):
    assert play("JSON.DEL d $..a", '{"a":{"a":{"a":1}},"b":{"a":2}}') == b":2\r\n"
    assert client.play("JSON.GET d") == bulk('{"b":{}}')


def test_a_place_that_is_met_twice_is_deleted_once(client, play):
    assert play('JSON.DEL d "$..[?(@==1)]"', "[1,2,[1]]") == b":2\r\n"
    assert client.play("JSON.GET d") == bulk("[2,[]]")


def test_the_deepest_places_are_changed_first(client, play):
    popped = b"*8\r\n$2\r\n[]\r\n$2\r\n[]\r\n$2\r\n[]\r\n$1\r\n1\r\n$-1\r\n$-1\r\n$1\r\n3\r\n$-1\r\n"
    assert play("JSON.ARRPOP d $..*", "[[[[1]]],[2,[3]]]") == popped
    assert client.play("JSON.GET d") == bulk("[[],[2]]")


def test_every_place_is_set(client, play):
    assert play("JSON.SET d $..* 5", '{"a":[1,{"b":2}],"c":3}') == b"+OK\r\n"
    assert client.play("JSON.GET d") == bulk('{"a":5,"c":5}')


def test_a_value_set_at_several_places_is_several_values(client, play):
    play("JSON.SET d $.* [1]", '{"a":1,"b":2}')
    assert client.play("JSON.ARRAPPEND d $.a 2") == b"*1\r\n:2\r\n"
    assert client.play("JSON.GET d") == bulk('{"a":[1,2],"b":[1]}')


# Filters


def test_an_operand_that_has_several_values_fits_by_any(play):
    assert play('JSON.GET d "$[?(@.*==1)]"', '[[1,2],{"x":2,"y":1},[3]]') == bulk('[[1,2],{"x":2,"y":1}]')
    assert play('JSON.GET d "$[?(@[*]>2)]"') == bulk("[[3]]")


def test_names_of_other_letters_are_quoted(play):
    assert play("JSON.GET d '$[\"é\"]'", '{"é":1,"日本":2}') == bulk("[1]")
    assert play("JSON.GET d '$.é'") == b"-Error at position 2: expected one of the following: <string>, '*'\r\n"
    assert play("JSON.GET d '$[\"日\"]!'").startswith(b"-Error at position 8: ")


# Text


@pytest.mark.parametrize(
    ("text", "column"), [("1 x", 3), ("trueabc", 5), ("[1,2]1", 6), ('"x" "y"', 5), ('{"a":1}}', 8), ("1\0", 2)]
)
def test_nothing_may_follow_a_value(client, text, column):
    words = b'"' + b"".join(b"\\x%02x" % byte for byte in text.encode()) + b'"'
    assert client.play(b"JSON.SET d $ " + words) == b"-trailing characters at line 1 column %d\r\n" % column


def test_a_path_that_cannot_be_read_is_told_by_its_place(play):
    expected = b"-Error at position 10: expected one of the following: pos_number\r\n"
    assert play('JSON.GET d "$..book[::-1].t"', "{}") == expected


# Numbers


@pytest.mark.parametrize(
    ("number", "line", "result"),
    [
        ("9223372036854775807", "JSON.NUMINCRBY d $ 1", "[9.223372036854776e18]"),
        ("-9223372036854775808", "JSON.NUMINCRBY d $ -1", "[-9.223372036854776e18]"),
        ("5", "JSON.NUMMULTBY d $ 9223372036854775807", "[4.611686018427388e19]"),
        ("10", "JSON.NUMPOWBY d $ 20", "[1e20]"),
        ("-8", "JSON.NUMPOWBY d $ 3", "[-512]"),
    ],
)
def test_what_is_too_large_for_an_integer_is_a_double(play, number, line, result):
    assert play(line, number) == bulk(result)


@pytest.mark.parametrize("line", ["JSON.NUMPOWBY d $ 1e300", "JSON.NUMPOWBY d $ 9223372036854775807"])
def test_a_result_that_is_no_number_is_refused(play, line):
    assert play(line, "10") == b"-ERR result is not a number\r\n"


def test_a_root_of_something_negative_is_no_number(play):
    assert play("JSON.NUMPOWBY d $ 0.5", "-8") == b"-ERR result is not a number\r\n"


# ACL


def test_the_commands_have_a_category(client):
    assert b"json" in client.play("ACL CAT")
    assert client.play("COMMAND INFO json.get").count(b"@json") == 1
    client.play("ACL SETUSER bob on nopass ~* +@json")
    assert client.play("ACL DRYRUN bob JSON.SET d $ 1") == b"+OK\r\n"


def test_text_is_written_as_it_is_read():
    for text in ('[1e-6,1e16,"1e+16",0.00001,"a\\"1e-07"]', '{"é":"\\u001f"}', "[[],{}]", "-0.0"):
        assert written(parse(text.encode())).decode() == text


def test_paths_that_begin_with_a_dollar_may_be_legacy():
    assert [path(given).legacy for given in (b"$", b"$.a", b"$[0]", b"$a", b".", b"a")] == [False] * 3 + [True] * 3


# What a client must not be able to do


def send(client, *words):
    """Run a command whose words have quotes in them."""
    run(client.session, [[word.encode() for word in words]], 0, 1)
    return client.received()


def nested(levels, inner="1"):
    return "[" * levels + inner + "]" * levels


def test_one_text_is_nested_so_deep_at_most(client):
    assert client.play(f"JSON.SET d $ {nested(127)}") == b"+OK\r\n"
    assert client.play(f"JSON.SET d $ {nested(128)}").startswith(b"-recursion limit exceeded at line 1 column 128")
    assert send(client, "JSON.SET", "d", "$", "[" * 100_000) == b"-recursion limit exceeded at line 1 column 128\r\n"
    assert send(client, "JSON.SET", "d", "$", '{"a":' * 100_000).startswith(b"-recursion limit exceeded")


@pytest.mark.parametrize(
    "text",
    [
        "[0,-0,383,384,-128,-129,8388607,8388608,-8388608,-8388609,18446744073709551616,1e2,-0.0]",
        '{"a":{},"b":[],"c":[[]],"d":{"":{}},"e\\n":[1,2,3,4,5]}',
        '[ "\\u0000\\u007f\\u0080\\u07ff\\u0800\\uFFFF\\ud83d\\ude00", "é€😀", "\\\\\\"[{,:" , "" ]',
        " [ true , false , null , [ true ] ] ",
        '"scalar"',
    ],
)
def test_a_text_is_measured_as_its_value_is(text):
    value = parse(text.encode())
    assert measure(value, text.encode()) == (depth(value), weight(value))


def test_a_document_that_is_nested_time_and_again_comes_to_an_end(client):
    client.play("JSON.SET d $ 0")
    refused = 0
    for number in range(20):
        reply = client.play(f'JSON.SET d "$..[?(@=={number})]" {nested(100, str(number + 1))}')
        refused += reply == b"-ERR recursion limit exceeded\r\n"
    assert refused
    for line in (
        "JSON.GET d",
        "JSON.GET d $..*",
        "COPY d e",
        "DUMP d",
        "JSON.RESP d",
        "MEMORY USAGE d",
        "JSON.CLEAR d $..*",
    ):
        assert b"internal error" not in client.play(line)


def test_paths_that_multiply_what_they_find_come_to_an_end(client):
    many = ",".join(["0"] * 1000)
    client.play(f"JSON.SET d $ {nested(120)}")
    for place in ("$..*..*..*..*..*", f"$[{many}][{many}]", "$" + "..[*]" * 50, "$..[?(@..*[?(@..*[?(@..*)])])]"):
        assert client.play(f"JSON.GET d '{place}'").startswith(b"-ERR the path leads to too many places"), place


def test_groups_of_filters_are_nested_so_deep_at_most(client):
    client.play("JSON.SET d $ [1]")
    assert client.play("JSON.GET d '$[?" + "(" * 90 + "@==1" + ")" * 90 + "]'") == b"$3\r\n[1]\r\n"
    assert client.play("JSON.GET d '$[?" + "(" * 5000 + "@==1" + ")" * 5000 + "]'").startswith(b"-Error at position")
    assert client.play("JSON.GET d '$" + "[?(@" * 5000 + ")]" * 5000 + "'").startswith(b"-Error at position")


def test_a_path_is_so_long_at_most(client):
    client.play("JSON.SET d $ [1]")
    assert client.play("JSON.GET d $" + "[0]" * 33_000) == b"$2\r\n[]\r\n"
    assert client.play("JSON.GET d $" + "[0]" * 34_000) == b"-ERR the path is too long\r\n"


def test_what_is_wrong_with_a_large_text_is_found(client):
    """What goes through all of it in Python takes a minute here."""
    for text, column in (("[" + "1," * 4_000_000 + "x]", 8_000_002), ('"' + "\\n" * 3_000_000, 6_000_001)):
        assert send(client, "JSON.SET", "d", "$", text).endswith(b"at line 1 column %d\r\n" % column)


def array(elements):
    return f"[{','.join(elements)}]"


@pytest.mark.parametrize("command", ["JSON.SET", "JSON.MERGE", "JSON.ARRAPPEND", "JSON.STRAPPEND"])
def test_copies_of_a_large_value_are_no_way_to_fill_the_memory(client, command):
    send(client, "JSON.SET", "d", "$", array(['""' if command == "JSON.STRAPPEND" else "[]"] * 10_000))
    reply = send(client, command, "d", "$[*]", f'"{"x" * 60_000}"')
    assert reply == b"-ERR the document would be too large\r\n"


def test_many_places_are_changed_in_one_go(client):
    """What is quadratic takes minutes here."""
    count = 50_000
    send(client, "JSON.SET", "d", "$", array(f'{{"n":{number}}}' for number in range(count)))
    assert client.play("JSON.NUMINCRBY d $[*].n 1").count(b",") == count - 1
    assert client.play('JSON.DEL d "$[?(@.n>10)]"') == b":%d\r\n" % (count - 10)
    members = (f'"m{number}":{number}' for number in range(count))
    send(client, "JSON.SET", "d", "$", "{" + ",".join(members) + "}")
    nulls = ",".join(f'"m{number}":null' for number in range(count // 2))
    assert send(client, "JSON.MERGE", "d", "$", f"{{{nulls}}}") == b"+OK\r\n"
    assert client.play("JSON.DEL d '$[?(@>30000)]'") == b":%d\r\n" % (count - 30_001)
    assert client.play("JSON.OBJLEN d") == b":%d\r\n" % (30_001 - count // 2)


def test_an_index_out_of_one_of_several_arrays_changes_none(client, play):
    assert play("JSON.ARRINSERT d $.* 1 0", '{"a":[1],"b":[]}') == b"-ERR index out of bounds\r\n"
    assert client.play("JSON.GET d") == bulk('{"a":[1],"b":[]}')


# Through redis-py


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_has_documents(protocol):
    redis = emulator.connect(protocol=protocol, decode_responses=True)
    documents = redis.json()
    assert documents.set("d", "$", {"name": "ann", "tags": ["x"], "n": 1, "in": {"n": 2.5}})
    assert documents.get("d", "$.name") == ["ann"]
    assert documents.get("d") == {"name": "ann", "tags": ["x"], "n": 1, "in": {"n": 2.5}}
    assert documents.numincrby("d", "$..n", 5) == [6, 7.5]
    assert documents.arrappend("d", "$.tags", "y", "z") == [3] and documents.arrindex("d", "$.tags", "y") == [1]
    assert documents.arrinsert("d", "$.tags", 0, "w") == [4] and documents.arrtrim("d", "$.tags", 0, 2) == [3]
    assert documents.arrpop("d", "$.tags") == ['"y"'] and documents.arrlen("d", "$.tags") == [2]
    assert documents.strappend("d", "na", "$.name") == [5] and documents.strlen("d", "$.name") == [5]
    assert documents.set("d", "$.on", True) and documents.toggle("d", "$.on") == [False]
    assert documents.objkeys("d", "$.in") == [["n"]] and documents.objlen("d", "$") == [5]
    assert documents.type("d", "$.n") in (["integer"], [["integer"]])
    assert documents.merge("d", "$", {"on": None}) and documents.delete("d", "$.in") == 1
    assert documents.mset([("e", "$", 1), ("f", "$", [2])])
    assert documents.mget(["e", "f", "none"], "$") == [[1], [[2]], None]
    assert documents.clear("f") == 1 and documents.get("f") == []
    with redis.pipeline() as pipeline:
        pipeline.json().set("p", "$", {"a": 1})
        pipeline.execute()
    with pytest.raises(redis_py.ResponseError, match="does not exist"):
        documents.get("d", ".nope")


# Whatever is asked


@pytest.mark.parametrize("seed", range(4))
def test_what_a_document_has_grown_by_is_what_it_weighs_more(client, seed):
    generator = Generator(Random(seed), MODULES["json"]())
    database = client.engine.databases[0]
    for _ in range(3000):
        words = generator.command()
        run(client.session, [words], 0, 1)
        client.received()
        for entry in database.live():
            if isinstance(entry.value, Document):
                assert entry.value.footprint == weight(entry.value.root), words


@pytest.mark.parametrize(
    "call",
    "ARRAPPEND d $.a 1|ARRINSERT d $.a 0 1|ARRPOP d $.a 0|ARRTRIM d $.a 5 -5|NUMINCRBY d $.n 1|STRAPPEND d $.s '\"x\"'"
    "|TOGGLE d $.b|SET d $.n 12.5|SET d $.new [1]|DEL d $.n|CLEAR d $.n|DEL d $.a[7]".split("|"),
)
def test_a_large_document_is_not_weighed_anew(client, call):
    text = dumps({"a": [*range(20_000)], "n": 1, "s": "t", "b": True})
    run(client.session, [[b"JSON.SET", b"d", b"$", text.encode()]], 0, 1)
    (entry,) = client.engine.databases[0].live()
    assert not client.play(f"JSON.{call}").startswith(b"-")
    assert entry.value.is_weighed and entry.value.footprint == weight(entry.value.root)


@pytest.mark.parametrize("seed", range(3))
def test_no_call_is_an_internal_error_and_no_figure_goes_wrong(client, seed):
    random = Random(seed)
    generator = Generator(random, MODULES["json"]())
    database = client.engine.databases[0]
    for _ in range(3000):
        words = generator.command()
        if random.random() < 0.2 and len(words) > 2:
            words[random.randrange(1, len(words))] = values.junk(random).encode("latin-1")
        run(client.session, [words], 0, 1)
        assert b"internal error" not in client.received(), words
        for entry in database.live():
            if isinstance(entry.value, Document):
                entry.value._check()


@pytest.mark.parametrize("many", [1, 2, 3, 200])
@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        1,
        "a",
        [1, 2, 3],
        {"a": 1, "b": [1, 2, 3, [4]], "c": {}},
        [[1, 2, 3], 4, [5, 6, 7], 8],
        {'"': [[[]]], "e": 1e40},
    ],
    ids=str,
)
def test_a_text_in_pieces_is_the_text(value, many, monkeypatch):
    monkeypatch.setattr(texts, "_MANY", many)
    assert b"".join(texts.written_in_pieces(value)) == texts.written(value)


@pytest.mark.parametrize("opened", ["$['", '$["', "$[?(@.a=='"])
def test_a_long_path_is_gone_through_once(opened):
    """A name that does not end took minutes where each of its spaces might have been the last."""
    with pytest.raises(CommandError):
        path((opened + " " * 90_000).encode()).find(Document([], "[]"))
