"""What happened, in plain words."""

from typing import Any

import pytest

from aipolicy.accesslog.report.headline import headline
from tests.accesslog.report.samples import OWN, VERDICTS, added, nobody, sample


def accused(*crawlers: tuple[str, int, dict[str, int]], **changes: Any) -> dict[str, Any]:
    """A document in which only those crawlers made disallowed fetches, by clients of those identities."""
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
    assert found.title == (
        "GPTBot made 4 fetches it had been asked not to make, between 1 and 14 November 2026"
    )
    assert found.sentences == (
        "All of these came from addresses that the crawler's operator confirms as its own.",
    )
    assert found.asides == ()


def test_several_crawlers_are_counted_and_the_obedient_ones_are_not() -> None:
    document = accused(
        ("GPTBot", 10, {"verified": 3, "operator_verified": 1}),
        ("ClaudeBot", 10, {"unverifiable": 1, "check_failed": 1}),
        ("CCBot", 10, {}),
    )
    found = headline(document)
    assert found.title.startswith("2 crawlers made 6 fetches they had been asked not to make, ")
    (sentence,) = found.sentences
    assert sentence.startswith("4 of these came from addresses that the crawler's operator confirms")
    assert "; 2 could be neither confirmed nor refuted" in sentence


def test_what_an_impostor_did_is_not_said_of_the_crawler() -> None:
    document = accused(("GPTBot", 9, {"verified": 2, "spoofed": 5}), ("ClaudeBot", 9, {"spoofed": 2}))
    found = headline(document)
    assert found.title.startswith("GPTBot made 2 fetches it had been asked not to make")
    assert found.sentences[1].startswith(
        "A further 7 disallowed fetches came from clients that only pretended to be GPTBot and ClaudeBot: "
    )


def test_where_there_were_only_impostors_no_crawler_is_accused() -> None:
    found = headline(accused(("GPTBot", 9, {"spoofed": 1})))
    assert found.title.startswith(
        "Clients that only pretended to be GPTBot made 1 fetch that GPTBot had been"
    )
    (sentence,) = found.sentences
    assert sentence.startswith("These are impostors: ")
    several = headline(accused(("GPTBot", 9, {"spoofed": 1}), ("CCBot", 9, {"spoofed": 1}))).title
    assert "pretended to be GPTBot and CCBot made 2 fetches that these had been asked not to make" in several


def test_fetches_that_nothing_confirms_are_said_to_be_so() -> None:
    (sentence,) = headline(accused(("CCBot", 9, {"unverifiable": 3}))).sentences
    assert sentence.startswith("None of these could be confirmed by an address")


def test_a_single_fetch_is_not_spoken_of_as_several() -> None:
    (sure,) = headline(accused(("GPTBot", 9, {"verified": 1}))).sentences
    assert sure == "It came from an address that the crawler's operator confirms as its own."
    (unsure,) = headline(accused(("GPTBot", 9, {"unverifiable": 1}))).sentences
    assert unsure.startswith("It could not be confirmed by an address")


def test_obedience_is_said_calmly() -> None:
    found = headline(accused(("GPTBot", 10, {})))
    assert found.title == (
        "No crawler fetched anything it had been asked not to, between 1 and 14 November 2026"
    )
    assert found.sentences == ()


def test_no_crawler_and_no_line_are_told_apart() -> None:
    assert headline(nobody()).title == "No known crawler fetched anything"
    empty = nobody() | {"lines": dict.fromkeys(("read", "crawler", "other", "unreadable", "left_out"), 0)}
    assert headline(empty).title == "Nothing was checked: the logs hold no lines"


def test_without_a_policy_nobody_is_called_obedient() -> None:
    document = accused(("GPTBot", 10, {}), sites=2, without_policy={"fetches": 10, "sites": 2})
    found = headline(document)
    assert found.title == "Nobody can be judged: no policy is known of any site in these logs"
    assert found.asides == (
        "10 fetches on 2 sites could not be judged: no policy is known; counted as allowed.",
    )


def test_sites_without_a_policy_beside_others_are_an_aside() -> None:
    document = accused(("GPTBot", 10, {}), sites=2, without_policy={"fetches": 1, "sites": 1})
    found = headline(document)
    assert found.title.startswith("No crawler fetched anything it had been asked not to")
    assert found.asides == ("1 fetch on 1 site could not be judged: no policy is known; counted as allowed.",)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("refused", "3 more fetches were disallowed, but refused by the server."),
        ("exempt", "3 more fetches were made for a user by crawlers whose operator says"),
        ("in_grace", "3 fetches came so soon after a change"),
    ],
)
def test_what_else_was_disallowed_is_an_aside(verdict: str, words: str) -> None:
    document = accused(("GPTBot", 10, {"verified": 1}))
    document["total"][verdict] = 3
    (aside,) = headline(document).asides
    assert aside.startswith(words)


def test_unreadable_lines_are_an_aside() -> None:
    document = accused(("GPTBot", 10, {}))
    document["lines"]["unreadable"] = 1
    assert headline(document).asides == (
        "1 line names a crawler but could not be read, and nothing is concluded from that.",
    )
