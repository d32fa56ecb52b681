"""Format strings in the dialects of GoAccess, Apache and nginx."""

import pickle
from typing import Any

import pytest

from aipolicy.accesslog.formats import FORMATS, parse_format
from aipolicy.errors import LogFormatError
from tests.accesslog.formats.parsing import GPTBOT, at, row, unread

CLF = "24/Nov/2026:21:00:00 -0730"
TIME = at("2026-11-24T21:00:00-07:30")
UTC = at("2026-11-24T21:00:00Z")
READ: dict[str, Any] = {
    "host": "blog.example",
    "address": "192.0.2.1",
    "time": TIME,
    "path": "/post/1?a=b",
    "status": 200,
    "user_agent": GPTBOT,
}
NO_HOST = {**READ, "host": None}
VCOMBINED = f'blog.example 192.0.2.1 - - [{CLF}] "GET /post/1?a=b HTTP/1.1" 200 5316 "-" "{GPTBOT}"'
NGINX = (
    '$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)
APACHE = '%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"'
GOACCESS_REST = '"%r" %s "%u"'
GOACCESS = '%v %h %^[%d:%t %^] "%r" %s %b "%R" "%u"'


@pytest.mark.parametrize(
    "text",
    [
        *(GOACCESS, APACHE, NGINX),
        f"  {APACHE.replace('%v', '%V')}",
        APACHE.replace('"', '\\"'),
        '%v %a %l %u [%{%d/%b/%Y:%T %z}t] "%r" %s %O "-" "%{User-Agent}i"',
        '%v %h %l %u [%{%d/%b/%Y}t:%{%H:%M:%S}t %{%z}t] "%m %U%q %H" %>s %B "%{Referer}i" "%{User-Agent}i"',
        NGINX.replace('$request"', '$request_method ${uri}$is_args$args $server_protocol"'),
        NGINX.replace('$request"', '$request_method $request_uri $server_protocol"'),
        GOACCESS.replace("%r", "%m %U %H"),
    ],
)
def test_each_dialect_reads_the_same_line(text: str) -> None:
    found = parse_format(text)
    assert (found.name, found.has_host, found.has_forwarded) == ("custom", True, False)
    assert row(found, VCOMBINED) == READ
    assert pickle.loads(pickle.dumps(found)) == found
    assert unread(found, VCOMBINED.replace("24/Nov", "31/Nov"))


@pytest.mark.parametrize(
    ("fields", "line", "time"),
    [
        ("[%x]", "1795554000", UTC),
        ("[%x]", "1795554000.250", UTC + 250_000),
        ("[%x]", "1795554000250", UTC + 250_000),
        ("[%x]", "1795554000250001", UTC + 250_001),
        ("[%x]", "2026-11-24T21:00:00.25Z", UTC + 250_000),
        ("[%x]", CLF, TIME),
        ("[%d:%t]", "24/Nov/2026:21:00:00", UTC),
        ("[%d %t]", "2026-11-24 21:00:00.25", UTC + 250_000),
        ("[%dT%t]", "2026-11-24T21:00:00", UTC),
        ("[%dT%t]", "2026-11-24T21:00:00.25", UTC + 250_000),
        ("[%dT%t%^]", "2026-11-24T21:00:00-07:30", TIME),
        ("[%dT%t.%^]", "2026-11-24T21:00:00.250Z", UTC + 250_000),
        ("[%{sec}t]", "1795554000", UTC),
        ("[%{begin:msec}t]", "1795554000250", UTC + 250_000),
        ("[%{end:usec}t]", "1795554000250001", UTC + 250_001),
        ("[%{%F %T}t.%{msec_frac}t %{%z}t]", "2026-11-24 21:00:00.250 -0730", TIME + 250_000),
        ("[%{%FT%T}t.%{usec_frac}t%{%z}t]", "2026-11-24T21:00:00.250001-0730", TIME + 250_001),
        ("[%{%e %B %y %I:%M:%S %p}t]", "24 November 26 09:00:00 PM", UTC),
        ("[%{%D %R}t]", "11/24/26 21:00", UTC),
        ("[$time_iso8601]", "2026-11-24T21:00:00-07:30", TIME),
        ("[$msec]", "1795554000.250", UTC + 250_000),
    ],
)  # fmt: skip
def test_times_are_read_in_the_notation_of_the_string(fields: str, line: str, time: int) -> None:
    rest = {"$": '"$request" $status "$http_user_agent"', "%{": '"%r" %s "%{User-Agent}i"'}
    text = f"{fields} {next((rest[sign] for sign in rest if sign in fields), GOACCESS_REST)}"
    assert row(text, f'[{line}] "GET /post/1?a=b HTTP/1.1" 200 "{GPTBOT}"') == {
        **NO_HOST,
        "address": None,
        "time": time,
    }


def test_a_time_without_an_offset_is_utc_with_a_note() -> None:
    assert "UTC" in parse_format('%h [%{%F %T}t] "%r" %>s "%{User-Agent}i"').notes[0]
    for time in ("%d:%t", "%dT%t", "%d %t"):
        assert "UTC" in parse_format(f'%h [{time}] "%r" %s "%u"').notes[0]
    for text in (GOACCESS, APACHE, NGINX):
        assert parse_format(text).notes == ()


def test_of_several_fields_for_a_column_the_most_informative_is_read() -> None:
    hosts = '$server_name $http_host $host [$time_local] "$request" $status "$http_user_agent"'
    line = f'_ Blog.example:80 blog.example [{CLF}] "GET / HTTP/1.1" 200 "{GPTBOT}"'
    assert row(hosts, line)["host"] == "blog.example"
    targets = '[$time_local] $uri "$request" $request_uri $status "$http_user_agent"'
    line = f'[{CLF}] /index.php "GET /a HTTP/1.1" /a?b 200 "{GPTBOT}"'
    assert row(targets, line)["path"] == "/a?b"
    states = '[%{begin:sec}t %{end:sec}t] "%r" %s %>s "%{User-Agent}i"'
    found = row(states, f'[1795554000 1795554009] "GET / HTTP/1.1" 302 200 "{GPTBOT}"')
    assert (found["status"], found["time"]) == (200, UTC)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("$time_iso8601\\t$remote_addr\\t$status\\t$request\\t$http_user_agent",
         f"2026-11-24T21:00:00-07:30\t192.0.2.1\t200\tGET /post/1?a=b HTTP/1.1\t{GPTBOT}"),
        ("$time_iso8601|$remote_addr|$status|$request_uri|$http_user_agent|$request_time",
         f"2026-11-24T21:00:00-07:30|192.0.2.1|200|/post/1?a=b|{GPTBOT}|0.1"),
        ("$remote_addr [$time_local] $status $request $http_user_agent",
         f"192.0.2.1 [{CLF}] 200 GET /post/1?a=b HTTP/1.1 {GPTBOT}"),
        ("'$remote_addr' '$time_local' '$status' '$request' '$http_user_agent'",
         f"'192.0.2.1' '{CLF}' '200' 'GET /post/1?a=b HTTP/1.1' '{GPTBOT}'"),
        ('{"t":"$time_local","a":"$remote_addr","s":$status,"r":"$request","u":"$http_user_agent"}',
         f'{{"t":"{CLF}","a":"192.0.2.1","s":200,"r":"GET /post/1?a=b HTTP/1.1","u":"{GPTBOT}"}}'),
    ],
)  # fmt: skip
def test_any_separator_is_possible(text: str, line: str) -> None:
    assert row(text, line) == NO_HOST


def test_a_host_directly_before_its_path_ends_at_the_slash() -> None:
    text = (
        '$remote_addr [$time_local] "$request_method $scheme://$host$request_uri" $status "$http_user_agent"'
    )
    line = f'192.0.2.1 [{CLF}] "GET https://blog.example/post/1?a=b" 200 "{GPTBOT}"'
    assert row(text, line) == READ


def test_a_port_is_not_part_of_the_host_or_address() -> None:
    text = '%v:%p %{c}a %h:%{remote}p %t "%r" %>s "%{User-Agent}i"'
    line = f'[{CLF}] "GET /post/1?a=b HTTP/1.1" 200 "{GPTBOT}"'
    assert row(text, f"blog.example:80 - 192.0.2.1:5000 {line}") == READ
    found = row(text, f"[2001:db8::7]:80 - 2001:db8::1:5000 {line}")
    assert (found["host"], found["address"]) == ("[2001:db8::7]", "2001:db8::1")


@pytest.mark.parametrize("query", ["", "-", "?"])
def test_an_empty_query_does_not_change_the_path(query: str) -> None:
    text = '$remote_addr [$time_local] "$uri" "$args" $status "$http_user_agent"'
    assert row(text, f'192.0.2.1 [{CLF}] "/post/1" "{query}" 200 "{GPTBOT}"')["path"] == "/post/1"


@pytest.mark.parametrize("times", ["0.1 0.1", "- -", "0.1, 0.2 0.3", "0.1 0.1, 0.2"])
def test_lists_of_upstream_servers_are_fields(times: str) -> None:
    text = '$remote_addr [$time_local] "$request" $status "$http_user_agent"'
    text += " $upstream_response_time $request_time"
    line = f'192.0.2.1 [{CLF}] "GET /post/1?a=b HTTP/1.1" 200 "{GPTBOT}"'
    assert row(text, f"{line} {times}") == NO_HOST


def test_only_goaccess_ignores_the_rest_of_a_line() -> None:
    assert row(GOACCESS, f'{VCOMBINED} "x" y') == READ
    assert unread(APACHE, f'{VCOMBINED} "x"')
    assert unread(NGINX, f'{VCOMBINED} "x"')


def test_text_of_a_client_moves_no_other_column() -> None:
    piped = "$remote_addr|$time_local|$status|$request_uri|$http_user_agent|$request_time"
    assert row(piped, f"192.0.2.1|{CLF}|200|/a|GPTBot/1.2|0.1")["user_agent"] == "GPTBot/1.2"
    for path, user_agent in (("/a|GPTBot", "curl/8.0"), ("/a", "GPTBot/1.2|x"), ("/a|", "")):
        assert unread(piped, f"192.0.2.1|{CLF}|200|{path}|{user_agent}|0.1")
    named_user = '$remote_addr $remote_user $host [$time_local] "$request" $status "$http_user_agent"'
    line = f'[{CLF}] "GET / HTTP/1.1" 200 "{GPTBOT}"'
    assert row(named_user, f"192.0.2.1 john blog.example {line}")["host"] == "blog.example"
    assert unread(named_user, f"192.0.2.1 john other.example blog.example {line}")


@pytest.mark.parametrize("name", ["COMBINED", "VCOMBINED", "COMMON", "VCOMMON", "W3C", "CLOUDFRONT", "CADDY"])
def test_goaccess_names_are_known(name: str) -> None:
    assert parse_format(name) in FORMATS.values()
    assert parse_format(f" {name.lower()} ") is parse_format(name)


def test_every_format_is_found_by_its_name_and_can_be_pickled() -> None:
    for name, found in FORMATS.items():
        assert parse_format(name) is found
        assert found.name == name
        assert pickle.loads(pickle.dumps(found)) == found
    aliases = {"AWSALB": "alb", "AWSELB": "alb", "cloudflare": "json:cloudflare", "nginx": "json:nginx"}
    assert {alias: parse_format(alias).name for alias in aliases} == aliases


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("", "not a log format"),
        ("squid", "'squid'"),
        ("SQUID\x1b[31m", "\\x1b[31m"),
        ("x" * 1000, "…"),
        ("%h %l %u %t", "no request"),
        ('%h "%r" %>s', "no time"),
        ('%h [%{%H:%M}t] "%r"', "no time"),
        ('%h [%d] "%r"', "no time"),
        ('%h [%{%s %q}t] "%r"', "%s"),
        ('%h [%{%d/%b/%Y:%T %Z}t] "%r"', "%Z"),
        ("$remote_addr $time_local", "no request"),
        ("$time_local $request $http_user_agent $request_time", "in quotes"),
        ('{ts:"%x.%^",request:{remote_ip:"%h"}}', "no request"),
    ],
)
def test_an_invalid_format_is_refused(text: str, culprit: str) -> None:
    with pytest.raises(LogFormatError) as error:
        parse_format(text)
    assert culprit in str(error.value)
    assert len(str(error.value)) < 500
    assert str(error.value).isprintable()
