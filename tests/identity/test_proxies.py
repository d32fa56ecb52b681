"""Addresses of CDNs and load balancers, which are not those of clients."""

import ipaddress
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from aipolicy.core.crawlers import CRAWLERS, crawler_named
from aipolicy.errors import RangesError
from aipolicy.identity import Identity, IdentityChecker, Ranges, Resolver, Verification, packaged_ranges
from aipolicy.identity.explain import needed, why
from aipolicy.identity.list_fetch import Target
from aipolicy.identity.list_update import UpdateState, update
from aipolicy.identity.operator_lists import LIST_MARGIN
from aipolicy.identity.proxies import PROXIES, PROXY_OF, proxy_networks
from aipolicy.identity.ranges_file import RangesFile
from tests.identity.dns_server import DNSServer
from tests.identity.list_server import ListServer

VERIFIED, OPERATOR, SPOOFED, UNVERIFIABLE, FAILED = Identity
DAY = date(2026, 10, 1)
EDGES = {
    "Akamai": ("23.32.1.1", "2600:1400::5"),
    "Amazon CloudFront": ("130.176.1.1", "3.10.17.130", "15.197.0.9", "2600:9000:1000::1"),
    "Azure Front Door": ("147.243.1.1", "2a01:111:2050::1"),
    "bunny.net": (
        str(packaged_ranges().of_url("https://api.bunny.net/system/edgeserverlist")[0].prefixes[0][0]),
    ),
    "Cloudflare": ("172.68.10.2", "141.101.70.1", "162.158.3.3", "2606:4700::1", "::ffff:172.68.10.2"),
    "Fastly": ("151.101.1.1", "2a04:4e42::1"),
    "Google Cloud Load Balancing": ("35.191.3.4", "130.211.1.1", "2600:2d00:1:1::1"),
    "Imperva": ("45.60.1.1", "2a02:e980::1"),
    "Sucuri": ("192.88.134.9",),
}
COMPUTE = ("3.5.140.2", "34.64.1.1", "20.1.2.3", "172.232.1.1", "64.252.81.5", "104.28.1.1", "8.8.8.8")
"""Machines that anyone rents in the same clouds, and exits of a VPN."""


@pytest.mark.parametrize(
    ("operator", "address"), [(name, each) for name, addresses in EDGES.items() for each in addresses]
)
def test_a_client_behind_a_known_proxy_is_not_spoofed(operator: str, address: str) -> None:
    identities = IdentityChecker()
    assert identities.identify("GPTBot", address, DAY) is FAILED
    assert identities.identify("Googlebot", address, DAY) is FAILED
    assert identities.identify("Bytespider", address, DAY) is UNVERIFIABLE  # nothing is published
    found = identities.evidence("ClaudeBot", address, DAY)
    assert found.identity is FAILED
    crawler = crawler_named("ClaudeBot")
    assert crawler is not None
    assert f"belongs to a proxy of {operator}, not to the client" in why(crawler, found)[0]
    assert "the client's own address, which " in str(needed(crawler, found))


@pytest.mark.parametrize("address", COMPUTE)
def test_a_rented_machine_is_a_client(address: str) -> None:
    assert IdentityChecker().identify("ClaudeBot", address, DAY) is SPOOFED
    assert IdentityChecker().proxy_of(address) is None


def test_the_list_of_the_crawler_is_checked_before_proxies() -> None:
    ranges = packaged_ranges()
    inside = Ranges(
        tuple(each for each in ranges.lists if each.urls == ("https://claude.com/crawling/bots.json",)),
        tuple(
            type(each)(
                each.urls,
                "Cloudflare",
                (),
                each.date,
                each.source,
                None,
                (ipaddress.ip_network("216.73.216.0/22"),),
            )
            for each in ranges.proxies[:1]
        ),
    )
    assert IdentityChecker(inside).identify("ClaudeBot", "216.73.216.7", DAY) is OPERATOR
    assert IdentityChecker(inside).identify("GPTBot", "216.73.216.7", DAY) is FAILED


def test_a_masked_address_that_may_be_a_proxy_proves_no_forgery() -> None:
    assert IdentityChecker().identify("GPTBot", "172.68.10.0", DAY) is FAILED
    assert IdentityChecker().identify("GPTBot", "172.68.0.0", DAY) is FAILED


def test_a_file_without_proxies_uses_the_packaged_ones() -> None:
    ranges = Ranges(packaged_ranges().lists)
    assert IdentityChecker(ranges).identify("GPTBot", "172.68.10.2", DAY) is FAILED


def test_dns_is_not_asked_about_the_address_of_a_proxy(server: DNSServer, resolver: Resolver) -> None:
    dns_checker = IdentityChecker(None, resolver, today=lambda: DAY)
    assert dns_checker.identify("Googlebot", "172.68.10.2", DAY) is FAILED
    assert not server.asked


def test_a_server_behind_a_cdn_reports_a_failed_check_and_its_reason(resolver: Resolver) -> None:
    verification = Verification(packaged_ranges(), resolver=resolver, clock=lambda: 1790856000.0)
    result = verification.verify("Googlebot", "172.68.10.2")
    assert (result.identity, result.counts, result.pending) == (FAILED, False, False)
    assert result.reason == "its address is not known: the request comes from a proxy of Cloudflare"


def test_one_failed_check_of_two_proves_no_forgery(server: DNSServer, resolver: Resolver) -> None:
    today = lambda: DAY + timedelta(days=2)  # noqa: E731
    for token in ("Googlebot", "bingbot", "CCBot"):
        assert IdentityChecker().identify(token, "8.8.4.9", DAY) is UNVERIFIABLE
        assert IdentityChecker(None, resolver, today=today).identify(token, "8.8.4.9", DAY) is SPOOFED
    server.confirmed("8.8.4.10", "crawl-1.googlebot.com")
    dns_checker = IdentityChecker(None, resolver, today=today)
    assert dns_checker.identify("Googlebot", "8.8.4.10", DAY) in (VERIFIED, OPERATOR)


def test_dns_proves_no_forgery_of_an_old_request(resolver: Resolver) -> None:
    later = IdentityChecker(None, resolver, today=lambda: DAY + LIST_MARGIN + timedelta(days=1))
    assert later.identify("Googlebot", "8.8.4.9", DAY) is UNVERIFIABLE


def test_a_crawler_that_can_sign_is_not_spoofed_before_signatures_are_checked() -> None:
    signing = [c.product_token for c in CRAWLERS if c.web_bot_auth and c.ranges and not c.rdns]
    assert "DuckAssistBot" in signing
    day = date(2026, 8, 25)  # its list is superseded later: on that day it tells
    for token in signing:
        assert IdentityChecker().identify(token, "8.8.4.9", day) is UNVERIFIABLE


def test_each_list_of_proxies_names_its_source_and_day() -> None:
    ranges = packaged_ranges()
    for each in ranges.proxies:
        (url,) = each.urls
        assert each.operator == PROXY_OF[url].operator
        assert each.source
        assert each.tokens == ()
        assert date(2025, 5, 1) <= each.date <= date(2026, 11, 23), url
    covered = {url for each in ranges.proxies for url in each.urls}
    assert PROXY_OF.keys() - covered == {"https://www.keycdn.com/shield-prefixes.json"}  # no copy can be had
    operators = [proxy.operator for proxy in PROXIES]
    assert operators == sorted(operators, key=str.lower)
    assert {proxy.operator for proxy in PROXIES} & {c.operator for c in CRAWLERS} <= {"Cloudflare"}


def test_lists_of_proxies_verify_no_crawler() -> None:
    for each in packaged_ranges().proxies:
        assert not packaged_ranges().of_operator("Google Cloud Load Balancing")
        assert each not in packaged_ranges().lists
    assert IdentityChecker().identify("CloudflareBrowserRenderingCrawler", "172.68.10.2", DAY) is UNVERIFIABLE


AWS = {
    "prefixes": [
        {"ip_prefix": "130.176.0.0/18", "service": "CLOUDFRONT"},
        {"ip_prefix": "130.176.0.0/20", "service": "CLOUDFRONT_ORIGIN_FACING"},
        {"ip_prefix": "130.176.32.0/24", "service": "EC2"},
        {"ip_prefix": "3.8.0.0/13", "service": "EC2"},
        {"ip_prefix": "3.10.17.128/25", "service": "CLOUDFRONT"},
        {"ip_prefix": "52.0.0.0/16", "service": "S3"},
    ],
    "ipv6_prefixes": [{"ipv6_prefix": "2600:9000::/28", "service": "CLOUDFRONT"}],
}


@pytest.mark.parametrize(
    ("url", "text", "prefixes"),
    [
        ("https://api.cloudflare.com/client/v4/ips",
         '{"result": {"ipv4_cidrs": ["172.64.0.0/13"], "ipv6_cidrs": ["2606:4700::/32"]}, "success": true}',
         ["172.64.0.0/13", "2606:4700::/32"]),
        ("https://api.fastly.com/public-ip-list",
         '{"addresses": ["151.101.0.0/16"], "ipv6_addresses": ["2a04:4e40::/32"]}',
         ["151.101.0.0/16", "2a04:4e40::/32"]),
        ("https://api.gcore.com/cdn/public-ip-list",
         '{"addresses": ["92.223.1.1/32"], "addresses_v6": []}', ["92.223.1.1/32"]),
        ("https://api.bunny.net/system/edgeserverlist", '["89.187.188.227", "89.187.188.228"]',
         ["89.187.188.227/32", "89.187.188.228/32"]),
        ("https://cachefly.cachefly.net/ips/cdn.txt", "# edges\n205.234.175.0/24\n\n", ["205.234.175.0/24"]),
        ("https://prefixlists.tools.cdn77.com/public_lmax_prefixes.json",
         '{"prefixes": [{"prefix": "37.19.206.0/27"}]}', ["37.19.206.0/27"]),
        ("https://techdocs.akamai.com/property-manager/pdfs/akamai_ipv4_CIDRs.txt",
         "23.32.0.0/11\n172.232.0.0/13\n", ["23.32.0.0/11"]),
    ],
)  # fmt: skip
def test_each_operators_form_is_read(url: str, text: str, prefixes: list[str]) -> None:
    assert list(map(str, proxy_networks(text, url))) == prefixes


def test_only_proxies_of_amazons_list_are_read() -> None:
    found = proxy_networks(json.dumps(AWS), "https://ip-ranges.amazonaws.com/ip-ranges.json")
    holds = lambda text: any(ipaddress.ip_address(text) in net for net in found)  # noqa: E731
    assert all(map(holds, ("130.176.1.1", "130.176.33.1", "3.10.17.130", "2600:9000::1")))
    assert not any(map(holds, ("130.176.32.7", "3.8.0.1", "52.0.0.1")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "<p>Moved</p>",
        '{"prefixes": 4}',
        '{"addresses": [4]}',
        "[[]]",
        "10.0.0.0/8",
        "0.0.0.0/0",
    ],
)
def test_an_invalid_list_of_proxies_is_refused(text: str) -> None:
    with pytest.raises(RangesError):
        proxy_networks(text, "https://api.fastly.com/public-ip-list")


def test_an_update_refreshes_the_lists_of_proxies(lists: ListServer, tmp_path: Path) -> None:
    file, url = tmp_path / "ranges.json", "https://api.cloudflare.com/client/v4/ips"
    before = packaged_ranges().of_url(url)[0].prefixes
    v4 = [str(net) for net in before if net.version == 4]
    lists.put(url, json.dumps({"result": {"ipv4_cidrs": [*v4, "198.41.0.0/24"], "ipv6_cidrs": []}}))
    (found,) = update(
        file, targets=[Target(url, "Cloudflare")], today=date(2026, 11, 25), fetcher=lists.fetcher
    )
    assert (found.state, found.came, found.gone) == (UpdateState.CHANGED, 1, 7)
    ranges = RangesFile.read(file).ranges
    assert IdentityChecker(ranges).identify("GPTBot", "198.41.0.9", DAY) is FAILED
    assert {each.operator for each in ranges.proxies} >= {"Akamai", "Fastly"}  # the others stay
    lists.put(url, json.dumps({"result": {"ipv4_cidrs": v4[:1], "ipv6_cidrs": []}}))
    (refused,) = update(
        file, targets=[Target(url, "Cloudflare")], today=date(2026, 11, 26), fetcher=lists.fetcher
    )
    assert refused.state is UpdateState.FAILED
    assert "before are missing" in str(refused.reason)
