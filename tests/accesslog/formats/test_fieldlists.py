"""W3C extended logs as IIS writes them, and CloudFront's."""

import pickle
from typing import Any

import polars as pl
import pytest

from aipolicy.accesslog.formats import LogFormat, parse_format
from aipolicy.errors import LogFormatError
from tests.accesslog.formats.parsing import GPTBOT, at, row, unread

READ: dict[str, Any] = {
    "host": "blog.example",
    "address": "192.0.2.1",
    "time": at("2026-11-24T21:00:00Z"),
    "path": "/post/1?a=b",
    "status": 200,
    "user_agent": GPTBOT,
}
IIS = (
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
    "cs(Referer) cs-host sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For"
)
IIS_LINE = (
    f"2026-11-24 21:00:00 10.0.0.1 GET /post/1 a=b 443 - 192.0.2.1 {GPTBOT.replace(' ', '+')} - blog.example "
    "200 0 0 15 203.0.113.9,+198.51.100.7"
)
CLOUDFRONT = (
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    "cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol "
    "cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type "
    "cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte "
    "x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
)
CLOUDFRONT_LINE = "\t".join(
    [
        *("2026-11-24", "21:00:00", "FRA2", "392", "192.0.2.1", "GET", "d111111abcdef8.cloudfront.net"),
        *("/post/1", "200", "-", GPTBOT.replace(" ", "%20"), "a=b", "-", "Hit", "SOX4xwn4XV6Q4rgb7XiV"),
        *("blog.example", "https", "23", "0.001", "203.0.113.9,%20198.51.100.7", "TLSv1.3", "TLS_AES_128"),
        *("Hit", "HTTP/2.0", "-", "-", "11040", "0.001", "Hit", "text/html", "78", "-", "-"),
    ]
)


def iis(fields: str = IIS) -> LogFormat:
    return parse_format("iis").after(fields)


def cloudfront(line: str = CLOUDFRONT_LINE) -> dict[str, Any]:
    return row(parse_format("cloudfront").after(CLOUDFRONT), line)


def test_iis_is_read_in_the_order_of_its_fields() -> None:
    found = iis()
    assert (found.name, found.has_host, found.has_forwarded, found.directive) == (
        "w3c",
        True,
        True,
        "#Fields:",
    )
    assert row(found, IIS_LINE) == READ
    turned = " ".join(reversed(IIS_LINE.split()))
    names = IIS.removeprefix("#Fields: ").split()
    assert row(iis("#Fields: " + " ".join(reversed(names))), turned) == READ
    assert unread(found, turned)
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_later_directive_redefines_the_columns() -> None:
    shorter = "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)"
    found = iis().after(shorter)
    assert (found.has_host, found.has_forwarded) == (False, False)
    line = f"2026-11-24 21:00:00 192.0.2.1 GET /post/1 200 {GPTBOT.replace(' ', '+')}"
    assert row(found, line) == {**READ, "host": None, "path": "/post/1"}
    assert unread(found, IIS_LINE)
    assert unread(iis(), line)


def test_lines_before_the_directive_are_unreadable() -> None:
    for name in ("w3c", "cloudfront"):
        found = parse_format(name)
        assert found.directive == "#Fields:"
        assert found.parse(pl.Series([IIS_LINE, ""]))["ok"].to_list() == [False, False]
        assert found.notes == ()


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("/post/1 a=b", "/post/1 -", {"path": "/post/1"}),
        ("/post/1 a=b", "/a+b%20c x=+", {"path": "/a+b%20c?x=+"}),
        ("blog.example", "-", {"host": None}),
        ("blog.example", "Blog.example:8080", {"host": "Blog.example:8080"}),
        (GPTBOT.replace(" ", "+"), "-", {"user_agent": None}),
        (GPTBOT.replace(" ", "+"), 'GPTBot/1.2+"a"\\b', {"user_agent": 'GPTBot/1.2 "a"\\b'}),
        ("192.0.2.1", "2001:db8::1", {"address": "2001:db8::1"}),
        ("192.0.2.1", "192.0.2.1:5000", {"address": "192.0.2.1"}),
        ("192.0.2.1", "[2001:db8::1]:5000", {"address": "2001:db8::1"}),
        ("21:00:00", "21:00:00.25", {"time": READ["time"] + 250_000}),
        (" ", "\t", {}),
        (" 203.0.113.9,+198.51.100.7", " -\r", {}),
    ],
)
def test_iis_writes_a_plus_for_a_space_and_a_dash_for_nothing(
    old: str, new: str, change: dict[str, Any]
) -> None:
    assert row(iis(), IIS_LINE.replace(old, new)) == {**READ, **change}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-11-24", "2026-02-30"),
        ("2026-11-24", "24/Nov/2026"),
        ("21:00:00", "25:00:00"),
        ("21:00:00", "-"),
        ("/post/1", "-"),
        ("/post/1", "*"),
        (" 200 ", " - "),
        (" 200 ", " abc "),
        ("a=b", "a = b"),
        ("GPTBot", "GPTBot "),
        ("15", ""),
    ],
)
def test_a_line_that_does_not_fit_is_unreadable(old: str, new: str) -> None:
    assert unread(iis(), IIS_LINE.replace(old, new, 1))


def test_cloudfront_is_read_with_the_host_that_the_client_sent() -> None:
    assert cloudfront() == READ
    without = CLOUDFRONT.replace("x-host-header", "x-other")
    assert (
        row(parse_format("cloudfront").after(without), CLOUDFRONT_LINE)["host"]
        == "d111111abcdef8.cloudfront.net"
    )
    assert parse_format("w3c").after(CLOUDFRONT).name == "cloudfront"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Mozilla/5.0%2520(compatible;%2520GPTBot/1.2)", "Mozilla/5.0 (compatible; GPTBot/1.2)"),
        ("GPTBot/1.2%20%22a%22%20%5C%20100%25", 'GPTBot/1.2 "a" \\ 100%'),
        ("GPTBot/1.2%20%2520", "GPTBot/1.2 %20"),
        ("GPTBot/1.2%0D%0A%00", r"GPTBot/1.2\x0d\x0a\x00"),
        ("GPTBot/1.2%20h%C3%B6flich%FF%zz", "GPTBot/1.2 höflich\ufffd%zz"),
        ("GPTBot/1.2 with spaces", "GPTBot/1.2 with spaces"),
        ("-", None),
    ],
)
def test_cloudfront_encodes_a_user_agent_once_or_twice(written: str, meant: str | None) -> None:
    assert cloudfront(CLOUDFRONT_LINE.replace(GPTBOT.replace(" ", "%20"), written))["user_agent"] == meant


def test_cloudfronts_paths_stay_as_they_are_logged() -> None:
    assert cloudfront(CLOUDFRONT_LINE.replace("/post/1", "/a%20b%2520"))["path"] == "/a%20b%2520?a=b"


@pytest.mark.parametrize("lacking", ["date", "time", "cs-uri-stem"])
def test_a_field_list_without_a_needed_field_is_refused(lacking: str) -> None:
    fields = " ".join(name for name in IIS.split() if name != lacking)
    with pytest.raises(LogFormatError, match="lacks a needed field; log date, time, cs-uri-stem"):
        iis(fields)


def test_columns_without_a_user_agent_are_noted() -> None:
    assert "User-Agent" in iis(IIS.replace("cs(User-Agent)", "x-other")).notes[0]
    assert iis().notes == ()
