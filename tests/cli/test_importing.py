"""``aipolicy import``: all rows of a file, or none if one is invalid."""

import json
import os
from pathlib import Path

import pytest

from aipolicy.cli.import_sites import _path_of
from aipolicy.registry import Registry
from tests.cli.conftest import Run

GOOD = "host,opted_out,hosts\na.example,1,www.a.example\nb.example,0,\n"
BAD = "host,opted_out\na.example,1\nb.example,perhaps\nc.example,1\nA.example,0\n"


def sites(folder: Path) -> dict[str, bool]:
    with Registry(f"sqlite:///{folder}/aipolicy.db", create=False) as registry:
        return {policy.site: policy.opted_out for policy in registry.sites()}


def test_imported_sites_are_in_the_registry_with_the_author(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "blogs.csv").write_text(GOOD)
    done = aipolicy("import", "blogs.csv", "--by", "nightly")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "2 rows: 2 new, 0 changed, 0 unchanged\n")
    assert sites(tmp_path) == {"a.example": True, "b.example": False}
    with Registry(f"sqlite:///{tmp_path}/aipolicy.db") as registry:
        assert [change.by for change in registry.changes()] == ["nightly", "nightly"]
        assert registry.hosts("www.a.example") == ("a.example", "www.a.example")
    again = aipolicy("import", "blogs.csv", "--json")
    assert json.loads(again.stdout) == {
        "rows": 2,
        "changes": 0,
        "new": 0,
        "changed": 0,
        "unchanged": 2,
        "dry_run": False,
        "bad_rows": 0,
        "bad": [],
    }


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("csv", "\ufeffhost,opted_out\r\na.example,1\r\n"),
        ("jsonl", '{"host": "a.example", "opted_out": true}'),
        (
            "wordpress",
            "INSERT INTO wp_blogs (blog_id,domain,path,public) VALUES (1,'a.example','/',0);",
        ),
    ],
)
def test_every_format_is_read_from_stdin(aipolicy: Run, tmp_path: Path, form: str, text: str) -> None:
    done = aipolicy("import", "-", "--format", form, stdin=text)
    assert done.returncode == 0, done.stderr
    assert sites(tmp_path) == {"a.example": True}


def test_the_registry_shows_what_import_reads(aipolicy: Run, tmp_path: Path) -> None:
    aipolicy("set", "a.example", "--preset", "no-ai", "--licensed", "GPTBot", "--host", "www.a.example")
    shown = json.loads(aipolicy("show", "a.example", "--json").stdout)
    (tmp_path / "shown.jsonl").write_text(json.dumps(shown))
    done = aipolicy("import", "shown.jsonl", "--registry", f"sqlite:///{tmp_path}/copy.db")
    assert done.returncode == 0, done.stderr
    copied = json.loads(
        aipolicy("show", "a.example", "--json", "--registry", f"sqlite:///{tmp_path}/copy.db").stdout
    )
    assert copied == shown


def test_with_a_bad_row_nothing_is_stored(aipolicy: Run, tmp_path: Path) -> None:
    done = aipolicy("import", "-", "--format", "csv", stdin=BAD)
    assert (done.returncode, done.stdout) == (2, "")
    assert "row 3: opted_out is 'perhaps': use one of 1" in done.stderr
    assert "rows 2 and 5 both have the host 'a.example'" in done.stderr
    assert "2 of 4 rows are invalid, so nothing is stored; correct them, or add --skip-bad" in done.stderr
    assert not list(tmp_path.iterdir()), "bad input leaves nothing behind"


def test_bad_rows_can_be_skipped_and_are_reported(aipolicy: Run, tmp_path: Path) -> None:
    done = aipolicy("import", "-", "--format", "csv", "--skip-bad", stdin=BAD)
    assert done.returncode == 1
    assert sites(tmp_path) == {"a.example": True, "c.example": True}
    assert done.stderr.splitlines()[-1] == "4 rows: 2 new, 0 changed, 0 unchanged, 2 invalid and skipped"
    assert done.stderr.count("row 3: ") == 1


def test_twenty_bad_rows_are_reported_in_full_and_all_of_them_as_json(aipolicy: Run) -> None:
    text = "host,opted_out\n" + "".join(f"b{number}.example,x\n" for number in range(50))
    output = aipolicy("import", "-", "--format", "csv", "--skip-bad", stdin=text)
    assert output.stderr.count("\nrow ") + output.stderr.startswith("row ") == 20
    assert "... and 30 more invalid rows; --json lists all" in output.stderr
    document = json.loads(aipolicy("import", "-", "--format", "csv", "--json", stdin=text).stdout)
    assert [row["row"] for row in document["bad"]] == [*range(2, 52)]
    assert document["changes"] == 0


def test_a_dry_run_stores_nothing(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "blogs.csv").write_text(GOOD)
    done = aipolicy("import", "blogs.csv", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "2 rows: 2 new, 0 changed, 0 unchanged; nothing is stored\n")
    assert [path.name for path in tmp_path.iterdir()] == ["blogs.csv"]
    aipolicy("set", "a.example", "--preset", "no-training", "--host", "www.a.example")
    assert "1 new, 0 changed, 1 unchanged" in aipolicy("import", "blogs.csv", "--dry-run").stderr
    assert sites(tmp_path) == {"a.example": True}


def test_a_host_that_the_registry_gives_to_another_site_is_a_bad_row(aipolicy: Run, tmp_path: Path) -> None:
    aipolicy("set", "owner.example", "--preset", "no-ai", "--host", "www.a.example")
    (tmp_path / "blogs.csv").write_text(GOOD)
    done = aipolicy("import", "blogs.csv")
    assert done.returncode == 2
    assert (
        "row 2: 'www.a.example' can't be a host of 'a.example': it belongs to 'owner.example'" in done.stderr
    )
    assert sites(tmp_path) == {"owner.example": True}
    done = aipolicy("import", "blogs.csv", "--skip-bad")
    assert done.returncode == 1
    assert "1 new, 0 changed, 0 unchanged, 1 invalid and skipped" in done.stderr
    assert sites(tmp_path) == {"owner.example": True, "b.example": False}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_repeated_rows_keep_every_opt_out(aipolicy: Run, tmp_path: Path, order: tuple[int, ...]) -> None:
    no_ai, allow, private = (
        {"host": "a.example", "preset": "no-ai", "hosts": ["1.example"], "licensed": ["GPTBot"]},
        {"host": "A.example", "preset": "allow", "path_preferences": {"/press/": {"train-ai": "allow"}}},
        {"host": "a.example.", "opted_out": False, "visibility": "discouraged", "hosts": ["1.example"]},
    )
    rows = [json.dumps((no_ai, allow, private)[place]) for place in order]
    done = aipolicy("import", "-", "--format", "jsonl", "--skip-bad", stdin="\n".join(rows))
    assert done.returncode == 1, done.stderr
    assert "keep one; --skip-bad stores the strictest of both" in done.stderr
    with Registry(f"sqlite:///{tmp_path}/aipolicy.db") as registry:
        (policy,) = registry.sites()
        assert str(policy.preferences).startswith("train-ai=n, ai-use=n")
        assert policy.visibility == "discouraged"
        assert policy.licensed == ()
        assert policy.path_preferences == ()
        assert registry.hosts("a.example") == ("a.example", "1.example")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_cells_can_be_separated_by_semicolons_or_tabs(aipolicy: Run, tmp_path: Path, separator: str) -> None:
    text = '\ufeffhost,opted_out,hosts\r\na.example,1,"x.example y.example"\r\nb.example,0,\r\n'
    (tmp_path / "blogs.csv").write_text(text.replace(",", separator), newline="")
    done = aipolicy("import", "blogs.csv")
    assert done.returncode == 0, done.stderr
    assert sites(tmp_path) == {"a.example": True, "b.example": False}


@pytest.mark.parametrize(
    "host",
    [
        "https://a.example",
        "https://a.example/",
        "HTTP://A.example:80",
        "//a.example/",
        "https://a.example.:443/",
    ],
)
def test_a_host_may_be_written_as_a_url(aipolicy: Run, tmp_path: Path, host: str) -> None:
    text = f"host,opted_out,hosts\n{host},1,https://www.a.example/\n"
    done = aipolicy("import", "-", "--format", "csv", stdin=text)
    assert done.returncode == 0, done.stderr
    assert sites(tmp_path) == {"a.example": True}
    with Registry(f"sqlite:///{tmp_path}/aipolicy.db") as registry:
        assert registry.hosts("a.example") == ("a.example", "www.a.example")


@pytest.mark.parametrize(
    "host", ["https://a.example/anna/", "https://a.example?x", "https://ada:x@a.example/", "ftp://a.example"]
)
def test_a_url_with_a_path_is_a_bad_row(aipolicy: Run, host: str) -> None:
    done = aipolicy("import", "-", "--format", "csv", stdin=f"host,opted_out\n{host},1\n")
    assert done.returncode == 2
    assert "row 2: " in done.stderr
    assert "Traceback" not in done.stderr


def test_two_rows_that_share_a_further_host_are_reported(aipolicy: Run) -> None:
    text = "host,opted_out,hosts\na.example,1,x.example\nb.example,1,x.example\nc.example,1,x.example\n"
    done = aipolicy("import", "-", "--format", "csv", stdin=text)
    assert "rows 2 and 3 both have the host 'x.example'" in done.stderr
    assert "rows 2 and 4 both have the host 'x.example'" in done.stderr


def test_a_policy_too_large_to_serve_is_a_bad_row(aipolicy: Run) -> None:
    base = "".join(f"User-agent: x{number}\nDisallow: /{number}\n\n" for number in range(12_000))
    row = json.dumps({"host": "a.example", "opted_out": True, "robots_base": base})
    done = aipolicy("import", "-", "--format", "jsonl", stdin=row)
    assert done.returncode == 2
    assert "row 1: " in done.stderr
    assert "robots.txt" in done.stderr
    assert len(done.stderr) < 1000


@pytest.mark.parametrize(
    ("arguments", "stdin", "culprit"),
    [
        (["missing.csv"], "", "missing.csv"),
        (["-"], "", "--format"),
        (["-", "--format", "csv"], "site,opted_out\n", "'site'"),
        (["-", "--format", "csv"], "\x00host", "host"),
        (["-", "--format", "wordpress"], "no dump", "wp_blogs"),
        (["-", "--format", "csv", "--by", " "], "host,opted_out\na.example,1\n", "by is"),
        (["-", "--format", "csv", "--registry", "nonsense"], "host,opted_out\na.example,1\n", "nonsense"),
        (
            ["-", "--format", "csv", "--dry-run", "--registry", "sqlite:////no/such/x.db"],
            "host,opted_out\na.example,1\n",
            "/no/such",
        ),
    ],
)
def test_invalid_input_is_an_error_that_names_the_culprit(
    aipolicy: Run, arguments: list[str], stdin: str, culprit: str
) -> None:
    done = aipolicy("import", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert culprit in done.stderr
    assert "Traceback" not in done.stderr


def test_utf_16_and_bytes_that_are_not_utf_8_are_errors(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "blogs.csv").write_bytes(GOOD.encode("utf-16"))
    assert "UTF-16: save it as UTF-8" in aipolicy("import", "blogs.csv").stderr
    (tmp_path / "blogs.csv").write_bytes(b"host,opted_out\nb\xfccher.example,1\n")
    done = aipolicy("import", "blogs.csv")
    assert done.returncode == 2
    assert (
        "row 2: 'b\ufffdcher.example' is neither a host name nor UTF-8: save the file as UTF-8" in done.stderr
    )


def test_the_help_of_import_shows_an_example(aipolicy: Run) -> None:
    assert "\n  aipolicy import" in aipolicy("import", "--help").stdout


def test_a_pipe_has_no_path() -> None:
    reading, writing = os.pipe()
    with Path(f"/dev/fd/{reading}").open("rb") as file:
        assert _path_of(file) is None
    os.close(reading)
    os.close(writing)


def test_an_input_that_can_not_be_read_is_named_and_nothing_is_stored(aipolicy: Run, tmp_path: Path) -> None:
    done = aipolicy("import", "/proc/self/mem", "--format", "csv")
    assert done.returncode == 2
    assert "reading the input failed (Input/output error)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "aipolicy.db").exists()
