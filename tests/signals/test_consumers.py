"""The programs that are known to honour our headers read them, whatever the application set itself."""

import contextlib
import io
from itertools import product

import http_sf
import pytest
from hypothesis import given, settings
from requests.structures import CaseInsensitiveDict

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.signals.header_field import Header
from aipolicy.signals.headers import headers_of, merge_headers
from aipolicy.signals.switches import Signals
from tests.core.strategies import policies

with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has no key for a service
    from datadiligence.evaluators import HttpEvaluator

OPTED_OUT = [
    SitePolicy.from_preset("no-training"),
    SitePolicy.from_preset("no-ai"),
    SitePolicy.from_preset("no-training", licensed=["GPTBot"]),
    SitePolicy.from_preset("allow", visibility="discouraged"),
    SitePolicy.from_preset("unset", visibility="private"),
]
OTHERS = [SitePolicy.from_preset("unset"), SitePolicy.from_preset("allow")]

# What an application may have set, and that refuses nobody's AI by itself.
OWN: dict[str, list[Header]] = {
    "nothing": [],
    "open to all": [(b"X-Robots-Tag", b"all"), (b"tdm-reservation", b"0")],
    "a rule with a value": [(b"x-robots-tag", b"max-snippet:0")],
    "rules for one crawler": [(b"X-ROBOTS-TAG", b"googlebot: noarchive, nosnippet")],
    "a date": [(b"X-Robots-Tag", b"unavailable_after: Friday, 25-Jun-50 15:00:00 UTC")],
    "no reservation, in capitals": [(b"TDM-RESERVATION", b"0")],
    "two reservations": [(b"Tdm-Reservation", b"0"), (b"tdm-reservation", b"0")],
    "a grant": [(b"Content-Usage", b"train-ai=y")],
}
REFUSALS = {"noai", "noimageai", "noindex", "noimageindex"}  # what img2dataset heeds by default
RESERVED_TWICE = [(b"tdm-reservation", b"1"), (b"tdm-reservation", b"1")]


def response(policy: SitePolicy, own: list[Header], signals: Signals | None = None) -> list[Header]:
    page = [(b"content-type", b"text/html"), *own]
    return merge_headers(page, headers_of(policy, policy.effective, signals or Signals()))


def accepted_by_datadiligence(headers: list[Header], token: str | None = None) -> bool:
    """Read as its users do: fields of one name are joined, and names have no case."""
    joined: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for name, value in ((name.decode(), value.decode()) for name, value in headers):
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return bool(HttpEvaluator(user_agent=token).is_allowed(headers=joined))


def accepted_by_img2dataset(headers: list[Header], token: str | None = None) -> bool:
    """Apply img2dataset's rule: the text before the first colon of a line is the crawler that it is for."""
    for name, value in headers:
        if name.lower() != b"x-robots-tag":
            continue
        *named, rules = value.decode().lower().split(":", 1)
        for_us = not named or (token is not None and named[0].strip() == token.lower())
        if for_us and REFUSALS & {rule.strip() for rule in rules.split(",")}:
            return False
    return True


READERS = {"datadiligence": accepted_by_datadiligence, "img2dataset": accepted_by_img2dataset}


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("token", [None, "GPTBot", "img2dataset"])
def test_a_page_of_an_opted_out_site_is_refused(reader: str, own: str, token: str | None) -> None:
    for policy in OPTED_OUT:
        assert not READERS[reader](response(policy, OWN[own]), token), policy


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("token", [None, "GPTBot", "img2dataset"])
def test_a_page_of_any_other_site_is_accepted(reader: str, own: str, token: str | None) -> None:
    for policy in OTHERS:
        assert READERS[reader](response(policy, OWN[own]), token), policy


@pytest.mark.parametrize("reader", READERS)
def test_an_applications_own_refusal_stands_on_any_site(reader: str) -> None:
    for policy in [*OPTED_OUT, *OTHERS]:
        assert not READERS[reader](response(policy, [(b"X-Robots-Tag", b"noai")]))


def test_datadiligence_refuses_by_the_reservation_alone() -> None:
    for policy, own in product(OPTED_OUT, OWN.values()):
        assert not accepted_by_datadiligence(response(policy, own, Signals(noai=False)))


@pytest.mark.parametrize("reader", READERS)
def test_both_readers_refuse_by_x_robots_tag_alone(reader: str) -> None:
    for policy, own in product(OPTED_OUT[:2], OWN.values()):
        signals = Signals(tdm=False, noarchive=True, nosnippet=True)
        assert not READERS[reader](response(policy, own, signals))


@pytest.mark.parametrize(
    "own", [b"BadBot: noindex, nofollow", b"unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT"]
)
def test_datadiligence_refuses_where_a_proxy_joins_our_lines_with_the_applications(own: bytes) -> None:
    for policy in OPTED_OUT:
        sent = response(policy, [(b"x-robots-tag", own)], Signals(tdm=False))
        joined = b", ".join(value for name, value in sent if name == b"x-robots-tag")
        assert not accepted_by_datadiligence([(b"x-robots-tag", joined)])


def test_datadiligence_would_not_see_a_reservation_that_was_appended() -> None:
    assert accepted_by_datadiligence(RESERVED_TWICE)
    assert not accepted_by_datadiligence(merge_headers(RESERVED_TWICE, RESERVED_TWICE[:1]))


def test_img2dataset_would_not_see_what_stands_behind_a_rule_with_a_value() -> None:
    assert accepted_by_img2dataset([(b"x-robots-tag", b"max-snippet:0, noai")])


# A parser of Structured Fields reads every Content-Usage that we write.

EVERY = [p for p in (Preferences(*three) for three in product(Preference, repeat=3)) if p]
THEIRS = [b"", b"train-ai=y", b'bots=n, x="a, b";q', b"train-ai=n,", b"Search=y", b"\xff"]


def stated(statement: bytes) -> dict[str, str]:
    """Return label and Token of a statement, for the labels of AIPREF."""
    members = http_sf.parse(statement, tltype="dictionary")
    assert isinstance(members, dict)
    tokens = {label: member[0] for label, member in members.items() if isinstance(member, tuple)}
    return {label: str(token) for label, token in tokens.items() if label in set(Category)}


def expected(preferences: Preferences) -> dict[str, str]:
    letters = {Preference.ALLOW: "y", Preference.DISALLOW: "n"}
    return {str(category): letters[p] for category, p in preferences if p in letters}


@pytest.mark.parametrize("preferences", EVERY, ids=str)
def test_http_sf_reads_every_content_usage_header(preferences: Preferences) -> None:
    policy = SitePolicy(site="", preferences=preferences)
    assert stated(dict(response(policy, []))[b"content-usage"]) == expected(preferences)


@pytest.mark.parametrize("other", THEIRS)
def test_http_sf_reads_every_content_usage_that_was_joined(other: bytes) -> None:
    for preferences in EVERY:
        headers = response(SitePolicy(site="", preferences=preferences), [(b"Content-Usage", other)])
        (line,) = [value for name, value in headers if name.lower() == b"content-usage"]
        assert stated(line) == expected(preferences.combined(Preferences.parse(other)))


@settings(deadline=None)
@given(policies)
def test_http_sf_reads_every_content_usage_in_robots_txt(policy: SitePolicy) -> None:
    said = {tuple(expected(p).items()) for p in (policy.effective, *(p for _, p in policy.effective_paths))}
    for line in robots_txt(policy).decode().splitlines():
        name, _, value = line.partition(": ")
        if name == "Content-Usage":
            statement = value.partition(" ")[2] if value.startswith("/") else value
            assert tuple(stated(statement.encode()).items()) in said
