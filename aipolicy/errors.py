"""The exceptions that aipolicy raises.

AIPolicyError
├── PolicyError (ValueError)          a site policy is invalid
├── CrawlersError (ValueError)        an entry for the crawler table is invalid
├── HostError (ValueError)            a host name is invalid
├── RobotsTooLargeError               a robots.txt is larger than crawlers read
├── LogError                          an access log can't be checked
│   └── LogFormatError (ValueError)   its format is unknown, or lacks a field that is needed
├── MissingExtraError (ImportError)   an optional dependency is not installed
├── FetchError                        a URL can't be fetched
├── CrawlerTestError                  a crawler can't be tested
├── RangesError (ValueError)          a list of addresses is invalid
├── ResolverError                     DNS gave no answer
├── PartnerError (ValueError)         a partner, an answer or an export is invalid
│   ├── UnknownPartnerError (LookupError)  no partner has the name
│   ├── UnknownRemovalError (LookupError)  there is no such removal request
│   └── CursorError                   a cursor is invalid, or of another history
└── RegistryError                     the registry can't do what was asked
    ├── RegistryURLError (ValueError) a registry's URL is invalid
    ├── UnknownSiteError (LookupError) no site has a host
    ├── HostTakenError                another site has the host
    └── HistoryError                  the registry's history is not the one that was read before
"""

from enum import StrEnum
from typing import Self


class AIPolicyError(Exception):
    """The base class of all exceptions of aipolicy."""


class PolicyError(AIPolicyError, ValueError):
    """A site policy is invalid; the message names the value and the fix."""


class CrawlersError(AIPolicyError, ValueError):
    """An entry for the crawler table is invalid; the message names the entry and the fix."""


class HostError(AIPolicyError, ValueError):
    """A host name is invalid."""


class RobotsTooLargeError(AIPolicyError):
    """A robots.txt is larger than 500 KiB, and crawlers may ignore the rest (RFC 9309 §2.5)."""


class LogError(AIPolicyError):
    """An access log can't be opened, read to its end or checked against the policies."""


class MissingExtraError(AIPolicyError, ImportError):
    """An optional dependency is not installed; the message has the command that installs it."""

    @classmethod
    def for_extra(cls, needed: str, extra: str) -> Self:
        """Return the error for a dependency that is in an extra of this package."""
        return cls(f"{needed}: pip install 'asgi-aipolicy[{extra}]'")


class LogFormatError(LogError, ValueError):
    """The format of a log is unknown, or lacks a field that is needed."""


class FetchTrouble(StrEnum):
    """The step at which a fetch failed."""

    URL = "url"
    SCHEME = "scheme"
    ADDRESS = "address"
    """The host name has an address that isn't public."""
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    """The response is not HTTP, or incomplete."""
    CODING = "coding"
    """The body has a content coding that was not asked for, or not the one that its header names."""
    REDIRECTS = "redirects"
    OVERTIME = "overtime"
    """The time for all fetches of one site was over."""


class FetchError(AIPolicyError):
    """A URL can't be fetched.

    Attributes:
        url: The URL.
        kind: The step that failed.
        reason: The reason in words.
    """

    def __init__(self, url: str, kind: FetchTrouble, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.kind = kind
        self.reason = reason


class CrawlerTestError(AIPolicyError):
    """A crawler can't be tested; the message names the reason and the fix."""


class RangesError(AIPolicyError, ValueError):
    """A list of a crawler's addresses is invalid; the message names the value."""


class ResolverError(AIPolicyError):
    """DNS gave no answer. That a name doesn't exist is an answer."""


class RegistryError(AIPolicyError):
    """The registry can't do what was asked."""


class RegistryURLError(RegistryError, ValueError):
    """A registry's URL is invalid."""


class UnknownSiteError(RegistryError, LookupError):
    """No site in the registry has the host."""


class HostTakenError(RegistryError):
    """Another site has the host."""


class HistoryError(RegistryError):
    """The registry's history is not the one that was read before, as after a restored backup."""


class PartnerError(AIPolicyError, ValueError):
    """A partner, an answer or an export that is invalid; the message names the value and the fix."""


class UnknownPartnerError(PartnerError, LookupError):
    """No partner has the name."""


class UnknownRemovalError(PartnerError, LookupError):
    """There is no such removal request, or it is another partner's."""


class CursorError(PartnerError):
    """A cursor is invalid, or of another history."""
