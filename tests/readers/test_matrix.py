"""The answers of the independent parsers, on which the generator's rules are based."""

import sys
from dataclasses import dataclass

import pytest

from tests.readers import GOOGLE_STYLE, READERS, Reader
from tests.readers.notation import COLUMN_OF, COLUMNS, SIGNAL, each_reader, lines


@dataclass(frozen=True)
class Case:
    """One question and six answers (A allowed, D disallowed), in the order of COLUMNS."""

    says: str
    token: str
    path: str
    answers: str
    robots_txt: bytes

    def answer(self, reader: Reader) -> bool:
        column = COLUMN_OF.get(reader.name, reader.name)
        return dict(zip(COLUMNS, self.answers, strict=True))[column] == "A"


HEADER = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.1; +https://openai.com/gptbot)"
)

# fmt: off
# R1 to R23 are the rows of the design notes' matrix of parsers; the rest was found the same way.
_MATRIX = [
    # Which group binds a token
    ("R1 a group of its own replaces *", "GPTBot", "/admin/x", "AAAAAA",
     "User-agent: * | Disallow: /admin/ | | User-agent: GPTBot | Disallow: /private/"),
    ("R9 two groups for one token are combined", "GPTBot", "/b", "DDDDAD",
     "User-agent: GPTBot | Disallow: /a | | User-agent: GPTBot | Disallow: /b"),
    ("two groups are combined whatever their case", "gptBOT", "/b", "DDDDAD",
     "User-agent: GPTBot | Disallow: /a | | User-agent: gptbot | Disallow: /b"),
    ("two groups for * are combined", "AnyBot", "/b", "DDDDAD",
     "User-agent: * | Disallow: /a | | User-agent: GPTBot | Disallow: / | | User-agent: * | Disallow: /b"),
    ("Allow in a second group beats Disallow in the first", "GPTBot", "/x", "AAAADA",
     "User-agent: GPTBot | Disallow: / | | User-agent: GPTBot | Allow: /"),
    ("R10 a group may bind a longer token", "Applebot-Extended", "/x", "AADADD",
     "User-agent: Applebot | Disallow: /"),
    ("R11 a group never binds a shorter token", "Applebot", "/x", "AAAAAA",
     "User-agent: Applebot-Extended | Disallow: /"),
    ("a group may bind a token that ends with its name", "Applebot", "/x", "AAAADD",
     "User-agent: bot | Disallow: /"),
    ("an exact group wins over an earlier part of the name", "GPTBot", "/x", "AAAADA",
     "User-agent: GPT | Disallow: / | | User-agent: GPTBot | Allow: /"),
    ("an exact group wins over a later part of the name", "GPTBot", "/x", "AAAAAA",
     "User-agent: GPTBot | Allow: / | | User-agent: GPT | Disallow: /"),
    ("R12 a whole User-Agent header is no product token", HEADER, "/x", "AADAAA",
     "User-agent: GPTBot | Disallow: /"),
    ("R13 a token with a version is asked about", "GPTBot/1.1", "/x", "AADADD",
     "User-agent: GPTBot | Disallow: /"),
    ("R14 a token with a digit is cut", "AI2Bot", "/x", "AADADD",
     "User-agent: AI2Bot | Disallow: /"),
    ("R14 and binds what is left of it", "AI", "/x", "DDADAA",
     "User-agent: AI2Bot | Disallow: /"),
    ("R15 a token with a space is cut", "Kangaroo Bot", "/x", "AADADD",
     "User-agent: Kangaroo Bot | Disallow: /"),
    ("R15 and binds its first word", "Kangaroo", "/x", "DDADAA",
     "User-agent: Kangaroo Bot | Disallow: /"),
    ("R16 a version in the file is cut", "MistralAI-User", "/x", "DDADAA",
     "User-agent: MistralAI-User/1.0 | Disallow: /"),
    ("a star after a token", "GPTBot", "/x", "DDDDAA",
     "User-agent: GPTBot* | Disallow: /"),
    ("a word after the star", "AnyBot", "/x", "DDADAA",
     "User-agent: * all | Disallow: /"),
    ("an empty user-agent line", "AnyBot", "/x", "AAAADD",
     "User-agent: | Disallow: /"),
    ("a token with a digit alone may hand its rules to the group before", "GPTBot", "/p", "AAADAA",
     "User-agent: GPTBot | Allow: /x | | User-agent: img2dataset | Disallow: /p"),
    ("and among others it does no harm", "GPTBot", "/p", "DDDDDD",
     "User-agent: CCBot | User-agent: img2dataset | User-agent: GPTBot | Disallow: /p"),

    # Where a group begins and ends
    ("R2 a group of unknown records joins the next group", "OtherBot", "/x", "DDADAD",
     f"User-agent: * | {SIGNAL} | | User-agent: GPTBot | Disallow: /"),
    ("R3 also without a blank line", "OtherBot", "/x", "DDADDD",
     f"User-agent: * | {SIGNAL} | User-agent: GPTBot | Disallow: /"),
    ("R4 a rule after the unknown record keeps the groups apart", "OtherBot", "/x", "AAAAAA",
     f"User-agent: * | {SIGNAL} | Allow: / | | User-agent: GPTBot | Disallow: /"),
    ("R4 for both", "GPTBot", "/x", "DDDDDD",
     f"User-agent: * | {SIGNAL} | Allow: / | | User-agent: GPTBot | Disallow: /"),
    ("R5 an unknown record between user-agent lines", "GPTBot", "/x", "DDADDD",
     "User-agent: GPTBot | Content-Usage: train-ai=n | User-agent: CCBot | Disallow: /"),
    ("Crawl-delay between user-agent lines", "GPTBot", "/x", "DDADAA",
     "User-agent: GPTBot | Crawl-delay: 5 | User-agent: CCBot | Disallow: /"),
    ("R6 a blank line after the user-agent line", "GPTBot", "/x", "DDDDAD",
     "User-agent: GPTBot | | Disallow: /"),
    ("R7 a blank line between rules", "GPTBot", "/b", "DDDDAD",
     "User-agent: GPTBot | Disallow: /a | | Disallow: /b"),
    ("R22 a last group without rules", "GPTBot", "/x", "AAAADA",
     "User-agent: * | Disallow: / | | User-agent: GPTBot"),

    # Which rule decides
    ("R8 the longest match decides", "AnyBot", "/p", "DDDDAD",
     "User-agent: * | Allow: / | Disallow: /p"),
    ("R17 a wildcard and an anchor", "AnyBot", "/a/b.jpg", "DDDDAD",
     "User-agent: * | Disallow: /*.jpg$ | Allow: /"),
    ("R18 Allow wins a tie", "AnyBot", "/page", "AAAADA",
     "User-agent: * | Disallow: /page | Allow: /page"),
    ("R20 /robots.txt is implicitly allowed", "AnyBot", "/robots.txt", "DDADDA",
     "User-agent: * | Disallow: /"),
    ("R21 a record that begins with Disallow", "AnyBot", "/p", "DDAAAA",
     "User-agent: * | Disallow-AI-Training: / | Allow: /ok"),
    ("R23 rules around Content-Usage", "AnyBot", "/never/a", "DDDDAD",
     "User-agent: * | Allow: / | Disallow: /never/ | Content-Usage: train-ai=n "
     "| Content-Usage: /ai-ok/ train-ai=y"),
    ("R23 a path in Content-Usage decides nothing", "AnyBot", "/ai-ok/a", "AAAAAA",
     "User-agent: * | Allow: / | Disallow: /never/ | Content-Usage: train-ai=n "
     "| Content-Usage: /ai-ok/ train-ai=y"),
    ("an empty Disallow before a rule", "AnyBot", "/x", "DDDDAD",
     "User-agent: * | Disallow: | Disallow: /x"),
    ("an empty Disallow after the rules", "AnyBot", "/x", "DDDDDD",
     "User-agent: * | Disallow: /x | Disallow:"),
    ("a star for everything", "AnyBot", "/x", "DDDDAD",
     "User-agent: * | Disallow: *"),
    ("a star for everything, one place allowed", "AnyBot", "/a", "AAAAAA",
     "User-agent: * | Allow: /a | Disallow: *"),
    ("a bare star against Allow: /", "AnyBot", "/x", "AAAAAD",
     "User-agent: * | Disallow: * | Allow: /"),
    ("a needless star counts", "AnyBot", "/p", "DDDDAA",
     "User-agent: * | Disallow: /p* | Allow: /p"),
    ("an early wildcard against a longer path", "AnyBot", "/page?x", "AAAAAD",
     "User-agent: * | Disallow: /*? | Allow: /page"),
    ("the home page alone", "AnyBot", "/", "AAAADA",
     "User-agent: * | Allow: /$ | Disallow: /"),
    ("an anchor in the path", "AnyBot", "/a$", "AADDDA",
     "User-agent: * | Disallow: /a$"),
    ("a dollar inside a pattern", "AnyBot", "/a$b", "DDDDDA",
     "User-agent: * | Disallow: /a$b"),
    ("index.html for its directory", "AnyBot", "/", "AAADDD",
     "User-agent: * | Allow: /index.html | Disallow: /"),
    ("index.htm for its directory", "AnyBot", "/", "AADDDD",
     "User-agent: * | Allow: /index.htm | Disallow: /"),
    ("a pattern without its slash", "AnyBot", "/private", "AAAAAA",
     "User-agent: * | Disallow: private"),
    ("a pattern that begins with a star", "AnyBot", "/x/private", "DDDDAD",
     "User-agent: * | Disallow: *private"),
    ("a pattern that is a URL", "AnyBot", "/private", "AAAAAA",
     "User-agent: * | Disallow: https://blog.example/private"),

    # How a pattern and a path are spelt
    ("lower-case hexadecimal in the path", "AnyBot", "/tag/caf%c3%a9", "ADDDDD",
     "User-agent: * | Disallow: /tag/caf%C3%A9"),
    ("raw UTF-8 in the rule", "AnyBot", "/tag/caf%C3%A9", "DDDDDD",
     "User-agent: * | Disallow: /tag/café"),
    ("lower-case hexadecimal in the rule", "AnyBot", "/tag/caf%C3%A9", "DDDDDD",
     "User-agent: * | Disallow: /tag/caf%c3%a9"),
    ("needless escapes in the rule", "AnyBot", "/foo/bar/baz", "ADDDDD",
     "User-agent: * | Disallow: /foo/bar/%62%61%7A"),
    ("an escaped slash in the rule", "AnyBot", "/a/b", "ADADDD",
     "User-agent: * | Disallow: /a%2Fb"),
    ("an escaped slash in the path", "AnyBot", "/a%2Fb", "ADADDD",
     "User-agent: * | Disallow: /a/b"),
    ("an escaped question mark in the rule", "AnyBot", "/a?b", "ADDDDA",
     "User-agent: * | Disallow: /a%3Fb"),
    ("an escaped star in the rule", "AnyBot", "/axb", "AAADAA",
     "User-agent: * | Disallow: /a%2Ab"),
    ("an escaped dollar ends the rule", "AnyBot", "/a", "AAADAA",
     "User-agent: * | Disallow: /a%24"),
    ("an escaped number sign", "AnyBot", "/a%23b", "DDDDDD",
     "User-agent: * | Disallow: /a%23b"),
    ("a raw number sign is a comment", "AnyBot", "/a", "DDDDDD",
     "User-agent: * | Disallow: /a#b"),
    ("a raw space in the rule", "AnyBot", "/a%20b", "ADDADD",
     "User-agent: * | Disallow: /a b"),
    ("a bare question mark ends the rule", "AnyBot", "/a", "AAAADA",
     "User-agent: * | Disallow: /a?"),
    ("a bare question mark ends the path", "AnyBot", "/a?", "DADDDD",
     "User-agent: * | Disallow: /a?"),
    ("a double slash", "AnyBot", "/a//b", "DDDADD",
     "User-agent: * | Disallow: /a//b"),
    ("a dot segment in the path", "AnyBot", "/x/../a", "ADAAAA",
     "User-agent: * | Disallow: /a"),

    # Slips
    ("Disalow", "AnyBot", "/x", "DDDAAA", "User-agent: * | Disalow: /"),
    ("Useragent", "AnyBot", "/x", "DDDAAA", "Useragent: * | Disallow: /"),
    ("Disallow without its colon", "AnyBot", "/x", "DDDDAA", "User-agent: * | Disallow /"),
    ("User-agent without its colon", "AnyBot", "/x", "DDDDAA", "User-agent * | Disallow: /"),
    ("Disallowed", "AnyBot", "/x", "DDAAAA", "User-agent: * | Disallowed: /"),
    ("a space before the colon", "AnyBot", "/x", "DDDDDD", "User-agent : * | DISALLOW : /"),
]

MATRIX = [Case(says, token, path, answers, lines(text)) for says, token, path, answers, text in _MATRIX] + [
    Case("R19 a byte order mark", "AnyBot", "/x", "DDADAA",
         b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n"),
    Case("a byte order mark before a comment", "AnyBot", "/x", "DDDDDD",
         b"\xef\xbb\xbf# hello\nUser-agent: *\nDisallow: /\n"),
    Case("lines that end in CR LF", "AnyBot", "/b", "DDDDDD",
         b"User-agent: *\r\nDisallow: /a\r\nDisallow: /b\r\n"),
    Case("lines that end in CR", "AnyBot", "/b", "DDDADD",
         b"User-agent: *\rDisallow: /a\rDisallow: /b\r"),
    Case("no line end at the end", "AnyBot", "/a", "DDDDDD",
         b"User-agent: *\nDisallow: /a"),
    Case("a line separator in a comment", "AnyBot", "/x", "AADADD",
         "User-agent: *\n# one\u2028Disallow: /x\nDisallow: /y\n".encode()),
    Case("a vertical tab in an unknown record", "GPTBot", "/y", "DDADDD",
         b"User-agent: GPTBot\nContent-Signal: a\x0bUser-agent: CCBot\nDisallow: /y\n"),
    Case("20 kB of comment", "AnyBot", "/x", "DDDDDD",
         b"User-agent: *\n#" + b"x" * 20_000 + b"\nDisallow: /x\n"),
    Case("20 kB of pattern", "AnyBot", "/" + "x" * 17_000, "DDAAAA",
         b"User-agent: *\nDisallow: /" + b"x" * 20_000 + b"\n"),
    Case("a rule after 600 KiB", "AnyBot", "/x", "DDDDDD",
         b"User-agent: *\n" + (b"#" + b"x" * 1023) * 600 + b"\nDisallow: /x\n"),
    Case("a rule after 600 KiB of rules", "AnyBot", "/x", "DDDDDD",
         b"User-agent: *\n" + (b"Disallow: /" + b"y" * 1012 + b"\n") * 600 + b"Disallow: /x\n"),
]
# fmt: on


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: str(case.says).replace(" ", "-"))
@each_reader
def test_each_reader_answers_as_the_matrix_says(reader: Reader, case: Case) -> None:
    assert reader.allowed(case.robots_txt, case.token, case.path) is case.answer(reader)


@each_reader
def test_the_readers_of_googles_kind_are_those_that_cut_a_token(reader: Reader) -> None:
    binds_what_is_left = not reader.allowed(lines("User-agent: AI2Bot | Disallow: /"), "AI", "/x")
    assert binds_what_is_left is (reader.name in GOOGLE_STYLE)


def test_a_reader_is_missing_only_where_it_is_not_built_for_this_python() -> None:
    names = {reader.name for reader in READERS}
    assert ("jwm-robotstxt" in names) is (sys.version_info < (3, 13))
    assert ("fast-robotstxt" in names) is (sys.version_info < (3, 14))
    assert len(names) >= 4
