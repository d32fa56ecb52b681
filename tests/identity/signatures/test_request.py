"""Parsing of requests, as sent or as printed by a tool."""

import pytest

from aipolicy.identity.signatures.request import parse_request

HEAD = b"GET /a?b=c HTTP/1.1\r\nHost: Blog.example\r\nUser-Agent: GPTBot/1.2\r\nX-A: 1\r\nX-a: 2\r\n"


@pytest.mark.parametrize("end", [b"\r\n", b"", b"\r\n\r\n"])
@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
def test_a_request_is_parsed_with_lf_or_crlf(end: bytes, line: bytes) -> None:
    request = parse_request((HEAD + end).replace(b"\r\n", line))
    assert (request.method, request.url) == ("GET", "https://Blog.example/a?b=c")
    assert request.headers[1] == ("User-Agent", "GPTBot/1.2")
    assert request.field("x-a") == "1, 2"
    assert request.body is None


def test_the_scheme_can_be_http() -> None:
    assert parse_request(HEAD, scheme="http").url == "http://Blog.example/a?b=c"


@pytest.mark.parametrize(
    ("sent", "body"), [(b"abc", b"abc"), (b"ab", None), (b"", None), (b"abcdef", b"abc")]
)
def test_an_incomplete_body_is_ignored(sent: bytes, body: bytes | None) -> None:
    assert parse_request(HEAD + b"Content-Length: 3\r\n\r\n" + sent).body == body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"hello",
        b"> GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x00" * 1000,
    ],
)
def test_an_invalid_request_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_request(data)
