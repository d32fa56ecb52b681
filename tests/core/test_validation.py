"""A site policy made wrong is refused: the message names the culprit and the fix."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core import validation
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.errors import AIPolicyError, PolicyError

URL = "https://blog.example/page"
HALF_MEGABYTE = 500 * 1024


def refusal(make: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(PolicyError) as caught:
        make(*args, **kwargs)
    assert isinstance(caught.value, AIPolicyError)
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("field", "value", "culprit", "fix"),
    [
        ("site", "https://blog.example/", "site 'https://blog.example/'", "give one like 'blog.example'"),
        ("site", "a..b", "site 'a..b'", "give one like 'blog.example'"),
        ("site", None, "site is None", "'' for any site"),
        ("site", b"blog.example", "site is b'blog.example'", "as a string"),
        ("preferences", "no-ai", "preferences is 'no-ai'", "SitePolicy.from_preset(...)"),
        ("preferences", None, "preferences is None", "give Preferences(...)"),
        ("visibility", "hidden", "visibility is 'hidden'", "public, discouraged, private"),
        ("visibility", None, "visibility is None", "public, discouraged, private"),
        ("visibility", [], "visibility is []", "public, discouraged, private"),
        ("licensed", "GPTBot", "licensed is 'GPTBot'", "like ['GPTBot']"),
        ("licensed", 3, "licensed is 3", "give a list of strings"),
        ("licensed", ["GPTBot", 3], "licensed has 3", "give only strings"),
        ("licensed", ["GTPBot"], "licensed token 'GTPBot'", "did you mean 'GPTBot'?"),
        (
            "licensed",
            ["NotABot"],
            "licensed token 'NotABot'",
            "`aipolicy crawlers` lists them; `--crawlers FILE` adds",
        ),
        ("licensed", ["claude_bot"], "licensed token 'claude_bot'", "did you mean 'ClaudeBot'?"),
        ("licensed", ["Zyzzyva9000"], "licensed token 'Zyzzyva9000'", "`aipolicy crawlers` lists them"),
        ("licensed", ["*"], "licensed token '*'", "`aipolicy crawlers` lists them"),
        ("path_preferences", 3, "path_preferences is 3", "give a mapping"),
        ("path_preferences", None, "path_preferences is None", "give a mapping"),
        ("path_preferences", [("/a",)], "path_preferences is [('/a',)]", "give a mapping"),
        ("path_preferences", {"a/": Preferences()}, "path pattern 'a/'", "write '/a/'"),
        ("path_preferences", {"": Preferences()}, "path pattern ''", "write '/'"),
        ("path_preferences", {3: Preferences()}, "path pattern 3", "write '/3'"),
        ("path_preferences", {"/a": "no-ai"}, "preferences is 'no-ai'", "give Preferences(...)"),
        ("sitemaps", URL, f"sitemaps is '{URL}'", f"like ['{URL}']"),
        ("sitemaps", ["/sitemap.xml"], "sitemap is '/sitemap.xml'", "absolute URL"),
        ("sitemaps", [None], "sitemaps has None", "give only strings"),
        ("tdm_policy_url", "/tdm.json", "tdm_policy_url is '/tdm.json'", "absolute URL"),
        ("license_url", "ftp://blog.example/", "license_url is 'ftp://blog.example/'", "absolute URL"),
        ("license_url", 3, "license_url is 3", "absolute URL"),
        ("robots_base", 3, "robots_base is 3", "give the text"),
        ("robots_base", "x" * (HALF_MEGABYTE + 1), f"{HALF_MEGABYTE + 1} bytes", "shorten it"),
    ],
)
def test_a_wrong_field_is_refused(field: str, value: Any, culprit: str, fix: str) -> None:
    message = refusal(SitePolicy, **{field: value})
    assert culprit in message
    assert fix in message


@pytest.mark.parametrize(
    ("source", "culprit", "fix"),
    [
        (3, "a site policy is 3", "give a mapping"),
        ([], "a site policy is []", "give a mapping"),
        ({"preset": "off"}, "preset 'off'", "unset, no-training, no-ai, allow"),
        ({"licenced": []}, "no field 'licenced'", "licensed"),
        ({"_": 1}, "no field '_'", "its fields are site"),
        ({"preferences": "no-ai"}, "preferences is 'no-ai'", "give a mapping"),
        ({"preferences": None}, "preferences is None", "give a mapping"),
        ({"preferences": {"train_ai": "disallow"}}, "category 'train_ai'", "train-ai, ai-use, search"),
        ({"preferences": {"train-ai": "n"}}, "train-ai is 'n'", "allow, disallow, unknown"),
        ({"preferences": {"train-ai": ["n"]}}, "train-ai is ['n']", "allow, disallow, unknown"),
        ({"path_preferences": []}, "path_preferences is []", 'like {"/scores/": {"train-ai": "disallow"}}'),
        ({"preferences": "train-ai=n"}, "'train-ai=n'", 'give a mapping, like {"train-ai": "disallow"}'),
        ({"path_preferences": {"/a": 3}}, "preferences is 3", "give a mapping"),
        ({"licensed": "GPTBot"}, "licensed is 'GPTBot'", "like ['GPTBot']"),
        ({"licensed": [3]}, "licensed has 3", "give only strings"),
        ({"visibility": "hidden"}, "visibility is 'hidden'", "public, discouraged, private"),
    ],
)
def test_a_wrong_json_form_is_refused(source: Any, culprit: str, fix: str) -> None:
    message = refusal(SitePolicy.from_dict, source)
    assert culprit in message
    assert fix in message


@pytest.mark.parametrize("preset", [["no-ai"], {"no-ai": True}, None, ""])
def test_a_preset_that_is_no_name_is_refused(preset: Any) -> None:
    assert "unset, no-training, no-ai, allow" in refusal(SitePolicy.from_dict, {"preset": preset})


def test_an_unknown_preset_is_refused() -> None:
    message = refusal(SitePolicy.from_preset, "noai")
    assert message == "preset 'noai' is unknown; choose one of unset, no-training, no-ai, allow"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
field_names = st.sampled_from([*SitePolicy().to_dict(), "licensed", "path_preferences", "sitemaps"])
other_names = st.sampled_from(["tdm_policy_url", "license_url", "robots_base", "else"])


@given(st.dictionaries(field_names | other_names, json_values, max_size=3))
def test_any_json_is_a_policy_or_is_refused(source: Mapping[str, Any]) -> None:
    if isinstance(source.get("preset"), list | dict):
        return  # see test_a_preset_that_is_no_name_is_refused
    try:
        policy = SitePolicy.from_dict(source)
    except PolicyError:
        return
    assert SitePolicy.from_dict(policy.to_dict()) == policy


# What each field makes of a right value.


def test_a_site_is_kept_in_its_canonical_spelling() -> None:
    assert SitePolicy(site="Bücher.Example.:443").site == "xn--bcher-kva.example"
    assert SitePolicy(site="").site == ""


def test_licensed_tokens_are_spelt_as_in_the_table_and_sorted() -> None:
    assert SitePolicy(licensed=("oai-searchbot", "CCBOT", "ccbot")).licensed == ("CCBot", "OAI-SearchBot")


@pytest.mark.parametrize(
    "value",
    ["https://blog.example", "http://blog.example:8080/s.xml?a=1&b=2", "HTTPS://Blog.Example/%C3%A9", URL],
)
def test_an_absolute_address_is_kept_as_it_is(value: str) -> None:
    policy = SitePolicy(sitemaps=(value, value), tdm_policy_url=value, license_url=value)
    assert (policy.sitemaps, policy.tdm_policy_url, policy.license_url) == ((value,), value, value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "blog.example/s.xml",
        "//blog.example/s.xml",
        "https:///s.xml",
        "https://[::1/s.xml",
        "javascript:alert(1)",
        "https://blog.example/café",
        "https://blog.example/a b",
        "https://blog.example/#part",
        "https://blog.example/\nUser-agent: *",
        "https://blog.example/\r\nSet-Cookie: a=b",
        'https://blog.example/>; rel="x"',
        'https://blog.example/"',
        "https://blog.example/\\",
        "https://blog.example/\x00",
        "https://blog.example/\x7f",
    ],
)
def test_an_address_that_could_break_out_of_its_line_is_refused(value: str) -> None:
    for field in ("sitemaps", "tdm_policy_url", "license_url"):
        message = refusal(SitePolicy, **{field: [value] if field == "sitemaps" else value})
        assert repr(value) in message
        assert "write an absolute URL in ASCII" in message


@given(st.text())
def test_no_address_can_break_out_of_its_line(value: str) -> None:
    try:
        accepted = validation.url("license_url", "https://blog.example/" + value)
    except PolicyError:
        return
    assert accepted.isascii()
    assert accepted.isprintable()
    assert not set(accepted) & set(' <>"#')


def test_a_robots_base_may_be_bytes_of_any_encoding() -> None:
    policy = SitePolicy.from_preset("unset", robots_base=b"Disallow: /\xe9\n")
    assert policy.robots_base == "Disallow: /\udce9\n"
    assert SitePolicy(robots_base="").robots_base == ""


def test_rfc_9309_2_5_a_robots_base_of_just_500_kibibytes_is_accepted() -> None:
    assert SitePolicy(robots_base="x" * HALF_MEGABYTE).robots_base is not None
    assert "shorten it" in refusal(SitePolicy, robots_base="é" * (HALF_MEGABYTE // 2) + "x")
