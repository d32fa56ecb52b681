"""The known limits of the readers: each is proved by an example, and there are no others."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers import GOOGLE_LINE_LIMIT, KNOWN_LIMITS, READERS, Limit, Reader, excuse
from tests.readers.notation import COLUMN_OF, RECORDS, SIGNAL, lines


@dataclass(frozen=True)
class Example:
    """A question that readers with this limit answer otherwise than RFC 9309 does."""

    limit: str
    right: str  # A or D
    token: str
    path: str
    robots_txt: bytes

    def wrong(self, reader: Reader) -> bool:
        try:
            allowed = reader.allowed(self.robots_txt, self.token, self.path)
        except (TypeError, UnicodeDecodeError):
            return True
        return allowed is not (self.right == "A")


SHARED = (
    "User-agent: GPTBot | Disallow: /a | | User-agent: CCBot | Disallow: /b "
    "| | User-agent: GPTBot | User-agent: CCBot | Disallow: /c"
)
LATIN_1 = b"User-agent: *\nDisallow: /\xff\nDisallow: /y\n"

# fmt: off
_EXAMPLES: list[tuple[str, str, str, str, str | bytes]] = [
    ("token-cut", "A", "AI", "/x", "User-agent: AI2Bot | Disallow: /"),
    ("star-and-more", "A", "AnyBot", "/x", "User-agent: * all | Disallow: /"),
    ("line-dropped", "A", "GPTBot", "/p",
     "User-agent: GPTBot | Allow: /x | | User-agent: img2dataset | Disallow: /p"),
    ("repeated-token-shares", "A", "GPTBot", "/b", SHARED),  # this one
    ("repeated-token-shares", "A", "CCBot", "/a", SHARED),  # or that one is wrong
    ("prefix-binds", "A", "Applebot-Extended", "/x", "User-agent: Applebot | Disallow: /"),
    ("one-letter-token", "A", "W", "/x", "User-agent: * | Disallow: / | | User-agent: W | Allow: /"),
    ("substring-binds", "A", "Applebot-Extended", "/x", "User-agent: Extended | Disallow: /"),
    ("earlier-substring-binds", "A", "GPTBot", "/x",
     "User-agent: GPT | Disallow: / | | User-agent: GPTBot | Allow: /"),
    ("earlier-substring-binds", "D", "GPTBot", "/x",  # a delay above the rules parts no names
     "User-agent: * | User-agent: GPTBot | Crawl-delay: 5 | Disallow: / | | User-agent: bot | Allow: /"),
    ("earlier-substring-binds", "D", "GPTBot", "/x",  # between two names it does
     "User-agent: GPT | Crawl-delay: 5 | User-agent: GPTBot | Disallow: /"),
    ("slash-in-token", "D", "GPTBot/1.2", "/x", "User-agent: GPTBot/1.2 | Disallow: /"),
    ("first-group-only", "D", "GPTBot", "/b",
     "User-agent: GPTBot | Disallow: /a | | User-agent: GPTBot | Disallow: /b"),
    ("blank-line-ends-group", "D", "GPTBot", "/b", "User-agent: GPTBot | Disallow: /a | | Disallow: /b"),
    ("group-without-rules", "A", "GPTBot", "/x", "User-agent: * | Disallow: / | | User-agent: GPTBot"),
    ("unknown-record-splits", "D", "GPTBot", "/x",
     f"User-agent: GPTBot | {SIGNAL} | User-agent: CCBot | Disallow: /"),
    ("delay-splits", "D", "GPTBot", "/x",
     "User-agent: GPTBot | Crawl-delay: 5 | User-agent: CCBot | Disallow: /"),
    ("no-wildcards", "D", "AnyBot", "/a.jpg", "User-agent: * | Disallow: /*.jpg$"),
    ("first-match", "D", "AnyBot", "/p", "User-agent: * | Allow: / | Disallow: /p"),
    ("matched-length", "A", "AnyBot", "/page?x", "User-agent: * | Disallow: /*? | Allow: /page"),
    ("quoted-length", "A", "AnyBot", "/a:@b", "User-agent: * | Disallow: /a:@ | Allow: /a:*b"),
    ("decoded-length", "D", "AnyBot", "/caf%C3%A9/zz",
     "User-agent: * | Disallow: /caf%C3%A9 | Allow: /caf*/zz"),
    ("index-is-directory", "D", "AnyBot", "/", "User-agent: * | Allow: /index.html | Disallow: /"),
    ("robots-txt-not-exempt", "A", "AnyBot", "/robots.txt", "User-agent: * | Disallow: /"),
    ("robots-txt-query-exempt", "D", "AnyBot", "/robots.txt?x", "User-agent: * | Disallow: /"),
    ("compares-bytes", "D", "AnyBot", "/caf%c3%a9", "User-agent: * | Disallow: /caf%C3%A9"),
    ("length-as-written", "A", "AnyBot", "/~~ab", "User-agent: * | Disallow: /%7E%7Ea | Allow: /~~ab"),
    ("decodes-reserved", "A", "AnyBot", "/a%3Db", "User-agent: * | Disallow: /a=b"),
    ("decodes-specials", "A", "AnyBot", "/axb", "User-agent: * | Disallow: /a%2Ab"),
    ("anchor-is-literal-too", "A", "AnyBot", "/a$", "User-agent: * | Disallow: /a$"),
    ("inner-dollar", "D", "AnyBot", "/a$b", "User-agent: * | Disallow: /a$b"),
    ("brackets", "A", "AnyBot", "/xz", "User-agent: * | Disallow: /*[xy]z"),
    ("trailing-punctuation", "A", "AnyBot", "/ab", "User-agent: * | Disallow: /a?"),
    ("double-slash", "D", "AnyBot", "/a//b", "User-agent: * | Disallow: /a//b"),
    ("resolves-path", "A", "AnyBot", "/x/../a", "User-agent: * | Disallow: /a"),
    ("escapes-not-utf-8", "A", "AnyBot", "/caf%E9", "User-agent: * | Disallow: /caf%E8"),
    ("almost-records", "A", "AnyBot", "/x", "User-agent: * | Disallow /"),
    ("bare-word", "D", "AnyBot", "/x", "User-agent: * | hello | Disallow: /"),
    ("line-length", "A", "AnyBot", "/" + "x" * 17_000, f"User-agent: * | Disallow: /{'x' * 20_000}"),
    ("unicode-line-ends", "A", "AnyBot", "/x", "User-agent: *\n# one\u2028Disallow: /x\n".encode()),
    ("lone-cr", "D", "AnyBot", "/x", b"User-agent: *\rDisallow: /x\r"),
    ("byte-order-mark", "D", "AnyBot", "/x", b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n"),
    ("file-not-utf-8", "D", "AnyBot", "/y", LATIN_1),
    ("file-not-utf-8", "D", "AnyBot", "/%FF", LATIN_1),
    ("file-not-utf-8", "A", "AnyBot", "/z", LATIN_1),
    ("nul", "A", "AnyBot", "/ac", b"User-agent: *\nDisallow: /a\x00b\n"),
]
# fmt: on
EXAMPLES = [
    Example(limit, right, token, path, lines(text) if isinstance(text, str) else text)
    for limit, right, token, path, text in _EXAMPLES
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.limit))
def test_a_reader_that_answers_an_example_wrongly_has_an_excuse(example: Example) -> None:
    for reader in filter(example.wrong, READERS):
        assert excuse(reader, example.robots_txt, example.token, example.path), reader.name


@pytest.mark.parametrize("limit", KNOWN_LIMITS, ids=lambda limit: str(limit.id))
def test_every_known_limit_is_true_of_every_reader_it_names(limit: Limit) -> None:
    example = [one for one in EXAMPLES if one.limit == limit.id]
    assert all(limit.applies(one.robots_txt, one.token, one.path) for one in example)
    assert limit.readers <= {reader.name for reader in READERS if any(one.wrong(reader) for one in example)}


def test_known_limits_have_distinct_names() -> None:
    assert len({limit.id for limit in KNOWN_LIMITS}) == len(KNOWN_LIMITS)


@pytest.mark.parametrize(("longer", "is_cut"), [(0, False), (1, True)])
def test_google_cuts_a_line_after_its_limit_and_not_before(longer: int, is_cut: bool) -> None:
    pattern = "/" + "x" * (GOOGLE_LINE_LIMIT + longer - len("Disallow: /"))
    robots_txt = f"User-agent: *\nDisallow: {pattern}\n".encode()
    for reader in READERS:
        matches_one_less = not reader.allowed(robots_txt, "AnyBot", pattern[:-1])
        assert matches_one_less is (is_cut and COLUMN_OF.get(reader.name) in ("google", "fast"))
        assert bool(excuse(reader, robots_txt, "AnyBot", pattern[:-1])) is matches_one_less


# fmt: off
TOKENS = (
    "*", "GPTBot", "gptbot", "CCBot", "Applebot", "Applebot-Extended", "omgilibot", "AI2Bot", "AI",
    "img2dataset",
)
PATTERNS = (
    "", "/", "/a", "/a/", "/ab", "/a/b", "/a?", "/a?b=c", "/~u", "/%7Eu", "/caf%C3%A9", "/café", "/caf%E9",
    "/caf%E8", "/a%2Fb", "/a%3Fb", "/a=b", "/a:b", "/x;", "/a//b", "/./a", "/index.html", "/a%2Ab", "/a%24",
    "/a[b]", "/*", "*", "/a*", "/*.jpg$", "/a$", "/*?", "/*b", "/a*b$", "/$", "/a**b", "/a:*", "/a$b",
    "/[ab]*", "/robots.txt",
)
# fmt: on
some_lines = st.one_of(
    st.sampled_from(TOKENS).map("User-agent: {}".format),
    st.tuples(st.sampled_from(("Allow", "Disallow")), st.sampled_from(PATTERNS)).map(": ".join),
    st.sampled_from(("", "", "# note", *RECORDS)),
)
some_paths = st.tuples(
    st.sampled_from([pattern.replace("*", "") for pattern in PATTERNS if pattern.startswith("/")]),
    st.sampled_from(("", "", "x", "b", "/", "/b", "?q=1", "b.jpg", "/../a", "$")),
).map("".join)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(some_lines, min_size=2, max_size=14), st.lists(some_paths, min_size=2, max_size=4, unique=True)
)
def test_readers_that_no_limit_excuses_agree_on_any_file(text: Sequence[str], paths: Sequence[str]) -> None:
    robots_txt = ("\n".join(text) + "\n").encode()
    for token, path in itertools.product(("GPTBot", "Applebot-Extended", "AI2Bot", "AnyBot"), paths):
        free = [reader for reader in READERS if excuse(reader, robots_txt, token, path) is None]
        answers = {reader.name: reader.allowed(robots_txt, token, path) for reader in free}
        assert len(set(answers.values())) <= 1, f"{token} {path}: {answers}"
