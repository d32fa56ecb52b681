"""Notes for the reader of a report: limits of the figures, and how to improve the check."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aipolicy.accesslog.fetch_table import ReadFile
from aipolicy.core.crawlers import crawler_named
from aipolicy.report.wording import counted

_MOST_NAMES = 3  # of files or crawlers in a note


def notes(
    document: Mapping[str, Any],
    files: Sequence[ReadFile],
    *,
    one_robots: bool,
    rendered: bool,
    elsewhere: tuple[int, str | None],
    site_audits: int,
) -> Iterator[str]:
    """Yield the notes as sentences.

    Args:
        one_robots: True if a single robots.txt was applied to every host.
        rendered: True if a policy's robots.txt was rendered from its preferences.
        elsewhere: The number of requests that name another site in their target, and one of these sites.
        site_audits: The number of requests of ``aipolicy check site`` in a crawler's name.
    """
    empty = [repr(file.file) for file in files if file.is_empty]
    if empty:
        yield f"{_some(empty)} {'is' if len(empty) == 1 else 'are'} empty"
    by_note = {note: file.file for file in reversed(files) for note in file.notes}
    for note, name in by_note.items():
        yield f"{name!r}: {note}"
    if unreadable := document["lines"]["unreadable"]:
        first = document["unreadable"][0]
        lines = counted(unreadable, "line contains", "lines contain")
        where = f"line {first['line']} of {first['file']!r}"
        yield f"{lines} a crawler's name and can't be read; the first is {where}"
    if one_robots and document["sites"] > 1:
        fix = "to check one host, add --site HOST"
        yield f"one robots.txt was applied to all {document['sites']} hosts in the logs; {fix}"
    if fetches := document["without_policy"]["fetches"]:
        hosts = counted(document["without_policy"]["sites"], "host")
        yield (
            f"{counted(fetches, 'fetch', 'fetches')} on {hosts} without a known policy "
            f"{'was' if fetches == 1 else 'were'} counted as allowed"
        )
    denied = {
        crawler["product_token"]: crawler["robots_txt"]["unavailable"]
        for crawler in document["crawlers"]
        if crawler["disallowed"] and crawler["robots_txt"]["unavailable"]
    }
    if denied:
        reads = counted(sum(denied.values()), "read")
        yield (
            f"robots.txt was answered 4xx to {reads} by {_some(list(denied))}, after which RFC 9309 lets a "
            "crawler fetch anything; make sure that every client can fetch robots.txt"
        )
    count, site = elsewhere
    if count:
        requests = counted(count, "request names", "requests name")
        yield (
            f"{requests} another site in the target, like {site!r}, and {'is' if count == 1 else 'are'} left "
            "out; if it is this site's name, add it with --site"
        )
    if site_audits:
        requests = counted(site_audits, "request", "requests")
        yield (
            f"{requests} of aipolicy's own site audit {'is' if site_audits == 1 else 'are'} left out: the "
            "User-Agent names a crawler and says that aipolicy sent it"
        )
    if rendered and document["total"]["disallowed"]:
        yield (
            f"the policies are rendered with the crawler table of {document['method']['crawler_table']}: a "
            "crawler that came into the table later is judged as if robots.txt had named it; to have the "
            "file judged that was served, give it as robots_txt"
        )
    yield from _proxies(document)
    yield from _without_dns(document)


def _proxies(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield how to log the clients' addresses if the log has those of proxies."""
    failed, by_proxy = document["total"]["identity"]["check_failed"], 0
    position = document["method"]["forwarded"]
    for proxy in document["proxies"]:
        by_proxy += proxy["fetches"]
        fetches = counted(proxy["fetches"], "fetch", "fetches")
        owner = f"of {proxy['operator']}" if proxy["operator"] else "with a private address"
        if proxy["forwarded"] is not None:
            number = "" if proxy["forwarded"] == 1 else f" {proxy['forwarded']}"
            verifies = f"verifies {proxy['would_verify']} of them"
            fix = f"--forwarded{number} reads the client's address from the log, and {verifies}"
        elif position:
            fix = (
                "the client's address may be further left in the forwarded column; "
                f"try --forwarded {position + 1}"
            )
        else:
            fix = f"log the forwarded address ({proxy['header']}), and read it with --forwarded"
        yield f"the address of {fetches} belongs to a proxy {owner}, so the client can't be verified: {fix}"
    if failed > by_proxy:
        if position:
            fix = f"the forwarded column of such a line has no address in position {position} from the right"
        else:
            fix = "if the server is behind a proxy, --forwarded reads the client's address from its column"
        fetches = counted(failed - by_proxy, "fetch", "fetches")
        yield f"the address of {fetches} is masked or unreadable, or DNS failed: {fix}"


def _without_dns(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the crawlers whose clients DNS may identify, if it was not used."""
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
        yield f"some clients of {_some(names)} can be identified only by DNS, which was not used; add --dns"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
