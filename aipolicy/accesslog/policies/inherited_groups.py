"""Whose groups a crawler may go by beside its own, as its operator documents it: beyond RFC 9309.

Only ever in a crawler's favour: nobody is accused by a group that doesn't bind it.
"""

from collections.abc import Mapping

from aipolicy.core.crawlers import CrawlerTable, from_table
from aipolicy.robotstxt.product_tokens import STAND_INS

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


@from_table
def alternatives(table: CrawlerTable) -> Mapping[str, tuple[str, ...]]:
    """Return product tokens, and those whose groups they may use where no group names them."""
    return {
        c.product_token: others for c in table.crawlers if (others := _OTHERS.get(c.product_token.lower()))
    }


@from_table
def own_name_only(table: CrawlerTable) -> frozenset[str]:
    """Return the product tokens that ``*`` doesn't bind, by what their operator says."""
    return frozenset(c.product_token for c in table.crawlers if c.own_group_only)
