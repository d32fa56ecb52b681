"""Whose groups a crawler may go by beside its own, as its operator documents it: beyond RFC 9309.

Only ever in a crawler's favour: nobody is accused by a group that doesn't bind it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from aipolicy.analysis.names import STAND_INS
from aipolicy.core.crawlers import CRAWLERS

_OTHERS = dict(
    {token: (other,) for token, other in STAND_INS.items()},
    **{
        # "Some crawlers have more than one user agent token": Google's list of its common crawlers.
        "google-cloudvertexbot": ("Googlebot",),
        "googleother-image": ("GoogleOther",),
        "googleother-video": ("GoogleOther",),
        # Amazon says that it copies other search crawlers' rules, and not whose.
        "amzn-searchbot": ("Googlebot", "bingbot"),
    },
)

ALTERNATIVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {c.product_token: others for c in CRAWLERS if (others := _OTHERS.get(c.product_token.lower()))}
)
"""Product tokens, and those whose groups they may use where no group names them."""

OWN_NAME_ONLY = frozenset(c.product_token for c in CRAWLERS if c.note and "own name only" in c.note)
"""Product tokens that ``*`` doesn't bind, by what their operator says."""
