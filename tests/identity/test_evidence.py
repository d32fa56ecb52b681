"""The evidence for an identity, and its explanation."""

from datetime import date, timedelta

import pytest

from aipolicy.core.crawlers import CRAWLERS, crawler_named
from aipolicy.identity import AddressList, Identity, IdentityChecker, IdentityEvidence, Ranges, Resolver
from aipolicy.identity.explain import needed, why
from aipolicy.identity.prefixes import networks
from tests.identity.dns_server import SERVFAIL, DNSServer, reverse
from tests.identity.test_identity_checker import GPTBOT, RANGES
from tests.identity.test_list_history import FIRST, LASTING, NEW, OLD, read, reading

DAY = timedelta(days=1)
READ = date(2026, 9, 2)
HISTORY = read(reading(FIRST, OLD, LASTING), reading(FIRST + 100 * DAY, LASTING, NEW))


def on(day: date) -> IdentityChecker:
    return IdentityChecker(RANGES, today=lambda: day)


def explained(evidence: IdentityEvidence, token: str) -> str:
    crawler = crawler_named(token)
    assert crawler is not None
    return "\n".join([*why(crawler, evidence), f"needed: {needed(crawler, evidence)}"])


def words(identities: IdentityChecker, token: str, address: str | None, day: date | None = READ) -> str:
    return explained(identities.evidence(token, address, day), token)


def test_the_evidence_has_the_identity_of_identify(server: DNSServer, resolver: Resolver) -> None:
    server.confirmed("157.55.39.1", "msnbot-157-55-39-1.search.msn.com")
    server.add(reverse("8.8.4.4"), "PTR", SERVFAIL)
    for identities in (
        IdentityChecker(RANGES),
        IdentityChecker(RANGES, resolver, today=lambda: READ + 30 * DAY),
    ):
        for crawler in CRAWLERS:
            for address in ("132.196.86.1", "157.55.39.1", "8.8.8.8", "8.8.4.4", "10.0.0.1", "8.8.8.0", None):
                for day in (READ, READ + 29 * DAY, READ - 50 * DAY):
                    evidence = identities.evidence(crawler.product_token, address, day)
                    assert evidence.identity is identities.identify(crawler.product_token, address, day)
                    assert why(crawler, evidence)
                    assert all("\n" not in sentence for sentence in why(crawler, evidence))


def test_a_matching_list_is_named_with_prefix_and_day() -> None:
    assert words(on(READ), "GPTBot", "132.196.86.1") == (
        "132.196.86.0/24 is in https://openai.com/gptbot.json, read on 2026-09-02 (a copy: a test)\n"
        "needed: None"
    )


def test_a_list_of_the_operators_other_crawlers_is_named() -> None:
    found = words(on(READ), "GPTBot", "13.65.138.100")
    assert "13.65.138.96/27 is in https://openai.com/chatgpt-user.json" in found
    assert "these use the address: ChatGPT-User" in found


def test_an_old_list_is_named_with_the_command_that_refreshes_it() -> None:
    day = READ + 91 * DAY
    found = words(on(day), "bingbot", "8.8.8.8", day)
    assert on(day).identify("bingbot", "8.8.8.8", day) is Identity.UNVERIFIABLE
    assert (
        "https://www.bing.com/toolbox/bingbot.json was last read on 2026-09-02 and may contain the address "
        "now; run `aipolicy crawlers update`"
    ) in found
    assert "last read" not in words(on(day - DAY), "bingbot", "8.8.8.8", day - DAY)


def test_the_distance_of_a_snapshot_from_the_request_is_named() -> None:
    assert "read on 2026-09-02 (a copy: a test), 100 days before 2026-12-11" in words(
        on(READ), "GPTBot", "132.196.86.1", READ + 100 * DAY
    )
    assert "read on 2026-09-02, 100 days before 2026-12-11" in words(
        on(READ), "bingbot", "8.8.8.8", READ + 100 * DAY
    )
    early = words(on(READ), "GPTBot", "8.8.8.8", READ - 100 * DAY)
    assert (
        "was first read on 2026-09-02, 100 days after 2026-05-25, and may have been different before" in early
    )


def test_a_list_that_changed_between_two_readings_has_both_days() -> None:
    older = AddressList((GPTBOT,), "OpenAI", ("GPTBot",), READ, "a test", READ + 20 * DAY, networks([OLD]))
    newer = AddressList((GPTBOT,), "OpenAI", ("GPTBot",), READ + 32 * DAY, "a test", None, networks([NEW]))
    found = words(IdentityChecker(Ranges((older, newer))), "GPTBot", "8.8.8.8", READ + 8 * DAY)
    assert (
        "https://openai.com/gptbot.json was read on 2026-09-02, had changed by 2026-09-22, and was next read "
        "on 2026-10-04, 24 days after 2026-09-10, and may have been different before"
    ) in found
    assert "first read" not in found


@pytest.mark.parametrize(
    ("address", "days", "sentence"),
    [
        (OLD, 50, "is in https://openai.com/gptbot.json"),
        (OLD, 105, "was in https://openai.com/gptbot.json, read on 2026-06-01, until 2026-09-09"),
        (OLD, 150, "until 2026-09-09, 50 days before 2026-10-29; its user since then is not known"),
        (
            NEW,
            -50,
            "was added to https://openai.com/gptbot.json after 2026-06-01, 50 days after 2026-04-12; its",
        ),
        (NEW, 150, "read on 2026-09-09, 50 days before 2026-10-29, and was not in it on 2026-06-01"),
        (
            LASTING,
            150,
            "/32 is in https://openai.com/gptbot.json, read on 2026-09-09, 50 days before 2026-10-29",
        ),
    ],
)
def test_the_history_of_a_prefix_is_explained(address: str, days: int, sentence: str) -> None:
    found = words(IdentityChecker(HISTORY), "GPTBot", address, FIRST + days * DAY)
    assert sentence.replace("is in", "was in" if address == OLD else "is in") in found


def test_the_missing_proof_is_named() -> None:
    assert words(on(READ), "GPTBot", "8.8.8.8") == (
        "the address is not in the known 2 lists of OpenAI, read on 2026-09-02\n"
        "needed: an address in https://openai.com/gptbot.json"
    )
    bing = words(on(READ), "bingbot", "8.8.8.8")
    assert "DNS was not asked" in bing
    assert bing.endswith(
        "bingbot.json, or a host name under search.msn.com that resolves back to the address"
    )


def test_a_missing_or_superseded_list_is_named() -> None:
    assert (
        "https://www.perplexity.com/perplexitybot.json was never read and may contain the address"
        in words(on(READ), "PerplexityBot", "8.8.8.8")
    )
    assert "amazonbot/ip-addresses/ has changed on 2026-09-11" in words(on(READ), "Amazonbot", "8.8.8.8")


@pytest.mark.parametrize(
    ("token", "address", "sentence"),
    [
        ("Bytespider", "8.8.8.8", "ByteDance publishes neither addresses nor host names for Bytespider"),
        ("GPTBot", None, "the address is missing or invalid"),
        ("GPTBot", "10.0.0.1", "10.0.0.1 is a private address: a proxy's in front of the server"),
        (
            "GPTBot",
            "20.125.66.0",
            "20.125.66.0 seems masked: it may stand for any address up to 20.125.66.255",
        ),
        ("GPTBot", "203.0.113.9", "203.0.113.9 is an address that no client on the Internet can have"),
    ],
)
def test_the_reason_for_a_missing_check_is_named(token: str, address: str | None, sentence: str) -> None:
    assert sentence in words(on(READ), token, address)


@pytest.fixture
def dns_checker(resolver: Resolver) -> IdentityChecker:
    return IdentityChecker(RANGES, resolver, today=lambda: READ)


def test_the_confirmed_host_name_is_named(server: DNSServer, dns_checker: IdentityChecker) -> None:
    server.confirmed("157.55.39.1", "msnbot-157-55-39-1.search.msn.com")
    found = words(dns_checker, "bingbot", "157.55.39.1")
    assert "its host name msnbot-157-55-39-1.search.msn.com resolves back to 157.55.39.1" in found


def test_other_answers_of_dns_are_named(server: DNSServer, dns_checker: IdentityChecker) -> None:
    assert "DNS has no host name for the address" in words(dns_checker, "bingbot", "8.8.8.8")
    server.pointer("8.8.8.8", "dns.google")
    assert "its host name dns.google is not under search.msn.com" in words(dns_checker, "bingbot", "8.8.8.8")
    server.pointer("8.8.8.8", "msnbot-157-55-39-1.search.msn.com")
    server.add("msnbot-157-55-39-1.search.msn.com", "A", ["157.55.39.1"])
    found = words(dns_checker, "bingbot", "8.8.8.8")
    assert "msnbot-157-55-39-1.search.msn.com resolves to 157.55.39.1, not back: anyone can" in found
    server.add(reverse("8.8.8.8"), "PTR", SERVFAIL)
    assert "DNS failed: " in words(dns_checker, "bingbot", "8.8.8.8")


def test_a_missing_host_name_proves_nothing_about_an_old_request(
    server: DNSServer, resolver: Resolver
) -> None:
    later = IdentityChecker(RANGES, resolver, today=lambda: READ + 60 * DAY)
    assert later.identify("YandexBot", "8.8.8.8", READ + 50 * DAY) is Identity.SPOOFED
    assert later.identify("YandexBot", "8.8.8.8", READ) is Identity.UNVERIFIABLE
    assert later.identify("bingbot", "8.8.8.8", READ) is Identity.UNVERIFIABLE  # only its list speaks of then
    assert "DNS answers for 2026-11-01, which proves nothing against a client of 2026-09-02" in words(
        later, "YandexBot", "8.8.8.8"
    )
    server.confirmed("5.255.253.1", "5-255-253-1.spider.yandex.com")
    assert later.identify("YandexBot", "5.255.253.1", READ) is Identity.OPERATOR_VERIFIED


def test_host_names_of_clients_are_escaped(server: DNSServer, dns_checker: IdentityChecker) -> None:
    server.pointer("8.8.8.8", r"\027[31mred.example", *(f"h{n}.example" for n in range(2000)))
    evidence = dns_checker.evidence("bingbot", "8.8.8.8", READ)
    assert evidence.trace is not None
    assert (len(evidence.trace.names), evidence.trace.more) == (8, 1993)
    found = explained(evidence, "bingbot")
    assert "\x1b" not in found
    assert "and others" in found
    assert len(found) < 1000


def test_matches_that_count_come_first() -> None:
    lists = (
        AddressList(("https://b",), "OpenAI", ("A", "B"), READ, "b", None, networks(["20.7.7.0/24"])),
        *read(reading(FIRST, "20.7.7.0/24", LASTING), reading(FIRST + DAY, LASTING)).lists,
    )
    matches = IdentityChecker(Ranges(lists)).evidence("GPTBot", "20.7.7.7", READ).matches
    assert [(match.counts, match.exact) for match in matches] == [(True, False), (False, True)]
