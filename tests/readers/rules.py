"""Known limits: which rule decides, and how a path pattern and a path are spelt."""

import re
import urllib.parse
from collections.abc import Callable

from tests.readers.adapters import FAST, GOOGLE, GPY, JWM, NEW, OLD, PROTEGO, SPY, STDLIB
from tests.readers.limit import Limit
from tests.readers.reading import (
    ESCAPE,
    byte_count,
    canonical,
    compiled,
    is_utf8,
    is_wild,
    path_matches,
    rules_for,
    verdict,
)


def _literally(pattern: str, path: str) -> bool:
    return urllib.parse.unquote(path).startswith(urllib.parse.unquote(pattern))


def _wildcard_decides(robots_txt: bytes, token: str, path: str) -> bool:
    return any(
        is_wild(pattern) and (path_matches(pattern, path) or _literally(pattern, path))
        for _, pattern in rules_for(robots_txt, token)
    )


def _first_is_not_longest(robots_txt: bytes, token: str, path: str) -> bool:
    rules = [(allow, pattern) for allow, pattern in rules_for(robots_txt, token) if not is_wild(pattern)]
    matching = (
        allow or not pattern for allow, pattern in rules if not pattern or path_matches(pattern, path)
    )
    return next(matching, True) != verdict(rules, path, byte_count)


def _ranks_by(length: Callable[[str, str], int]) -> Callable[[bytes, str, str], bool]:
    def applies(robots_txt: bytes, token: str, path: str) -> bool:
        rules = rules_for(robots_txt, token)
        return verdict(rules, path, lambda pattern: length(pattern, path)) != verdict(rules, path, byte_count)

    return applies


def _matched_length(pattern: str, path: str) -> int:
    match = compiled(canonical(re.sub(r"\*+", "*", pattern))).match(canonical(path))
    return match.end() if match else 0


def _fully_quoted_length(pattern: str, _path: str) -> int:
    anchor = pattern.endswith("$")
    return len(urllib.parse.quote(urllib.parse.unquote(pattern.removesuffix("$")), safe="/%*=")) + anchor


def _decoded_length(pattern: str, _path: str) -> int:
    return len(urllib.parse.unquote(pattern))


def _as_google_escapes(pattern: str) -> str:
    return ESCAPE.sub(lambda match: urllib.parse.quote(match[2]) if match[2] else match[0].upper(), pattern)


def _spelt_otherwise(robots_txt: bytes, token: str, path: str) -> bool:
    return canonical(path) != path or any(
        _as_google_escapes(pattern) != canonical(pattern) for _, pattern in rules_for(robots_txt, token)
    )


def _pattern_spelt_otherwise(robots_txt: bytes, token: str, _path: str) -> bool:
    return any(pattern != canonical(pattern) for _, pattern in rules_for(robots_txt, token))


def _matches_once_decoded(robots_txt: bytes, token: str, path: str) -> bool:
    def decoded(text: str) -> str:
        return urllib.parse.unquote(canonical(text), "latin-1")

    def matches(pattern: str) -> bool:
        body = ".*".join(re.escape(decoded(part)) for part in pattern.removesuffix("$").split("*"))
        return bool(re.match(body + (r"\Z" if pattern.endswith("$") else ""), decoded(path), re.DOTALL))

    patterns = [pattern for _, pattern in rules_for(robots_txt, token) if pattern]
    return any(matches(pattern) != path_matches(pattern, path) for pattern in patterns)


def _pattern_has(expression: str) -> Callable[[bytes, str, str], bool]:
    def applies(robots_txt: bytes, token: str, _path: str) -> bool:
        return any(re.search(expression, pattern) for _, pattern in rules_for(robots_txt, token))

    return applies


def _brackets_beside_a_star(robots_txt: bytes, token: str, _path: str) -> bool:
    decoded = [urllib.parse.unquote(pattern) for _, pattern in rules_for(robots_txt, token)]
    return any("*" in text and ("[" in text or ("?" in text and text.endswith("$"))) for text in decoded)


def _dollar_in_path(robots_txt: bytes, token: str, path: str) -> bool:
    return "$" in urllib.parse.unquote(path) and _pattern_has(r"\$$")(robots_txt, token, path)


def _loses_punctuation(robots_txt: bytes, token: str, path: str) -> bool:
    texts = map(urllib.parse.unquote, (path, *(pattern for _, pattern in rules_for(robots_txt, token))))
    return any(urllib.parse.urlunparse(urllib.parse.urlparse(text)) != text for text in texts)


def _escapes_are_not_utf8(robots_txt: bytes, token: str, path: str) -> bool:
    texts = (path, *(pattern for _, pattern in rules_for(robots_txt, token)))
    return not all(is_utf8(urllib.parse.unquote_to_bytes(text)) for text in texts)


def _collapses_slashes(_robots_txt: bytes, _token: str, path: str) -> bool:
    decoded = urllib.parse.unquote(path)
    return re.sub("(https?:/)", r"\1/", re.sub("//+", "/", decoded)) != decoded


def _is_resolved(_robots_txt: bytes, _token: str, path: str) -> bool:
    path, question_mark, query = path.partition("?")
    dots = re.search(r"/(\.|%2e){1,2}(/|\\|$)", path, re.IGNORECASE)
    return bool(dots) or "\\" in path or bool(question_mark and not query)


def _allows_an_index(robots_txt: bytes, token: str, path: str) -> bool:
    for allow, pattern in rules_for(robots_txt, token):
        directory, slash, page = pattern.rpartition("/")
        if allow and page.startswith("index.htm") and path_matches(f"{directory}{slash}$", path):
            return True
    return False


RULE_LIMITS = (
    # Which rule decides
    Limit(
        "no-wildcards",
        OLD,
        "`*` and `$` are ordinary characters: such a pattern matches almost nothing",
        "RFC 9309 section 2.2.3: special characters",
        _wildcard_decides,
    ),
    Limit(
        "first-match",
        OLD,
        "the first match decides, not the longest, and an empty rule matches everything",
        "RFC 9309 section 2.2.2: the most specific match",
        _first_is_not_longest,
    ),
    Limit(
        "matched-length",
        NEW,
        "rules are ranked by the length of what they matched, so that `/*?` can outrank `/page`",
        "RFC 9309 section 2.2.2: the match with the most bytes; other readers count the pattern's",
        _ranks_by(_matched_length),
    ),
    Limit(
        "quoted-length",
        PROTEGO,
        "a rule's length counts three for each character that it would escape, such as `:`",
        "RFC 9309 section 2.2.2: the match with the most bytes",
        _ranks_by(_fully_quoted_length),
    ),
    Limit(
        "decoded-length",
        SPY,
        "a rule's length is that of the decoded pattern, in characters",
        "RFC 9309 section 2.2.2: the match with the most bytes",
        _ranks_by(_decoded_length),
    ),
    Limit(
        "index-is-directory",
        GOOGLE | PROTEGO,
        "Allow for `/index.html` (Google's: any `/index.htm…`) allows the bare directory too",
        "not in RFC 9309",
        _allows_an_index,
    ),
    Limit(
        "robots-txt-not-exempt",
        GOOGLE | SPY | OLD,
        "rules are applied to /robots.txt itself",
        "RFC 9309 section 2.2.2: the /robots.txt URI is implicitly allowed",
        lambda _robots_txt, _token, path: path == "/robots.txt",
    ),
    Limit(
        "robots-txt-query-exempt",
        PROTEGO,
        "/robots.txt is exempt with any query",
        "RFC 9309 section 2.2.2 exempts the /robots.txt URI",
        lambda _robots_txt, _token, path: path.startswith("/robots.txt?"),
    ),
    # How a pattern and a path are spelt
    Limit(
        "compares-bytes",
        JWM | GPY,
        "the path must come in canonical spelling, and a needless escape in a pattern matches only itself",
        "RFC 9309 section 2.2.2: escaped unreserved characters are decoded before comparison",
        _spelt_otherwise,
    ),
    Limit(
        "length-as-written",
        FAST,
        "a rule's length is that of the pattern as written, needless escapes included",
        "RFC 9309 section 2.2.2: bytes are compared after decoding",
        _pattern_spelt_otherwise,
    ),
    Limit(
        "decodes-reserved",
        FAST | PROTEGO | SPY | STDLIB,
        "escaped reserved characters equal plain ones: %2F is `/` (not in protego), %3F is `?`, %3D is `=`",
        "RFC 9309 section 2.2.2: escapes of reserved characters are kept",
        _matches_once_decoded,
    ),
    Limit(
        "decodes-specials",
        SPY,
        "%2A is the wildcard, and %24 at the end the anchor",
        "RFC 9309 section 2.2.3: special characters are escaped to be meant literally",
        _pattern_has(r"%2[Aa]|%24$"),
    ),
    Limit(
        "anchor-is-literal-too",
        PROTEGO | SPY,
        "a pattern that ends in `$` also matches a path with that very character",
        "RFC 9309 section 2.2.3: `$` designates the end of the pattern",
        _dollar_in_path,
    ),
    Limit(
        "inner-dollar",
        NEW,
        "a pattern with `$` before its end is dropped",
        "RFC 9309 section 2.2.3: `$` is special at the end only",
        _pattern_has(r"\$."),
    ),
    Limit(
        "brackets",
        SPY,
        "in a pattern with `*`, `[…]` is a set of characters, and with `$` too `?` is any character",
        "RFC 9309 section 2.2.3 has no such special characters",
        _brackets_beside_a_star,
    ),
    Limit(
        "trailing-punctuation",
        OLD,
        "a `?` or `;` with nothing after it is lost: `/a?` is `/a`; so are escaped line ends",
        "RFC 9309 section 2.2.2: every octet of the path counts",
        _loses_punctuation,
    ),
    Limit(
        "double-slash",
        SPY,
        "slashes in a path are collapsed, those in a pattern aren't",
        "RFC 9309 section 2.2.2: every octet of the path counts",
        _collapses_slashes,
    ),
    Limit(
        "resolves-path",
        FAST,
        "`.` and `..` segments are resolved, `\\` is `/`, an empty query is dropped",
        "RFC 9309 section 2.2.2: every octet of the path counts",
        _is_resolved,
    ),
    Limit(
        "escapes-not-utf-8",
        PROTEGO | SPY | OLD,
        "escapes that aren't UTF-8 all become U+FFFD: %E8 is %E9",
        "RFC 9309 section 2.2.2: every octet of the path counts",
        _escapes_are_not_utf8,
    ),
)
