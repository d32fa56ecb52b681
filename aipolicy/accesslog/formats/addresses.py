"""Client addresses as logs write them, with ports, brackets and lists."""

import polars as pl

# Enough to tell an address from a host name or a socket; whether it is one, its reader decides.
_IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z._-]+)?"
_BARE = rf"\A(?:{_IPV4}|{_IPV6})\z"
_WITH_PORT = rf"\A(?:({_IPV4})(?::[0-9]*)?|\[({_IPV6})\](?::[0-9]*)?|({_IPV6}))\z"


def bare(addresses: pl.Series) -> pl.Series:
    """Without port and brackets; null where it is no IP address. IPv4-mapped ones stay as written."""
    if addresses.str.contains(_BARE).all():  # nulls are left out
        return addresses
    groups = addresses.str.extract_groups(_WITH_PORT).struct.unnest()
    return groups.select(pl.coalesce(pl.all())).to_series()


def from_right(lists: pl.Series, number: int) -> pl.Series:
    """The ``number``-th entry from the right of comma-separated lists; null where there are fewer."""
    return lists.str.split(",").list.get(-number, null_on_oob=True).str.strip_chars()
