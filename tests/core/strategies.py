"""Hypothesis strategies: site policies, and the robots.txt files that owners really paste."""

from itertools import chain

from hypothesis import strategies as st

from aipolicy.core.crawlers import CRAWLERS, Scope
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.core.validation import Visibility

TOKENS = [crawler.product_token for crawler in CRAWLERS]
STRANGERS = ["SomeBot", "360Spider", "MJ12bot", "Yahoo! Slurp", "bot", "Robozilla", "SeznamScreenshot"]

preferences = st.builds(Preferences, *(st.sampled_from(Preference) for _ in range(3)))

path_patterns = st.sampled_from(
    [
        "/open/",
        "/open/closed/",
        "/open/closed/ajar",
        "/private/",
        "/private/press/",
        "/*.jpg$",
        "/*/open",
        "/a*c",
        "/ab*",
        "/$",
        "/tag/café",
        "/post",
        "/*?s=",
        "/search",
        "/a b",
    ]
)

policies = st.builds(
    SitePolicy,
    site=st.sampled_from(["", "blog.example"]),
    preferences=st.one_of(st.sampled_from(list(PRESETS.values())), preferences),
    visibility=st.sampled_from([*Visibility, Visibility.PUBLIC, Visibility.PUBLIC, Visibility.PUBLIC]),
    licensed=st.lists(st.sampled_from(TOKENS), max_size=4),
    path_preferences=st.one_of(st.just({}), st.dictionaries(path_patterns, preferences, max_size=4)),
    sitemaps=st.lists(st.sampled_from(["https://blog.example/sitemap.xml", "https://blog.example/s?n=1"])),
    scope=st.sampled_from(Scope),
)

# A line of a file, as a form to fill: the field in some spelling, a value, perhaps a comment.

_case = st.sampled_from([str, str.lower, str.upper, str.title])
_token = st.one_of(
    st.sampled_from(["*", "*", "GPTBot", "CCBot", "Googlebot", "ClaudeBot", "bingbot"]),
    st.sampled_from(TOKENS),
    st.sampled_from(STRANGERS),
)
_worn_token = st.builds(
    lambda token, case, wear: case(token) + wear,
    _token,
    _case,
    st.sampled_from(["", "", "", "", "/1.2", "*", " ", "  # ours", " (old)", "\t"]),
)
_pattern = st.one_of(
    st.sampled_from(["/", "/admin/", "/search", "/private/", "/open/", "/open/closed", "/a", "/*", "*", ""]),
    st.sampled_from(
        ["/*?s=", "/*.jpg$", "/$", "/a*c$", "private", "$", "/tag/café", "/tag/caf%c3%a9", "/%61", "/a%2fb"]
    ),
    st.sampled_from(["/a b", "/x\u2028y", "/100%", "/%%341", "/**", "/index.html", "/a:b", "/a;b", "/%"]),
)
_comment = st.sampled_from(
    [
        "",
        "",
        "",
        "",
        " # why",
        "# BEGIN aipolicy",
        "# END aipolicy",
        " #",
        " # na\u00efve \u2028 x",
        "#\u0000",
    ]
)
_colon = st.sampled_from([": ", ": ", ": ", ":", " :", ":\t", " "])


def _line(names: list[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, case, colon, value, comment: case(name) + colon + value + comment,
        st.sampled_from(names),
        _case,
        _colon,
        values,
        _comment,
    )


user_agents = _line(["User-agent", "User-agent", "User-agent", "Useragent", "User agent"], _worn_token)
rules = _line(["Disallow", "Disallow", "Disallow", "Allow", "Allow", "Disalow", "dissallow"], _pattern)
signals = st.one_of(
    _line(
        ["Content-Signal"],
        st.sampled_from(
            [
                "ai-train=yes",
                "search=yes, ai-input=yes, ai-train=yes",
                "ai-train=no",
                "search=no",
                "AI-Train=YES, use=full",
                "ai-train=yes, ai-train=no",
                "garbage",
                "",
            ]
        ),
    ),
    _line(
        ["Content-Usage"],
        st.sampled_from(
            [
                "train-ai=y",
                "train-ai=n",
                "train-ai=y, ai-use=y, search=y",
                "/open/ train-ai=y",
                "/private/deep/ train-ai=y, search=n",
                "/private/ ai-use=y",
                "/tag/caf%c3%a9 train-ai=y",
                "/a b train-ai=y",
                "train-ai",
                "",
            ]
        ),
    ),
)
others = st.one_of(
    _line(["Crawl-delay", "Request-rate"], st.sampled_from(["5", "1/5", "x", ""])),
    _line(
        ["Sitemap", "sitemaps", "Site-map", "Host"], st.sampled_from(["https://blog.example/s.xml", "x", ""])
    ),
    _line(["License"], st.just("https://blog.example/l.xml")),
    _line(["Noindex", "Clean-param", "X-Foo bar"], _pattern),
    _line(
        ["User-agent-x", "Useragents", "User agents", "Disallow-AI", "Allowed", "Disalowed", "Sitemap-x"],
        st.one_of(_token, _pattern),
    ),
    st.sampled_from(
        [
            "# BEGIN aipolicy",
            "# END aipolicy",
            "  # BEGIN aipolicy  ",
            "x # BEGIN aipolicy",
            "x # END aipolicy",
            "#  BEGIN aipolicy",
            "# begin aipolicy",
            "# a comment",
            "no colon here",
            "word",
            ":",
            ": /",
            "\u00a0",
            "<html>",
            "\ufeff# BEGIN aipolicy",
            "\ufeffUser-agent: *",
            "User-agent: * Disallow: /",
            "\x0bDisallow: /",
        ]
    ),
)
blanks = st.sampled_from(["", "", " ", "\t"])

_group = st.builds(
    lambda agents, middle, body: [*agents, *middle, *body],
    st.lists(user_agents, min_size=1, max_size=3),
    st.lists(st.one_of(blanks, signals, others), max_size=2),
    st.lists(st.one_of(rules, rules, rules, signals, others, blanks, user_agents), max_size=6),
)
_files = st.builds(
    lambda preamble, groups, end, newline, bom: bom + newline.join([*preamble, *chain(*groups)]) + end,
    st.lists(st.one_of(rules, signals, others, blanks), max_size=3),
    st.lists(
        st.builds(lambda group, blank: [*group, *blank], _group, st.lists(blanks, max_size=2)), max_size=5
    ),
    st.sampled_from(["", "\n"]),
    st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    st.sampled_from(["", "", "", "\ufeff", "\ufeff\ufeff"]),
)

base_files = st.one_of(
    _files.map(str.encode),
    _files.map(str.encode),
    st.text().map(lambda text: text.encode("utf-8", "replace")),
    st.binary(),
)
