"""Every exception that aipolicy raises on purpose.

AIPolicyError
├── PolicyError (ValueError)          a site policy that can't be made
├── HostError (ValueError)            a name that can't be a host
├── RobotsTooLargeError               a robots.txt over the size that every crawler reads
├── MissingExtraError (ImportError)   an optional part that is not installed
└── RegistryError
    ├── RegistryURLError (ValueError) a registry address that can't be used
    ├── UnknownSiteError (LookupError) a host that no site has
    └── HostTakenError                a host that another site has already
"""


class AIPolicyError(Exception):
    """The root of the tree: catch it to catch everything above."""


class PolicyError(AIPolicyError, ValueError):
    """A site policy that can't be made; the message names the culprit and the cure."""


class HostError(AIPolicyError, ValueError):
    """A name that can't be a host."""


class RobotsTooLargeError(AIPolicyError):
    """A robots.txt over 500 KiB: crawlers may ignore the rest (RFC 9309 §2.5)."""


class MissingExtraError(AIPolicyError, ImportError):
    """An optional part is not installed; the message is the command that installs it."""


class RegistryError(AIPolicyError):
    """The registry can't do what it was asked to."""


class RegistryURLError(RegistryError, ValueError):
    """A registry address that can't be used."""


class UnknownSiteError(RegistryError, LookupError):
    """No site in the registry has that host."""


class HostTakenError(RegistryError):
    """The host belongs to another site already."""
