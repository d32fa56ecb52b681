"""The result in a few sentences, for readers who read nothing else.

Fetches by clients that fail the operator's published check are stated separately: an operator is not accused
of the fetches of an impostor. Fetches that can be neither confirmed nor refuted are stated separately too.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aipolicy.accesslog.report.labels import Document, period
from aipolicy.report.text import printable
from aipolicy.report.wording import counted, joined

_NAME = 40  # characters of a name that a client chose


@dataclass(frozen=True, slots=True)
class Headline:
    """The title without its full stop, the sentences that qualify it, and further facts."""

    title: str
    sentences: tuple[str, ...]
    asides: tuple[str, ...]


def headline(document: Document) -> Headline:
    """Return the headline of a summary document."""
    return Headline(
        _title(document),
        (*_identities(document), *_impostors(document)),
        (*_others(document), *_unknown(document)),
    )


def _title(document: Document) -> str:
    total, days = document["total"], period(document)
    during = f", {days}" if days else ""
    if not document["lines"]["read"]:
        return "Nothing was checked: the logs are empty"
    if not total["fetches"]:
        return f"No known crawler fetched anything{during}"
    if _unjudged(document):
        return "No crawler can be judged: no policy is known for any site in these logs"
    crawlers = [crawler for crawler in document["crawlers"] if crawler["disallowed"]]
    if crawlers:
        return _accusation(crawlers, days)
    if total["disallowed_spoofed"]:
        return (
            f"Clients that only claimed to be {joined(_impersonated(document))} made "
            f"{_fetches(total['disallowed_spoofed'])} that robots.txt disallowed{during}"
        )
    return f"No crawler fetched anything that robots.txt disallowed{during}"


def _accusation(crawlers: Sequence[Document], days: str) -> str:
    """Return the title about disallowed fetches; only confirmed ones are attributed to a crawler."""
    confirmed = {c["product_token"]: count for c in crawlers if (count := _confirmed(c))}
    claimed = {c["product_token"]: count for c in crawlers if (count := c["disallowed"] - _confirmed(c))}
    sure, unsure = sum(confirmed.values()), sum(claimed.values())
    if not claimed:
        during = f", {days}" if days else ""
        return f"{_names(confirmed)} made {_fetches(sure)} that robots.txt disallowed{during}"
    during = f"{days[0].upper()}{days[1:]}, " if days else ""
    name = "names" if unsure == 1 else "name"
    if not confirmed:
        were = "was" if unsure == 1 else "were"
        return (
            f"{during}{_fetches(unsure)} that {name} {_names(claimed)} {were} disallowed by robots.txt and "
            "can't be confirmed"
        )
    were, are = ("was", "is") if sure == 1 else ("were", "are")
    its = "its own" if len(confirmed) == 1 else "theirs"
    pronoun = "it" if len(claimed) == 1 else "them"
    them = pronoun if claimed.keys() == confirmed.keys() else _names(claimed)
    return (
        f"{during}{_fetches(sure)} by {_names(confirmed)} {were} disallowed by robots.txt and {are} "
        f"confirmed as {its}; {unsure:,} more {name} {them} and can't be confirmed"
    )


def _confirmed(crawler: Document) -> int:
    """Return the number of disallowed fetches by clients that the operator's own data confirms."""
    by = crawler["disallowed_by_identity"]
    return int(by["verified"] + by["operator_verified"])


def _names(crawlers: Collection[str]) -> str:
    return next(iter(crawlers)) if len(crawlers) == 1 else counted(len(crawlers), "crawler")


def _fetches(number: int) -> str:
    return counted(number, "fetch", "fetches")


def _unjudged(document: Document) -> bool:
    """Return True if no policy is known for any site that a crawler fetched from."""
    total, without = document["total"], document["without_policy"]
    closed = ("disallowed", "disallowed_spoofed", "in_grace", "exempt", "refused")
    if any(total[verdict] for verdict in closed):
        return False
    return bool(without["fetches"] >= total["allowed"] > 0 and without["sites"] >= document["sites"])


def _impersonated(document: Document) -> list[str]:
    return [crawler["product_token"] for crawler in document["crawlers"] if crawler["disallowed_spoofed"]]


def _identities(document: Document) -> list[str]:
    """Return a sentence about the fetches whose addresses confirm the crawler."""
    total = document["total"]
    if not total["disallowed"]:
        return []
    sure = _confirmed(total)
    unsure = total["disallowed"] - sure
    single = sure + unsure == 1
    if not unsure:
        if single:
            return ["The fetch came from an address that the crawler's operator confirms as its own."]
        return ["All of these fetches came from addresses that the crawler's operator confirms as its own."]
    claim = "only the User-Agent names the crawler"
    if not sure:
        return [
            f"{'The fetch could not' if single else 'None of these fetches could'} be confirmed by an "
            f"address: {claim}."
        ]
    return [
        "The confirmed fetches came from addresses that the crawler's operator confirms as its own. "
        f"The others could be neither confirmed nor refuted: {claim}, and anyone can send it."
    ]


def _impostors(document: Document) -> list[str]:
    total = document["total"]
    if not total["disallowed_spoofed"]:
        return []
    crawlers = _impersonated(document)
    their = "the operator" if len(crawlers) == 1 else "the operators"
    ending = (
        f"their addresses fail the check that {their} published, and they are not counted against {their}."
    )
    if not total["disallowed"]:
        return [f"These clients only claimed to be {joined(crawlers)}: {ending}"]
    further = counted(total["disallowed_spoofed"], "disallowed fetch", "disallowed fetches")
    return [f"A further {further} came from clients that only claimed to be {joined(crawlers)}: {ending}"]


def _others(document: Document) -> list[str]:
    total, sentences = document["total"], []
    if total["refused"]:
        refused = counted(total["refused"], "more fetch was", "more fetches were")
        sentences.append(f"{refused} disallowed, but the server refused to send content.")
    if total["exempt"]:
        exempt = counted(total["exempt"], "more fetch was", "more fetches were")
        sentences.append(
            f"{exempt} disallowed, but made for a user by crawlers whose operator says that robots.txt does "
            "not or may not apply."
        )
    if total["in_grace"]:
        grace = counted(total["in_grace"], "fetch", "fetches")
        sentences.append(
            f"{grace} came so soon after a change of the policy that the crawler may not have read it."
        )
    return sentences


def _unknown(document: Document) -> list[str]:
    sentences, without = [], document["without_policy"]
    if unknown := document["unknown_crawlers"]["fetches"]:
        names = [crawler["name"] for crawler in document["unknown_crawlers"]["listed"][:1]]
        example = f", such as {printable(names[0], _NAME)}" if names else ""
        sentences.append(
            f"{counted(unknown, 'request', 'requests')} came from unknown crawlers{example}: "
            "they are listed, not judged."
        )
    if without["fetches"]:
        fetches = counted(without["fetches"], "fetch", "fetches")
        sites = counted(without["sites"], "site")
        sentences.append(
            f"{fetches} on {sites} without a known policy could not be judged; counted as allowed."
        )
    if document["lines"]["unreadable"]:
        lines = document["lines"]["unreadable"]
        unreadable = counted(lines, "line names", "lines name")
        ending = "it is not counted" if lines == 1 else "they are not counted"
        sentences.append(f"{unreadable} a crawler but can't be read; {ending}.")
    return sentences
