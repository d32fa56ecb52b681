"""JSON lines of Caddy, nginx and Cloudflare."""

import json
from typing import Any

import polars as pl
import pytest

from aipolicy.accesslog.formats import parse_format
from tests.accesslog.formats.parsing import GPTBOT, NOTHING, at, row, rows, unread

UTC = at("2026-11-24T21:00:00Z")
READ: dict[str, Any] = {
    "host": "blog.example",
    "address": "192.0.2.1",
    "time": UTC,
    "path": "/post/1?a=b",
    "status": 200,
    "user_agent": GPTBOT,
}
REQUEST = {
    "remote_ip": "192.0.2.1",
    "remote_port": "41342",
    "client_ip": "192.0.2.1",
    "proto": "HTTP/2.0",
    "method": "GET",
    "host": "blog.example",
    "uri": "/post/1?a=b",
    "headers": {"User-Agent": [GPTBOT], "X-Forwarded-For": ["203.0.113.9, 198.51.100.7", "198.51.100.8"]},
    "tls": {"resumed": False, "version": 772, "proto": "h2", "server_name": "other.example"},
}
CADDY = {
    "level": "info",
    "ts": 1795554000.25,
    "logger": "http.log.access",
    "msg": "handled request",
    "request": REQUEST,
    "bytes_read": 0,
    "duration": 0.000929675,
    "size": 10900,
    "status": 200,
    "resp_headers": {"Server": ["Caddy"], "User-Agent": ["ClaudeBot"]},
}
NGINX = {
    "time_iso8601": "2026-11-24T21:00:00+00:00",
    "remote_addr": "192.0.2.1",
    "host": "blog.example",
    "request": "GET /post/1?a=b HTTP/1.1",
    "status": "200",
    "http_referer": "",
    "http_user_agent": GPTBOT,
    "http_x_forwarded_for": "203.0.113.9, 198.51.100.7",
}
CLOUDFLARE = {
    "ClientIP": "192.0.2.1",
    "ClientRequestHost": "blog.example",
    "ClientRequestMethod": "GET",
    "ClientRequestURI": "/post/1?a=b",
    "EdgeEndTimestamp": "2026-11-24T21:00:01Z",
    "EdgeResponseBytes": 5316,
    "EdgeResponseStatus": 200,
    "EdgeStartTimestamp": "2026-11-24T21:00:00Z",
    "RayID": "48b371889c489b2c",
    "ClientRequestUserAgent": GPTBOT,
}


def line(base: dict[str, Any], **changes: Any) -> str:
    return json.dumps({**base, **changes})


def caddy(**changes: Any) -> str:
    """Return a line of Caddy with another request."""
    return line(CADDY, request={**REQUEST, **changes})


def test_the_format_of_each_server_is_read() -> None:
    assert row("caddy", line(CADDY)) == {**READ, "time": UTC + 250_000}
    assert row("nginx", line(NGINX)) == READ
    assert row("cloudflare", line(CLOUDFLARE)) == READ


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1795554000, UTC),
        (1795554000.524102, UTC + 524_102),
        (1795554000250, UTC + 250_000),
        (1795554000250001, UTC + 250_001),
        (1795554000250001999, UTC + 250_001),
        ("1795554000", UTC),
        ("1795554000.250", UTC + 250_000),
        ("2026-11-24T21:00:00Z", UTC),
        ("2026-11-24T21:00:00.250001999Z", UTC + 250_001),
        ("2026-11-24T13:30:00-07:30", UTC),
        ("2026-11-24T13:30:00.250-0730", UTC + 250_000),
        ("24/Nov/2026:13:30:00 -0730", UTC),
    ],
)
def test_times_may_be_numbers_or_strings(written: float | str, meant: int) -> None:
    assert row("cloudflare", line(CLOUDFLARE, EdgeStartTimestamp=written))["time"] == meant
    assert row("caddy", line(CADDY, ts=written))["time"] == meant
    assert row("nginx", line(NGINX, time_iso8601="", time=written))["time"] == meant


@pytest.mark.parametrize(
    "time",
    [
        None,
        "",
        "-",
        "2026-02-30T00:00:00Z",
        "2026-11-24T25:00:00Z",
        "24/Nov/2026",
        -1,
        5,
        True,
        [1795554000],
        {},
    ],
)
def test_a_line_without_a_possible_time_is_unreadable(time: Any) -> None:
    assert unread("caddy", line(CADDY, ts=time))
    assert unread("nginx", line(NGINX, time_iso8601=time))


@pytest.mark.parametrize(
    "changes",
    [
        {"remote_addr": "", "client_ip": "192.0.2.1"},
        {"host": "", "http_host": "blog.example"},
        {"http_user_agent": None, "user_agent": GPTBOT},
        {"request": None, "uri": "/post/1", "args": "a=b"},
        {"request": None, "request_uri": "/post/1?a=b"},
        {"request": "GET /index.php HTTP/1.1", "request_uri": "/post/1?a=b"},
        {"status": 200},
    ],
)
def test_several_keys_are_accepted_for_a_column(changes: dict[str, Any]) -> None:
    assert row("nginx", line(NGINX, **changes)) == READ


@pytest.mark.parametrize("request_line", ["", "-", "GPTBot", "\x16\x03\x01", "OPTIONS * HTTP/1.1", "GET /"])
def test_a_request_that_names_no_path_is_unreadable_whatever_else_there_is(request_line: str) -> None:
    uri = "/" if request_line not in ("", "-") else ""
    assert unread("nginx", line(NGINX, request=request_line, uri=uri))


def test_quotes_and_controls_are_decoded_from_json() -> None:
    found = row("caddy", caddy(uri='/a"b\\c\n\x00', headers={"User-Agent": ['GPTBot "x" \\ \r\n\x1b ö']}))
    assert found["path"] == r'/a"b\c\x0a\x00'
    assert found["user_agent"] == r'GPTBot "x" \ \x0d\x0a\x1b ö'


def test_several_user_agents_are_one_header() -> None:
    assert (
        row("caddy", caddy(headers={"User-Agent": ["a/1", "GPTBot/1.2"]}))["user_agent"] == "a/1, GPTBot/1.2"
    )
    lacking: tuple[Any, ...] = ({}, {"User-Agent": []}, {"User-Agent": None}, {"User-Agent": [""]}, None, [])
    for headers in lacking:
        assert row("caddy", caddy(headers=headers))["user_agent"] is None


def test_the_address_is_the_one_that_the_server_determined() -> None:
    assert row("caddy", caddy(client_ip="203.0.113.9"))["address"] == "203.0.113.9"
    assert row("caddy", caddy(client_ip=None))["address"] == "192.0.2.1"
    old = {"client_ip": None, "remote_ip": None}
    assert row("caddy", caddy(**old, remote_addr="192.0.2.1:5000"))["address"] == "192.0.2.1"
    assert row("caddy", caddy(**old, remote_addr="[2001:db8::1]:5000"))["address"] == "2001:db8::1"


def test_further_log_lines_of_caddy_about_a_request_are_not_requests() -> None:
    """Caddy's error log contains the request too."""
    assert unread("caddy", line(CADDY, logger="http.log.error", msg="dial tcp: connection refused"))
    without = {name: value for name, value in CADDY.items() if name not in ("msg", "logger")}
    assert row("caddy", line(without))["path"] == "/post/1?a=b"


def test_an_invalid_status_is_unreadable_and_a_missing_one_is_null() -> None:
    assert row("caddy", line(CADDY, status=None))["status"] is None
    assert row("nginx", line(NGINX, status="000"))["status"] == 0
    none: tuple[Any, ...] = ("abc", "20000", -1, True, 2.5, [])
    for status in none:
        assert unread("caddy", line(CADDY, status=status))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "{",
            "}",
            "{}",
            "[]",
            "null",
            "5",
            '"GPTBot"',
            "{]}",
            '{"ts":}',
            '{"ts":NaN}',
            '{"ts":1e999}',
        ),
        *('{"ts": 1795554000, "request": 5}', '{"request": {"uri": "/"}}', "{" * 5000 + "}" * 5000),
        *('{"a":' + "[" * 3000 + "]" * 3000 + "}", '{"msg": "\\ud800"}', '{"a": "\x01"}', '{"a": "\\x22"}'),
        *(line(CADDY)[:-1], line(CADDY) + "}", line(CADDY)[1:], f"{line(CADDY)},{line(CADDY)}"),
        *(line(CADDY) * 2, f"{line(CADDY)}\n{line(CADDY)}", f"\ufeff{line(CADDY)}", f"GPTBot {line(CADDY)}"),
    ],
)
def test_an_invalid_line_is_unreadable_and_affects_no_other_line(text: str) -> None:
    good = {**READ, "time": UTC + 250_000, "ok": True}
    lines = [line(CADDY), text, line(CADDY)]
    assert rows("caddy", *lines) == [good, {**NOTHING, "ok": False}, good]
    assert rows("caddy", *lines * 200) == [good, {**NOTHING, "ok": False}, good] * 200


def test_lines_are_never_joined_to_an_object() -> None:
    """Polars' ``str.json_decode`` joins these two lines to one object."""
    complete = line(CADDY)
    middle = complete.index("GPTBot")
    assert not any(found["ok"] for found in rows("caddy", complete[:middle], complete[middle:]))
    assert not any(found["ok"] for found in rows("caddy", complete[:middle] + "}", "{" + complete[middle:]))


def test_many_broken_lines_are_still_read_line_by_line() -> None:
    lines = [line(CADDY) if at % 3 else line(CADDY)[:-2] + "!}" for at in range(3000)]
    assert parse_format("caddy").parse(pl.Series(lines))["ok"].to_list() == [at % 3 > 0 for at in range(3000)]


def test_a_line_of_a_megabyte_is_read() -> None:
    long = "a" * 2**20
    assert row("caddy", caddy(uri=f"/{long}"))["path"] == f"/{long}"
    assert unread("caddy", "{" + long + "}")
