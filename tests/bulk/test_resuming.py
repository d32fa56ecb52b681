"""Interrupted imports, which the same command resumes: every row is stored exactly once."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, make_url

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Change, Registry
from tests.bulk.importer import BATCH
from tests.registry.conftest import ROOT, new_url, raw, url

__all__ = ["new_url", "url"]

ROWS = 2400
STORED = "rows are stored, and the same command resumes after them"


@pytest.fixture
def blogs(tmp_path: Path) -> Path:
    """A file in the order of the blogs' ids, not of their names."""
    path = tmp_path / "blogs.csv"
    lines = (
        f"b{number * 7919 % ROWS}.example,1,www.b{number * 7919 % ROWS}.example\n" for number in range(ROWS)
    )
    path.write_text("host,opted_out,hosts\n" + "".join(lines))
    return path


class Importer:
    """The command as a process that prints a line for each batch."""

    def __init__(
        self, blogs: Path, url: str, *options: str, limit: int | None = None, stdin: str | None = None
    ) -> None:
        def bound() -> None:
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        file = "-" if stdin else str(blogs)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.bulk.importer",
                file,
                "--registry",
                url,
                "--by",
                "nightly",
                *options,
            ],
            cwd=ROOT,
            env={**os.environ, "PGAPPNAME": "importer"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=bound,
        )
        self._stdin = stdin

    def after(self, batches: int, stop: Callable[[subprocess.Popen[str]], None]) -> None:
        """Wait for some batches, and stop it."""
        assert self.process.stdin
        assert self.process.stdout
        if self._stdin:
            self.process.stdin.write(self._stdin)
            self.process.stdin.close()
            self.process.stdin = None
        for _ in range(batches):
            assert self.process.stdout.readline() == "stored\n"
        assert self.process.poll() is None, "it ended by itself"
        stop(self.process)

    def end(self) -> tuple[int, str]:
        """Return its exit code and its messages."""
        _, messages = self.process.communicate(self._stdin if self.process.stdin else None, timeout=60)
        return self.process.returncode, messages


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def half_stored(url: str) -> int:
    """Return the number of stored rows: complete batches, in the order of their names."""
    with Registry(url, create=False) as registry:
        changes = list(registry.changes())
    assert [change.seq for change in changes] == [*range(1, len(changes) + 1)]
    assert 0 < len(changes) < ROWS
    assert len(changes) % BATCH == 0
    assert [change.site for change in changes] == names()[: len(changes)]
    return len(changes)


def all_stored(url: str) -> None:
    """Check that every row made exactly one change."""
    with Registry(url, create=False) as registry:
        assert [change.site for change in registry.changes()] == names()
        assert [change.seq for change in registry.changes()] == [*range(1, ROWS + 1)]
        assert registry.counts() == {"sites": ROWS, "hosts": 2 * ROWS, "changes": ROWS}
    with raw(url) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM meta").scalar() == 2, "the bookmark is left"


def names() -> list[str]:
    return sorted(f"b{number}.example" for number in range(ROWS))


def check_resumes(blogs: Path, url: str, stored: int) -> None:
    before = f"an earlier run stored {stored:,} of {ROWS:,} rows"
    assert Importer(blogs, url).end() == (
        0,
        f"{before}; resuming after them (--restart imports all rows)\n"
        f"{ROWS:,} rows: {ROWS:,} new, 0 changed, 0 unchanged\n",
    )
    all_stored(url)


def test_a_killed_import_resumes(blogs: Path, url: str) -> None:
    importer = Importer(blogs, url)
    importer.after(2, kill)
    importer.end()
    check_resumes(blogs, url, half_stored(url))


def test_an_interrupted_import_reports_the_stored_rows_and_resumes(blogs: Path, url: str) -> None:
    importer = Importer(blogs, url)
    importer.after(2, lambda process: process.send_signal(signal.SIGINT))
    code, messages = importer.end()
    stored = half_stored(url)
    assert (code, messages) == (130, f"{stored:,} of {ROWS:,} {STORED}\nInterrupted\n")
    check_resumes(blogs, url, stored)


def test_an_import_resumes_after_a_full_disk(blogs: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    code, messages = Importer(blogs, url, limit=600_000).end()
    stored = half_stored(url)
    assert code == 2
    assert "disk I/O error" in messages
    assert "free space" in messages
    assert f"; {stored:,} of {ROWS:,} {STORED}\n" in messages
    assert "Traceback" not in messages
    check_resumes(blogs, url, stored)


def test_an_import_resumes_after_the_connection_was_lost(blogs: Path, request: pytest.FixtureRequest) -> None:
    url: str = request.getfixturevalue("schemas").new()

    # In a transaction: a connection that is lost between two batches is opened again without an error.
    end = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'importer' AND state <> 'idle'"""

    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:  # now: later it may take longer than the import

        def end_connection(process: subprocess.Popen[str]) -> None:
            while process.poll() is None and not connection.exec_driver_sql(end).all():
                pass

        importer = Importer(blogs, url)
        importer.after(2, end_connection)
        code, messages = importer.end()
    stored = half_stored(url)
    assert code == 2
    assert f"; {stored:,} of {ROWS:,} {STORED}\n" in messages  # after the fix, which says where it was lost
    assert "Traceback" not in messages
    check_resumes(blogs, url, stored)


def test_without_room_for_a_temporary_file_nothing_is_stored_and_the_error_has_a_fix(
    blogs: Path, tmp_path: Path
) -> None:
    big = "".join(
        f"x{number}.example,1,{'y' * 60}.{'z' * 60}.x{number}.example\n" for number in range(20_000)
    )
    blogs.write_text(f"host,opted_out,hosts\n{big}")
    code, messages = Importer(blogs, f"sqlite:///{tmp_path}/registry.db", limit=500_000).end()
    assert code == 2
    assert "temporary file" in messages
    assert "TMPDIR" in messages
    assert "Traceback" not in messages
    assert not (tmp_path / "registry.db").exists()


@pytest.fixture
def stopped(blogs: Path, tmp_path: Path) -> str:
    """A registry with the first rows, in SQLite."""
    url = f"sqlite:///{tmp_path}/registry.db"
    importer = Importer(blogs, url)
    importer.after(2, kill)
    importer.end()
    return url


def test_resuming_does_not_undo_a_later_change(blogs: Path, stopped: str) -> None:
    first = SitePolicy.from_preset("no-ai", site=names()[0])
    with Registry(stopped) as registry:
        registry.put(first, by="owner")
        assert Importer(blogs, stopped).end()[0] == 0
        assert registry.get(first.site) == first
        # Once it has ended, the same file is another import.
        code, messages = Importer(blogs, stopped).end()
        assert (code, messages) == (0, f"{ROWS:,} rows: 0 new, 1 changed, {ROWS - 1:,} unchanged\n")
        assert registry.get(first.site) == SitePolicy.from_flag(True, site=first.site)


def test_restart_imports_all_rows(blogs: Path, stopped: str) -> None:
    first = SitePolicy.from_preset("no-ai", site=names()[0])
    with Registry(stopped) as registry:
        stored = registry.seq
        registry.put(first, by="owner")
        code, messages = Importer(blogs, stopped, "--restart").end()
        summary = f"{ROWS:,} rows: {ROWS - stored:,} new, 1 changed, {stored - 1:,} unchanged\n"
        assert (code, messages) == (0, summary)
        assert registry.get(first.site) == SitePolicy.from_flag(True, site=first.site)


def test_a_changed_file_is_imported_completely_with_a_note(blogs: Path, stopped: str) -> None:
    with Registry(stopped) as registry:
        stored = registry.seq
    blogs.write_text(blogs.read_text().replace(f"{names()[0]},1", f"{names()[0]},0"))
    code, messages = Importer(blogs, stopped).end()
    assert code == 0
    before = f"an import of this file stopped after {stored:,} rows"
    assert messages == (
        f"{before}, and the file has changed since; all rows are imported\n"
        f"{ROWS:,} rows: {ROWS - stored:,} new, 1 changed, {stored - 1:,} unchanged\n"
    )


def test_a_killed_pipe_starts_again_with_a_note(blogs: Path, tmp_path: Path) -> None:
    url, text = f"sqlite:///{tmp_path}/registry.db", blogs.read_text()
    importer = Importer(blogs, url, "--format", "csv", stdin=text)
    importer.after(2, kill)
    importer.process.communicate()
    stored = half_stored(url)
    before = f"the last import from a pipe stopped after {stored:,} rows"
    assert Importer(blogs, url, "--format", "csv", stdin=text).end() == (
        0,
        f"{before}, and a pipe can't be resumed; all rows are imported\n"
        f"{ROWS:,} rows: {ROWS - stored:,} new, 0 changed, {stored:,} unchanged\n",
    )
    all_stored(url)


def test_an_interrupted_pipe_reports_the_stored_rows(blogs: Path, url: str) -> None:
    importer = Importer(blogs, url, "--format", "csv", stdin=blogs.read_text())
    importer.after(2, lambda process: process.send_signal(signal.SIGINT))
    code, messages = importer.end()
    rows = f"{half_stored(url):,} of {ROWS:,} rows are stored"
    fix = "a pipe can't be resumed; import it again, or save it to a file first"
    assert (code, messages) == (130, f"{rows}; {fix}\nInterrupted\n")


def test_others_can_write_and_read_during_an_import(blogs: Path, url: str) -> None:
    followed: list[Change] = []
    written: list[int] = []
    with Registry(url) as registry:
        importer, done = Importer(blogs, url), threading.Event()

        def follow() -> None:
            last = False
            while not last:
                last = done.is_set()
                followed.extend(list(registry.changes(after=len(followed))))

        follower = threading.Thread(target=follow)
        follower.start()
        while importer.process.poll() is None:
            policy = SitePolicy(site="own.example", sitemaps=[f"https://own.example/{len(written)}"])
            written.append(registry.put(policy, by="owner").seq)
        code, messages = importer.end()
        done.set()
        follower.join()
        assert code == 0, messages
        assert [change.seq for change in followed] == [*range(1, ROWS + len(written) + 1)]
        assert [change.seq for change in followed if change.by == "owner"] == written
        assert {change.site for change in followed} == {*names(), "own.example"}
        batches = [change.by for change in followed]
        assert any(batches[place : place + 2] == ["owner", "nightly"] for place in range(len(batches)))


async def test_an_open_lookup_sees_every_imported_row(blogs: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url) as registry:
        registry.put(SitePolicy(site=names()[0]), by="owner")
        lookup = LocalLookup(url, refresh=0.001)
        assert not (await lookup.find(names()[0].encode())).policy.opted_out
        assert Importer(blogs, url).end()[0] == 0
        lookup.invalidate(names()[0])
        for name in names()[::100]:
            for host in (name, f"www.{name}"):
                assert (await lookup.find(host.encode())).policy.opted_out
        lookup.close()
