"""The statements of a site about the use of a page, signal by signal.

Signals have different rules of precedence, which must not be mixed. AIPREF: the most restrictive of all
carriers. Content-Signal: the crawler's group; of two lines that disagree none is known to win. TDMRep: the
most specific carrier. X-Robots-Tag: the sum of the negatives. ai.txt: a rule that closes the whole site.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.robotstxt.coverage import group_token
from aipolicy.robotstxt.matching import binding_group
from aipolicy.robotstxt.parser import Record
from aipolicy.signals import content_signal, content_usage, rsl, tdmrep, x_robots_tag
from aipolicy.siteaudit.parsed_site import PageSignals, ParsedSite, meta_location
from aipolicy.siteaudit.statements import Carrier, Location, Signal, Statement, first_of_each

_MOST_LICENCES = 20


def declared(site: ParsedSite, token: str) -> list[Statement]:
    """Return the statements of all signals to a crawler, including those that don't reach it."""
    cache = site.cache
    if "" not in cache:  # the same for all crawlers
        cache[""] = usage_in_headers(site.page), signals_in_page(site.page), reservation(site)
    if token not in cache:
        usage, signals, reserved = cache[""]
        cache[token] = [
            *usage_in_robots(site, token),
            *usage,
            *signals_in_robots(site, token),
            *signals,
            *tag_statements(site.page, token),
            *reserved,
            *ai_txt_statements(site, token),
        ]
    found: list[Statement] = cache[token]
    return found


# AIPREF's Content-Usage. No carrier outranks another: the most restrictive counts (vocab-08 §5.1).


def usage_in_robots(site: ParsedSite, token: str) -> list[Statement]:
    """Return the lines of the crawler's group for the page's path: the longest, or all that are as long.

    A path that may not be fetched has no preferences (attach-05 §3); the caller checks that.
    """
    content = site.file.index.bound(group_token(site.file, token)).content
    key = "usage", content
    if key not in site.cache:
        site.cache[key] = first_of_each(
            statement
            for record, text in content.usage.at(site.path)
            for statement in _statements(Signal.AIPREF, Preferences.parse(text), _line(record))
        )
    found: list[Statement] = site.cache[key]
    return found


def usage_in_headers(page: PageSignals) -> list[Statement]:
    """Return one statement a category. All lines are one Dictionary (RFC 9651 §4.2): the last one counts."""
    lines = page.headers("Content-Usage")
    found: list[Statement] = []
    for category, preference in header_preferences(page):
        if preference is not Preference.UNKNOWN:
            same = [location for value, location in lines if Preferences.parse(value)[category] is preference]
            location = same[-1] if same else lines[-1][1]
            found.append(Statement(Signal.AIPREF, category, preference, location))
    return found


def header_preferences(page: PageSignals) -> Preferences:
    """Return the preferences of the ``Content-Usage`` header, all lines taken together."""
    return Preferences.parse(page.answer.header(content_usage.FIELD.name))


# Content Signals: the line of robots.txt, and the header and tag that some servers send (Cloudflare's with
# Markdown pages) although no policy has them.


def signals_in_robots(site: ParsedSite, token: str) -> list[Statement]:
    """Return the statements of the ``Content-Signal`` lines of the crawler's group, even if they disagree."""
    content = site.file.index.bound(group_token(site.file, token)).content
    key = "signals", content
    if key not in site.cache:
        site.cache[key] = first_of_each(
            statement
            for record in content.signals
            if isinstance(record, Record) and record.named("Content-Signal")
            for statement in _statements(
                Signal.CONTENT_SIGNAL, content_signal.signal_preferences(record.value), _line(record)
            )
        )
    found: list[Statement] = site.cache[key]
    return found


def signals_in_page(page: PageSignals) -> list[Statement]:
    """Return the statements of the header and the meta tag."""
    lines = (*page.headers("Content-Signal"), *page.metas("content-signal"))
    return first_of_each(
        statement
        for value, location in lines
        for statement in _statements(
            Signal.CONTENT_SIGNAL, content_signal.signal_preferences(value), location
        )
    )


# TDMRep: the file, then the header, then the page's own tag; the last that says anything counts (§4).


def reservations(site: ParsedSite) -> list[Statement]:
    """Return what each carrier says, the weakest first: file, header, tag."""
    return [*_reservation_in_file(site), *reservations_in_page(site.page)]


def reservation(site: ParsedSite) -> list[Statement]:
    """Return the one reservation that counts, if any."""
    return reservations(site)[-1:]


def reservations_in_page(page: PageSignals) -> list[Statement]:
    """Return what the header says, then the tag."""
    return [
        _reservation(value, location)
        for text, location in reservation_values(page)
        if (value := tdmrep.reservation_value(text)) is not None
    ]


def reservation_values(page: PageSignals) -> list[tuple[str, Location]]:
    """Return the value of the header and that of the tag, if sent, each with its first location.

    Lines of a header are one value (RFC 9110 §5.2), so two of ``1`` are ``1, 1``, which is invalid. Equal
    tags are one; tags that differ are invalid.
    """
    sent, tags = page.headers(tdmrep.NAME), page.metas(tdmrep.NAME)
    joined = (
        ", ".join(value.strip(" \t") for value, _ in sent),
        ", ".join(dict.fromkeys(value.strip(" \t") for value, _ in tags)),
    )
    return [(value, lines[0][1]) for value, lines in zip(joined, (sent, tags), strict=True) if lines]


def _reservation_in_file(site: ParsedSite) -> list[Statement]:
    entry = tdmrep.tdm_entry(site.path, site.tdm_entries or [])
    value = tdmrep.entry_reservation(entry)
    return [] if value is None else [_reservation(value, Location(Carrier.TDMREP, 0, json.dumps(entry)))]


def _reservation(value: int, location: Location) -> Statement:
    preference = Preference.DISALLOW if value else Preference.ALLOW
    return Statement(Signal.TDMREP, Category.TRAIN_AI, preference, location)


# X-Robots-Tag and robots meta tags.


def rules_for(page: PageSignals, token: str = "") -> dict[str, Location]:
    """Return each rule about use that holds for the crawler, and the first place that has it."""
    found: dict[str, Location] = {}
    for value, location in page.headers(x_robots_tag.FIELD.name):
        for rule in x_robots_tag.parse_x_robots_tag([value], token):
            if (bare := rule.replace(" ", "")) in x_robots_tag.RULES_ABOUT_USE:
                found.setdefault(bare, location)
    for name in ("robots", token.lower()) if token else ("robots",):
        rules = page.answer.markup.rules(name)
        for rule in x_robots_tag.RULES_ABOUT_USE:  # a page may list a hundred thousand others
            if rule in rules:
                found.setdefault(rule, meta_location(rules[rule]))
    return found


def tag_statements(page: PageSignals, token: str) -> Iterator[Statement]:
    """Yield a no to each category that the rules disallow to the crawler."""
    rules = rules_for(page, token)
    categories = x_robots_tag.categories_by_rule(rules, token)
    for rule, location in rules.items():
        for category in categories.get(rule, ()):
            yield Statement(Signal.X_ROBOTS_TAG, category, Preference.DISALLOW, location)


# ai.txt, and the references to an RSL licence.


def ai_txt_statements(site: ParsedSite, token: str) -> list[Statement]:
    """Return a no to training if /ai.txt closes the whole site; other rules aren't read."""
    group = binding_group(site.ai_txt, token) if site.ai_txt else None
    if group is None or not group.blocks_everything:
        return []
    rule = next(rule for rule in group.rules if rule.pattern in ("/", "/*", "*"))
    location = Location(Carrier.AI_TXT, rule.line, str(rule))
    return [Statement(Signal.AI_TXT, Category.TRAIN_AI, Preference.DISALLOW, location)]


@dataclass(frozen=True, slots=True)
class LicenceReference:
    """A reference to an RSL licence."""

    url: str
    location: Location


def licences(site: ParsedSite) -> tuple[LicenceReference, ...]:
    """Return the ``License`` lines of robots.txt, and the Link headers and link tags of RSL's type."""
    robots = site.file.robots
    records = [*robots.preamble, *(record for group in robots.groups for record in group.records)]
    found = [
        LicenceReference(record.value, _line(record))
        for record in records
        if isinstance(record, Record) and record.named("License")
    ]
    for value, location in site.page.headers(rsl.LINK.name):
        found += [LicenceReference(url, location) for url in rsl.linked_licences(value)]
    found += [
        LicenceReference(tag.content, Location(Carrier.META, 0, str(tag), "link"))
        for tag in site.page.answer.markup.tags
        if tag.kind == "link" and tag.type == rsl.MEDIA_TYPE
    ]
    return tuple(found[:_MOST_LICENCES])


def _line(record: Record) -> Location:
    return Location(Carrier.ROBOTS, record.line, f"{record.name}: {record.value}")


def _statements(
    signal: Signal, preferences: Iterable[tuple[Category, Preference]], location: Location
) -> Iterator[Statement]:
    for category, preference in preferences:
        if preference is not Preference.UNKNOWN:
            yield Statement(signal, category, preference, location)
