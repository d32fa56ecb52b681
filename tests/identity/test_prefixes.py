"""Valid and invalid prefixes of address lists."""

import json

import pytest

from aipolicy.errors import RangesError
from aipolicy.identity.prefixes import networks, published_prefixes


@pytest.mark.parametrize(
    "text",
    [
        "500/50",
        "000/20",
        "82/32",
        "1.0.0",
        "GPTBot/1.2",
        "",
        "/24",
        "132.196.86.0/",
        "132.196.86.0/33",
        "132.196.86.0/-1",
        "132.196.86.0/٢٤",
        "132.196.86.0/255.255.255.0",
        "132.196.86.1/24",
        "132.196.086.0/24",
        "2001:4860::1/64",
        "2a00::1%eth0",
        "::ffff:132.196.86.1",
    ],
)
def test_an_invalid_prefix_is_named(text: str) -> None:
    with pytest.raises(RangesError) as caught:
        networks([text])
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8",
        "10.1.2.3",
        "100.64.0.0/12",
        "127.0.0.1/32",
        "169.254.169.254/32",
        "172.20.0.0/16",
        "192.168.1.0/24",
        "203.0.113.0/24",
        "198.51.100.7/32",
        "192.0.2.0/24",
        "198.18.0.0/15",
        "224.0.0.0/12",
        "255.255.255.255",
        "0.0.0.0",
        "::1/128",
        "fc00::/32",
        "fe80::/64",
        "ff02::1",
        "2001:db8::/32",
        "2002::/32",
        "3fff::/32",
        "64:ff9b::/96",
    ],
)
def test_a_prefix_that_is_not_public_is_refused(text: str) -> None:
    with pytest.raises(RangesError, match="not public"):
        networks([text])


@pytest.mark.parametrize("text", ["0.0.0.0/0", "192.0.0.0/6", "::/0", "2000::/3"])
def test_a_prefix_that_contains_private_addresses_is_refused(text: str) -> None:
    with pytest.raises(RangesError):
        networks([text])


@pytest.mark.parametrize("text", ["8.0.0.0/8", "17.0.0.0/8", "34.0.0.0/11", "2400::/12", "2a00:1450::/28"])
def test_a_prefix_that_is_too_wide_is_refused(text: str) -> None:
    with pytest.raises(RangesError, match="too wide"):
        networks([text], "OpenAI")


def test_a_wide_prefix_is_accepted_from_its_owner() -> None:
    assert list(map(str, networks(["17.0.0.0/8"], "Apple"))) == ["17.0.0.0/8"]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(RangesError, match="empty"):
        networks([])


def test_prefixes_are_sorted_and_joined() -> None:
    prefixes = [
        "2001:4860:4801:11::/64",
        "20.171.207.0/24",
        "4.227.36.9",
        "20.171.206.0/24",
        "2001:4860:4801:10::/64",
    ]
    joined = ["4.227.36.9/32", "20.171.206.0/23", "2001:4860:4801:10::/63"]
    assert list(map(str, networks([*prefixes, *prefixes]))) == joined


def test_the_operators_own_forms_are_read() -> None:
    assert published_prefixes(
        '{"prefixes": [{"ipv4Prefix": "1.1.1.0/24"}, {"ipv6Prefix": "2606:4700::/32"}]}'
    ) == [
        "1.1.1.0/24",
        "2606:4700::/32",
    ]
    assert published_prefixes(
        '{"creationTime": "x", "prefixes": [{"ip_prefix": "1.1.1.1/32"}, "1.0.0.1"]}'
    ) == [
        "1.1.1.1/32",
        "1.0.0.1",
    ]


def test_a_list_inside_a_page_is_read() -> None:
    document = json.dumps({"prefixes": [{"ip_prefix": "52.4.128.0/32"}]}, indent=1).replace('"', "&quot;")
    page = f'<!doctype html><p>{{"prefixes": []}}</p><pre><code class="container">\n{document}\n</code></pre>'
    assert published_prefixes(page) == ["52.4.128.0/32"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>moved</html>",
        "[]",
        "{}",
        '{"prefixes": null}',
        '{"prefixes": [{}]}',
        '{"prefixes": [{"ipv4Prefix": null}]}',
        '{"prefixes": [{"ipv4Prefix": "1.1.1.1", "ipv6Prefix": "2606:4700::"}]}',
        "[" * 100_000,
    ],
)
def test_an_invalid_list_is_refused(text: str) -> None:
    with pytest.raises(RangesError):
        published_prefixes(text)
