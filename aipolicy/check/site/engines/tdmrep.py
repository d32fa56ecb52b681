"""TDMRep: the file, then the header, then the page's own tag; the last that says anything counts (§4).

That is the opposite of AIPREF: a page whose tag says 0 is open again, whatever the file reserves.
"""

import json

from aipolicy.check.site.reading import PageSignals, Reading
from aipolicy.check.site.statements import Carrier, Place, Signal, Statement
from aipolicy.core.preferences import Category, Preference
from aipolicy.core.wellknown import tdm_entry

NAME = "tdm-reservation"
_VALUES = {"0": Preference.ALLOW, "1": Preference.DISALLOW}


def reservations(reading: Reading) -> list[Statement]:
    """What each carrier says, the weakest first: file, header, tag. Each says yes, no or nothing."""
    return [*_in_file(reading), *in_page(reading.page)]


def reservation(reading: Reading) -> list[Statement]:
    """The one that counts, if any."""
    return reservations(reading)[-1:]


def in_page(page: PageSignals) -> list[Statement]:
    """Header, then tag. Several lines of one are joined, and ``1, 1`` is no value."""
    found = []
    for lines in (page.headers(NAME), page.metas(NAME)):
        preference = _VALUES.get(", ".join(value.strip() for value, _ in lines))
        if preference is not None:
            found.append(Statement(Signal.TDMREP, Category.TRAIN_AI, preference, lines[0][1]))
    return found


def _in_file(reading: Reading) -> list[Statement]:
    entry = tdm_entry(reading.path, reading.tdm_entries or [])
    value = None if entry is None else entry.get(NAME)
    if type(value) is not int or value not in (0, 1):
        return []
    place = Place(Carrier.TDMREP, 0, json.dumps(entry))
    return [Statement(Signal.TDMREP, Category.TRAIN_AI, _VALUES[str(value)], place)]
