"""What happened, in plain words: for readers who read nothing else.

A crawler's operator is only accused of what no impostor did: what failed the operator's published check is
said apart.
"""

from dataclasses import dataclass

from aipolicy.report.document import Document
from aipolicy.report.untrusted_text import logged
from aipolicy.report.wording import counted, joined, span

_ASKED = "had been asked not to make"
_NAME = 40  # characters of a name that a client chose


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence without its full stop, the sentences that qualify it, and what else must be known."""

    title: str
    sentences: tuple[str, ...]
    asides: tuple[str, ...]


def headline(document: Document) -> Headline:
    """The headline of a summary document."""
    return Headline(
        _title(document),
        (*_identities(document), *_impostors(document)),
        (*_others(document), *_unknown(document)),
    )


def _title(document: Document) -> str:
    total, when = document["total"], span(document["period"])
    during = f", {when}" if when else ""
    if not document["lines"]["read"]:
        return "Nothing was checked: the logs hold no lines"
    if not total["fetches"]:
        return f"No known crawler fetched anything{during}"
    if _unjudged(document):
        return "Nobody can be judged: no policy is known of any site in these logs"
    crawlers = [crawler for crawler in document["crawlers"] if crawler["disallowed"]]
    if crawlers:
        they = "it" if len(crawlers) == 1 else "they"
        who = crawlers[0]["product_token"] if len(crawlers) == 1 else counted(len(crawlers), "crawler")
        return f"{who} made {counted(total['disallowed'], 'fetch', 'fetches')} {they} {_ASKED}{during}"
    if total["disallowed_spoofed"]:
        names = _pretended(document)
        whom = names[0] if len(names) == 1 else "these"
        return (
            f"Clients that only pretended to be {joined(names)} made "
            f"{counted(total['disallowed_spoofed'], 'fetch', 'fetches')} that {whom} {_ASKED}{during}"
        )
    return f"No crawler fetched anything it had been asked not to{during}"


def _unjudged(document: Document) -> bool:
    """No policy is known of any site that a crawler came to."""
    total, without = document["total"], document["without_policy"]
    closed = ("disallowed", "disallowed_spoofed", "in_grace", "exempt", "refused")
    if any(total[verdict] for verdict in closed):
        return False
    return bool(without["fetches"] >= total["allowed"] > 0 and without["sites"] >= document["sites"])


def _pretended(document: Document) -> list[str]:
    return [crawler["product_token"] for crawler in document["crawlers"] if crawler["disallowed_spoofed"]]


def _identities(document: Document) -> list[str]:
    """How sure it is that those who are named did it."""
    total = document["total"]
    if not total["disallowed"]:
        return []
    by = total["disallowed_by_identity"]
    sure, unsure = by["verified"] + by["operator_verified"], by["unverifiable"] + by["check_failed"]
    alone = sure + unsure == 1
    if not unsure:
        if alone:
            return ["It came from an address that the crawler's operator confirms as its own."]
        return ["All of these came from addresses that the crawler's operator confirms as its own."]
    claim = "only the User-Agent says who it was"
    if not sure:
        return [f"{'It could not' if alone else 'None of these could'} be confirmed by an address: {claim}."]
    return [
        f"{sure:,} of these came from addresses that the crawler's operator confirms as its own; "
        f"{unsure:,} could be neither confirmed nor refuted, and {claim}."
    ]


def _impostors(document: Document) -> list[str]:
    total = document["total"]
    if not total["disallowed_spoofed"]:
        return []
    ending = "their addresses fail the operator's published check, and they are not counted against it."
    if not total["disallowed"]:
        return [f"These are impostors: {ending}"]
    further = counted(total["disallowed_spoofed"], "disallowed fetch", "disallowed fetches")
    pretended = joined(_pretended(document))
    return [f"A further {further} came from clients that only pretended to be {pretended}: {ending}"]


def _others(document: Document) -> list[str]:
    total, sentences = document["total"], []
    if total["refused"]:
        refused = counted(total["refused"], "more fetch was", "more fetches were")
        sentences.append(f"{refused} disallowed, but refused by the server.")
    if total["exempt"]:
        exempt = counted(total["exempt"], "more fetch was", "more fetches were")
        sentences.append(
            f"{exempt} made for a user by crawlers whose operator says that robots.txt doesn't or may not "
            "apply."
        )
    if total["in_grace"]:
        grace = counted(total["in_grace"], "fetch", "fetches")
        sentences.append(f"{grace} came so soon after a change that the crawler may not have known of it.")
    return sentences


def _unknown(document: Document) -> list[str]:
    sentences, without = [], document["without_policy"]
    if unknown := document["unknown_crawlers"]["fetches"]:
        names = [crawler["name"] for crawler in document["unknown_crawlers"]["listed"][:1]]
        example = f", such as {logged(names[0], _NAME)}" if names else ""
        sentences.append(
            f"{counted(unknown, 'request', 'requests')} came from crawlers that nobody here knows{example}: "
            "they are listed, and not judged."
        )
    if without["fetches"]:
        fetches = counted(without["fetches"], "fetch", "fetches")
        sites = counted(without["sites"], "site")
        sentences.append(f"{fetches} on {sites} could not be judged: no policy is known; counted as allowed.")
    if document["lines"]["unreadable"]:
        unreadable = counted(document["lines"]["unreadable"], "line names", "lines name")
        sentences.append(f"{unreadable} a crawler but could not be read, and nothing is concluded from that.")
    return sentences
