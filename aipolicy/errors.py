"""Every exception that aipolicy raises on purpose.

AIPolicyError
├── PolicyError (ValueError)          a site policy that can't be made
├── CrawlersError (ValueError)        entries that the crawler table can't take
├── HostError (ValueError)            a name that can't be a host
├── RobotsTooLargeError               a robots.txt over the size that every crawler reads
├── LogError                          a log that can't be checked
│   └── LogFormatError (ValueError)   a format that can't be told, or hasn't what was asked of it
├── MissingExtraError (ImportError)   an optional part that is not installed
├── FetchError                        a URL that can't be fetched
├── CrawlerTestError                  a crawler that can't be tested as asked
├── RangesError (ValueError)          a list of addresses that can't be a crawler's
├── ResolverError                     DNS that gives no answer
└── RegistryError
    ├── RegistryURLError (ValueError) a registry address that can't be used
    ├── UnknownSiteError (LookupError) a host that no site has
    ├── HostTakenError                a host that another site has already
    └── HistoryError                  a history that is no longer the one that its reader knows
"""

from enum import StrEnum
from typing import Self


class AIPolicyError(Exception):
    """The root of the tree: catch it to catch everything above."""


class PolicyError(AIPolicyError, ValueError):
    """A site policy that can't be made; the message names the culprit and the fix."""


class CrawlersError(AIPolicyError, ValueError):
    """Entries that the crawler table can't take; the message names the entry and the fix."""


class HostError(AIPolicyError, ValueError):
    """A name that can't be a host."""


class RobotsTooLargeError(AIPolicyError):
    """A robots.txt over 500 KiB: crawlers may ignore the rest (RFC 9309 §2.5)."""


class LogError(AIPolicyError):
    """A log that can't be opened, read to its end, or checked against the policies given."""


class MissingExtraError(AIPolicyError, ImportError):
    """An optional dependency is not installed; the message has the command that installs it."""

    @classmethod
    def for_extra(cls, needed: str, extra: str) -> Self:
        """Return the error for a dependency that is in an extra of this package."""
        return cls(f"{needed}: pip install 'asgi-aipolicy[{extra}]'")


class LogFormatError(LogError, ValueError):
    """A log's format can't be told, or has not what was asked of it."""


class FetchTrouble(StrEnum):
    """Where a fetch failed."""

    URL = "url"
    SCHEME = "scheme"
    ADDRESS = "address"
    """The name leads to an address that isn't public."""
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    """What came isn't HTTP, or isn't whole."""
    CODING = "coding"
    """The body isn't in a content coding that was asked for, or not in the one it is said to be in."""
    REDIRECTS = "redirects"
    OVERTIME = "overtime"
    """The time for everything around one page was over before it was asked for, or meanwhile."""


class FetchError(AIPolicyError):
    """A URL that can't be fetched: ``url``, ``kind`` of trouble, and ``reason`` in words."""

    def __init__(self, url: str, kind: FetchTrouble, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.kind = kind
        self.reason = reason


class CrawlerTestError(AIPolicyError):
    """A crawler can't be tested as asked; the message names the culprit and the fix."""


class RangesError(AIPolicyError, ValueError):
    """A list of addresses that can't be a crawler's; the message names the culprit."""


class ResolverError(AIPolicyError):
    """DNS gave no answer, or none that decides. That a name doesn't exist is an answer."""


class RegistryError(AIPolicyError):
    """The registry can't do what it was asked to."""


class RegistryURLError(RegistryError, ValueError):
    """A registry address that can't be used."""


class UnknownSiteError(RegistryError, LookupError):
    """No site in the registry has that host."""


class HostTakenError(RegistryError):
    """The host belongs to another site already."""


class HistoryError(RegistryError):
    """The history is no longer the one that its reader knows: it was restored from a backup, for one."""
