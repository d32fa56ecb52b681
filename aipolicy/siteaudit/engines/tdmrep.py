"""TDMRep: the file, then the header, then the page's own tag; the last that says anything counts (§4).

That is the opposite of AIPREF: a page whose tag says 0 is open again, whatever the file reserves.
"""

import json

from aipolicy.core.preferences import Category, Preference
from aipolicy.signals.well_known import tdm_entry
from aipolicy.siteaudit.parsed_site import PageSignals, Reading
from aipolicy.siteaudit.statements import Carrier, Place, Signal, Statement

NAME = "tdm-reservation"
_VALUES = {"0": Preference.ALLOW, "1": Preference.DISALLOW}


def reservations(reading: Reading) -> list[Statement]:
    """What each carrier says, the weakest first: file, header, tag. Each says yes, no or nothing."""
    return [*_in_file(reading), *in_page(reading.page)]


def reservation(reading: Reading) -> list[Statement]:
    """The one that counts, if any."""
    return reservations(reading)[-1:]


def in_page(page: PageSignals) -> list[Statement]:
    """Header, then tag."""
    return [
        Statement(Signal.TDMREP, Category.TRAIN_AI, _VALUES[value], place)
        for value, place in values_in_page(page)
        if value in _VALUES
    ]


def values_in_page(page: PageSignals) -> list[tuple[str, Place]]:
    """The value of the header and of the tag, those that there are, and where each stands first.

    Lines of a header are one value (RFC 9110 §5.2), so that two of ``1`` are ``1, 1``, which is none. Equal
    tags are one; where tags differ there is none.
    """
    sent, tags = page.headers(NAME), page.metas(NAME)
    joined = (
        ", ".join(value.strip(" \t") for value, _ in sent),
        ", ".join(dict.fromkeys(v.strip(" \t") for v, _ in tags)),
    )
    return [(value, lines[0][1]) for value, lines in zip(joined, (sent, tags), strict=True) if lines]


def _in_file(reading: Reading) -> list[Statement]:
    entry = tdm_entry(reading.path, reading.tdm_entries or [])
    value = None if entry is None else entry.get(NAME)
    if type(value) is not int or value not in (0, 1):
        return []
    place = Place(Carrier.TDMREP, 0, json.dumps(entry))
    return [Statement(Signal.TDMREP, Category.TRAIN_AI, _VALUES[str(value)], place)]
