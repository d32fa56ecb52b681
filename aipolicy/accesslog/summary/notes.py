"""What a reader of the figures must know beside them, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aipolicy.accesslog.engine import EMPTY, ReadFile
from aipolicy.core.crawlers import crawler_named

_NAMED = 3  # files, crawlers


def notes(
    document: Mapping[str, Any],
    files: Sequence[ReadFile],
    *,
    one_robots: bool,
    elsewhere: tuple[int, str | None],
) -> Iterator[str]:
    """Sentences.

    ``one_robots``: a single robots.txt was taken as that of every host. ``elsewhere``: how many requests name
    another site in their target, and one of these sites.
    """
    empty = [file.file for file in files if file.format == EMPTY]
    if empty:
        yield f"{_some(list(map(repr, empty)))} {'is' if len(empty) == 1 else 'are'} empty"
    told = {note: file.file for file in reversed(files) for note in file.notes}
    for note, name in told.items():
        yield f"{name!r}: {note}"
    if unreadable := document["lines"]["unreadable"]:
        first = document["unreadable"][0]
        where = f"the first is line {first['line']} of {first['file']!r}"
        lines = "1 line holds" if unreadable == 1 else f"{unreadable} lines hold"
        yield f"{lines} a crawler's name and can't be read; {where}"
    if one_robots and document["sites"] > 1:
        fix = "--site HOST checks one"
        hosts = document["sites"]
        yield f"the logs are of {hosts} hosts, and one robots.txt was taken as that of all: {fix}"
    if fetches := document["without_policy"]["fetches"]:
        sites = document["without_policy"]["sites"]
        hosts = "1 host" if sites == 1 else f"{sites} hosts"
        yield f"no policy is known for {fetches} of the fetches, on {hosts}: they count as allowed"
    denied = {
        crawler["product_token"]: crawler["robots_txt"]["unavailable"]
        for crawler in document["crawlers"]
        if crawler["disallowed"] and crawler["robots_txt"]["unavailable"]
    }
    if denied:
        reads, whose = sum(denied.values()), _some(list(denied))
        yield (
            f"robots.txt was answered 4xx to {reads} reads by {whose}, after which RFC 9309 lets a "
            "crawler fetch anything: see that it is served to all"
        )
    count, site = elsewhere
    if count:
        requests = "1 request names" if count == 1 else f"{count} requests name"
        yield (
            f"{requests} another site in the target, like {site!r}, and {'is' if count == 1 else 'are'} left "
            "out: if it is this site's name, give --site"
        )
    yield from _proxies(document)
    yield from _unasked(document)


def _proxies(document: Mapping[str, Any]) -> Iterator[str]:
    """Say how to log the clients' addresses, where the log has others."""
    failed, behind = document["total"]["identity"]["check_failed"], 0
    taken = document["method"]["forwarded"]
    for proxy in document["proxies"]:
        behind += proxy["fetches"]
        fetches = "1 fetch" if proxy["fetches"] == 1 else f"{proxy['fetches']} fetches"
        whose = f"a proxy's of {proxy['operator']}" if proxy["operator"] else "private: a proxy's in front"
        if proxy["forwarded"] is not None:
            number = "" if proxy["forwarded"] == 1 else f" {proxy['forwarded']}"
            verified = proxy["would_verify"]
            fix = f"--forwarded{number} takes the client's from the log, and verifies {verified} of them"
        elif taken:
            fix = f"further left in the forwarded column may be the client's: try --forwarded {taken + 1}"
        else:
            fix = f"log the forwarded address ({proxy['header']}), and take it with --forwarded"
        yield f"the address of {fetches} is {whose}, not the client's, so nobody is verified: {fix}"
    if failed > behind:
        if taken:
            fix = f"the forwarded column of such a line has no address that is the {taken}. from the right"
        else:
            fix = "if a proxy stands in front, --forwarded takes the client's address from its column"
        whose = "1 fetch" if failed - behind == 1 else f"{failed - behind} fetches"
        yield f"the address of {whose} is masked or unreadable, or DNS failed: {fix}"


def _unasked(document: Mapping[str, Any]) -> Iterator[str]:
    """Name the clients that DNS may verify or find out."""
    if document["method"]["dns"]:
        return
    names = [
        crawler["product_token"]
        for crawler in document["crawlers"]
        if crawler["identity"]["unverifiable"]
        and (known := crawler_named(crawler["product_token"])) is not None
        and known.rdns
    ]
    if names:
        yield f"only DNS can tell who some clients of {_some(names)} are, and it was not asked: add --dns"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
