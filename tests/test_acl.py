"""Users from configuration and ACL files, how they are kept, and what redis-py's ACL functions see."""

import pytest
import redis

from conformance import servers
from tests.test_main import port_of, process, running


@pytest.fixture
def client():
    with servers.emulator() as address, redis.Redis(*address, decode_responses=True) as client:
        yield client


def connect(port, username, password):
    return redis.Redis(port=port, username=username, password=password, decode_responses=True)


def test_redis_py_manages_users(client):
    assert client.acl_setuser(
        "ann",
        enabled=True,
        passwords=["+secret"],
        categories=["+@read"],
        commands=["+set", "+acl|whoami"],
        keys=["a*"],
        channels=["c*"],
    )
    ann = client.acl_getuser("ann")
    assert ann["enabled"] and ann["keys"] == ["~a*"] and ann["channels"] == ["&c*"]
    assert (ann["commands"], ann["categories"]) == (["+set", "+acl|whoami"], ["-@all", "+@read"])
    port = client.connection_pool.connection_kwargs["port"]
    with connect(port, "ann", "secret") as her:
        assert her.acl_whoami() == "ann"
        assert her.set("a1", "x") and her.get("a1") == "x"
        with pytest.raises(redis.exceptions.NoPermissionError):
            her.get("b")
        with pytest.raises(redis.exceptions.NoPermissionError):
            her.delete("a1")
    refused = [(entry["reason"], entry["object"]) for entry in client.acl_log()]
    assert refused[:2] == [("command", "del"), ("key", "b")]
    assert client.acl_log_reset()
    assert client.acl_deluser("ann") == 1
    with pytest.raises(redis.exceptions.AuthenticationError):
        connect(port, "ann", "secret").ping()


def test_a_password_for_the_default_user():
    with running("--port", "auto", "--save", "", "--requirepass", "secret") as (_, lines):
        port = port_of(lines)
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=port).ping()
        assert redis.Redis(port=port, password="secret").ping()
        assert redis.Redis(port=port, username="default", password="secret", protocol=3).ping()


def test_users_of_the_configuration_file_are_kept_by_rewrite(tmp_path):
    file = tmp_path / "redis.conf"
    file.write_text("port auto\nsave ''\nuser bob on >x ~a* +get +config\nuser default on nopass ~* &* +@all\n")
    with running(str(file)) as (_, lines):
        port = port_of(lines)
        assert connect(port, "bob", "x").get("a") is None
        client = redis.Redis(port=port)
        client.acl_setuser("eve", enabled=True, nopass=True, commands=["+ping"])
        client.config_rewrite()
    users = [line for line in file.read_text().splitlines() if line.startswith("user ")]
    assert users == [
        "user bob on sanitize-payload #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 ~a* resetchannels "
        "-@all +get +config",
        "user default on nopass sanitize-payload ~* &* +@all",
        "user eve on nopass sanitize-payload resetchannels -@all +ping",
    ]


def test_an_acl_file_is_loaded_saved_and_loaded_again(tmp_path):
    file = tmp_path / "users.acl"
    file.write_text("user bob on >x ~* +get +acl\n\nuser ann on nopass +ping (~b +set)\n")
    with running("--port", "auto", "--save", "", "--aclfile", str(file)) as (_, lines):
        port = port_of(lines)
        admin, bob, ann = redis.Redis(port=port), connect(port, "bob", "x"), connect(port, "ann", "")
        assert ann.set("b", "1") and bob.get("b") == "1"
        admin.acl_setuser("new", enabled=True, nopass=True)
        assert admin.acl_save()
        assert [line.split()[1] for line in file.read_text().splitlines()] == ["ann", "bob", "default", "new"]
        file.write_text("user bob on >y ~* +get\n")
        assert admin.acl_load()
        assert admin.acl_users() == ["bob", "default"]
        with pytest.raises(redis.exceptions.AuthenticationError):
            ann.ping()
        assert bob.get("b") == "1"
        file.write_text("user bob on >y ~* +foo\n")
        with pytest.raises(redis.ResponseError, match="Error in applying operation"):
            admin.acl_load()
        assert admin.acl_users() == ["bob", "default"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user bob on +foo\n", "Error in applying operation '+foo'"),
        ("user bob on\nuser bob off\n", "Duplicate user 'bob' found on line 2"),
        ("bob on\n", ":1 should start with user keyword"),
        ("user bob (~a\n", "Unmatched parenthesis in selector definition"),
    ],
)
def test_a_bad_acl_file_ends_the_start(tmp_path, text, told):
    file = tmp_path / "users.acl"
    file.write_text(text)
    server = process("--port", "auto", "--aclfile", str(file))
    output, _ = server.communicate(timeout=60)
    assert server.returncode == 1
    assert "# Aborting Redis startup because of ACL errors: " in output and told in output


def test_users_in_both_files_end_the_start(tmp_path):
    (tmp_path / "users.acl").write_text("")
    (tmp_path / "redis.conf").write_text(f"port auto\nuser bob on\naclfile {tmp_path}/users.acl\n")
    server = process(str(tmp_path / "redis.conf"))
    output, _ = server.communicate(timeout=60)
    assert server.returncode == 1
    assert "# Configuring Redis with users defined in redis.conf and at the same setting an ACL file path" in output
