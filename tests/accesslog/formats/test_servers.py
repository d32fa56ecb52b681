"""Common and Combined, as nginx and Apache write them, with and without the site in front."""

from typing import Any

import polars as pl
import pytest

from aipolicy.accesslog.formats import FORMATS, parse_format
from tests.accesslog.formats.parsing import GPTBOT, at, row, unread

TIME = "[24/Nov/2026:21:00:00 -0730]"
REST = f'- - {TIME} "GET /post/1?a=b HTTP/1.1" 200 5316'
COMMON = f"192.0.2.1 {REST}"
COMBINED = f'{COMMON} "https://a.example/" "{GPTBOT}"'
READ = {
    "host": None,
    "address": "192.0.2.1",
    "time": at("2026-11-24T21:00:00-07:30"),
    "path": "/post/1?a=b",
    "status": 200,
    "user_agent": GPTBOT,
}


def combined(request: str = "GET / HTTP/1.1", user_agent: str = GPTBOT, time: str = TIME) -> str:
    return f'192.0.2.1 - - {time} "{request}" 200 5316 "-" "{user_agent}"'


def path(request: str) -> Any:
    return row("combined", combined(request))["path"]


def test_combined_is_read() -> None:
    assert row("combined", COMBINED) == READ


def test_common_has_no_user_agent() -> None:
    assert row("common", COMMON) == {**READ, "user_agent": None}
    assert "User-Agent" in parse_format("common").notes[0]


@pytest.mark.parametrize("host", ["blog.example", "Blog.Example:8080", "[2001:db8::1]:80", "_", "192.0.2.7"])
def test_a_leading_host_column_is_read_as_logged(host: str) -> None:
    assert row("vcombined", f"{host} {COMBINED}") == {**READ, "host": host}
    assert row("vcommon", f"{host} {COMMON}") == {**READ, "host": host, "user_agent": None}


@pytest.mark.parametrize("host", ["-", ""])
def test_a_line_without_a_site_has_no_host(host: str) -> None:
    """nginx's $host is empty where a client broke off before it sent one."""
    assert row("vcombined", f"{host} {COMBINED}") == READ


def test_host_and_address_columns_are_never_confused() -> None:
    for host in ("blog.example", "192.0.2.7", "-"):
        assert unread("combined", f"{host} {COMBINED}")
    assert unread("vcombined", COMBINED)
    assert unread("vcombined", COMBINED.replace("- -", "- john doe", 1))


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::1", "::ffff:192.0.2.1", "fe80::1%eth0"])
def test_addresses_are_read_as_logged(address: str) -> None:
    assert row("combined", COMBINED.replace("192.0.2.1", address))["address"] == address


@pytest.mark.parametrize("address", ["crawl-1.bot.example", "unix:", "1.2.3", "999999.1.1.1"])
def test_a_host_name_or_a_socket_is_no_address(address: str) -> None:
    assert row("combined", COMBINED.replace("192.0.2.1", address))["address"] is None


@pytest.mark.parametrize("user", ["john", "john doe", "john [x] doe", "[", TIME, f"{TIME} GET"])
def test_a_user_name_may_contain_anything(user: str) -> None:
    assert row("combined", COMBINED.replace("- -", f"- {user}", 1)) == READ


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"GPTBot/1.2 \x22a\x22 \x5Cx22", r'GPTBot/1.2 "a" \x22'),  # nginx
        (r"GPTBot/1.2 \"a\" \\x22", r'GPTBot/1.2 "a" \x22'),  # Apache
        (r"GPTBot/1.2 h\xC3\xB6flich", "GPTBot/1.2 höflich"),
        (r"GPTBot/1.2 \xFF\xC3\xB6", "GPTBot/1.2 %FFö"),
        (r"GPTBot/1.2 \x00\x0D\x0A", r"GPTBot/1.2 \x00\x0d\x0a"),
        (r"GPTBot/1.2 \r\n\t", r"GPTBot/1.2 \r\n\t"),
        ("GPTBot/1.2 \x00\r\x1b[31m", r"GPTBot/1.2 \x00\x0d\x1b[31m"),
        (r"GPTBot/1.2 \x2", r"GPTBot/1.2 \x2"),
        ("GPTBot/1.2 \ufffd", "GPTBot/1.2 \ufffd"),
        ("", None),
        ("-", None),
    ],
)
def test_escapes_of_servers_are_undone_except_for_control_characters(written: str, meant: str | None) -> None:
    assert row("combined", combined(user_agent=written))["user_agent"] == meant


@pytest.mark.parametrize(
    ("request_line", "meant"),
    [
        ("GET /a b c HTTP/1.1", "/a b c"),
        ("GET /a HTTP/1.1 b HTTP/1.1", "/a HTTP/1.1 b"),
        ("GET  /a  HTTP/2", "/a"),
        ("get /a HTTP/3", "/a"),
        ("M-SEARCH /a HTTP/1.0", "/a"),
        (r"GET /\x22\x5C HTTP/1.1", '/"\\'),
        (r"GET /\"\\ HTTP/1.1", '/"\\'),
        (r"GET /\xC3\xB6\xFF HTTP/1.1", "/ö%FF"),
        (r"GET /\x0A\x00 HTTP/1.1", r"/\x0a\x00"),
        ("GET /%2e%2E/%zz HTTP/1.1", "/%2e%2E/%zz"),
        ("GET //other.example/ HTTP/1.1", "//other.example/"),
    ],
)
def test_the_path_is_everything_between_method_and_protocol(request_line: str, meant: str) -> None:
    assert path(request_line) == meant


@pytest.mark.parametrize(
    ("target", "host", "meant"),
    [
        ("http://a.example/x?y", "a.example", "/x?y"),
        ("HTTPS://A.example:8443", "A.example:8443", "/"),
        ("http://a.example?y", "a.example", "/?y"),
        ("http://user:b.example@a.example/", "a.example", "/"),
        ("http://[2001:db8::1]:80/x", "[2001:db8::1]:80", "/x"),
    ],
)
def test_a_target_in_absolute_form_names_the_site(target: str, host: str, meant: str) -> None:
    line = combined(f"GET {target} HTTP/1.1")
    found = row("combined", line)
    assert (found["host"], found["path"]) == (host, meant)
    assert row("vcombined", f"blog.example {line}")["host"] == "blog.example"
    assert row("vcombined", f"- {line}")["host"] == host


@pytest.mark.parametrize(
    "request_line",
    [
        *("", "-", "GPTBot", "GET", "GET /", "GET / HTTP", "GET / HTTP/", "/ HTTP/1.1", " / HTTP/1.1"),
        *("GET HTTP/1.1", "GET  HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT a.example:443 HTTP/1.1"),
        *(r"\x16\x03\x01", r"\x16\x03\x01 / HTTP/1.1", "GET a HTTP/1.1", "GET http:/// HTTP/1.1"),
        *("GET / RTSP/1.0", "GET / HTTP/1.1 ", 'GET /" HTTP/1.1', "GET /\\"),
    ],
)
def test_a_request_that_names_no_path_is_unreadable_whatever_its_user_agent(request_line: str) -> None:
    assert unread("combined", combined(request_line))


@pytest.mark.parametrize(
    "time",
    [
        *("[31/Feb/2026:00:00:00 +0000]", "[24/Nov/2026:25:00:00 +0000]", "[24/Nov/2026:21:60:00 +0000]"),
        *("[00/Nov/2026:21:00:00 +0000]", "[24/Mai/2026:21:00:00 +0000]", "[24/11/2026:21:00:00 +0000]"),
        *("[24/Nov/2026:21:00:00 +9900]", "[24/Nov/2026:21:00:00]", "[24/Nov/1926:21:00:00 +0000]"),
        *("[]", "[-]", "-", "[24/Nov/2026:21:00:00 +0000", "[٢٤/Nov/2026:21:00:00 +0000]"),
    ],
)
def test_a_line_without_a_possible_time_is_unreadable(time: str) -> None:
    assert unread("combined", combined(time=time))


def test_a_truncated_line_is_unreadable_unless_its_user_agent_is_complete() -> None:
    assert all(unread("combined", COMBINED[:length]) for length in range(len(COMBINED)))
    address = len("192.0.2.1 ")
    assert all(unread("combined", COMBINED[:length] + COMBINED) for length in range(address, len(COMBINED)))


@pytest.mark.parametrize("tail", [" 0.003", ' "-"', ' "203.0.113.9" 0.003 -', " "])
def test_further_fields_after_the_user_agent_change_nothing(tail: str) -> None:
    assert row("combined", COMBINED + tail) == READ


@pytest.mark.parametrize("status", ["-", "20", "2000", "abc", ""])
def test_a_line_without_a_status_is_unreadable(status: str) -> None:
    assert unread("combined", COMBINED.replace(" 200 ", f" {status} "))


@pytest.mark.parametrize(
    "line",
    [
        *("", " ", "GPTBot", '"', "\\", "\x00", "[", COMBINED + '"', COMBINED + ' "', f" {COMBINED}"),
        combined(user_agent='"GPTBot'),
        combined(user_agent="GPTBot\\"),
        combined(user_agent='" 200 5 "-" "GPTBot'),
        combined(f'GET / HTTP/1.1" 200 1 "-" "{GPTBOT}'),
        f"{COMBINED}\n{COMBINED}",
    ],
)
def test_a_line_that_does_not_fit_is_unreadable(line: str) -> None:
    assert unread("combined", line)
    assert unread("vcombined", f"blog.example {line}")


def test_escaped_quotes_inject_nothing() -> None:
    forged = r"\" 200 5 \"-\" \"GPTBot/1.2"
    assert row("combined", combined(f"GET /{forged} HTTP/1.1", "curl/8.0")) == {
        **READ,
        "path": '/" 200 5 "-" "GPTBot/1.2',
        "user_agent": "curl/8.0",
    }


def test_a_line_of_a_megabyte_is_read() -> None:
    long = "a" * 2**20
    assert path(f"GET /{long} HTTP/1.1") == f"/{long}"
    assert path(f"GET /{long} {long} HTTP/1.1") == f"/{long} {long}"
    assert row("combined", combined(user_agent=long))["user_agent"] == long
    for line in (long, '"' * 2**20, "[" * 2**20, " " * 2**20, "\\" * 2**20, f"192.0.2.1 - {'[ ' * 2**19}"):
        assert unread("combined", line)


def test_rows_keep_the_order_of_the_lines() -> None:
    """Lines that are read in the second try come between others."""
    requests = ["GET /0 HTTP/1.1", "GPTBot", "GET /2 a HTTP/1.1", "GET /3 HTTP/1.1", "GET /4 a HTTP/1.1", "-"]
    found = FORMATS["combined"].parse(pl.Series([combined(request) for request in requests]))
    assert found["path"].to_list() == ["/0", None, "/2 a", "/3", "/4 a", None]
    assert found["ok"].to_list() == [True, False, True, True, True, False]


@pytest.mark.parametrize("prefix", ["https ", "h2 ", ""])
@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("198.51.100.7:2817", "198.51.100.7"),
        ("2001:db8::1:2817", "2001:db8::1"),
        ("[2001:db8::1]:2817", "2001:db8::1"),
    ],
)
def test_load_balancers_write_target_and_client_with_their_ports(
    prefix: str, client: str, address: str
) -> None:
    line = (
        f"{prefix}2026-11-24T21:00:00.186641Z app/blogs/50dc6c495c0c9188 {client} 10.0.0.66:9000 0.000 0.002 "
        f'0.000 200 200 34 366 "GET https://blog.example:443/post/1?a=b HTTP/2.0" "{GPTBOT}" ECDHE-RSA '
        'TLSv1.2 arn:aws:x "Root=1-58337364" "blog.example" "-" 1 2026-11-24T20:59:59.364000Z "forward" "-"'
    )
    assert row("alb", line) == {
        **READ,
        "host": "blog.example:443",
        "address": address,
        "time": at("2026-11-24T21:00:00.186641Z"),
    }
    assert unread(
        "alb", line.replace("GET https://blog.example:443/post/1?a=b HTTP/2.0", "- http://b.example:80- -")
    )
    assert unread("alb", line.replace(" 200 200 ", " - - "))
