"""The fallback of an answer is never more permissive than that answer or the default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.patterns import path_matches
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.errors import AIPolicyError
from aipolicy.lookup.fallback import Fallback, with_refusals
from aipolicy.lookup.renderer import Renderer
from tests.lookup.harness import ALLOW, NO_AI, OPTED_OUT, UNSET, CachedSource

OWN_RULES = "User-agent: *\nDisallow: /drafts\n"

preferences = st.builds(Preferences, *(st.sampled_from(Preference) for _ in Category))
patterns = st.sampled_from(["/a/", "/a/b/", "/*/b/", "/c"])
paths = st.dictionaries(patterns, preferences).map(lambda p: tuple(p.items()))
policies = st.builds(
    SitePolicy,
    preferences=preferences,
    path_preferences=paths,
    licensed=st.lists(st.sampled_from(["GPTBot", "CCBot"])).map(tuple),
)


def at(policy: SitePolicy, path: str) -> Preferences:
    return next((p for pattern, p in policy.effective_paths if path_matches(pattern, path)), policy.effective)


@given(default=policies, stale=policies.filter(lambda policy: not policy.opted_out))
def test_together_they_refuse_all_that_either_refuses_and_grant_only_what_the_default_grants(
    default: SitePolicy, stale: SitePolicy
) -> None:
    together = with_refusals(default, stale)
    for path in ("/", "/a/x", "/a/b/x", "/d/b/x", "/c"):
        for category in Category:
            stated = at(together, path)[category]
            if Preference.DISALLOW in (at(default, path)[category], at(stale, path)[category]):
                assert stated is Preference.DISALLOW
            if stated is Preference.ALLOW:
                assert at(default, path)[category] is Preference.ALLOW
    assert set(together.licensed) == set(default.licensed) & set(stale.licensed)


@pytest.mark.parametrize("stale", [UNSET, ALLOW, ALLOW.for_site("blog.example")])
def test_a_policy_that_refuses_nothing_gives_way_to_the_default_itself(stale: SitePolicy) -> None:
    renderer = Renderer()
    fallback = Fallback(renderer, OPTED_OUT)
    assert fallback.choose(renderer.rendering(stale), recent=False) is fallback.default


def test_a_fallback_is_rendered_once() -> None:
    renderer = Renderer()
    fallback = Fallback(renderer, OPTED_OUT)
    stale = renderer.rendering(SitePolicy(sitemaps=("https://blog.example/s.xml",)))
    strict = fallback.choose(stale, recent=False)
    assert strict is fallback.choose(stale, recent=False)
    assert strict.policy.opted_out
    assert strict.policy.sitemaps == stale.policy.sitemaps


@pytest.mark.parametrize("count", [500, 501, 12_000])
async def test_what_thousands_of_paths_refuse_outlasts_a_failure(count: int, cached: CachedSource) -> None:
    paths = {f"/u/{number}/": OPTED_OUT.preferences for number in range(count)}
    cached.put("blog.example", SitePolicy(path_preferences=tuple(paths.items()), robots_base=OWN_RULES))
    lookup = cached.lookup(default="unset", timeout=60)
    await lookup.find(b"blog.example")
    cached.fail()
    for _ in range(3):
        cached.clock.advance(20_000)
        stale = await lookup.find(b"blog.example")
        assert stale.headers_at(f"/u/{count - 1}/x").preferences.disallows(Category.TRAIN_AI)
        assert "Disallow: /drafts" in stale.robots.body.decode()
        assert len(stale.paths) <= 500


def test_what_is_recent_or_opted_out_stays() -> None:
    renderer = Renderer()
    fallback = Fallback(renderer, NO_AI)
    unset, opted_out = renderer.rendering(UNSET), renderer.rendering(OPTED_OUT)
    assert fallback.choose(unset, recent=True) is unset
    assert fallback.choose(opted_out, recent=False) is opted_out
    assert fallback.choose(fallback.default, recent=True) is fallback.default


def test_a_default_that_is_not_recent_gives_way_to_the_strict_default() -> None:
    fallback = Fallback(Renderer(), UNSET)
    assert fallback.choose(fallback.default, recent=False) is fallback.strict_default
    assert fallback.strict_default.policy == OPTED_OUT


def test_if_the_combination_cannot_be_rendered_the_default_is_served(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer()
    fallback = Fallback(renderer, OPTED_OUT)
    stale = renderer.rendering(SitePolicy(sitemaps=("https://blog.example/s.xml",)))

    def too_large(_: SitePolicy) -> None:
        raise AIPolicyError("too large")

    monkeypatch.setattr(renderer, "rendering", too_large)
    assert fallback.choose(stale, recent=False) is fallback.default
    assert "too large" in caplog.text
