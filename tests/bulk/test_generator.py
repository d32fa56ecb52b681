"""The generator of every site's robots.txt, correct and complete at any time."""

import re
from pathlib import Path

import pytest

from aipolicy.bulk import generator
from aipolicy.bulk.generator import Generator
from aipolicy.bulk.host_folder import FILES, SHARD, STATE, HostFolder, is_host_file, shard
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError
from aipolicy.registry import Registry
from aipolicy.signals.switches import Signals
from tests.bulk.folders import NO, OPTED_OUT, did, expected, files, write
from tests.registry.conftest import raw


def test_every_host_of_every_site_gets_its_file(registry: Registry, out: Path) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example", "bücher.example", "[::1]"])
    registry.put(SitePolicy(site="own.example", robots_base="User-agent: *\nDisallow: /x\n"), by="ada")
    assert did(write(registry, out)) == (5, 0, 0)
    assert files(out) == expected(registry)
    assert files(out)["xn--bcher-kva.example"] == NO


def test_the_files_for_unknown_hosts_are_in_the_folder(registry: Registry, out: Path) -> None:
    write(registry, out)
    assert (out / "default.txt").read_bytes() == NO
    assert sorted(path.name for path in out.iterdir()) == [
        STATE,
        ".aipolicy.lock",
        "default.tdmrep.json",
        "default.txt",
    ]


def test_a_second_run_only_reads_the_changes(registry: Registry, out: Path) -> None:
    registry.put_many((OPTED_OUT.for_site(f"b{n}.example") for n in range(20)), by="import")
    assert write(registry, out).full
    assert did(write(registry, out)) == (0, 0, 0)
    registry.put(SitePolicy(site="b7.example"), by="ada", hosts=["www.b7.example"])
    registry.put(OPTED_OUT, by="ada")
    again = write(registry, out)
    assert (did(again), again.full, again.seq) == ((3, 0, 0), False, 22)
    assert files(out) == expected(registry)


def test_the_file_of_a_removed_host_is_removed(registry: Registry, out: Path) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["old.example", "www.blog.example"])
    write(registry, out)
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    assert did(write(registry, out)) == (0, 2, 1)
    assert files(out).keys() == {"blog.example", "www.blog.example"}


def test_a_host_removed_during_the_first_pass_has_no_file(registry: Registry, out: Path) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["old.example", "www.blog.example"])
    hosts = iter((["old.example"], []))

    def leave(_: int) -> None:
        for fewer in hosts:  # once: both leave after the first file was written
            registry.put(OPTED_OUT, by="ada", hosts=fewer)

    with HostFolder(out) as folder:
        summary = Generator(registry, folder, advance=leave).run()
    assert (summary.full, summary.removed) == (True, 2)
    assert files(out).keys() == {"blog.example"}


def test_a_full_run_repairs_files_that_others_changed(registry: Registry, out: Path) -> None:
    registry.put_many((OPTED_OUT.for_site(f"b{n}.example") for n in range(5)), by="import")
    write(registry, out)
    edited = out / FILES / shard("b1.example") / "b1.example"
    edited.chmod(0o644)
    edited.write_bytes(b"User-agent: *\nAllow: /\n")  # in place: all five are this file
    (out / FILES / shard("b2.example") / "b2.example").unlink()
    summary = write(registry, out, full=True)
    assert (summary.full, summary.written) == (True, 5)
    assert files(out) == expected(registry)
    assert did(write(registry, out, full=True)) == (0, 5, 0)


def test_a_full_run_removes_only_our_own_files(registry: Registry, url: str, out: Path) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["old.example"])
    write(registry, out)
    ours = out / FILES / "og"
    foreign = [out / "README", out / FILES / "notes.txt", ours / "Old.example", ours / "index.html.gz.~1~"]
    foreign += [ours / "else.example", out / FILES / "another" / "blog.example"]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("not ours")
    (ours / "dog.example").mkdir()
    (ours / "frog.example").symlink_to(out / "README")
    with raw(url) as connection:  # what a restored backup lacks
        connection.exec_driver_sql("DELETE FROM host WHERE host = 'old.example'")
    assert did(write(registry, out, full=True)) == (0, 1, 1)
    assert all(path.read_text() == "not ours" for path in foreign)
    assert (ours / "dog.example").is_dir()
    assert (ours / "frog.example").is_symlink()
    assert not (out / FILES / shard("old.example") / "old.example").exists()


def test_a_directory_in_the_place_of_a_file_is_an_error(registry: Registry, out: Path) -> None:
    write(registry, out)
    (out / FILES / "og" / "blog.example").mkdir(parents=True)
    registry.put(OPTED_OUT, by="ada")
    with pytest.raises(
        AIPolicyError, match=r"blog\.example' is not a file that aipolicy wrote: move it away"
    ):
        write(registry, out)


def test_a_folder_with_foreign_files_is_refused_and_unchanged(registry: Registry, out: Path) -> None:
    out.mkdir()
    (out / "index.html").write_text("a page")
    with pytest.raises(
        AIPolicyError, match=r"contains 'index.html', which aipolicy didn't write: use an empty"
    ):
        write(registry, out)
    assert [path.name for path in out.iterdir()] == ["index.html"]


def test_a_folder_of_another_registry_is_refused_without_full(
    registry: Registry, out: Path, tmp_path: Path
) -> None:
    registry.put(OPTED_OUT, by="ada")
    write(registry, out)
    with Registry(f"sqlite:///{tmp_path}/other.db") as other:
        other.put(SitePolicy(site="other.example"), by="eve")
        with pytest.raises(AIPolicyError, match=r"another registry.*--full"):
            write(other, out)
        assert files(out) == expected(registry)
        assert did(write(other, out, full=True)) == (1, 0, 1)
        assert files(out) == expected(other)


def test_other_signals_or_crawlers_rewrite_every_file(
    registry: Registry, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.put(OPTED_OUT, by="ada")
    write(registry, out)
    without = write(registry, out, signals=Signals(content_signal=False))
    assert (without.full, without.written) == (True, 1)
    assert b"Content-Signal" not in files(out)["blog.example"]
    monkeypatch.setattr(generator, "_rendering_digest", lambda signals: "of a newer table")
    assert write(registry, out).full


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"registry": 1, "of": 2}'])
def test_a_damaged_state_is_an_error(registry: Registry, out: Path, text: str) -> None:
    write(registry, out)
    (out / STATE).write_text(text)
    with pytest.raises(AIPolicyError, match=r"aipolicy\.json' can't be read"):
        write(registry, out)


@pytest.mark.parametrize(
    ("host", "folder"),
    [
        ("blog.example", "og"),
        ("www.blog.example", "og"),
        ("blog-1042.platform.example", "42"),
        ("a.example", "a"),
        ("localhost", "st"),
        ("www", "ww"),
        ("www.x", "x"),
        ("www2.x", "w2"),
        ("[::1]", "1]"),
    ],
)
def test_the_folder_of_a_host_is_the_end_of_its_first_label(host: str, folder: str) -> None:
    assert shard(host) == folder
    assert is_host_file(folder, host)
    assert not is_host_file("zz", host)
    match = re.search(SHARD, host)
    assert match
    assert match[1] == folder
