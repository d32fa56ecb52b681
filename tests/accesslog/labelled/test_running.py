"""The circumstances of a check: duplicate logs, outputs that can't be written, interruptions."""

import gzip
import os
import signal
import subprocess
from pathlib import Path

import polars as pl
import pytest

from aipolicy.accesslog.summary import write_evidence
from aipolicy.cli.outputs import output_file, require_writable
from aipolicy.errors import AIPolicyError
from tests.accesslog.labelled.command import Outcome, check_logs_here, environment, program
from tests.accesslog.labelled.handwritten import ROBOTS, line, write_log, write_policies


def checked(folder: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.chdir(folder)
    return check_logs_here(*arguments, "--json")


def test_a_file_with_several_names_is_read_once_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write_log(tmp_path, line())
    (tmp_path / "today.log").symlink_to(name)
    names = (name, f"./{name}", str(tmp_path / name), "today.log", name)
    found = checked(tmp_path, *names, *ROBOTS, monkeypatch=monkeypatch).document
    assert found["total"]["disallowed"] == 1
    assert "'today.log' and 'access.log' are the same file; it was read once" in found["notes"]
    assert [file["file"] for file in found["files"]] == [name]


def test_a_compressed_copy_of_a_log_has_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write_log(tmp_path, line(), line("/private/y"))
    (tmp_path / "access.log.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    write_log(tmp_path, line("/private/y"), name="other.log")
    found = checked(tmp_path, name, "access.log.gz", "other.log", *ROBOTS, monkeypatch=monkeypatch).document
    (note,) = found["notes"]
    assert note.startswith("'access.log.gz' begins like 'access.log'")
    assert found["total"]["disallowed"] == 5


def test_only_a_few_of_many_copies_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [write_log(tmp_path, line(), name=f"{n}.log") for n in range(10)]
    notes = checked(tmp_path, *names, *ROBOTS, monkeypatch=monkeypatch).document["notes"]
    assert len(notes) == 4
    assert notes[-1] == "6 more logs begin like others"


def test_empty_logs_are_not_duplicates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [write_log(tmp_path, name=name) for name in ("a.log", "b.log")]
    found = checked(tmp_path, *names, *ROBOTS, monkeypatch=monkeypatch).document
    assert found["notes"] == ["'a.log', 'b.log' are empty"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write_log(tmp_path, line())
    complete = checked(tmp_path, name, *ROBOTS, monkeypatch=monkeypatch).document["crawlers"]
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + (tmp_path / name).read_bytes())
    assert checked(tmp_path, name, *ROBOTS, monkeypatch=monkeypatch).document["crawlers"] == complete


def test_a_probe_for_an_open_proxy_is_no_fetch_of_the_logs_own_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = "http://A.example:80/private/x", "http://other.example/private/x"
    name = write_log(tmp_path, line(own), line(other), line())
    found = checked(tmp_path, name, *ROBOTS, monkeypatch=monkeypatch).document
    assert (found["total"]["disallowed"], found["lines"]["left_out"]) == (2, 1)


def test_a_site_that_took_over_the_chosen_host_is_included(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = {"robots_txt": "User-agent: *\nDisallow: /\n"}
    policies = write_policies(
        tmp_path,
        {"site": "old.example", "hosts": ["moved.example"], "robots_txt": ""},
        {"site": "old.example", "at": "2026-09-01T00:00:00Z", "hosts": [], "robots_txt": ""},
        {"site": "new.example", "at": "2026-09-01T00:00:00Z", "hosts": ["moved.example"], **closed},
    )
    name = write_log(tmp_path, line(host="moved.example"), line(host="stranger.example"))
    options = ("--policies", policies, "--site", "moved.example")
    found = checked(tmp_path, name, *options, monkeypatch=monkeypatch).document
    assert (found["total"]["disallowed"], found["lines"]["left_out"]) == (1, 1)


def test_a_crawler_that_was_denied_robots_txt_has_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = [line("/robots.txt", status=status) for status in (200, 403, 404, 429, 503, 301)]
    found = checked(tmp_path, write_log(tmp_path, *reads, line()), *ROBOTS, monkeypatch=monkeypatch).document
    assert found["crawlers"][0]["robots_txt"]["unavailable"] == 2
    (note,) = found["notes"]
    assert note.startswith("robots.txt was answered 4xx to 2 reads by GPTBot, after which")
    obeyed = checked(tmp_path, write_log(tmp_path, *reads), *ROBOTS, monkeypatch=monkeypatch).document
    assert obeyed["notes"] == []


@pytest.mark.parametrize("option", ["--html", "--evidence"])
@pytest.mark.parametrize("out", ["none/report", "."])
def test_an_output_that_cannot_be_written_is_an_error_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, out: str
) -> None:
    write_log(tmp_path)
    outcome = checked(tmp_path, "missing.log", *ROBOTS, option, out, monkeypatch=monkeypatch)
    assert outcome.code == 2
    assert f"'{out}'" in outcome.err
    assert "missing.log" not in outcome.err


def test_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for refused in (require_writable, lambda out: output_file(out).__enter__()):
        with pytest.raises(AIPolicyError, match="is not a file"):
            refused(str(pipe))
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_an_output_is_not_touched_before_it_is_written(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    require_writable(str(out))
    assert not list(tmp_path.iterdir())
    out.write_text("old")
    require_writable(str(out))
    assert out.read_text() == "old"


def test_a_full_disk_for_evidence_is_a_system_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("underlying IO error: No space left on device (os error 28)")

    from aipolicy.accesslog.fetch_table import SCHEMA

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        write_evidence([SCHEMA.to_frame().lazy()], tmp_path / "e.parquet")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_full_disk_behind_stdout_has_another_exit_code_than_a_finding(
    tmp_path: Path, form: list[str]
) -> None:
    write_log(tmp_path, line())
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            program("access.log", *ROBOTS, *form),
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr.count(b"\n")) == (2, 1)
    assert b"stdout can't be written" in ran.stderr


def test_an_interruption_has_the_usual_exit_code_and_leaves_no_files(tmp_path: Path) -> None:
    write_log(tmp_path, line())
    os.mkfifo(tmp_path / "endless.log")
    arguments = ("endless.log", *ROBOTS, "--html", "r.html", "--evidence", "e.parquet")
    command = subprocess.Popen(
        program(*arguments),
        cwd=tmp_path,
        env={**environment(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with (tmp_path / "endless.log").open("wb") as log:  # waits until it is read
        log.write(line() + b"\n")
        log.flush()
        command.send_signal(signal.SIGINT)
    out, error = command.communicate(timeout=60)
    assert (command.returncode, out) == (130, b"")
    assert error.strip() == b"Interrupted"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["access.log", "endless.log", "robots.txt"]
