"""Renderings of policies: documents, entity tags, and the headers of each path."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.core.crawlers import Scope, crawler_named
from aipolicy.core.policy import PRESETS, Preset, SitePolicy, VisibilityName
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.rendering import Document, most_restrictive, render, robots_document
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.signals.ai_txt import ai_txt
from aipolicy.signals.headers import headers_of
from aipolicy.signals.switches import Signals
from aipolicy.signals.tdmrep import tdm_reservation, tdmrep_json
from tests.core.oracle import matches
from tests.core.strategies import policies

OPEN = Preferences(train_ai=Preference.ALLOW)
CLOSED = Preferences(train_ai=Preference.DISALLOW)
TEXT, JSON = b"text/plain; charset=utf-8", b"application/json"
NO_TRAINING = SitePolicy.from_preset("no-training", site="blog.example")

PLAIN_PATHS = ["/", "/open/", "/open/closed/ajar", "/OPEN/", "/private/press/x?y", "/a.jpg", "/a.jpg?b"]
ESCAPED_PATHS = ["/tag/caf%c3%a9", "/tag/café", "/a%20b", "/%6Fpen/", "/p/?s=1", "/a/../open/"]
some_paths = st.sampled_from(PLAIN_PATHS + ESCAPED_PATHS)


def assert_ready(document: Document | None, body: bytes, media_type: bytes) -> None:
    assert document is not None
    assert document.body == body
    assert document.headers == (
        (b"content-type", media_type),
        (b"content-length", b"%d" % len(body)),
        (b"etag", document.etag),
    )
    assert re.fullmatch(rb'"[\x21\x23-\x7e]+"', document.etag)  # strong (RFC 9110 §8.8.3)


# Documents.


@pytest.mark.parametrize("preset", PRESETS)
def test_rfc_9309_2_3_robots_txt_is_plain_text_in_utf_8(preset: Preset) -> None:
    policy = SitePolicy.from_preset(preset)
    assert_ready(render(policy).robots, robots_txt(policy), TEXT)


def test_a_site_that_opted_out_has_all_its_files_ready() -> None:
    signals = Signals(ai_txt=True)
    rendering = render(NO_TRAINING, signals)
    assert_ready(rendering.tdmrep, tdmrep_json(NO_TRAINING, signals) or b"", JSON)
    assert_ready(rendering.ai_txt, ai_txt(NO_TRAINING, signals) or b"", TEXT)
    assert (rendering.policy, rendering.signals) == (NO_TRAINING, signals)


def test_a_site_that_says_nothing_has_only_a_robots_txt() -> None:
    rendering = render(SitePolicy(), Signals(ai_txt=True))
    assert rendering.tdmrep is None
    assert rendering.ai_txt is None
    assert rendering.site.headers == ()
    assert rendering.site.names == frozenset()
    assert rendering.paths == ()


def test_a_switch_that_is_off_leaves_its_file_to_the_application() -> None:
    rendering = render(NO_TRAINING, Signals(tdm=False))
    assert rendering.tdmrep is None
    assert rendering.ai_txt is None


def test_the_sites_own_robots_txt_is_merged_in() -> None:
    base = "User-agent: *\nDisallow: /admin/\n"
    rendering = render(SitePolicy.from_preset("no-training", robots_base=base))
    assert rendering.robots.body == robots_txt(NO_TRAINING, base=base)
    assert b"Disallow: /admin/\n" in rendering.robots.body


def test_rfc_9309_2_5_a_robots_txt_that_grows_over_500_kibibytes_is_cut_and_says_so() -> None:
    base = "User-agent: *\n" + "Disallow: /x\n" * (500 * 1024 // 13 - 2)
    rendering = render(SitePolicy.from_preset("no-training", site="blog.example", robots_base=base))
    assert len(rendering.robots.body) <= 512_000
    assert b"Disallow: /x\n" in rendering.robots.body
    assert "blog.example has 51" in rendering.cut
    assert "crawlers read only 512000; shorten" in rendering.cut
    assert rendering.site.headers == render(NO_TRAINING).site.headers
    assert render(NO_TRAINING).cut == ""


# Entity tags.


def test_equal_bytes_have_one_entity_tag() -> None:
    assert robots_document(b"a").etag == robots_document(b"a").etag
    one, other = render(NO_TRAINING), render(NO_TRAINING.for_site("else.example"))
    assert one.robots.etag == other.robots.etag
    assert one.tdmrep is not None
    assert other.tdmrep is not None
    assert one.tdmrep.etag == other.tdmrep.etag


def test_other_bytes_have_another_entity_tag() -> None:
    bodies = [b"", b"a", b"a\n", b"A", *(render(SitePolicy.from_preset(p)).robots.body for p in PRESETS)]
    assert len({robots_document(body).etag for body in bodies}) == len(set(bodies)) == 8
    assert len({robots_document(b"%d" % number).etag for number in range(2000)}) == 2000


@given(st.binary(), st.binary())
def test_different_files_have_different_entity_tags(one: bytes, other: bytes) -> None:
    assert (robots_document(one).etag == robots_document(other).etag) is (one == other)


@settings(deadline=None)
@given(policies)
def test_rendering_twice_gives_the_same_bytes(policy: SitePolicy) -> None:
    one, other = render(policy), render(policy)
    assert one.robots.etag == other.robots.etag
    assert one.site.headers == other.site.headers
    assert [(p, s.headers) for p, s in one.paths] == [(p, s.headers) for p, s in other.paths]


def test_renderings_are_compared_by_identity() -> None:
    """Renderings are cache keys, and comparing them by value would compare every byte."""
    one, other = render(NO_TRAINING), render(NO_TRAINING)
    assert one != other
    assert len({one, other, one}) == 2


# Headers.


def test_a_path_has_the_headers_of_the_longest_pattern_that_matches() -> None:
    paths = (("/open/", OPEN), ("/open/closed/", CLOSED), ("/*.jpg$", CLOSED), ("/tag/café", OPEN))
    rendering = render(
        SitePolicy(site="", preferences=Preferences(ai_use=Preference.DISALLOW), path_preferences=paths)
    )
    said = {
        "/": b"ai-use=n",
        "/open": b"ai-use=n",
        "/open/": b"train-ai=y, ai-use=n",
        "/open/x?y=z": b"train-ai=y, ai-use=n",
        "/open/closed/x": b"train-ai=n, ai-use=n",
        "/%6fpen/x": b"train-ai=y, ai-use=n",
        "/Open/": b"ai-use=n",
        "/x/a.jpg": b"train-ai=n, ai-use=n",
        "/x/a.jpg?size=2": b"ai-use=n",
        "/open/a.jpg": b"train-ai=n, ai-use=n",
        "/tag/caf%c3%a9/2": b"train-ai=y, ai-use=n",
        "/tag/café": b"train-ai=y, ai-use=n",
    }
    usage = {path: dict(rendering.headers_at(path).headers)[b"content-usage"] for path in said}
    assert usage == said


def test_a_path_may_have_no_headers() -> None:
    silent = (("/open/", Preferences(Preference.ALLOW)),)
    rendering = render(
        SitePolicy(site="", preferences=CLOSED, path_preferences=silent), Signals(content_usage=False)
    )
    assert rendering.headers_at("/open/x").headers == ()
    assert rendering.headers_at("/x") is rendering.site


@settings(deadline=None)
@given(policies, some_paths)
def test_every_path_has_the_headers_of_the_preferences_that_bind_it(policy: SitePolicy, path: str) -> None:
    rendering = render(policy)
    binding = next((p for pattern, p in policy.effective_paths if matches(pattern, path)), policy.effective)
    assert rendering.headers_at(path).headers == headers_of(policy, binding, Signals())


@settings(deadline=None)
@given(policies, some_paths)
def test_header_and_tdmrep_file_agree_on_every_path(policy: SitePolicy, path: str) -> None:
    rendering = render(policy)
    header = dict(rendering.headers_at(path).headers).get(b"tdm-reservation")
    file = rendering.tdmrep.body if rendering.tdmrep else None
    assert bool(tdm_reservation(path, file=file)) is (header == b"1")


def test_a_rendering_lists_the_names_of_its_headers() -> None:
    policy = SitePolicy.from_preset(
        "no-ai", tdm_policy_url="https://blog.example/t", license_url="https://blog.example/l"
    )
    rendering = render(policy, Signals(rsl=True, tdm_policy=True))
    names = {b"x-robots-tag", b"content-usage", b"tdm-reservation", b"tdm-policy", b"link"}
    assert rendering.site.names == names


@pytest.mark.parametrize(
    ("base", "visibility", "takes"),
    [
        (None, "public", True),
        (None, "discouraged", True),
        (None, "private", False),
        ("", "public", False),
        ("User-agent: *\nAllow: /\n", "public", False),
    ],
)
def test_an_applications_own_robots_txt_has_a_place_unless_the_site_has_one_or_is_private(
    base: str | None, visibility: VisibilityName, takes: bool
) -> None:
    policy = SitePolicy.from_preset("no-training", visibility=visibility, robots_base=base)
    assert render(policy).takes_own_robots is takes


def test_the_most_restrictive_preferences_of_several_paths_apply() -> None:
    paths = {"/a/": PRESETS["allow"], "/b/": PRESETS["no-training"], "/c/": Preferences(ai_use="disallow")}  # type: ignore[arg-type]
    rendering = render(SitePolicy.from_preset("unset", path_preferences=paths))
    expected = {
        ("/a/x",): "train-ai=y, ai-use=y",
        ("/a/x", "/x"): "",
        ("/a/x", "/b/x"): "train-ai=n",
        ("/b/x", "/c/x"): "train-ai=n, ai-use=n",
        (None,): "train-ai=n, ai-use=n",
    }
    assert {over: str(rendering.headers_over(over).preferences) for over in expected} == expected
    assert rendering.headers_over(["/b/x", "/b/y"]) is rendering.headers_at("/b/x")


def test_the_most_restrictive_preferences_of_several_sites_apply() -> None:
    terms: dict[str, Any] = {
        "tdm_policy_url": "https://blog.example/t",
        "license_url": "https://blog.example/l",
    }
    signals = Signals(rsl=True, tdm_policy=True)
    one = render(SitePolicy.from_preset("no-ai", **terms), signals)
    other = render(SitePolicy.from_preset("allow", visibility="discouraged", **terms), signals)
    none = render(SitePolicy(), signals)
    both = most_restrictive([(one, one.site), (other, other.site)])
    assert str(both.site.preferences) == "train-ai=n, ai-use=n, search=n"
    assert (both.policy.visibility, both.headers_at("/x")) == ("discouraged", both.site)
    assert {b"link", b"tdm-policy"} <= both.site.names
    assert not {b"link", b"tdm-policy"} & most_restrictive([(one, one.site), (none, none.site)]).site.names


@pytest.mark.parametrize("path", ["/", "/press/x"])
def test_listed_crawlers_are_blocked_only_by_a_broad_policy(path: str) -> None:
    crawler, paths = crawler_named("EchoboxBot"), {"/press/": PRESETS["no-ai"]}
    assert crawler is not None
    for preset in ("no-training", "no-ai"):
        documented = SitePolicy.from_preset(preset, path_preferences=paths)
        assert not render(documented).closed_to(crawler, path)
        assert not documented.covers(crawler)
        assert render(replace(documented, scope=Scope.BROAD)).closed_to(crawler, path)
    assert render(SitePolicy(visibility=Visibility.PRIVATE)).closed_to(crawler, path)
