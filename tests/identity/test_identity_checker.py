"""Identities by address lists, with and without host names."""

import pickle
import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.identity import AddressList, Identity, IdentityChecker, Ranges, Resolver
from aipolicy.identity.prefixes import networks
from tests.effort import calls
from tests.identity.dns_server import SERVFAIL, DNSServer, reverse

VERIFIED, OPERATOR, SPOOFED, UNVERIFIABLE, FAILED = Identity

GPTBOT = "https://openai.com/gptbot.json"
CHATGPT = "https://openai.com/chatgpt-user.json"
GOOGLE = "https://developers.google.com/static/crawling/ipranges/common-crawlers.json"
BING = "https://www.bing.com/toolbox/bingbot.json"
AMAZON = "https://developer.amazon.com/amazonbot/ip-addresses/"
LATER = date(2026, 9, 11)


def published(
    operator: str,
    *prefixes: str,
    urls: tuple[str, ...],
    tokens: tuple[str, ...],
    superseded: date | None = None,
) -> AddressList:
    nets = networks(prefixes, operator)
    return AddressList(urls, operator, tokens, date(2026, 9, 2), "a test", superseded, nets)


RANGES = Ranges(
    (
        published("OpenAI", "132.196.86.0/24", "20.125.66.80/28", urls=(GPTBOT,), tokens=("GPTBot",)),
        published("OpenAI", "13.65.138.96/27", urls=(CHATGPT,), tokens=("ChatGPT-User",)),
        published(
            "Google",
            "66.249.64.0/27",
            "2001:4860:4801:10::/64",
            urls=(GOOGLE,),
            tokens=("Googlebot", "GoogleOther"),
        ),
        published("Microsoft", "40.77.167.0/24", urls=(BING,), tokens=("bingbot",)),
        published("Amazon", "52.4.128.0/32", urls=(AMAZON,), tokens=("Amazonbot",), superseded=LATER),
    )
)


@pytest.fixture
def identities() -> IdentityChecker:
    return IdentityChecker(RANGES)


@pytest.fixture
def dns_checker(resolver: Resolver) -> IdentityChecker:
    return IdentityChecker(RANGES, resolver)


@pytest.mark.parametrize(
    ("token", "address", "identity"),
    [
        ("GPTBot", "132.196.86.1", VERIFIED),
        ("gptbot", "132.196.86.255", VERIFIED),
        ("GPTBot", "20.125.66.95", VERIFIED),
        ("GPTBot", "20.125.66.96", SPOOFED),
        ("GPTBot", "13.65.138.100", OPERATOR),
        ("ChatGPT-User", "132.196.86.1", OPERATOR),
        ("GPTBot", "66.249.64.1", SPOOFED),
        ("Googlebot", "66.249.64.1", OPERATOR),
        ("GoogleOther", "2001:4860:4801:10::5", OPERATOR),
        ("Googlebot", "2001:4860:4801:11::5", UNVERIFIABLE),
        ("bingbot", "40.77.167.9", VERIFIED),
    ],
)
def test_the_operators_lists_decide(
    identities: IdentityChecker, token: str, address: str, identity: Identity
) -> None:
    assert identities.identify(token, address) is identity


@pytest.mark.parametrize(
    "token", ["Bytespider", "meta-externalagent", "Applebot-Extended", "NoSuchCrawler", ""]
)
@pytest.mark.parametrize("address", ["8.8.8.8", "132.196.86.1", "10.0.0.1", "nonsense", None])
def test_without_a_published_check_no_client_is_spoofed(
    identities: IdentityChecker, token: str, address: str | None
) -> None:
    assert identities.identify(token, address) is UNVERIFIABLE


@pytest.mark.parametrize("address", ["2.2.2.2", "132.196.86.1"])
def test_a_missing_list_proves_no_forgery(identities: IdentityChecker, address: str) -> None:
    assert identities.identify("PerplexityBot", address) is UNVERIFIABLE


def test_other_lists_verify_the_operator_of_a_crawler_without_a_list(
    identities: IdentityChecker,
) -> None:
    assert identities.identify("OAI-AdsBot", "132.196.86.1") is OPERATOR
    assert identities.identify("OAI-AdsBot", "8.8.8.8") is UNVERIFIABLE


def test_a_superseded_list_verifies_but_proves_no_forgery(identities: IdentityChecker) -> None:
    assert identities.identify("Amazonbot", "52.4.128.0") is FAILED  # it may stand for a /24
    assert identities.identify("Amazonbot", "52.4.129.7") is UNVERIFIABLE


def test_a_newer_combined_copy_supplements_superseded_lists() -> None:
    old, new = "132.196.86.0/24", "134.138.52.16/28"
    several, tokens = (CHATGPT, GPTBOT), ("ChatGPT-User", "GPTBot")
    lists = (
        published("OpenAI", old, urls=(GPTBOT,), tokens=("GPTBot",), superseded=LATER),
        published("OpenAI", old, new, urls=several, tokens=tokens),
    )
    identities = IdentityChecker(Ranges(lists))
    assert identities.identify("GPTBot", "132.196.86.1") is VERIFIED
    assert identities.identify("GPTBot", "134.138.52.17") is OPERATOR
    assert identities.identify("GPTBot", "8.8.8.8") is SPOOFED


@pytest.mark.parametrize(
    "written",
    [
        "::ffff:132.196.86.1",
        "::FFFF:84c4:5601",
        "132.196.86.1:50123",
        "[::ffff:132.196.86.1]:443",
        " 132.196.86.1 ",
        '"132.196.86.1"',
    ],
)
def test_an_ipv4_address_is_read_in_every_spelling(identities: IdentityChecker, written: str) -> None:
    assert identities.identify("GPTBot", written) is VERIFIED


@pytest.mark.parametrize(
    "written", ["2001:4860:4801:10::5", "[2001:4860:4801:10::5]:443", "2001:4860:4801:10::5%eth0"]
)
def test_an_ipv6_address_is_read_in_every_spelling(identities: IdentityChecker, written: str) -> None:
    assert identities.identify("Googlebot", written) is OPERATOR


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "-",
        "unknown",
        "132.196.86",
        "132.196.86.xxx",
        "132.196.86.x",
        "132.196.86.1.2",
        "1" * 10_000,
        "é",
    ],
)
def test_an_invalid_address_fails_the_check(identities: IdentityChecker, address: str | None) -> None:
    assert identities.identify("GPTBot", address) is FAILED
    assert identities.identify("YandexBot", address) is FAILED


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd00::7",
    ],
)
def test_the_address_of_a_proxy_fails_the_check(identities: IdentityChecker, address: str) -> None:
    assert identities.identify("GPTBot", address) is FAILED


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9", "240.0.0.1"])
def test_an_address_that_is_not_public_verifies_nothing(identities: IdentityChecker, address: str) -> None:
    """Another project lists a documentation range as a crawler's."""
    assert identities.identify("GPTBot", address) is SPOOFED


@pytest.mark.parametrize(
    ("token", "address", "identity"),
    [
        ("GPTBot", "132.196.86.0", VERIFIED),  # the whole /24 is GPTBot's
        ("GPTBot", "132.196.0.0", FAILED),
        ("GPTBot", "20.125.66.0", FAILED),  # part of it is
        ("GPTBot", "13.65.138.0", FAILED),
        ("GPTBot", "8.8.8.0", SPOOFED),
        ("GPTBot", "8.8.0.0", SPOOFED),
        ("Googlebot", "2001:4860:4801:10::", OPERATOR),
        ("Googlebot", "2001:4860:4801::", FAILED),
        ("Googlebot", "2001:db8::", UNVERIFIABLE),
    ],
)
def test_a_masked_address_is_checked_if_its_whole_range_agrees(
    identities: IdentityChecker, token: str, address: str, identity: Identity
) -> None:
    assert identities.identify(token, address) is identity


def test_without_a_resolver_host_names_are_not_checked(identities: IdentityChecker) -> None:
    assert identities.identify("YandexBot", "5.255.253.1") is UNVERIFIABLE


def test_a_host_name_that_resolves_back_verifies(server: DNSServer, dns_checker: IdentityChecker) -> None:
    server.confirmed("220.181.108.1", "baiduspider-220-181-108-1.crawl.baidu.com")
    server.confirmed("5.255.253.1", "5-255-253-1.spider.yandex.com")
    assert dns_checker.identify("Baiduspider", "220.181.108.1") is VERIFIED
    assert (
        dns_checker.identify("YandexBot", "5.255.253.1") is OPERATOR
    )  # three of its crawlers have such names


def test_a_host_name_verifies_an_unlisted_address(server: DNSServer, dns_checker: IdentityChecker) -> None:
    server.confirmed("157.55.39.1", "msnbot-157-55-39-1.search.msn.com")
    server.confirmed("34.22.85.1", "geo-crawl-34-22-85-1.geo.googlebot.com")
    assert dns_checker.identify("bingbot", "157.55.39.1") is VERIFIED
    assert dns_checker.identify("Googlebot", "34.22.85.1") is OPERATOR


def test_lists_are_checked_before_dns(server: DNSServer, dns_checker: IdentityChecker) -> None:
    assert dns_checker.identify("bingbot", "40.77.167.9") is VERIFIED
    assert dns_checker.identify("GPTBot", "8.8.8.8") is SPOOFED  # it has no host names
    assert not server.asked


def test_a_missing_ptr_is_a_forgery_only_if_all_checks_were_made(
    server: DNSServer, dns_checker: IdentityChecker
) -> None:
    assert dns_checker.identify("YandexBot", "8.8.8.8") is SPOOFED
    assert dns_checker.identify("bingbot", "8.8.8.8") is SPOOFED
    assert dns_checker.identify("Amazonbot", "8.8.8.8") is UNVERIFIABLE


@pytest.mark.parametrize(
    "name", ["evilsearch.msn.com.evil.example", "research.msn.com", "ec2-8-8-8-8.compute.amazonaws.com"]
)
def test_another_owners_host_name_is_a_forgery(
    server: DNSServer, dns_checker: IdentityChecker, name: str
) -> None:
    server.confirmed("8.8.8.8", name)
    assert dns_checker.identify("bingbot", "8.8.8.8") is SPOOFED


def test_a_host_name_that_resolves_elsewhere_is_a_forgery(
    server: DNSServer, dns_checker: IdentityChecker
) -> None:
    server.pointer("8.8.8.8", "msnbot-157-55-39-1.search.msn.com")
    server.add("msnbot-157-55-39-1.search.msn.com", "A", ["157.55.39.1"])
    assert dns_checker.identify("bingbot", "8.8.8.8") is SPOOFED


def test_an_error_of_dns_is_not_a_forgery(server: DNSServer, dns_checker: IdentityChecker) -> None:
    server.add(reverse("8.8.8.8"), "PTR", SERVFAIL)
    assert dns_checker.identify("bingbot", "8.8.8.8") is FAILED
    assert dns_checker.identify("YandexBot", "8.8.8.8") is FAILED


@pytest.mark.parametrize(
    ("address", "identity"),
    [("10.0.0.1", FAILED), ("203.0.113.9", SPOOFED), ("8.8.8.0", FAILED), ("8.8.8.xxx", FAILED)],
)
def test_dns_is_not_asked_about_addresses_that_are_not_public(
    server: DNSServer, dns_checker: IdentityChecker, address: str, identity: Identity
) -> None:
    assert dns_checker.identify("bingbot", address) is identity
    assert not server.asked


def test_identify_all_agrees_with_identify(server: DNSServer, dns_checker: IdentityChecker) -> None:
    server.confirmed("157.55.39.1", "msnbot-157-55-39-1.search.msn.com")
    server.add(reverse("8.8.4.4"), "PTR", SERVFAIL)
    addresses = ["132.196.86.1", "13.65.138.100", "157.55.39.1", "8.8.8.8", "8.8.4.4"]
    addresses += ["10.0.0.1", "8.8.8.0", "203.0.113.9"]
    tokens = ["GPTBot", "bingbot", "YandexBot", "Amazonbot", "Bytespider"]
    pairs = [(token, address, None) for token in tokens for address in (*addresses, None)]
    found = dns_checker.identify_all([*pairs, *pairs])
    assert found == {pair: dns_checker.identify(*pair) for pair in pairs}
    assert found["bingbot", "157.55.39.1", None] is VERIFIED
    assert found["bingbot", "8.8.4.4", None] is FAILED
    assert set(found.values()) == set(Identity)


def test_identify_all_works_without_a_resolver(identities: IdentityChecker) -> None:
    pairs = [("GPTBot", "132.196.86.1", None), ("GPTBot", None, None), ("GPTBot", "8.8.8.8", None)]
    assert list(identities.identify_all(pairs).values()) == [VERIFIED, FAILED, SPOOFED]


def test_a_checker_can_be_pickled_without_a_resolver(
    identities: IdentityChecker, dns_checker: IdentityChecker
) -> None:
    sent = pickle.loads(pickle.dumps(identities))
    assert sent.ranges == RANGES
    assert sent.identify("GPTBot", "132.196.86.1") is VERIFIED
    with pytest.raises(TypeError, match="without a resolver"):
        pickle.dumps(dns_checker)


def test_the_age_of_the_lists_is_known(identities: IdentityChecker) -> None:
    assert (identities.oldest, identities.newest) == (date(2026, 9, 2), date(2026, 9, 2))
    assert identities.lists == RANGES.lists


def test_the_index_agrees_with_a_linear_search() -> None:
    rng = random.Random(7)
    identities = IdentityChecker()
    nets = {
        crawler.product_token: [
            net for each in identities.ranges.of_operator(crawler.operator) for net in each.prefixes
        ]
        for crawler in CRAWLERS
        if crawler.ranges
    }
    for token, own in nets.items():
        for net in rng.sample(own, min(40, len(own))):
            for address in (net[0], net[-1], net[0] - 1, net[-1] + 1, net[rng.randrange(net.num_addresses)]):
                found = identities.identify(token, str(address))
                if found is not FAILED:  # it seems masked
                    inside = any(address in other for other in own)
                    assert (found in (VERIFIED, OPERATOR)) is inside, (token, address)


def test_identification_takes_a_constant_number_of_calls() -> None:
    rng = random.Random(1)
    addresses = [".".join(str(rng.randrange(1, 255)) for _ in range(4)) for _ in range(1000)]
    identities = IdentityChecker()
    identities.identify("GPTBot", "1.1.1.1")
    _, count = calls(lambda: [identities.identify("GPTBot", address) for address in addresses])
    assert count / 1000 < 60


@given(st.text() | st.ip_addresses().map(str) | st.from_regex(r"[\[0-9a-f:.%\]]{1,50}"))
def test_any_text_in_a_log_is_handled(text: str) -> None:
    identities = IdentityChecker(RANGES)
    assert identities.identify("GPTBot", text) is not UNVERIFIABLE
    assert identities.identify("Bytespider", text) is UNVERIFIABLE


def test_the_caches_are_bounded(identities: IdentityChecker) -> None:
    for n in range(200_000):
        identities.identify("GPTBot", f"junk {n}")
        identities.identify(f"Junk{n}", None)
    assert len(identities._answers) <= 1 << 17
    assert len(identities._checks) <= 4096
