"""Detection of a log's format from its first lines."""

import json
from collections.abc import Sequence

import pytest

from aipolicy.accesslog.formats import SAMPLE_LINES, detect_format, parse_format
from aipolicy.errors import AIPolicyError, LogFormatError
from tests.accesslog.formats.parsing import GPTBOT
from tests.accesslog.formats.test_fieldlists import CLOUDFRONT, CLOUDFRONT_LINE, IIS, IIS_LINE
from tests.accesslog.formats.test_json import CADDY, CLOUDFLARE, NGINX

COMMON = '192.0.2.1 - - [24/Nov/2026:21:00:00 +0000] "GET / HTTP/1.1" 200 5316'
COMBINED = f'{COMMON} "-" "{GPTBOT}"'
PROBE = r'192.0.2.1 - - [24/Nov/2026:21:00:00 +0000] "\x16\x03\x01" 400 157 "-" "-"'
ALB = (
    "https 2026-11-24T21:00:00.186641Z app/blogs/50dc6c495c0c9188 192.0.2.1:2817 10.0.0.66:9000 0.000 0.002 "
    f'0.000 200 200 34 36 "GET https://blog.example:443/ HTTP/2.0" "{GPTBOT}" - - arn:aws:x "Root=1-58337364"'
)
LOGS = {
    "combined": COMBINED,
    "common": COMMON,
    "vcombined": f"blog.example {COMBINED}",
    "vcommon": f"blog.example {COMMON}",
    "json:caddy": json.dumps(CADDY),
    "json:nginx": json.dumps(NGINX),
    "json:cloudflare": json.dumps(CLOUDFLARE),
    "alb": ALB,
}


def name(*lines: str) -> str | None:
    found = detect_format(lines)
    return None if found is None else found.name


def problem(lines: Sequence[str]) -> str:
    with pytest.raises(LogFormatError) as error:
        detect_format(lines)
    assert isinstance(error.value, AIPolicyError)
    assert isinstance(error.value, ValueError)
    assert str(error.value).isprintable()
    assert "--format" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("wanted", LOGS)
def test_each_format_is_recognised_with_broken_lines_between(wanted: str) -> None:
    line = LOGS[wanted]
    assert name(line) == wanted
    assert name("", line[:40], line, "  ", line, "\x00", line, line, *[line] * 4, "# comment") == wanted
    assert name(*[f"{line}\r\n"] * 3) == wanted
    assert name("\ufeff" + line, line) == wanted


@pytest.mark.parametrize("wanted", LOGS)
def test_a_format_must_fit_four_in_five_lines(wanted: str) -> None:
    line = LOGS[wanted]
    assert name(*[line] * 4, "GPTBot") == wanted
    assert wanted in problem([*[line] * 3, "GPTBot"])


def test_a_leading_host_column_is_detected_in_every_form() -> None:
    """nginx's "$host $remote_addr ..." and Apache's vhost_combined; peers read neither."""
    for host in ("blog.example", "blog.example:443", "localhost"):
        assert name(f"{host} {COMBINED}") == "vcombined"
        assert name(f"{host} {COMMON}", f"192.0.2.7 {COMMON}", f"- {COMMON}") == "vcommon"


def test_a_leading_column_of_addresses_is_ambiguous() -> None:
    for first in ("192.0.2.7", "[2001:db8::1]:443", "192.0.2.7:80", "-"):
        error = problem([f"{first} {COMBINED}"] * 3)
        assert f"'{first} 192.0.2.1 - - [24/Nov" in error
        assert "--format vcombined" in error


def test_a_file_with_two_formats_is_an_error() -> None:
    assert "blog.example" in problem([*[COMBINED] * 3, *[f"blog.example {COMBINED}"] * 2])


def test_unreadable_requests_and_times_do_not_rule_out_a_format() -> None:
    assert name(*[PROBE] * 50) == "combined"
    assert name(*[COMBINED.replace("24/Nov", "31/Feb")] * 5) == "combined"
    assert (
        name(*[f"blog.example {PROBE}"] * 5, *[f" {PROBE}"] * 5) == "vcombined"
    )  # nginx's $host may be empty


def test_other_messages_of_caddy_do_not_rule_out_its_format() -> None:
    other = {"level": "info", "ts": 1795554000, "msg": "serving initial configuration"}
    assert name(*[json.dumps(other)] * 20, json.dumps(CADDY)) == "json:caddy"
    assert detect_format([json.dumps(other)] * 20) == parse_format("caddy")


def test_json_is_recognised_with_the_columns_that_its_lines_have() -> None:
    found = detect_format([json.dumps(NGINX)])
    assert found is not None
    assert (found.has_host, found.has_forwarded) == (True, True)
    assert detect_format([json.dumps({**NGINX, "host": "-", "http_x_forwarded_for": ""})]) == found
    found = detect_format(
        [json.dumps({"time": "2026-11-24T21:00:00Z", "request_uri": "/", "agent": "GPTBot"})]
    )
    assert found is not None
    assert (found.name, found.has_host, found.has_forwarded) == ("json:nginx", False, False)


def test_directives_determine_the_format() -> None:
    software = "#Software: Microsoft Internet Information Services 10.0"
    assert detect_format([software, "#Version: 1.0", IIS, IIS_LINE]) == parse_format("w3c").after(IIS)
    assert detect_format(["#Version: 1.0", CLOUDFRONT, CLOUDFRONT_LINE]) == parse_format("cloudfront").after(
        CLOUDFRONT
    )
    assert detect_format([IIS]) == parse_format("w3c").after(IIS)
    shorter = "#Fields: date time c-ip cs-uri-stem cs(User-Agent)"
    line = "2026-11-24 21:00:00 192.0.2.1 / GPTBot/1.2"
    assert detect_format([IIS, *[IIS_LINE] * 4, shorter, *[line] * 4]) == parse_format("w3c").after(IIS)
    assert "GPTBot/1.2" in problem([IIS, *[line] * 4])
    assert "w3c" in problem([IIS, *[IIS_LINE] * 3, line])


def test_columns_without_their_directive_are_an_error() -> None:
    assert "2026-11-24" in problem([IIS_LINE] * 3)
    assert "2026-11-24" in problem([CLOUDFRONT_LINE] * 3)


@pytest.mark.parametrize("lines", [[], [""], ["", "  ", "\t"], ["# comment", "#Version: 1.0"]])
def test_an_empty_log_has_no_format_and_is_no_error(lines: list[str]) -> None:
    assert detect_format(lines) is None


def test_only_the_first_lines_are_used() -> None:
    assert name(*[COMBINED] * SAMPLE_LINES, *["GPTBot"] * 1000) == "combined"


def test_the_quoted_line_is_shortened_and_escaped() -> None:
    error = problem(["GPTBot \x1b[31m\x00\u202e" + "x" * 5000])
    assert r"'GPTBot \x1b[31m\x00\u202exxx" in error
    assert len(error) < 500


def test_the_quoted_line_is_one_that_does_not_fit() -> None:
    error = problem([COMBINED, "what is this?", COMBINED])
    assert "the closest one is combined): 'what is this?'" in error
