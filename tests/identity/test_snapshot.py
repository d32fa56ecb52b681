"""The packaged snapshot, and the script that makes it."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.errors import RangesError
from aipolicy.identity import Identity, IdentityChecker, Ranges, packaged_ranges

ROOT = Path(__file__).parents[2]
SNAPSHOT = packaged_ranges()


def test_each_list_names_its_source_and_day() -> None:
    for each in SNAPSHOT.lists:
        assert each.source, each.urls
        assert date(2026, 6, 1) <= each.date <= date(2026, 11, 23), each.urls
        assert each.superseded is None or each.superseded > each.date, each.urls


def test_the_tokens_agree_with_the_crawler_table() -> None:
    for each in SNAPSHOT.lists:
        users = [crawler for crawler in CRAWLERS if set(crawler.ranges) & set(each.urls)]
        assert each.tokens == tuple(crawler.product_token for crawler in users)
        assert {crawler.operator for crawler in users} <= {each.operator}
        assert each.operator in {crawler.operator for crawler in CRAWLERS}


def test_only_known_lists_are_missing() -> None:
    covered = {url for each in SNAPSHOT.lists for url in each.urls}
    assert {url for crawler in CRAWLERS for url in crawler.ranges} - covered == {
        "https://developer.amazon.com/amazonbot/live-ip-addresses/",
        "https://developer.amazon.com/amazonbot/searchbot-ip-addresses/",
        "https://docs.getliner.com/linerbot.json",
        "https://openai.com/adsbot.json",
        "https://you.com/docs/youbot",
    }


def test_the_snapshot_survives_a_round_trip() -> None:
    written = (ROOT / "aipolicy/identity/ranges.json").read_text("utf-8")
    assert Ranges.from_json(written) == SNAPSHOT
    assert SNAPSHOT.to_json() == written


@pytest.mark.parametrize(
    ("token", "address", "identity"),
    [
        ("GPTBot", "::ffff:132.196.86.1", Identity.VERIFIED),  # a peer calls it a forgery
        ("ClaudeBot", "216.73.216.7", Identity.OPERATOR_VERIFIED),  # peers have no list of Anthropic's
        ("ClaudeBot", "3.5.140.2", Identity.SPOOFED),  # any machine in a cloud; a peer takes it for ClaudeBot
        ("Claude-User", "216.73.216.7", Identity.OPERATOR_VERIFIED),
        ("MistralAI-User", "20.240.160.161", Identity.VERIFIED),
        ("MistralAI-Training", "8.8.8.8", Identity.UNVERIFIABLE),
        ("Googlebot", "66.249.66.1", Identity.OPERATOR_VERIFIED),
        ("Googlebot", "203.0.113.9", Identity.UNVERIFIABLE),  # its host name may tell, and was not asked for
        ("Bytespider", "1.0.0.120", Identity.UNVERIFIABLE),  # a version, and in a peer's ranges
        ("Amazonbot", "8.8.8.8", Identity.UNVERIFIABLE),  # the copy of its list is superseded
    ],
)
def test_addresses_that_other_projects_misjudge(token: str, address: str, identity: Identity) -> None:
    assert IdentityChecker().identify(token, address) is identity


@pytest.mark.parametrize(
    "change",
    [
        {"prefixes": ["192.168.1.0/24"]},
        {"prefixes": []},
        {"prefixes": [4]},
        {"prefixes": None},
        {"date": "yesterday"},
        {"date": None},
        {"urls": None},
    ],
)
def test_a_damaged_snapshot_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(SNAPSHOT.to_json())
    document["lists"][0] |= change
    with pytest.raises(RangesError):
        Ranges.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lists": []}', '{"lists": [{}]}', b"\xff"])
def test_an_invalid_snapshot_is_refused(text: str | bytes) -> None:
    with pytest.raises(RangesError):
        Ranges.from_json(text)


COPIES = {
    "gptbot.json": '{"prefixes": [{"ipv4Prefix": "20.171.207.0/24"}, {"ipv4Prefix": "20.171.206.0/24"}]}',
    "bingbot.netset": "# one\ncreate bingbot hash:net\nadd bingbot 40.77.167.0/24\n",
    "collected.json": json.dumps(
        {
            "sources": {
                "openai": {
                    "upstream_url": "https://openai.com/gptbot.json",
                    "fetched_at": "2026-08-01T10:00:00+00:00",
                    "ipv4": ["8.8.8.0/24"],
                    "ipv6": [],
                },
                "google": {
                    "upstream_url": "https://developers.google.com/old.json",
                    "fetched_at": "2026-09-02T10:00:00+00:00",
                    "ipv4": ["66.249.64.0/27"],
                    "ipv6": ["2001:4860:4801:10::/64"],
                },
                "nobody": {
                    "upstream_url": "https://nobody.example/",
                    "fetched_at": "2026-09-02T10:00:00+00:00",
                    "ipv4": ["500/50"],
                    "ipv6": [],
                },
            }
        }
    ),
}
MANIFEST = """
[[copies]]
file = "collected.json"
source = "a collection"
[[copies]]
file = "gptbot.json"
source = "a friend"
urls = ["https://openai.com/gptbot.json"]
date = "2026-10-01"
[[copies]]
file = "bingbot.netset"
source = "a firewall"
urls = ["https://www.bing.com/toolbox/bingbot.json"]
date = "2026-10-01"
[aliases]
"https://developers.google.com/old.json" = "https://developers.google.com/static/crawling/ipranges/common-crawlers.json"
[superseded]
"https://openai.com/gptbot.json" = "2026-10-09"
"https://www.bing.com/toolbox/bingbot.json" = "2026-01-01"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in COPIES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "ranges.toml").write_text(MANIFEST)
    return tmp_path


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "scripts" / "build_ranges.py"
    command = [sys.executable, str(script), str(folder), "--manifest", str(folder / "ranges.toml")]
    command += ["--output", str(folder / "out.json")]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_the_newest_copy_of_each_list_is_used_and_printed(folder: Path) -> None:
    done = build(folder)
    assert done.returncode == 1, done.stderr
    assert "https://openai.com/gptbot.json: new, 2026-10-01, prefixes: 1\n" in done.stdout
    google, bing, openai = Ranges.from_json((folder / "out.json").read_bytes()).lists
    assert list(map(str, openai.prefixes)) == ["20.171.206.0/23"]
    assert (openai.tokens, openai.source) == (("GPTBot",), "a friend")
    assert openai.superseded == date(2026, 10, 9)
    assert bing.superseded is None
    assert list(map(str, bing.prefixes)) == ["40.77.167.0/24"]
    assert "Googlebot" in google.tokens
    assert google.date == date(2026, 9, 2)


def test_equal_copies_make_equal_bytes(folder: Path) -> None:
    build(folder)
    first = (folder / "out.json").read_bytes()
    done = build(folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert (folder / "out.json").read_bytes() == first


def test_a_change_is_printed(folder: Path) -> None:
    build(folder)
    (folder / "bingbot.netset").write_text("40.77.168.0/24\n40.77.178.0/24\n")
    done = build(folder)
    assert done.returncode == 1
    assert done.stdout == (
        "https://www.bing.com/toolbox/bingbot.json: 2026-10-01 to 2026-10-01, prefixes: 2 added, 1 removed\n"
    )


@pytest.mark.parametrize("text", ["10.0.0.0/8\n", "", "500/50\n", '{"prefixes": []}', "<p>Moved</p>", None])
def test_an_invalid_copy_is_named_and_the_last_snapshot_stays(folder: Path, text: str | None) -> None:
    build(folder)
    first = (folder / "out.json").read_bytes()
    if text is None:
        (folder / "bingbot.netset").unlink()
    else:
        (folder / "bingbot.netset").write_text(text)
    done = build(folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "bingbot" in done.stderr
    assert (folder / "out.json").read_bytes() == first
