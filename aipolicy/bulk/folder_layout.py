"""The places of a host's files, so that a static server finds them by the Host header alone.

The folder is the last two characters of the host's first label, a leading ``www.`` not counted::

    DIR/robots/og/blog.example
    DIR/robots/og/www.blog.example
    DIR/robots/42/blog-1042.platform.example
    DIR/tdmrep/og/blog.example

One level of some 1,400 folders holds ten million hosts with a few thousand in each; labels end more evenly
than they begin (``blog-1``, ``blog-2`` ...), and unlike a hash a server's regular expression can compute it.
A file a host, without a folder of its own, is half the inodes.
"""

import re

from aipolicy.core.hosts import canonical_host

FILES = "robots"
"""The folder in DIR of each host's robots.txt."""

TDMREP = "tdmrep"
"""The folder in DIR of each host's ``/.well-known/tdmrep.json``: an empty list where nothing is reserved."""

NOTHING_RESERVED = b"[]\n"
"""A tdmrep.json that says nothing. Without a file of its own a site would be answered as an unknown host."""

SHARD = r"^(?:www\.)?[^.]*?([^.]{1,2})(?:\.|$)"
"""Group 1 is the folder of a canonical host: for PCRE (nginx, Apache), RE2 (Caddy) and Python alike."""

_SHARD = re.compile(SHARD)


def shard(host: str) -> str:
    """The folder of a canonical host."""
    match = _SHARD.match(host)
    if match is None:
        raise ValueError(f"{host!r} is no canonical host: it has no first label")
    return match[1]


def is_place_of(folder: str, name: str) -> bool:
    """Whether ``folder/name`` is where a host's file lies: all else there is not ours."""
    return canonical_host(name) == name and shard(name) == folder
