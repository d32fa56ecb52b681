"""The headline of a report."""

from typing import Any

import pytest

from aipolicy.accesslog.report.headline import headline
from tests.accesslog.report.samples import OWN, VERDICTS, added, sample, without_crawlers


def accused(*crawlers: tuple[str, int, dict[str, int]], **changes: Any) -> dict[str, Any]:
    """Return a document in which only these crawlers made disallowed fetches, with these identities."""
    document = sample(tuple(token for token, _, _ in crawlers))
    by_token = {token: (fetches, split) for token, fetches, split in crawlers}
    for crawler in document["crawlers"]:
        fetches, split = by_token[crawler["product_token"]]
        crawler |= dict.fromkeys(VERDICTS, 0)
        crawler["disallowed_spoofed"] = split.get("spoofed", 0)
        crawler["disallowed"] = sum(split.values()) - crawler["disallowed_spoofed"]
        crawler["allowed"] = fetches - sum(split.values())
        crawler["fetches"] = fetches
        crawler["disallowed_by_identity"] = {key: split.get(key, 0) for key in OWN}
    document["total"] = added(document["crawlers"])
    document["lines"]["unreadable"] = 0
    document["unknown_crawlers"] = {"fetches": 0, "names": 0, "listed": []}
    return document | changes


def test_one_crawler_is_named() -> None:
    found = headline(accused(("GPTBot", 10, {"verified": 4})))
    assert found.title == ("GPTBot made 4 fetches that robots.txt disallowed, between 1 and 14 November 2026")
    assert found.sentences == (
        "All of these fetches came from addresses that the crawler's operator confirms as its own.",
    )
    assert found.asides == ()


def test_several_crawlers_are_counted_and_the_obedient_ones_are_not() -> None:
    document = accused(
        ("GPTBot", 10, {"verified": 3, "operator_verified": 1}),
        ("ClaudeBot", 10, {"unverifiable": 1, "check_failed": 1}),
        ("CCBot", 10, {}),
    )
    found = headline(document)
    assert found.title == (
        "Between 1 and 14 November 2026, 4 fetches by GPTBot were disallowed by robots.txt and are confirmed "
        "as its own; 2 more name ClaudeBot and can't be confirmed"
    )
    (sentence,) = found.sentences
    assert sentence.startswith(
        "The confirmed fetches came from addresses that the crawler's operator confirms"
    )
    assert "The others could be neither confirmed nor refuted" in sentence
    sure = accused(("GPTBot", 10, {"verified": 3}), ("ClaudeBot", 10, {"operator_verified": 2}))
    assert headline(sure).title.startswith("2 crawlers made 5 fetches that robots.txt disallowed, ")


BOTH = {"verified": 9, "check_failed": 4}


@pytest.mark.parametrize(
    ("crawlers", "title"),
    [
        (
            {"GPTBot": BOTH, "ClaudeBot": BOTH},
            "18 fetches by 2 crawlers were disallowed by robots.txt and are confirmed as theirs; 8 more name "
            "them and can't be confirmed",
        ),
        (
            {"GPTBot": {"verified": 1, "unverifiable": 1}},
            "1 fetch by GPTBot was disallowed by robots.txt and is confirmed as its own; 1 more names it and "
            "can't be confirmed",
        ),
        (
            {"GPTBot": BOTH, "ClaudeBot": BOTH, "CCBot": {"unverifiable": 2}},
            "18 fetches by 2 crawlers were disallowed by robots.txt and are confirmed as theirs; 10 more "
            "name 3 crawlers and can't be confirmed",
        ),
        (
            {"CCBot": {"unverifiable": 1}},
            "1 fetch that names CCBot was disallowed by robots.txt and can't be confirmed",
        ),
        (
            {"GPTBot": {"check_failed": 2}, "CCBot": {"unverifiable": 1}},
            "3 fetches that name 2 crawlers were disallowed by robots.txt and can't be confirmed",
        ),
    ],
)
def test_only_confirmed_fetches_are_held_against_a_crawler(
    crawlers: dict[str, dict[str, int]], title: str
) -> None:
    document = accused(*((token, 20, split) for token, split in crawlers.items()))
    assert headline(document).title == f"Between 1 and 14 November 2026, {title}"
    assert headline(document | {"period": {"from": None, "to": None}}).title == title


def test_fetches_by_an_impostor_are_not_attributed_to_the_crawler() -> None:
    document = accused(("GPTBot", 9, {"verified": 2, "spoofed": 5}), ("ClaudeBot", 9, {"spoofed": 2}))
    found = headline(document)
    assert found.title.startswith("GPTBot made 2 fetches that robots.txt disallowed")
    assert found.sentences[1].startswith(
        "A further 7 disallowed fetches came from clients that only claimed to be GPTBot and ClaudeBot: "
    )


def test_with_only_impostors_no_crawler_is_accused() -> None:
    found = headline(accused(("GPTBot", 9, {"spoofed": 1})))
    assert found.title.startswith(
        "Clients that only claimed to be GPTBot made 1 fetch that robots.txt disallowed"
    )
    (sentence,) = found.sentences
    assert sentence.startswith("These clients only claimed to be GPTBot: ")
    several = headline(accused(("GPTBot", 9, {"spoofed": 1}), ("CCBot", 9, {"spoofed": 1}))).title
    assert "only claimed to be GPTBot and CCBot made 2 fetches that robots.txt disallowed" in several


def test_unconfirmed_fetches_are_stated_as_such() -> None:
    (sentence,) = headline(accused(("CCBot", 9, {"unverifiable": 3}))).sentences
    assert sentence.startswith("None of these fetches could be confirmed by an address")


def test_a_single_fetch_is_described_in_the_singular() -> None:
    (sure,) = headline(accused(("GPTBot", 9, {"verified": 1}))).sentences
    assert sure == "The fetch came from an address that the crawler's operator confirms as its own."
    (unsure,) = headline(accused(("GPTBot", 9, {"unverifiable": 1}))).sentences
    assert unsure.startswith("The fetch could not be confirmed by an address")


def test_a_log_without_disallowed_fetches_accuses_no_crawler() -> None:
    found = headline(accused(("GPTBot", 10, {})))
    assert found.title == (
        "No crawler fetched anything that robots.txt disallowed, between 1 and 14 November 2026"
    )
    assert found.sentences == ()


def test_a_log_without_crawlers_and_an_empty_log_differ() -> None:
    assert headline(without_crawlers()).title == "No known crawler fetched anything"
    empty = without_crawlers() | {
        "lines": dict.fromkeys(("read", "crawler", "other", "unreadable", "left_out"), 0)
    }
    assert headline(empty).title == "Nothing was checked: the logs are empty"


def test_without_a_policy_no_crawler_is_called_obedient() -> None:
    document = accused(("GPTBot", 10, {}), sites=2, without_policy={"fetches": 10, "sites": 2})
    found = headline(document)
    assert found.title == "No crawler can be judged: no policy is known for any site in these logs"
    assert found.asides == (
        "10 fetches on 2 sites without a known policy could not be judged; counted as allowed.",
    )


def test_some_sites_without_a_policy_are_an_aside() -> None:
    document = accused(("GPTBot", 10, {}), sites=2, without_policy={"fetches": 1, "sites": 1})
    found = headline(document)
    assert found.title.startswith("No crawler fetched anything that robots.txt disallowed")
    assert found.asides == (
        "1 fetch on 1 site without a known policy could not be judged; counted as allowed.",
    )


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("refused", "3 more fetches were disallowed, but the server refused to send content."),
        ("exempt", "3 more fetches were disallowed, but made for a user by crawlers whose operator says"),
        ("in_grace", "3 fetches came so soon after a change"),
    ],
)
def test_other_disallowed_fetches_are_an_aside(verdict: str, words: str) -> None:
    document = accused(("GPTBot", 10, {"verified": 1}))
    document["total"][verdict] = 3
    (aside,) = headline(document).asides
    assert aside.startswith(words)


def test_unreadable_lines_are_an_aside() -> None:
    document = accused(("GPTBot", 10, {}))
    document["lines"]["unreadable"] = 1
    assert headline(document).asides == ("1 line names a crawler but can't be read; it is not counted.",)
