"""A merged robots.txt, over any policy and any file of the site's own: its form, and its meaning."""

import re
from itertools import chain, pairwise, product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt.matching import usage_preferences, verdict
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.robotstxt.parser import BEGIN, END, RobotsTxt
from aipolicy.signals.switches import Signals
from tests.core.oracle import Intent, canonical, probes
from tests.core.strategies import TOKENS, base_files, policies
from tests.readers import KNOWN_LIMITS, READERS, excuse

PLAIN_PATHS = ("/", "/post/1", "/admin/x", "/search?q=1", "/open/closed/x", "/robots.txt")

# What a parser may get wrong only where a file was written carelessly.
OF_THE_FORM = {
    "almost-records",
    "bare-word",
    "blank-line-ends-group",
    "byte-order-mark",
    "delay-splits",
    "file-not-utf-8",
    "first-group-only",
    "group-without-rules",
    "lone-cr",
    "nul",
    "unicode-line-ends",
    "unknown-record-splits",
}

switches = st.builds(Signals, content_usage=st.booleans(), content_signal=st.booleans(), rsl=st.booleans())


def groups_in(text: str) -> list[tuple[list[str], list[str]]]:
    """Each group's tokens and other lines, where a group is what stands between two blank lines."""
    parts = [[line for line in part.split("\n") if line and line[0] != "#"] for part in text.split("\n\n")]
    names = [[line.partition(": ")[2] for line in part if line.startswith("User-agent: ")] for part in parts]
    return [(tokens, part[len(tokens) :]) for tokens, part in zip(names, parts, strict=True) if tokens]


@settings(max_examples=150, deadline=None)
@given(policies, switches, base_files)
def test_merging_again_changes_nothing(policy: SitePolicy, signals: Signals, base: bytes) -> None:
    merged = robots_txt(policy, signals, base)
    assert robots_txt(policy, signals, merged) == merged


@settings(max_examples=100, deadline=None)
@given(policies, policies, base_files)
def test_an_opt_out_holds_whatever_an_earlier_merge_left_in_the_file(
    earlier: SitePolicy, later: SitePolicy, base: bytes
) -> None:
    merged = robots_txt(later, base=robots_txt(earlier, base=base))
    intent = Intent(later, base)
    for token, path in product(("GPTBot", "OAI-SearchBot", "ChatGPT-User", "Google-Extended"), PLAIN_PATHS):
        if intent.closes(token, path):
            readers = [reader for reader in READERS if not excuse(reader, merged, token, path)]
            assert len(readers) >= 4
            assert not any(reader.allowed(merged, token, path) for reader in readers), (token, path)


@settings(max_examples=150, deadline=None)
@given(policies, switches, base_files)
def test_every_file_has_the_form_that_all_parsers_read_alike(
    policy: SitePolicy, signals: Signals, base: bytes
) -> None:
    merged = robots_txt(policy, signals, base)
    if not policy.effective and not any(p for _, p in policy.effective_paths):
        return  # the site's own file may be left as it is
    text = merged.decode("utf-8")
    assert len(merged) <= MAX_ROBOTS_BYTES
    assert text.endswith("\n")
    assert all(line.replace("\t", " ").isprintable() for line in text.split("\n"))
    assert not text.startswith("\n")
    assert "\n\n\n" not in text
    groups = groups_in(text)
    tokens = [token.lower() for names, _ in groups for token in names]
    assert len(tokens) == len(set(tokens))
    for names, lines in groups:
        assert any(re.match("(Allow|Disallow):", line) for line in lines), names
        assert not any(line.startswith("User-agent:") for line in lines), names
    for limit in KNOWN_LIMITS:
        if limit.id in OF_THE_FORM:
            assert not limit.applies(merged, "SomeBot", "/post/1"), limit.id


@settings(max_examples=150, deadline=None)
@given(policies, base_files)
def test_no_refusal_is_missing_from_the_usage_lines_where_crawling_is_allowed(
    policy: SitePolicy, base: bytes
) -> None:
    robots, intent = RobotsTxt.parse(robots_txt(policy, base=base)), Intent(policy, base)
    for token, path in product(("Googlebot", "SomeBot"), (*PLAIN_PATHS, *map(canonical, intent.probes()))):
        if verdict(robots, token, path).allowed and path != "/robots.txt":
            stated = usage_preferences(robots, token, path)
            for category in Category:
                assert stated.disallows(category) or not intent.refuses(category, path), (path, stated)


@settings(max_examples=100, deadline=None)
@given(policies, switches, base_files)
def test_markers_come_in_pairs_around_lines(policy: SitePolicy, signals: Signals, base: bytes) -> None:
    lines = robots_txt(policy, signals, base).decode("utf-8", "surrogateescape").split("\n")
    markers = [line for line in lines if line in (BEGIN, END)]
    assert markers == [BEGIN, END] * (len(markers) // 2)
    for line, following in pairwise(lines):
        assert (line, following) not in ((BEGIN, END), (END, BEGIN))


# The group with the star and a delay serves the star alone in one reader, and "bot" is part of a longer name.
@example(
    SitePolicy.from_preset("allow"),
    Signals(content_usage=False, content_signal=False),
    b"User-agent: *\nUser-agent: AddSearchBot\nCrawl-delay: 5\nDisallow: /\n"
    b"User-agent: GPTBot\nUser-agent: bot",
    ["AddSearchBot"],
)
@settings(max_examples=120, deadline=None)
@given(policies, switches, base_files, st.lists(st.sampled_from(TOKENS), max_size=12, unique=True))
def test_every_parser_reads_what_the_policy_and_the_sites_own_file_mean(
    policy: SitePolicy, signals: Signals, base: bytes, some: list[str]
) -> None:
    merged = robots_txt(policy, signals, base)
    if merged == base:
        return  # left as it is: parsers may differ over what it says carelessly, like "*/1.2" for "*"
    intent = Intent(policy, base)
    patterns = [pattern for _, rules in intent.groups for _, pattern in rules][:6]
    named = {token for token in intent.named if token.isascii() and re.fullmatch(r"[\w!. -]+", token)}
    paths = {canonical(path) for path in (*PLAIN_PATHS, *intent.probes(), *chain(*map(probes, patterns)))}
    for token in {*some, *named, "GPTBot", "SomeBot"}:
        for path in sorted(paths):
            right = intent.answers(token, path)
            for reader in READERS:
                if not excuse(reader, merged, token, path):
                    answer = reader.allowed(merged, token, path)
                    assert answer in right, f"{reader.name}: {token} {path}\n{merged.decode()}"
