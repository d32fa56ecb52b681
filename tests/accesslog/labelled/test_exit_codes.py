"""Exit codes and error messages of the command."""

import gzip
import subprocess
from pathlib import Path

import pytest

from tests.accesslog.labelled.command import check_logs, environment, program
from tests.accesslog.labelled.handwritten import ROBOTS, SITE, line, write_log, write_policies
from tests.accesslog.labelled.worlds import World

OBEYED = line("/open")
DISALLOWED = line("/private/x")
IMPOSTOR = line("/open", address="192.0.2.44")
BROWSER = line("/", user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")


@pytest.mark.parametrize(
    ("lines", "fail_on", "code"),
    [
        ([BROWSER, OBEYED], None, 0),
        ([BROWSER, OBEYED, DISALLOWED], None, 1),
        ([BROWSER, OBEYED, DISALLOWED], "disallowed", 1),
        ([BROWSER, OBEYED, DISALLOWED], "never", 0),
        ([BROWSER, IMPOSTOR], None, 0),
        ([BROWSER, IMPOSTOR], "spoofed", 1),
        ([BROWSER, IMPOSTOR], "never", 0),
        ([BROWSER, OBEYED], "spoofed", 0),
        ([BROWSER, line("/private/x", status=403)], None, 0),
        ([BROWSER], None, 0),
    ],
)
def test_the_exit_code_depends_on_the_result(
    tmp_path: Path, lines: list[bytes], fail_on: str | None, code: int
) -> None:
    options = ["--fail-on", fail_on] if fail_on else []
    assert check_logs(tmp_path, write_log(tmp_path, *lines), *ROBOTS, *options).code == code
    assert check_logs(tmp_path, "access.log", *ROBOTS, *options, "--json").code == code


def refused(folder: Path, *arguments: str) -> str:
    """Return the error for invalid input; nothing is printed on stdout."""
    outcome = check_logs(folder, *arguments)
    assert (outcome.code, outcome.out) == (2, b""), outcome
    return outcome.err


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_log(tmp_path, OBEYED)
    assert "missing.log" in refused(tmp_path, "access.log", "missing.log", *ROBOTS)


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    write_log(tmp_path, OBEYED)
    (tmp_path / "logs").mkdir()
    assert "logs" in refused(tmp_path, "logs", *ROBOTS)


@pytest.mark.parametrize("name", ["empty.log", "empty.log.gz"])
def test_an_empty_file_is_no_error_and_is_named(tmp_path: Path, name: str) -> None:
    write_log(tmp_path, OBEYED)
    (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    ran = check_logs(tmp_path, name, *ROBOTS)
    assert ran.code == 0
    assert f"{name!r} is empty" in ran.err


@pytest.mark.parametrize("damage", ["truncated", "corrupt", "not gzip", "junk behind"])
def test_a_damaged_gzip_file_never_counts_as_complete(tmp_path: Path, damage: str) -> None:
    write_log(tmp_path, OBEYED)
    complete = gzip.compress(b"\n".join(line(f"/open/{n}") for n in range(20_000)) + b"\n")
    middle = len(complete) // 2
    data = {
        "truncated": complete[:-10],
        "corrupt": complete[:middle] + bytes([complete[middle] ^ 0xFF]) + complete[middle + 1 :],
        "not gzip": b"this is no gzip file\n",
        "junk behind": complete + b"\x1f\x8b\x08 and then junk",
    }[damage]
    (tmp_path / "broken.log.gz").write_bytes(data)
    assert "broken.log.gz" in refused(tmp_path, "broken.log.gz", *ROBOTS, "--json")


def test_a_truncated_zstd_file_never_counts_as_complete(tmp_path: Path) -> None:
    from backports import zstd

    write_log(tmp_path, OBEYED)
    complete = zstd.compress(b"\n".join(line(f"/open/{n}") for n in range(20_000)) + b"\n")
    (tmp_path / "broken.log.zst").write_bytes(complete[:-10])
    assert "broken.log.zst" in refused(tmp_path, "broken.log.zst", *ROBOTS, "--json")


def test_a_file_damaged_late_is_an_error_after_many_good_ones(tmp_path: Path) -> None:
    write_log(tmp_path, OBEYED)
    (tmp_path / "late.log.gz").write_bytes(gzip.compress(OBEYED + b"\n")[:-4])
    assert "late.log.gz" in refused(tmp_path, "access.log", "late.log.gz", *ROBOTS, "--json")


def test_an_ambiguous_format_shows_the_line_and_the_option(tmp_path: Path) -> None:
    write_log(tmp_path, b"2026 what is this? line one", b"2026 what is this? line two", name="odd.log")
    error = refused(tmp_path, "odd.log", *ROBOTS)
    assert "what is this?" in error
    assert "--format" in error
    assert "odd.log" in error


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path, OBEYED)
    assert "NONESUCH" in refused(tmp_path, "access.log", *ROBOTS, "--format", "NONESUCH")


def test_exactly_one_source_of_policies_is_needed(tmp_path: Path) -> None:
    write_log(tmp_path, OBEYED)
    policies = write_policies(tmp_path, {"site": SITE, "at": "2026-01-01T00:00:00Z", "preset": "no-ai"})
    error = refused(tmp_path, "access.log")
    for option in ("--robots", "--policies", "--registry"):
        assert option in error
    both = refused(tmp_path, "access.log", *ROBOTS, "--policies", policies)
    assert "--robots" in both or "--policies" in both


@pytest.mark.parametrize(
    ("version", "culprit"),
    [
        ({"site": SITE, "at": "yesterday", "preset": "no-ai"}, "yesterday"),
        ({"site": SITE, "at": "2026-01-01T00:00:00Z", "preset": "no-such"}, "no-such"),
        ({"site": SITE, "at": "2026-01-01T00:00:00Z"}, "2"),
        ({"site": "no host/", "at": "2026-01-01T00:00:00Z", "preset": "no-ai"}, "no host/"),
        ({"at": "2026-01-01T00:00:00Z", "preset": "no-ai"}, "2"),
        ({"site": SITE, "at": "2026-01-01T00:00:00Z", "preset": "no-ai", "robots_txt": ""}, "robots_txt"),
        ({"site": SITE, "at": "2026-01-01T00:00:00Z", "preset": "no-ai", "licensed": ["NoBot"]}, "NoBot"),
    ],
)
def test_a_wrong_line_of_the_policies_is_named(
    tmp_path: Path, version: dict[str, object], culprit: str
) -> None:
    write_log(tmp_path, OBEYED)
    right: dict[str, object] = {"site": "b.example", "at": "2026-01-01T00:00:00Z", "preset": "no-ai"}
    policies = write_policies(tmp_path, right, version)
    error = refused(tmp_path, "access.log", "--site", SITE, "--policies", policies)
    assert culprit in error
    assert "2" in error.replace("2026", "")  # the line's number


def test_an_invalid_registry_is_named(tmp_path: Path) -> None:
    write_log(tmp_path, OBEYED)
    error = refused(tmp_path, "access.log", "--site", SITE, "--registry", "sqlite:///none.db")
    assert "none.db" in error
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "options",
    [["--since", "soon"], ["--until", "2026-13-01"], ["--grace", "-1"], ["--top", "-1"], ["--by", "weather"],
     ["--fail-on", "sight"], ["--site", "not a host/"], ["--engine", "steam"]],
)  # fmt: skip
def test_a_wrong_option_is_named_with_its_value(tmp_path: Path, options: list[str]) -> None:
    write_log(tmp_path, OBEYED)
    assert options[1] in refused(tmp_path, "access.log", "--robots", "robots.txt", *options)


def test_a_closed_pipe_is_no_error(world: World) -> None:
    arguments = (*world.names, *world.policies, "--json", "--by", "path", "--top", "100000")
    assert len(check_logs(world.folder, *arguments).out) > 70_000  # more than a pipe holds
    command = subprocess.Popen(
        program(*arguments),
        cwd=world.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout
    assert command.stderr
    command.stdout.read(1)
    command.stdout.close()
    error = command.stderr.read()
    assert (command.wait(60), error) in [(0, b""), (1, b"")]
    command.stderr.close()


def test_a_pipe_has_no_progress_bar(world: World) -> None:
    error = check_logs(world.folder, *world.names, *world.policies, "--json").err
    assert not {"\r", "\x1b", "%"} & set(error)


def test_the_report_is_self_contained(world: World) -> None:
    outcome = check_logs(world.folder, *world.names, *world.policies, "--html", "report.html")
    assert outcome.code == 1
    html = (world.folder / "report.html").read_text()
    assert "Content-Security-Policy" in html
    for outside in ("<link ", "src=", "@import", "url("):
        assert outside not in html.replace("url(data:", "").replace('src="data:', ""), outside
