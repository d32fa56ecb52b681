"""Arbitrary bytes as logs and policies: a result or an error, never a crash, and every line is counted."""

import random
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.accesslog.labelled import linewise, objects, tables
from tests.accesslog.labelled.command import Outcome, check_logs_here
from tests.accesslog.labelled.forms import Form
from tests.accesslog.labelled.handwritten import DISALLOWING, SITE
from tests.accesslog.labelled.logs import write_down
from tests.accesslog.labelled.results import contradictions
from tests.accesslog.labelled.sites import make_sites
from tests.accesslog.labelled.traffic import make_requests

_LOGPUSH, _EDGE = objects.CLOUDFLARE, tables.CLOUDFRONT
FORMS = (
    *(linewise.COMBINED_NAMED, linewise.VCOMBINED_NAMED, linewise.APACHE_OWN, linewise.NGINX_OWN),
    *(linewise.GOACCESS_OWN, objects.CADDY_NAMED, tables.ALB_NAMED, tables.W3C_NAMED),
    Form("common, named", linewise.COMMON.line, ("--format", "COMMON")),
    Form("cloudflare, named", _LOGPUSH.line, ("--format", "CLOUDFLARE"), carries=_LOGPUSH.carries),
    Form("cloudfront, named", _EDGE.line, ("--format", "CLOUDFRONT"), head=_EDGE.head, carries=_EDGE.carries),
)
BY_NAME = {form.name: form for form in FORMS}
PIECES = (
    b"GPTBot/1.2", b"ClaudeBot", b'"', b"\\", b"\\x", b"\\u0000", b"[", b"]", b"{", b"}", b" ", b"\t", b"\n",
    b"\r", b"\r\n", b"\x00", b"\xff", b"\xed\xa0\x80", b"%", b"%00", b"#Fields: date time", b"#Fields:",
    b"-", b":", b"|", b"999999999999999999999999", b"-1", b"1e999", b"NaN", b"0000-00-00", b"9999-12-31",
    b"null", b"[]", b"HTTP/1.1", b"::ffff:", b"\xe2\x80\xa8", b"\x1f\x8b", b"+9999", b"http://[", b"//",
    b"?",
)  # fmt: skip
POLICIES = (
    b'{"site": "a.example"', b', "at": "2026-10-01T00:00:00Z"', b', "preset": "no-ai"}', b"\n", b"null",
    b"[]", b"{}", b'{"site": 1, "at": 2, "preset": 3}', b', "hosts": 5', b', "robots_txt": null', b"\xff",
    b', "at": "9999-99-99"',
)  # fmt: skip


def lines_of(data: bytes) -> int:
    """Return the lines; only a line feed ends one, and text after the last one is a line too."""
    return data.count(b"\n") + (data[-1:] not in (b"", b"\n"))


def run_check(folder: Path, data: bytes, *options: str) -> Outcome:
    log = folder / "any.log"
    log.write_bytes(data)
    (folder / "robots.txt").write_text(DISALLOWING)
    return check_logs_here(log, "--robots", folder / "robots.txt", "--site", SITE, "--json", *options)


def assert_counted(data: bytes, outcome: Outcome) -> None:
    document = outcome.document
    assert contradictions(document) == []
    assert document["lines"]["read"] == lines_of(data)


def is_compressed(data: bytes) -> bool:
    """Return True if the content is compressed, whatever the name of the file."""
    return data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


@cache
def sample(name: str, seed: int) -> bytes:
    """Return a few real lines of a form."""
    form, rng = BY_NAME[name], random.Random(seed)
    requests = [r for r in make_requests(rng, make_sites(rng, 2), 40) if form.carries(r)]
    lines = [*form.head, *(write_down(request, form, rng).raw for request in requests[:6])]
    return b"".join(line + b"\n" for line in lines)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Form, bytes]:
    """Return real lines in which bytes were removed, doubled, inserted or flipped."""
    name = draw(st.sampled_from(sorted(BY_NAME)))
    data = sample(name, draw(st.integers(0, 2)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4), st.just(data[at:end] * 2)))
        data = data[:at] + piece + data[end:]
    return BY_NAME[name], data


FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@settings(FUZZ, max_examples=60)
@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from(PIECES)), max_size=12).map(b"".join))
@example(b"")
@example(b"\n")
@example(b"\xef\xbb\xbf\n")
@example(b"\xff\xfeG\x00P\x00T\x00B\x00o\x00t\x00\n\x00")
def test_any_bytes_give_a_result_or_an_error(tmp_path: Path, data: bytes) -> None:
    outcome = run_check(tmp_path, data)
    if outcome.code == 2:
        assert "any.log" in outcome.err
    else:
        assert_counted(data, outcome)


NO_VERDICT = ("fits --format", "no field for the User-Agent", "a key for the User-Agent", "can be read")
"""Why a log that was named right can say nothing of crawlers."""


@settings(FUZZ, max_examples=60)
@given(
    st.sampled_from(sorted(BY_NAME)),
    st.lists(st.one_of(st.binary(max_size=80), st.sampled_from(PIECES)), min_size=1, max_size=12).map(
        b"".join
    ),
)
def test_any_bytes_are_lines_of_a_named_form(tmp_path: Path, name: str, data: bytes) -> None:
    form = BY_NAME[name]
    outcome = run_check(tmp_path, data, *form.options)
    if data and not is_compressed(data) and not form.head:  # a form that its head defines may lack it
        assert outcome.code == 0 or any(reason in outcome.err for reason in NO_VERDICT), outcome.err
    if outcome.code != 2:
        assert_counted(data, outcome)


@settings(FUZZ, max_examples=100)
@given(mutated())
def test_damaged_lines_are_counted(tmp_path: Path, damaged: tuple[Form, bytes]) -> None:
    form, data = damaged
    outcome = run_check(tmp_path, data, *form.options)
    if data and not is_compressed(data) and not form.head:
        assert outcome.code in (0, 1) or any(reason in outcome.err for reason in NO_VERDICT), outcome.err
    if outcome.code != 2:
        assert_counted(data, outcome)


@pytest.mark.slow
@settings(FUZZ, max_examples=700)
@given(mutated(), st.booleans())
def test_any_number_of_damaged_lines_is_counted(
    tmp_path: Path, damaged: tuple[Form, bytes], named: bool
) -> None:
    form, data = damaged
    outcome = run_check(tmp_path, data, *(form.options if named else ()))
    if outcome.code != 2:
        assert_counted(data, outcome)


@settings(FUZZ, max_examples=25)
@given(st.binary(max_size=200), st.sampled_from([".gz", ".zst"]))
def test_any_bytes_as_a_compressed_file_give_a_result_or_an_error(
    tmp_path: Path, data: bytes, suffix: str
) -> None:
    import gzip

    from backports import zstd

    complete = (gzip.compress if suffix == ".gz" else zstd.compress)(sample("combined, named", 0))
    cut = random.Random(data).randrange(1, len(complete))
    log = tmp_path / f"any.log{suffix}"
    (tmp_path / "robots.txt").write_text(DISALLOWING)
    options = ("--robots", tmp_path / "robots.txt", "--site", SITE, "--json")
    for damaged in (data + b"x", complete[:cut], complete[:cut] + data):
        log.write_bytes(damaged)
        outcome = check_logs_here(log, *options)
        assert outcome.code == 2
        assert log.name in outcome.err


@settings(FUZZ, max_examples=30)
@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(POLICIES)).map(b"".join)))
def test_any_bytes_as_policies_give_a_result_or_an_error(tmp_path: Path, data: bytes) -> None:
    log, policies = tmp_path / "access.log", tmp_path / "policies.jsonl"
    log.write_bytes(sample("vcombined, named", 0))
    policies.write_bytes(data)
    outcome = check_logs_here(log, "--policies", policies, "--json")
    if outcome.code == 2:
        assert "policies.jsonl" in outcome.err


@settings(FUZZ, max_examples=30)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_robots_txt_give_a_result(tmp_path: Path, data: bytes) -> None:
    log, robots = tmp_path / "access.log", tmp_path / "robots.txt"
    log.write_bytes(sample("combined, named", 0))
    robots.write_bytes(data)
    assert check_logs_here(log, "--robots", robots, "--site", SITE, "--json").code in (0, 1)
