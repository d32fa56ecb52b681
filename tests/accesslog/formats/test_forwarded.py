"""The client's address from a column like X-Forwarded-For."""

import json

import polars as pl
import pytest

from aipolicy.accesslog.formats import detect_format, parse_format
from aipolicy.errors import LogFormatError
from tests.accesslog.formats.parsing import GPTBOT, row, rows

LINE = f'192.0.2.1 - - [24/Nov/2026:21:00:00 +0000] "GET / HTTP/1.1" 200 5316 "-" "{GPTBOT}"'
LIST = "203.0.113.9, ::ffff:198.51.100.7,2001:db8::1"


def address(listed: str, number: int) -> str | None:
    found: str | None = row("combined", f'{LINE} "{listed}"', forwarded=number)["address"]
    return found


@pytest.mark.parametrize(
    ("number", "meant"),
    [(0, "192.0.2.1"), (1, "2001:db8::1"), (2, "::ffff:198.51.100.7"), (3, "203.0.113.9"), (4, None)],
)
def test_addresses_are_counted_from_the_right(number: int, meant: str | None) -> None:
    assert address(LIST, number) == meant
    vhost = f'blog.example {LINE} "{LIST}" 0.003'
    assert row("vcombined", vhost, forwarded=number)["address"] == meant


def test_the_entry_of_the_proxy_is_to_the_right_of_the_clients_claim() -> None:
    assert address("66.249.66.1, 198.51.100.7", 1) == "198.51.100.7"


@pytest.mark.parametrize(
    "listed", ["-", "", "unknown", "_hidden", "a, b", "203.0.113.9,", ",", "1.2.3.4.5", "x" * 2000]
)
def test_an_invalid_address_is_null(listed: str) -> None:
    assert address(listed, 1) is None


@pytest.mark.parametrize(
    ("listed", "meant"),
    [
        ("203.0.113.9:5000", "203.0.113.9"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("  203.0.113.9  ", "203.0.113.9"),
    ],
)
def test_ports_and_brackets_are_left_out(listed: str, meant: str) -> None:
    assert address(listed, 1) == meant


def test_a_line_without_the_column_has_no_address() -> None:
    found = rows("combined", LINE, f'{LINE} "203.0.113.9"', forwarded=1)
    assert [row["address"] for row in found] == [None, "203.0.113.9"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('%h %t "%r" %>s "%{User-Agent}i" "%{X-Forwarded-For}i"', f'192.0.2.1 {{}} "{LIST}"'),
        ('%h %{X-Forwarded-For}i %l %u %t "%r" %>s "%{User-Agent}i"', f"192.0.2.1 {LIST} - - {{}}"),
        ('%{x-forwarded-for}i %l %u %t "%r" %>s "%{User-Agent}i"', f"{LIST} - - {{}}"),
        ('~h{, } %^[%d:%t %^] "%r" %s "%u"', f"{LIST} - - {{}}"),
        ('$http_x_forwarded_for - $remote_user [$time_local] "$request" $status "$http_user_agent"',
         f"{LIST} - - {{}}"),
        ('$http_cf_connecting_ip $http_x_forwarded_for [$time_local] "$request" $status "$http_user_agent"',
         f"192.0.2.1 {LIST} {{}}"),
    ],
)  # fmt: skip
def test_format_strings_have_a_forwarded_column(text: str, written: str) -> None:
    line = written.format(f'[24/Nov/2026:21:00:00 +0000] "GET / HTTP/1.1" 200 "{GPTBOT}"')
    assert parse_format(text).has_forwarded
    assert row(text, line, forwarded=2)["address"] == "::ffff:198.51.100.7"


def test_a_header_with_one_address_is_a_list_of_one() -> None:
    text = '$remote_addr [$time_local] "$request" $status "$http_user_agent" "$http_cf_connecting_ip"'
    line = f'192.0.2.1 [24/Nov/2026:21:00:00 +0000] "GET / HTTP/1.1" 200 "{GPTBOT}" "203.0.113.9"'
    assert row(text, line, forwarded=1)["address"] == "203.0.113.9"
    assert row(text, line)["address"] == "192.0.2.1"


def test_json_and_field_lists_have_the_column_too() -> None:
    headers = {"User-Agent": [GPTBOT], "X-Forwarded-For": ["203.0.113.9, 198.51.100.7", "2001:db8::1"]}
    caddy = json.dumps({"ts": 1795554000, "request": {"uri": "/", "headers": headers}})
    assert row("caddy", caddy, forwarded=2)["address"] == "198.51.100.7"
    nginx = json.dumps({"time": "1795554000", "request_uri": "/", "http_x_forwarded_for": LIST})
    assert row("nginx", nginx, forwarded=3)["address"] == "203.0.113.9"
    cloudflare = json.dumps(
        {
            "EdgeStartTimestamp": 1795554000,
            "ClientRequestURI": "/",
            "RequestHeaders": {"x-forwarded-for": LIST},
        }
    )
    assert row("cloudflare", cloudflare, forwarded=1)["address"] == "2001:db8::1"
    iis = parse_format("iis").after("#Fields: date time c-ip cs-uri-stem cs(User-Agent) X-Forwarded-For")
    line = "2026-11-24 21:00:00 192.0.2.1 / GPTBot/1.2 203.0.113.9,+198.51.100.7"
    assert [row(iis, line, forwarded=number)["address"] for number in (1, 2)] == [
        "198.51.100.7",
        "203.0.113.9",
    ]


@pytest.mark.parametrize("text", ["common", "vcommon", "alb", '%h %t "%r" %>s "%{User-Agent}i"'])
def test_a_format_without_a_forwarded_column_is_refused(text: str) -> None:
    assert not parse_format(text).has_forwarded
    with pytest.raises(
        LogFormatError, match="no forwarded column; leave out --forwarded, or log X-Forwarded-For"
    ):
        parse_format(text).parse(pl.Series([LINE]), forwarded=1)


def test_a_log_without_a_forwarded_column_is_refused_once_its_format_is_detected() -> None:
    for lines, has in (
        ([LINE, LINE], False),
        ([f'{LINE} "blog.example"'], False),
        ([LINE, f'{LINE} "203.0.113.9"'], True),
        ([f'{LINE} "-"'], True),
    ):
        found = detect_format(lines)
        assert found is not None
        assert found.has_forwarded is has
        if not has:
            with pytest.raises(LogFormatError, match="no forwarded column"):
                found.parse(pl.Series(lines), forwarded=1)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(LogFormatError, match="from 1"):
        parse_format("combined").parse(pl.Series([LINE]), forwarded=-1)
