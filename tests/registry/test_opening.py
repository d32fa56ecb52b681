"""Opening a registry: addresses, existing databases, and creation of new ones."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError, RegistryURLError
from aipolicy.registry import DEFAULT_URL, Registry
from tests.registry.conftest import ROOT, NewURL, raw


def test_a_reopened_registry_has_its_sites(url: str) -> None:
    policy = SitePolicy.from_flag(True, site="blog.example")
    with Registry(url) as registry:
        registry.put(policy, by="ada", hosts=["www.blog.example"])
        registry_id = registry.registry_id
    with Registry(url, create=False) as registry:
        assert (registry.registry_id, registry.seq) == (registry_id, 1)
        assert registry.get("www.blog.example") == policy


def test_each_registry_has_its_own_id(new_url: NewURL) -> None:
    with Registry(new_url()) as one, Registry(new_url()) as other:
        assert one.registry_id != other.registry_id
        assert len(one.registry_id) == len(other.registry_id) == 32


def test_the_default_is_a_file_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Registry() as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
    assert DEFAULT_URL == "sqlite:///aipolicy.db"
    assert (tmp_path / "aipolicy.db").exists()


def test_an_open_registry_is_unaffected_by_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Registry() as registry:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        registry.put(SitePolicy(site="blog.example"), by="ada")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("aipolicy.db", "'aipolicy.db' is not a URL: use one like sqlite:///"),
        ("", "is not a URL"),
        ("sqlite://", "has no file name"),
        ("sqlite:///", "has no file name"),
        ("sqlite:///:memory:", "has no file name: use sqlite:///"),
        ("sqlite://aipolicy.db", "has no file name: use sqlite:///"),
        ("sqlite://ada:secret@/aipolicy.db", "has no file name"),
        ("sqlite:///aipolicy.db?mode=ro", "options after"),
        ("sqlite:////no/such/directory/x.db", "the directory '/no/such/directory' doesn't exist"),
        ("mysql://host/aipolicy", "'mysql' is not supported"),
        ("sqlite+aiosqlite:///aipolicy.db", r"'sqlite\+aiosqlite' is not supported"),
        ("https://blog.example/", "'https' is not supported"),
    ],
)
def test_an_invalid_address_is_an_error_with_a_fix(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for create in (True, False):
        with pytest.raises(RegistryURLError, match=message):
            Registry(url, create=create)
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_not_an_address(tmp_path: Path) -> None:
    with pytest.raises(RegistryURLError, match="not a URL"):
        Registry(tmp_path / "aipolicy.db")  # type: ignore[arg-type]


def test_a_typo_creates_no_registry_when_reading(tmp_path: Path) -> None:
    with pytest.raises(RegistryURLError, match=r"file '.*aipolcy\.db' doesn't exist: check the path"):
        Registry(f"sqlite:///{tmp_path}/aipolcy.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_becomes_a_registry_only_with_create(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    url = f"sqlite:///{tmp_path}/empty.db"
    with pytest.raises(RegistryError, match="empty database"):
        Registry(url, create=False)
    with Registry(url) as registry:
        assert registry.seq == 0


def test_a_file_of_another_kind_is_refused_and_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("These are my notes, and there are many of them.\n" * 99)
    before = file.read_bytes()
    for create in (True, False):
        with pytest.raises(RegistryError, match=r"notes\.db.*not a database.*check the path"):
            Registry(f"sqlite:///{file}", create=create)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE post (id INTEGER PRIMARY KEY)"],
        ["CREATE TABLE meta (key TEXT, value TEXT)", "INSERT INTO meta VALUES ('schema_version', '1')"],
        ["CREATE TABLE meta (name TEXT)", "CREATE TABLE site (id INTEGER)"],
    ],
)
def test_another_programs_database_is_refused_and_unchanged(url: str, statements: list[str]) -> None:
    with raw(url) as connection:
        for statement in statements:
            connection.execute(sqlalchemy.text(statement))
        before = sqlalchemy.inspect(connection).get_table_names()
    for create in (True, False):
        with pytest.raises(RegistryError, match="the database of another program"):
            Registry(url, create=create)
    with raw(url) as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == before


def test_a_newer_schema_is_refused_with_the_fix(url: str) -> None:
    Registry(url).close()
    with raw(url) as connection:
        connection.execute(sqlalchemy.text("UPDATE meta SET value = '2' WHERE key = 'schema_version'"))
    with pytest.raises(RegistryError, match=r"schema version 2.*upgrade"):
        Registry(url)


def test_a_closed_registry_is_an_error(url: str) -> None:
    with Registry(url) as registry:
        pass
    registry.close()
    for use in (lambda: registry.seq, lambda: registry.get("blog.example"), lambda: list(registry.sites())):
        with pytest.raises(RegistryError, match="closed"):
            use()


def test_two_processes_can_create_the_same_registry_at_once(new_url: NewURL) -> None:
    program = (
        "import sys\n"
        "from aipolicy.registry import Registry\n"
        "print('ready', flush=True)\n"
        "for url in sys.stdin:\n"
        "    with Registry(url.strip()) as registry:\n"
        "        print(registry.registry_id, flush=True)\n"
    )
    command = [sys.executable, "-c", program]
    opened = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    streams = [(process.stdin, process.stdout) for process in opened]
    try:
        assert all(out and out.readline() == "ready\n" for _, out in streams)
        for _ in range(25):
            url = new_url()
            for to, _ in streams:
                assert to
                to.write(f"{url}\n")
                to.flush()
            ids = {out.readline() for _, out in streams if out}
            assert len(ids) == 1, "they made more than one registry, or one failed"
    finally:
        for process in opened:
            process.communicate()
    assert [process.returncode for process in opened] == [0, 0, 0]
